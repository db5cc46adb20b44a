"""The bank's tokens over HTTP. No answer holds a seed but the one that hands a token over to an application, once."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Meta

from sekisho.api.http import Call, Fault, Problem
from sekisho.api.staff import denied, operator_of
from sekisho.app import App, read_delivery
from sekisho.core.state import SECOND
from sekisho.flows.acts import Denied
from sekisho.flows.imports import Faulty
from sekisho.flows.tokens import End, Software, Unknown, shown

LISTED = 500
"""Tokens in one answer."""

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Hex = Annotated[str, Meta(pattern="^([0-9A-Fa-f]{32}|[0-9A-Fa-f]{48}|[0-9A-Fa-f]{64})$")]


class DeliveryBody(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """`POST /v1/staff/tokens`: a vendor's file, PSKC or CSV, and what opens it. A larger one: `sekisho tokens import`."""

    file: str
    key: Hex | None = None
    """That it is encrypted with, hexadecimal."""
    password: Text | None = None
    certificate: str | None = None
    """Of whoever must have signed it, PEM."""


class StockedAnswer(msgspec.Struct):
    """How many tokens were taken in."""

    tokens: int


class BindBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/tokens/{serial}/assignment`."""

    subject: Text
    item: Text
    replace: bool = False
    """In the place of the one that the customer has."""


class BoundAnswer(msgspec.Struct, omit_defaults=True):
    """The token is the customer's."""

    serial: str
    replaced: str | None = None
    """The one that he had; it is over."""


class EndBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/tokens/{serial}/end`."""

    why: End


class EndedAnswer(msgspec.Struct):
    """The token is over."""

    serial: str


class SoftwareBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/subjects/{subject}/items/{item}/software-token`."""

    replace: bool = False


class SoftwareAnswer(msgspec.Struct):
    """A token for an application. Shown to the customer once and kept nowhere."""

    serial: str
    uri: str
    picture: str
    """The same as a QR code (SVG)."""


class TokenAnswer(msgspec.Struct):
    """One token. Times: RFC 3339, UTC."""

    serial: str
    state: str
    """`stock`, `assigned`, or why it is over."""
    subject: str | None
    item: str | None
    since: str
    model: str
    software: bool
    ends: str | None


class TokensAnswer(msgspec.Struct):
    """Tokens in the order of their serial numbers."""

    tokens: list[TokenAnswer]
    after: str | None
    """Ask for those after this one; None: there are no more."""


class Inventory(msgspec.Struct):
    """The calls of the inventory."""

    app: App

    async def stock(self, call: Call[DeliveryBody]) -> tuple[int, Any]:
        """Take a delivery in: every fault of every token is told, and all are taken in or none."""
        body = call.body
        key = None if body.key is None else bytes.fromhex(body.key)
        certificate = None if body.certificate is None else body.certificate.encode()
        # Beside the loop: a password may have to be hashed a million times.
        tokens, wrong = await asyncio.to_thread(read_delivery, body.file.encode(), key=key, password=body.password, certificate=certificate)
        told = await self.app.tokens.stock(tokens, call.key.operator, faults=wrong)
        if isinstance(told, Faulty):
            faults = [Fault(fault.line, fault.column, fault.text) for fault in told.faults]
            raise Problem(422, "import-faults", "Some lines are wrong; nothing was taken over.", faults=faults)
        return 201, StockedAnswer(told)

    async def all(self, call: Call[None]) -> tuple[int, Any]:
        """Tokens of one `state`, and of those the ones whose time ends before a moment (`ends_before`), from those `after` one."""
        asked = {name: values[-1] for name, values in parse_qs(call.query).items()}
        before = _moment(asked.get("ends_before"))
        found: list[TokenAnswer] = []
        async for serial, token in self.app.tokens.all(asked.get("after", "")):
            if asked.get("state") in {None, token.state} and (before is None or 0 < token.ends < before):
                found.append(TokenAnswer(**shown(serial, token)))
            if len(found) == LISTED:
                return 200, TokensAnswer(found, serial)
        return 200, TokensAnswer(found, None)

    async def look(self, call: Call[None]) -> tuple[int, Any]:
        """One token."""
        found = await self.app.tokens.look(call.path["serial"])
        if found is None:
            raise _NONE
        return 200, TokenAnswer(**shown(call.path["serial"], found))

    async def bind(self, call: Call[BindBody]) -> tuple[int, Any]:
        """Give a token from stock to a customer; he is told on all his channels. What was wrong before stays counted."""
        body = call.body
        done = await self.app.tokens.bind(
            self.app.table, call.path["serial"], body.subject, body.item, operator_of(call.key), replace=body.replace,
        )
        if isinstance(done, Denied | Unknown):
            raise _no(done)
        return 200, BoundAnswer(done.serial, done.replaced)

    async def software(self, call: Call[SoftwareBody]) -> tuple[int, Any]:
        """Make a token for an authenticator application, and give it to a customer."""
        done = await self.app.tokens.software(
            self.app.table, call.path["subject"], call.path["item"], operator_of(call.key), replace=call.body.replace,
        )
        if not isinstance(done, Software):
            raise _no(done)
        import segno  # noqa: PLC0415  few banks hand out tokens of this kind

        return 201, SoftwareAnswer(done.serial, done.uri, segno.make(done.uri, error="m", micro=False).svg_inline(scale=4))

    async def end(self, call: Call[EndBody]) -> tuple[int, Any]:
        """A token is lost, stolen, given back or worn out: its codes are taken no more, and its customer is told."""
        done = await self.app.tokens.end(call.path["serial"], call.body.why, operator_of(call.key))
        if isinstance(done, Denied | Unknown):
            raise _no(done)
        return 200, EndedAnswer(done.serial)


_NONE = Problem(404, "not-found", "There is no such thing for this key.")


def _no(no: Denied | Unknown) -> Problem:
    return denied(no) if isinstance(no, Denied) else _NONE


def _moment(text: str | None) -> int | None:
    try:
        at = None if text is None else datetime.fromisoformat(text)
        return None if at is None else int(at.timestamp() * SECOND)
    except (ValueError, OverflowError):
        raise Problem(422, "wrong-shape", "The query does not have the shape that this call takes.", "A time is written as 2030-12-31.") from None
