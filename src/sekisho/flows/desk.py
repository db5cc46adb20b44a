"""What staff do: enrol a subject, set an item, see everything about one customer, lift a lock.

Every act names its operator, and what needs a second person waits for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from sekisho.core import budget, release
from sekisho.core.address import masked
from sekisho.core.fold import fold
from sekisho.core.state import SECOND, Address, Addresses, Count, Guard, Lock, Secret, decode
from sekisho.core.takeover import legacy, raise_count, set_legacy
from sekisho.errors import CallerError
from sekisho.events import Event, EventKind
from sekisho.flows import addresses, approvals, effects
from sekisho.flows.addresses import Enrolled, addresses_key
from sekisho.flows.approvals import Approval
from sekisho.flows.effects import secret_key
from sekisho.flows.names import checked_subject
from sekisho.flows.replay import InFlight, OtherBody, Repeated, Replay, remember, remembered
from sekisho.flows.subjects import Subjects
from sekisho.policy.table import Counter, ReleasePath, Table
from sekisho.ports import Codes, Ledger, Secrets, Store, Tx
from sekisho.terms import PathKind, PenaltyKind, Reach, Role

HISTORY = 20
"""Recent events that staff see beside a customer's state."""


class Denied(msgspec.Struct, frozen=True):
    """Staff may not do this; the reason is for staff."""

    code: str
    reason: str
    conflict: bool = False


class Lifted(msgspec.Struct, frozen=True, tag="lifted"):
    """The lock is gone."""

    lock: str
    path: str


class Awaits(msgspec.Struct, frozen=True, tag="awaits"):
    """A second person must approve."""

    approval: str


class Operator(msgspec.Struct, frozen=True):
    """Who acts: one person's key."""

    name: str
    role: Role


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
        self.keys = [subject, addresses_key(subject), *(effects.application_key(linked) for linked in enrolment.links.values())]
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
        guard.links = dict(self._enrolment.links)
        guard.accounts = list(self._enrolment.accounts)
        guard.flags = sorted({*self._enrolment.flags, *(flag for flag in guard.flags if flag.partition(":")[0] in _OF_ITEMS)})
        if self._enrolment.addresses is not None:
            book = addresses.on_file(tx.get(self.keys[1], Addresses), key, self._enrolment.addresses, self._codes, tx.now)
            tx.put(self.keys[1], book)
        chosen = effects.adopt(tx, key, guard, self._enrolment.links.values(), self._codes) if new else []
        tx.put(key, guard)
        tx.tell(Event(EventKind.SUBJECT_ENROLLED, key, operator=self._operator.name))
        for item in chosen:
            tx.tell(Event(EventKind.ITEM_SET, key, item=item, operator=self._operator.name))
        return new


_OF_ITEMS = frozenset({"first-time", "set"})
"""Flags that follow from a subject's items; enrolling it again leaves them."""


class _SetItem:
    def __init__(self, subject: str, item: str, setting: ItemSetting, record: Secret | None, operator: Operator) -> None:
        self.keys = [subject, secret_key(subject, item)]
        self._item = item
        self._setting = setting
        self._record = record
        self._operator = operator

    def decide(self, tx: Tx) -> Denied | None:
        """Set it, or say why not; nothing is half done."""
        key, secret = self.keys
        guard = tx.get(key, Guard)
        if guard is None or not guard.known:
            return Denied("not-enrolled", "enrol the subject first", conflict=True)
        faults = _import_faults(tx.table, self._setting, key.partition(":")[0])
        if faults:
            return Denied("not-in-policy", "; ".join(faults), conflict=True)
        if self._record is not None:
            tx.put(secret, self._record)
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


def _import_faults(table: Table, setting: ItemSetting, kind: str) -> list[str]:
    faults = ["the policy has no counter of one of these names"] if not table.counters.keys() >= setting.counts.keys() else []
    unknown = any(legacy(table, lock.row, kind) is None for lock in setting.locks)
    return [*faults, "the policy has no lock for one of these rows on this kind of subject"] if unknown else faults


def _import_lock(tx: Tx, key: str, guard: Guard, imported: ImportedLock, operator: Operator) -> None:
    found = legacy(tx.table, imported.row, key.partition(":")[0])
    since = tx.now if imported.since is None else int(imported.since.timestamp() * SECOND)
    for lock in () if found is None else set_legacy(key, guard, imported.row, found, since, tx.now):
        tx.tell(Event(EventKind.LOCK_SET, key, row=lock.row, lock=lock.id, until=lock.until, operator=operator.name, reason="imported"))


