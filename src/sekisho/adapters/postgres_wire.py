"""One connection to PostgreSQL: made when it is needed, asked what a commit is worth there, made again after it was lost.

Whatever goes wrong is told as one of two things: nothing was committed (`LedgerUnavailable`), or nobody knows
(`UnknownFate`). Nothing that is told repeats a password, a statement or what stands in a row.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import parse_qsl, urlencode

import asyncpg
import msgspec

from sekisho.adapters import postgres_sql as sql
from sekisho.errors import Conflict, LedgerUnavailable, UnknownFate

DEADLINE_S = 2.0
"""How long connecting, reading or committing may take. Whoever asked has an answer by then, if only a no."""

AGAIN_S = (0.1, 1.0)
"""How long after a connection that failed the next one is tried: at first, and at most. Until then the answer is no."""

UNHEARD_S = (0.25, 8.0)
"""The same after a commit that was not answered in time."""

PATIENCE_S = 1.5
"""How long a row that another node holds is waited for, by whoever waits."""

HAND_OVER_S = 0.05
"""How long whoever does not wait for rows waits for one that another node is just putting there."""

ABANDONED_S = 5.0
"""After this the database itself ends a transaction whose node has gone silent."""

FAULTS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What a connection raises."""

CONFLICTS = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""What it raises where transactions were in each other's way: SQLSTATE 40001 and 40P01."""

SESSION = {
    "application_name": "sekisho",
    "statement_timeout": f"{DEADLINE_S * 1000:.0f}",
    "idle_in_transaction_session_timeout": f"{ABANDONED_S * 1000:.0f}",
    # A warning during a commit is the only sign that it was not waited for.
    "client_min_messages": "warning",
    # Plans by index, whatever is believed of a table that was empty a moment ago.
    "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off",
}

_NOT_FLUSHED = frozenset({"off"})
_FLUSHED_ON_STANDBY = frozenset({"on", "remote_apply"})


class NotPrimary(LedgerUnavailable):
    """This PostgreSQL is a replica or takes no writes; name the primary."""


class Promise(msgspec.Struct, frozen=True):
    """What the database must promise of a commit."""

    replicated: bool = False
    """That a standby has it too."""
    accept_weaker: bool = False
    """Take what there is: whoever says so may lose guesses that were counted."""

    def check(self, settings: asyncpg.Record) -> None:
        """Hold a database's settings against it.

        Raises:
            LedgerUnavailable: they promise less; the text says what to change.

        """
        if settings["read_only"]:
            raise NotPrimary
        weak = self.weaker(settings)
        if weak and not self.accept_weaker:
            raise LedgerUnavailable(f"PostgreSQL has {weak}, or serve with --accept-weaker")

    def weaker(self, settings: asyncpg.Record) -> str | None:
        """What promises less than this, what that costs and what to do; None: nothing."""
        commit = settings["synchronous_commit"]
        if settings["fsync"] != "on":
            return "fsync off: a power cut loses guesses; set it to on"
        if commit in _NOT_FLUSHED:
            return f"synchronous_commit {commit}: a crash loses guesses; set it to on"
        if self.replicated and commit not in _FLUSHED_ON_STANDBY:
            return f"synchronous_commit {commit}: a failover loses guesses; set it to on or remote_apply"
        if self.replicated and not settings["standbys"].strip():
            return "no synchronous_standby_names: a failover loses guesses; name the standbys"
        return None


