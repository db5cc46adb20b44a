"""The thin layer under every call: who calls, what was sent, and answers that repeat none of it.

An endpoint is a plain ASGI application, so that nothing stands between the server and the flow. Errors are RFC 9457
problem answers; none holds a byte of the request.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from starlette.types import Message, Receive, Scope, Send

from sekisho.api.pace import Counted, as_it_is
from sekisho.errors import CallerError, LedgerUnavailable, NewerState, UnknownFate
from sekisho.flows.replay import Replay
from sekisho.ports import ApiKey, Callers
from sekisho.terms import Role

BODY_MAX = 64 * 1024
"""Longest body, in bytes; beyond it 413."""

TIMER_S = 0.0015
"""How much too late, or too early, a timer of the loop may come. Seconds."""

B = TypeVar("B")

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Names by which a machine calls itself."""

STAFF = frozenset({Role.FIRST_LINE, Role.SECOND_LINE, Role.BACK_OFFICE, Role.AUDITOR, Role.ADMIN})
CHANNEL = frozenset({Role.CHANNEL})


class Fault(msgspec.Struct):
    """What is wrong at one place of a long request, and what would be right."""

    line: int
    column: str
    text: str
    part: int = 1


class Problem(Exception):
    """An answer that says what is wrong with the request, never what was in it."""

    def __init__(self, status: int, kind: str, title: str, detail: str | None = None, faults: Sequence[Fault] = ()) -> None:
        super().__init__(title)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.faults = list(faults)


class ProblemBody(msgspec.Struct, omit_defaults=True):
    """RFC 9457 section 3."""

    type: str
    title: str
    status: int
    detail: str | None = None
    faults: list[Fault] = []
    """For an import: every line that is wrong."""


class Call(Generic[B]):
    """One request, parsed."""

    __slots__ = ("body", "key", "language", "pace", "path", "query", "raw", "sent_key", "url_path")

    def __init__(
        self, key: ApiKey, path: dict[str, str], query: str, body: B, raw: bytes, sent_key: str | None, language: str | None, url_path: str,
    ) -> None:
        self.key = key
        self.path = path
        self.query = query
        self.body = body
        self.raw = raw
        self.sent_key = sent_key
        self.language = language
        self.url_path = url_path
        self.pace: Counted = as_it_is
        """How long the answer counts as having taken."""

    def replay(self, secret: bytes) -> Replay | None:
        """This request's claim to be the same as an earlier one, if it makes one."""
        return None if self.sent_key is None else Replay(secret, f"{self.key.id} {self.url_path}", self.sent_key, self.raw)


Handler = Callable[[Call[Any]], Awaitable[tuple[int, Any]]]

_encode = msgspec.json.Encoder().encode
_JSON = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
_PROBLEM = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
_KEY_TEXT = re.compile(r"[!-~]{1,200}")


