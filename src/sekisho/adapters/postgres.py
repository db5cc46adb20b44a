"""PostgreSQL as the ledger's store: any number of nodes over one database, each row locked by one of them at a time.

A batch is five statements at the most, however many works are in it: begin; put an empty row where a key has none; lock and
read in the order of the keys, and ask the time after that; write everything; commit. An empty row is what is locked for a key that is
absent: two nodes that race for one idempotency key or one subject meet there. Why: `docs/why/postgres-statements.md`.

Reading beside the batches goes over a connection of its own, to the same primary; no replica is ever asked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import asyncpg

from sekisho.adapters import postgres_sql as sql
from sekisho.adapters import schema
from sekisho.adapters.postgres_wire import CONFLICTS, DEADLINE_S, HAND_OVER_S, PATIENCE_S, Promise, Wire, is_plain, refusing
from sekisho.errors import LedgerUnavailable, UnknownFate
from sekisho.ports import Change, Condition, Link, Opened

T = TypeVar("T")

TURNS = 20
"""How often a batch is begun again because its rows changed hands meanwhile."""

REMEMBER = 200_000
"""Keys whose rows a process remembers to be there, at the most."""

BUCKETS = "~"
"""How keys begin whose empty rows are left standing: every attempt locks some of them, and there are only so many."""


def as_told(now: int) -> int:
    """The database's time as it is."""
    return now


