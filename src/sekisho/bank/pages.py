"""The pages of the demonstration: `/` says what this is, `/try` lets a visitor be customer and staff side by side.

Every act is a form that ends in a redirect, so that nothing is entered twice by looking again.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sekisho.bank.boxes import Box, Boxes
from sekisho.bank.duties import Duties
from sekisho.bank.holdings import ASIDE, JUDGED, NOT_RECOGNISED, RECOGNISED, SENT, Holding, Holdings, Proof
from sekisho.bank.officers import Officers
from sekisho.bank.post import Post
from sekisho.bank.runs import REPEAT_MAX, Runs
from sekisho.bank.service import Service
from sekisho.bank.shown import Choice, Shown
from sekisho.bank.visits import Asked, Visit, Visits, Wanted, remember
from sekisho.catalogue import translated
from sekisho.policy import Table
from sekisho.web import HEADERS, Form, Unreadable, assets, language_of_request, page, read_form

CUSTOMER, STAFF = "customer", "staff"
"""The two halves of the page, as its addresses name them."""

Act = Callable[[Visit, Form, str], Awaitable[str]]
"""Does what a form asks for; gives the half of the page to look at next."""


def routes(
    base: str, keys: Mapping[str, object], boxes: Mapping[str, Box], table: Table, *, transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float] = time.time,
) -> Sequence[BaseRoute]:
    """All pages.

    Args:
        base: the service's address.
        keys: as in the demonstration's `keys.json`.
        boxes: what reaches the customers, by `mail`, `telephone` and `letter`.
        table: the bank's policy.
        transport: how to reach the service; None: over the network.
        clock: seconds since the epoch, for the customers' tokens.

    """
    return Pages(Service(base, keys, transport), clock, boxes, table).routes()


class Pages:
    """The pages over one service."""

    def __init__(self, service: Service, clock: Callable[[], float], boxes: Mapping[str, Box], table: Table) -> None:
        self._table = table
        self._holdings = Holdings(self._table)
        self._visits = Visits()
        letter_boxes = Boxes(boxes)
        post = Post(service, self._table, letter_boxes)
        self._runs = Runs(service, self._table, self._holdings, post, clock, letter_boxes)
        self._officers = Officers(service, self._table, self._holdings, post)
        self._duties = Duties(service, self._table, self._holdings, self._officers, clock)

    def routes(self) -> list[BaseRoute]:
        """Address to page or act."""
        acts: dict[str, Act] = {
            "customer": self._play, "begin": self._begin, "enter": self._enter, "repeat": self._repeat, "code": self._send_code,
            "logout": self._log_out, "stop": self._stop, "release": self._release, "approve": self._approve, "set": self._set,
            **{name: _of_staff(duty) for name, duty in {
                "withdraw": self._duties.withdraw, "stop-for": self._duties.stop, "incident": self._duties.open_incident,
                "release-incident": self._duties.release_incident, "import": self._duties.take_over,
            }.items()},
            "form": self._paper,
        }
        return [
            Route("/", self._start), Route("/try", self._try), *assets(),
            *(Route(f"/try/{name}", self._acting(act), methods=["POST"]) for name, act in acts.items()),
        ]

    def _acting(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        """A form's address: only forms that this page gave to this visitor do anything."""

        async def answer(request: Request) -> Response:
            try:
                form = await read_form(request)
            except Unreadable:
                return _stale(request, 400)
            visit = self._visits.sent_by(request, form.get("token", ""))
            if visit is None:
                return _stale(request, 403)
            half = await act(visit, form, language_of_request(request))
            return RedirectResponse(f"/try#{half}", 303, headers=HEADERS)

        return answer

    # -- looking -------------------------------------------------------------------------------------------------------

    async def _start(self, request: Request) -> Response:
        """What this is."""
        return page(request, "start.html")

    async def _try(self, request: Request) -> Response:
        """Customer and staff, side by side."""
        visit = self._visits.known(request) or self._visits.begin()
        shown = Shown(self._table, language_of_request(request))
        customer, staff = await self._customer_half(visit, shown), await self._staff_half(visit, shown)
        answer = page(request, "try.html", token=visit.token, choose=self._choices(visit, shown), journal=self._journal(visit, shown),
                      customer=customer, staff=staff)
        visit.notice = visit.trouble = visit.staff_trouble = visit.stopped = None
        return remember(answer, visit)

    def _choices(self, visit: Visit, shown: Shown) -> dict[str, Any]:
        wanted = visit.wanted or (Wanted(visit.run.operation, visit.run.about) if visit.run else None)
        operation = wanted.operation if wanted else None
        return {
            "customers": shown.customers(self._holdings, visit.account),
            "open": shown.operations(operation, session=False), "in_session": shown.operations(operation, session=True),
            "about": shown.customers(self._holdings, self._about(visit, wanted)), "device": visit.device,
        }

    def _about(self, visit: Visit, wanted: Wanted | None) -> str:
        """The account that an entry is about: the one chosen before, else any that is not the played customer's own."""
        if wanted is not None and wanted.about is not None:
            return wanted.about.partition(":")[2]
        return next(one.customer.account for one in self._holdings if one.customer.account != visit.account)

    async def _customer_half(self, visit: Visit, shown: Shown) -> dict[str, Any]:
        run, holding = visit.run, self._runs.holding(visit)
        return {
            "name": shown.person(holding), "logged_in": await self._runs.session_lives(visit),
            "trouble": visit.trouble and f"problem.{visit.trouble.kind}",
            "stopped": visit.stopped and {
                "outcome": visit.stopped.outcome, "message": translated(visit.stopped.message, visit.stopped.language, shown.language),
            },
            "wanted": shown.operation(visit.wanted.operation) if visit.wanted else None,
            "operation": run and shown.operation(run.operation), "run": run,
            "message": run and run.told and translated(run.told.message, run.told.language, shown.language),
            "entries": [self._entry(visit, shown, name, kind) for name, kind in run.next] if run and run.state == "open" else [],
            "ways_back": shown.ways_back(run.operation) if run else [],
            "received": [(one.way, one.what.subject, one.what.body, one.address) for one in self._runs.received(visit)],
            "label": run and run.sent and run.label, "course": await self._runs.course(visit, shown.language),
            "held": self._held(visit, shown),
        }

    def _entry(self, visit: Visit, shown: Shown, name: str, kind: str) -> dict[str, Any]:
        """One item that may be entered now."""
        item = self._table.items[name]
        right = self._runs.right(visit, name)
        return {
            "item": name, "text": shown.item(name), "kind": kind, "judged": kind in JUDGED, "sent": kind in SENT,
            "parts": [(part, shown.item(part)) for part, _ in item.parts], "digits": kind in _DIGITS,
            "right": right is not None or kind in SENT, "wrong": self._runs.wrong(visit, name) is not None,
            "to": [Choice(one["id"], one["address"]) for one in visit.run.addresses if one["item"] == name] if visit.run else [],
        }

    def _held(self, visit: Visit, shown: Shown) -> list[tuple[str, str]]:
        """What would be right, for everything that the present operation may ask for."""
        if visit.run is None:
            return []
        held = []
        for step in self._table.operations[visit.run.operation].steps:
            for name in step.items:
                right = self._runs.right(visit, name)
                kind = self._table.items[name].kind
                if kind in ASIDE or kind == "data" or (right is None and kind != "totp"):
                    continue
                held.append((shown.item(name), shown.say("try.token-wait") if right is None else _in_words(right)))
        return held

    def _journal(self, visit: Visit, shown: Shown) -> list[dict[str, Any]]:
        return [
            {"operation": shown.operation(one.operation), "item": shown.item(one.item), "entry": one.entry, "outcome": one.told.outcome,
             "message": translated(one.told.message, one.told.language, shown.language), "times": one.times}
            for one in visit.journal
        ]

    async def _staff_half(self, visit: Visit, shown: Shown) -> dict[str, Any]:
        holdings = self._concerned(visit)
        views = await self._officers.views(holdings)
        subjects = [shown.subject(view) for view in views]
        return {
            "subjects": subjects, "locks": [lock for one in subjects for lock in one.locks], "events": shown.events(views),
            "rows": shown.rows(visit.run.operation) if visit.run else [], "operation": visit.run and shown.operation(visit.run.operation),
            "asked": [self._asked(one, shown) for one in visit.asked if one.account in {"", *(holding.customer.account for holding in holdings)}],
            **await self._duties_half(holdings, views, shown),
            "operators": [Choice(one.name, shown.officer(one)) for one in self._officers.releasers],
            "clerks": [Choice(one.name, shown.officer(one)) for one in self._officers.clerks],
            "secrets": [Choice(name, shown.item(name)) for name in self._runs.holding(visit).secrets],
            "notice": visit.notice and shown.say(visit.notice[0], **_named(shown, visit.notice[1])),
            "trouble": visit.staff_trouble and (f"problem.{visit.staff_trouble.kind}", visit.staff_trouble.detail),
        }

    async def _duties_half(self, holdings: Sequence[Holding], views: Sequence[Mapping[str, Any]], shown: Shown) -> dict[str, Any]:
        named = [subject for one in holdings for subject in one.subjects]
        return {
            "forms": [Choice(name, shown.path(name)) for name in self._duties.forms], "papers": shown.papers(views),
            "named": [Choice(name, shown.named(name)) for name in named],
            "stoppable": [Choice(name, shown.named(name)) for name in named if name.startswith(("customer:", "account:"))],
            "stoppers": [Choice(one.name, shown.officer(one)) for one in self._duties.stoppers],
            "incidents": await self._duties.incidents(), "lock_rows": [Choice(row, row) for row in self._duties.rows],
            "csv": f"what,subject,name,value,item\ncount,{named[0]},login-password-in-a-row,3,login-password\n",
        }

    def _asked(self, asked: Asked, shown: Shown) -> dict[str, Any]:
        """A release that waits. Another of the same desk is offered first: whoever asked cannot approve."""
        releasers = self._officers.releasers
        desk = next((one.role for one in releasers if one.name == asked.by), None)
        other = next((one.name for one in releasers if one.role == desk and one.name != asked.by), None)
        return {
            "approval": asked.approval, "row": asked.row, "by": asked.by.capitalize(), "paper": asked.path in self._duties.forms,
            "text": shown.path(asked.path),
            "operators": [Choice(one.name, shown.officer(one), one.name == other) for one in releasers],
        }

    def _concerned(self, visit: Visit) -> list[Holding]:
        """Whose state staff look at: the customer's, and that of the account the entry is about."""
        about = visit.run and visit.run.about and self._holdings.of(visit.run.about.partition(":")[2])
        own = self._runs.holding(visit)
        return [own, about] if about and about is not own else [own]

    # -- acts of the customer ------------------------------------------------------------------------------------------

    async def _play(self, visit: Visit, form: Form, _language: str) -> str:
        """Choose whom to play. What the one before was doing is left where it is."""
        if self._holdings.of(form.get("customer", "")) is not None and form["customer"] != visit.account:
            visit.account, visit.run, visit.wanted = form["customer"], None, None
        return CUSTOMER

    async def _begin(self, visit: Visit, form: Form, language: str) -> str:
        if "customer" in form:
            await self._play(visit, form, language)
        if form.get("device") in {"usual", "other"}:
            visit.device = form["device"]
        operation = self._table.operations.get(form.get("operation", ""))
        if operation is None:
            return CUSTOMER
        asks = any(row.about for rows in operation.rows.values() for row in rows)
        about = self._holdings.of(form.get("about", "")) if asks else None
        await self._runs.begin(visit, Wanted(operation.name, about.customer.account_subject if about else None), language)
        return CUSTOMER

    async def _enter(self, visit: Visit, form: Form, language: str) -> str:
        name, how = form.get("item", ""), form.get("how", "typed")
        if name in self._table.items and visit.run is not None:
            proof = await self._runs.right_now(visit, name, language) if how == "right" else self._proof(visit, form, name, how)
            if proof is not None:
                await self._runs.enter(visit, name, proof, how if how in {"right", "wrong"} else "typed", language)
        return CUSTOMER

    def _proof(self, visit: Visit, form: Form, name: str, how: str) -> Proof | None:
        if how == "wrong":
            return self._runs.wrong(visit, name)
        if how in {RECOGNISED, NOT_RECOGNISED}:
            return how
        parts = self._table.items[name].parts
        return {part: form.get(f"proof.{part}", "") for part, _ in parts} if parts else form.get("proof", "")

    async def _repeat(self, visit: Visit, form: Form, language: str) -> str:
        name, times = form.get("item", ""), form.get("times", "")
        if name in self._table.items and times.isascii() and times.isdigit():
            await self._runs.repeat_wrong(visit, name, min(int(times[:3]), REPEAT_MAX), language)
        return CUSTOMER

    async def _send_code(self, visit: Visit, form: Form, language: str) -> str:
        await self._runs.send_code(visit, form.get("item", ""), form.get("address"), language)
        return CUSTOMER

    async def _log_out(self, visit: Visit, _form: Form, _language: str) -> str:
        await self._runs.log_out(visit)
        return CUSTOMER

    async def _stop(self, visit: Visit, form: Form, language: str) -> str:
        await self._runs.stop(visit, "known-device" if form.get("known") == "known-device" else "", language)
        return CUSTOMER

    # -- acts of staff -------------------------------------------------------------------------------------------------

    async def _release(self, visit: Visit, form: Form, _language: str) -> str:
        await self._officers.release(visit, form)
        return STAFF

    async def _approve(self, visit: Visit, form: Form, _language: str) -> str:
        await self._officers.approve(visit, form)
        return STAFF

    async def _paper(self, visit: Visit, form: Form, language: str) -> str:
        await self._duties.enter_form(visit, form, language)
        return STAFF

    async def _set(self, visit: Visit, form: Form, _language: str) -> str:
        await self._officers.set_again(visit, self._runs.holding(visit), form)
        return STAFF


def _of_staff(duty: Callable[[Visit, Form], Awaitable[None]]) -> Act:
    """A duty as an act of the page."""

    async def act(visit: Visit, form: Form, _language: str) -> str:
        await duty(visit, form)
        return STAFF

    return act


_DIGITS = frozenset({"code", "confirmation", "totp", "pin", "passcode"})


def _in_words(proof: Proof) -> str:
    return proof if isinstance(proof, str) else " + ".join(proof.values())


def _named(shown: Shown, facts: Mapping[str, str]) -> dict[str, str]:
    """A notice's facts in the reader's language: names of the policy become its texts."""
    words = {"path": shown.path, "item": shown.item}
    return {name: words[name](value) if name in words else value for name, value in facts.items()}


def _stale(request: Request, status: int) -> Response:
    """The form is not one of this page's any more."""
    return page(request, "stale.html", status, address="/try")
