"""Enrolments of the bank's app: a code out of a live session, a device that answers it with keys of its own, all in one commit; and their end."""

from __future__ import annotations

import asyncio
import secrets as chance
from collections.abc import Mapping, Sequence

import msgspec

from sekisho.core import enrolment
from sekisho.core.base64url import read
from sekisho.core.enrolment import CODE_LENGTH, DEVICE, KEY, SIGNATURE, VERIFIER
from sekisho.core.fold import fold
from sekisho.core.state import SECOND, Guard, PublicKey, Secret, Session, decode
from sekisho.errors import CallerError
from sekisho.events import Event, EventKind
from sekisho.flows.effects import secret_key
from sekisho.flows.names import SUBJECT_MAX
from sekisho.flows.sessions import is_live
from sekisho.flows.telling import announce, announcements_key
from sekisho.policy.table import Item, Table
from sekisho.ports import Codes, DeviceKeys, Ledger, Secrets, Store, Tx
from sekisho.terms import ItemKind, PenaltyKind, Reach

CODE_S = 600
"""How long a code begins an enrolment (NIST SP 800-63B-4 section 4.1.2: ten minutes). Seconds."""

APPS_MAX = 5
"""Enrolments of one customer. Whoever has so many removes one first."""

VERIFIER_BYTES = 32


class Adding(msgspec.Struct, omit_defaults=True):
    """A code that begins an enrolment, by its keyed digest."""

    v: int = 1
    subject: str = ""
    until: int = 0
    out_of_session: int = 0
    """When a session showed it; what ends every session of the customer's until then ends it too. 0: it went by letter."""
    made: int = 0
    """An emergency stop after that ends it, whichever way it went."""


class OnFile(msgspec.Struct, omit_defaults=True):
    """One enrolment of a customer's."""

    app: str
    name: str
    since: int


class Apps(msgspec.Struct, omit_defaults=True):
    """All enrolments of a customer."""

    v: int = 1
    known: list[OnFile] = []


class Parts(msgspec.Struct):
    """What an enrolment, or a registration in it, is made of."""

    secrets: dict[str, Secret]
    """By item."""


def apps_key(customer: str) -> str:
    """The row of a customer's enrolments."""
    return f"apps:{customer}"


def adding_key(codes: Codes, code: str) -> str:
    """The row of a code: whoever reads it has no code."""
    return "adding:" + codes.digest("app code", enrolment.heard(code)).hex()[:32]


def kept(table: Table, parts: Mapping[str, str], secrets: Secrets, keys: DeviceKeys) -> dict[str, Secret]:
    """What is kept of the parts that a device sends of itself: its passcode's verifier, codes that the customer set, keys of sensors.

    Raises:
        CallerError: a part is none.

    """
    found: dict[str, Secret] = {}
    items = {item.name: item for item in table.items.values() if item.reach is Reach.APP and not item.renews}
    for name, value in parts.items():
        if name == VERIFIER:
            found |= {item.name: secrets.make(item.kind, verifier(value)) for item in items.values() if item.kind is ItemKind.PASSCODE}
        elif name.startswith(KEY) and _is_sensor(items.get(name.removeprefix(KEY))):
            found[name.removeprefix(KEY)] = of_key(name.removeprefix(KEY), value, keys)
        elif name.startswith(KEY) and _signs(items.get(name.removeprefix(KEY))):
            found[name.removeprefix(KEY)] = secrets.make(ItemKind.OCRA, value)
        elif (item := items.get(name)) is not None and item.kind is ItemKind.PIN:
            found[name] = secrets.make(item.kind, fold(item.kind, four_figures(name, value)))
        elif name not in {DEVICE, SIGNATURE}:
            raise CallerError("a part is none that an enrolment has")
    return found


def verifier(value: str) -> str:
    """What a device tells of a passcode.

    Raises:
        CallerError: it is none.

    """
    if len(read(value)) != VERIFIER_BYTES:
        raise CallerError("the passcode is sent as 32 bytes that follow from it and from the device's salt, in base64url")
    return value


def four_figures(name: str, value: str) -> str:
    """A code that the customer sets.

    Raises:
        CallerError: it is none.

    """
    if not (value.isascii() and value.isdigit() and len(value) == 4):
        raise CallerError(f"{name} is four figures")
    return value


def _is_sensor(item: Item | None) -> bool:
    return item is not None and item.kind in {ItemKind.BIOMETRIC, ItemKind.DEVICE_BIOMETRIC}


def _signs(item: Item | None) -> bool:
    return item is not None and item.kind is ItemKind.OCRA


def of_key(kind: str, value: str, keys: DeviceKeys) -> Secret:
    """The record of a device's key.

    Raises:
        CallerError: it is none.

    """
    key = read(value)
    if not keys.is_key(key):
        raise CallerError("a key is a point on P-256, as a SubjectPublicKeyInfo in base64url")
    return Secret(kind=kind, keys=[PublicKey(id=b"", key=key)])


