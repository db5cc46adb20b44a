"""The library face: the whole service of one node inside a program, asked without a network.

What is asked goes the way of a request: it is counted, held on the policy's time grid, answered and recorded as over HTTP, and programs and
services may share one store. `Guard` waits for each answer; `AsyncGuard` is for programs with a loop of their own (ASGI).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from sekisho.api.server import application
from sekisho.app import Settings, build
from sekisho.errors import CallerError, LedgerUnavailable, SekishoError, UnknownFate

T = TypeVar("T")

HERE = "http://localhost"


class Item(msgspec.Struct, frozen=True):
    """Something that may be entered now."""

    item: str
    kind: str


class Told(msgspec.Struct, frozen=True):
    """What came of one call, as a customer may be told it: no count, no threshold, no length of a lock."""

    outcome: str = ""
    """Of an entry: `right`, `wrong`, or `refused` (nothing was looked at). Of a guess that was taken: `granted`."""
    state: str = ""
    """Of the run: `open`, `done` or `ended`."""
    next: list[Item] = []
    message: str = ""
    """In the customer's language."""
    code: str = ""
    """The name of the message, for whoever says it in other words."""
    again: bool = False
    """Refused for this moment only: the same may be entered again."""
    procedure: str = ""
    """Of a run that was begun: its id."""
    reservation: str = ""
    """Of a guess that was taken: its id."""
    session: str | None = None
    """Of the entry that ended a login: the session it opened."""
    device: str | None = None
    """A name to keep on the device, and to tell from now on."""

    @property
    def right(self) -> bool:
        """Whether an entry was right."""
        return self.outcome == "right"

    @property
    def granted(self) -> bool:
        """Whether a guess was taken."""
        return self.outcome == "granted"


class Proved(msgspec.Struct, frozen=True):
    """One item that was proved, by what kind of thing, and when (RFC 3339)."""

    item: str
    kind: str
    at: str


class Session(msgspec.Struct, frozen=True):
    """Whether a session is live, what was proved in it and of which factors that is, and until when it lasts (RFC 3339)."""

    live: bool
    proved: list[Proved] = []
    factors: list[str] = []
    resists_phishing: bool = False
    idle_until: str | None = None
    until: str | None = None


class AsyncGuard:
    """A node of its own, for programs with a loop.

    Args:
        store: `sqlite:///PATH` or `postgresql://USER@HOST/DATABASE`.
        keys: the key file (`sekisho keys new`).
        key: a channel's API key out of it: whoever has it goes on with the runs and sessions that were begun with it.
        policy: the file that is put in force in an empty store.
        language: in which customers are spoken to, `ja` or `en`.
        hold: answer on the policy's time grid; off in tests alone.

    Raises:
        CallerError: on entering, or in a call: something asked for cannot be; the text says what to change.
        LedgerUnavailable: nothing could be decided, and nothing was granted.
        UnknownFate: the entry may have been counted, once; the same call with the same `once` tells.

    """

    def __init__(
        self, store: str, *, keys: str | Path, key: str, policy: str | Path | None = None, language: str = "ja", hold: bool = True,
    ) -> None:
        self._settings = Settings(store, Path(keys), None if policy is None else Path(policy), hold=hold)
        self._headers = {"authorization": f"Bearer {key}", "accept-language": language}
        self._open = contextlib.AsyncExitStack()
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        """Open the store and serve."""
        app = await build(self._settings)
        await self._open.enter_async_context(app.running())
        transport = httpx.ASGITransport(application(app))
        self._client = await self._open.enter_async_context(httpx.AsyncClient(transport=transport, base_url=HERE, headers=self._headers))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, no: BaseException | None, trace: TracebackType | None) -> None:
        """Finish what is under way, and let go of the store."""
        self._client = None
        await self._open.aclose()

    async def begin(
        self, operation: str, subject: str | None = None, *, about: str | None = None, session: str | None = None, once: str | None = None,
        **context: str,
    ) -> Told:
        """Begin a run of an operation.

        Args:
            operation: of the policy.
            subject: for whom, as `customer:0012345678`; None: an entry names him.
            about: whom it concerns besides.
            session: the customer's, where the operation needs one.
            once: a name for this call; with it the call may be repeated and is made once.
            context: from where, as far as it is known: `ip`, `device`, `country`, `user_agent`, `caller`.

        """
        return await self._ask("POST", "/v1/procedures", {
            "operation": operation, "subject": subject, "about": about, "session": session, "context": context or None}, Told, once)

    async def enter(self, procedure: str, item: str, proof: str | Mapping[str, str], *, once: str | None = None) -> Told:
        """Enter something in a run: counted, compared, settled and durable before the answer."""
        body = {"item": item, "proof": proof if isinstance(proof, str) else dict(proof)}
        return await self._ask("POST", f"/v1/procedures/{_part(procedure)}/attempts", body, Told, once)

    async def reserve(
        self, operation: str, item: str, subject: str, *, about: str | None = None, session: str | None = None, once: str | None = None,
        **context: str,
    ) -> Told:
        """Take one guess, for a program that compares by itself. `granted`: compare now, then give the verdict."""
        return await self._ask("POST", "/v1/reservations", {
            "operation": operation, "item": item, "subject": subject, "about": about, "session": session, "context": context or None}, Told, once)

    async def verdict(self, reservation: str, right: bool | None, *, once: str | None = None) -> Told:  # noqa: FBT001  the verdict is what the call says
        """What came of comparing; None: it was not compared, and the guess goes back. Let nobody in whose answer is not `right`."""
        word = "unread" if right is None else "right" if right else "wrong"
        return await self._ask("POST", f"/v1/reservations/{_part(reservation)}/verdict", {"verdict": word}, Told, once)

    async def session(self, session: str) -> Session:
        """Whether a session is live."""
        return await self._ask("GET", f"/v1/sessions/{_part(session)}", None, Session)

    async def end(self, session: str) -> Session:
        """End a session."""
        return await self._ask("DELETE", f"/v1/sessions/{_part(session)}", None, Session)

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None, kind: type[T], once: str | None = None) -> T:
        if self._client is None:
            raise CallerError("a guard is used within its `with` block")
        headers = {} if once is None else {"idempotency-key": once}
        sent = None if body is None else {name: value for name, value in body.items() if value is not None}
        answer = await self._client.request(method, path, json=sent, headers=headers)
        if not answer.is_success:
            _fail(answer)
        return msgspec.json.decode(answer.content, type=kind)


