"""The demand for identity confirmation: what is seen of where an entry comes from, and how often, until the policy says to ask (M-RISK-1).

Only what was right counts. Whoever knows no secret of a customer's can neither bring the demand about nor learn that it stands.
A place is a network or a country, as the channel tells it; the network is known here by a keyed digest alone.
"""

from __future__ import annotations

from sekisho.core.scene import Scene
from sekisho.core.state import SECOND, Guard
from sekisho.events import Event, EventKind
from sekisho.policy.table import Risk, Signal
from sekisho.terms import ItemKind, Reach

PLACES = 20
"""Places one customer is known from; the one unused for the longest time is forgotten first."""

NOT_COMPARED = frozenset({ItemKind.IDENTIFIER, ItemKind.DATA})
"""What anybody can enter: right whoever he is."""

_NETWORK, _COUNTRY = "network", "country"


def look(scene: Scene, item: str) -> None:
    """An item was right: note what is seen, and raise the demand where that has been seen as often as the policy says."""
    risk = scene.table.risk
    if risk is None or scene.operation.name not in risk.refuses:
        return
    key = scene.keys.get(Reach.CUSTOMER.value, "")
    guard = scene.guards.get(key)
    if guard is None or not guard.known or risk.flag in guard.flags:
        return
    at_login = scene.operation.gives_session
    seen = _seen_at_login(scene, guard, item, risk) if at_login else _seen_in_session(scene, item, risk)
    for signal, what in seen:
        scene.touch(key)
        if _often(guard, signal, what, scene.now):
            _raise(scene, key, guard, risk, signal)
            return


def _seen_at_login(scene: Scene, guard: Guard, item: str, risk: Risk) -> list[tuple[Signal, str]]:
    """What the first secret that is right shows; it is looked at once a run."""
    proved = (item_ for item_, _ in scene.procedure.proved)
    if scene.table.items[item].kind in NOT_COMPARED or any(scene.table.items[one].kind not in NOT_COMPARED for one in proved):
        return []
    unusual = _unusual(scene, guard, risk)
    if unusual:
        scene.procedure.unusual = True
        scene.touch(scene.procedure_key)
        if scene.session is not None and scene.session_key is not None:
            scene.session.unusual = True
            scene.touch(scene.session_key)
    shown = {"many-logins", *unusual, *(["unusual-environment"] if unusual else [])}
    return [(signal, "") for signal in risk.signals if signal.signal in shown]


def _unusual(scene: Scene, guard: Guard, risk: Risk) -> set[str]:
    """What is not as it usually is. A place that the channel does not tell is none, and the first ever is no new one."""
    found = set()
    if not _is_usual_device(scene, guard, risk):
        found.add("unknown-device")
    known = usual_places(guard, risk, scene.now)
    for kind, place in _here(scene):
        others = {name for name in known if name.startswith(f"{kind}:")}
        if others and place not in others:
            found.add(f"new-{kind}")
    return found


def _is_usual_device(scene: Scene, guard: Guard, risk: Risk) -> bool:
    place = scene.place_of(scene.keys[Reach.CUSTOMER.value])
    if not place or risk.trusts_device_s is None:
        return bool(place)
    return any(one.place == place and scene.now < one.seen + risk.trusts_device_s * SECOND for one in guard.devices)


def _here(scene: Scene) -> list[tuple[str, str]]:
    run = scene.procedure
    return [(kind, f"{kind}:{name}") for kind, name in ((_NETWORK, run.network), (_COUNTRY, run.country)) if name]


def usual_places(guard: Guard, risk: Risk, now: int) -> list[str]:
    """The places from which he has logged in lately."""
    kept = risk.trusts_device_s
    return [name for name, seen in guard.usual.items() if kept is None or now < seen + kept * SECOND]


def _seen_in_session(scene: Scene, item: str, risk: Risk) -> list[tuple[Signal, str]]:
    """Transfers to one institution after another, in a session from an unusual environment in which identity was not confirmed."""
    session = scene.session
    if session is None or not session.unusual or not scene.told or any(one == risk.ask for one, _ in session.proved):
        return []
    return [(signal, scene.told) for signal in risk.signals if signal.item == item]


def _often(guard: Guard, signal: Signal, what: str, now: int) -> bool:
    """Note that it was seen, and whether that is as often as the policy says. Of things that are told apart each counts once."""
    since = now - signal.within_s * SECOND
    seen = [(at, one) for at, one in guard.sighted.get(signal.name, []) if at > since and (not what or one != what)]
    guard.sighted[signal.name] = [*seen, (now, what)][-signal.times:]
    return len(guard.sighted[signal.name]) >= signal.times


def _raise(scene: Scene, key: str, guard: Guard, risk: Risk, signal: Signal) -> None:
    guard.flags = sorted({*guard.flags, risk.flag})
    guard.sighted = {}
    scene.tell(Event(EventKind.IDENTITY_DEMANDED, key, scene.operation.name, risk.ask, procedure=scene.procedure_key, reason=signal.signal))


def remember(scene: Scene) -> None:
    """A login is through: from where it was made is a usual place from now on."""
    risk = scene.table.risk
    if risk is None or not scene.operation.gives_session or scene.operation.name not in risk.refuses:
        return
    key = scene.keys.get(Reach.CUSTOMER.value, "")
    guard = scene.guards.get(key)
    if guard is None or not guard.known:
        return
    scene.unusual = bool(guard.usual or guard.devices) and bool(_unusual(scene, guard, risk))
    here = [place for _, place in _here(scene)]
    if not here:
        return
    kept = {name: guard.usual[name] for name in usual_places(guard, risk, scene.now) if name not in here}
    newest = sorted(kept.items(), key=lambda one: one[1])[-(PLACES - len(here)):]
    guard.usual = dict([*newest, *((place, scene.now) for place in here)])
    scene.touch(key)


def answered(scene: Scene, item: str) -> None:
    """In a run that the bank leads nothing is ever done: there the demand is lifted by the right answer itself, where the operation lifts it."""
    risk = scene.table.risk
    if risk is None or item != risk.ask or not scene.procedure.led or risk.flag not in scene.operation.clears:
        return
    key = scene.keys.get(Reach.CUSTOMER.value, "")
    guard = scene.guards.get(key)
    if guard is not None and risk.flag in guard.flags:
        guard.flags = [flag for flag in guard.flags if flag != risk.flag]
        scene.touch(key)


def open_to_bank(scene: Scene) -> tuple[str, ...]:
    """What may be entered in a run that the bank leads: anything; but while identity is demanded nothing that comes after the answer (M-RISK-2)."""
    rows, risk = tuple(scene.operation.rows), scene.table.risk
    if risk is None or scene.operation.name not in risk.refuses or not scene.flagged(risk.flag, about=False):
        return rows
    proved = {item for item, _ in scene.procedure.proved}
    if risk.ask in proved:
        return rows
    if any(scene.table.items[item].kind not in NOT_COMPARED for item in proved):
        return (risk.ask,)
    number = next(number for number, step in enumerate(scene.operation.steps) if risk.ask in step.items)
    later = {item for step in scene.operation.steps[number + 1:] for item in step.items}
    return tuple(item for item in rows if item not in later)
