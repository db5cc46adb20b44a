"""How a lock ends: by time, by a procedure, or by a person who may."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping

from sekisho.core import budget
from sekisho.core.devices import whole_of
from sekisho.core.scene import Holder
from sekisho.core.state import Guard, Lock
from sekisho.events import Event, EventKind
from sekisho.policy.table import Table, share_name
from sekisho.terms import PenaltyKind, Reach

Tell = Callable[[Event], None]


def expire(key: str, guard: Guard, now: int, tell: Tell) -> bool:
    """Take away timed locks that have ended. Their counts fall by their own `zero_at`."""
    over = [lock for lock in guard.locks if not lock.stands(now)]
    for lock in over:
        guard.locks.remove(lock)
        guard.noticed = 0
        tell(Event(EventKind.LOCK_LIFTED, key, row=lock.row, lock=lock.id, path="wait"))
    return bool(over)


def by_path(locks: Iterable[Lock], path: str) -> list[Lock]:
    """The locks that this path lifts."""
    return [lock for lock in locks if path in lock.undo]


def is_row(source: str | None) -> bool:
    """Whether the count that led to a lock stands on a subject's row, not on a run's or a session's."""
    return source is not None and source.partition(":")[0] not in {Reach.PROCEDURE, Reach.SESSION}


def is_at_hand(lock: Lock, rows: Container[str]) -> bool:
    """Whether the row of the count that led to a lock is among those that were read.

    One that fell after they were chosen stands: else its count would be left at its end, with no lock that anybody could lift.
    """
    return not is_row(lock.source) or lock.source in rows


def erased(key: str, lock: Lock, table: Table) -> list[str]:
    """The items that a penalty took from a subject: they are gone, and stay asked for until they are registered again."""
    if lock.kind is PenaltyKind.ERASE:
        return lock.items
    if lock.kind is PenaltyKind.REMOVE:
        return [name for name, item in table.items.items() if key.startswith(f"{item.reach}:")]
    return []


def lift(
    key: str, guard: Guard, lock: Lock, sources: Mapping[str, Holder], table: Table, tell: Tell, *,
    path: str, operator: str | None = None, reason: str | None = None,
) -> None:
    """Lift one lock and zero the count it came from (the count may stand on another subject: `sources` holds their rows).

    Where known devices have shares of that count, all of them are zero, and what they led to is lifted too.
    """
    if lock not in guard.locks:
        return
    guard.locks.remove(lock)
    guard.noticed = 0
    gone = erased(key, lock, table)
    if gone:
        # Whoever registers again decides anew what is set.
        guard.flags = [flag for flag in guard.flags if flag.partition(":")[2] not in gone]
    source = sources.get(lock.source) if lock.source else None
    shares = [] if source is None or lock.counter is None else _shares(source, lock.counter)
    if source is not None:
        for name in shares:
            budget.zero(source.counts[name])
    tell(Event(EventKind.LOCK_LIFTED, key, row=lock.row, lock=lock.id, path=path, operator=operator, reason=reason))
    if len(shares) > 1:
        for other in [one for one in guard.locks if (one.source, path in one.undo) == (lock.source, True) and one.counter in shares]:
            lift(key, guard, other, sources, table, tell, path=path, operator=operator, reason=reason)


def _shares(source: Holder, counter: str) -> list[str]:
    """A count and all shares of it that stand on a row, by name. The row may be a run's or a session's: those have no shares."""
    whole = whole_of(counter)
    places = source.places if isinstance(source, Guard) else 0
    names = [whole, *(f"{whole}/{share_name(place)}" for place in range(1, places + 1))]
    return [name for name in names if name in source.counts]
