"""From a template to an answer: in one language, with headers that let the page load nothing but its own style sheet."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from sekisho import templates
from sekisho.catalogue import LANGUAGES, language_of, say

HERE = Path(__file__).parent

LANGUAGE_COOKIE = "sekisho-language"
LANGUAGE_COOKIE_S = 365 * 24 * 3600

STYLESHEET = "/assets/sekisho.css"

HEADERS = {
    # No script, no frame, no foreign source; forms go nowhere but here (CSP Level 3).
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}

WITH_SCRIPT = {
    # The pages that cannot do without one: its own file, which calls nobody but this host; and what makes a page an app.
    **HEADERS,
    "content-security-policy": HEADERS["content-security-policy"] + "; script-src 'self'; connect-src 'self'; manifest-src 'self'",
}


def language_of_request(request: Request) -> str:
    """The language asked for in the address, else the one chosen before, else the browser's."""
    for asked in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if asked in LANGUAGES:
            return str(asked)
    return language_of(request.headers.get("accept-language"))


def page(
    request: Request, template: str, status: int = 200, *, address: str | None = None, headers: Mapping[str, str] = HEADERS, **facts: Any,
) -> Response:
    """A whole page in the request's language. A choice of language made in the address is remembered.

    `address` is where the switch of language leads; None: to the page that was asked for. `headers`: what it may load.
    """
    at = address or request.url.path
    language = language_of_request(request)
    words = functools.partial(say, language)
    html = templates.render(
        HERE / "templates", template, t=words, language=language, languages=[(name, _in_language(at, name)) for name in LANGUAGES],
        path=at.partition("?")[0], stylesheet=STYLESHEET, **facts,
    )
    answer = HTMLResponse(html, status, headers={**headers, "content-language": language, "vary": "accept-language, cookie"})
    if request.query_params.get("lang") in LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=LANGUAGE_COOKIE_S, httponly=True, samesite="lax")
    return answer


def _in_language(address: str, language: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode({'lang': language})}"


def _asset(name: str, media_type: str) -> Route:
    """A file of ours, read once."""
    body = (HERE / name).read_bytes()
    headers = {**HEADERS, "cache-control": "public, max-age=300"}
    return Route(f"/assets/{name}", lambda _: Response(body, media_type=media_type, headers=headers))


def assets() -> list[BaseRoute]:
    """What pages load beside themselves."""
    scripts = [_asset(name, "text/javascript") for name in ("phone.js", "passkey.js")]
    return [_asset("sekisho.css", "text/css"), _asset("gate.svg", "image/svg+xml"), *scripts]
