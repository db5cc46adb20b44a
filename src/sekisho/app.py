"""The one place that names concrete adapters: from settings to a running service."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from sekisho.adapters import sqlite, token_csv
from sekisho.adapters.batching import BatchedLedger
from sekisho.adapters.breach import Breached
from sekisho.adapters.breach import build as build_breached
from sekisho.adapters.channels import Inbox
from sekisho.adapters.codes import KeyedCodes
from sekisho.adapters.devicekeys import DeviceKeys
from sekisho.adapters.keyring import PURPOSES, Keyring, seeded
from sekisho.adapters.memory import MemoryStore
from sekisho.adapters.reports import MOST, Found, read
from sekisho.adapters.secrets import KeyedSecrets, comparison_ms
from sekisho.adapters.smtp import Relay, SmtpChannel, relay_of
from sekisho.adapters.sqlite import SqliteStore, wall_clock
from sekisho.adapters.watch import ClockWatch
from sekisho.adapters.webauthn import Passkeys, RelyingParty, party_of
from sekisho.core.state import IN_FORCE, SECOND, InForce, encode
from sekisho.errors import CallerError, LedgerUnavailable, StoreIsOlder
from sekisho.flows import clock, tick
from sekisho.flows.apps import AppEnrolments
from sekisho.flows.callers import Callers
from sekisho.flows.cases import CaseDesk
from sekisho.flows.challenges import Challenges
from sekisho.flows.count_mode import CountMode
from sekisho.flows.desk import Desk
from sekisho.flows.entries import Entries
from sekisho.flows.forms import FormsDesk
from sekisho.flows.held import Signing
from sekisho.flows.import_lines import Fault
from sekisho.flows.imports import Imports
from sekisho.flows.incidents import Incidents
from sekisho.flows.news import News
from sekisho.flows.outbox import Outbox
from sekisho.flows.passkeys import OwnPasskeys
from sekisho.flows.policies import Note, first_policy, load_tables
from sekisho.flows.recovery import Recoveries
from sekisho.flows.releases import Releases
from sekisho.flows.retention import Retention, cutoff
from sekisho.flows.runs import Runs
from sekisho.flows.seals import Sealer
from sekisho.flows.seats import Seats
from sekisho.flows.sessions import Sessions
from sekisho.flows.shadow import ShadowCountMode, agree_on_mode
from sekisho.flows.signed import Signer
from sekisho.flows.stops import Stops
from sekisho.flows.subjects import Subjects
from sekisho.flows.tokens import Tokens
from sekisho.flows.traces import Traces
from sekisho.policy.table import Table
from sekisho.ports import Change, Channel, Channels, Condition, Delivered, ManyLanes, Store
from sekisho.terms import Way

if TYPE_CHECKING:
    from sekisho.flows.doctor import Check

TICK_S = 0.5
"""How often time is let pass over what falls due."""

POSTGRES = "postgresql://"

QUICK_LANES = 2
"""Batches that one node has on their way to a database of its own at once: one is decided while another is written."""

SEAL_S = 60.0
"""How often the heads of all chains are sealed."""


ACCEPT = "put the newer store back, or take this one into service with: sekisho restore accept"


class Settings(msgspec.Struct):
    """What a node is told from outside."""

    store: str
    keys: Path
    policy: Path | None = None
    batch_max: int = 256
    hold: bool = True
    """Answers leave on the time grid of the policy; off in benches."""
    demo: bool = False
    replicated: bool = False
    """A commit counts only once a standby has it too."""
    accept_weaker: bool = False
    """Serve over a database that promises less of a commit than it should."""
    shadow: bool = False
    """Decide and record beside a bank that does not rely on it yet, and refuse nothing."""
    relay: Relay | None = None
    """Where this node hands mail over; None: it does not."""
    mail_elsewhere: bool = False
    """Mail is sent, and workers beside this node hand it over."""
    letters: Path | None = None
    """The folder into which this node puts letters; None: it prints none."""
    passkeys: RelyingParty | None = None
    """For whom passkeys are asked; None: the bank compares them itself."""
    breached: Path | None = None
    """The file of passwords that nobody may choose; None: this node has none."""
    bounces: socket.socket | None = None
    """A listening socket to which the relay brings what comes back."""


class App:
    """A node: ledger, flows and the tasks that let time pass."""

    def __init__(
        self, settings: Settings, store: Store, keyring: Keyring, tables: dict[str, Table], in_force: InForce, channels: Channels,
    ) -> None:
        self.settings = settings
        self.store = store
        self.keyring = keyring
        self.tables = tables
        self.in_force = in_force
        self.faults = 0
        """Turns of housekeeping that failed."""
        self.clock: Callable[[], int] = wall_clock
        self.subjects = Subjects(keyring.secret("subjects"))
        name = f"node/{keyring.newest('audit')}"
        self.watch = ClockWatch()
        others = [store.another() for _ in range(QUICK_LANES)] if isinstance(store, ManyLanes) else []
        self.ledger = BatchedLedger(
            store, keyring.secret("audit"), tables, beside=others[1:], contended=others[0] if others else None, watch=self.watch,
            batch_max=settings.batch_max, name=name,
        )
        self.secrets = KeyedSecrets(keyring.secret("pepper"), keyring.versions("seeds"))
        self.runs = Runs(self.ledger, store, self.subjects)
        self.codes = KeyedCodes(keyring)
        passkeys = Passkeys(settings.passkeys) if settings.passkeys is not None else None
        self.entries = Entries(
            self.runs, self.ledger, store, self.secrets, self.codes, signer=Signer(self.codes, DeviceKeys(), self.secrets), passkeys=passkeys,
            breached=None if settings.breached is None else Breached(settings.breached).knows,
        )
        self.signing = Signing(self.runs, self.ledger, self.codes, passkeys)
        self._mail = SmtpChannel(settings.relay, self.codes) if settings.relay is not None else None
        ways: dict[Way, Channel] = {**channels, **({Way.MAIL: self._mail} if self._mail is not None else {})}
        if settings.letters is not None:
            from sekisho.adapters.spool import Spool  # noqa: PLC0415  most nodes print nothing, and what sets letters is slow to load

            ways[Way.LETTER] = Spool(settings.letters)
        carried = {*ways, *({Way.MAIL} if settings.mail_elsewhere else ())}
        self.ceilings = self.entries.ceilings
        self.outbox = Outbox(self.ledger, store, self.codes, ways, carried)
        self.news = News(self.ledger, store, self.outbox.figures)
        self.traces = Traces(self.ledger, store)
        self.challenges = Challenges(self.runs, self.ledger, store, self.codes, self.outbox)
        counting = CountMode(self.runs, self.entries, store)
        self.shadow = ShadowCountMode(counting, self.ledger, store) if settings.shadow else None
        self.count_mode = self.shadow or counting
        self.sessions = Sessions(self.ledger, store)
        self.apps = AppEnrolments(self.ledger, store, self.secrets, self.codes, DeviceKeys())
        self.passkeys = OwnPasskeys(self.ledger, store)
        self.releases = Releases(self.ledger, store, self.subjects)
        self.forms = FormsDesk(self.ledger, store, self.secrets, self.codes, self.outbox)
        self.desk = Desk(self.ledger, store, self.subjects, self.secrets, self.codes)
        self.cases = CaseDesk(self.ledger, store, self.secrets, self.codes, self.outbox)
        self.callers = Callers(self.cases, self.runs, self.entries, self.challenges, self.sessions, self.ledger, store, self.codes)
        self.seats = Seats(self.ledger, store)
        self.recoveries = Recoveries(self.ledger, store, self.codes)
        self.sealer = Sealer(store, keyring, seals_path(settings.store, keyring))
        self.retention = Retention(self.ledger, store, self.sealer)
        self.imports = Imports(self.ledger, store, self.secrets)
        self.tokens = Tokens(self.ledger, store, self.secrets)
        self.incidents = Incidents(self.ledger, store)
        self.stops = Stops(self.ledger, store, self.subjects)
        self._something_aged = True

    @property
    def table(self) -> Table:
        """The policy in force by this node's clock; what decides is read again in every batch."""
        if self.ledger.withheld is not None:
            raise LedgerUnavailable(self.ledger.withheld)
        version = self.in_force.at(self.clock())
        table = self.tables.get(version or "")
        if table is None:
            detail = f"this node has not loaded policy {version}"
            raise LedgerUnavailable(detail)
        return table

    @contextlib.asynccontextmanager
    async def _hearing_of_mail(self) -> AsyncIterator[None]:
        """Take what the relay brings back, where there is a relay and a socket for it."""
        if self._mail is None or self.settings.bounces is None:
            yield
            return
        from sekisho.adapters.bounces import BounceServer  # noqa: PLC0415  a mail server is loaded where there is mail

        bounces = BounceServer(self._mail.envelopes, self.news)
        await bounces.start(self.settings.bounces)
        try:
            yield
        finally:
            await bounces.stop()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[App]:
        """Serve from here on; on the way out finish what is queued and seal."""
        await self.ledger.start()
        tasks = [asyncio.create_task(turns()) for turns in (self._ticking, self._sealing, self._delivering)]
        try:
            async with self._hearing_of_mail():
                yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._survive(self.ceilings.give_all_back())
            await self.outbox.finish()
            await self._survive(self.seal())
            await self.leave()

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[App]:
        """Decide what one command asks for, and nothing else: no time passes, nothing is sealed."""
        await self.ledger.start()
        try:
            yield self
        finally:
            await self.leave()

    async def leave(self) -> None:
        """Finish what is queued, let go of the store."""
        self.entries.close()
        if self._mail is not None:
            self._mail.close()
        await self.ledger.stop()

    async def _ticking(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            await self.turn()

    async def turn(self) -> None:
        """One turn of housekeeping: mind the clock, follow the policy, let time pass over what falls due."""
        await self._survive(self.mind_store())
        if self.ledger.withheld is not None:
            return
        await self._survive(clock.mind(self.ledger, self.store, self.watch, wall_clock))
        await self._survive(self.follow_policy())
        if not self.watch.doubting:
            await self._survive(tick.pass_time(self.ledger, self.store, self.subjects, self.entries))
            await self._survive(self.mind_ceilings())
            await self._survive(self.incidents.go_on())
            await self._survive(self.recoveries.go_on())
            await self._survive(self.forget())

    async def mind_ceilings(self) -> None:
        """Account for the guesses of the whole bank, and learn what stands because of them."""
        table = self.table
        if table.bank or self.ceilings.purses:
            await self.ceilings.mind(table, await self.store.clock())

    async def mind_store(self) -> None:
        """Hold the store against what this node has written into it: an older copy in its place is not served."""
        if self.ledger.withheld is None and not all([await self.sealer.stands(head) for head in self.ledger.heads]):
            self._withhold("the store lacks what this node has written: an older copy was put in its place")

    async def seal(self) -> None:
        """Seal what has happened; a store that lacks what was sealed before is not served any more."""
        try:
            await self.sealer.seal(self._keep_since())
            self._something_aged = True
        except StoreIsOlder as no:
            self._withhold(str(no))

    async def forget(self) -> None:
        """Delete some of what has aged; when all is gone look at some rows, and do no more until the next seal."""
        if self._something_aged:
            self._something_aged = bool(await self.retention.forget(self.table, self.clock()))
            if not self._something_aged:
                await self.retention.look_at_rows(self.table, self.clock())

    def _keep_since(self) -> int:
        """Before when events are kept no more. By a clock that is doubted, or without a policy, all are: none could be had back."""
        try:
            return 0 if self.watch.doubting else cutoff(self.table, "audit", self.clock())
        except LedgerUnavailable:
            return 0

    def _withhold(self, why: str) -> None:
        if self.ledger.withheld is None:
            self.ledger.withheld = f"{why}; {ACCEPT}"
            logging.getLogger("sekisho").critical("nothing is granted any more: %s", self.ledger.withheld)

    async def _survive(self, turn: Coroutine[Any, Any, object]) -> None:
        """Whatever goes wrong in one turn, there is a next one; what went wrong is said and counted."""
        try:
            await turn
        except Exception as no:  # noqa: BLE001  a task that ends leaves reservations in flight for good
            self.faults += 1
            # Its kind only: the text may hold what was sent.
            logging.getLogger("sekisho").error("housekeeping failed: %s", type(no).__name__)  # noqa: TRY400

    async def follow_policy(self) -> None:
        """Load what is or will be in force, and put on record what is new."""
        self.in_force = await load_tables(self.store, self.tables)
        if any(version not in self.in_force.told for _, version in self.in_force.versions):
            await self.ledger.run(Note())

    async def _sealing(self) -> None:
        while True:
            await asyncio.sleep(SEAL_S)
            await self._survive(self.seal())


    async def _delivering(self) -> None:
        """Hand messages over as soon as they are put in, and now and then what other nodes left."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.outbox.wake.wait(), TICK_S)
            self.outbox.wake.clear()
            if self.ledger.withheld is None and not self.watch.doubting:
                await self._survive(self.outbox.begin())
                await self._survive(self.news.note_answers())


def read_report(path: Path) -> Found:
    """Understand a mail that came back; only its beginning is read."""
    with path.open("rb") as opened:
        return read(opened.read(MOST))


def read_delivery(
    body: bytes, *, key: bytes | None = None, password: str | None = None, certificate: bytes | None = None,
) -> tuple[list[Delivered], list[Fault]]:
    """The tokens of a vendor's file, PSKC or CSV, and what is wrong with those that are not told. It may take a second.

    Args:
        body: the file.
        key: that it is encrypted with.
        password: from which that key is made.
        certificate: of whoever must have signed it, PEM.

    """
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        from sekisho.adapters import pskc  # noqa: PLC0415  it brings certificates and XML along, and deliveries are rare

        return pskc.read(body, key=key, password=password, certificate=certificate)
    if key is not None or password is not None or certificate is not None:
        return [], [Fault(1, "file", "a CSV file is neither encrypted nor signed: this is another file, or it was changed")]
    return token_csv.read(body.decode("utf-8", "replace"))


def seals_path(store: str, keyring: Keyring) -> Path:
    """Where seals are kept outside the database: beside the key file, named after the store and the place it is in."""
    name, place = _database(store) if store.startswith(POSTGRES) else _file(store)
    return keyring.path.with_name(f"{name}-{hashlib.sha256(place.encode()).hexdigest()[:8]}.seals")


def _file(store: str) -> tuple[str, str]:
    path = Path(store.removeprefix("sqlite:///")).resolve()
    return path.stem, str(path)


def _database(store: str) -> tuple[str, str]:
    """A database's name, and where it is: whoever asks, and with which password, is no part of either."""
    url = urlsplit(store)
    told = parse_qs(url.query)
    name = url.path.strip("/") or "".join(told.get("dbname", []))
    hosts = [url.netloc.rpartition("@")[2], *told.get("host", []), *told.get("port", [])]
    return re.sub(r"[^\w-]", "-", name), f"{'/'.join(hosts)}/{name}"


def open_store(url: str, *, make: bool = False, replicated: bool = False, accept_weaker: bool = False) -> Store:
    """The store of a URL: `sqlite:///PATH`, `postgresql://USER@HOST/DATABASE`, or `memory:` for tests.

    Args:
        url: it may hold a password, so it is repeated nowhere.
        make: begin an empty file where there is none.
        replicated: refuse a database whose commits do not wait for a standby.
        accept_weaker: take a database whatever it promises of a commit: for whoever was told to, or counts nothing.

    Raises:
        CallerError: not a URL of a store that this release knows, or nothing is there.

    """
    if url.startswith(POSTGRES):
        from sekisho.adapters.postgres import PostgresStore  # noqa: PLC0415  a node over a file needs no driver
        from sekisho.adapters.postgres_wire import Promise  # noqa: PLC0415  as above

        return PostgresStore(url, Promise(replicated, accept_weaker))
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        if not make and not path.exists():
            raise NothingThere(f"{path} is not there")
        if not path.parent.is_dir():
            raise CallerError(f"the folder {path.parent} is not there; make it first")
        return SqliteStore(path)
    if url == "memory:":
        return MemoryStore(wall_clock)
    raise CallerError("a store is named sqlite:///PATH or postgresql://USER@HOST/DATABASE")


async def condition_of(url: str, *, replicated: bool = False) -> Condition:
    """What the database of a URL says of itself; it is neither made nor changed.

    Raises:
        CallerError: not a URL of a store that this release knows, or nothing is there.
        LedgerUnavailable: it cannot be reached.

    """
    if url.startswith(POSTGRES):
        from sekisho.adapters import postgres  # noqa: PLC0415  a node over a file needs no driver
        from sekisho.adapters.postgres_wire import Promise  # noqa: PLC0415  as above

        return await postgres.condition(url, Promise(replicated))
    return sqlite.condition(Path(url.removeprefix("sqlite:///")))


class NothingThere(CallerError):
    """The store that was named was never begun."""


async def has_policy(url: str) -> bool:
    """Whether a policy was ever put in force in the store of a URL.

    Raises:
        CallerError: not a URL of a store that this release knows.
        LedgerUnavailable: it cannot be reached.

    """
    try:
        store = open_store(url, accept_weaker=True)
    except NothingThere:
        return False
    try:
        return IN_FORCE in await store.peek([IN_FORCE])
    finally:
        await store.close()


def look_at_mail(relay: Relay, keyring: Keyring | None, intake: str | None) -> list[Check]:
    """What `doctor` says of the way of mail: out through the relay, and back. No mail is sent.

    Args:
        relay: its settings.
        keyring: with it a return address of ours is asked about; None: one without a MAC.
        intake: HOST:PORT where a worker takes in reports; None: it is not asked.

    """
    from sekisho.adapters.mailcheck import ask_intake, ask_relay  # noqa: PLC0415  only `doctor` asks
    from sekisho.flows import doctor  # noqa: PLC0415  as above

    try:
        codes = None if keyring is None else KeyedCodes(keyring)
    except CallerError:
        codes = None
    told = ask_relay(relay, codes)
    checks = doctor.of_relay(relay.name, relay.bounces, told.at, told.said, told.back, dsn=told.dsn)
    if intake is not None and codes is not None:
        checks.append(doctor.of_intake(intake, ask_intake(intake, relay.bounces, codes)))
    return checks


async def build(settings: Settings, channels: Channels | None = None) -> App:
    """Put a node together that is to serve, over a new store where there is none.

    Raises:
        CallerError: the settings cannot be served; the text says what to change.
        PolicyError: the policy file has errors.
        StoreIsOlder: the store lacks what was sealed outside it.

    """
    app = await assemble(settings, make=True, channels=channels)
    complaint = await app.sealer.complaint()
    if complaint is not None:
        await app.leave()
        raise StoreIsOlder(f"{complaint}; {ACCEPT}")
    return app


async def assemble(settings: Settings, *, make: bool = False, channels: Channels | None = None) -> App:
    """Open the store, put the first policy in force where there is none, and put a node together.

    Args:
        settings: what the node is told.
        make: begin an empty file where there is none.
        channels: the ways by which it sends codes; None: it sends none.

    Raises:
        CallerError: the settings cannot be served; the text says what to change.
        PolicyError: the policy file has errors.

    """
    keyring = Keyring.open(settings.keys)
    if keyring.has_demo_keys and not settings.demo:
        detail = f"{settings.keys} holds keys of the demonstration; make real ones with: sekisho keys new"
        raise CallerError(detail)
    store = open_store(settings.store, make=make, replicated=settings.replicated, accept_weaker=settings.accept_weaker)
    if make:
        await agree_on_mode(store, shadow=settings.shadow)
    tables: dict[str, Table] = {}
    if settings.policy is not None:
        table = await first_policy(store, settings.policy.read_bytes(), settings.policy.name)
        tables[table.version] = table
    in_force = await load_tables(store, tables)
    return App(settings, store, keyring, tables, in_force, channels or {})


async def apart(table: Table, clock: Callable[[], int], seed: str, file: Path | None = None) -> App:
    """A node by itself over a new store, with one policy in force from the beginning of time: for the lab.

    Args:
        table: the policy.
        clock: the ledger's time in microseconds, and this node's own.
        seed: what its keys follow from, so that the same play comes out the same.
        file: where a SQLite ledger is begun; None: it is in memory.

    """
    store: Store = MemoryStore(clock) if file is None else SqliteStore(file, clock)
    await store.begin([IN_FORCE])
    in_force = InForce(versions=[(0, table.version)])
    await store.commit(Change([(IN_FORCE, encode(in_force), None)], None, []))
    settings = Settings("memory:" if file is None else f"sqlite:///{file}", Path("keys.json"), hold=False)
    app = App(settings, store, seeded(settings.keys, seed), {table.version: table}, in_force, {way: Inbox() for way in Way})
    app.clock = clock
    app.watch.own = lambda: clock() / SECOND
    return app


__all__ = [
    "PURPOSES", "App", "Inbox", "Keyring", "Relay", "Settings", "apart", "assemble", "build", "build_breached", "comparison_ms", "condition_of",
    "has_policy", "look_at_mail", "open_store", "party_of", "read_delivery", "read_report", "relay_of", "seals_path", "wall_clock",
]
