"""Incidents: locks that fell by the bank's own fault, found by row and time and released together by two persons (M-BULK-1).

Every lock is lifted in a commit of its own subject, with an event that names both persons. How far a release has come stands on
the incident's row: whoever is interrupted goes on there, any node does, and a lock that is gone is not lifted again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from sekisho.core import release
from sekisho.core.state import FORMAT, Guard, Lock, decode
from sekisho.errors import CallerError
from sekisho.events import Event, EventKind
from sekisho.flows import approvals
from sekisho.flows.acts import Awaits, Denied, Lifted, Operator, once
from sekisho.flows.approvals import Approval
from sekisho.flows.names import KINDS
from sekisho.flows.replay import InFlight, OtherBody, Repeated, Replay
from sekisho.policy.table import RUN_ENDS, Table
from sekisho.ports import Ledger, Store, Tx

PAGE = 200
"""Subjects looked at in one step."""

PATH = "incident"
"""The release path that opens for the locks of an incident, and for no others."""

MAY = "release-locks"
"""What the policy's desk calls it."""

UNDER_WAY = "incidents"
"""The row that names the incidents whose release is under way."""

_PREFIXES = sorted([*(f"{kind}:" for kind in KINDS), "~"])
"""Where locks can stand: subjects, and the rows of strangers."""


class Incident(msgspec.Struct, omit_defaults=True):
    """One fault of the bank's own."""

    v: int = FORMAT
    reason: str = ""
    rows: list[str] = []
    """Rows of the table whose locks it is about."""
    since: int = 0
    until: int = 0
    """When those locks were set."""
    opened_by: str = ""
    opened_at: int = 0
    released_by: str | None = None
    """Both persons, once the second has agreed."""
    after: str = ""
    """The last row that the release has looked at."""
    released: int = 0
    """Locks lifted."""
    done: bool = False

    def holds(self, lock: Lock, now: int) -> bool:
        """Whether a lock is one of those it is about."""
        return lock.row in self.rows and self.since <= lock.since <= self.until and lock.stands(now)


class UnderWay(msgspec.Struct, omit_defaults=True):
    """Incidents whose release has begun and has not come to its end."""

    v: int = FORMAT
    incidents: list[str] = []


class Opened(msgspec.Struct):
    """The incident is on record."""

    incident: str


def incident_key(name: str) -> str:
    """The row of an incident."""
    return f"incident:{name}"


def may_release(table: Table, operator: Operator) -> Denied | None:
    """Whether the policy lets this role release locks together at all."""
    if not table.incidents:
        return Denied("no-incidents", "the policy in force has no `incidents:`, so no locks are released together", conflict=True)
    if MAY not in table.desk.get(operator.role, {}).get("may", ()):
        return Denied("may-not-release", f"this needs a role that may `{MAY}`")
    return None


def releasable(table: Table) -> set[str]:
    """Rows whose stages set locks: what a customer, an abolished item or an emergency stop has set is nobody's fault here."""
    return {
        row for counter in table.counters.values() for stage in counter.stages
        if any(penalty.kind not in RUN_ENDS for penalty in stage.penalties) for row in (stage.row, *stage.also)
    }


class _Open:
    """Put an incident on record."""

    def __init__(self, name: str, incident: Incident, operator: Operator, replay: Replay | None) -> None:
        self.keys: Sequence[str] = [incident_key(name), *([replay.key] if replay else [])]
        self._name, self._incident, self._operator, self._replay = name, incident, operator, replay

    def decide(self, tx: Tx) -> Opened | Denied | Repeated | OtherBody | InFlight:
        """Open it, or say why not."""
        return once(tx, self._replay, self._open)

    def _open(self, tx: Tx) -> Opened | Denied:
        denied = may_release(tx.table, self._operator)
        if denied is not None:
            return denied
        made = msgspec.structs.replace(self._incident, opened_at=tx.now)
        if not set(made.rows) <= releasable(tx.table):
            return Denied("row-sets-no-lock", "one of these rows sets no lock by which wrong entries are punished", conflict=True)
        if not made.since < made.until <= tx.now:
            return Denied("no-such-time", "an incident lies in the past, and ends after it begins", conflict=True)
        tx.put(self.keys[0], made)
        tx.tell(Event(EventKind.INCIDENT_OPENED, self.keys[0], operator=self._operator.name, reason=made.reason))
        return Opened(self._name)


