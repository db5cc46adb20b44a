"""Batching: decisions that arrive within the same moment share one transaction, one read, one write and one commit.

While one batch is being made durable the next one gathers, so that the cost of a commit is shared by as many attempts as
are waiting for it. Every answer waits for the commit. A decision that fails is taken out and the rest run again from the
bytes that were read, as if it had never been there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, TypeVar

import msgspec

from sekisho.core import chain
from sekisho.core.state import IN_FORCE, Guard, InForce, Procedure, Session, decode, encode
from sekisho.errors import LedgerUnavailable, SekishoError, UnknownFate
from sekisho.events import FOR_CHANNELS, Event, FeedItem
from sekisho.policy.table import Table
from sekisho.ports import Change, Link, Opened, Store, Work

_log = logging.getLogger("sekisho")

S = TypeVar("S", bound=msgspec.Struct)
R = TypeVar("R")

_event_bytes = msgspec.msgpack.Encoder().encode
_feed_bytes = msgspec.json.Encoder().encode


class BatchTx:
    """One batch's rows, decoded once, and what it will write."""

    __slots__ = ("_changed", "_due", "_gone", "_raw", "_rows", "_sequence", "events", "feed", "now", "table", "writer")

    def __init__(self, opened: Opened, table: Table, writer: int, sequence: int) -> None:
        self.now = opened.now
        self.table = table
        self.writer = writer
        self.events: list[Event] = []
        self.feed: list[FeedItem] = []
        self._raw = opened.rows
        self._rows: dict[str, Any] = {}
        self._changed: set[str] = set()
        self._gone: set[str] = set()
        self._due: dict[str, int] = {}
        self._sequence = sequence

    def get(self, key: str, kind: type[S]) -> S | None:
        """The row, decoded at its first use in the batch."""
        rows = self._rows
        if key in rows:
            return rows[key]  # type: ignore[no-any-return]  # a key is asked for as one kind only
        body = self._raw.get(key)
        row = rows[key] = None if body is None else decode(body, kind)
        return row

    def put(self, key: str, row: msgspec.Struct, due: int | None = None) -> None:
        """Write the row with this batch."""
        self._rows[key] = row
        self._changed.add(key)
        if self._gone:
            self._gone.discard(key)
        if due is not None:
            self._due[key] = due

    def drop(self, key: str) -> None:
        """Delete the row with this batch."""
        self._rows[key] = None
        self._changed.discard(key)
        self._gone.add(key)

    def tell(self, event: Event, named: str | None = None) -> None:
        """Record a fact, chained to the one before it about the same subject."""
        self._sequence += 1
        event.at = self.now
        about = self._rows.get(event.subject)
        if about is not None and about.__class__ in _WITH_HISTORY:
            event.previous = about.event
            about.event = (self.writer, self._sequence)
            self._changed.add(event.subject)
        self.events.append(event)
        if event.kind in FOR_CHANNELS:
            self._feed(event, named)

    def _feed(self, event: Event, named: str | None) -> None:
        """Tell the channels: of a stranger like of anybody, and of a session by its name only to whoever it belongs to."""
        subject = named or event.subject
        if subject.startswith("~"):
            return
        session = self._rows.get(event.session) if event.session else None
        owner = name = None
        if isinstance(session, Session) and event.session is not None:
            owner, name = session.owner, session.name or event.session.partition(":")[2]
        self.feed.append(FeedItem(event.kind, event.at, subject, name, event.lock, owner))

    def change(self, key: bytes, mac: bytes) -> Change:
        """All that is to be written."""
        rows, due = self._rows, self._due
        written: list[tuple[str, bytes | None, int | None]] = [(name, encode(rows[name]), due.get(name)) for name in self._changed]
        written.extend((name, None, None) for name in self._gone)
        return Change(written, self._link(key, mac), [(item.at, _feed_bytes(item)) for item in self.feed], self.now)

    def _link(self, key: bytes, mac: bytes) -> Link | None:
        if not self.events:
            return None
        body = _event_bytes(self.events)
        first = self._sequence - len(self.events) + 1
        return Link(self.writer, first, len(self.events), self.now, body, chain.link(key, mac, chain.place(self.writer, first) + body))


_WITH_HISTORY = frozenset({Guard, Procedure})


class _Waiting:
    __slots__ = ("future", "work")

    def __init__(self, work: Work[Any], future: asyncio.Future[Any]) -> None:
        self.work = work
        self.future = future


