"""Whether the ledger's clock goes as this machine's own does.

Every lock that ends by itself ends by the ledger's clock. A database that takes over one hour fast would end them all; so a
node that sees that clock jump against its own grants nothing until somebody else agrees to the new time. Why:
`docs/why/doubted-clock.md`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Container
from typing import NamedTuple

from sekisho.core.state import SECOND

TOLERATED_S = 2.0
"""How far the two clocks may drift apart while one anchor holds."""

ANCHORED_S = 60.0
"""How long an anchor holds: what drifts more slowly than the tolerance in that time is steering, not a jump."""


def own_clock() -> float:
    """Seconds that only go forward, and that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class _Anchor(NamedTuple):
    """The ledger said `at` somewhen between two looks at the own clock."""

    at: int
    before: float
    after: float


class ClockWatch:
    """One node's look at the ledger's clock.

    Args:
        own: the clock to compare with, in seconds.

    """

    def __init__(self, own: Callable[[], float] = own_clock) -> None:
        self.own = own
        self.node = secrets.token_hex(8)
        """Who doubts, as the ledger's row names it."""
        self.moved_s = 0.0
        """How far the ledger's clock has jumped; 0 while it is trusted."""
        self._told_at: float | None = None
        self._anchor: _Anchor | None = None
        self._last: _Anchor | None = None
        """The last look."""

    @property
    def told(self) -> bool:
        """Whether the ledger holds our doubt."""
        return self._told_at is not None

    @told.setter
    def told(self, told: bool) -> None:
        self._told_at = self.own() if told else None

    def note_told(self, moved_s: float) -> None:
        """The doubt of a jump of that length is on record now.

        Meanwhile the clock may have jumped again: of that jump the ledger does not know, and whoever takes this doubt back has not agreed to it.
        """
        if not self.doubting or abs(self.moved_s - moved_s) <= TOLERATED_S:
            self.told = True

    def agreed(self, doubts: Container[str]) -> bool:
        """Whether somebody else has taken our doubt back, by the doubts that were read with the last look.

        What was read before our doubt was on record says nothing of it: another lane may have asked long ago.
        """
        return self._told_at is not None and self._last is not None and self._last.before >= self._told_at and self.node not in doubts

    def stale(self) -> bool:
        """Whether the last look is so long ago that there should be one, though nobody asks for anything."""
        return self._anchor is None or self.own() - self._anchor.after > ANCHORED_S

    @property
    def doubting(self) -> bool:
        """Whether nothing may be granted."""
        return self.moved_s != 0

    def look(self, at: int, before: float, after: float) -> None:
        """Compare what the ledger's clock said between two looks at the own one. `at` in microseconds."""
        anchor = self._anchor
        last = self._last = _Anchor(at, before, after)
        if anchor is None:
            self._anchor = last
            return
        passed = (at - anchor.at) / SECOND
        # Whatever moment it was read at: it has gone at least so much ahead, or fallen at least so much behind.
        ahead, behind = passed - (after - anchor.before), (before - anchor.after) - passed
        if ahead > TOLERATED_S or behind > TOLERATED_S:
            moved_s = ahead if ahead > 0 else -behind
            # Whoever agreed to another jump has not agreed to this one.
            if abs(moved_s - self.moved_s) > TOLERATED_S:
                self.told = False
            self.moved_s = moved_s
        elif self.doubting:
            # It goes again as it did before: nothing was decided in between.
            self.moved_s = 0.0
        elif after - anchor.after > ANCHORED_S:
            self._anchor = last

    def trust(self) -> None:
        """Somebody else agrees to the ledger's time as it was at the last look: compare with that."""
        self.moved_s, self.told = 0.0, False
        self._anchor = self._last
