"""The manual's pages: `/manual` for everybody, `/desk/manual` for staff who sit at the desk or show their key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sekisho.api.http import STAFF
from sekisho.api.manual import OWNERS, Manuals
from sekisho.app import App
from sekisho.catalogue import LANGUAGES
from sekisho.errors import LedgerUnavailable
from sekisho.flows import helped
from sekisho.manual import ANSWERS, HELPED, PDF, SERVED, STYLE, Article, Audience, as_pdf, style
from sekisho.manual.book import INDEX, OPERATION
from sekisho.policy.text import Language
from sekisho.ports import ApiKey
from sekisho.web.forms import Unreadable, read_form
from sekisho.web.pages import HEADERS, language_of_request, page
from sekisho.web.seating import Screen, Seating

SEARCH = "search"

Look = Callable[[Request, Article, "Screen | None"], Awaitable[Response]]


class ManualPages:
    """The pages of one node.

    Args:
        app: the service.
        seating: who sits at its pages.
        manuals: its articles.

    """

    def __init__(self, app: App, seating: Seating, manuals: Manuals) -> None:
        self._app, self._seating, self._manuals = app, seating, manuals
        self._printed: dict[Article, bytes] = {}

    def routes(self) -> list[BaseRoute]:
        """Address to page."""
        customer, staff = SERVED[Audience.CUSTOMER], SERVED[Audience.STAFF]
        sheet, headers = style(), {**HEADERS, "cache-control": "public, max-age=300"}
        return [
            Route(f"{customer}/{STYLE}", lambda _: Response(sheet, media_type="text/css", headers=headers)),
            Route(customer, self._index), Route(f"{customer}/operation/{{operation}}", self._operation),
            Route(f"{staff}/rows/{{row}}", self._staff(self._row)), Route(f"{staff}/helped", self._helped, methods=["POST"]),
            Route(staff, self._staff(self._page)), Route(f"{staff}/{{language}}", self._staff(self._page)),
            Route(f"{staff}/{{language}}/{ANSWERS}", self._staff(self._answers)),
            Route(f"{staff}/{{language}}/{SEARCH}", self._staff(self._search)), Route(f"{staff}/{{language}}/{PDF}", self._staff(self._pdf)),
            Route(f"{staff}/{{language}}/{{page:path}}", self._staff(self._page)),
            Route(f"{customer}/{{language}}", self._customer(self._page)), Route(f"{customer}/{{language}}/{SEARCH}", self._customer(self._search)),
            Route(f"{customer}/{{language}}/{PDF}", self._customer(self._pdf)),
            Route(f"{customer}/{{language}}/{{page:path}}", self._customer(self._page)),
        ]

    # -- whose article -------------------------------------------------------------------------------------------------

    async def _index(self, request: Request) -> Response:
        """By the key that is shown: the staff's to staff, the customers' to everybody else."""
        look = self._staff(self._page) if self._staff_key(request) else self._customer(self._page)
        return await look(request)

    async def _operation(self, request: Request) -> Response:
        """The customers' page on an operation, in the language of whoever asks; the first page where the policy has it no more."""
        try:
            one = self._manuals.customer(_language(request))
        except LedgerUnavailable:
            return _unavailable(request)
        name = OPERATION + request.path_params["operation"]
        return _html(one.page(name).html, one) if name in one.names else RedirectResponse(one.href(INDEX), 303, headers=HEADERS)

    def _customer(self, look: Look) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                return await look(request, self._manuals.customer(_language(request)), None)
            except LedgerUnavailable:
                return _unavailable(request)

        return answer

    def _staff(self, look: Look) -> Callable[[Request], Awaitable[Response]]:
        """It shows the desk's door to whoever neither sits there nor shows a key."""

        async def answer(request: Request) -> Response:
            try:
                screen = await self._seating.screen(request)
                if screen is None and not self._staff_key(request):
                    return page(request, "desk_door.html", 401, address="/desk", why=None)
                return await look(request, await self._manuals.staff(_language(request)), screen)
            except LedgerUnavailable:
                return _unavailable(request)

        return answer

    def _staff_key(self, request: Request) -> ApiKey | None:
        kind, _, plain = request.headers.get("authorization", "").partition(" ")
        key = self._app.keyring.who(plain) if kind.lower() == "bearer" else None
        return key if key is not None and key.role in STAFF else None

    # -- looking -------------------------------------------------------------------------------------------------------

    async def _page(self, request: Request, one: Article, screen: Screen | None) -> Response:
        name = request.path_params.get("page", INDEX)
        if name not in one.names or request.path_params.get("language", one.language) not in LANGUAGES:
            return RedirectResponse(one.href(INDEX), 303, headers=HEADERS)
        form = one.helped(name, screen.token, owner=screen.key.role in OWNERS) if screen is not None else ""
        return _html(one.page(name).html.replace(HELPED, form), one)

    async def _search(self, request: Request, one: Article, _: Screen | None) -> Response:
        return _html(one.found(request.query_params.get("q", "")), one)

    async def _pdf(self, _: Request, one: Article, __: Screen | None) -> Response:
        """The whole article as PDF, set once for each policy."""
        self._printed = {held: body for held, body in self._printed.items() if held.table.version == one.table.version}
        if one not in self._printed:
            self._printed[one] = await asyncio.to_thread(as_pdf, one)
        return Response(self._printed[one], media_type="application/pdf", headers=HEADERS)

    async def _row(self, request: Request, one: Article, _: Screen | None) -> Response:
        """Where a row is explained, or a lock that names it."""
        return RedirectResponse(one.href_of_lock(request.path_params["row"]), 303, headers=HEADERS)

    async def _answers(self, request: Request, one: Article, screen: Screen | None) -> Response:
        """What staff have said, to whoever owns the policy."""
        key = screen.key if screen is not None else self._staff_key(request)
        if key is None or key.role not in OWNERS:
            return page(request, "desk_door.html", 403, address="/desk", why="problem.wrong-role")
        return _html(one.answers(await helped.shown(self._app.store)), one)

    async def _helped(self, request: Request) -> Response:
        """Keep what an operator says of a page; her own page's form alone does it."""
        try:
            form = await read_form(request)
            screen = await self._seating.screen(request)
            if screen is None or not screen.gave(form.get("token", "")):
                return page(request, "desk_door.html", 403, address="/desk", why="desk.not-signed-in")
            language: Language = "en" if form.get("language") == "en" else "ja"
            body = {"page": form.get("page", ""), "helped": form.get("helped") == "yes", "note": form.get("note", "")[:500], "language": language}
            await self._seating.staff(screen, "POST", "/v1/manual/answers", body)
            one = await self._manuals.staff(language)
        except Unreadable:
            return page(request, "desk_door.html", 400, address="/desk", why="desk.not-signed-in")
        except LedgerUnavailable:
            return _unavailable(request)
        return _html(one.thanks(body["page"] if body["page"] in one.names else INDEX), one)


def _language(request: Request) -> Language:
    named = request.path_params.get("language")
    return "ja" if (named if named in LANGUAGES else language_of_request(request)) == "ja" else "en"


def _html(html: str, one: Article) -> Response:
    return HTMLResponse(html, headers={**HEADERS, "content-language": one.language, "vary": "accept-language, cookie, authorization"})


def _unavailable(request: Request) -> Response:
    return page(request, "desk_door.html", 503, address="/desk", why="problem.unavailable")
