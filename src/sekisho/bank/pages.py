"""The pages of the demonstration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.routing import BaseRoute


def routes(base: str, keys: Mapping[str, object]) -> Sequence[BaseRoute]:
    """All pages."""
    del base, keys
    return ()
