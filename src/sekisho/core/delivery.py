"""The course of one message, as a table: what may follow upon what. Where it stands is a fold over what happened."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sekisho.errors import IllegalEvent


class Course(StrEnum):
    """Where a message stands."""

    QUEUED = "queued"
    BEING_SENT = "being-sent"
    HANDED_OVER = "handed-over"
    """The next station has taken it; whether it arrives is not known by that."""
    DEFERRED = "deferred"
    """Not taken, and there is hope: it is tried again."""
    NOT_SENT = "not-sent"
    EXPIRED = "expired"
    """Not handed over while its code was valid: a late code is worse than none."""


TRIED, ACCEPTED, PUT_OFF, REFUSED, LAPSED = "tried", "accepted", "put-off", "refused", "lapsed"

MOVES = {  # (where it stands, what happens) -> where it stands then; a pair that is not here is illegal
    (Course.QUEUED, TRIED): Course.BEING_SENT,
    (Course.DEFERRED, TRIED): Course.BEING_SENT,
    (Course.BEING_SENT, TRIED): Course.BEING_SENT,  # whoever tried it last has died on it
    (Course.BEING_SENT, ACCEPTED): Course.HANDED_OVER,
    (Course.BEING_SENT, PUT_OFF): Course.DEFERRED,
    (Course.BEING_SENT, REFUSED): Course.NOT_SENT,
    (Course.QUEUED, LAPSED): Course.EXPIRED,
    (Course.DEFERRED, LAPSED): Course.EXPIRED,
    (Course.BEING_SENT, LAPSED): Course.EXPIRED,
    (Course.DEFERRED, ACCEPTED): Course.HANDED_OVER,  # told late, by whoever was taken for dead
    (Course.EXPIRED, ACCEPTED): Course.HANDED_OVER,
}

OVER = frozenset({Course.HANDED_OVER, Course.NOT_SENT, Course.EXPIRED})
"""Nothing more is done about it."""


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


def may_follow(state: Course, event: str) -> bool:
    """Whether something can happen to a message that stands so."""
    return (state, event) in MOVES