class BatchedLedger:
    """A ledger over one store: works queue, batches run one after the other.

    Args:
        store: where rows and events are kept.
        key: the audit chain's key; never in the store.
        tables: the policies this node can decide by, by version. A version in force that is not here is a "no".
        batch_max: how many works share a transaction at the most.
        queue_max: how many may wait; beyond it the answer is no.

    """

    def __init__(
        self, store: Store, key: bytes, tables: dict[str, Table], *, batch_max: int = 256, queue_max: int = 20_000, name: str = "node",
    ) -> None:
        self.store = store
        self.tables = tables
        self.batches = 0
        self.decided = 0
        self._key = key
        self._name = name
        self._batch_max = batch_max
        self._queue_max = queue_max
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._writer = 0
        self._sequence = 0
        self._mac = chain.GENESIS
        self._in_force: tuple[bytes, InForce] | None = None
        self._chain_lost = False
        self._closing = False

    @property
    def writer(self) -> int:
        """Whose chain this node writes."""
        return self._writer

    @property
    def queued(self) -> int:
        """Works waiting for a batch."""
        return len(self._queue)

    async def start(self) -> None:
        """Register this node's chain and begin to serve."""
        await self._begin_chain()
        self._task = asyncio.create_task(self._serve(), name="ledger")

    async def stop(self) -> None:
        """Finish what is queued, then let go of the store."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        await self.store.close()

    async def run(self, work: Work[R]) -> R:
        """Decide one work in the next batch; the answer comes after the commit.

        Raises:
            LedgerUnavailable: nothing was granted.
            UnknownFate: it may have been counted, once.

        """
        if self._closing or len(self._queue) >= self._queue_max:
            raise LedgerUnavailable
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(work, future))
        self._wake.set()
        return await future

    async def _serve(self) -> None:
        while not (self._closing and not self._queue):
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                # One turn of the loop: whoever is ready to ask now shares this batch.
                await asyncio.sleep(0)
                continue
            size = min(len(self._queue), self._batch_max)
            await self._run_batch([self._queue.popleft() for _ in range(size)])

    async def _run_batch(self, waiting: list[_Waiting]) -> None:
        waiting = [one for one in waiting if not one.future.done()]
        if not waiting:
            return
        try:
            await self._attempt_batch(waiting)
        except SekishoError as no:
            _refuse(waiting, no)
        except Exception as no:  # noqa: BLE001  whatever breaks here, the answer to everyone in the batch is no
            _refuse(waiting, LedgerUnavailable(f"the batch failed: {type(no).__name__}"))

    async def _attempt_batch(self, waiting: list[_Waiting]) -> None:
        keys: set[str] = set()
        for one in waiting:
            keys.update(one.work.keys)
        if self._chain_lost:
            await self._begin_chain()
        opened = await self.store.begin(sorted(keys), () if IN_FORCE in keys else (IN_FORCE,))
        committed = False
        try:
            tx, answers = self._decide(opened, waiting)
            change = tx.change(self._key, self._mac)
            if change.rows or change.link:
                committed = True
                await self._commit(change)
        finally:
            if not committed:
                await self.store.rollback()
        self.batches += 1
        self.decided += len(answers)
        for one, answer in answers:
            if not one.future.done():
                one.future.set_result(answer)

    async def _commit(self, change: Change) -> None:
        try:
            await self.store.commit(change)
        except UnknownFate:
            self._chain_lost = True
            raise
        if change.link is not None:
            self._mac = change.link.mac
            self._sequence = change.link.first + change.link.number - 1

    async def _begin_chain(self) -> None:
        """Begin a chain of our own; anew after a commit of which nobody knows whether it stands."""
        self._writer = await self.store.new_writer(self._name)
        self._sequence = 0
        self._mac = chain.GENESIS
        self._chain_lost = False

    def _decide(self, opened: Opened, waiting: list[_Waiting]) -> tuple[BatchTx, list[tuple[_Waiting, Any]]]:
        table = self._table(opened)
        while True:
            tx = BatchTx(opened, table, self._writer, self._sequence)
            answers: list[tuple[_Waiting, Any]] = []
            for one in waiting:
                tx.now += 1
                try:
                    answers.append((one, one.work.decide(tx)))
                except Exception as fault:  # noqa: BLE001  any fault takes out this work alone
                    if not isinstance(fault, SekishoError):
                        # Its kind only: the text may hold what was sent.
                        _log.error("a decision failed: %s", type(fault).__name__)
                    waiting.remove(one)
                    _refuse([one], fault if isinstance(fault, SekishoError) else LedgerUnavailable(type(fault).__name__))
                    break
            else:
                return tx, answers

    def _table(self, opened: Opened) -> Table:
        body = opened.rows.get(IN_FORCE)
        if body is None:
            raise LedgerUnavailable("no policy is in force; accept one")
        if self._in_force is None or self._in_force[0] != body:
            self._in_force = (body, decode(body, InForce))
        version = self._in_force[1].at(opened.now)
        table = self.tables.get(version or "")
        if table is None:
            raise LedgerUnavailable(f"this node has not loaded policy {version}")
        return table


def _refuse(waiting: list[_Waiting], no: SekishoError) -> None:
    for one in waiting:
        if not one.future.done():
            one.future.set_exception(no)
