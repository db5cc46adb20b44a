"""Room for slow comparisons, shared out so that no one subject can take it all."""

from __future__ import annotations


class Slots:
    """Room for slow comparisons: about a second of work, of which no one subject may have more than a quarter."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._each = max(1, slots // 4)
        self._taken: dict[str, int] = {}

    def take(self, subject: str) -> bool:
        """Whether there is room for one more."""
        taken = self._taken.get(subject, 0)
        if self._free <= 0 or taken >= self._each:
            return False
        self._free -= 1
        self._taken[subject] = taken + 1
        return True

    def give_back(self, subject: str) -> None:
        """One is done."""
        self._free += 1
        left = self._taken.pop(subject) - 1
        if left:
            self._taken[subject] = left
