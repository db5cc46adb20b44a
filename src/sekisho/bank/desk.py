"""The pages of the desk, `/desk`: for first and second line, who sign in with an operator's key and do everything under it.

The pages are a client of the interface like any other: whatever a key may not do is refused there, and the page says why. Every act is
a form that ends in a redirect; a form sent twice carries one name and is one act.
"""

from __future__ import annotations

import hmac
import secrets as chance
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sekisho.bank.service import Operator, Service, Trouble, subject_path
from sekisho.bank.shown import Shown
from sekisho.catalogue import texts
from sekisho.policy import Table
from sekisho.web import HEADERS, Form, Unreadable, language_of_request, page, read_form

COOKIE = "sekisho-desk"

SHIFT_S = 12 * 3600
"""How long the browser keeps an operator signed in. Seconds."""

SIGNED_IN_MAX = 200
"""Operators signed in at once; whoever did nothing for the longest is signed out first."""

CREATED = 201


@dataclass
class Seat:
    """One operator at her screen."""

    id: str
    token: str
    operator: Operator
    may: frozenset[str]
    said: tuple[str, dict[str, str]] | None = None
    """What the last act came to: name of a text, and its facts. Shown once."""
    trouble: Trouble | None = None


class Seats:
    """All who are signed in. In memory: a restart signs everybody out."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, Seat] = OrderedDict()

    def known(self, request: Request) -> Seat | None:
        """Whoever the cookie belongs to."""
        seat = self._of.get(request.cookies.get(COOKIE, ""))
        if seat is not None:
            self._of.move_to_end(seat.id)
        return seat

    def take(self, operator: Operator, may: frozenset[str]) -> Seat:
        """Somebody signs in: always under a new name, so that nobody can have laid one out for her."""
        seat = Seat(chance.token_urlsafe(24), chance.token_urlsafe(24), operator, may)
        self._of[seat.id] = seat
        if len(self._of) > SIGNED_IN_MAX:
            self._of.popitem(last=False)
        return seat

    def leave(self, seat: Seat) -> None:
        """She signs out."""
        self._of.pop(seat.id, None)


Act = Callable[[Seat, Form], Awaitable[str]]
"""Does what a form asks for; gives the address to look at next."""


def routes(base: str, keys: Mapping[str, Any], table: Table) -> list[BaseRoute]:
    """All pages of the demonstration's desk, at the bank of this policy."""
    return DeskPages(base, keys, table).routes()


