"""An entry that was refused unread takes as long as one that was compared.

The time grid of a policy hides a comparison only where it is shorter than a step. Whoever is refused without one therefore
waits as long as one of the newest comparisons took, so that he oversteps the grid as often as they do. It costs a wait and
no work: a flood of entries at a locked subject takes no worker from anybody. docs/why/hold.md
"""

from __future__ import annotations

import asyncio
import secrets as chance
from collections import deque

NEWEST = 64
"""Comparisons of which one is the measure: few enough to follow the load of the moment."""


class Pace:
    """How long comparisons took of late, by item, on this node."""

    def __init__(self) -> None:
        self._newest: dict[str, deque[float]] = {}

    def compared(self, item: str, took: float) -> None:
        """One took so long, from its entry to its verdict. Seconds."""
        self._newest.setdefault(item, deque(maxlen=NEWEST)).append(took)

    async def keep(self, item: str, took: float) -> None:
        """Wait until as much time is over as one of the newest took; no longer where none was made yet.

        Args:
            item: what was entered.
            took: what has passed of it already. Seconds.

        """
        newest = self._newest.get(item)
        if newest:
            await asyncio.sleep(chance.choice(newest) - took)
