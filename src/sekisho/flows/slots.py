"""Room for slow comparisons, shared out so that neither one subject nor one source can take it all."""

from __future__ import annotations

from collections import Counter

ROOM = 128
"""How many may be compared or wait to be: about a second of work for two workers at 110 comparisons a second."""

OF_ONE_SUBJECT = ROOM // 4
"""Thirty-two honest logins of one customer at once all get in."""

OF_ONE_SOURCE = ROOM // 2


class Slots:
    """Room for slow comparisons. Whoever finds none is told to try again, before a guess is taken for him."""

    def __init__(self) -> None:
        self._all = 0
        self._subjects = Counter[str]()
        self._sources = Counter[str]()

    def take(self, subject: str, source: str) -> bool:
        """Whether there is room for one more at this subject. `source`: who types; empty where the channel does not say."""
        if self._all >= ROOM or self._subjects[subject] >= OF_ONE_SUBJECT or (source and self._sources[source] >= OF_ONE_SOURCE):
            return False
        self._all += 1
        self._subjects[subject] += 1
        self._sources[source] += 1
        return True

    def give_back(self, subject: str, source: str) -> None:
        """One is done."""
        self._all -= 1
        for taken, name in ((self._subjects, subject), (self._sources, source)):
            taken[name] -= 1
            if not taken[name]:
                del taken[name]
