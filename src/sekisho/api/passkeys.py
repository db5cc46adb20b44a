"""Passkeys over HTTP: what a browser is asked to make or to sign, and what a customer has; and where a browser finds out about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sekisho.api.challenges import not_sent
from sekisho.api.customer import KEY_REUSED, NOT_FOUND, Language, Name, help_at
from sekisho.api.http import Call, Problem
from sekisho.api.staff import Text, denied, operator_of
from sekisho.app import App
from sekisho.catalogue import language_of
from sekisho.core.base64url import spell
from sekisho.flows.acts import Denied
from sekisho.flows.answers import Refused
from sekisho.flows.app_desk import AppDesk, Posted, Removed, Told
from sekisho.flows.apps import NotAgreed, OnFile
from sekisho.flows.attempt import Missing
from sekisho.flows.held import NAME_MAX, Asked
from sekisho.flows.passkeys import Passkey
from sekisho.flows.replay import Repeated
from sekisho.flows.sights import rfc3339

CalledName = Annotated[str, Meta(min_length=1, max_length=NAME_MAX, pattern="^[^\x00-\x1f\x7f]*$")]


class SignBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/procedures/{id}/signatures`."""

    item: Name


class AskedAnswer(msgspec.Struct):
    """A device is asked to sign."""

    challenge: str
    sign: str
    """What is signed, base64url."""
    until: str
    """From when it is asked no more."""
    options: dict[str, Any]
    """For a browser: what it takes as `publicKey`, in the form that its `parse…OptionsFromJSON` reads."""


class NameBody(msgspec.Struct, forbid_unknown_fields=True):
    """`PUT /v1/sessions/{id}/passkeys/{passkey}`."""

    name: CalledName


class PasskeyAnswer(msgspec.Struct):
    """One passkey of the customer's. Times: RFC 3339, UTC."""

    id: str
    item: str
    name: str
    since: str
    used: str
    backed_up: bool
    """It is on several of his devices."""


class PasskeysAnswer(msgspec.Struct):
    """All of them."""

    passkeys: list[PasskeyAnswer]


class AppCodeAnswer(msgspec.Struct):
    """A code for `POST /v1/apps`."""

    code: str
    until: str


class AppBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/apps`: what a device answers to the code. The parts are those of docs/how/app.md."""

    code: Annotated[str, Meta(min_length=24, max_length=64)]
    name: CalledName
    parts: dict[str, Annotated[str, Meta(max_length=2048)]]


class AppAnswer(msgspec.Struct):
    """The device is enrolled."""

    app: str
    customer: str
    """Whose it is: a code by letter comes without a session that would say so."""


class OneApp(msgspec.Struct):
    """One device of the customer's."""

    app: str
    name: str
    since: str


class AppsAnswer(msgspec.Struct):
    """All of them."""

    apps: list[OneApp]


class StandingApp(msgspec.Struct):
    """One enrolment of the bank's app."""

    enrolled: bool
    """False: it was removed, or there never was one of that name."""


class LossBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/subjects/{subject}/apps/{app}/loss`."""

    reason: Text


class AppLetterBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/subjects/{subject}/app-codes`."""

    reason: Text
    language: Language = "ja"


class AppLetterAnswer(msgspec.Struct):
    """A code is on its way by letter. What stands in it is told to nobody here."""

    letter: str


