"""How a lock is lifted at the desk: by an operator of the right role within the hours, and a second person where the policy asks for one."""

from __future__ import annotations

from sekisho.core import release
from sekisho.core.case import CALLER, CASE, REMEDIES, is_open
from sekisho.core.state import Guard, Lock, decode
from sekisho.events import Event, EventKind
from sekisho.flows import approvals
from sekisho.flows.acts import Awaits, Denied, Lifted, Operator, once
from sekisho.flows.approvals import Approval
from sekisho.flows.attempt import touch_bucket
from sekisho.flows.names import looked_at
from sekisho.flows.replay import InFlight, OtherBody, Repeated, Replay
from sekisho.flows.subjects import Row, Subjects
from sekisho.flows.telling import announce, announcements_key, customer_of
from sekisho.policy.table import ReleasePath, Table
from sekisho.ports import Ledger, Store, Tx
from sekisho.terms import PathKind


class _Release:
    """Lift a lock, or put the release before a second person."""

    def __init__(
        self, where: Row, subject: str, lock: str, source: str | None, path: str, reason: str, evidence: str | None, operator: Operator,
        approval: str, replay: Replay | None, told: str,
    ) -> None:
        self._told = told
        self.keys = [
            *where.keys, announcements_key(told), *([source] if source else []), approvals.key_of(approval), approvals.LIST,
            *([replay.key] if replay else []),
        ]
        self._where = where
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
        return once(tx, self._replay, self._release)

    def _release(self, tx: Tx) -> Denied | Lifted | Awaits:
        """Check the path, the role and the hour, all at the time of the act."""
        key, guard = self._where.read(tx)
        lock = next((lock for lock in guard.locks if lock.id == self._lock and lock.stands(tx.now)), None)
        if lock is None:
            return Denied("no-such-lock", "there is no such lock any more", conflict=True)
        if self._path not in lock.undo:
            return Denied("path-does-not-lift", f"that path does not lift a lock of row {lock.row}; what does: {', '.join(lock.undo)}", conflict=True)
        path = tx.table.paths.get(self._path)
        refusal = may_walk(path, self._operator, tx.now) or _in_case(path, tx.table)
        if refusal is not None or path is None:
            return refusal or Denied("no-such-path", "the policy does not name this path", conflict=True)
        if path.second_person:
            return self._ask(tx, lock)
        return _carry_out(tx, key, guard, lock, path, self._operator.name, self._reason, self._told)

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

    def __init__(self, where: Row, approval: str, source: str | None, operator: Operator, replay: Replay | None, told: str) -> None:
        self._told = told
        self.keys = [
            approvals.key_of(approval), approvals.LIST, *where.keys, announcements_key(told), *([source] if source else []),
            *([replay.key] if replay else []),
        ]
        self._where = where
        self._approval = approval
        self._operator = operator
        self._replay = replay

    def decide(self, tx: Tx) -> Denied | Lifted | Repeated | OtherBody | InFlight:
        """Approve, or say why not; a request sent twice is one request."""
        return once(tx, self._replay, self._approve)

    def _approve(self, tx: Tx) -> Denied | Lifted:
        """Another operator of a role that may, within the time."""
        found = approvals.for_second(tx, self._approval, self._operator)
        if isinstance(found, Denied):
            return found
        path = tx.table.paths.get(found.path)
        refusal = may_walk(path, self._operator, tx.now) or _in_case(path, tx.table)
        key, guard = self._where.read(tx)
        lock = next((lock for lock in guard.locks if lock.id == found.lock), None)
        if refusal is not None or path is None:
            return refusal or Denied("no-such-path", "the policy no longer names this path", conflict=True)
        if lock is None:
            approvals.take_off(tx, self._approval)
            return Denied("no-such-lock", "there is no such lock any more", conflict=True)
        approvals.carried_out(tx, self._approval, found, self._operator)
        return _carry_out(tx, key, guard, lock, path, f"{found.asked_by}, {self._operator.name}", found.reason, self._told)


