"""The course of one message, as a table: what may follow upon what. Where it stands is a fold over what happened.

Handing over has its table; what is heard afterwards overtakes by its strength: a bounce may come after somebody has claimed
delivery, and only a code that was used proves that the message was read.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sekisho.errors import IllegalEvent


class Course(StrEnum):
    """Where a message stands."""

    QUEUED = "queued"
    BEING_SENT = "being-sent"
    HANDED_OVER = "handed-over"
    """The next server has taken it; whether it arrives is not known by that."""
    DEFERRED = "deferred"
    """Not taken, and there is hope: it is tried again."""
    UNANSWERED = "unanswered"
    """It was sent and the answer never came: taken or not, nobody knows. It is tried again, with the same code."""
    UNKNOWN = "unknown"
    """As that, and its code is over."""
    NOT_SENT = "not-sent"
    EXPIRED = "expired"
    """Not handed over while its code was valid: a late code is worse than none."""
    DELAYED = "delayed"
    """A server on the way says that it has not got on with it yet."""
    RELAYED = "relayed"
    """The recipient's server, or one that tells nothing of what follows, has taken it."""
    EXPANDED = "expanded"
    """It was sent on to one or more other addresses."""
    DELIVERED = "delivered"
    """A server claims to have put it into the box."""
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    """A service on the way sends nothing to that address."""
    COMPLAINED = "complained"
    """The recipient has reported it as unwanted: it has arrived."""
    USED = "used"
    """Its code was entered."""


TRIED, ACCEPTED, PUT_OFF, REFUSED, LAPSED, LOST = "tried", "accepted", "put-off", "refused", "lapsed", "lost"
DELAYED, RELAYED, EXPANDED, DELIVERED, BOUNCED, SUPPRESSED, COMPLAINED, USED = (
    "delayed", "relayed", "expanded", "delivered", "bounced", "suppressed", "complained", "used",
)
ANSWERED = "answered"
"""A machine has answered for the recipient: so something has arrived."""
UNUSED = "unused"
"""Its code is over and was not entered."""

HANDING: dict[tuple[Course, str], Course] = {  # (where it stands, what happens) -> where it stands then
    (Course.QUEUED, TRIED): Course.BEING_SENT,
    (Course.DEFERRED, TRIED): Course.BEING_SENT,
    (Course.UNANSWERED, TRIED): Course.BEING_SENT,
    (Course.BEING_SENT, ACCEPTED): Course.HANDED_OVER,
    (Course.BEING_SENT, PUT_OFF): Course.DEFERRED,
    (Course.BEING_SENT, REFUSED): Course.NOT_SENT,
    (Course.BEING_SENT, LOST): Course.UNANSWERED,  # no answer came, or whoever tried it has died on it
    (Course.QUEUED, LAPSED): Course.EXPIRED,
    (Course.DEFERRED, LAPSED): Course.EXPIRED,
    (Course.UNANSWERED, LAPSED): Course.UNKNOWN,
    (Course.BEING_SENT, TRIED): Course.BEING_SENT,  # rows from before a lost answer was on record
    (Course.BEING_SENT, LAPSED): Course.EXPIRED,
    (Course.DEFERRED, ACCEPTED): Course.HANDED_OVER,  # told late, by whoever was taken for dead
    (Course.UNANSWERED, ACCEPTED): Course.HANDED_OVER,
    (Course.EXPIRED, ACCEPTED): Course.HANDED_OVER,
    (Course.UNKNOWN, ACCEPTED): Course.HANDED_OVER,
}

NEWS = {
    DELAYED: Course.DELAYED, RELAYED: Course.RELAYED, EXPANDED: Course.EXPANDED, DELIVERED: Course.DELIVERED, BOUNCED: Course.BOUNCED,
    SUPPRESSED: Course.SUPPRESSED, COMPLAINED: Course.COMPLAINED, USED: Course.USED,
}
"""What is heard of a message that was handed over once, and where it stands by that."""

STRENGTH = {
    Course.DELAYED: 1, Course.RELAYED: 2, Course.EXPANDED: 2, Course.DELIVERED: 3, Course.BOUNCED: 4, Course.SUPPRESSED: 4, Course.COMPLAINED: 5,
    Course.USED: 6,
}
"""News overtakes what is no stronger; a course that is not here is overtaken by any."""

WAITING = frozenset({Course.QUEUED, Course.BEING_SENT, Course.DEFERRED, Course.UNANSWERED})
"""It is still to be handed over."""

OVER = frozenset(Course) - WAITING
"""It is handed over no more; something may still be heard of it."""


def _after(state: Course, event: str) -> Course:
    """Where news leaves a message."""
    if event not in NEWS or STRENGTH.get(state, 0) > STRENGTH[NEWS[event]]:
        return state
    return NEWS[event]


MOVES: dict[tuple[Course, str], Course] = {  # a pair that is not here is illegal
    **HANDING,
    **{(state, event): _after(state, event) for state in Course if state is not Course.QUEUED for event in (*NEWS, ANSWERED)},
    **{(state, UNUSED): state for state in OVER - {Course.USED}},
    # An answer of the next server that is told after news that came by another way.
    **{(state, event): state for state in STRENGTH for event in (ACCEPTED, PUT_OFF, REFUSED, LOST)},
}

CLOSED = frozenset({REFUSED, LAPSED, UNUSED, USED, SUPPRESSED})
"""Once one of these has happened nothing more is waited for."""


def course(events: Iterable[str]) -> Course:
    """Where a message stands after all that happened.

    Raises:
        IllegalEvent: something happened that cannot follow what was before.

    """
    state = Course.QUEUED
    for event in events:
        if (state, event) not in MOVES:
            raise IllegalEvent(f"{event} cannot follow {state}")
        state = MOVES[state, event]
    return state


FAILED = frozenset({Course.NOT_SENT, Course.BOUNCED, Course.SUPPRESSED, Course.EXPIRED})
"""It is proven that the message does not arrive."""

OPEN = frozenset({
    Course.HANDED_OVER, Course.UNANSWERED, Course.UNKNOWN, Course.DELAYED, Course.RELAYED, Course.EXPANDED, Course.DELIVERED, Course.COMPLAINED,
})
"""It may have arrived where the customer does not see it."""

SILENT_S = 45
"""After this long without its code the customer is offered another address."""


def why_group(state: Course, groups: Iterable[str]) -> str:
    """Why a message did not arrive, by what was heard last; `unknown` where it may lie somewhere; empty: there is nothing to explain."""
    if state in FAILED or state is Course.DEFERRED:
        return next((group for group in reversed(list(groups)) if group), "transient")
    return "unknown" if state in OPEN else ""


def offers_another(state: Course, age_s: int) -> bool:
    """Whether another address is the next step: at once where it has failed for certain, else after some silence."""
    return state in FAILED or (state is not Course.USED and age_s >= SILENT_S)


def may_follow(state: Course, event: str) -> bool:
    """Whether something can happen to a message that stands so."""
    return (state, event) in MOVES
