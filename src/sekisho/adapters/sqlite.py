"""SQLite as the ledger's store: one file, write-ahead log, synchronous=FULL, one writer at a time by `flock`.

A batch appends what it wrote to a journal, a few pages at the end of one table, and keeps it in memory beside the rows;
now and then the journal is folded into the rows, many batches at once. Every process reads what the others have appended
before it decides. Why: `docs/why/journal.md`.

Everything but the commit runs where the decision runs: a commit is the only part that waits for the disk, so it alone
goes to a thread of its own. Where several processes share the file a `flock` beside it is held around each transaction;
SQLite's own busy handler would let some of them starve. Why: `docs/why/commit-thread.md`.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw

from sekisho.adapters import schema
from sekisho.adapters.journal import Journal
from sekisho.errors import CallerError, LedgerUnavailable, NewerState, UnknownFate
from sekisho.ports import Change, Condition, Link, Opened

TURN_S = 2.0
"""How long a batch waits for another process that holds the file."""

BUSY_MS = 100
"""How long a statement waits for a program that knows nothing of our turns. It stands still meanwhile, so: not long."""

_STEPS = "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, needs INTEGER NOT NULL DEFAULT 0)"
_READ = "SELECT body FROM row WHERE key = ?"
_LINK = "INSERT INTO link (writer, first, number, at, body, mac) VALUES (?, ?, ?, ?, ?, ?)"
_LINKS = "SELECT writer, first, number, at, CAST(body AS BLOB), CAST(mac AS BLOB) FROM link"
"""As blobs, whatever stands there: whoever changed a link may have made text of it."""
_FEED = "INSERT INTO feed (at, body) VALUES (?, ?)"
_ROWS = "SELECT key, body FROM row WHERE key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
_FORGET_LINKS = "DELETE FROM link WHERE writer = ?1 AND first IN (SELECT first FROM link WHERE writer = ?1 AND first <= ?2 ORDER BY first LIMIT ?3)"
_FORGET_FEED = "DELETE FROM feed WHERE number IN (SELECT number FROM feed ORDER BY number LIMIT ?2) AND at < ?1"
_FORGET_DOCUMENTS = (
    "DELETE FROM document WHERE kind = ?1 AND name IN (SELECT name FROM document WHERE kind = ?1 AND name <= ?2 ORDER BY name LIMIT ?3)"
)
# Without the name of the index SQLite takes the range of the keys for the shorter way, and reads the whole table.
_DUE = "SELECT key, due FROM row INDEXED BY row_due WHERE due <= ? AND key >= ? AND key < ? ORDER BY due LIMIT ?"


def wall_clock() -> int:
    """The machine's time in microseconds since the epoch."""
    return time.time_ns() // 1000