class _Release:
    """Lift a lock, or put the release before a second person."""

    def __init__(
        self, subject: str, lock: str, source: str | None, path: str, reason: str, evidence: str | None, operator: Operator, approval: str,
        replay: Replay | None,
    ) -> None:
        self.keys = [subject, *([source] if source else []), approvals.key_of(approval), approvals.LIST, *([replay.key] if replay else [])]
        self._replay = replay
        self._subject = subject
        self._lock = lock
        self._path = path
        self._reason = reason
        self._evidence = evidence
        self._operator = operator
        self._approval = approval

    def decide(self, tx: Tx) -> Denied | Lifted | Awaits | Repeated | OtherBody | InFlight:
        """Release, or say why not; a request sent twice is one request."""
        told = remembered(tx, self._replay)
        if told is not None:
            return told
        done = self._release(tx)
        if not isinstance(done, Denied):
            remember(tx, self._replay, done)
        return done

    def _release(self, tx: Tx) -> Denied | Lifted | Awaits:
        """Check the path, the role and the hour, all at the time of the act."""
        guard = tx.get(self._subject, Guard)
        lock = next((lock for lock in guard.locks if lock.id == self._lock and lock.stands(tx.now)), None) if guard else None
        if guard is None or lock is None:
            return Denied("no-such-lock", "there is no such lock any more", conflict=True)
        if self._path not in lock.undo:
            return Denied("path-does-not-lift", f"that path does not lift a lock of row {lock.row}; what does: {', '.join(lock.undo)}", conflict=True)
        path = tx.table.paths.get(self._path)
        refusal = _may_not(path, self._operator, tx.now)
        if refusal is not None or path is None:
            return refusal or Denied("no-such-path", "the policy does not name this path", conflict=True)
        if path.second_person:
            return self._ask(tx, lock)
        return _carry_out(tx, self._subject, guard, lock, path, self._operator.name, self._reason)

    def _ask(self, tx: Tx, lock: Lock) -> Awaits:
        approvals.put_down(tx, self._approval, Approval(
            subject=self._subject, lock=lock.id, row=lock.row, path=self._path, reason=self._reason, evidence=self._evidence,
            asked_by=self._operator.name, asked_at=tx.now, expires=approvals.lapses_at(tx.now),
        ))
        tx.tell(Event(
            EventKind.RELEASE_ASKED, self._subject, lock=self._lock, path=self._path, operator=self._operator.name, reason=self._reason,
        ))
        return Awaits(self._approval)


class _Approve:
    """The second person carries the release out."""

    def __init__(self, approval: str, found: Approval, source: str | None, operator: Operator, replay: Replay | None) -> None:
        self.keys = [
            approvals.key_of(approval), approvals.LIST, found.subject, *([source] if source else []), *([replay.key] if replay else []),
        ]
        self._approval = approval
        self._operator = operator
        self._replay = replay

    def decide(self, tx: Tx) -> Denied | Lifted | Repeated | OtherBody | InFlight:
        """Approve, or say why not; a request sent twice is one request."""
        told = remembered(tx, self._replay)
        if told is not None:
            return told
        done = self._approve(tx)
        if isinstance(done, Lifted):
            remember(tx, self._replay, done)
        return done

    def _approve(self, tx: Tx) -> Denied | Lifted:
        """Another operator of a role that may, within the time."""
        key = self.keys[0]
        found = tx.get(key, Approval)
        if found is None or tx.now >= found.expires:
            return Denied("no-such-approval", "there is no such approval, or it has lapsed", conflict=True)
        if found.done_by is not None:
            return Denied("carried-out-already", "it has been carried out already", conflict=True)
        if found.asked_by == self._operator.name:
            return Denied("same-person", "whoever asked for a release cannot approve it")
        path = tx.table.paths.get(found.path)
        refusal = _may_not(path, self._operator, tx.now)
        guard = tx.get(found.subject, Guard)
        lock = next((lock for lock in guard.locks if lock.id == found.lock), None) if guard else None
        if refusal is not None or path is None:
            return refusal or Denied("no-such-path", "the policy no longer names this path", conflict=True)
        if guard is None or lock is None:
            approvals.take_off(tx, self._approval)
            return Denied("no-such-lock", "there is no such lock any more", conflict=True)
        found.done_by = self._operator.name
        tx.put(key, found)
        approvals.take_off(tx, self._approval)
        return _carry_out(tx, found.subject, guard, lock, path, f"{found.asked_by}, {self._operator.name}", found.reason)


