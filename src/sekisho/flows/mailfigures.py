"""What became of mail, by the recipient's domain: figures of one node, in memory, for monitoring.

A domain stands under its own name once mail for several customers there was heard of, and only so many do: a domain of one person's own would
name him, and whoever registers addresses must not be able to fill the memory. All others are counted together.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import NamedTuple

DOMAINS = 50
"""Domains that stand under their own names; the first that had enough customers."""

PEOPLE = 5
"""Customers of whose mail was heard before a domain has its own name."""

WATCHED = 1_000
"""Domains of which it is remembered for whom mail went there; beyond that none is added."""

OTHERS = "others"

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?")


class Happened(NamedTuple):
    """Something that has happened to a mail."""

    what: str
    to: str
    whose: str
    after_s: float
    """Since it was put in."""


class MailFigures:
    """Counts what happens to mail."""

    def __init__(self) -> None:
        self.number: Counter[tuple[str, str]] = Counter()
        """By domain and by what happened."""
        self.seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        """How long after it was put in, summed."""
        self._people: dict[str, set[int]] = {}
        self._named: set[str] = set()

    def note(self, one: Happened | None) -> None:
        """Count it. None: nothing has happened."""
        if one is None:
            return
        place = self._domain(one.to, one.whose), one.what
        self.number[place] += 1
        self.seconds[place] += max(0.0, one.after_s)

    def _domain(self, to: str, whose: str) -> str:
        _, at, name = to.lower().rpartition("@")
        if name in self._named:
            return name
        if not at or not _NAME.fullmatch(name) or len(self._named) >= DOMAINS or (name not in self._people and len(self._people) >= WATCHED):
            return OTHERS
        people = self._people.setdefault(name, set())
        people.add(hash(whose))
        if len(people) < PEOPLE:
            return OTHERS
        del self._people[name]
        self._named.add(name)
        return name
