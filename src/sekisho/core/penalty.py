"""What falls when a stage is reached, and on whom."""

from __future__ import annotations

from sekisho.core.scene import Scene
from sekisho.core.state import DEVICES, SECOND, Count, Guard, Lock
from sekisho.events import Event, EventKind
from sekisho.policy.table import RUN_ENDS, Counter, Penalty, ReleasePath, Stage, Table, place
from sekisho.terms import PathKind, PenaltyKind, State


def fire_overdue(scene: Scene, key: str, count: Count, counter: Counter, row: str) -> bool:
    """Fire every stage the count has reached and not fired in this run, lowest first. Says whether any fired.

    `row` is the one through which it was reached: where several rows share the count, the penalty names that one.
    """
    any_fired = False
    for stage in counter.stages:
        if stage.wrong > count.wrong:
            break
        if stage.wrong > count.fired:
            any_fired = True
            _fire(scene, key, count, counter, stage, row if row in stage.also else stage.row)
    return any_fired


def _fire(scene: Scene, key: str, count: Count, counter: Counter, stage: Stage, row: str) -> None:
    count.fired = stage.wrong
    scene.touch(key)
    for penalty in stage.penalties:
        if penalty.kind in RUN_ENDS:
            end_run(scene, row, ends_session=penalty.kind is PenaltyKind.END_SESSION)
            continue
        _lock(scene, key, counter, stage, penalty, row)
        if penalty.for_s is not None and stage.after_lock == "zero":
            # docs/why/zero-at-the-first-end.md
            ends = scene.now + penalty.for_s * SECOND
            count.zero_at = ends if count.zero_at is None else min(count.zero_at, ends)


def _lock(scene: Scene, key: str, counter: Counter, stage: Stage, penalty: Penalty, row: str) -> None:
    target = _target(scene, key, penalty)
    guard = scene.guards[target]
    set_lock(scene, target, guard, Lock(
        id=lock_id(scene.now, guard), row=row, kind=penalty.kind, since=scene.now, undo=list(stage.undo), wrong=stage.wrong,
        until=None if penalty.for_s is None else scene.now + penalty.for_s * SECOND,
        operations=list(penalty.operations), spares=list(penalty.spares), items=list(penalty.items), source=key, counter=counter.name,
        whom=penalty.whom, first=penalty.first,
    ), notice=stage.notice)


def lock_id(now: int, guard: Guard) -> str:
    """A name for a new lock, unlike that of any other on the same subject: ledger time never stands still."""
    return f"{now:x}-{len(guard.locks)}"


def _target(scene: Scene, key: str, penalty: Penalty) -> str:
    """The subject a lock falls on: the one named, else the one whose count it is, else the one the run is for."""
    named = None if penalty.on is None else scene.keys.get(place(penalty.on, about=penalty.on_about))
    # A policy may name a subject that an entry reserved before it came into force did not concern.
    if named in scene.guards:
        return named
    if key in scene.guards:
        return key
    return scene.keys[scene.operation.subject.value]


def set_lock(scene: Scene, key: str, guard: Guard, lock: Lock, *, notice: bool) -> None:
    """Put a lock on a subject, end its sessions and this run of its own where the lock blocks it, and record all of it."""
    guard.locks.append(lock)
    scene.touch(key)
    scene.tell(Event(
        EventKind.LOCK_SET, key, operation=scene.operation.name, row=lock.row, lock=lock.id, wrong=lock.wrong or None, until=lock.until,
    ))
    if lock.whom:
        guard.v = DEVICES
    if lock.kind is PenaltyKind.BLOCK:
        if lock.whom:
            guard.shut[lock.whom] = scene.now
        else:
            guard.valid_after = scene.now
            scene.tell(Event(EventKind.SESSION_ENDED, key, row=lock.row, lock=lock.id))
        if scene.is_own(key):
            end_run(scene, lock.row, ends_session=False)
    if notice and notice_due(guard, scene.now):
        scene.tell(Event(EventKind.NOTICE_DUE, key, row=lock.row, lock=lock.id))


HOLD = "A11"
"""What the lock is called in the record that holds operations back after a way back was walked."""


def held(guard: Guard, path: ReleasePath, table: Table, now: int) -> Lock | None:
    """What the policy holds back on a subject for a time after a way back was walked (A11); None: nothing."""
    if path.holds is None or path.holds.for_s is None:
        return None
    waits = [one.name for one in table.paths.values() if one.kind is PathKind.WAIT][:1]
    return Lock(
        id=lock_id(now, guard), row=HOLD, kind=path.holds.kind, since=now, undo=waits, until=now + path.holds.for_s * SECOND,
        operations=list(path.holds.operations),
    )


STORM_S = 3600
"""Locks on one subject within this time make one notice. Seconds."""


def notice_due(guard: Guard, now: int) -> bool:
    """Whether the customer must be told of a lock that is set now; noted as told.

    He is told once of a storm of locks (M-NOTICE-1), and again of the first lock after any of them has ended.
    """
    if guard.noticed and now < guard.noticed + STORM_S * SECOND:
        return False
    guard.noticed = now
    return True


def end_run(scene: Scene, row: str, *, ends_session: bool) -> None:
    """End this run and, where the penalty says so, the session it belongs to; other sessions stay."""
    if scene.procedure.state is State.OPEN:
        scene.procedure.state = State.ENDED
        scene.touch(scene.procedure_key)
        scene.tell(Event(EventKind.PROCEDURE_ENDED, scene.procedure_key, operation=scene.operation.name, row=row))
    session = scene.session
    if ends_session and session is not None and session.live and scene.session_key is not None:
        session.live = False
        session.ended = row
        scene.touch(scene.session_key)
        scene.tell(Event(EventKind.SESSION_ENDED, session.subject, session=scene.session_key, row=row))