def may_walk(path: ReleasePath | None, operator: Operator, now: int) -> Denied | None:
    """Why an operator may not carry out a path now; None: he may."""
    if path is None:
        return Denied("no-such-path", "the policy does not name this path", conflict=True)
    if path.kind in {PathKind.PROCEDURE, PathKind.WAIT, PathKind.START_OVER, PathKind.DEVICE}:
        return Denied("customer-himself", f"{path.text.en}: the customer does this himself", conflict=True)
    if path.kind is PathKind.NONE or not path.roles:
        return Denied("nobody-may", f"{path.text.en}: nobody can lift this lock", conflict=True)
    if operator.role not in path.roles:
        return Denied("needs-role", f"this needs the role {' or '.join(path.roles)}")
    if path.opens_s is not None and not is_open(path.opens_s, path.every, path.zone, now):
        return Denied("outside-hours", "outside the hours in which this may be done", conflict=True)
    return None


def _in_case(path: ReleasePath | None, table: Table) -> Denied | None:
    """Where callers are verified here, what rests on that is done from the case that says so, and not on an operator's word."""
    needs = {name for names in path.cases[-1].needs for name in names} if path is not None and path.cases else set()
    if table.cases.get("verify") is None or needs.isdisjoint({CALLER, CASE, REMEDIES}):
        return None
    return Denied("needs-case", "this rests on a verified caller: open a case and do it from there", conflict=True)


def _carry_out(tx: Tx, subject: str, guard: Guard, lock: Lock, path: ReleasePath, operators: str, reason: str, told: str) -> Lifted:
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
        if key.startswith("~"):
            touch_bucket(tx, key, row)
        else:
            tx.put(key, row)
    tx.tell(Event(EventKind.RELEASE_DONE, subject, lock=lock.id, path=path.name, operator=operators, reason=reason))
    if guard.known:
        announce(tx, told, "desk-act", letter="letter" in path.tells)
    return Lifted(lock.id, path.name)


def _at_once(one: Lock, lock: Lock, path: str) -> bool:
    return lock.counter is not None and (one.source, one.counter, one.since) == (lock.source, lock.counter, lock.since) and path in one.undo


class Releases:
    """All releases of one lock."""

    def __init__(self, ledger: Ledger, store: Store, subjects: Subjects) -> None:
        self._ledger = ledger
        self._store = store
        self._subjects = subjects

    async def release(
        self, subject: str, lock: str, path: str, reason: str, evidence: str | None, operator: Operator, approval: str,
        replay: Replay | None = None,
    ) -> Denied | Lifted | Awaits | Repeated | OtherBody | InFlight:
        """Lift a lock by a path, or ask a second person to."""
        where = Row(self._subjects, looked_at(subject))
        source, told = await self._source(where, lock), await customer_of(self._store, looked_at(subject))
        return await self._ledger.run(_Release(where, subject, lock, source, path, reason, evidence, operator, approval, replay, told))

    async def _source(self, where: Row, lock: str) -> str | None:
        """The row on which the count stands that led to a lock."""
        rows = [decode(body, Guard) for body in (await self._store.peek(list(where.keys))).values()]
        return next((one.source for row in rows for one in row.locks if one.id == lock), None)

    async def approve(
        self, approval: str, operator: Operator, replay: Replay | None = None,
    ) -> Denied | Lifted | Repeated | OtherBody | InFlight:
        """Carry out what another operator asked for."""
        key = approvals.key_of(approval)
        body = (await self._store.peek([key])).get(key)
        if body is None:
            return Denied("no-such-approval", "there is no such approval", conflict=True)
        found = decode(body, Approval)
        where = Row(self._subjects, found.subject)
        source, told = await self._source(where, found.lock), await customer_of(self._store, found.subject)
        return await self._ledger.run(_Approve(where, approval, source, operator, replay, told))
