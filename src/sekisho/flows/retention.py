"""What is kept no longer than the policy says, a little at a time: links of the chain, seals, the feed, refusals on a lock.

Links go only up to one that a seal names, and only once a later seal has said so outside the database: what is left can be
verified from there. Whoever is interrupted finds the rest to be deleted by the same seals. Counts of strangers age in
`flows.tick`, answers and settled guesses there too; the counts of whoever is enrolled end only as the table says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sekisho.core.chain import Head
from sekisho.core.state import SECOND, THE_BANK, Guard, decode
from sekisho.flows.names import KINDS
from sekisho.flows.seals import Sealer, seal_name
from sekisho.policy.table import Table
from sekisho.ports import Ledger, Store, Tx

AT_ONCE = 500
"""Records deleted, or rows looked at, in one step."""


def cutoff(table: Table, kind: str, now: int) -> int:
    """The time before which records of a class are kept no more; 0: they are kept for ever."""
    keep_s = table.retention_s.get(kind)
    return 0 if keep_s is None else now - keep_s * SECOND


class _ForgetRefusals:
    """Forget how often locks refused, where the last time is long ago."""

    def __init__(self, key: str) -> None:
        self.keys: Sequence[str] = [key]

    def decide(self, tx: Tx) -> None:
        """Forget them; the locks stand."""
        guard = tx.get(self.keys[0], Guard)
        if guard is None or not _stale(guard, cutoff(tx.table, "audit", tx.now)):
            return
        for lock in guard.locks:
            if (lock.last_refused or 0) < cutoff(tx.table, "audit", tx.now):
                lock.refused, lock.first_refused, lock.last_refused = 0, None, None
        tx.put(self.keys[0], guard)


def _stale(guard: Guard, before: int) -> bool:
    return any(lock.last_refused is not None and lock.last_refused < before for lock in guard.locks)


class Retention:
    """One node's part in it."""

    def __init__(self, ledger: Ledger, store: Store, sealer: Sealer) -> None:
        self._ledger = ledger
        self._store = store
        self._sealer = sealer
        self._gone: dict[int, Head] = {}
        """By writer: up to where its links surely are deleted."""
        self._after = ""
        """The last row that was looked at."""

    async def forget(self, table: Table, now: int) -> int:
        """Delete some of what has aged; how many records. 0: nothing is left to be deleted."""
        gone = await self._forget_links()
        gone += await self._store.forget_feed(cutoff(table, "feed", now), AT_ONCE)
        return gone + await self._store.forget_documents("seal", seal_name(self._sealer.aged_seal), AT_ONCE)

    async def _forget_links(self) -> int:
        gone = 0
        for writer, head in list(self._sealer.aged.items()):
            if self._gone.get(writer) == head:
                continue
            some = await self._store.forget_links(writer, head.sequence, AT_ONCE - gone)
            gone += some
            if gone >= AT_ONCE:
                break
            self._gone[writer] = head
        return gone

    async def look_at_rows(self, table: Table, now: int) -> int:
        """Look at some rows, on from where it was; how many. 0: all have been looked at, the next time begins anew."""
        page = await self._store.rows("", self._after, AT_ONCE)
        self._after = page[-1][0] if page else ""
        before = cutoff(table, "audit", now)
        stale = [key for key, body in page if _is_guard(key) and _stale(decode(body, Guard), before)]
        await asyncio.gather(*(self._ledger.run(_ForgetRefusals(key)) for key in stale))
        return len(page)


def _is_guard(key: str) -> bool:
    return key.partition(":")[0] in KINDS or key.startswith("~") or key == THE_BANK
