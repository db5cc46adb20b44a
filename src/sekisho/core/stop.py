"""The emergency stop (M-STOP-1): anybody may close a customer's operations at once, and hardly anybody can open them again.

It asks for no proof, so what it can do to a customer is bounded: somebody who is not known closes for the time that the policy
gives, once in the time that it gives, and is counted wherever he does it. Why so: `docs/why/emergency-stop.md`.
"""

from __future__ import annotations

from enum import StrEnum

from sekisho.core import budget
from sekisho.core.penalty import lock_id, notice_due
from sekisho.core.scene import count_of
from sekisho.core.state import SECOND, Guard, Lock
from sekisho.events import Event, EventKind
from sekisho.policy.table import STOPS_BY_STRANGERS, STOPS_BY_THIS_CALLER, Counter, Stage, Table
from sekisho.terms import Counting, PathKind, Reach

ROW = "M-STOP-1"
"""What the lock is called in the record."""

BY_STRANGERS = STOPS_BY_STRANGERS
"""The count on the customer: how often somebody not known has stopped him."""

BY_THIS_CALLER = STOPS_BY_THIS_CALLER
"""The count on whoever calls: whom he stops is not looked at."""


class Stopped(StrEnum):
    """What came of it."""

    STOPPED = "stopped"
    REFUSED = "refused"


def once(name: str, table: Table) -> Counter:
    """The limit on those who are not known: one in the policy's time."""
    return Counter(name, Reach.CUSTOMER, Counting.WITHIN, table.stop_stranger_once_s, (Stage(1, ROW, (), ()),))


def stop(
    key: str, guard: Guard, caller: Guard | None, table: Table, now: int, *, known: bool, operator: str | None = None, reason: str | None = None,
) -> tuple[Stopped, list[Event]]:
    """Stop a customer: what came of it, and what is to be recorded.

    Args:
        key: of the row that the lock falls on.
        guard: that row.
        caller: the row of whoever calls, where it is known who that is and he is not known as the customer; he is counted.
        table: the policy in force.
        now: the ledger's time.
        known: he calls from a session, a known device or the number on file, or was verified: it holds until it is lifted.
        operator: who did it, where staff did.
        reason: why, in the operator's words, or how the channel knows him.

    """
    may = known or _may_stranger(guard, caller, table, now)
    standing = next((lock for lock in guard.locks if lock.row == ROW and lock.stands(now)), None)
    if standing is None and not may:
        return Stopped.REFUSED, [Event(EventKind.STOP_REFUSED, key, row=ROW, operator=operator, reason=reason)]
    told = [Event(EventKind.STOPPED, key, row=ROW, operator=operator, reason=reason)]
    if standing is None or known:
        guard.stopped = now
    if standing is not None and (standing.until is None or not known):
        return Stopped.STOPPED, told
    if standing is not None:
        # Somebody not known was first; now the customer himself wants it, and it holds until it is lifted.
        guard.locks.remove(standing)
    elif not known:
        budget.add(count_of(guard, BY_STRANGERS), once(BY_STRANGERS, table), ROW, 1, now)
    return Stopped.STOPPED, [*told, *_set(key, guard, table, now, known=known, operator=operator)]


def _may_stranger(guard: Guard, caller: Guard | None, table: Table, now: int) -> bool:
    """Whether nobody not known has stopped this customer lately, nor this caller anybody. The caller is counted, whatever comes of it."""
    free = budget.has_room(count_of(guard, BY_STRANGERS), once(BY_STRANGERS, table), now)
    if caller is None:
        return free
    counter = once(BY_THIS_CALLER, table)
    count = count_of(caller, counter.name)
    may = budget.has_room(count, counter, now)
    budget.add(count, counter, ROW, 1, now)
    return free and may


def _set(key: str, guard: Guard, table: Table, now: int, *, known: bool, operator: str | None) -> list[Event]:
    waits = [] if known else [path.name for path in table.paths.values() if path.kind is PathKind.WAIT][:1]
    lock = Lock(
        id=lock_id(now, guard), row=ROW, kind=table.stop.kind, since=now, undo=[*waits, *table.stop_undo],
        until=None if known else now + table.stop_stranger_s * SECOND,
        operations=list(table.stop.operations), spares=list(table.stop.spares), items=list(table.stop.items),
    )
    guard.locks.append(lock)
    told = [Event(EventKind.LOCK_SET, key, row=ROW, lock=lock.id, until=lock.until, operator=operator)]
    # Sessions end with it, and runs and codes that were begun up to now, whatever kind of lock the policy makes of it.
    guard.valid_after = now
    told.append(Event(EventKind.SESSION_ENDED, key, row=ROW, lock=lock.id))
    if notice_due(guard, now):
        told.append(Event(EventKind.NOTICE_DUE, key, row=ROW, lock=lock.id))
    return told


__all__ = ["BY_STRANGERS", "BY_THIS_CALLER", "ROW", "Stopped", "once", "stop"]
