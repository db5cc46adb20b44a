"""A barrier in front of a bank's operations: one policy table decides what every wrong entry costs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sekisho.guard import AsyncGuard, Guard

__version__ = "0.1.0"

__all__ = ["AsyncGuard", "Guard", "__version__"]


def __getattr__(name: str) -> Any:
    """The library face, imported when it is asked for: what needs one part of the package loads no other."""
    if name in {"AsyncGuard", "Guard"}:
        return getattr(import_module("sekisho.guard"), name)
    raise AttributeError(f"sekisho has no {name}")
