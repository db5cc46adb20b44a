"""Codes that are sent: a channel asks for one, shows the customer where it may go to, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sekisho.api.customer import KEY_REUSED, NOT_FOUND, Name, Next, RefusedAnswer, help_at
from sekisho.api.http import Call, Problem
from sekisho.app import App
from sekisho.catalogue import language_of, say
from sekisho.core import health
from sekisho.core.bounce import group_of, parse
from sekisho.core.delivery import FAILED, Course
from sekisho.flows.answers import Answer, Refused
from sekisho.flows.attempt import Missing
from sekisho.flows.challenges import Delivered, NoSuchAddress, NotNow, Sent
from sekisho.flows.replay import Repeated
from sekisho.flows.sights import rfc3339
from sekisho.policy.table import Table


class SendBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/procedures/{id}/challenges`."""

    item: Name
    address: Name | None = None
    """An id from `GET …/addresses`; left out: the first of them."""


class ChallengeAnswer(msgspec.Struct):
    """A code is on its way."""

    challenge: str
    delivery: str
    label: str
    """Stands in the message too: which of them is the newest."""
    address: str
    """Behind its mask."""
    again_at: str
    """From when it may be sent again."""


class NotSentAnswer(RefusedAnswer, omit_defaults=True):
    """No code was sent. What was sent before is as valid as it was."""

    again_at: str | None = None
    """Where so many were sent: from when one may be asked for again."""


class Reached(msgspec.Struct):
    """One address to choose from, behind its mask."""

    id: str
    item: str
    kind: str
    address: str


class AddressesAnswer(msgspec.Struct):
    """Where a code may be sent to now."""

    addresses: list[Reached]
    message: str
    code: str


class Remedy(msgspec.Struct):
    """Something the customer can try."""

    name: str
    text: str


class DeliveryAnswer(msgspec.Struct):
    """What is known of one message."""

    delivery: str
    challenge: str
    label: str
    item: str
    kind: str
    at: str
    message: str
    code: str
    """Where it stands; `asked-for`: nothing more is told before the customer has proved something."""
    address: str
    """Behind its mask."""
    heard_at: str | None
    """When something was heard of it last."""
    why: str | None
    """Why it did not arrive, as far as a mail server says so; `unknown`: it may lie where the customer does not see it."""
    remedies: list[Remedy]
    """What the customer can try, by policy."""
    another: bool
    """Another address is the next step."""


class OtherMailBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/addresses/news`: what became of mail that is none of ours, to an address of a customer."""

    subject: Name
    to: Annotated[str, Meta(min_length=3, max_length=254)]
    outcome: Literal["taken", "failed"]
    reply: Annotated[str, Meta(max_length=2000)] = ""
    """What the server said, where it failed."""


class TakenInAnswer(msgspec.Struct):
    """It was taken in; whether there is such an address is not told."""

    taken_in: bool = True


class DeliveriesAnswer(msgspec.Struct):
    """The messages of this procedure, newest first."""

    deliveries: list[DeliveryAnswer]


class Challenges:
    """The calls about codes."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._replay_key = app.keyring.secret("replay")

    async def send(self, call: Call[SendBody]) -> tuple[int, Any]:
        """Send a code, or the same code again."""
        facts = await self._app.runs.facts(call.path["id"])
        language = (facts.language if facts is not None else None) or language_of(call.language)
        article = help_at(facts.operation if facts is not None else None)
        told = await self._app.challenges.send(
            self._app.table, call.key.id, call.path["id"], call.body.item, call.body.address, language, call.replay(self._replay_key),
        )
        if isinstance(told, Repeated):
            told = msgspec.msgpack.decode(told.answer, type=Sent)
        if isinstance(told, Sent):
            return 201, ChallengeAnswer(told.challenge, told.delivery, told.label, told.address, rfc3339(told.again_at) or "")
        if isinstance(told, NotNow):
            return 200, not_sent(told.answer, language, article, rfc3339(told.until))
        if isinstance(told, Refused):
            return 200, not_sent(self._app.entries.noted(told).answer, language, article)
        if isinstance(told, NoSuchAddress):
            raise Problem(422, "no-such-address", "The address is none of those to choose from.")
        raise NOT_FOUND if isinstance(told, Missing) else KEY_REUSED

    async def addresses(self, call: Call[None]) -> tuple[int, Any]:
        """The addresses to choose from for what the procedure asks for now, behind their masks."""
        told = await self._app.challenges.reachable(self._app.table, call.key.id, call.path["id"])
        if isinstance(told, Missing):
            raise NOT_FOUND
        found, message = told
        words = say(await self._language(call), f"answer.{message}")
        return 200, AddressesAnswer([Reached(one.id, one.item, one.kind, one.address) for one in found], words, message)

    async def deliveries(self, call: Call[None]) -> tuple[int, Any]:
        """What is known of the messages of this procedure."""
        table = self._app.table
        told = await self._app.challenges.deliveries(table, call.key.id, call.path["id"])
        if isinstance(told, Missing):
            raise NOT_FOUND
        language = await self._language(call)
        return 200, DeliveriesAnswer([_shown(table, one, language) for one in told])

    async def hear(self, call: Call[OtherMailBody]) -> tuple[int, Any]:
        """Take in what became of the bank's other mail: an address that takes it and loses codes is found out by that."""
        told = call.body
        what = health.RELAYED if told.outcome == "taken" else group_of(parse(told.reply)).value
        await self._app.traces.hear(told.subject, told.to, what)
        return 200, TakenInAnswer()

    async def _language(self, call: Call[Any]) -> str:
        facts = await self._app.runs.facts(call.path["id"])
        return (facts.language if facts is not None else None) or language_of(call.language)


def not_sent(answer: Answer, language: str, article: str, again_at: str | None = None) -> NotSentAnswer:
    """The answer where nothing was sent."""
    return NotSentAnswer(
        answer.outcome, answer.state, [Next(item, kind) for item, kind in answer.next], say(language, f"answer.{answer.message}"), answer.message,
        again=answer.again, article=article, again_at=again_at,
    )


def _shown(table: Table, one: Delivered, language: str) -> DeliveryAnswer:
    """What is known of a message, in the customer's words."""
    code = one.course or "asked-for"
    told = f"delivery.failed-{one.why}" if one.course in FAILED and one.course is not Course.EXPIRED else f"delivery.{code}"
    fitting = [remedy for remedy in table.mail["remedies"] if not remedy["fits"] or one.why in remedy["fits"]] if one.why else []
    return DeliveryAnswer(
        one.delivery, one.challenge, one.label, one.item, one.kind, rfc3339(one.at) or "", say(language, told), code, one.address,
        rfc3339(one.heard_at), one.why or None, [Remedy(remedy["name"], remedy[language]) for remedy in fitting], one.another,
    )
