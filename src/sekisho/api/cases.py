"""Customers' matters at the desk over HTTP: for first and second line, and what the customer himself does from his side of it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from sekisho.api.customer import KEY_REUSED, NOT_FOUND, Name
from sekisho.api.http import Call, Problem
from sekisho.api.staff import ApprovalAnswer, Text, denied, operator_of
from sekisho.app import App
from sekisho.catalogue import language_of, say
from sekisho.core.case import Case, pressing
from sekisho.core.state import SECOND
from sekisho.core.stop import Stopped
from sekisho.flows import cases
from sekisho.flows.acts import Awaits, Denied
from sekisho.flows.callers import Entered
from sekisho.flows.cases import Carried, Noted, Opened
from sekisho.flows.replay import OtherBody, Repeated
from sekisho.terms import Outcome


class CaseBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/cases`: whose matter it is, what about, and how he has come to the desk."""

    subject: Name
    matter: Text
    how: Literal["telephone", "writing"]


class NoteBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/cases/{id}/notes`: what was done. `text` holds the remedy's name, the word, or words of one's own."""

    what: Literal["remark", "remedy", "owner", "call-back", "missed", "reached", "agreed-word", "closed"]
    text: Annotated[str, Meta(max_length=2000)] = ""
    at: Annotated[datetime, Meta(tz=True)] | None = None
    """For a call-back: when."""


class VerifyBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/cases/{id}/verifications`: by which item of the policy."""

    item: Name


class CallerBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/cases/{id}/verifications/entries`: what the caller has said."""

    item: Name
    proof: Annotated[str, Meta(min_length=1, max_length=1024)]


class ActBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/cases/{id}/acts`: a desk path of the policy."""

    path: Name
    reason: Text
    evidence: Text | None = None


class NumberBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/sessions/{id}/approvals`: the number that the operator has read out."""

    number: Annotated[str, Meta(min_length=1, max_length=20)]


class NotMeBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/disavowals`: whose matter it is, and the code that stood in what he was told."""

    subject: Name
    code: Annotated[str, Meta(min_length=1, max_length=40)]


class OpenedAnswer(msgspec.Struct):
    """The case is on record."""

    case: str


class NotedAnswer(msgspec.Struct):
    """It is on record."""

    case: str
    state: str


class CarriedAnswer(msgspec.Struct):
    """The act is done."""

    case: str
    path: str


NAME_MAX = 200
_NUMBER = re.compile(r"[0-9]{1,4}")


class CasesAnswer(msgspec.Struct):
    """Cases, the newest or the most pressing first."""

    cases: list[dict[str, Any]]
    more: int = 0
    """How many there are besides."""


class BeginsAnswer(msgspec.Struct, omit_defaults=True):
    """The caller is asked for it now."""

    item: str
    how: str
    number: str | None = None
    """To be read to him."""
    address: str | None = None
    """Where a code went to, behind its mask."""


class EnteredAnswer(msgspec.Struct):
    """What came of an entry."""

    outcome: Outcome
    verified: bool


class WaitsAnswer(msgspec.Struct):
    """Whether the desk waits for a number in this session."""

    waits: bool


class ReleaseCodeAnswer(msgspec.Struct):
    """The release code, for the customer alone."""

    code: str


class NotMeAnswer(msgspec.Struct):
    """What the customer is told."""

    outcome: Stopped
    message: str
    code: str


