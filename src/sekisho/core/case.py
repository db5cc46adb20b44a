"""A customer's matter at the desk: who has it, what was tried, who was verified how, and what is to happen next.

A case is a note of what staff did, and the key to what they may do: the acts of a desk path ask it for what the policy's `needs`
name. It never closes by itself, and one that nobody can get on with stays open with an owner.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

from sekisho.core.state import FORMAT, SECOND
from sekisho.errors import IllegalEvent
from sekisho.policy.table import ReleasePath, Table

CASE, CALLER, REMEDIES = "case", "verified-caller", "remedies-tried"
"""What a desk path may need, as the policy's `things` call it."""

KEPT = 50
"""Notes kept of one case, the newest."""


class CaseState(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    """The desk is to do something, or to call back."""
    ASKED = "asked"
    """An act waits for its second person."""
    WITH_CUSTOMER = "with-customer"
    """The customer has his release code, or will have it, and is to use it."""
    STUCK = "stuck"
    """What should have happened by itself did not: a person must look."""
    RECOVERED = "recovered"
    DISPUTED = "disputed"
    """Somebody whom it was told to says that it was not he who asked for it."""
    CLOSED = "closed"


ASKED, CARRIED, DONE, LAPSED, FAILED, RECOVERED, DISAVOWED, CLOSED = (
    "asked", "carried", "done", "lapsed", "failed", "recovered", "disavowed", "closed",
)

_LIVE = (CaseState.OPEN, CaseState.ASKED, CaseState.WITH_CUSTOMER, CaseState.STUCK, CaseState.DISPUTED)

MOVES: dict[tuple[CaseState, str], CaseState] = {  # (where it stands, what happens) -> where it stands then
    (CaseState.OPEN, ASKED): CaseState.ASKED,
    (CaseState.ASKED, ASKED): CaseState.ASKED,  # asked anew: the one before is not approved any more
    (CaseState.OPEN, CARRIED): CaseState.OPEN,  # an act of which nothing more follows
    (CaseState.ASKED, CARRIED): CaseState.OPEN,
    (CaseState.OPEN, DONE): CaseState.WITH_CUSTOMER,  # where the policy asks for one person
    (CaseState.ASKED, DONE): CaseState.WITH_CUSTOMER,
    (CaseState.WITH_CUSTOMER, LAPSED): CaseState.OPEN,
    (CaseState.STUCK, LAPSED): CaseState.OPEN,
    (CaseState.ASKED, LAPSED): CaseState.OPEN,
    (CaseState.WITH_CUSTOMER, FAILED): CaseState.STUCK,
    (CaseState.STUCK, FAILED): CaseState.STUCK,
    (CaseState.WITH_CUSTOMER, RECOVERED): CaseState.RECOVERED,
    (CaseState.STUCK, RECOVERED): CaseState.RECOVERED,
    **{(state, DISAVOWED): CaseState.DISPUTED for state in (*_LIVE, CaseState.RECOVERED, CaseState.CLOSED)},
    (CaseState.OPEN, CLOSED): CaseState.CLOSED,
    (CaseState.ASKED, CLOSED): CaseState.CLOSED,
    (CaseState.RECOVERED, CLOSED): CaseState.CLOSED,
    (CaseState.DISPUTED, CLOSED): CaseState.CLOSED,
}


class Verified(msgspec.Struct, omit_defaults=True):
    """Who was verified how, and when."""

    item: str
    how: str
    """`sent`, `in-session` or `call-back`."""
    at: int
    by: str
    session: str | None = None
    """The live session in which he entered the number."""


class Note(msgspec.Struct, array_like=True):
    """One thing that was done or found out."""

    at: int
    by: str
    what: str
    text: str = ""


class Case(msgspec.Struct, omit_defaults=True):
    """One customer's matter."""

    v: int = FORMAT
    subject: str = ""
    state: CaseState = CaseState.OPEN
    how: str = "telephone"
    """`telephone` or `writing`."""
    matter: str = ""
    owner: str = ""
    opened_by: str = ""
    opened_at: int = 0
    remedies: dict[str, tuple[int, str]] = {}
    """Those of the policy that were tried: when, and who noted it."""
    verified: Verified | None = None
    run: str | None = None
    """The run in which the caller is being verified."""
    reached: int | None = None
    """When the desk last had the customer on the line by ringing the number on file."""
    word: bool = False
    """A word was agreed on."""
    call_back: int | None = None
    missed: int = 0
    approval: str | None = None
    """The act that waits for a second person."""
    notes: list[Note] = []


def move(case: Case, event: str) -> None:
    """Something has happened to it.

    Raises:
        IllegalEvent: it cannot follow what was before.

    """
    if (case.state, event) not in MOVES:
        raise IllegalEvent(f"{event} cannot follow {case.state}")
    case.state = MOVES[case.state, event]


def may_move(case: Case, event: str) -> bool:
    """Whether something can happen to a case that stands so."""
    return (case.state, event) in MOVES


def note(case: Case, now: int, by: str, what: str, text: str = "") -> None:
    """Put down what was done."""
    case.notes = [*case.notes, Note(now, by, what, text)][-KEPT:]


def is_verified(case: Case, table: Table, now: int) -> bool:
    """Whether what the desk does now may rest on the caller's verification."""
    length_s = table.cases.get("verified_for_s")
    return case.verified is not None and length_s is not None and now < case.verified.at + length_s * SECOND


def untried(case: Case, table: Table) -> list[str]:
    """The policy's remedies that are not on record as tried."""
    return [remedy["name"] for remedy in table.mail["remedies"] if remedy["name"] not in case.remedies]


def lacking(case: Case, path: ReleasePath, table: Table, now: int, evidence: str | None) -> list[str]:
    """What a desk path needs and this case does not have. What is no matter of the case itself the operator vouches for, and says how."""
    needs = path.cases[-1].needs if path.cases else ()
    return [" or ".join(names) for names in needs if not any(_has(case, name, table, now, evidence) for name in names)]


def _has(case: Case, name: str, table: Table, now: int, evidence: str | None) -> bool:
    if name == CASE:
        return True
    if name == CALLER:
        return is_verified(case, table, now)
    if name == REMEDIES:
        return not untried(case, table)
    return evidence is not None


SATURDAY = 5


def is_open(opens_s: tuple[int, int], every: str, zone: str, now: int) -> bool:
    """Whether somebody is there: from ≤ t < to by the clock of the zone, when the act is done."""
    local = datetime.fromtimestamp(now / SECOND, ZoneInfo(zone))
    second = local.hour * 3600 + local.minute * 60 + local.second
    return opens_s[0] <= second < opens_s[1] and (every != "weekday" or local.weekday() < SATURDAY)


_URGENT = (CaseState.DISPUTED, CaseState.STUCK, CaseState.ASKED, CaseState.OPEN)


def pressing(case: Case) -> tuple[int, int]:
    """What a desk looks at first, the smallest first: what went wrong, what waits for a second person, who is to be rung; then the newest."""
    state = _URGENT.index(case.state) if case.state in _URGENT else len(_URGENT)
    return state, case.call_back - _FAR if case.call_back is not None else -case.opened_at


_FAR = 1 << 62
"""So that whoever is to be rung stands before whoever is not, the soonest first."""


def next_opening(opens_s: tuple[int, int], every: str, zone: str, now: int) -> int:
    """When somebody is there next, or now."""
    if is_open(opens_s, every, zone, now):
        return now
    local = datetime.fromtimestamp(now / SECOND, ZoneInfo(zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    for days in range(8):
        day = midnight + timedelta(days=days)
        begins = day.replace(hour=opens_s[0] // 3600, minute=opens_s[0] % 3600 // 60)
        if begins > local and (every != "weekday" or day.weekday() < SATURDAY):
            return int(begins.timestamp()) * SECOND
    raise AssertionError("a week has a weekday")


__all__ = [
    "CALLER", "CASE", "REMEDIES", "Case", "CaseState", "Note", "Verified", "is_open", "is_verified", "lacking", "may_move", "move",
    "next_opening", "note", "untried",
]
