"""An entry that was refused unread takes as long as one that was compared.

The time grid of a policy hides a comparison only where it is shorter than a step. Whoever is refused without one therefore
leaves when one of the newest comparisons would have left, so that he oversteps the grid as often as they do. It costs a wait and
no work: a flood of entries at a locked subject takes no worker from anybody. docs/why/hold.md
"""

from __future__ import annotations

import secrets as chance
from collections import deque
from collections.abc import Callable

NEWEST = 64
"""Comparisons of which one is the measure: few enough to follow the load of the moment."""

Counted = Callable[[float], float]
"""How long an answer took to be made, in seconds, as how long it counts for the grid."""


def as_it_is(took: float) -> float:
    """It counts as long as it took."""
    return took


class Pace:
    """How long comparisons took of late, by item, on this node: from the arrival of the request until the answer was made."""

    def __init__(self) -> None:
        self._newest: dict[str, deque[float]] = {}

    def of_compared(self, item: str) -> Counted:
        """It counts as it is, and is a measure for others."""
        newest = self._newest.setdefault(item, deque(maxlen=NEWEST))

        def counted(took: float) -> float:
            newest.append(took)
            return took

        return counted

    def of_refused(self, item: str) -> Counted:
        """It counts as one of the newest that was compared; as it is where none was yet.

        Nobody waits here: the grid alone does, for both alike. A wait of one's own would end up to a millisecond late, which is
        more than enough to overstep the grid more often.
        """
        newest = self._newest.get(item)
        return lambda took: max(took, chance.choice(newest)) if newest else took