class HeldThings:
    """The calls about what customers hold."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._desk = AppDesk(app.ledger, app.store, app.codes, app.outbox)
        self._replay_key = app.keyring.secret("replay")

    async def sign(self, call: Call[SignBody]) -> tuple[int, Any]:
        """Ask the customer's device for a signature, or for a new passkey. It is answered once, as the proof of an entry."""
        told = await self._app.signing.ask(
            self._app.table, call.key.id, call.path["id"], call.body.item, call.replay(self._replay_key),
        )
        if isinstance(told, Repeated):
            told = msgspec.msgpack.decode(told.answer, type=Asked)
        if isinstance(told, Asked):
            return 201, AskedAnswer(told.challenge, spell(told.sign), rfc3339(told.until) or "", told.options)
        if isinstance(told, Refused):
            facts = await self._app.runs.facts(call.path["id"])
            language = (facts.language if facts is not None else None) or language_of(call.language)
            return 200, not_sent(self._app.entries.noted(told).answer, language, help_at(facts.operation if facts is not None else None))
        raise NOT_FOUND if isinstance(told, Missing) else KEY_REUSED

    async def passkeys(self, call: Call[None]) -> tuple[int, Any]:
        """The passkeys of the customer whose session this is."""
        return _shown(await self._app.passkeys.shown(self._app.table, call.key.id, call.path["id"]))

    async def name_passkey(self, call: Call[NameBody]) -> tuple[int, Any]:
        """Call a passkey otherwise."""
        return _shown(await self._app.passkeys.name(self._app.table, call.key.id, call.path["id"], call.path["passkey"], call.body.name))

    async def remove_passkey(self, call: Call[None]) -> tuple[int, Any]:
        """Remove a passkey. The customer is told on every channel."""
        return _shown(await self._app.passkeys.remove(self._app.table, call.key.id, call.path["id"], call.path["passkey"]))


    async def app_code(self, call: Call[None]) -> tuple[int, Any]:
        """A code that enrols a device of the customer's in the bank's app, to be shown to him in his session; once after each agreement there."""
        made = await self._app.apps.code(call.key.id, call.path["id"])
        if made is None:
            raise NOT_FOUND
        if isinstance(made, NotAgreed):
            raise Problem(403, "not-agreed-device", "The customer must first agree in this session: an operation with `adds_device` in the policy.")
        return 201, AppCodeAnswer(made[0], rfc3339(made[1]) or "")

    async def enrol_app(self, call: Call[AppBody]) -> tuple[int, Any]:
        """Enrol a device in the bank's app: its code, its keys and its passcode, signed by it. Whole, or not at all."""
        body = call.body
        enrolled = await self._app.apps.enrol(self._app.table, body.code, body.name, body.parts)
        if enrolled is None:
            raise Problem(409, "not-enrolled-app", "The code is good for nothing any more, or the device has not signed it.")
        return 201, AppAnswer(*enrolled)

    async def apps(self, call: Call[None]) -> tuple[int, Any]:
        """The devices on which the customer of this session has the bank's app."""
        return _apps(await self._app.apps.shown(self._app.table, call.key.id, call.path["id"]))

    async def app(self, call: Call[None]) -> tuple[int, Any]:
        """Whether a device is still enrolled in the bank's app. One that was removed is to be shown nothing of its customer any more."""
        return 200, StandingApp(await self._app.apps.stands(call.path["app"]))

    async def remove_app(self, call: Call[None]) -> tuple[int, Any]:
        """Remove a device: lost, or given away. The customer is told on every channel."""
        return _apps(await self._app.apps.remove(self._app.table, call.key.id, call.path["id"], call.path["app"]))


    async def apps_of(self, call: Call[None]) -> tuple[int, Any]:
        """The devices on which a customer has the bank's app."""
        return _apps(await self._desk.shown(call.path["subject"]))

    async def app_lost(self, call: Call[LossBody]) -> tuple[int, Any]:
        """A device is lost or stolen: it enters nothing any more, and the customer is told on every channel."""
        done = await self._desk.lost(
            self._app.table, call.path["subject"], call.path["app"], call.body.reason, operator_of(call.key), call.replay(self._replay_key),
        )
        return _apps(_done(done, Removed).left)

    async def app_letter(self, call: Call[AppLetterBody]) -> tuple[int, Any]:
        """Send a code that enrols a device by letter. No operator sees it, and the customer is told that it is on its way."""
        body = call.body
        done = await self._desk.post(
            call.path["subject"], body.reason, body.language, operator_of(call.key), call.replay(self._replay_key),
        )
        return 202, AppLetterAnswer(_done(done, Posted).letter)


Done = TypeVar("Done", Removed, Posted)


def _done(told: Told, kind: type[Done]) -> Done:
    """What was done; a request that comes again is told the same.

    Raises:
        Problem: it was not done, or the key was used for something else.

    """
    if isinstance(told, Repeated):
        return msgspec.msgpack.decode(told.answer, type=kind)
    if isinstance(told, Denied):
        raise denied(told)
    if not isinstance(told, kind):
        raise KEY_REUSED
    return told


def _apps(found: list[OnFile] | None) -> tuple[int, Any]:
    if found is None:
        raise NOT_FOUND
    return 200, AppsAnswer([OneApp(one.app, one.name, rfc3339(one.since) or "") for one in found])


def _shown(found: list[Passkey] | None) -> tuple[int, Any]:
    if found is None:
        raise NOT_FOUND
    return 200, PasskeysAnswer([
        PasskeyAnswer(one.id, one.item, one.name, rfc3339(one.since) or "", rfc3339(one.used) or "", one.is_backed_up) for one in found
    ])


def well_known(app: App) -> list[Route]:
    """What browsers and password managers look for on a bank's own host, as far as this service was told."""
    party = app.settings.passkeys
    if party is None:
        return []
    found = [Route("/.well-known/webauthn", _telling({"origins": list(party.origins)}))]
    if party.manage:
        found.append(Route("/.well-known/passkey-endpoints", _telling({"enroll": party.manage, "manage": party.manage})))
    if party.change_password:
        there = {"location": party.change_password}
        found.append(Route("/.well-known/change-password", lambda _: Response(status_code=303, headers=there)))
    return found


def _telling(body: dict[str, Any]) -> Callable[[Request], Response]:
    told = msgspec.json.encode(body)
    return lambda _: Response(told, media_type="application/json")
