"""What staff do with one subject: enrol it, set an item, see everything about it. Every act names its operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sekisho.core import budget, release
from sekisho.core.fold import fold
from sekisho.core.state import SECOND, Addresses, Guard, Secret
from sekisho.core.takeover import legacy, raise_count, set_legacy
from sekisho.errors import CallerError
from sekisho.events import Event, EventKind
from sekisho.flows import addresses, approvals, effects, papers
from sekisho.flows.acts import Denied, Operator
from sekisho.flows.addresses import Enrolled, addresses_key
from sekisho.flows.apps import Apps, apps_key
from sekisho.flows.effects import secret_key
from sekisho.flows.names import checked_subject, looked_at
from sekisho.flows.sights import (
    MASKED_FOR,
    shown_address,
    shown_count,
    shown_devices,
    shown_event,
    shown_health,
    shown_lock,
    shown_token,
    with_shares,
)
from sekisho.flows.subjects import Row, Subjects
from sekisho.flows.telling import SET, announce, announcements_key, customer_of
from sekisho.policy.table import Item, Table
from sekisho.ports import Codes, Ledger, Secrets, Store, Tx
from sekisho.terms import ItemKind, PenaltyKind, Reach, Role

HISTORY = 20
"""Recent events that staff see beside a customer's state."""


