"""Waiting for a guess that may come back: short of budget only because others are still being compared.

Whoever waits holds no row, no connection and no worker slot. A settle on this node wakes the waiters of its counters; one
on another node is found by asking again after a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

WAIT_S = 2.0
"""The longest wait before the answer is `refused, again`."""

PER_COUNTER = 32
PER_NODE = 1000
"""How many may wait for one counter and on one node; whoever comes after is told to try again at once."""

ASK_AGAIN_S = 0.05


class Waiting:
    """Who waits for which counters."""

    def __init__(self) -> None:
        self._by_counter: dict[str, set[asyncio.Event]] = {}
        self._all = 0

    def admit(self, counters: Iterable[str]) -> bool:
        """Whether one more may wait for these."""
        return self._all < PER_NODE and all(len(self._by_counter.get(name, ())) < PER_COUNTER for name in counters)

    async def for_any(self, counters: Iterable[str]) -> None:
        """Wait until one of the counters is settled here, or until it is time to ask again."""
        settled = asyncio.Event()
        names = tuple(counters)
        self._all += 1
        for name in names:
            self._by_counter.setdefault(name, set()).add(settled)
        try:
            async with asyncio.timeout(ASK_AGAIN_S):
                await settled.wait()
        except TimeoutError:
            pass
        finally:
            self._all -= 1
            for name in names:
                self._leave(name, settled)

    def _leave(self, name: str, settled: asyncio.Event) -> None:
        waiters = self._by_counter.get(name)
        if waiters is not None:
            waiters.discard(settled)
            if not waiters:
                del self._by_counter[name]

    def settled(self, counters: Iterable[str]) -> None:
        """Guesses on these counters were settled."""
        if not self._by_counter:
            return
        for name in counters:
            for waiter in self._by_counter.get(name, ()):
                waiter.set()