class _Ask:
    """Put the release of an incident before a second person, or begin it where the policy asks for one alone."""

    def __init__(self, name: str, operator: Operator, approval: str, replay: Replay | None) -> None:
        self.keys: Sequence[str] = [
            incident_key(name), approvals.key_of(approval), approvals.LIST, UNDER_WAY, *([replay.key] if replay else []),
        ]
        self._name, self._operator, self._approval, self._replay = name, operator, approval, replay

    def decide(self, tx: Tx) -> Denied | Awaits | Lifted | Repeated | OtherBody | InFlight:
        """Ask; a release that is under way already only goes on."""
        return once(tx, self._replay, self._ask)

    def _ask(self, tx: Tx) -> Denied | Awaits | Lifted:
        denied = may_release(tx.table, self._operator)
        incident = tx.get(self.keys[0], Incident)
        if denied is not None or incident is None:
            return denied or Denied("no-such-incident", "there is no such incident", conflict=True)
        if incident.released_by is not None:
            return Lifted(self._name, PATH)
        if tx.table.incidents["approve"] == "one":
            return _begin(tx, self._name, incident, self._operator.name)
        approvals.put_down(tx, self._approval, Approval(
            subject=self.keys[0], lock=self._name, row=", ".join(incident.rows), path=PATH, reason=incident.reason,
            asked_by=self._operator.name, asked_at=tx.now, expires=approvals.lapses_at(tx.now),
        ))
        tx.tell(Event(EventKind.RELEASE_ASKED, self.keys[0], path=PATH, operator=self._operator.name, reason=incident.reason))
        return Awaits(self._approval)


class _Approve:
    """The second person agrees: the release begins."""

    def __init__(self, approval: str, name: str, operator: Operator, replay: Replay | None) -> None:
        self.keys: Sequence[str] = [
            approvals.key_of(approval), approvals.LIST, incident_key(name), UNDER_WAY, *([replay.key] if replay else []),
        ]
        self._approval, self._name, self._operator, self._replay = approval, name, operator, replay

    def decide(self, tx: Tx) -> Denied | Lifted | Repeated | OtherBody | InFlight:
        """Approve, or say why not."""
        return once(tx, self._replay, self._approve)

    def _approve(self, tx: Tx) -> Denied | Lifted:
        found, incident = approvals.for_second(tx, self._approval, self._operator), tx.get(self.keys[2], Incident)
        if isinstance(found, Denied) or incident is None:
            return found if isinstance(found, Denied) else Denied("no-such-incident", "there is no such incident", conflict=True)
        if incident.released_by is not None:
            return Denied("carried-out-already", "it has been carried out already", conflict=True)
        denied = may_release(tx.table, self._operator)
        if denied is not None:
            return denied
        approvals.carried_out(tx, self._approval, found, self._operator)
        return _begin(tx, self._name, incident, f"{found.asked_by}, {self._operator.name}")


def _begin(tx: Tx, name: str, incident: Incident, operators: str) -> Lifted:
    incident.released_by = operators
    tx.put(incident_key(name), incident)
    under_way = tx.get(UNDER_WAY, UnderWay) or UnderWay()
    tx.put(UNDER_WAY, UnderWay(incidents=[*under_way.incidents, name]))
    tx.tell(Event(EventKind.INCIDENT_RELEASED, incident_key(name), path=PATH, operator=operators, reason=incident.reason))
    return Lifted(name, PATH)


class _Release:
    """Lift an incident's locks on one subject."""

    def __init__(self, name: str, subject: str, sources: Sequence[str]) -> None:
        self.keys: Sequence[str] = [incident_key(name), subject, *sources]

    def decide(self, tx: Tx) -> int:
        """How many were lifted."""
        key, subject = self.keys[0], self.keys[1]
        incident, guard = tx.get(key, Incident), tx.get(subject, Guard)
        if incident is None or guard is None or incident.released_by is None:
            return 0
        found = [lock for lock in guard.locks if incident.holds(lock, tx.now) and release.is_at_hand(lock, self.keys[1:])]
        sources = {source: row for source in self.keys[2:] if (row := tx.get(source, Guard)) is not None}
        sources[subject] = guard
        for lock in found:
            release.lift(
                subject, guard, lock, sources, tx.table, tx.tell, path=PATH, operator=incident.released_by, reason=incident.reason,
            )
        if found:
            incident.released += len(found)
            tx.put(key, incident)
            for source, row in sources.items():
                tx.put(source, row)
        return len(found)