class SqliteStore:
    """One process's connection to the file.

    Args:
        path: the database file; made with its schema when absent.
        clock: microseconds since the epoch.
        synchronous: `FULL`; anything weaker loses acknowledged guesses at a power cut and exists for the test that shows it.
        vfs: the name of another apsw VFS, for tests that cut the power.

    """

    clock_is_ours = True

    def __init__(
        self, path: str | Path, clock: Callable[[], int] = wall_clock, *, synchronous: str = "FULL", vfs: str | None = None,
    ) -> None:
        self.path = str(path)
        self._clock = clock
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._one = asyncio.Lock()
        """One transaction at a time on this connection, whoever in this process begins it."""
        self._asked: asyncio.Future[None] | None = None
        """A turn that was asked for and has not come."""
        self._turn = os.open(self.path + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Made by us, so that nobody else may read it; its log and its shared memory take after it.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        try:
            with self._our_turn():
                self._db = _connect(self.path, synchronous, vfs)
                self._knows = migrate(self._db)
                self._db.set_busy_timeout(BUSY_MS)
        except apsw.Error as no:
            os.close(self._turn)
            raise LedgerUnavailable(f"{self.path}: {no}") from no
        self._cursor = self._db.cursor()
        self._journal = Journal()

    @contextlib.contextmanager
    def _our_turn(self) -> Iterator[None]:
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    async def begin(self, keys: Sequence[str], seen: Sequence[str] = (), *, patient: bool = True) -> Opened:
        """Wait for our turn, begin, read the rows and then the time. The turn is the lock of every row."""
        del patient
        await self._take_turn()
        try:
            self._cursor.execute("BEGIN IMMEDIATE")
            return self._read((*keys, *seen))
        except Exception as no:
            await self.rollback()
            if isinstance(no, apsw.Error):
                raise LedgerUnavailable(str(no)) from no
            raise

    def _read(self, keys: Sequence[str]) -> Opened:
        if self._cursor.execute("PRAGMA user_version").get > self._knows:
            # A later release has taken a step since we opened the file.
            raise NewerState
        self._journal.catch_up(self._cursor)
        rows: dict[str, bytes] = {}
        known, run = self._journal.bodies, self._cursor.execute
        for key in keys:
            if key in known:
                body = known[key]
            else:
                body = known[key] = run(_READ, (key,)).get
            if body is not None:
                rows[key] = body
        clock = self._clock()
        return Opened(max(clock, self._journal.at + 1), rows, clock=clock)

    async def _take_turn(self) -> None:
        """Wait for whoever is before us in this process, then for the other processes.

        Raises:
            LedgerUnavailable: another process has held the file all the time.

        """
        await self._one.acquire()
        try:
            await self._take_files_turn()
        except BaseException:
            self._one.release()
            raise

    async def _take_files_turn(self) -> None:
        """Wait for the other processes, but not for ever: one that hangs must not hang us."""
        if self._asked is None:
            try:
                fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._asked = asyncio.get_running_loop().run_in_executor(self._committer, fcntl.flock, self._turn, fcntl.LOCK_EX)
            else:
                return
        self._asked.remove_done_callback(self._pass_on)
        done, _ = await asyncio.wait({self._asked}, timeout=TURN_S)
        if not done:
            # The thread goes on waiting; the next batch takes up its turn, and until there is one it must not keep it.
            self._asked.add_done_callback(self._pass_on)
            raise LedgerUnavailable(f"another process has held {self.path} for {TURN_S:.0f} s")
        self._asked = None

    def _leave_turn(self) -> None:
        fcntl.flock(self._turn, fcntl.LOCK_UN)
        self._one.release()

    def _pass_on(self, asked: asyncio.Future[None]) -> None:
        """A turn came that nobody waits for any more."""
        if self._asked is asked:
            self._asked = None
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    async def commit(self, change: Change) -> None:
        """Write rows, events and feed; make them durable on the commit thread."""
        try:
            number = self._write(change)
        except Exception as no:
            self._journal.forget()
            await self.rollback()
            if isinstance(no, apsw.Error):
                raise LedgerUnavailable(str(no)) from no
            raise
        await self._make_durable()
        if number is not None:
            self._journal.take_own(number, change.at, change.rows)

    def _write(self, change: Change) -> int | None:
        run = self._cursor.execute
        number = None
        if change.rows or change.link:
            number = self._journal.append(self._cursor, change.at, change.rows)
        if change.link is not None:
            link = change.link
            run(_LINK, (link.writer, link.first, link.number, link.at, link.body, link.mac))
        if change.feed:
            self._cursor.executemany(_FEED, change.feed)
        return number

    async def _make_durable(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._committer, self._commit_now)
        except apsw.Error as no:
            self._journal.forget()
            certain = self._db.in_transaction
            await self.rollback()
            if certain:
                raise LedgerUnavailable(str(no)) from no
            raise UnknownFate(str(no)) from no
        self._leave_turn()

    def _commit_now(self) -> None:
        self._db.cursor().execute("COMMIT")

    async def rollback(self) -> None:
        """Leave the transaction, if there is one, and the turn."""
        with contextlib.suppress(apsw.Error):
            if self._db.in_transaction:
                self._cursor.execute("ROLLBACK")
        self._leave_turn()

    async def peek(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Read committed rows without a turn."""
        rows: dict[str, bytes] = {}
        with self._looking() as cursor:
            known = self._journal.bodies
            for key in keys:
                body = known[key] if key in known else cursor.execute(_READ, (key,)).get
                if body is not None:
                    rows[key] = body
        return rows

    @contextlib.contextmanager
    def _looking(self) -> Iterator[apsw.Cursor]:
        """The reading connection in one snapshot, and the journal as it stands there."""
        cursor = self._reader.cursor()
        try:
            cursor.execute("BEGIN")
            try:
                self._journal.catch_up(cursor)
                yield cursor
            finally:
                cursor.execute("COMMIT")
        except apsw.Error as no:
            raise LedgerUnavailable(str(no)) from no

    def _ask(self, statement: str, values: tuple[Any, ...]) -> apsw.Cursor:
        try:
            return self._reader.cursor().execute(statement, values)
        except apsw.Error as no:
            raise LedgerUnavailable(str(no)) from no

    @property
    def _reader(self) -> apsw.Connection:
        """A connection of its own, so that reading never stands in a transaction that writes."""
        if not hasattr(self, "_second"):
            self._second = _connect(self.path, "FULL", None, read_only=True)
        return self._second

    async def due(self, prefix: str, now: int, limit: int) -> list[str]:
        """Keys whose time has come, soonest first."""
        with self._looking() as cursor:
            known = self._journal
            found: dict[str, int] = {
                key: at for key, at in cursor.execute(_DUE, (now, prefix, prefix + "\U0010ffff", limit + len(known.changed)))
                if key not in known.changed or (known.bodies[key] is not None and key not in known.due)
            }
        found.update((key, at) for key, at in known.fallen_due(now).items() if key.startswith(prefix))
        return sorted(found, key=lambda key: (found[key], key))[:limit]

    async def rows(self, prefix: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """Rows in the order of their keys: those in the table, and over them what the journal says."""
        end = prefix + "\U0010ffff"
        with self._looking() as cursor:
            known = self._journal.bodies
            changed = [key for key in self._journal.changed if key > after and key.startswith(prefix)]
            found: dict[str, bytes | None] = dict(
                cursor.execute(_ROWS, (after, prefix, end, limit + sum(known[key] is None for key in changed))),
            )
            found.update((key, known[key]) for key in changed)
        return sorted((key, body) for key, body in found.items() if body is not None)[:limit]

    async def link(self, writer: int, sequence: int) -> Link | None:
        """The link that holds this event."""
        statement = f"{_LINKS} WHERE writer = ? AND first <= ? ORDER BY first DESC LIMIT 1"
        found = [Link(*row) for row in self._ask(statement, (writer, sequence))]
        return found[0] if found and sequence < found[0].first + found[0].number else None

    async def chain(self, writer: int, after: int, limit: int) -> list[Link]:
        """A writer's links in order."""
        statement = f"{_LINKS} WHERE writer = ? AND first > ? ORDER BY first LIMIT ?"
        return [Link(*row) for row in self._ask(statement, (writer, after, limit))]

    async def feed(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """What channels are told, in commit order."""
        return list(self._ask("SELECT number, body FROM feed WHERE number > ? ORDER BY number LIMIT ?", (after, limit)))

    async def writers(self) -> list[int]:
        """All writers."""
        return [int(number) for (number,) in self._ask("SELECT number FROM writer ORDER BY number", ())]

    async def new_writer(self, name: str) -> int:
        """Register a writer."""
        number: int = await self._alone("INSERT INTO writer (name) VALUES (?) RETURNING number", (name,))
        return number

    async def document(self, kind: str, name: str) -> bytes | None:
        """A stored document."""
        return self._ask("SELECT body FROM document WHERE kind = ? AND name = ?", (kind, name)).get  # type: ignore[no-any-return]

    async def documents(self, kind: str) -> list[str]:
        """The names of the documents of a kind."""
        return [name for (name,) in self._ask("SELECT name FROM document WHERE kind = ? ORDER BY name", (kind,))]

    async def keep_document(self, kind: str, name: str, body: bytes) -> None:
        """Store a document once."""
        await self._alone("INSERT INTO document (kind, name, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (kind, name, body))

    async def forget_links(self, writer: int, through: int, limit: int) -> int:
        """Delete the oldest links of a writer."""
        return await self._forget(_FORGET_LINKS, (writer, through, limit))

    async def forget_feed(self, before: int, limit: int) -> int:
        """Delete the oldest entries of the feed."""
        return await self._forget(_FORGET_FEED, (before, limit))

    async def forget_documents(self, kind: str, through: str, limit: int) -> int:
        """Delete documents of a kind."""
        return await self._forget(_FORGET_DOCUMENTS, (kind, through, limit))

    async def _forget(self, statement: str, values: tuple[Any, ...]) -> int:
        """A statement that deletes; how many rows it did."""
        async with self._by_itself() as cursor:
            cursor.execute(statement, values)
            return self._db.changes()

    async def _alone(self, statement: str, values: tuple[Any, ...]) -> Any:
        """One statement in a transaction of its own."""
        async with self._by_itself() as cursor:
            return cursor.execute(statement, values).get

    @contextlib.asynccontextmanager
    async def _by_itself(self) -> AsyncIterator[apsw.Cursor]:
        """A transaction of its own, beside the batches."""
        await self._take_turn()
        try:
            self._cursor.execute("BEGIN IMMEDIATE")
            yield self._cursor
            self._cursor.execute("COMMIT")
        except apsw.Error as no:
            raise LedgerUnavailable(str(no)) from no
        finally:
            await self.rollback()

    async def clock(self) -> int:
        """The ledger's time."""
        return max(self._clock(), self._journal.at)

    async def close(self) -> None:
        """Finish the commit thread, close the file."""
        self._committer.shutdown()
        for name in ("_second", "_db"):
            if hasattr(self, name):
                getattr(self, name).close()
        os.close(self._turn)


def _connect(path: str, synchronous: str, vfs: str | None, *, read_only: bool = False) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    db = apsw.Connection(path, flags=flags, vfs=vfs)
    db.set_busy_timeout(5000)
    if not read_only:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        # Hot pages are written once per checkpoint, not once per batch.
        db.execute("PRAGMA wal_autocheckpoint = 8000")
    db.execute("PRAGMA cache_size = -32768")
    return db


def migrate(db: apsw.Connection) -> int:
    """Bring the schema up to this release, each numbered step once. The newest step that this release knows.

    Raises:
        NewerState: a later release has taken a step that this one cannot run on.

    """
    ours = schema.steps("sqlite")
    db.execute(_STEPS)
    if "needs" not in {name for _, name, *_ in db.execute("PRAGMA table_info(migration)")}:
        db.execute("ALTER TABLE migration ADD COLUMN needs INTEGER NOT NULL DEFAULT 0")
    for step in schema.to_take(ours, _taken(db)):
        with db:
            db.execute(step.text)
            db.execute("INSERT INTO migration (number, name, needs) VALUES (?, ?, ?)", (step.number, step.name, step.needs))
            # Whoever has the file open sees it at the beginning of its next batch.
            db.execute(f"PRAGMA user_version = {max(needs for _, needs in _taken(db))}")
    return ours[-1].number


def _taken(db: apsw.Connection) -> list[tuple[int, int]]:
    """The numbers of the steps that were taken, each with the newest step that a release must know since."""
    return [(number, needs) for number, needs in db.execute("SELECT number, needs FROM migration")]


def condition(path: Path) -> Condition:
    """What the file says of itself; nothing in it is changed.

    Raises:
        CallerError: it is not there.
        LedgerUnavailable: it cannot be read as a database of ours.

    """
    if not path.exists():
        raise CallerError(f"{path} is not there")
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            db.set_busy_timeout(BUSY_MS)
            columns = {name for _, name, *_ in db.execute("PRAGMA table_info(migration)")}
            done = _taken(db) if "needs" in columns else [(number, 0) for (number,) in db.execute("SELECT number FROM migration")]
            mode = db.pragma("journal_mode")
        finally:
            db.close()
    except apsw.Error as no:
        raise LedgerUnavailable(f"{path}: {no}") from no
    weak = None if mode == "wal" else f"journal mode {mode}, not wal: something else has opened the file; the next start sets it right"
    return Condition(schema.stand("sqlite", done), weak, shutil.disk_usage(path.parent).free)
