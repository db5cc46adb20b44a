"""Paper over HTTP: entered by one operator, approved by another, withdrawn by either."""

from __future__ import annotations

import secrets as chance
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sekisho.api.customer import KEY_REUSED, Language, Name
from sekisho.api.http import Call
from sekisho.api.staff import Text, WaitingApproval, denied, operator_of, released
from sekisho.app import App
from sekisho.core.address import LENGTH_MAX
from sekisho.flows import approvals
from sekisho.flows.acts import Denied
from sekisho.flows.papers import Form, Paper
from sekisho.flows.replay import InFlight, OtherBody, Repeated

Address = Annotated[str, Meta(min_length=2, max_length=LENGTH_MAX)]


class FormBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/subjects/{subject}/forms`: a paper form that has come in."""

    form: Name
    """Its name in the policy's `forms:`."""
    reason: Text
    lock: Text | None = None
    """A lock that it is about; left out: all that it lifts."""
    evidence: Text | None = None
    """Where the paper is kept."""
    customer: Name | None = None
    """Where a contract begins: the new customer's name, customer:…"""
    addresses: Annotated[list[Address], Meta(max_length=10)] = []
    """Mail addresses that he has given on it, where the form brings codes by mail."""
    language: Language | None = None
    """Of the letters it brings; left out: Japanese."""


class WithdrawBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/forms/{id}/withdrawal`."""

    reason: Text


class WithdrawnAnswer(msgspec.Struct):
    """The form will not be carried out."""

    approval: str
    form: str
    state: str


class FormsAnswer(msgspec.Struct):
    """The forms that wait for a second person; the one that lapses soonest first. `path` is the form's name."""

    forms: list[WaitingApproval]


class Paperwork:
    """The calls about paper."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._replay_key = app.keyring.secret("replay")

    async def enter(self, call: Call[FormBody]) -> tuple[int, Any]:
        """Enter a form; 202 where a second person must approve it, which carries it out."""
        body = call.body
        told = Paper(body.form, body.reason, body.lock, body.evidence, body.customer, body.addresses, body.language or "ja")
        return released(await self._app.forms.enter(
            self._app.table, call.path["subject"], told, operator_of(call.key), chance.token_urlsafe(18), call.replay(self._replay_key),
        ))

    async def waiting(self, call: Call[None]) -> tuple[int, Any]:
        """The forms in progress."""
        del call
        return 200, FormsAnswer(msgspec.convert(await approvals.shown(self._app.store, paper=True), list[WaitingApproval]))

    async def withdraw(self, call: Call[WithdrawBody]) -> tuple[int, Any]:
        """Withdraw a form that waits for its second person."""
        done = await self._app.forms.withdraw(call.path["id"], call.body.reason, operator_of(call.key), call.replay(self._replay_key))
        return 200, _withdrawn(done)


def _withdrawn(done: Form | Denied | Repeated | OtherBody | InFlight) -> WithdrawnAnswer:
    if isinstance(done, Repeated):
        done = msgspec.msgpack.decode(done.answer, type=Form)
    if isinstance(done, Denied):
        raise denied(done)
    if isinstance(done, Form):
        return WithdrawnAnswer(done.id, done.paper.form, done.state)
    raise KEY_REUSED
