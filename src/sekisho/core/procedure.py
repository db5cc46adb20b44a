"""One run of an operation, step by step: what it asks for next, and what its end gives."""

from __future__ import annotations

from sekisho.core import registering, release, risk
from sekisho.core.devices import remember
from sekisho.core.enrolment import AGREED_S
from sekisho.core.penalty import end_run, held, lock_id, set_lock
from sekisho.core.scene import Scene
from sekisho.core.state import SECOND, Guard, Lock
from sekisho.events import Event, EventKind
from sekisho.policy.table import ABOUT, KNOWING, Step
from sekisho.terms import ItemKind, PenaltyKind, Reach, State

_OPEN = State.OPEN

def skip_met_steps(scene: Scene) -> None:
    """Pass over steps whose condition does not hold; go back to one that was passed over and whose condition holds by now."""
    run, steps = scene.procedure, scene.operation.steps
    proved = {item for item, _ in run.proved}
    while run.step < len(steps) and not (scene.meets(steps[run.step].when) and (run.step >= run.reached or proved.isdisjoint(steps[run.step].items))):
        run.step += 1
    for number, step in enumerate(steps[:run.step]):
        if step.when and scene.meets(step.when) and proved.isdisjoint(step.items):
            run.reached, run.step = max(run.reached, run.step), number
            return


def close(scene: Scene, item: str, row: str) -> bool:
    """Whether a state closes the operation after an entry that was right: the run ends, and its end gives nothing (M-RESET-4)."""
    last = not scene.procedure.led and scene.procedure.step + 1 >= len(scene.operation.steps)
    scene.closed = scene.closing(item, last=last) if scene.operation.closed else None
    if scene.closed is None:
        return False
    end_run(scene, row, ends_session=False)
    return True


def awaited(scene: Scene) -> tuple[str, ...]:
    """The items the run asks for now: any one of them."""
    run, steps = scene.procedure, scene.operation.steps
    if run.led:
        return risk.open_to_bank(scene)
    if run.state is not _OPEN or run.step >= len(steps):
        return ()
    step = steps[run.step]
    if scene.table.asks_first and (first := scene.asked_first()) is not None and not _names(scene, step):
        return (first,)
    if len(step.items) == 1 and step.confirms is None:
        return step.items
    # Whoever has mistyped an address enters his addresses once more.
    again = () if step.confirms is None else (step.confirms,)
    return tuple(item for item in (*step.items, *again) if scene.row_of(item) is not None)


def _names(scene: Scene, step: Step) -> bool:
    """Whether a step says for whom the run is: before that there is nobody to ask for more."""
    return all(scene.table.items[item].kind is ItemKind.IDENTIFIER for item in step.items)


def advance(scene: Scene, item: str) -> None:
    """An item was proved: go on to the next step, or finish."""
    run = scene.procedure
    risk.look(scene, item)
    risk.answered(scene, item)
    run.proved = [seen for seen in run.proved if seen[0] != item] + [(item, scene.now)]
    scene.touch(scene.procedure_key)
    if not run.led and _meets_step(scene, item):
        run.step += 1
        skip_met_steps(scene)
    row = scene.row_of(item)
    about_another = row is not None and row.about
    if scene.session is not None and scene.session_key is not None and not about_another:
        # What was proved of another subject's is no proof of who sits here.
        scene.session.proved = [seen for seen in scene.session.proved if seen[0] != item] + [(item, scene.now)]
        scene.touch(scene.session_key)
    if not run.led and run.step >= len(scene.operation.steps):
        finish(scene)


def _meets_step(scene: Scene, item: str) -> bool:
    """Whether a right entry was all that the step asks for: of several new addresses each has its own code."""
    run = scene.procedure
    step = scene.operation.steps[run.step]
    if item not in step.items:
        return False
    return not scene.table.items[item].confirms or registering.confirm(run, item, scene.now)


def note_where(scene: Scene) -> None:
    """Where the operation is done and the policy says so, its subjects know this device and this place from now on."""
    rules = scene.table.devices
    known = rules is not None and bool(scene.device) and scene.operation.name in rules.known_by
    if not known and scene.table.risk is None:
        return
    if scene.procedure.state is not State.DONE and not (scene.procedure.led and _all_proved(scene)):
        return
    risk.remember(scene)
    for where in KNOWING if known else ():
        guard = scene.guards.get(key := scene.keys.get(where.value, ""))
        if guard is not None and remember(guard, scene.device, scene.table, scene.now):
            scene.touch(key)


def _all_proved(scene: Scene) -> bool:
    """Whether each step that is compared was right in a run that the bank leads."""
    proved = {item for item, _ in scene.procedure.proved}
    for step in scene.operation.steps:
        if all(scene.table.items[item].kind in risk.NOT_COMPARED for item in step.items) or not scene.meets(step.when):
            continue
        if proved.isdisjoint(step.items):
            return False
    return True


def finish(scene: Scene) -> None:
    """The last step is done: walk the release path it stands for, set and clear flags."""
    scene.procedure.state = State.DONE
    scene.tell(Event(EventKind.PROCEDURE_DONE, scene.procedure_key, operation=scene.operation.name))
    operation = scene.operation
    own = {key for place, key in scene.keys.items() if key in scene.guards and not place.startswith(ABOUT)}
    if operation.path is not None:
        for key in own:
            _walk(scene, key, scene.guards[key], operation.path)
        _hold(scene, operation.path)
    customer = scene.keys.get(Reach.CUSTOMER.value)
    if customer is not None:
        _set_flags(scene, customer, scene.guards[customer])
        if operation.suspends:
            _suspend(scene, customer, scene.guards[customer])
    if operation.adds_device and scene.session is not None and scene.session_key is not None:
        scene.session.adds_device_until = scene.now + AGREED_S * SECOND
        scene.touch(scene.session_key)


def _walk(scene: Scene, key: str, guard: Guard, path: str) -> None:
    for lock in release.by_path(guard.locks, path):
        if not release.is_at_hand(lock, scene.rows):
            continue
        release.lift(key, guard, lock, scene.rows, scene.table, scene.tell, path=path)
        scene.touch(key)
        if lock.source in scene.rows and scene.rows[lock.source].counts:
            scene.touch(lock.source)


def _hold(scene: Scene, path: str) -> None:
    """What the policy holds back for a time after this way back was walked (A11)."""
    key = scene.keys[scene.operation.subject.value]
    guard = scene.guards[key]
    lock = held(guard, scene.table.paths[path], scene.table, scene.now) if guard.known and path in scene.table.paths else None
    if lock is not None:
        set_lock(scene, key, guard, lock, notice=False)


def _set_flags(scene: Scene, key: str, guard: Guard) -> None:
    flags = (set(guard.flags) | set(scene.operation.sets)) - set(scene.operation.clears)
    if flags != set(guard.flags):
        guard.flags = sorted(flags)
        scene.touch(key)


def _suspend(scene: Scene, key: str, guard: Guard) -> None:
    set_lock(scene, key, guard, Lock(
        id=lock_id(scene.now, guard), row="Y-RULE-5", kind=PenaltyKind.SUSPEND, since=scene.now,
        undo=list(scene.table.suspension_undo), operations=["*"], spares=suspension_spares(scene),
    ), notice=True)


def suspension_spares(scene: Scene) -> list[str]:
    """What stays open under the customer's own suspension: login, and the operations whose end lifts it (A10)."""
    table = scene.table
    lifts = [op.name for op in table.operations.values() if op.path in table.suspension_undo]
    logins = [op.name for op in table.operations.values() if op.gives_session]
    return lifts + logins
