"""Who waits for a batch, and who goes into the next one. One or several lanes take from a queue.

Works go in the order they came. Where several subjects ask, one of them may take only a few places in each batch: whoever
attacks one subject waits for himself, and not all others for him. A subject that is alone may fill the batch. Why:
`docs/why/places-in-a-batch.md`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from sekisho.core.state import THE_BANK
from sekisho.errors import LedgerUnavailable
from sekisho.ports import Work

PLACES = 2
"""How many works that need the same row go into one batch while others ask too."""

COMPANY_S = 0.25
"""How long after the last batch that held anybody else a subject still counts as not alone."""

PARKED = 1024
"""Works that may wait for the places of one row; whoever comes after is refused."""


class Waiting:
    """A work that waits for its batch, and who waits for its answer."""

    __slots__ = ("future", "keys", "work")

    def __init__(self, work: Work[Any], future: asyncio.Future[Any]) -> None:
        self.work = work
        self.keys = work.keys
        self.future = future

    def answer(self, answer: Any) -> None:
        """Tell whoever still waits."""
        if not self.future.done():
            self.future.set_result(answer)

    def refuse(self, no: Exception) -> None:
        """Tell whoever still waits that there is no answer."""
        if not self.future.done():
            self.future.set_exception(no)


class Queue:
    """The works of one lane.

    Args:
        longest: how many may wait.
        clock: seconds that only go forward.

    """

    def __init__(self, longest: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest = longest
        self._clock = clock
        self._new: deque[Waiting] = deque()
        self._parked: dict[str, deque[Waiting]] = {}
        """Works that found the places of a row taken, by its key, in the order they came."""
        self._parking = 0
        self._crowd = ""
        """The row that the last batch needed most."""
        self._company_until = 0.0
        self._some = asyncio.Event()

    def __len__(self) -> int:
        return len(self._new) + self._parking

    def add(self, one: Waiting) -> None:
        """Let a work wait.

        Raises:
            LedgerUnavailable: too many wait already.

        """
        if len(self) >= self._longest:
            raise LedgerUnavailable
        self._new.append(one)
        self._some.set()

    async def some(self) -> None:
        """Wait until somebody waits, or until `wake`."""
        if not self:
            self._some.clear()
            await self._some.wait()

    def wake(self) -> None:
        """Let those go on who wait for works: there may be none any more."""
        self._some.set()

    def take(self, most: int) -> list[Waiting]:
        """The works of the next batch, `most` of them at the most; where any wait there is at least one."""
        places = PLACES if self._clock() < self._company_until else most
        if not self._parking and len(self._new) <= most:
            needed = Counter[str]()
            _count(needed, self._new)
            if max(needed.values(), default=0) <= places:
                return self._all(needed)
        return self._draft(most, places)

    def _all(self, needed: Counter[str]) -> list[Waiting]:
        """Nobody is in anybody's way."""
        taken = list(self._new)
        self._new.clear()
        self._note_company(needed, len(taken))
        return taken

    def _draft(self, most: int, places: int) -> list[Waiting]:
        taken: list[Waiting] = []
        needed = Counter[str]()
        self._draft_parked(taken, needed, most, places)
        while self._new and len(taken) < most:
            one = self._new.popleft()
            full = next((key for key in one.keys if needed[key] >= places), None)
            if full is None:
                taken.append(one)
                _count(needed, [one])
            else:
                self._park(full, one)
        self._note_company(needed, len(taken))
        return taken

    def _draft_parked(self, taken: list[Waiting], needed: Counter[str], most: int, places: int) -> None:
        """Whoever had to wait goes first, but no row has more than its places for that."""
        for key, line in list(self._parked.items()):
            room = min(places - needed[key], most - len(taken), len(line))
            some = [line.popleft() for _ in range(room)]
            self._parking -= len(some)
            taken += some
            _count(needed, some)
            if not line:
                del self._parked[key]

    def _note_company(self, needed: Counter[str], works: int) -> None:
        """Whether subjects share this lane: a work without the row needed most, in this batch or the one before."""
        if not needed:
            return
        if max(needed.values()) < works or (self._crowd and self._crowd not in needed):
            self._company_until = self._clock() + COMPANY_S
        self._crowd = max(needed, key=needed.__getitem__)

    def _park(self, key: str, one: Waiting) -> None:
        line = self._parked.setdefault(key, deque())
        if len(line) >= PARKED:
            one.refuse(LedgerUnavailable())
            return
        line.append(one)
        self._parking += 1


def _count(needed: Counter[str], works: Iterable[Waiting]) -> None:
    """How many of them need each row. The bank's own is nobody's crowd."""
    needed.update(chain.from_iterable([one.keys for one in works]))
    del needed[THE_BANK]