class Matters:
    """The calls about cases."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._replay_key = app.keyring.secret("replay")

    async def open_case(self, call: Call[CaseBody]) -> tuple[int, Any]:
        """Open a case for a customer."""
        body = call.body
        return answer(await self._app.cases.open(
            body.subject, body.matter, body.how, operator_of(call.key), call.replay(self._replay_key)))

    async def cases(self, call: Call[None]) -> tuple[int, Any]:
        """The cases that are not at their end, or all of one customer's (`?subject=`), the newest first; `?first=`: so many, the most pressing."""
        asked = dict(parse_qsl(call.query, keep_blank_values=True))
        subject, first = asked.get("subject"), asked.get("first")
        if (first is not None and not _NUMBER.fullmatch(first)) or len(subject or "") > NAME_MAX:
            raise Problem(422, "wrong-shape", "`subject` is a name, and `first` a whole number of cases.")
        now = await self._app.store.clock()
        listed = list(reversed(await self._app.cases.listed(subject)))
        shown = listed if first is None else sorted(listed, key=lambda one: pressing(one[1]))[:int(first)]
        return 200, CasesAnswer([self._shown(name, case, now) for name, case in shown], len(listed) - len(shown))

    async def case(self, call: Call[None]) -> tuple[int, Any]:
        """One case."""
        found = await self._app.cases.standing(call.path["id"])
        if found is None:
            raise NOT_FOUND
        return 200, self._shown(call.path["id"], found, await self._app.store.clock())

    def _shown(self, name: str, case: Case, now: int) -> dict[str, Any]:
        return cases.shown(name, case, self._app.table, now)

    async def note(self, call: Call[NoteBody]) -> tuple[int, Any]:
        """Note what was done in a case: what was tried, whom the desk reached, a word that was agreed on, who has it now."""
        body = call.body
        at = None if body.at is None else int(body.at.timestamp()) * SECOND
        return answer(await self._app.cases.note(
            self._app.table, call.path["id"], body.what, body.text, at, operator_of(call.key), call.replay(self._replay_key)))

    async def verify(self, call: Call[VerifyBody]) -> tuple[int, Any]:
        """Ask the caller for one thing by which he is verified: a code is sent, or a number shown to be read out."""
        told = await self._app.callers.begin(
            self._app.table, call.path["id"], call.body.item, operator_of(call.key), language_of(call.language))
        if isinstance(told, Denied):
            raise denied(told)
        return 201, BeginsAnswer(told.item, told.how, told.number, told.address)

    async def heard(self, call: Call[CallerBody]) -> tuple[int, Any]:
        """What the caller has said: compared and counted like any entry."""
        told = await self._app.callers.enter(
            self._app.table, call.path["id"], call.body.item, call.body.proof, operator_of(call.key), call.replay(self._replay_key))
        if isinstance(told, Denied):
            raise denied(told)
        if isinstance(told, OtherBody):
            raise KEY_REUSED
        return 200, EnteredAnswer(told.outcome, told.verified)

    async def act(self, call: Call[ActBody]) -> tuple[int, Any]:
        """Do what a desk path of the policy says; 202 where a second person must agree."""
        body = call.body
        return answer(await self._app.cases.act(
            call.path["id"], body.path, body.reason, body.evidence, operator_of(call.key), call.replay(self._replay_key)))

    # -- the customer's side ---------------------------------------------------------------------------------------------------

    async def waits(self, call: Call[None]) -> tuple[int, Any]:
        """Whether the desk waits for a number to be entered in this session."""
        found = await self._app.callers.waits(call.key.id, call.path["id"])
        if found is None:
            raise NOT_FOUND
        return 200, WaitsAnswer(found)

    async def approve(self, call: Call[NumberBody]) -> tuple[int, Any]:
        """The customer, in his session, enters the number that an operator has just read to him."""
        told = await self._app.callers.approve(
            self._app.table, call.key.id, call.path["id"], call.body.number, call.replay(self._replay_key))
        if isinstance(told, OtherBody):
            raise KEY_REUSED
        if not isinstance(told, Entered):
            raise NOT_FOUND
        return 200, EnteredAnswer(told.outcome, told.verified)

    async def release_code(self, call: Call[None]) -> tuple[int, Any]:
        """The release code, in the session in which its customer was verified."""
        found = await self._app.sessions.session(call.key.id, call.path["id"])
        code = await self._app.recoveries.code_in(call.path["id"]) if found is not None and found.live else None
        if code is None:
            raise NOT_FOUND
        return 200, ReleaseCodeAnswer(code)

    async def not_me(self, call: Call[NotMeBody]) -> tuple[int, Any]:
        """Somebody who was told of something says that it was not he: everything is stopped, and what is under way undone."""
        body = call.body
        outcome = Stopped.REFUSED
        if await self._app.recoveries.disavow(body.subject, body.code):
            await self._app.stops.stop(call.key.id, body.subject, known=True, reason="not-me")
            outcome = Stopped.STOPPED
        code = "stopped" if outcome is Stopped.STOPPED else "stop-refused"
        return 200, NotMeAnswer(outcome, say(language_of(call.language), f"answer.{code}"), code)


def answer(done: cases.Told) -> tuple[int, Any]:
    """The answer to whatever was done in a case."""
    if isinstance(done, Repeated):
        done = msgspec.msgpack.decode(done.answer, type=Opened | Noted | Carried | Awaits)
    if isinstance(done, Denied):
        raise denied(done)
    if isinstance(done, Opened):
        return 201, OpenedAnswer(done.case)
    if isinstance(done, Noted):
        return 200, NotedAnswer(done.case, done.state)
    if isinstance(done, Awaits):
        return 202, ApprovalAnswer(done.approval)
    if isinstance(done, Carried):
        return 200, CarriedAnswer(done.case, done.path)
    raise KEY_REUSED