def _may_not(path: ReleasePath | None, operator: Operator, now: int) -> Denied | None:
    if path is None:
        return Denied("no-such-path", "the policy does not name this path", conflict=True)
    if path.kind in {PathKind.PROCEDURE, PathKind.WAIT, PathKind.START_OVER, PathKind.DEVICE}:
        return Denied("customer-himself", f"{path.text.en}: the customer does this himself", conflict=True)
    if path.kind is PathKind.NONE or not path.roles:
        return Denied("nobody-may", f"{path.text.en}: nobody can lift this lock", conflict=True)
    if operator.role not in path.roles:
        return Denied("needs-role", f"this needs the role {' or '.join(path.roles)}")
    if path.opens_s is not None and not _open(path, path.opens_s, now):
        return Denied("outside-hours", "outside the hours in which this may be done", conflict=True)
    return None


SATURDAY = 5


def _open(path: ReleasePath, hours: tuple[int, int], now: int) -> bool:
    """Whether a path with hours may be walked now."""
    local = datetime.fromtimestamp(now / SECOND, ZoneInfo(path.zone))
    second = local.hour * 3600 + local.minute * 60 + local.second
    return hours[0] <= second < hours[1] and (path.every != "weekday" or local.weekday() < SATURDAY)


def _carry_out(tx: Tx, subject: str, guard: Guard, lock: Lock, path: ReleasePath, operators: str, reason: str) -> Lifted:
    source = lock.source
    sources = {subject: guard}
    if source is not None and source != subject and not source.startswith(("procedure:", "session:")):
        other = tx.get(source, Guard)
        if other is not None:
            sources[source] = other
    # What one stage set at once is lifted at once.
    for one in [other for other in guard.locks if other is lock or _at_once(other, lock, path.name)]:
        release.lift(subject, guard, one, sources, tx.table, tx.tell, path=path.name, operator=operators, reason=reason)
    guard.flags = sorted((set(guard.flags) | set(path.sets)) - set(path.clears))
    for key, row in sources.items():
        tx.put(key, row)
    tx.tell(Event(EventKind.RELEASE_DONE, subject, lock=lock.id, path=path.name, operator=operators, reason=reason))
    return Lifted(lock.id, path.name)


def _at_once(one: Lock, lock: Lock, path: str) -> bool:
    return lock.counter is not None and (one.counter, one.since) == (lock.counter, lock.since) and path in one.undo


