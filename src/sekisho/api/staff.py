"""What staff call. Every key names one operator; every act is on record under that name."""

from __future__ import annotations

import secrets as chance
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sekisho.api.customer import KEY_REUSED
from sekisho.api.http import Call, Problem
from sekisho.app import App
from sekisho.flows import approvals
from sekisho.flows.acts import Awaits, Denied, Lifted, Operator
from sekisho.flows.cases import Carried, Noted, Opened
from sekisho.flows.clock import Agree, doubts
from sekisho.flows.desk import Enrolment, ItemSetting
from sekisho.flows.papers import CarriedOut, Paper
from sekisho.flows.replay import InFlight, OtherBody, Repeated
from sekisho.flows.sights import MASKED_FOR, rfc3339
from sekisho.manual import row_address
from sekisho.ports import ApiKey
from sekisho.terms import PathKind

Text = Annotated[str, Meta(min_length=1, max_length=2000)]


class ReleaseBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/subjects/{subject}/releases`."""

    lock: Text
    path: Text
    reason: Text
    evidence: Text | None = None


class SubjectAnswer(msgspec.Struct):
    """A subject is known."""

    subject: str
    new: bool


class ItemAnswer(msgspec.Struct):
    """An item was set."""

    subject: str
    item: str


class AgreeBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/clock`."""

    reason: Text


class ClockAnswer(msgspec.Struct):
    """The ledger's clock, and how far each node that doubts it saw it jump, in seconds."""

    ledger: str | None
    doubts: dict[str, int]


class OperatorAnswer(msgspec.Struct):
    """One person at the bank."""

    operator: str
    role: str
    may: list[str]
    """Acts of the policy's `desk:`."""


class ReleasedAnswer(msgspec.Struct, omit_defaults=True):
    """A lock was lifted, or a form carried out."""

    lock: str | None
    path: str
    lifted: list[str] | None = None
    """By a form: the rows of all locks that it has lifted."""
    letters: list[str] | None = None
    """Items that it brings by letter. What stands in it is told to nobody here."""
    by_bank: list[str] | None = None
    """Items and things that the bank itself must give."""


class ApprovalAnswer(msgspec.Struct):
    """A second person must carry it out."""

    approval: str


class WaitingApproval(msgspec.Struct):
    """A release that waits for its second person. Times: RFC 3339, UTC."""

    approval: str
    subject: str
    lock: str
    row: str
    path: str
    reason: str
    asked_by: str
    asked_at: str
    lapses: str
    evidence: str | None = None


class ApprovalsAnswer(msgspec.Struct):
    """All that wait; the one that lapses soonest first."""

    approvals: list[WaitingApproval]


def operator_of(key: ApiKey) -> Operator:
    """Who acts."""
    return Operator(key.operator, key.role)