class DeskPages:
    """The pages over one service.

    Args:
        base: the service's address.
        keys: as in the demonstration's `keys.json`; only the channel's place is needed, and nothing is done with it.
        table: the policy, for its words.
        transport: how to reach the service; None: over the network.

    """

    def __init__(self, base: str, keys: Mapping[str, Any], table: Table, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._service = Service(base, keys, transport)
        self._table = table
        self._seats = Seats()

    def routes(self) -> list[BaseRoute]:
        """Address to page or act."""
        acts: dict[str, Act] = {
            "open": self._open, "note": self._note, "verify": self._verify, "heard": self._heard, "ask": self._ask, "approve": self._approve,
            "stop": self._stop,
        }
        return [
            Route("/desk", self._overview), Route("/desk/customer", self._customer), Route("/desk/case", self._case),
            Route("/desk/sign-in", self._sign_in, methods=["POST"]), Route("/desk/sign-out", self._sign_out, methods=["POST"]),
            *(Route(f"/desk/{name}", self._acting(act), methods=["POST"]) for name, act in acts.items()),
        ]

    # -- who sits here -------------------------------------------------------------------------------------------------

    async def _sign_in(self, request: Request) -> Response:
        """By an operator's key; it is kept in this process alone, and the browser gets a name for it."""
        try:
            form = await read_form(request)
        except Unreadable:
            return self._at_door(request, 400)
        key = form.get("key", "").strip()
        if not key or not key.isascii():
            return self._at_door(request, 403)
        _, told = await self._service.staff(Operator("", "", key), "GET", "/v1/staff/operator")
        if isinstance(told, Trouble) or "open-case" not in told["may"]:
            return self._at_door(request, 403)
        seat = self._seats.take(Operator(told["operator"], told["role"], key), frozenset(told["may"]))
        answer = _to("/desk")
        answer.set_cookie(COOKIE, seat.id, max_age=SHIFT_S, httponly=True, samesite="strict", path="/desk", secure=request.url.scheme == "https")
        return answer

    async def _sign_out(self, request: Request) -> Response:
        seat = await self._sender(request)
        if isinstance(seat, tuple):
            self._seats.leave(seat[0])
        answer = _to("/desk")
        answer.delete_cookie(COOKIE, path="/desk")
        return answer

    async def _sender(self, request: Request) -> tuple[Seat, Form] | int:
        """Whoever sent a form that this page gave her, and the form; else the status of the answer."""
        try:
            form = await read_form(request)
        except Unreadable:
            return 400
        seat = self._seats.known(request)
        if seat is None or not hmac.compare_digest(seat.token.encode(), form.get("token", "").encode("utf-8", "replace")):
            return 403
        return seat, form

    def _acting(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        """A form's address: only forms that this page gave to this operator do anything."""

        async def answer(request: Request) -> Response:
            sent = await self._sender(request)
            if isinstance(sent, int):
                return self._at_door(request, sent)
            return _to(await act(*sent))

        return answer

    def _at_door(self, request: Request, status: int) -> Response:
        return page(request, "desk_door.html", status, address="/desk", refused=status != httpx.codes.OK)

    # -- looking -------------------------------------------------------------------------------------------------------

    def _page(self, request: Request, seat: Seat, template: str, **facts: Any) -> Response:
        shown = Shown(self._table, language_of_request(request))
        query = f"?{request.url.query}" if request.url.query else ""
        said = seat.said and shown.say(seat.said[0], **seat.said[1])
        trouble = seat.trouble and (_problem(seat.trouble), seat.trouble.detail)
        seat.said = seat.trouble = None
        return page(
            request, template, address=request.url.path, token=seat.token, once=chance.token_urlsafe(12), back=request.url.path + query,
            who=shown.operator(seat.operator), may=seat.may, said=said, trouble=trouble, time=shown.time, shown=shown, **facts,
        )

    async def _overview(self, request: Request) -> Response:
        """Open matters, what waits for a second person, and whom to look up."""
        seat = self._seats.known(request)
        if seat is None:
            return self._at_door(request, 200)
        _, cases = await self._service.staff(seat.operator, "GET", "/v1/staff/cases")
        _, waiting = await self._service.staff(seat.operator, "GET", "/v1/staff/approvals")
        return self._page(
            request, seat, "desk.html", cases=[] if isinstance(cases, Trouble) else cases["cases"],
            waiting=[] if isinstance(waiting, Trouble) else waiting["approvals"], lines=self._lines(request),
        )

    def _lines(self, request: Request) -> list[tuple[str, str]]:
        """Each desk's name and hours."""
        shown = Shown(self._table, language_of_request(request))
        return [
            (shown.role(role), shown.say(f"desk.every-{one['every']}", since=_clock(one["open_s"][0]), until=_clock(one["open_s"][1])))
            for role, one in self._table.desk.items()
        ]

    async def _customer(self, request: Request) -> Response:
        """One customer: locks, counts, addresses, the course of his messages, his matters."""
        seat = self._seats.known(request)
        if seat is None:
            return self._at_door(request, 200)
        subject = _subject(request.query_params.get("number", ""))
        shown = Shown(self._table, language_of_request(request))
        _, view = await self._service.staff(seat.operator, "GET", subject_path(subject))
        if isinstance(view, Trouble):
            seat.trouble = view
            return _to("/desk")
        views = [view]
        for linked in sorted(view["links"].values()):
            _, other = await self._service.staff(seat.operator, "GET", subject_path(linked))
            views += [] if isinstance(other, Trouble) else [other]
        messages: list[dict[str, Any]] = []
        for one in views:
            _, sent = await self._service.staff(seat.operator, "GET", subject_path(one["subject"], "deliveries"))
            messages += [] if isinstance(sent, Trouble) else sent["deliveries"]
        _, cases = await self._service.staff(seat.operator, "GET", f"/v1/staff/cases?{urlencode({'subject': subject})}")
        return self._page(
            request, seat, "desk_customer.html", subject=subject, known=view["known"], subjects=[shown.subject(one) for one in views],
            addresses=[one for each in views for one in each["addresses"]], messages=messages,
            events=shown.events(views), cases=[] if isinstance(cases, Trouble) else cases["cases"],
        )

    async def _case(self, request: Request) -> Response:
        """One matter: what was tried, who telephones, what may be done now and what not."""
        seat = self._seats.known(request)
        if seat is None:
            return self._at_door(request, 200)
        _, case = await self._service.staff(seat.operator, "GET", f"/v1/staff/cases/{quote(request.query_params.get('id', ''), safe='')}")
        if isinstance(case, Trouble):
            seat.trouble = case
            return _to("/desk")
        shown = Shown(self._table, language_of_request(request))
        operation = self._table.operations.get(str(self._table.cases.get("verify")))
        asks = [(name, shown.item(name), self._table.items[name].verifies) for name in operation.rows] if operation else []
        acts = [
            {"name": path.name, "text": shown.text(path.text), "by": shown.join(shown.role(role) for role in path.roles),
             "second": path.second_person, "mine": seat.operator.role in path.roles,
             "hours": path.opens_s and [_clock(second) for second in path.opens_s],
             "needs": [shown.join(self._thing(shown, name) for name in names) for names in path.cases[-1].needs] if path.cases else []}
            for path in self._table.paths.values() if path.kind == "desk"
        ]
        return self._page(request, seat, "desk_case.html", case=case, asks=asks, acts=acts)

    def _thing(self, shown: Shown, name: str) -> str:
        thing = self._table.things.get(name)
        return shown.text(thing) if thing else shown.item(name)

    # -- acts ----------------------------------------------------------------------------------------------------------

    async def _send(self, seat: Seat, path: str, body: dict[str, Any] | None, said: str, form: Form) -> dict[str, Any] | None:
        """One call under the operator's key; what came of it is shown on the next page. The form's own name makes it one act."""
        _, told = await self._service.staff(seat.operator, "POST", path, body, once=form.get("once") or None)
        if isinstance(told, Trouble):
            seat.trouble = told
            return None
        seat.said = (f"desk.said-{'asked' if 'approval' in told else said}", {})
        return told

    async def _open(self, seat: Seat, form: Form) -> str:
        how = "writing" if form.get("how") == "writing" else "telephone"
        body = {"subject": form.get("subject", ""), "matter": form.get("matter", "").strip(), "how": how}
        told = await self._send(seat, "/v1/staff/cases", body, "opened", form)
        return _customer_at(form) if told is None else f"/desk/case?{urlencode({'id': told['case']})}"

    async def _note(self, seat: Seat, form: Form) -> str:
        body: dict[str, Any] = {"what": form.get("what", ""), "text": form.get("text", "").strip()}
        if form.get("at"):
            body["at"] = f"{form['at']}:00+09:00" if self._table.zone == "Asia/Tokyo" else f"{form['at']}:00Z"
        await self._send(seat, _case_path(form, "notes"), body, "noted", form)
        return _case_at(form)

    async def _verify(self, seat: Seat, form: Form) -> str:
        status, told = await self._service.staff(seat.operator, "POST", _case_path(form, "verifications"), {"item": form.get("item", "")})
        if isinstance(told, Trouble):
            seat.trouble = told
        elif status == CREATED:
            seat.said = (f"desk.said-{told['how']}", {"number": told.get("number", ""), "address": told.get("address", "")})
        return _case_at(form)

    async def _heard(self, seat: Seat, form: Form) -> str:
        body = {"item": form.get("item", ""), "proof": form.get("proof", "").strip()}
        told = await self._send(seat, _case_path(form, "verifications/entries"), body, "noted", form)
        if told is not None:
            seat.said = ("desk.said-verified" if told["verified"] else f"desk.said-{told['outcome']}", {})
        return _case_at(form)

    async def _ask(self, seat: Seat, form: Form) -> str:
        body = {"path": form.get("path", ""), "reason": form.get("reason", "").strip()}
        if form.get("evidence", "").strip():
            body["evidence"] = form["evidence"].strip()
        await self._send(seat, _case_path(form, "acts"), body, "done", form)
        return _case_at(form)

    async def _approve(self, seat: Seat, form: Form) -> str:
        await self._send(seat, f"/v1/staff/approvals/{quote(form.get('approval', ''), safe='')}", None, "done", form)
        return _case_at(form) if form.get("case") else "/desk"

    async def _stop(self, seat: Seat, form: Form) -> str:
        known = form.get("known_by") if form.get("known_by") in {"number-on-file", "verified"} else None
        body = {"reason": form.get("reason", "").strip(), **({"known_by": known} if known else {})}
        told = await self._send(seat, subject_path(form.get("subject", ""), "stops"), body, "stopped", form)
        if told is not None and told["outcome"] != "stopped":
            seat.said = ("desk.said-refused", {})
        return _customer_at(form)


def _to(address: str) -> RedirectResponse:
    return RedirectResponse(address, 303, headers=HEADERS)


def _subject(number: str) -> str:
    number = number.strip()
    return number if ":" in number else f"customer:{number}"


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