class NotAgreed:
    """The session lives, and what the policy asks for a code was not proved in it just now."""


class _Code:
    """Put a code on record that begins an enrolment, once for each time that the customer has agreed."""

    def __init__(self, codes: Codes, session: str, subject: str, code: str) -> None:
        self.keys = [session, subject, adding_key(codes, code)]

    def decide(self, tx: Tx) -> int | NotAgreed | None:
        """Until when; None: the session is over."""
        session, subject, code = self.keys
        row = tx.get(session, Session)
        if row is None or not is_live(tx, session, subject):
            return None
        if tx.now >= row.adds_device_until or not any(one.adds_device for one in tx.table.operations.values()):
            return NotAgreed()
        row.adds_device_until = 0
        tx.put(session, row)
        until = tx.now + CODE_S * SECOND
        tx.put(code, Adding(subject=subject, until=until, out_of_session=tx.now, made=tx.now), due=until)
        tx.tell(Event(EventKind.APP_CODE_MADE, subject, session=session))
        return until


class _Enrol:
    """Everything that an enrolment is, or nothing."""

    def __init__(self, code: str, customer: str, account: str | None, before: Sequence[str], app: str, name: str, secrets: dict[str, Secret]) -> None:
        self._holders = [customer, *([account] if account else [])]
        rows = [code, customer, app, apps_key(customer), announcements_key(customer)]
        self.keys = [*rows, *self._holders[1:], *before, *(secret_key(app, item) for item in secrets)]
        self._before = before
        self._name = name
        self._secrets = secrets

    def decide(self, tx: Tx) -> str | None:
        """The new enrolment; None: the code is good for nothing any more, or there are too many."""
        code, customer, app, book = self.keys[:4]
        adding, guard = tx.get(code, Adding), tx.get(customer, Guard)
        apps = tx.get(book, Apps) or Apps()
        if adding is None or adding.subject != customer or tx.now >= adding.until or guard is None or not guard.known:
            return None
        if 0 < adding.out_of_session <= guard.valid_after or 0 < guard.stopped >= adding.made:
            return None
        standing = [one for one in apps.known if one.app != app and not self._is_gone(tx, one.app)]
        if len(standing) >= APPS_MAX:
            return None
        tx.drop(code)
        links = {holder.partition(":")[0]: holder for holder in self._holders}
        tx.put(app, Guard(known=True, links=links, flags=sorted(f"set:{item}" for item in self._secrets if item != DEVICE)))
        for item, secret in self._secrets.items():
            tx.put(secret_key(app, item), secret)
        tx.put(book, Apps(known=[*standing, OnFile(app, self._name, tx.now)]))
        for holder in self._holders:
            _link(tx, holder, app)
        tx.tell(Event(EventKind.SUBJECT_ENROLLED, app))
        announce(tx, customer, "app-added")
        return app

    def _is_gone(self, tx: Tx, app: str) -> bool:
        """Whether a penalty has taken the account off that device: it is added again by another enrolment, and this one is none any more."""
        guard = tx.get(app, Guard) if app in self._before else None
        return guard is not None and _is_removed(guard, tx.now)


def _is_removed(guard: Guard, now: int) -> bool:
    return any(lock.kind is PenaltyKind.REMOVE and lock.stands(now) for lock in guard.locks)


def _link(tx: Tx, holder: str, app: str | None, instead_of: str | None = None) -> None:
    """From now on this is the enrolment that an entry is made in, where none is named; None: there is none."""
    guard = tx.get(holder, Guard)
    if guard is None or (instead_of is not None and guard.links.get("app") != instead_of):
        return
    others = {reach: name for reach, name in guard.links.items() if reach != "app"}
    guard.links = others if app is None else {**others, "app": app}
    tx.put(holder, guard)


def rows_of(table: Table, app: str) -> list[str]:
    """Where it is kept what an enrolment enters by."""
    return [secret_key(app, item) for item in (DEVICE, *(one.name for one in table.items.values() if one.reach is Reach.APP))]


def remove(tx: Tx, customer: str, app: str, rows: Sequence[str], holders: Sequence[str]) -> list[OnFile] | None:
    """Take an enrolment away with all it enters by (`rows`), and have the customer told: what is left. None: there is no such one."""
    apps = tx.get(apps_key(customer), Apps) or Apps()
    left = [one for one in apps.known if one.app != app]
    if len(left) == len(apps.known):
        return None
    tx.put(apps_key(customer), Apps(known=left))
    for key in (*rows, app):
        tx.drop(key)
    for holder in holders:
        _link(tx, holder, left[-1].app if left else None, instead_of=app)
    announce(tx, customer, "app-removed")
    return left