class _Problem(msgspec.Struct):
    type: str = ""
    title: str = ""
    detail: str = ""


def _fail(answer: httpx.Response) -> NoReturn:
    said = msgspec.json.decode(answer.content, type=_Problem)
    text = f"{said.title} {said.detail}".strip()
    if said.type == "/problems/no-key":
        raise CallerError("`key` is no API key of this key file; make one with: sekisho keys new --role channel")
    if said.type == "/problems/no-answer":
        raise UnknownFate(text)
    if said.type == "/problems/unavailable":
        raise LedgerUnavailable(text)
    raise (SekishoError if answer.is_server_error else CallerError)(text)


def _part(name: str) -> str:
    """A name as one part of a path, whatever is in it."""
    return quote(name, safe="") or "-"


class Guard:
    """A node of its own, for programs that wait: the same calls as `AsyncGuard`, from any thread.

    Programs that fork open one in each process, after the fork.
    """

    def __init__(
        self, store: str, *, keys: str | Path, key: str, policy: str | Path | None = None, language: str = "ja", hold: bool = True,
    ) -> None:
        self._guard = AsyncGuard(store, keys=keys, key=key, policy=policy, language=language, hold=hold)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sekisho", daemon=True)

    def __enter__(self) -> Self:
        """Open the store and serve, on a thread beside."""
        self._thread.start()
        try:
            self._wait(self._guard.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, no: BaseException | None, trace: TracebackType | None) -> None:
        """Finish what is under way, and let go of the store."""
        try:
            self._wait(self._guard.__aexit__(kind, no, trace))
        finally:
            self._stop()

    def begin(
        self, operation: str, subject: str | None = None, *, about: str | None = None, session: str | None = None, once: str | None = None,
        **context: str,
    ) -> Told:
        """See `AsyncGuard.begin`."""
        return self._wait(self._guard.begin(operation, subject, about=about, session=session, once=once, **context))

    def enter(self, procedure: str, item: str, proof: str | Mapping[str, str], *, once: str | None = None) -> Told:
        """See `AsyncGuard.enter`."""
        return self._wait(self._guard.enter(procedure, item, proof, once=once))

    def reserve(
        self, operation: str, item: str, subject: str, *, about: str | None = None, session: str | None = None, once: str | None = None,
        **context: str,
    ) -> Told:
        """See `AsyncGuard.reserve`."""
        return self._wait(self._guard.reserve(operation, item, subject, about=about, session=session, once=once, **context))

    def verdict(self, reservation: str, right: bool | None, *, once: str | None = None) -> Told:  # noqa: FBT001  as above
        """See `AsyncGuard.verdict`."""
        return self._wait(self._guard.verdict(reservation, right, once=once))

    def session(self, session: str) -> Session:
        """See `AsyncGuard.session`."""
        return self._wait(self._guard.session(session))

    def end(self, session: str) -> Session:
        """See `AsyncGuard.end`."""
        return self._wait(self._guard.end(session))

    def _wait(self, asked: Coroutine[Any, Any, T]) -> T:
        if not self._thread.is_alive():
            asked.close()
            raise CallerError("a guard is used within its `with` block")
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


__all__ = ["AsyncGuard", "Guard", "Item", "Proved", "Session", "Told"]
