"""A lane: one connection to the store, one chain of its own, and batches that follow one another on it.

While one batch is being made durable the next one gathers, so that the cost of a commit is shared by as many attempts as
are waiting for it. Every answer waits for the commit. A decision that fails is taken out and the rest run again from the
bytes that were read, as if it had never been there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sekisho.adapters.batch import BatchTx
from sekisho.adapters.queue import Queue, Waiting
from sekisho.adapters.watch import ClockWatch
from sekisho.core import chain
from sekisho.core.state import CLOCK, IN_FORCE, Clock, decode
from sekisho.errors import Conflict, LedgerUnavailable, SekishoError, UnknownFate
from sekisho.policy.table import Table
from sekisho.ports import Change, Opened, Store

_log = logging.getLogger("sekisho")

EVERY_BATCH = (CLOCK, IN_FORCE)
"""Rows that every batch reads and does not lock."""

ALONE = 64
"""Works that one batch takes although other lanes could share them: below it a batch costs about the same, whatever it holds."""

TURNS = 3
"""How often a batch is tried that others are in the way of."""

TableOf = Callable[[Opened], Table]
"""The table to decide a batch by; raises where there is none that this node may decide by."""


class Lane:
    """Batches on one store object, one after the other.

    Args:
        store: where rows and events are kept.
        key: the audit chain's key; never in the store.
        table_of: the table of a batch.
        queue: who waits.
        batch_max: how many works share a transaction at the most.
        watch: looks at the ledger's clock; None: it is trusted whatever it says.
        beside: how many lanes take from the queue, this one included.
        busy: where works go whose rows somebody else holds; None: this lane waits for them.

    """

    def __init__(
        self, store: Store, key: bytes, table_of: TableOf, queue: Queue, *, batch_max: int, name: str, watch: ClockWatch | None = None,
        beside: int = 1, busy: Lane | None = None,
    ) -> None:
        self.batches = 0
        self.decided = 0
        self.writer = 0
        """Whose chain this lane writes."""
        self.queue = queue
        self._store = store
        self._key = key
        self._table_of = table_of
        self._batch_max = batch_max
        self._name = name
        self._watch = watch
        self._beside = beside
        self._busy = busy
        self._needed = Counter[str]()
        """Rows that works need which were taken over, and how many of those need each."""
        self._task: asyncio.Task[None] | None = None
        self._sequence = 0
        self._mac = chain.GENESIS
        self._chain_lost = False
        self._closing = False

    @property
    def head(self) -> chain.Head | None:
        """The last event of our chain that is surely in the store; None before the first."""
        return chain.Head(self.writer, self._sequence, self._mac) if self._sequence else None

    async def start(self) -> None:
        """Register a chain and begin to serve."""
        await self._begin_chain()
        self._task = asyncio.create_task(self._serve(), name=f"lane {self._name}")

    async def stop(self) -> None:
        """Finish what is queued."""
        self._closing = True
        self.queue.wake()
        if self._task is not None:
            await self._task
        await self._store.close()

    def add(self, one: Waiting) -> None:
        """Let a work wait for the next batch.

        Raises:
            LedgerUnavailable: too many wait, or the lane is closing.

        """
        if self._closing:
            raise LedgerUnavailable
        self.queue.add(one)

    def take_over(self, one: Waiting) -> None:
        """Wait here for rows that somebody else holds; until it has its answer, whoever needs the same rows waits here too."""
        try:
            self.add(one)
        except LedgerUnavailable as no:
            one.refuse(no)
            return
        self._needed.update(one.keys)
        one.future.add_done_callback(lambda _: self._forget(one.keys))

    def _forget(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._needed[key] -= 1
            if not self._needed[key]:
                del self._needed[key]

    def needs(self, one: Waiting) -> bool:
        """Whether works that wait here need the same rows."""
        return bool(self._needed) and not self._needed.keys().isdisjoint(one.keys)

    async def _serve(self) -> None:
        while not (self._closing and not self.queue):
            await self.queue.some()
            # One turn of the loop: whoever is ready to ask now shares this batch.
            await asyncio.sleep(0)
            await self._run_batch(self.queue.take(self._share()))

    def _share(self) -> int:
        """How many works this batch may take, so that the lanes beside this one have some too."""
        return min(self._batch_max, max(ALONE, -(-len(self.queue) // self._beside)))

    @property
    def _waits(self) -> bool:
        """Whether this lane waits for rows that somebody else holds."""
        return self._busy is None

    async def _run_batch(self, waiting: list[Waiting]) -> None:
        waiting = [one for one in waiting if not one.future.done()]
        if self._busy is not None:
            self._pass_on(waiting, self._busy.needs)
        if not waiting:
            return
        try:
            await self._attempt_again(waiting)
        except SekishoError as no:
            _refuse(waiting, no)
        except Exception as no:  # noqa: BLE001  whatever breaks here, the answer to everyone in the batch is no
            _refuse(waiting, LedgerUnavailable(f"the batch failed: {type(no).__name__}"))

    async def _attempt_again(self, waiting: list[Waiting]) -> None:
        """A batch that was surely not committed because others were in the way is begun again, in a new snapshot."""
        for _ in range(TURNS - 1):
            try:
                await self._attempt_batch(waiting)
            except Conflict:
                continue
            return
        await self._attempt_batch(waiting)

    async def _attempt_batch(self, waiting: list[Waiting]) -> None:
        keys: set[str] = set()
        for one in waiting:
            keys.update(one.keys)
        if self._chain_lost:
            await self._begin_chain()
        opened = await self._begin(keys)
        committed = False
        try:
            if opened.skipped:
                self._pass_on(waiting, lambda one: not opened.skipped.isdisjoint(one.keys))
            if self._watch is not None and self._watch.doubting:
                self._grant_nothing(self._watch, opened, waiting)
            tx, answers = self._decide(opened, waiting)
            change = tx.change(self._key, self._mac)
            if self._watch is not None and self._watch.doubting:
                # Time goes on from where it was trusted, should the clock be set right again.
                change.at = 0
            if change.rows or change.link:
                committed = True
                await self._commit(change)
        finally:
            if not committed:
                await self._store.rollback()
        self.batches += 1
        self.decided += len(answers)
        for one, answer in answers:
            one.answer(answer)

    async def _begin(self, keys: set[str]) -> Opened:
        seen = [key for key in EVERY_BATCH if key not in keys]
        if self._watch is None:
            return await self._store.begin(sorted(keys), seen, patient=self._waits)
        before = self._watch.own()
        opened = await self._store.begin(sorted(keys), seen, patient=self._waits)
        self._watch.look(opened.clock or opened.now, before, self._watch.own())
        return opened

    def _grant_nothing(self, watch: ClockWatch, opened: Opened, waiting: list[Waiting]) -> None:
        """While the clock is doubted only its own row is written: until somebody else has taken our doubt back."""
        body = opened.rows.get(CLOCK)
        doubts = decode(body, Clock).doubts if body is not None else {}
        # A row that was skipped was not read: it says nothing.
        if CLOCK not in opened.skipped and watch.agreed(doubts):
            watch.trust()
            return
        for one in [one for one in waiting if tuple(one.keys) != (CLOCK,)]:
            waiting.remove(one)
            one.refuse(LedgerUnavailable(f"the ledger's clock moved {watch.moved_s:+.0f} s against this node's; an operator must agree"))

    def _pass_on(self, waiting: list[Waiting], held: Callable[[Waiting], bool]) -> None:
        """Works that need rows which somebody else holds wait for them elsewhere, and stall nobody here."""
        for one in [one for one in waiting if held(one)]:
            waiting.remove(one)
            assert self._busy is not None, "only a lane that does not wait is told of skipped rows"
            self._busy.take_over(one)

    async def _commit(self, change: Change) -> None:
        try:
            await self._store.commit(change)
        except UnknownFate:
            self._chain_lost = True
            raise
        if change.link is not None:
            self._mac = change.link.mac
            self._sequence = change.link.first + change.link.number - 1

    async def _begin_chain(self) -> None:
        """Begin a chain of our own; anew after a commit of which nobody knows whether it stands."""
        self.writer = await self._store.new_writer(self._name)
        self._sequence = 0
        self._mac = chain.GENESIS
        self._chain_lost = False

    def _decide(self, opened: Opened, waiting: list[Waiting]) -> tuple[BatchTx, list[tuple[Waiting, Any]]]:
        table = self._table_of(opened)
        while True:
            tx = BatchTx(opened, table, self.writer, self._sequence)
            answers: list[tuple[Waiting, Any]] = []
            for one in waiting:
                tx.now += 1
                try:
                    answers.append((one, one.work.decide(tx)))
                except Exception as fault:  # noqa: BLE001  any fault takes out this work alone
                    if not isinstance(fault, SekishoError):
                        # Its kind only: the text may hold what was sent.
                        _log.error("a decision failed: %s", type(fault).__name__)
                    waiting.remove(one)
                    one.refuse(fault if isinstance(fault, SekishoError) else LedgerUnavailable(type(fault).__name__))
                    break
            else:
                return tx, answers


def _refuse(waiting: list[Waiting], no: SekishoError) -> None:
    for one in waiting:
        one.refuse(no)