class _Look:
    """A customer's enrolments, one of them removed where that is asked for."""

    def __init__(self, table: Table, session: str, subject: str, which: str | None = None, account: str | None = None) -> None:
        self._which = which
        self._holders = [subject, *([account] if account else [])]
        self._secrets = [] if which is None else rows_of(table, which)
        self.keys = [session, subject, apps_key(subject), announcements_key(subject), *([which] if which else []), *self._secrets, *self._holders[1:]]

    def decide(self, tx: Tx) -> list[OnFile] | None:
        """What is there afterwards; None: the session is over, or there is no such enrolment."""
        session, subject, book = self.keys[:3]
        apps = tx.get(book, Apps) or Apps()
        if not is_live(tx, session, subject):
            return None
        if self._which is None:
            return apps.known
        left = remove(tx, subject, self._which, self._secrets, self._holders)
        if left is not None:
            tx.tell(Event(EventKind.APP_REMOVED, subject))
        return left


class AppEnrolments:
    """All enrolments of the bank's app.

    Args:
        ledger: where they are put on record.
        store: the same ledger's store.
        secrets: makes what is kept of a passcode.
        codes: makes digests of codes.
        keys: reads devices' keys.

    """

    def __init__(self, ledger: Ledger, store: Store, secrets: Secrets, codes: Codes, keys: DeviceKeys) -> None:
        self._ledger, self._store, self._secrets, self._codes, self._keys = ledger, store, secrets, codes, keys

    async def code(self, owner: str, session: str) -> tuple[str, int] | NotAgreed | None:
        """A code that begins an enrolment, and until when; None: there is no such live session."""
        subject = await self._subject(owner, session)
        if subject is None:
            return None
        code = enrolment.spoken(chance.token_bytes(CODE_LENGTH))
        until = await self._ledger.run(_Code(self._codes, f"session:{session}", subject, code))
        return (code, until) if isinstance(until, int) else until

    async def enrol(self, table: Table, code: str, name: str, parts: Mapping[str, str]) -> tuple[str, str] | None:
        """Enrol a device by a code, with its keys and its passcode: the enrolment and its customer.

        None: the code is none, or the device has not signed it.

        Raises:
            CallerError: a part is none.

        """
        device = of_key(DEVICE, parts.get(DEVICE, ""), self._keys)
        if VERIFIER not in parts:
            raise CallerError("an enrolment has a passcode")
        signed = enrolment.message("enrol", enrolment.heard(code).encode(), parts)
        if not self._keys.is_signed_by(device.keys[0].key, read(parts.get(SIGNATURE, "")), signed):
            return None
        key = adding_key(self._codes, code)
        body = (await self._store.peek([key])).get(key)
        if body is None:
            return None
        made = await asyncio.to_thread(kept, table, parts, self._secrets, self._keys)
        app = f"app:{chance.token_hex(12)}"
        customer = decode(body, Adding).subject
        before = [one.app for one in await self._known(customer)]
        done = await self._ledger.run(_Enrol(key, customer, await self._account(customer), before, app, name, {DEVICE: device, **made}))
        return None if done is None else (done, customer)

    async def shown(self, table: Table, owner: str, session: str) -> list[OnFile] | None:
        """A customer's enrolments; None: there is no such live session."""
        subject = await self._subject(owner, session)
        return None if subject is None else await self._ledger.run(_Look(table, f"session:{session}", subject))

    async def remove(self, table: Table, owner: str, session: str, app: str) -> list[OnFile] | None:
        """Remove one; the device is good for nothing from now on."""
        subject = await self._subject(owner, session)
        if subject is None:
            return None
        return await self._ledger.run(_Look(table, f"session:{session}", subject, app, await self._account(subject)))

    async def stands(self, app: str) -> bool:
        """Whether an enrolment is still one: neither its customer, nor staff, nor a penalty has removed it.

        Raises:
            CallerError: the name is longer than any.

        """
        if len(app) > SUBJECT_MAX:
            raise CallerError(f"a device is named app:id, in {SUBJECT_MAX} characters at the most")
        body = (await self._store.peek([app])).get(app) if app.startswith(f"{Reach.APP}:") else None
        guard = Guard() if body is None else decode(body, Guard)
        return guard.known and not _is_removed(guard, await self._store.clock())

    async def _known(self, customer: str) -> list[OnFile]:
        body = (await self._store.peek([apps_key(customer)])).get(apps_key(customer))
        return [] if body is None else decode(body, Apps).known

    async def _account(self, customer: str) -> str | None:
        body = (await self._store.peek([customer])).get(customer)
        return None if body is None else decode(body, Guard).links.get(Reach.ACCOUNT)

    async def _subject(self, owner: str, session: str) -> str | None:
        key = f"session:{session}"
        body = (await self._store.peek([key])).get(key)
        found = None if body is None else decode(body, Session)
        return found.subject if found is not None and found.owner == owner and found.subject.startswith("customer:") else None