class Staff:
    """The calls of staff."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._replay_key = app.keyring.secret("replay")

    async def enrol(self, call: Call[Enrolment]) -> tuple[int, Any]:
        """Enrol a subject, or change what is known of it."""
        subject = call.path["subject"]
        new = await self._app.desk.enrol(self._app.table, subject, call.body, operator_of(call.key))
        return (201 if new else 200), SubjectAnswer(subject, new)

    async def set_item(self, call: Call[ItemSetting]) -> tuple[int, Any]:
        """Set or import a secret, counts, locks."""
        subject, item = call.path["subject"], call.path["item"]
        no = await self._app.desk.set_item(self._app.table, subject, item, call.body, operator_of(call.key))
        if no is not None:
            raise denied(no)
        return 200, ItemAnswer(subject, item)

    async def deliveries(self, call: Call[None]) -> tuple[int, Any]:
        """The customer's newest messages, each with its whole course: who said what, when, and why it did not get on."""
        told = await self._app.traces.messages(call.path["subject"], whole=call.key.role not in MASKED_FOR)
        return 200, {"deliveries": told}

    async def view(self, call: Call[None]) -> tuple[int, Any]:
        """Everything about one subject: counts with their stages, locks with their ways out, recent events."""
        seen = await self._app.desk.view(self._app.table, call.path["subject"], self._app.entries.refusals, call.key.role)
        for lock in seen["locks"]:
            lock["article"] = row_address(lock["row"])
        return 200, seen

    async def operator(self, call: Call[None]) -> tuple[int, Any]:
        """Whose key this is, and what the policy in force lets her role do."""
        may = self._app.table.desk.get(call.key.role, {}).get("may", [])
        return 200, OperatorAnswer(call.key.operator, call.key.role, list(may))

    async def clock(self, call: Call[None]) -> tuple[int, Any]:
        """What the ledger's clock says, and which nodes doubt it and grant nothing."""
        del call
        return 200, await self._clock()

    async def agree_to_clock(self, call: Call[AgreeBody]) -> tuple[int, Any]:
        """Agree to what the ledger's clock says, on the operator's own word: the nodes that doubted it go on."""
        await self._app.ledger.run(Agree(operator=call.key.operator, reason=call.body.reason))
        return 200, await self._clock()

    async def _clock(self) -> ClockAnswer:
        store = self._app.store
        return ClockAnswer(rfc3339(await store.clock()), await doubts(store))

    async def release(self, call: Call[ReleaseBody]) -> tuple[int, Any]:
        """Lift a lock by one of its paths; 202 where a second person must carry it out."""
        body = call.body
        path = self._app.table.paths.get(body.path)
        if path is not None and path.kind is PathKind.FORM:
            # Whoever lifts a lock by a form has the form: it is entered, and carried out whole.
            told = Paper(body.path, body.reason, body.lock, body.evidence)
            return released(await self._app.forms.enter(
                self._app.table, call.path["subject"], told, operator_of(call.key), chance.token_urlsafe(18), call.replay(self._replay_key),
            ))
        done = await self._app.releases.release(
            call.path["subject"], body.lock, body.path, body.reason, body.evidence, operator_of(call.key), chance.token_urlsafe(18),
            call.replay(self._replay_key),
        )
        return released(done)

    async def approvals(self, call: Call[None]) -> tuple[int, Any]:
        """The releases that wait for a second person, the one that lapses soonest first."""
        del call
        return 200, ApprovalsAnswer(msgspec.convert(await approvals.shown(self._app.store), list[WaitingApproval]))

    async def approve(self, call: Call[None]) -> tuple[int, Any]:
        """Carry out what another operator asked for."""
        approval, operator, replay = call.path["id"], operator_of(call.key), call.replay(self._replay_key)
        incident = await self._app.incidents.asked(approval)
        if incident is not None:
            return released(await self._app.incidents.approve(approval, incident, operator, replay))
        form = await self._app.forms.asked(approval)
        if form is not None:
            return released(await self._app.forms.approve(self._app.table, approval, form.subject, operator, replay))
        asked = await self._app.cases.asked(approval)
        if asked is not None:
            return released(await self._app.cases.agree(approval, asked, operator, replay))
        return released(await self._app.releases.approve(approval, operator, replay))


def released(done: Denied | Lifted | CarriedOut | Awaits | Opened | Noted | Carried | Repeated | OtherBody | InFlight) -> tuple[int, Any]:
    """The answer to a release, a form or an act in a case, whatever came of it."""
    if isinstance(done, Repeated):
        done = msgspec.msgpack.decode(done.answer, type=Lifted | CarriedOut | Awaits | Carried)
    if isinstance(done, Denied):
        raise denied(done)
    if isinstance(done, Awaits):
        return 202, ApprovalAnswer(done.approval)
    if isinstance(done, Lifted):
        return 200, ReleasedAnswer(done.lock, done.path)
    if isinstance(done, CarriedOut):
        return 200, ReleasedAnswer(done.lock, done.form, done.lifted, done.letters, done.by_bank)
    if isinstance(done, Carried):
        return 200, ReleasedAnswer(done.case, done.path)
    raise KEY_REUSED


def denied(no: Denied) -> Problem:
    """What staff may not do, as an answer."""
    return Problem(409 if no.conflict else 403, no.code, "This may not be done.", no.reason)
