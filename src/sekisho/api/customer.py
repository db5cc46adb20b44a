"""What a channel calls for its customers. Nothing here names a row, a count, a threshold or the length of a lock (D1)."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from sekisho.api.http import Call, Problem
from sekisho.api.pace import Counted, Pace, as_it_is
from sekisho.app import App
from sekisho.catalogue import language_of, say
from sekisho.events import FeedItem
from sekisho.flows.answers import Answer, Refused
from sekisho.flows.attempt import Missing, Told, Twice
from sekisho.flows.count_mode import Held
from sekisho.flows.devices import NOWHERE, Devices, Place
from sekisho.flows.replay import OtherBody, Repeated
from sekisho.flows.runs import Begun, NoSession, TooMany
from sekisho.flows.sights import rfc3339
from sekisho.flows.subjects import NOBODY
from sekisho.manual import SERVED, Audience
from sekisho.terms import Outcome, State, Verdict

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Language = Literal["ja", "en"]


class Context(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Where an entry comes from, as the channel sees it."""

    ip: Annotated[str, Meta(max_length=64)] | None = None
    user_agent: Annotated[str, Meta(max_length=1024)] | None = None
    device: Annotated[str, Meta(max_length=200)] | None = None
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")] | None = None
    """Where that is, by ISO 3166-1 alpha-2, as far as the channel knows."""
    caller: Name | None = None


class BeginBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/procedures`."""

    operation: Name
    subject: Name | None = None
    about: Name | None = None
    session: Name | None = None
    context: Context | None = None
    language: Language | None = None


class EntryBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/procedures/{id}/attempts`."""

    item: Name
    proof: str | dict[str, str]


class ReserveBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/reservations`."""

    operation: Name
    item: Name
    subject: Name
    about: Name | None = None
    session: Name | None = None
    procedure: Name | None = None
    context: Context | None = None


class VerdictBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/reservations/{id}/verdict`."""

    verdict: Verdict


class Next(msgspec.Struct):
    """An item that may be entered now."""

    item: str
    kind: str


class BegunAnswer(msgspec.Struct):
    """A run has begun."""

    procedure: str
    state: str
    next: list[Next]


class RefusedAnswer(msgspec.Struct, omit_defaults=True):
    """Nothing was looked at."""

    outcome: Outcome
    state: str
    next: list[Next]
    message: str
    code: str
    """The name of the message, for a bank that says it in its own words."""
    again: bool = False
    article: str | None = None
    """Where the customer reads what happened and what to do now; on every refusal, and where a wrong entry ended the run."""


class EntryAnswer(RefusedAnswer, omit_defaults=True):
    """What came of one entry."""

    session: str | None = None
    device: str | None = None
    """Where the channel gave no `context.device`: a name to keep on the device and to give from now on."""


class HeldAnswer(msgspec.Struct):
    """The guess is taken."""

    outcome: str
    reservation: str


class StandingAnswer(msgspec.Struct):
    """How a run stands."""

    state: str
    next: list[Next]
    message: str
    code: str


class Proved(msgspec.Struct):
    """One item that was proved: which, by what kind of thing, and when."""

    item: str
    kind: str
    at: str


class AdviceAnswer(msgspec.Struct):
    """Something the customer should see to while he can."""

    code: str
    message: str
    address: str | None
    """Which it is about, behind its mask."""


class SessionAnswer(msgspec.Struct, omit_defaults=True):
    """A session. Times: RFC 3339, UTC."""

    live: bool
    proved: list[Proved]
    advice: list[AdviceAnswer] = []
    factors: list[str] = []
    """Of which factors that is: `knowledge`, `possession`, `inherence`. A code by mail is none."""
    resists_phishing: bool = False
    started: str | None = None
    used: str | None = None
    """When it was last used, half a minute more or less."""
    idle_until: str | None = None
    """When it is over unless it is used."""
    until: str | None = None
    """When it is over in any case."""


class EventsAnswer(msgspec.Struct):
    """What happened since; ask again with `next` as `after`."""

    events: list[dict[str, Any]]
    next: int


def _next(items: list[tuple[str, str]]) -> list[Next]:
    return [Next(item, kind) for item, kind in items]


class Customer:
    """The calls of a channel."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._replay_key = app.keyring.secret("replay")
        self._pace = Pace()

    def _device(self, context: Context | None) -> str:
        return self._app.subjects.devices.read(context.device if context else None)

    def _place(self, context: Context | None) -> Place:
        return self._app.subjects.devices.place(context.ip, context.country) if context else NOWHERE

    def _actor(self, context: Context | None) -> str:
        return actor_of(context, self._app.subjects.devices)

    async def begin(self, call: Call[BeginBody]) -> tuple[int, Any]:
        """Begin a procedure: one run of an operation, step by step."""
        body = call.body
        begun = await self._app.runs.begin(
            self._app.table, call.key.id, body.operation, body.subject, about=body.about, session=body.session,
            actor=self._actor(body.context), caller=body.context.caller if body.context else None, device=self._device(body.context),
            place=self._place(body.context), language=body.language, replay=call.replay(self._replay_key),
        )
        if isinstance(begun, NoSession):
            raise Problem(409, "no-session", "This needs a live session of the same customer.")
        if isinstance(begun, TooMany):
            raise Problem(429, "too-many-runs", "Too many procedures were begun from there; let some of them end.")
        if isinstance(begun, Repeated):
            begun = msgspec.msgpack.decode(begun.answer, type=Begun)
        if not isinstance(begun, Begun):
            raise KEY_REUSED
        return 201, BegunAnswer(begun.procedure, begun.state, _next(begun.next))

    async def enter(self, call: Call[EntryBody]) -> tuple[int, Any]:
        """Enter something: it is counted, compared and settled before the answer leaves."""
        table = self._app.table
        answer = await self._app.entries.enter(
            table, call.key.id, call.path["id"], call.body.item, call.body.proof, replay=call.replay(self._replay_key),
        )
        if self._app.settings.hold and table.timing.hold_ms.get(call.body.item):
            call.pace = self._pace_of(call.body.item, answer)
        facts = await self._app.runs.facts(call.path["id"])
        language = (facts.language if facts is not None else None) or language_of(call.language)
        return 200, _entry(answer, language, help_at(facts.operation if facts is not None else None))

    def _pace_of(self, item: str, answer: Told) -> Counted:
        """What was not compared takes as long as what was. Who is told to try again at once is told so at once."""
        if isinstance(answer, Answer):
            return self._pace.of_compared(item)
        return as_it_is if isinstance(answer, Refused) and answer.answer.again else self._pace.of_refused(item)

    async def _language(self, call: Call[Any], procedure: str) -> str:
        """The language given when the run began, else the one this request asks for."""
        facts = await self._app.runs.facts(procedure)
        return (facts.language if facts is not None else None) or language_of(call.language)

    async def look(self, call: Call[None]) -> tuple[int, Any]:
        """How a procedure stands."""
        found = await self._app.runs.look(call.key.id, call.path["id"])
        if isinstance(found, Missing):
            raise NOT_FOUND
        words = say(await self._language(call, call.path["id"]), f"answer.{found.message}")
        return 200, StandingAnswer(found.state, _next(found.next), words, found.message)

    async def reserve(self, call: Call[ReserveBody]) -> tuple[int, Any]:
        """Count mode: take one guess. The bank compares, then gives its verdict."""
        body = call.body
        held = await self._app.count_mode.hold(
            self._app.table, call.key.id, body.operation, body.item, body.subject, about=body.about, session=body.session,
            procedure=body.procedure, actor=self._actor(body.context), caller=body.context.caller if body.context else None,
            device=self._device(body.context), place=self._place(body.context), replay=call.replay(self._replay_key),
        )
        if isinstance(held, Held):
            return 201, HeldAnswer("granted", held.reservation)
        told = _answer(held)
        words = say(language_of(call.language), f"answer.{told.message}")
        return 200, RefusedAnswer(
            told.outcome, told.state, _next(told.next), words, told.message, again=told.again, article=help_at(body.operation))

    async def verdict(self, call: Call[VerdictBody]) -> tuple[int, Any]:
        """Count mode: the bank's verdict on a guess it holds. One for each reservation."""
        answer = await self._app.count_mode.verdict(call.key.id, call.path["id"], call.body.verdict, replay=call.replay(self._replay_key))
        if isinstance(answer, Twice):
            raise Problem(409, "verdict-given", "This reservation has had its verdict, or its time ran out and it counted as wrong.")
        return 200, _entry(answer, language_of(call.language), help_at(None))

    async def session(self, call: Call[None]) -> tuple[int, Any]:
        """Whether a session is live, what was proved in it and by what, and how long it lasts."""
        found = await self._app.sessions.session(call.key.id, call.path["id"])
        if found is None:
            raise NOT_FOUND
        language = language_of(call.language)
        told = await self._app.traces.advice(self._app.table, found.subject) if found.live else []
        advice = [AdviceAnswer(one.advice, say(language, f"advice.{one.advice}"), one.address) for one in told]
        return 200, SessionAnswer(
            found.live, [Proved(item, kind, rfc3339(at) or "") for item, kind, at in found.proved], advice, [*found.factors],
            resists_phishing=found.resists_phishing, started=rfc3339(found.started), used=rfc3339(found.used),
            idle_until=rfc3339(found.idle_until), until=rfc3339(found.until),
        )

    async def end_session(self, call: Call[None]) -> tuple[int, Any]:
        """End a session."""
        if not await self._app.sessions.end_session(call.key.id, call.path["id"]):
            raise NOT_FOUND
        return 200, SessionAnswer(live=False, proved=[])

    async def end_all_sessions(self, call: Call[None]) -> tuple[int, Any]:
        """End all sessions of the customer whose live session this is, this one included, and all that he has begun."""
        if not await self._app.sessions.end_all(call.key.id, call.path["id"]):
            raise NOT_FOUND
        return 200, SessionAnswer(live=False, proved=[])

    async def events(self, call: Call[None]) -> tuple[int, Any]:
        """What channels must know: sessions ended, locks set and lifted, notices due. No counts."""
        sent = dict(parse_qsl(call.query, keep_blank_values=True)).get("after", "0")
        if not re.fullmatch("[0-9]{1,18}", sent):
            raise Problem(422, "wrong-shape", "after is the `next` of an earlier answer: a whole number.")
        after = int(sent)
        # Of a shadow's locks no channel hears: they refuse nobody.
        found = [] if self._app.shadow else await self._app.store.feed(after, 500)
        events = [_shown(msgspec.json.decode(body, type=FeedItem), call.key.id) for _, body in found]
        return 200, EventsAnswer(events, found[-1][0] if found else after)


KEY_REUSED = Problem(409, "key-reused", "This Idempotency-Key was used for another request.")
NOT_FOUND = Problem(404, "not-found", "There is no such thing for this key.")


def help_at(operation: str | None) -> str:
    """The address of the customers' article on an operation; of its first page where that is not known here."""
    return SERVED[Audience.CUSTOMER] + (f"/operation/{operation}" if operation else "")


def _entry(answer: Any, language: str, article: str) -> EntryAnswer:
    told = _answer(answer)
    words = say(language, f"answer.{told.message}") if told.said is None else told.said[language != "ja"]
    stopped = told.outcome is Outcome.REFUSED or (told.outcome is Outcome.WRONG and told.state is not State.OPEN)
    return EntryAnswer(
        told.outcome, told.state, _next(told.next), words, told.message, again=told.again, article=article if stopped else None,
        session=told.session, device=told.device)


def _shown(item: FeedItem, key: str) -> dict[str, Any]:
    session = item.session if item.owner == key else None
    return {"kind": item.kind, "at": rfc3339(item.at), "subject": item.subject, "session": session, "lock": item.lock}


def _answer(answer: Any) -> Answer:
    if isinstance(answer, Answer):
        return answer
    if isinstance(answer, Refused):
        return answer.answer
    if isinstance(answer, Repeated):
        return msgspec.msgpack.decode(answer.answer, type=Answer)
    if isinstance(answer, OtherBody):
        raise KEY_REUSED
    raise NOT_FOUND


def actor_of(context: Context | None, devices: Devices) -> str:
    """Who types, whoever's budget it is: the device if the channel knows it, else the address it comes from.

    A device name that says it was made here and was not is no name: else whoever makes them up would be somebody else each time.
    """
    if context is None:
        return NOBODY
    device = context.device if context.device and devices.genuine(context.device) else None
    named = device or context.ip or context.device
    return NOBODY if not named else "actor:" + hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:32]


__all__ = ["BeginBody", "Begun", "Customer", "EntryBody", "ReserveBody", "VerdictBody"]
