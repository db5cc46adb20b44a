"""The table: what a wrong entry costs and how it is undone, written once for decisions, proofs and manual."""

from __future__ import annotations

from pathlib import Path

from sekisho.errors import CallerError
from sekisho.policy.compile import compile_policy
from sekisho.policy.load import Policy, PolicyError, load, parse
from sekisho.policy.table import Table

__all__ = ["Policy", "PolicyError", "Table", "compile_policy", "load", "parse", "reference"]

BANKS = Path(__file__).parent / "banks"
"""The shipped policies."""


def reference(name: str) -> Path:
    """The file of a shipped policy: `postal-bank`, `postal-bank-as-found` or `major-bank`."""
    names = sorted(path.stem for path in BANKS.glob("*.yaml"))
    if name not in names:
        raise CallerError(f"no shipped policy `{name}`; there are {', '.join(names)}")
    return BANKS / f"{name}.yaml"
