"""The pages of the desk, `/desk`: for first and second line, who sign in with an operator's key and do everything under it.

The pages are a client of the interface like any other: whatever a key may not do is refused there, and the page says why. Every act is
a form that ends in a redirect; a form sent twice carries one name and is one act.
"""

from __future__ import annotations

import secrets as chance
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sekisho.api.http import STAFF
from sekisho.app import App
from sekisho.catalogue import texts
from sekisho.errors import LedgerUnavailable
from sekisho.manual.book import OTHER_LOCKS
from sekisho.policy.table import Table
from sekisho.terms import Reach, Role
from sekisho.web.calls import Trouble, subject_path
from sekisho.web.forms import Form, Unreadable, read_form
from sekisho.web.pages import HEADERS, language_of_request, page
from sekisho.web.seating import Screen, Seating
from sekisho.web.sights import Sights

CREATED = 201

CASES = 50
"""Cases on the overview, the most pressing first; every other is found by its customer's number."""

ENROLS = frozenset({Role.SECOND_LINE, Role.BACK_OFFICE})
"""Who removes a lost device and has a code for a new one sent; first line sees the devices."""

ACTS = ("open", "note", "verify", "heard", "ask", "approve", "stop", "lost", "letter")
"""What forms of these pages do, as their addresses name it."""

Act = Callable[[Screen, Form], Awaitable[str]]
"""Does what a form asks for; gives the address to look at next."""

Look = Callable[[Request, Screen], Awaitable[Response]]


