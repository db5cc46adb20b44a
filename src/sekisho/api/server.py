"""The ASGI application: host check, routes, health, description, metrics."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sekisho.api.http import LOCAL_HOSTS, STAFF, Problem, answer_problem
from sekisho.api.manual import Manuals
from sekisho.api.metrics import render
from sekisho.api.openapi import describe
from sekisho.api.passkeys import well_known
from sekisho.api.routes import operations, routes
from sekisho.app import App
from sekisho.errors import LedgerUnavailable
from sekisho.web import assets
from sekisho.web.desk import DeskPages
from sekisho.web.manual import ManualPages
from sekisho.web.seating import Seating

HOSTS_KEPT = 100
"""Ways of writing a host of ours that are remembered; there are more only where somebody makes them up."""


class HostCheck:
    """Refuse what was sent to another host's name (DNS rebinding, RFC 9110 section 7.4)."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts
        self._ours: set[bytes] = set()
        """Hosts as they were sent that have been found to be ours."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is meant for us."""
        if scope["type"] == "http":
            host = next((value for name, value in scope["headers"] if name == b"host"), b"")
            if host not in self._ours and not self._is_ours(host):
                await answer_problem(send, Problem(400, "foreign-host", "This service does not answer for that host."))
                return
        await self._app(scope, receive, send)

    def _is_ours(self, sent: bytes) -> bool:
        host = sent.decode("latin-1")
        bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and ":" in host else host
        if bare.lower() not in self._hosts:
            return False
        if len(self._ours) < HOSTS_KEPT:
            self._ours.add(sent)
        return True


def application(app: App, *, hosts: frozenset[str] = LOCAL_HOSTS, pages: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The whole service of one node; `pages` are further routes (the demonstration's)."""
    manuals = Manuals(app)
    listed = operations(app, manuals)
    seating = Seating(app, listed)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with app.running():
            yield

    async def ready(request: Request) -> Response:
        try:
            await app.store.peek(["policy"])
            version = app.table.version
        except LedgerUnavailable:
            return _json({"ready": False}, 503)
        if app.watch.doubting:
            return _json({"ready": False, "clock": "doubted"}, 503)
        if not _is_staff(app, request):
            return _json({"ready": True})
        # The version is a digest of the policy: with it whoever knows the rest of the file could try out its figures.
        return _json({"ready": True, "policy": version[:12], **({"shadow": True} if app.shadow else {})})

    described = msgspec.json.encode(describe(listed))
    starlette = Starlette(
        routes=[
            *routes(app, listed),
            Route("/health/live", Live()),
            Route("/health/ready", ready),
            Route("/openapi.json", lambda _: Response(described, media_type="application/json")),
            Route("/docs", lambda _: HTMLResponse(_docs(listed))),
            *DeskPages(app, seating).routes(), *ManualPages(app, seating, manuals).routes(), *assets(),
            *well_known(app), *pages,
        ],
        lifespan=lifespan,
        exception_handlers={404: _not_found, 405: _not_allowed, 500: _fault},
    )
    starlette.router.redirect_slashes = False  # a redirect would repeat what was sent
    return HostCheck(starlette, hosts)


def _is_staff(app: App, request: Request) -> bool:
    """Whether one of the staff asks: nobody else is told by which policy is decided, and whether anything is refused."""
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    caller = app.keyring.who(key) if kind.lower() == "bearer" else None
    return caller is not None and caller.role in STAFF


class Live:
    """The process answers. As bare as a handler can be: benches measure everything else against it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say so."""
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json"), (b"content-length", b"13")]})
        await send({"type": "http.response.body", "body": b'{"live":true}'})


def metrics_application(app: App) -> ASGIApp:
    """Metrics, on a port of their own."""
    return Starlette(routes=[Route("/metrics", lambda _: PlainTextResponse(render(app)))])


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def _problem(status: int, kind: str, title: str) -> Response:
    body = {"type": f"/problems/{kind}", "title": title, "status": status}
    return Response(msgspec.json.encode(body), status, media_type="application/problem+json")


async def _not_found(_request: Request, _error: Exception) -> Response:
    return _problem(404, "no-such-call", "There is no such address here.")


async def _not_allowed(request: Request, _error: Exception) -> Response:
    answer = _problem(405, "no-such-method", "This address does not take that method.")
    here = [route for route in request.app.routes if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE]
    answer.headers["allow"] = ", ".join(sorted({method for route in here for method in route.methods or ()}))  # RFC 9110 section 15.5.6
    return answer


async def _fault(_request: Request, error: Exception) -> Response:
    # The kind of the error only: its text may hold what was sent.
    logging.getLogger("sekisho").error("fault in a request: %s", type(error).__name__)
    return _problem(500, "fault", "The service failed; nothing was granted.")


def _docs(listed: Sequence[Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{one.method}</code><td><code>{one.path}</code><td>{one.handler.__doc__}<td>{', '.join(sorted(one.roles))}</tr>"
        for one in listed
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>sekisho: HTTP interface</title>"
        "<h1>HTTP interface</h1><p>Machine-readable: <a href=/openapi.json>openapi.json</a>.</p>"
        f"<table><tr><th>Method<th>Path<th>What it does<th>Roles</tr>{rows}</table></html>"
    )