class _View:
    def __init__(self, subjects: Subjects, subject: str, items: Sequence[str]) -> None:
        self._subject = subject
        self._items = items
        self._bucket = subjects.bucket(subject)
        self.keys = [subject, self._bucket, addresses_key(subject), *(secret_key(subject, item) for item in items)]

    def decide(self, tx: Tx) -> tuple[str, Guard, list[str], list[Address], int]:
        guard = tx.get(self._subject, Guard)
        key = self._subject
        if guard is None or not guard.known:
            key, guard = self._bucket, tx.get(self._bucket, Guard) or Guard()
        held = [item for item in self._items if tx.get(secret_key(self._subject, item), Secret) is not None]
        book = tx.get(addresses_key(self._subject), Addresses)
        return key, guard, held, book.known if book else [], tx.now


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
        record = None
        if setting.secret is not None:
            folded = setting.secret if known.kind.value == "totp" else fold(known.kind, setting.secret)
            record = self._secrets.make(known.kind.value, folded)
        return await self._ledger.run(_SetItem(subject, item, setting, record, operator))

    async def release(
        self, subject: str, lock: str, path: str, reason: str, evidence: str | None, operator: Operator, approval: str,
        replay: Replay | None = None,
    ) -> Denied | Lifted | Awaits | Repeated | OtherBody | InFlight:
        """Lift a lock by a path, or ask a second person to."""
        key, guard = await self._guard(subject)
        source = next((one.source for one in guard.locks if one.id == lock), None)
        return await self._ledger.run(_Release(key, lock, source, path, reason, evidence, operator, approval, replay))

    async def _guard(self, subject: str) -> tuple[str, Guard]:
        body = (await self._store.peek([checked_subject(subject)])).get(subject)
        return subject, Guard() if body is None else decode(body, Guard)

    async def approve(
        self, approval: str, operator: Operator, replay: Replay | None = None,
    ) -> Denied | Lifted | Repeated | OtherBody | InFlight:
        """Carry out what another operator asked for."""
        key = approvals.key_of(approval)
        body = (await self._store.peek([key])).get(key)
        if body is None:
            return Denied("no-such-approval", "there is no such approval", conflict=True)
        found = decode(body, Approval)
        _, guard = await self._guard(found.subject)
        source = next((lock.source for lock in guard.locks if lock.id == found.lock), None)
        return await self._ledger.run(_Approve(approval, found, source, operator, replay))

    async def waiting(self, subject: str | None = None) -> list[dict[str, Any]]:
        """The releases that wait for a second person, of one subject or of all; the one that lapses soonest first."""
        return [
            {
                "approval": approval, "subject": asked.subject, "lock": asked.lock, "row": asked.row, "path": asked.path, "reason": asked.reason,
                "evidence": asked.evidence, "asked_by": asked.asked_by, "asked_at": rfc3339(asked.asked_at), "lapses": rfc3339(asked.expires),
            }
            for approval, asked in await approvals.waiting(self._store) if subject in {None, asked.subject}
        ]

    async def view(self, table: Table, subject: str, refusals: Mapping[tuple[str, str], Sequence[int]], role: Role) -> dict[str, Any]:
        """Everything staff may know about a subject: counts with their stages, locks with their ways out, recent events."""
        items = sorted(name for name, item in table.items.items() if item.reach.value == checked_subject(subject).partition(":")[0])
        key, guard, held, known, now = await self._ledger.run(_View(self._subjects, subject, items))
        return {
            "subject": subject,
            "known": guard.known,
            "links": guard.links,
            "accounts": guard.accounts,
            "flags": guard.flags,
            "authenticators": [{"item": item, "kind": table.items[item].kind} for item in held],
            "addresses": [_shown_address(one, whole=role not in MASKED_FOR) for one in known],
            "counts": [_shown_count(name, count, table.counters.get(name), now) for name, count in sorted(guard.counts.items())],
            "locks": [_shown_lock(lock, table, refusals.get((key, lock.id))) for lock in guard.locks if lock.stands(now)],
            "approvals": await self.waiting(subject),
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


def rfc3339(at: int | None) -> str | None:
    """A ledger time as RFC 3339 in UTC, to the millisecond."""
    if at is None:
        return None
    return datetime.fromtimestamp(at / SECOND, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown_event(event: Event) -> dict[str, Any]:
    """An event as staff read it."""
    shown = msgspec.to_builtins(event)
    shown.pop("previous", None)
    return {**shown, "at": rfc3339(event.at), **({"until": rfc3339(event.until)} if event.until else {})}


MASKED_FOR = frozenset({Role.FIRST_LINE, Role.AUDITOR})
"""Who sees that there is an address, and not which."""


def _shown_address(one: Address, *, whole: bool) -> dict[str, Any]:
    to = one.to if whole else masked(one.way, one.to)
    return {"id": one.id, "kind": one.way, "address": to, "state": one.state, "since": rfc3339(one.since)}


def _shown_count(name: str, count: Count, counter: Counter | None, now: int) -> dict[str, Any]:
    if counter is not None:
        budget.refresh(count, counter, now)
    return {
        "counter": name, "wrong": count.wrong, "in_flight": count.flight,
        "by_item": {item: tally.wrong for item, tally in count.tallies.items()},
        "stages": [{"wrong": one.wrong, "row": one.row, "fired": one.wrong <= count.fired} for one in (counter.stages if counter else ())],
    }


def _shown_hours(path: ReleasePath, opens_s: tuple[int, int]) -> dict[str, str]:
    """When a path may be walked, as staff read it."""
    since, until = (f"{second // 3600:02}:{second % 3600 // 60:02}" for second in opens_s)
    return {"from": since, "until": until, "every": path.every, "zone": path.zone}


def _shown_lock(lock: Lock, table: Table, refused: Sequence[int] | None) -> dict[str, Any]:
    paths = [table.paths[name] for name in lock.undo if name in table.paths]
    return {
        "id": lock.id, "row": lock.row, "kind": lock.kind, "stage": lock.wrong or None,
        "since": rfc3339(lock.since), "until": rfc3339(lock.until),
        "operations": lock.operations, "spares": lock.spares, "items": lock.items, "counter": lock.counter,
        "release": [
            {
                "path": p.name, "kind": p.kind, "ja": p.text.ja, "en": p.text.en, "roles": p.roles, "second_person": p.second_person,
                "hours": None if p.opens_s is None else _shown_hours(p, p.opens_s),
            }
            for p in paths
        ],
        "refused": {
            "number": lock.refused + (refused[0] if refused else 0),
            "first": rfc3339(lock.first_refused), "last": rfc3339(lock.last_refused),
        },
    }
