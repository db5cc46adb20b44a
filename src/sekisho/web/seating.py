"""Operators who sit at pages of this service: the browser's name for a seat, forms that only their own page gives, what the last act came to.

Everything an operator does goes through the same calls as from outside, with the same checks: her seat stands in for her key, which
is kept nowhere.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets as chance
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from sekisho.api.http import CHANNEL, LOCAL_HOSTS
from sekisho.api.routes import Operation, routes
from sekisho.app import App
from sekisho.flows.seats import SHIFT_S
from sekisho.ports import ApiKey
from sekisho.web.calls import Json, Trouble, call

if TYPE_CHECKING:
    import httpx

COOKIE = "sekisho-desk"

SAID_COOKIE = "sekisho-desk-said"
SAID_S = 60

PATH = "/desk"

TIMEOUT_S = 30.0


class Said(msgspec.Struct, omit_defaults=True):
    """What an act came to: the name of a text and its facts, or what kept it from being done. Shown once."""

    said: tuple[str, dict[str, str]] | None = None
    trouble: tuple[str, str | None] | None = None


@dataclass
class Screen:
    """One operator's screen while one request is answered."""

    name: str
    key: ApiKey
    said: tuple[str, dict[str, str]] | None = None
    trouble: Trouble | None = None

    @property
    def token(self) -> str:
        """What a form of hers holds: only whoever has the seat's name can tell it, and no page of another site has that."""
        return hashlib.sha256(f"form {self.name}".encode()).hexdigest()

    def gave(self, token: str) -> bool:
        """Whether a form that holds this was given by her own page."""
        return hmac.compare_digest(self.token.encode(), token.encode("utf-8", "replace"))

    def leave_word(self, answer: Response, request: Request) -> Response:
        """Let the next page tell what this act came to."""
        if self.said is None and self.trouble is None:
            return answer
        told = msgspec.json.encode(Said(self.said, self.trouble and (self.trouble.kind, self.trouble.detail)))
        value = f"{base64.urlsafe_b64encode(told).decode()}.{self._mac(told)}"
        answer.set_cookie(SAID_COOKIE, value, max_age=SAID_S, httponly=True, samesite="strict", path=PATH, secure=is_secure(request))
        return answer

    def forget_word(self, answer: Response) -> Response:
        """It has been told."""
        if self.said is not None or self.trouble is not None:
            answer.delete_cookie(SAID_COOKIE, path=PATH)
        return answer

    def hear(self, request: Request) -> None:
        """What the last act came to, in the words of this service alone."""
        body, _, mac = request.cookies.get(SAID_COOKIE, "").partition(".")
        try:
            told = base64.urlsafe_b64decode(body.encode())
        except (binascii.Error, ValueError):
            return
        if told and hmac.compare_digest(self._mac(told).encode(), mac.encode("utf-8", "replace")):
            found = msgspec.json.decode(told, type=Said)
            self.said, self.trouble = found.said, found.trouble and Trouble(*found.trouble)

    def _mac(self, told: bytes) -> str:
        return hmac.digest(self.name.encode(), told, "sha256").hex()


class Seating:
    """The seats of this service's pages, and the calls that are made from them.

    Args:
        app: the service.
        listed: its calls; those of channels are made from no seat.

    """

    def __init__(self, app: App, listed: list[Operation]) -> None:
        self._app = app
        self._secret = chance.token_bytes(32)
        self._staff = [one for one in listed if not one.roles & CHANNEL]

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        import httpx  # noqa: PLC0415  a service whose desk nobody opens does not load it

        inside: Any = httpx.ASGITransport(Starlette(routes=routes(self._app, self._staff, self)), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=inside, base_url="http://inside", timeout=TIMEOUT_S, trust_env=False)

    def who(self, plain: str) -> ApiKey | None:
        """Whose seat stands behind a call from inside."""
        identifier = plain.partition(".")[0]
        return self._app.keyring.named(identifier) if hmac.compare_digest(self._pass(identifier), plain.encode("utf-8", "replace")) else None

    def _pass(self, identifier: str) -> bytes:
        return f"{identifier}.{hmac.digest(self._secret, identifier.encode('utf-8', 'replace'), 'sha256').hex()}".encode()

    async def screen(self, request: Request) -> Screen | None:
        """Whoever sits where this request comes from; None: nobody does, or her key works no more."""
        name = request.cookies.get(COOKIE, "")
        seat = await self._app.seats.at(name) if name else None
        key = None if seat is None else self._app.keyring.named(seat.key)
        return None if key is None else Screen(name, key)

    def known(self, plain: str) -> ApiKey | None:
        """Whose key somebody has typed."""
        return self._app.keyring.who(plain)

    def may(self, key: ApiKey) -> frozenset[str]:
        """What the policy in force lets the role of a key do at the desk."""
        return frozenset(self._app.table.desk.get(key.role, {}).get("may", ()))

    async def sit(self, request: Request, key: ApiKey, answer: Response) -> Response:
        """She signs in; whoever sat in this browser before is signed out."""
        await self._leave(request)
        name = await self._app.seats.take(key)
        answer.set_cookie(COOKIE, name, max_age=SHIFT_S, httponly=True, samesite="strict", path=PATH, secure=is_secure(request))
        return answer

    async def rise(self, request: Request, answer: Response) -> Response:
        """She signs out, on every node."""
        await self._leave(request)
        for cookie in (COOKIE, SAID_COOKIE):
            answer.delete_cookie(cookie, path=PATH)
        return answer

    async def _leave(self, request: Request) -> None:
        name = request.cookies.get(COOKIE, "")
        if name:
            await self._app.seats.leave(name)

    async def staff(
        self, screen: Screen, method: str, path: str, body: Json | None = None, *, once: str | None = None, language: str = "en",
    ) -> tuple[int, Json | Trouble]:
        """A call by the operator at this screen; the status too. `once`: sent twice it is one act."""
        return await call(self._client, self._pass(screen.key.id).decode(), method, path, body, language, once)


def is_secure(request: Request) -> bool:
    """Whether cookies go over TLS alone: always, but where the browser names this very machine."""
    return (request.url.hostname or "") not in {host.strip("[]") for host in LOCAL_HOSTS}
