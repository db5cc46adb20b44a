"""How a lock ends: by time, by a procedure, or by a person who may."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sekisho.core import budget
from sekisho.core.state import Guard, Lock
from sekisho.events import Event, EventKind

Tell = Callable[[Event], None]


def expire(key: str, guard: Guard, now: int, tell: Tell) -> bool:
    """Take away timed locks that have ended. Their counts fall by their own `zero_at`."""
    over = [lock for lock in guard.locks if not lock.stands(now)]
    for lock in over:
        guard.locks.remove(lock)
        tell(Event(EventKind.LOCK_LIFTED, key, row=lock.row, lock=lock.id, path="wait"))
    return bool(over)


def by_path(locks: Iterable[Lock], path: str) -> list[Lock]:
    """The locks that this path lifts."""
    return [lock for lock in locks if path in lock.undo]


def lift(
    key: str, guard: Guard, lock: Lock, sources: dict[str, Guard], tell: Tell, *, path: str, operator: str | None = None, reason: str | None = None,
) -> None:
    """Lift one lock and zero the count it came from (the count may stand on another subject: `sources` holds their rows)."""
    guard.locks.remove(lock)
    source = sources.get(lock.source) if lock.source else None
    if source is not None and lock.counter in source.counts:
        budget.zero(source.counts[lock.counter])
    tell(Event(EventKind.LOCK_LIFTED, key, row=lock.row, lock=lock.id, path=path, operator=operator, reason=reason))