class Endpoint:
    """One call of the interface.

    Args:
        handler: does the work; gives status and body.
        keyring: who may call at all.
        roles: who may call this.
        body: the type of the body; None where there is none.
        hold_ms: finds the time grid on which an answer leaves; 0: at once.

    """

    def __init__(
        self, handler: Handler, keyring: Callers, roles: frozenset[Role], body: Any = None, hold_ms: Callable[[Call[Any]], int] | None = None,
    ) -> None:
        self._handler = handler
        self._keyring = keyring
        self._roles = roles
        self._decoder = None if body is None else msgspec.json.Decoder(body)
        self._hold_ms = hold_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began = time.monotonic()
        pace: Counted = as_it_is
        hold = 0
        try:
            key, sent_key, language = self._read_headers(scope)
            raw = await _body(receive)
            path, query = scope.get("path_params") or {}, scope["query_string"].decode("latin-1")
            call = Call(key, path, query, self._parse(raw), raw, sent_key, language, scope["path"])
            if self._hold_ms is not None:
                hold = self._hold_ms(call)
            status, answer = await self._handler(call)
            pace = call.pace
            body, headers = _encode(answer), _JSON
        except Problem as no:
            status, body, headers = no.status, _problem(no), _PROBLEM
        except Exception as no:  # noqa: BLE001  whatever breaks: a server's own log would show its text, and that may hold what was sent
            told = _as_problem(no)
            status, body, headers = told.status, _problem(told), _PROBLEM
        if hold:
            await _until_grid(began, pace(time.monotonic() - began), hold)
        await respond(send, status, headers, body)

    def _read_headers(self, scope: Scope) -> tuple[ApiKey, str | None, str | None]:
        bearer = sent_key = language = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                bearer = value
            elif name == b"idempotency-key":
                sent_key = value.decode("latin-1")
            elif name == b"accept-language":
                language = value.decode("latin-1")
            elif name == b"content-length" and value.isdigit() and int(value) > BODY_MAX:
                raise Problem(413, "too-long", "The body is longer than 64 KiB.")
        key = None if bearer is None or bearer[:7].lower() != b"bearer " else self._keyring.who(bearer[7:].decode("latin-1"))
        if key is None:
            raise Problem(401, "no-key", "This needs an API key: Authorization: Bearer KEY.")
        if key.role not in self._roles:
            raise Problem(403, "wrong-role", "This key's role may not do this.", f"It takes one of: {', '.join(sorted(self._roles))}.")
        if sent_key is not None and (scope["method"] != "POST" or not _KEY_TEXT.fullmatch(sent_key)):
            if scope["method"] == "POST":
                raise Problem(400, "bad-idempotency-key", "An Idempotency-Key is 1 to 200 visible ASCII characters.")
            sent_key = None
        return key, sent_key, language

    def _parse(self, raw: bytes) -> Any:
        if self._decoder is None:
            return None
        try:
            return self._decoder.decode(raw or b"{}")
        except msgspec.ValidationError as no:
            raise Problem(422, "wrong-shape", "The body does not have the shape that this call takes.", _shape(no)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Problem(400, "not-json", "The body is not JSON.") from None


def _shape(no: msgspec.ValidationError) -> str:
    """What is wrong, without what was sent: msgspec repeats enum values, names of unknown fields and keys."""
    text = str(no)
    place = re.search(r"at `(\$[.\w\[\]]*)`$", text)
    where = f" at {place[1]}" if place and "key" not in text else ""
    if "unknown field" in text:
        return f"It holds a field that this call does not take{where}."
    missing = re.match(r"Object missing required field `(\w+)`", text)
    if missing:
        return f"The field {missing[1]} is missing{where}."
    expected = re.match(r"Expected `([^`]*)`", text)
    return f"Expected {expected[1]}{where}." if expected else f"A value is not one that this field takes{where}."


async def _body(receive: Receive) -> bytes:
    message: Message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_MAX:
            break
    if len(body) > BODY_MAX:
        raise Problem(413, "too-long", "The body is longer than 64 KiB.")
    return body


def _as_problem(no: Exception) -> Problem:
    if isinstance(no, CallerError):
        return Problem(422, "not-in-policy", "The request asks for something that cannot be.", str(no))
    if isinstance(no, UnknownFate):
        return Problem(503, "no-answer", "No answer: the entry may have been counted, once. Ask how the procedure stands.")
    if isinstance(no, (LedgerUnavailable, NewerState)):
        return Problem(503, "unavailable", "The service cannot decide now; nothing was granted. Try again later.")
    logging.getLogger("sekisho").error("fault in a request: %s", type(no).__name__)
    return Problem(500, "fault", "The service failed; nothing was granted.")


def _problem(no: Problem) -> bytes:
    return _encode(ProblemBody(f"/problems/{no.kind}", no.title, no.status, no.detail, no.faults))


async def _until_grid(began: float, took: float, hold_ms: int) -> None:
    """Let the answer leave at the next whole multiple of the grid, so that its time tells nothing of the work behind it."""
    grid = hold_ms / 1000
    # What is made at the last moment would leave late by what else the loop has to do, and tell that it was at work until then.
    leaves = began + grid * ((took + TIMER_S) // grid + 1)
    await asyncio.sleep(leaves - time.monotonic() - TIMER_S)
    # The loop's timers go by whole milliseconds since it was last at work, and would carry the end of that work into the answer.
    while time.monotonic() < leaves:  # noqa: ASYNC110  nothing tells of the time but the clock
        await asyncio.sleep(0)


async def respond(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Send one whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


async def answer_problem(send: Send, no: Problem) -> None:
    """Send a problem answer outside an endpoint."""
    await respond(send, no.status, _PROBLEM, _problem(no))
