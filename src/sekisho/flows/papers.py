"""Forms on record: what stands on each, how far it is, and how staff read that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sekisho.core import address as masks
from sekisho.core.state import FORMAT, Outgoing, decode
from sekisho.flows.outbox import outbox_key, stands
from sekisho.flows.sights import rfc3339
from sekisho.ports import Store
from sekisho.terms import Way

SHOWN = 20
"""Forms of one subject that staff see, the newest."""


class Paper(msgspec.Struct, omit_defaults=True):
    """What stands on a form, as it is entered."""

    form: str
    reason: str
    lock: str | None = None
    """A lock that it must lift; None: whatever it lifts."""
    evidence: str | None = None
    customer: str | None = None
    """For a contract that is new: the customer's name here."""
    addresses: list[str] = []
    """Mail addresses that he has given and signed for."""
    language: str = "ja"
    """Of its letters."""


class Form(msgspec.Struct, omit_defaults=True):
    """One form and how far it is."""

    id: str
    paper: Paper
    entered_by: str
    entered_at: int
    lapses: int
    state: str = "waiting"
    """`waiting`, `withdrawn`, `done`, or `overtaken` by another way out of the lock that it was about."""
    closed_by: str | None = None
    """Who withdrew it, or who approved it."""
    closed_at: int | None = None
    note: str | None = None
    """Why it was withdrawn."""
    lifted: list[str] = []
    """The rows of the locks that it has lifted."""
    letters: dict[str, str] = {}
    """By item: the message that brings it."""
    by_bank: list[str] = []
    """What the bank itself must give."""

    def stands(self, now: int) -> str:
        """How far it is: one that nobody has approved in time has lapsed."""
        return "lapsed" if self.state == "waiting" and now >= self.lapses else self.state


class Forms(msgspec.Struct, omit_defaults=True):
    """The newest forms of one subject."""

    v: int = FORMAT
    forms: list[Form] = []


class CarriedOut(msgspec.Struct, frozen=True, tag="carried-out"):
    """The form has done what the policy says."""

    form: str
    lock: str | None
    lifted: list[str]
    """Rows of the locks that are gone."""
    letters: list[str]
    """Items that a letter brings."""
    by_bank: list[str]
    """What the bank itself must give."""


def forms_key(subject: str) -> str:
    """The row on which a subject's forms are kept."""
    return f"forms:{subject}"


async def shown(store: Store, subject: str, *, whole: bool) -> list[dict[str, Any]]:
    """A subject's forms as staff read them, the newest first; mail addresses whole or behind their masks."""
    body = (await store.peek([forms_key(subject)])).get(forms_key(subject))
    forms = [] if body is None else decode(body, Forms).forms
    rows = await store.peek([outbox_key(name) for form in forms for name in form.letters.values()])
    letters = {key.partition(":")[2]: stands(decode(row, Outgoing)) for key, row in rows.items()}
    now = await store.clock()
    return [_shown(form, now, letters, whole=whole) for form in forms]


def _shown(form: Form, now: int, letters: Mapping[str, str], *, whole: bool) -> dict[str, Any]:
    told = form.paper
    return {
        "approval": form.id, "form": told.form, "state": form.stands(now), "reason": told.reason, "evidence": told.evidence, "lock": told.lock,
        "customer": told.customer, "addresses": [to if whole else masks.masked(Way.MAIL, to) for to in told.addresses],
        "entered_by": form.entered_by, "entered_at": rfc3339(form.entered_at), "lapses": rfc3339(form.lapses),
        "closed_by": form.closed_by, "closed_at": rfc3339(form.closed_at), "note": form.note, "lifted": form.lifted, "by_bank": form.by_bank,
        "letters": [{"item": item, "course": letters.get(name)} for item, name in form.letters.items()],
    }
