"""What a customer is told: an outcome, what comes next and which text. No count, no threshold, no length of a lock (D1)."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sekisho.core import procedure
from sekisho.core.attempt import Refusal, Why
from sekisho.core.scene import Scene
from sekisho.terms import Outcome, PenaltyKind, State


class Message(StrEnum):
    """Which text the customer reads; the words are in the catalogues."""

    NEXT = "next"
    DONE = "done"
    WRONG = "wrong"
    WRONG_START_OVER = "wrong-start-over"
    WRONG_LOCKED = "wrong-locked"
    WRONG_LOCKED_FOR_A_WHILE = "wrong-locked-for-a-while"
    WRONG_REGISTER_AGAIN = "wrong-register-again"
    START_OVER = "start-over"
    LOCKED = "locked"
    LOCKED_FOR_A_WHILE = "locked-for-a-while"
    REGISTER_AGAIN = "register-again"
    UNKNOWN_DEVICE = "unknown-device"
    MORE_FIRST = "more-first"
    TRY_AGAIN = "try-again"
    NOT_ACCEPTED = "not-accepted"
    SENSOR_LOCKED = "sensor-locked"
    WRONG_BREACHED = "wrong-breached"
    """A new password that is known from breaches."""
    NO_CODE = "no-code"
    NO_ADDRESS = "no-address"
    NO_ADDRESS_BUT_PAPER = "no-address-but-paper"
    SENT_JUST_NOW = "sent-just-now"
    SENT_ENOUGH = "sent-enough"
    CLOSED = "closed"
    """The policy's own words stand beside it."""


class Answer(msgspec.Struct, omit_defaults=True):
    """What goes back for one entry."""

    outcome: Outcome
    state: State
    next: list[tuple[str, str]] = []
    """(item, kind) that may be entered now."""
    message: Message = Message.NEXT
    again: bool = False
    """Refused only for now: the same entry may be made again at once, nothing was counted."""
    session: str | None = None
    device: str | None = None
    """A name for the device, which the channel gave none; it is known by it from now on."""
    said: tuple[str, str] | None = None
    """For `closed`: what the policy says, in Japanese and in English."""


class Refused(msgspec.Struct):
    """An answer with what staff and the folding of refusals need beside it."""

    answer: Answer
    why: Why
    lock: tuple[str, str] | None = None
    waits_for: tuple[str, ...] = ()


_REGISTERED = frozenset({PenaltyKind.ERASE, PenaltyKind.REMOVE})


def asked(scene: Scene) -> list[tuple[str, str]]:
    """What the run asks for now, with kinds."""
    items = scene.table.items
    return [(item, items[item].kind) for item in procedure.awaited(scene)]


def refused(scene: Scene, refusal: Refusal) -> Refused:
    """The answer to an entry that was not looked at."""
    again = refusal.why is Why.BUSY
    state = scene.procedure.state
    if refusal.why is Why.NOT_NOW and state is State.OPEN and not scene.alive():
        state = State.ENDED
    return Refused(
        Answer(Outcome.REFUSED, state, asked(scene) if scene.alive() else [], _why_refused(scene, refusal), again=again),
        refusal.why, refusal.lock, refusal.waits_for,
    )


def _why_refused(scene: Scene, refusal: Refusal) -> Message:
    if refusal.why is Why.BUSY:
        return Message.TRY_AGAIN
    if refusal.why is Why.UNNAMED:
        return Message.NOT_ACCEPTED
    if refusal.why is Why.SENSOR:
        return Message.SENSOR_LOCKED
    if refusal.why is Why.NO_CODE:
        return Message.NO_CODE
    if refusal.why is Why.NOT_NOW:
        return Message.START_OVER if not scene.alive() else Message.NOT_ACCEPTED
    standing = [*(lock for guard in scene.guards.values() for lock in guard.locks), *scene.asking]
    locks = [lock for lock in standing if refusal.lock and lock.id == refusal.lock[1]]
    if not locks:
        return Message.LOCKED
    if locks[0].kind in _REGISTERED:
        return Message.REGISTER_AGAIN
    if locks[0].kind is PenaltyKind.ASK_MORE:
        return Message.UNKNOWN_DEVICE if locks[0].first is None else Message.MORE_FIRST
    return Message.LOCKED if locks[0].until is None else Message.LOCKED_FOR_A_WHILE


class Before(msgspec.Struct):
    """What stood before an entry was settled, and the answer to it should it turn out to be void."""

    locks: set[str]
    void: Answer


def before(scene: Scene, item: str) -> Before:
    """Look before an entry is settled.

    One that meets a lock, another step or the end of its run is answered from this: right and wrong alike.
    """
    state = scene.procedure.state
    if not scene.alive():
        void = Answer(Outcome.REFUSED, State.ENDED if state is State.OPEN else state, [], Message.START_OVER)
    elif item not in procedure.awaited(scene):
        void = Answer(Outcome.REFUSED, state, asked(scene), Message.NOT_ACCEPTED)
    else:
        void = Answer(Outcome.REFUSED, state, [], Message.LOCKED)
    return Before(_lock_ids(scene), void)


def settled(scene: Scene, outcome: Outcome, stood: Before) -> Answer:
    """The answer to an entry that was compared."""
    if scene.closed is not None:
        return Answer(outcome, scene.procedure.state, message=Message.CLOSED, said=(scene.closed.text.ja, scene.closed.text.en))
    if outcome is Outcome.REFUSED:
        return stood.void
    state = scene.procedure.state
    following = asked(scene)
    if outcome is Outcome.RIGHT:
        return Answer(outcome, state, following, Message.DONE if state is State.DONE else Message.NEXT, session=scene.procedure.opened)
    return Answer(outcome, state, following, _after_wrong(scene, stood.locks))


def _after_wrong(scene: Scene, locks_before: set[str]) -> Message:
    new = [lock for guard in scene.guards.values() if guard.locks for lock in guard.locks if lock.id not in locks_before]
    if not new:
        return Message.WRONG if scene.procedure.state is State.OPEN else Message.WRONG_START_OVER
    if any(lock.kind in _REGISTERED for lock in new):
        return Message.WRONG_REGISTER_AGAIN
    return Message.WRONG_LOCKED if any(lock.until is None for lock in new) else Message.WRONG_LOCKED_FOR_A_WHILE


def _lock_ids(scene: Scene) -> set[str]:
    """The locks that stand before an entry is settled."""
    found: set[str] = set()
    for guard in scene.guards.values():
        if guard.locks:
            found.update(lock.id for lock in guard.locks)
    return found


__all__ = ["Answer", "Before", "Message", "Refused", "asked", "before", "refused", "settled"]
