"""What another system left behind, taken over onto a subject's row: a count is raised, a lock is set, nothing is given back.

A count is never lowered and a lock never lifted, whatever the other system says: what has been counted here has happened.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from sekisho.core import budget, devices
from sekisho.core.penalty import lock_id
from sekisho.core.scene import count_of
from sekisho.core.state import DEVICES, SECOND, Count, Guard, Lock
from sekisho.policy.table import RUN_ENDS, Counter, Penalty, Stage, Table
from sekisho.terms import Counting, PenaltyKind


def raise_count(guard: Guard, counter: Counter, wrong: int, item: str | None, now: int) -> None:
    """Let at least so many wrong entries stand; a stage that is reached with them fires at the next entry.

    Args:
        guard: the row of the subject whose count it is.
        counter: which count; no share of one, since no other system knows a place that a device has here.
        wrong: wrong entries that stood in the other system.
        item: whose they are, so that its next right entry clears them; None: of items not known, and no success clears them.
        now: the ledger's time.

    """
    devices.recut(guard, counter, now)
    count = count_of(guard, counter.name)
    budget.refresh(count, counter, now)
    missing = wrong - _standing(count, counter, item)
    if missing > 0:
        budget.add(count, counter, item or budget.CARRIED, missing, now)
        devices.spread(guard, counter, now)


def _standing(count: Count, counter: Counter, item: str | None) -> int:
    """What stands already of the same: of the item, where the count knows items; else of all of them together."""
    if item is None or counter.counting is Counting.WITHIN:
        return count.wrong
    tally = count.tallies.get(item)
    return 0 if tally is None else tally.wrong


class Legacy:
    """The locks of one row as an import may set them on one kind of subject."""

    def __init__(self, penalties: tuple[Penalty, ...], undo: tuple[str, ...], counter: str | None = None, stage: Stage | None = None) -> None:
        self.penalties = penalties
        self.undo = undo
        self.counter = counter
        self.stage = stage

    @property
    def timed_s(self) -> int | None:
        """How long the longest of them lasts; None: one of them stands until it is released."""
        lengths = [penalty.for_s for penalty in self.penalties]
        return None if None in lengths else max(length for length in lengths if length is not None)


def legacy(table: Table, row: str, kind: str) -> Legacy | None:
    """The locks that a row may have left on a subject of this kind; None: it leaves none there.

    Where a row has several stages, the one whose lock stands longest: an import may not make less of a lock.
    """
    gone = table.abolished.get(row)
    if gone is not None:
        return Legacy((gone.penalty,), gone.undo) if table.items[gone.item].reach.value == kind else None
    found = list(_stages(table, row, kind))
    return max(found, key=lambda one: (one.timed_s is None, one.timed_s or 0), default=None)


def _stages(table: Table, row: str, kind: str) -> Iterator[Legacy]:
    for counter in table.counters.values():
        # What another system locked is locked for every device.
        for stage in () if counter.base is not None else counter.stages:
            here = tuple(
                msgspec.structs.replace(penalty, whom="") if counter.shares else penalty
                for penalty in stage.penalties if penalty.kind not in RUN_ENDS and (penalty.on or counter.reach).value == kind
            )
            if here and (row == stage.row or row in stage.also):
                own = counter.name if counter.reach.value == kind else None
                yield Legacy(here, stage.undo, own, stage)


def set_legacy(key: str, guard: Guard, row: str, found: Legacy, since: int, now: int) -> list[Lock]:
    """Set the locks of a row that do not stand already. Those that were set.

    A blocked subject's sessions are over, as if the lock had been set here. A count the lock came from is on record by its
    name, so that a release zeroes it.
    """
    made = []
    for penalty in found.penalties:
        until = None if penalty.for_s is None else since + penalty.for_s * SECOND
        if (until is not None and until <= now) or any(_is_it(lock, row, penalty, until) for lock in guard.locks):
            continue
        lock = Lock(
            id=lock_id(now, guard), row=row, kind=penalty.kind, since=since, undo=list(found.undo), until=until,
            wrong=0 if found.stage is None else found.stage.wrong, operations=list(penalty.operations), spares=list(penalty.spares),
            items=list(penalty.items), source=None if found.counter is None else key, counter=found.counter,
            whom=penalty.whom, first=penalty.first,
        )
        guard.locks.append(lock)
        made.append(lock)
        if lock.whom:
            guard.v = DEVICES
    if any(lock.kind is PenaltyKind.BLOCK and not lock.whom for lock in made):
        guard.valid_after = now
    return made


def _is_it(lock: Lock, row: str, penalty: Penalty, until: int | None) -> bool:
    """Whether a lock that stands is the one to be set, or one that lasts longer."""
    same = (lock.row, lock.kind, lock.operations, lock.items) == (row, penalty.kind, list(penalty.operations), list(penalty.items))
    return same and (lock.until is None or (until is not None and lock.until >= until))