class PostgresStore:
    """One transaction at a time over one database.

    Args:
        url: `postgresql://…`, as libpq reads it.
        promise: what the database must promise of a commit; asked on every connection and in every batch.
        clock: what is made of the database's time, microseconds since the epoch; tests put another time in its place.

    """

    clock_is_ours = False

    def __init__(self, url: str, promise: Promise = Promise(), *, clock: Callable[[int], int] = as_told) -> None:  # noqa: B008  it cannot change
        self._url = url
        self._promise = promise
        self._clock = clock
        self._at = 0
        """The newest time that this store has decided at."""
        self._wire = Wire(url, promise, migrate)
        self._reader = Wire(url, promise, migrate)
        self._one = asyncio.Lock()
        """One transaction at a time, whoever in this process begins it."""
        self._one_reads = asyncio.Lock()
        self._stand_ins: list[str] = []
        """Empty rows that this transaction has put there."""
        self._standing: set[str] = set()
        """Keys whose rows were there when they were last locked. It may be wrong: what is not found then is made, or skipped."""
        self._wanted: set[str] = set()
        self._peeking: asyncio.Task[dict[str, bytes]] | None = None

    def another(self) -> PostgresStore:
        """Another store object over the same database, with connections of its own."""
        return PostgresStore(self._url, self._promise, clock=self._clock)

    async def begin(self, keys: Sequence[str], seen: Sequence[str] = (), *, patient: bool = True) -> Opened:
        """Begin, lock, read, and ask the time after the locks."""
        await self._one.acquire()
        try:
            await self._wire.connection()
            with refusing():
                async with asyncio.timeout(DEADLINE_S):
                    return await self._begin(keys, seen, patient)
        except BaseException as no:
            await self._abandon(no)
            raise

    async def _abandon(self, no: BaseException) -> None:
        """Leave the transaction; the connections too, unless the server has told of a plain error.

        Else they may be busy with what nobody waits for any more, weaker than they were, or lead to a server that another has
        replaced.
        """
        told = no.__cause__
        if is_plain(told) and not isinstance(told, asyncpg.ReadOnlySQLTransactionError):
            await self._wire.leave()
        else:
            self._drop()
        self._one.release()

    def _drop(self) -> None:
        self._wire.drop()
        self._reader.drop()

    async def _begin(self, keys: Sequence[str], seen: Sequence[str], patient: bool) -> Opened:  # noqa: FBT001  handed on
        make = True
        for _ in range(TURNS):
            try:
                opened = await self._attempt(keys, seen, patient=patient, make=make)
            except CONFLICTS:
                await self._wire.leave()
                continue
            except asyncpg.LockNotAvailableError:
                await self._wire.leave()
                if patient:
                    raise
                # Somebody is putting one of these rows there and does not finish: all that are absent are told as skipped.
                make = False
                continue
            if not (patient and opened.skipped):
                return opened
            # A row was deleted while we waited for it: there is nothing to hold it by until a new one is put there.
            await self._wire.leave()
        raise LedgerUnavailable("other nodes were in the way of these rows all the time")

    async def _attempt(self, keys: Sequence[str], seen: Sequence[str], *, patient: bool, make: bool) -> Opened:
        con = await self._wire.connection()
        await con.execute(sql.BEGIN.format(wait_ms=int(1000 * (PATIENCE_S if patient else HAND_OVER_S))))
        unknown = [key for key in keys if key not in self._standing] if make else []
        self._stand_ins = [key for (key,) in await con.fetch(sql.STAND_IN, lines(unknown))] if unknown else []
        [found] = await con.fetch(sql.LOCK_AND_READ if patient else sql.LOCK_FREE_AND_READ, lines(keys), seen)
        self._promise.check(found)
        clock = self._clock(found["now"])
        now = max(clock, found["at"] + 1, self._at + 1)
        rows = dict(zip(found["seen_keys"], found["seen_bodies"], strict=True))
        rows.update(zip(found["keys"], found["bodies"], strict=True))
        missing = frozenset(keys).difference(found["keys"])
        # What was only put there to be locked is remembered once it is committed.
        self._remember(found["keys"], missing.union(self._stand_ins))
        return Opened(now, {key: body for key, body in rows.items() if body is not None}, missing, clock)

    def _remember(self, there: Sequence[str], gone: Iterable[str]) -> None:
        if len(self._standing) > REMEMBER:
            self._standing.clear()
        self._standing.update(there)
        self._standing.difference_update(gone)

    async def commit(self, change: Change) -> None:
        """Write rows, link and feed in one statement, and commit."""
        try:
            with refusing():
                async with asyncio.timeout(DEADLINE_S):
                    await self._write(change)
        except BaseException as no:
            await self._abandon(no)
            raise
        await self._finish()
        self._at = max(self._at, change.at)
        self._standing.update(self._stand_ins)

    async def _write(self, change: Change) -> None:
        written = [row for row in change.rows if row[1] is not None]
        kept = {row[0] for row in written}
        gone = [row[0] for row in change.rows if row[1] is None]
        gone += [key for key in self._stand_ins if key not in kept and not key.startswith(BUCKETS)]
        self._standing.difference_update(gone)
        self._stand_ins = list(set(self._stand_ins).difference(gone))
        link = change.link
        await self._wire.begun.fetch(
            sql.WRITE, lines([row[0] for row in written]), [row[1] for row in written], [row[2] for row in written], change.at, gone,
            [at for at, _ in change.feed], [body for _, body in change.feed],
            *((None,) * 6 if link is None else (link.writer, link.first, link.number, link.at, link.body, link.mac)),
        )

    async def _finish(self) -> None:
        try:
            await self._wire.commit()
        except UnknownFate:
            self._drop()
            raise
        finally:
            self._one.release()

    async def rollback(self) -> None:
        """Leave the transaction, if there is one, and the turn."""
        try:
            await self._wire.leave()
        finally:
            self._one.release()

    async def peek(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Read committed rows; all who ask while one read is on its way share the next."""
        self._wanted.update(keys)
        if self._peeking is None:
            self._peeking = asyncio.create_task(self._peek())
        rows = await asyncio.shield(self._peeking)
        return {key: rows[key] for key in keys if key in rows}

    async def _peek(self) -> dict[str, bytes]:
        async with self._one_reads:
            wanted, self._wanted, self._peeking = sorted(self._wanted), set(), None
            return dict(await self._read(sql.PEEK, wanted))

    async def _ask(self, statement: str, *values: Any) -> list[Any]:
        async with self._one_reads:
            return await self._read(statement, *values)

    async def _read(self, statement: str, *values: Any) -> list[Any]:
        con = await self._reader.connection()
        try:
            with refusing():
                async with asyncio.timeout(DEADLINE_S):
                    return await con.fetch(statement, *values)
        except BaseException as no:
            if not is_plain(no.__cause__):
                self._reader.drop()
            raise

    async def due(self, prefix: str, now: int, limit: int) -> list[str]:
        """Keys whose time has come, soonest first."""
        return [key for (key,) in await self._ask(sql.DUE, prefix, now, limit)]

    async def rows(self, prefix: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """Rows in the order of their keys."""
        return [(key, body) for key, body in await self._ask(sql.ROWS, prefix, after, limit)]

    async def link(self, writer: int, sequence: int) -> Link | None:
        """The link that holds this event."""
        found = [Link(*row) for row in await self._ask(sql.LINK, writer, sequence)]
        return found[0] if found and sequence < found[0].first + found[0].number else None

    async def chain(self, writer: int, after: int, limit: int) -> list[Link]:
        """A writer's links in order."""
        return [Link(*row) for row in await self._ask(sql.CHAIN, writer, after, limit)]

    async def feed(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """What channels are told, numbered as it is read: no entry can appear later before one that was told."""
        if (await self._ask(sql.FEED_HAS_NEW))[0][0]:
            await self._alone(_number_feed)
        return [(number, body) for number, body in await self._ask(sql.FEED, after, limit)]

    async def writers(self) -> list[int]:
        """All writers."""
        return [number for (number,) in await self._ask(sql.WRITERS)]

    async def new_writer(self, name: str) -> int:
        """Register a writer."""
        number: int = await self._alone(lambda con: con.fetchval(sql.NEW_WRITER, name))
        return number

    async def document(self, kind: str, name: str) -> bytes | None:
        """A stored document."""
        return next((body for (body,) in await self._ask(sql.DOCUMENT, kind, name)), None)

    async def documents(self, kind: str) -> list[str]:
        """The names of the documents of a kind."""
        return [name for (name,) in await self._ask(sql.DOCUMENTS, kind)]

    async def keep_document(self, kind: str, name: str, body: bytes) -> None:
        """Store a document once."""
        await self._alone(lambda con: con.execute(sql.KEEP_DOCUMENT, kind, name, body))

    async def forget_links(self, writer: int, through: int, limit: int) -> int:
        """Delete the oldest links of a writer."""
        return await self._forget(sql.FORGET_LINKS, writer, through, limit)

    async def forget_feed(self, before: int, limit: int) -> int:
        """Delete the oldest entries of the feed."""
        return await self._forget(sql.FORGET_FEED, before, limit)

    async def forget_documents(self, kind: str, through: str, limit: int) -> int:
        """Delete documents of a kind."""
        return await self._forget(sql.FORGET_DOCUMENTS, kind, through, limit)

    async def _forget(self, statement: str, *values: Any) -> int:
        """A statement that deletes; how many rows it did."""
        told: str = await self._alone(lambda con: con.execute(statement, *values))
        return int(told.rpartition(" ")[2])

    async def _alone(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Something else that this process writes, in a transaction of its own."""
        await self._one.acquire()
        try:
            con = await self._wire.connection()
            with refusing():
                async with asyncio.timeout(DEADLINE_S):
                    await con.execute(sql.BEGIN.format(wait_ms=int(1000 * PATIENCE_S)))
                    answer = await work(con)
        except BaseException as no:
            await self._abandon(no)
            raise
        await self._finish()
        return answer

    async def clock(self) -> int:
        """The database's time."""
        (now,), = await self._ask(sql.CLOCK)
        return max(self._clock(now), self._at)

    async def close(self) -> None:
        """Let go of both connections."""
        await self._wire.close()
        await self._reader.close()


def lines(keys: Sequence[str]) -> str:
    """Keys as one text.

    Raises:
        LedgerUnavailable: one of them has a line break in it, and would be taken for two.

    """
    joined = "\n".join(keys)
    if keys and joined.count("\n") != len(keys) - 1:
        raise LedgerUnavailable("a key has a line break in it")
    return joined


async def _number_feed(con: asyncpg.Connection) -> None:
    """Number what has none, alone, in a snapshot taken after whoever did so before us has committed."""
    end = await con.fetchval(sql.FEED_END)
    await con.execute(sql.FEED_NUMBER, end)


async def migrate(con: asyncpg.Connection) -> None:
    """Bring the schema up to this release, each numbered step once, whoever else does so at the same time.

    Raises:
        NewerState: a later release has taken a step that this one cannot run on.

    """
    ours = schema.steps("postgres")
    done: list[tuple[int, int]] = []
    try:
        done = await _done(con)
    except asyncpg.UndefinedTableError:
        # `IF NOT EXISTS` looks before it makes: somebody else may be quicker, and which error tells of it depends on by how much.
        with contextlib.suppress(asyncpg.UniqueViolationError, asyncpg.DuplicateTableError, asyncpg.DuplicateObjectError):
            await con.execute(sql.STEPS)
    for _ in schema.to_take(ours, done):
        async with con.transaction():
            await con.execute("SET LOCAL statement_timeout = 0")
            await con.execute(sql.STEPS_ALONE)
            for step in schema.to_take(ours, await _done(con))[:1]:
                await con.execute(step.text)
                await con.execute(sql.STEP_DONE, step.number, step.name, step.needs)


async def condition(url: str, promise: Promise) -> Condition:
    """What the database says of itself; nothing in it is changed.

    Raises:
        LedgerUnavailable: it cannot be reached.

    """
    found: list[tuple[int, int]] = []

    async def look(con: asyncpg.Connection) -> None:
        with contextlib.suppress(asyncpg.UndefinedTableError):
            found.extend(await _done(con))

    wire = Wire(url, Promise(accept_weaker=True), look)
    try:
        [settings] = await (await wire.connection()).fetch(sql.ASK_SETTINGS)
    finally:
        await wire.close()
    return Condition(schema.stand("postgres", found), promise.weaker(settings), None)


async def _done(con: asyncpg.Connection) -> list[tuple[int, int]]:
    return [(number, needs) for number, needs in await con.fetch(sql.STEPS_DONE)]
