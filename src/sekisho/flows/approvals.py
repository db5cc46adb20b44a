"""Releases that wait for their second person: put down, found again, taken off the list."""

from __future__ import annotations

from typing import Any

import msgspec

from sekisho.core.state import FORMAT, SECOND, decode
from sekisho.flows.acts import Denied, Operator
from sekisho.flows.sights import rfc3339
from sekisho.ports import Store, Tx

APPROVAL_S = 3 * 24 * 3600
"""How long a release waits for its second person. Seconds."""

LIST = "approvals"
"""The row that names all that wait, so that finding them is no search. Only staff acts touch it."""


class Approval(msgspec.Struct, omit_defaults=True, gc=False):
    """A release that waits for its second person."""

    v: int = FORMAT
    subject: str = ""
    lock: str = ""
    path: str = ""
    reason: str = ""
    evidence: str | None = None
    asked_by: str = ""
    asked_at: int = 0
    expires: int = 0
    done_by: str | None = None
    row: str = ""
    """The row of the lock."""
    paper: bool = False
    """A form that was entered, to be carried out whole."""
    withdrawn_by: str | None = None
    case: str = ""
    """For an act in a customer's case: which."""


class Waiting(msgspec.Struct, omit_defaults=True, gc=False):
    """What waits: (when it lapses, id), soonest first. What has lapsed goes with the next change."""

    v: int = FORMAT
    approvals: list[tuple[int, str]] = []


def key_of(approval: str) -> str:
    """The row on which one approval is kept."""
    return f"approval:{approval}"


def put_down(tx: Tx, approval: str, asked: Approval) -> None:
    """Keep it, and name it on the list. The caller's keys hold `LIST`."""
    tx.put(key_of(approval), asked, due=asked.expires)
    _keep(tx, [*_waiting(tx), (asked.expires, approval)])


def standing(tx: Tx, approval: str) -> Approval | Denied:
    """What still waits under this name, or why nothing does."""
    found = tx.get(key_of(approval), Approval)
    if found is None or tx.now >= found.expires:
        return Denied("no-such-approval", "there is no such approval, or it has lapsed", conflict=True)
    if found.withdrawn_by is not None:
        return Denied("withdrawn", f"it was withdrawn by {found.withdrawn_by}", conflict=True)
    if found.done_by is not None:
        return Denied("carried-out-already", "it has been carried out already", conflict=True)
    return found


def for_second(tx: Tx, approval: str, operator: Operator) -> Approval | Denied:
    """The same for the second person, who must be another than the first."""
    found = standing(tx, approval)
    if isinstance(found, Approval) and found.asked_by == operator.name:
        return Denied("same-person", "whoever asked for a release cannot approve it")
    return found


def carried_out(tx: Tx, approval: str, found: Approval, operator: Operator) -> None:
    """The second person has agreed. The caller's keys hold `LIST`."""
    found.done_by = operator.name
    tx.put(key_of(approval), found)
    take_off(tx, approval)


def take_off(tx: Tx, approval: str) -> None:
    """It waits no more. The caller's keys hold `LIST`."""
    _keep(tx, [one for one in _waiting(tx) if one[1] != approval])


def _waiting(tx: Tx) -> list[tuple[int, str]]:
    row = tx.get(LIST, Waiting)
    return [] if row is None else [one for one in row.approvals if tx.now < one[0]]


def _keep(tx: Tx, approvals: list[tuple[int, str]]) -> None:
    tx.put(LIST, Waiting(approvals=sorted(approvals)))


async def waiting(store: Store) -> list[tuple[str, Approval]]:
    """All that wait now, with their ids; the one that lapses soonest first."""
    body = (await store.peek([LIST])).get(LIST)
    ids = [] if body is None else [approval for _, approval in decode(body, Waiting).approvals]
    rows = await store.peek([key_of(approval) for approval in ids])
    found = [(approval, decode(rows[key_of(approval)], Approval)) for approval in ids if key_of(approval) in rows]
    now = await store.clock()
    return [(approval, asked) for approval, asked in found if asked.done_by is None and asked.withdrawn_by is None and now < asked.expires]


async def shown(store: Store, subject: str | None = None, *, paper: bool | None = None) -> list[dict[str, Any]]:
    """All that wait, of one subject or of all, as staff read them. `paper`: forms only, or none."""
    return [
        {
            "approval": approval, "subject": asked.subject, "lock": asked.lock, "row": asked.row, "path": asked.path, "reason": asked.reason,
            "evidence": asked.evidence, "asked_by": asked.asked_by, "asked_at": rfc3339(asked.asked_at), "lapses": rfc3339(asked.expires),
        }
        for approval, asked in await waiting(store) if subject in {None, asked.subject} and paper in {None, asked.paper}
    ]


def lapses_at(now: int) -> int:
    """When a release asked for now lapses."""
    return now + APPROVAL_S * SECOND