class _Note:
    """Note how far a release has come."""

    def __init__(self, name: str, after: str | None) -> None:
        self.keys: Sequence[str] = [incident_key(name), UNDER_WAY]
        self._name, self._after = name, after

    def decide(self, tx: Tx) -> None:
        """None: all rows have been looked at."""
        incident = tx.get(self.keys[0], Incident)
        if incident is None or incident.done:
            return
        if self._after is not None:
            incident.after = max(incident.after, self._after)
        else:
            incident.done = True
            left = tx.get(UNDER_WAY, UnderWay) or UnderWay()
            tx.put(UNDER_WAY, UnderWay(incidents=[name for name in left.incidents if name != self._name]))
            tx.tell(Event(
                EventKind.INCIDENT_DONE, self.keys[0], operator=incident.released_by, reason=incident.reason, number=incident.released,
            ))
        tx.put(self.keys[0], incident)


class Incidents:
    """All incidents."""

    def __init__(self, ledger: Ledger, store: Store) -> None:
        self._ledger = ledger
        self._store = store

    async def open(self, name: str, incident: Incident, operator: Operator, replay: Replay | None = None) -> (
        Opened | Denied | Repeated | OtherBody | InFlight
    ):
        """Put an incident on record; nothing is released by that."""
        return await self._ledger.run(_Open(name, incident, operator, replay))

    async def standing(self, name: str) -> Incident | None:
        """An incident as it stands; None: there is none of this name."""
        body = (await self._store.peek([incident_key(name)])).get(incident_key(name))
        return None if body is None else decode(body, Incident)

    async def newest(self, limit: int = 100) -> list[tuple[str, Incident]]:
        """Incidents with their names."""
        rows = await self._store.rows("incident:", "", limit)
        return [(key.partition(":")[2], decode(body, Incident)) for key, body in rows]

    async def locks(self, incident: Incident, after: str) -> tuple[list[dict[str, Any]], str | None]:
        """The locks it is about, some subjects at a time: those after a row's name, and where to go on; None: that was all."""
        page = await self._page(after)
        now = await self._store.clock()
        found = [
            {"subject": key, "lock": lock.id, "row": lock.row, "since": lock.since}
            for key, guard in page for lock in guard.locks if incident.holds(lock, now)
        ]
        return found, page[-1][0] if page else None

    async def _page(self, after: str) -> list[tuple[str, Guard]]:
        for prefix in _PREFIXES:
            inside = after.startswith(prefix)
            if prefix < after and not inside:
                continue
            page = await self._store.rows(prefix, after if inside else "", PAGE)
            if page:
                return [(key, decode(body, Guard)) for key, body in page]
        return []

    async def ask(self, name: str, operator: Operator, approval: str, replay: Replay | None = None) -> (
        Denied | Awaits | Lifted | Repeated | OtherBody | InFlight
    ):
        """Ask a second person for the release of all its locks."""
        return await self._ledger.run(_Ask(name, operator, approval, replay))

    async def asked(self, approval: str) -> str | None:
        """Which incident an approval is about; None: it is about none."""
        key = approvals.key_of(approval)
        body = (await self._store.peek([key])).get(key)
        found = None if body is None else decode(body, Approval)
        return found.lock if found is not None and found.subject == incident_key(found.lock) else None

    async def approve(self, approval: str, name: str, operator: Operator, replay: Replay | None = None) -> (
        Denied | Lifted | Repeated | OtherBody | InFlight
    ):
        """The second person agrees; nodes carry it out from here on."""
        return await self._ledger.run(_Approve(approval, name, operator, replay))

    async def go_on(self) -> bool:
        """One step of every release that is under way. Whether there was any."""
        body = (await self._store.peek([UNDER_WAY])).get(UNDER_WAY)
        names = [] if body is None else decode(body, UnderWay).incidents
        for name in names:
            await self._step(name)
        return bool(names)

    async def _step(self, name: str) -> None:
        incident = await self.standing(name)
        if incident is None:
            raise CallerError("there is no such incident")
        page = await self._page(incident.after)
        now = await self._store.clock()
        works = [
            _Release(name, key, sorted({str(lock.source) for lock in guard.locks if release.is_row(lock.source)} - {key}))
            for key, guard in page if any(incident.holds(lock, now) for lock in guard.locks)
        ]
        await asyncio.gather(*(self._ledger.run(work) for work in works))
        await self._ledger.run(_Note(name, page[-1][0] if page else None))