class Enrolment(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What is known of a subject: the subjects that belong to it, by kind, and flags that the policy names."""

    links: dict[str, str] = {}
    accounts: list[str] = []
    flags: list[str] = []
    addresses: list[Enrolled] | None = None
    """Where codes may be sent; left out: those on file stay."""


class ImportedLock(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A lock as another system left it: a row of the policy's abolished items, or a row and stage of its table."""

    row: str
    since: datetime | None = None


class ItemSetting(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What is set for one item of one subject; each field alone or together."""

    secret: str | None = None
    first_time: bool | None = None
    counts: dict[str, Annotated[int, Meta(ge=0, le=1_000_000)]] = {}
    """Counter's name to wrong entries that stand, as taken over from another system. What stands here is never lowered."""
    locks: list[ImportedLock] = []


class _Enrol:
    def __init__(self, codes: Codes, subject: str, enrolment: Enrolment, operator: Operator) -> None:
        self._books = [apps_key(one) for one in (subject, enrolment.links.get(Reach.CUSTOMER)) if one is not None]
        self.keys = [
            subject, addresses_key(subject), announcements_key(subject), *self._books,
            *(effects.application_key(linked) for linked in enrolment.links.values()),
        ]
        self._codes = codes
        self._enrolment = enrolment
        self._operator = operator

    def decide(self, tx: Tx) -> bool:
        """Whether the subject is new. A newly enrolled subject starts clean, whatever was tried on its name before."""
        key = self.keys[0]
        guard = tx.get(key, Guard)
        new = guard is None or not guard.known
        guard = guard or Guard()
        guard.known = True
        before = guard.links, guard.accounts
        guard.links = {**self._app_of(tx, guard), **self._enrolment.links}
        guard.accounts = list(self._enrolment.accounts)
        if not new and _is_less(before, guard):
            # Runs go on about the subjects that they were begun for: those of his that are not his any more end.
            guard.valid_after = tx.now
            tx.tell(Event(EventKind.SESSION_ENDED, key, operator=self._operator.name))
        guard.flags = sorted({*self._enrolment.flags, *(flag for flag in guard.flags if _stays(flag, tx.table))})
        if self._enrolment.addresses is not None:
            were = tx.get(self.keys[1], Addresses) or Addresses()
            book = addresses.on_file(were, key, self._enrolment.addresses, self._codes, tx.now)
            tx.put(self.keys[1], book)
            if were.known and {one.id for one in were.known} != {one.id for one in book.known}:
                announce(tx, key, "addresses-changed")
        chosen = effects.adopt(tx, key, guard, self._enrolment.links.values(), self._codes) if new else []
        tx.put(key, guard)
        tx.tell(Event(EventKind.SUBJECT_ENROLLED, key, operator=self._operator.name))
        for item in chosen:
            tx.tell(Event(EventKind.ITEM_SET, key, item=item, operator=self._operator.name))
        return new


    def _app_of(self, tx: Tx, guard: Guard) -> dict[str, str]:
        """The link to an app that was enrolled here: the bank's books do not know it, so that leaving it out takes nothing away."""
        app = guard.links.get(Reach.APP)
        here = {one.app for key in self._books for one in (tx.get(key, Apps) or Apps()).known}
        return {Reach.APP.value: app} if app is not None and app in here else {}


def _is_less(before: tuple[Mapping[str, str], Sequence[str]], guard: Guard) -> bool:
    """Whether an account or a customer that belonged to a subject does not any more."""
    links, accounts = before
    gone = {kind for kind in (Reach.ACCOUNT, Reach.CUSTOMER) if kind in links and guard.links.get(kind) != links[kind]}
    return bool(gone or set(accounts) - {*guard.accounts, *guard.links.values()})


_KEPT = frozenset({"first-time", "set", "addresses-deleted"})
"""What names of flags begin with that follow from a subject's items, and from what the desk did."""


def _stays(flag: str, table: Table) -> bool:
    """Whether enrolling a subject again leaves a flag: what follows from its items, from what the desk did, and from what was seen of it."""
    return flag.partition(":")[0] in _KEPT or (table.risk is not None and flag == table.risk.flag)


class _SetItem:
    def __init__(
        self, secrets: Secrets, subject: str, item: str, setting: ItemSetting, record: Secret | None, operator: Operator, told: str,
    ) -> None:
        self.keys = [subject, secret_key(subject, item), announcements_key(told)]
        self._told = told
        self._secrets = secrets
        self._item = item
        self._setting = setting
        self._record = record
        self._operator = operator

    def decide(self, tx: Tx) -> Denied | None:
        """Set it, or say why not; nothing is half done."""
        key, secret = self.keys[:2]
        guard = tx.get(key, Guard)
        if guard is None or not guard.known:
            return Denied("not-enrolled", "enrol the subject first", conflict=True)
        faults = _import_faults(tx.table, self._setting, key.partition(":")[0])
        if faults:
            return Denied("not-in-policy", "; ".join(faults), conflict=True)
        if self._record is not None:
            self._put(tx, secret, self._record)
            _set_flag(guard, f"set:{self._item}", on=True)
            self._register(tx, key, guard)
        if self._setting.first_time is not None:
            _set_flag(guard, f"first-time:{self._item}", on=self._setting.first_time)
        for name, wrong in self._setting.counts.items():
            raise_count(guard, tx.table.counters[name], wrong, None, tx.now)
        for lock in self._setting.locks:
            _import_lock(tx, key, guard, lock, self._operator)
        tx.put(key, guard)
        tx.tell(Event(EventKind.ITEM_SET, key, item=self._item, operator=self._operator.name))
        return None

    def _put(self, tx: Tx, secret: str, record: Secret) -> None:
        """The same token once more stays as it is: its used codes are used. Of what takes the place of another the customer is told."""
        present = tx.get(secret, Secret)
        if present is not None and record.token is not None and self._secrets.same_seed(present, record):
            return
        tx.put(secret, record)
        if present is not None:
            announce(tx, self._told, SET.get(record.kind, "secret-set"))

    def _register(self, tx: Tx, key: str, guard: Guard) -> None:
        """A new secret ends the penalty that erased the old one, and the count that led to it."""
        for lock in list(guard.locks):
            if lock.kind is PenaltyKind.ERASE and self._item in lock.items:
                lock.items.remove(self._item)
                if not lock.items:
                    release.lift(key, guard, lock, {key: guard}, tx.table, tx.tell, path="register-again", operator=self._operator.name)
                elif lock.counter in guard.counts:
                    budget.zero(guard.counts[lock.counter])


def _set_flag(guard: Guard, flag: str, *, on: bool) -> None:
    flags = set(guard.flags)
    guard.flags = sorted(flags | {flag} if on else flags - {flag})


def _kept(item: Item, subject: str, secret: str) -> str:
    """A secret in the form that is compared.

    Raises:
        CallerError: no entry of this item, or of this subject, is ever compared with one, or it is empty.

    """
    if item.kind in {ItemKind.IDENTIFIER, ItemKind.DATA}:
        raise CallerError("what is entered here is compared with no secret" + (f"; set {item.renews}" if item.renews else ""))
    if not subject.startswith(f"{item.reach}:"):
        raise CallerError(f"this item is the {item.reach}'s: {item.reach}:…")
    folded = secret if item.kind in {ItemKind.TOTP, ItemKind.OCRA} else fold(item.kind, secret)
    if not folded:
        raise CallerError("the secret is empty")
    return folded


def _import_faults(table: Table, setting: ItemSetting, kind: str) -> list[str]:
    faults = ["the policy has no counter of one of these names"] if not table.counters.keys() >= setting.counts.keys() else []
    unknown = any(legacy(table, lock.row, kind) is None for lock in setting.locks)
    return [*faults, "the policy has no lock for one of these rows on this kind of subject"] if unknown else faults


def _import_lock(tx: Tx, key: str, guard: Guard, imported: ImportedLock, operator: Operator) -> None:
    found = legacy(tx.table, imported.row, key.partition(":")[0])
    since = tx.now if imported.since is None else int(imported.since.timestamp() * SECOND)
    for lock in () if found is None else set_legacy(key, guard, imported.row, found, since, tx.now):
        tx.tell(Event(EventKind.LOCK_SET, key, row=lock.row, lock=lock.id, until=lock.until, operator=operator.name, reason="imported"))


class _View:
    def __init__(self, subjects: Subjects, subject: str, items: Sequence[str]) -> None:
        self._subject = subject
        self._items = items
        self._where = Row(subjects, subject)
        self.keys = [*self._where.keys, addresses_key(subject), *(secret_key(subject, item) for item in items)]

    def decide(self, tx: Tx) -> tuple[str, Guard, list[tuple[str, Secret]], Addresses, int]:
        key, guard = self._where.read(tx)
        held = [(item, secret) for item in self._items if (secret := tx.get(secret_key(self._subject, item), Secret)) is not None]
        return key, guard, held, tx.get(addresses_key(self._subject), Addresses) or Addresses(), tx.now


class Desk:
    """The staff's side."""

    def __init__(self, ledger: Ledger, store: Store, subjects: Subjects, secrets: Secrets, codes: Codes) -> None:
        self._codes = codes
        self._ledger = ledger
        self._store = store
        self._subjects = subjects
        self._secrets = secrets

    async def enrol(self, table: Table, subject: str, enrolment: Enrolment, operator: Operator) -> bool:
        """Make a subject known, or change what is known of it. Whether it is new.

        Raises:
            CallerError: a name, a kind or a flag that the policy does not know.

        """
        checked_subject(subject)
        for kind, linked in enrolment.links.items():
            if kind not in set(Reach) or not checked_subject(linked).startswith(f"{kind}:"):
                detail = "a link goes from a kind to a subject of that kind"
                raise CallerError(detail)
        for account in enrolment.accounts:
            checked_subject(account)
        if enrolment.addresses:
            addresses.checked(enrolment.addresses, table)
        return await self._ledger.run(_Enrol(self._codes, subject, enrolment, operator))

    async def set_item(self, table: Table, subject: str, item: str, setting: ItemSetting, operator: Operator) -> Denied | None:
        """Set or import a secret, counts, locks.

        Raises:
            CallerError: the policy has no such item, or the secret cannot be one.

        """
        checked_subject(subject)
        known = table.items.get(item)
        if known is None:
            detail = "the policy has no such item"
            raise CallerError(detail)
        item, record = known.resyncs or item, None
        if setting.secret is not None:
            record = self._secrets.make(known.kind.value, _kept(known, subject, setting.secret))
        told = await customer_of(self._store, subject)
        return await self._ledger.run(_SetItem(self._secrets, subject, item, setting, record, operator, told))

    async def view(self, table: Table, subject: str, refusals: Mapping[tuple[str, str], Sequence[int]], role: Role) -> dict[str, Any]:
        """Everything staff may know about a subject: counts with their stages, locks with their ways out, recent events."""
        items = sorted(name for name, item in table.items.items() if item.reach.value == looked_at(subject).partition(":")[0])
        key, guard, held, book, now = await self._ledger.run(_View(self._subjects, subject, items))
        return {
            "subject": subject,
            "known": guard.known,
            "links": guard.links,
            "accounts": guard.accounts,
            "flags": guard.flags,
            "authenticators": [{"item": item, "kind": table.items[item].kind, **shown_token(secret)} for item, secret in held],
            "addresses": [
                {**shown_address(one, whole=role not in MASKED_FOR), "health": shown_health(book.heard.get(one.id, []), now)} for one in book.known
            ],
            "devices": shown_devices(guard, table, now),
            "counts": [shown_count(name, count, table.counters.get(name), now) for name, count in sorted(with_shares(guard, table).items())],
            "locks": [shown_lock(lock, table, refusals.get((key, lock.id))) for lock in guard.locks if lock.stands(now)],
            "forms": await papers.shown(self._store, subject, whole=role not in MASKED_FOR),
            "approvals": await approvals.shown(self._store, subject),
            "events": await self._history(guard),
        }

    async def _history(self, guard: Guard) -> list[dict[str, Any]]:
        """Follow the chain of this subject's events back from the newest."""
        shown: list[dict[str, Any]] = []
        at = guard.event
        while at is not None and len(shown) < HISTORY:
            link = await self._store.link(*at)
            if link is None:
                break
            event = msgspec.msgpack.decode(link.body, type=list[Event])[at[1] - link.first]
            shown.append(shown_event(event))
            at = event.previous
        return shown