class DeskPages:
    """The pages of one node.

    Args:
        app: the service.
        seating: who sits at its pages.

    """

    def __init__(self, app: App, seating: Seating) -> None:
        self._app = app
        self._seating = seating

    def routes(self) -> list[BaseRoute]:
        """Address to page or act."""
        return [
            Route("/desk", self._looking(self._overview)), Route("/desk/customer", self._looking(self._customer)),
            Route("/desk/case", self._looking(self._case)),
            Route("/desk/sign-in", self._sign_in, methods=["POST"]), Route("/desk/sign-out", self._sign_out, methods=["POST"]),
            *(Route(f"/desk/{name}", self._acting(getattr(self, f"_{name}")), methods=["POST"]) for name in ACTS),
        ]

    @property
    def _table(self) -> Table:
        return self._app.table

    # -- who sits here -------------------------------------------------------------------------------------------------

    async def _sign_in(self, request: Request) -> Response:
        """By an operator's key; it is kept nowhere, and the browser gets a name for her screen."""
        try:
            form = await _sent(request)
            key = self._seating.known(form.get("key", "").strip())
            if key is None or key.role not in STAFF:
                return self._at_door(request, 403, "desk.not-signed-in")
            if "open-case" not in self._seating.may(key):
                return self._at_door(request, 403, "desk.no-seat")
            return await self._seating.sit(request, key, _to("/desk"))
        except (Unreadable, LedgerUnavailable) as no:
            return self._turned_away(request, no)

    async def _sign_out(self, request: Request) -> Response:
        try:
            if isinstance(await self._sender(request), int):
                return _to("/desk")
            return await self._seating.rise(request, _to("/desk"))
        except LedgerUnavailable as no:
            return self._turned_away(request, no)

    async def _sender(self, request: Request) -> tuple[Screen, Form] | int:
        """Whoever sent a form that this page gave her, and the form; else the status of the answer."""
        try:
            form = await _sent(request)
        except Unreadable:
            return 400
        screen = await self._seating.screen(request)
        return (screen, form) if screen is not None and screen.gave(form.get("token", "")) else 403

    def _acting(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        """A form's address: only forms that this page gave to this operator do anything."""

        async def answer(request: Request) -> Response:
            try:
                sent = await self._sender(request)
                if isinstance(sent, int):
                    return self._at_door(request, sent, "desk.not-signed-in")
                return sent[0].leave_word(_to(await act(*sent)), request)
            except LedgerUnavailable as no:
                return self._turned_away(request, no)

        return answer

    def _looking(self, look: Look) -> Callable[[Request], Awaitable[Response]]:
        """A page's address: it shows the door to whoever has not signed in."""

        async def answer(request: Request) -> Response:
            try:
                screen = await self._seating.screen(request)
                return self._at_door(request, 200) if screen is None else await look(request, screen)
            except LedgerUnavailable as no:
                return self._turned_away(request, no)

        return answer

    def _turned_away(self, request: Request, no: Exception) -> Response:
        unread = isinstance(no, Unreadable)
        return self._at_door(request, 400 if unread else 503, "desk.not-signed-in" if unread else "problem.unavailable")

    def _at_door(self, request: Request, status: int, why: str | None = None) -> Response:
        return page(request, "desk_door.html", status, address="/desk", why=why)

    # -- looking -------------------------------------------------------------------------------------------------------

    def _page(self, request: Request, screen: Screen, template: str, **facts: Any) -> Response:
        shown = Sights(self._table, language_of_request(request))
        screen.hear(request)
        said = screen.said and shown.say(screen.said[0], **screen.said[1])
        trouble = screen.trouble and (_problem(screen.trouble), screen.trouble.detail)
        answer = page(
            request, template, address=_as_asked(request), token=screen.token, once=chance.token_urlsafe(12),
            who=shown.operator(screen.key.operator, screen.key.role), may=self._seating.may(screen.key), said=said, trouble=trouble,
            time=shown.time, shown=shown, **facts,
        )
        return screen.forget_word(answer)

    async def _overview(self, request: Request, screen: Screen) -> Response:
        """Open matters, what waits for a second person, and whom to look up."""
        _, cases = await self._seating.staff(screen, "GET", f"/v1/staff/cases?first={CASES}")
        _, waiting = await self._seating.staff(screen, "GET", "/v1/staff/approvals")
        return self._page(
            request, screen, "desk.html", cases=[] if isinstance(cases, Trouble) else cases["cases"],
            more=0 if isinstance(cases, Trouble) else cases["more"],
            waiting=[] if isinstance(waiting, Trouble) else waiting["approvals"], lines=self._lines(request),
        )

    def _lines(self, request: Request) -> list[tuple[str, str]]:
        """Each desk's name and hours."""
        shown = Sights(self._table, language_of_request(request))
        return [
            (shown.role(role), shown.say(f"desk.every-{one['every']}", since=_clock(one["open_s"][0]), until=_clock(one["open_s"][1])))
            for role, one in self._table.desk.items()
        ]

    async def _customer(self, request: Request, screen: Screen) -> Response:
        """One customer: locks, counts, addresses, the course of his messages, his matters."""
        subject = _subject(request.query_params.get("number", ""))
        shown = Sights(self._table, language_of_request(request))
        _, view = await self._seating.staff(screen, "GET", subject_path(subject))
        if isinstance(view, Trouble):
            screen.trouble = view
            return screen.leave_word(_to("/desk"), request)
        views = [view]
        for linked in sorted(view["links"].values()):
            _, other = await self._seating.staff(screen, "GET", subject_path(linked))
            views += [] if isinstance(other, Trouble) else [other]
        messages: list[dict[str, Any]] = []
        for one in views:
            _, sent = await self._seating.staff(screen, "GET", subject_path(one["subject"], "deliveries"))
            messages += [] if isinstance(sent, Trouble) else sent["deliveries"]
        _, cases = await self._seating.staff(screen, "GET", f"/v1/staff/cases?{urlencode({'subject': subject})}")
        _, apps = await self._seating.staff(screen, "GET", subject_path(subject, "apps")) if self._has_apps else (0, Trouble("no-app"))
        return self._page(
            request, screen, "desk_customer.html", article=await self._article(request, screen),
            subject=subject, known=view["known"], subjects=[shown.subject(one) for one in views],
            addresses=[one for each in views for one in each["addresses"]], messages=messages,
            events=shown.events(views), cases=[] if isinstance(cases, Trouble) else cases["cases"],
            apps=None if isinstance(apps, Trouble) else apps["apps"], enrols=screen.key.role in ENROLS,
            keeps_cases=self._table.cases.get("verify") is not None,
        )

    @property
    def _has_apps(self) -> bool:
        """Whether anything of this policy is entered in the bank's app."""
        return any(item.reach is Reach.APP for item in self._table.items.values())

    async def _article(self, request: Request, screen: Screen) -> dict[str, Any] | None:
        """What the manual says about the row that was asked for, beside the customer's state."""
        row = request.query_params.get("row", "")
        if not row:
            return None
        for name in (row, OTHER_LOCKS):
            address = f"/v1/manual/rows/{quote(name, safe='')}"
            _, told = await self._seating.staff(screen, "GET", address, language=language_of_request(request))
            if not isinstance(told, Trouble):
                return told
        return None

    async def _case(self, request: Request, screen: Screen) -> Response:
        """One matter: what was tried, who telephones, what may be done now and what not."""
        _, case = await self._seating.staff(screen, "GET", f"/v1/staff/cases/{quote(request.query_params.get('id', ''), safe='')}")
        if isinstance(case, Trouble):
            screen.trouble = case
            return screen.leave_word(_to("/desk"), request)
        shown = Sights(self._table, language_of_request(request))
        operation = self._table.operations.get(str(self._table.cases.get("verify")))
        asks = [(name, shown.item(name), self._table.items[name].verifies) for name in operation.rows] if operation else []
        acts = [
            {"name": path.name, "text": shown.text(path.text), "by": shown.join(shown.role(role) for role in path.roles),
             "second": path.second_person, "mine": screen.key.role in path.roles,
             "hours": path.opens_s and [_clock(second) for second in path.opens_s],
             "needs": [shown.join(self._thing(shown, name) for name in names) for names in path.cases[-1].needs] if path.cases else []}
            for path in self._table.paths.values() if path.kind == "desk"
        ]
        return self._page(request, screen, "desk_case.html", case=case, asks=asks, acts=acts)

    def _thing(self, shown: Sights, name: str) -> str:
        thing = self._table.things.get(name)
        return shown.text(thing) if thing else shown.item(name)

    # -- acts ----------------------------------------------------------------------------------------------------------

    async def _send(self, screen: Screen, path: str, body: dict[str, Any] | None, said: str, form: Form) -> dict[str, Any] | None:
        """One call under the operator's key; what came of it is shown on the next page. The form's own name makes it one act."""
        _, told = await self._seating.staff(screen, "POST", path, body, once=form.get("once") or None)
        if isinstance(told, Trouble):
            screen.trouble = told
            return None
        screen.said = (f"desk.said-{'asked' if 'approval' in told else said}", {})
        return told

    async def _open(self, screen: Screen, form: Form) -> str:
        how = "writing" if form.get("how") == "writing" else "telephone"
        body = {"subject": form.get("subject", ""), "matter": form.get("matter", "").strip(), "how": how}
        told = await self._send(screen, "/v1/staff/cases", body, "opened", form)
        return _customer_at(form) if told is None else f"/desk/case?{urlencode({'id': told['case']})}"

    async def _note(self, screen: Screen, form: Form) -> str:
        body: dict[str, Any] = {"what": form.get("what", ""), "text": form.get("text", "").strip()}
        if form.get("at"):
            body["at"] = _moment(form["at"], self._table.zone)
        await self._send(screen, _case_path(form, "notes"), body, "noted", form)
        return _case_at(form)

    async def _verify(self, screen: Screen, form: Form) -> str:
        status, told = await self._seating.staff(screen, "POST", _case_path(form, "verifications"), {"item": form.get("item", "")})
        if isinstance(told, Trouble):
            screen.trouble = told
        elif status == CREATED:
            screen.said = (f"desk.said-{told['how']}", {"number": told.get("number", ""), "address": told.get("address", "")})
        return _case_at(form)

    async def _heard(self, screen: Screen, form: Form) -> str:
        body = {"item": form.get("item", ""), "proof": form.get("proof", "").strip()}
        told = await self._send(screen, _case_path(form, "verifications/entries"), body, "noted", form)
        if told is not None:
            screen.said = ("desk.said-verified" if told["verified"] else f"desk.said-{told['outcome']}", {})
        return _case_at(form)

    async def _ask(self, screen: Screen, form: Form) -> str:
        body = {"path": form.get("path", ""), "reason": form.get("reason", "").strip()}
        if form.get("evidence", "").strip():
            body["evidence"] = form["evidence"].strip()
        await self._send(screen, _case_path(form, "acts"), body, "done", form)
        return _case_at(form)

    async def _approve(self, screen: Screen, form: Form) -> str:
        await self._send(screen, f"/v1/staff/approvals/{quote(form.get('approval', ''), safe='')}", None, "done", form)
        return _case_at(form) if form.get("case") else "/desk"

    async def _stop(self, screen: Screen, form: Form) -> str:
        known = form.get("known_by") if form.get("known_by") in {"number-on-file", "verified"} else None
        body = {"reason": form.get("reason", "").strip(), **({"known_by": known} if known else {})}
        told = await self._send(screen, subject_path(form.get("subject", ""), "stops"), body, "stopped", form)
        if told is not None and told["outcome"] != "stopped":
            screen.said = ("staff.stop-refused", {})
        return _customer_at(form)

    async def _lost(self, screen: Screen, form: Form) -> str:
        """A device of the customer's is lost: it enters nothing any more."""
        path = subject_path(form.get("subject", ""), "apps", form.get("app", ""), "loss")
        await self._send(screen, path, {"reason": form.get("reason", "").strip()}, "lost", form)
        return _customer_at(form)

    async def _letter(self, screen: Screen, form: Form) -> str:
        """A code for a device goes out by letter; nobody here reads it."""
        body = {"reason": form.get("reason", "").strip(), "language": "en" if form.get("language") == "en" else "ja"}
        await self._send(screen, subject_path(form.get("subject", ""), "app-codes"), body, "letter", form)
        return _customer_at(form)


async def _sent(request: Request) -> Form:
    """A form; what another site has sent is none of ours.

    Raises:
        Unreadable: it is not one.

    """
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Unreadable
    return await read_form(request)


def _as_asked(request: Request) -> str:
    """The page's own address, without the choice of a language."""
    query = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != "lang"])
    return f"{request.url.path}?{query}" if query else request.url.path


def _to(address: str) -> RedirectResponse:
    return RedirectResponse(address, 303, headers=HEADERS)


def _subject(number: str) -> str:
    number = number.strip()
    return number if ":" in number else f"customer:{number}"


def _moment(at: str, zone: str) -> str:
    """What the desk's clock will show, as a time for everybody; what is no time is passed on, and the service says so."""
    try:
        return datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(zone)).isoformat()
    except ValueError:
        return at


def _case_path(form: Form, what: str) -> str:
    return f"/v1/staff/cases/{quote(form.get('case', ''), safe='')}/{what}"


def _case_at(form: Form) -> str:
    """A case's page: of what a form names, and never another site's."""
    return f"/desk/case?{urlencode({'id': form.get('case', '')})}"


def _customer_at(form: Form) -> str:
    return f"/desk/customer?{urlencode({'number': form.get('subject', '')})}"


def _problem(trouble: Trouble) -> str:
    name = f"problem.{trouble.kind}"
    return name if name in texts("en") else "problem.fault"


def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second % 3600 // 60:02}"