class Wire:
    """One connection, for one task at a time.

    Args:
        url: `postgresql://…`, as libpq reads it; several hosts may be named, the primary among them is found.
        promise: what every connection is held against.
        prepare: done on every new connection before it is used.

    """

    def __init__(self, url: str, promise: Promise, prepare: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
        self._hosts = each_host(url)
        self._promise = promise
        self._prepare = prepare
        self._con: asyncpg.Connection | None = None
        self._pause_s = 0.0
        self._unheard_s = 0.0
        """How long the last commit that was not answered kept us away."""
        self._closed_until = 0.0
        self._warned: str | None = None
        """What the server has warned of since the commit was sent: an SQLSTATE."""

    async def connection(self) -> asyncpg.Connection:
        """The connection, made anew where there is none.

        Raises:
            LedgerUnavailable: there is none to be had.

        """
        if self._con is not None and not self._con.is_closed():
            return self._con
        self._con = None
        if time.monotonic() < self._closed_until:
            raise LedgerUnavailable("PostgreSQL could not be reached a moment ago")
        try:
            with refusing():
                self._con = await self._connect()
        except LedgerUnavailable:
            self._pause_s = self._stay_away(self._pause_s, AGAIN_S)
            raise
        self._pause_s = 0.0
        return self._con

    def _stay_away(self, pause_s: float, bounds: tuple[float, float]) -> float:
        """Try no new connection for twice as long as the last time; how long that is."""
        pause_s = min(max(2 * pause_s, bounds[0]), bounds[1])
        self._closed_until = time.monotonic() + pause_s
        return pause_s

    @property
    def begun(self) -> asyncpg.Connection:
        """The connection on which a transaction was begun: a new one in its place would hold none of its locks.

        Raises:
            LedgerUnavailable: it was lost, and with it all that was not committed.

        """
        if self._con is None or self._con.is_closed() or not self._con.is_in_transaction():
            raise LedgerUnavailable("the connection was lost before the commit")
        return self._con

    async def _connect(self) -> asyncpg.Connection:
        """All hosts at once: one that does not answer at all must not keep us from the one that has taken over."""
        trying = {asyncio.create_task(self._connect_to(host)) for host in self._hosts}
        faults: list[BaseException] = []
        try:
            while trying:
                done, trying = await asyncio.wait(trying, return_when=asyncio.FIRST_COMPLETED)
                found = [one for one in done if not one.exception()]
                faults += [no for one in done if (no := one.exception())]
                for other in found[1:]:
                    other.result().terminate()
                if found:
                    return found[0].result()
        finally:
            for one in trying:
                one.add_done_callback(_discard)
                one.cancel()
        # Of several hosts all but one are replicas, as they should be: what the one says is what helps.
        raise next((no for no in faults if not isinstance(no, NotPrimary)), faults[0])

    async def _connect_to(self, host: str) -> asyncpg.Connection:
        try:
            con: asyncpg.Connection = await asyncpg.connect(host, timeout=DEADLINE_S, server_settings=SESSION)
        except ValueError:
            # Its text may repeat a part of the URL, and that a password.
            raise LedgerUnavailable("the store's URL cannot be read") from None
        except asyncpg.TargetServerAttributeNotMatched:
            # The URL asks for `target_session_attrs=read-write`, and this host is none.
            raise NotPrimary from None
        try:
            con.add_log_listener(self._note)
            [settings] = await con.fetch(sql.ASK_SETTINGS)
            self._promise.check(settings)
            await self._prepare(con)
        except BaseException:
            con.terminate()
            raise
        return con

    def _note(self, _con: object, message: asyncpg.PostgresLogMessage) -> None:
        if getattr(message, "severity_en", None) != "NOTICE":
            self._warned = str(getattr(message, "sqlstate", None))

    def drop(self) -> None:
        """Close the connection without a word. Nobody waits for it, and what it was doing is not cancelled."""
        if self._con is not None:
            self._con.terminate()
            self._con = None

    async def leave(self) -> None:
        """Roll back whatever was begun; the connection is dropped if that cannot be done."""
        if self._con is None or self._con.is_closed() or not self._con.is_in_transaction():
            return
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._con.execute("ROLLBACK")
        except FAULTS:
            self.drop()

    async def commit(self) -> None:
        """Commit; on return it is durable as promised.

        Raises:
            LedgerUnavailable: surely not committed.
            UnknownFate: it may be committed.

        """
        sent = asyncio.ensure_future(self.begun.execute(sql.COMMIT))
        self._warned = None
        try:
            await asyncio.wait({sent}, timeout=DEADLINE_S)
        finally:
            late = not sent.done()
            if late:
                # The database may wait for its standby on that connection for as long as it takes: each try leaves one more.
                self._unheard_s = self._stay_away(self._unheard_s, UNHEARD_S)
                self.drop()
                sent.add_done_callback(_look_away)
        if late:
            raise UnknownFate(f"PostgreSQL has not said within {DEADLINE_S:.0f} s whether it has committed")
        await self._judge(sent)

    async def _judge(self, sent: asyncio.Future[str]) -> None:
        """What came of a commit that was answered."""
        try:
            said = sent.result()
        except FAULTS as no:
            # An error is told before anything is committed; anything worse may come at any time.
            if is_plain(no):
                await self.leave()
                raise refusal(no) from no
            self.drop()
            raise UnknownFate(said_of(no)) from no
        if said != "COMMIT":
            raise LedgerUnavailable("PostgreSQL has rolled back instead of committing")
        if self._warned:
            raise UnknownFate(f"PostgreSQL has committed with a warning ({self._warned}): it may not have waited for the standby")
        self._unheard_s = 0.0

    async def close(self) -> None:
        """Let go of the connection."""
        con, self._con = self._con, None
        if con is not None and not con.is_closed():
            try:
                await con.close(timeout=DEADLINE_S)
            except FAULTS:
                con.terminate()


_URL = re.compile(r"(?P<before>\w+://(?:[^/?#]*@)?)(?P<hosts>[^/?#@]*)(?P<after>[/?#].*|)")


def each_host(url: str) -> list[str]:
    """One URL for each host that a URL names; the URL itself where it names none."""
    # By hand: several hosts are not a URL's to name, and not every Python takes the brackets of one among them.
    found = _URL.fullmatch(url)
    if found is None:
        return [url]
    if found["hosts"]:
        return [f"{found['before']}{host}{found['after']}" for host in found["hosts"].split(",")]
    told = dict(parse_qsl(found["after"].partition("?")[2]))
    named, ports = told.pop("host", "").split(","), told.pop("port", "").split(",")
    if len(named) == 1:
        return [url]
    bare, every = url.partition("?")[0], zip(named, ports if len(ports) == len(named) else ports[:1] * len(named), strict=True)
    return [f"{bare}?{urlencode({**told, 'host': host, **({'port': port} if port else {})})}" for host, port in every]


def _discard(one: asyncio.Task[asyncpg.Connection]) -> None:
    """Nobody needs this connection any more."""
    if not one.cancelled() and not one.exception():
        one.result().terminate()


def _look_away(sent: asyncio.Future[str]) -> None:
    """Nobody waits for this answer any more."""
    if not sent.cancelled():
        sent.exception()


def is_plain(no: BaseException | None) -> bool:
    """Whether the server has told of an error, and the connection is as good as before."""
    return isinstance(no, asyncpg.PostgresError) and getattr(no, "severity_en", None) == "ERROR"


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Whatever the connection raises here means: nothing was granted."""
    try:
        yield
    except FAULTS as no:
        raise refusal(no) from no


def refusal(no: BaseException) -> LedgerUnavailable:
    """What to say of a fault after which surely nothing was committed."""
    return (Conflict if isinstance(no, CONFLICTS) else LedgerUnavailable)(said_of(no))


def said_of(no: BaseException) -> str:
    """What may be told of a fault: of one about the connection what the server says, of others the kind alone."""
    if isinstance(no, TimeoutError):
        return f"PostgreSQL has not answered within {DEADLINE_S:.0f} s"
    kind = type(no).__name__
    if isinstance(no, asyncpg.PostgresError):
        told = no.message if getattr(no, "severity_en", None) == "FATAL" else None
        return f"PostgreSQL: {told or kind} ({getattr(no, 'sqlstate', None)})"
    return f"PostgreSQL: {kind}"
