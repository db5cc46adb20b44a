"""Room for slow comparisons, shared out so that no one subject can take it all."""

from __future__ import annotations

QUEUE_S = 1.0
"""How much work may wait, in seconds. Whoever comes to a longer queue is told to try again, and no guess is taken."""

FIRST_S = 0.02
"""How long one comparison takes, as long as none was measured: Argon2id at 19 MiB and two passes on a usual processor."""

_SMOOTHING = 16
"""Over how many comparisons their mean is taken, roughly."""


class Slots:
    """Room for as many slow comparisons as the workers get done in `QUEUE_S`; no one subject may have more than a quarter of it.

    Args:
        workers: how many are compared at once.

    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._each_s = FIRST_S
        self._all = 0
        self._taken: dict[str, int] = {}

    @property
    def room(self) -> int:
        """How many may be compared or wait to be: measured, because a machine may be slow, and other work makes it slower."""
        return max(self._workers, int(self._workers * QUEUE_S / self._each_s))

    def take(self, subject: str) -> bool:
        """Whether there is room for one more."""
        room, taken = self.room, self._taken.get(subject, 0)
        if self._all >= room or taken >= max(1, room // 4):
            return False
        self._all += 1
        self._taken[subject] = taken + 1
        return True

    def give_back(self, subject: str) -> None:
        """One is done."""
        self._all -= 1
        left = self._taken.pop(subject) - 1
        if left:
            self._taken[subject] = left

    def took(self, seconds: float) -> None:
        """How long a worker was at one comparison."""
        self._each_s += (max(seconds, 1e-6) - self._each_s) / _SMOOTHING
