"""`/phone`: the bank's app as a page that can be installed. What it keeps and what it signs is in web/phone.js; this is the bank's side of it.

The page shows the bank a ticket that it got when its device was enrolled, and the bank passes on what it says (docs/how/app.md).
Nothing is decided by a ticket: it lets a device see what waits for it, until it is removed. What the device enters, its keys sign.
"""

from __future__ import annotations

import hmac
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sekisho.bank.guests import Guests, Walk
from sekisho.bank.service import Json, Service, Trouble
from sekisho.bank.shown import Shown
from sekisho.catalogue import say
from sekisho.policy import Table
from sekisho.policy.table import Item
from sekisho.web import HEADERS, WITH_SCRIPT, Unreadable, language_of_request, page, read_body

SENSORS = frozenset({"biometric", "device-biometric"})
BY_APP = SENSORS | {"passcode", "pin"}
"""Kinds that are entered in the app, where they belong to an enrolment of it."""

PASSCODE = "passcode"
"""Kind, and what the page calls it, whatever the policy does."""

SHOWN = "ocra"
"""Kind that the app shows and the customer types at the bank."""

CODE = "pin"
"""Kind of a code that the customer sets in the app."""

ANEW = SENSORS | {PASSCODE, SHOWN, CODE}
"""Kinds that the app registers anew, with its device's signature."""

BODY_MAX = 16 * 1024
"""Longest request of the page, in bytes."""

TICKETS_MAX = 10
"""Accounts that one device may hold here."""

RUNS_MAX = 500
"""Runs that were begun in the app and are remembered; the oldest is forgotten first."""

BETWEEN = "\x1f"
"""Stands between the parts of what was entered (docs/how/app.md)."""

PASSED_ON = ("code", "message")


def is_by_app(item: Item) -> bool:
    """Whether it is entered in the app."""
    return item.reach == "app" and item.kind in BY_APP and item.renews is None


def words_of(proof: str | dict[str, str]) -> str:
    """What was entered, word for word, as an app shows it and signs it."""
    return proof if isinstance(proof, str) else BETWEEN.join(f"{name}={value}" for name, value in sorted(proof.items()))


class Telephone:
    """The page and its calls.

    Args:
        service: what stands behind the bank.
        table: the bank's policy.
        guests: whoever stands before the bank's pages: what they began waits on their telephones.

    """

    def __init__(self, service: Service, table: Table, guests: Guests) -> None:
        self._service = service
        self._table = table
        self._guests = guests
        self._own: OrderedDict[str, tuple[str, Walk]] = OrderedDict()
        self._registers = _registers(table)

    def routes(self) -> list[BaseRoute]:
        """Address to page or call."""
        calls = {
            "accounts": self._add, "requests": self._requests, "register": self._register, "sign": self._sign, "send": self._send,
            "enter": self._enter,
        }
        return [
            Route("/phone", self._page), Route("/phone/app.webmanifest", self._manifest),
            *(Route(f"/phone/{name}", self._calling(act), methods=["POST"]) for name, act in calls.items()),
        ]

    # -- the page ------------------------------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        shown = Shown(self._table, language_of_request(request))
        items = [item for item in self._table.items.values() if is_by_app(item)]
        shared = [one.name for one in self._table.items.values() if one.kind == SHOWN]
        return page(
            request, "phone.html", headers=WITH_SCRIPT,
            sensors=[(one.name, shown.item(one.name)) for one in items if one.kind in SENSORS], shared=shared,
            codes=[(one.name, shown.item(one.name)) for one in items if one.kind == CODE],
            sets=[(one.name, shown.operation(self._registers[one.name])) for one in items if one.kind == CODE and one.name in self._registers],
            named=[(one, shown.item(one)) for one in [*(item.name for item in items), *shared]],
            locks=[(one.name, "waits" if _waits(self._table, one) else "stays") for one in items if one.kind == "device-biometric"],
            registers=self._registers,
        )

    async def _manifest(self, request: Request) -> Response:
        """What a telephone needs to put the page among its apps (W3C Web Application Manifest)."""
        language = language_of_request(request)
        told = {
            "name": say(language, "phone.title"), "short_name": say(language, "phone.title"), "lang": language,
            "id": "/phone", "start_url": "/phone", "scope": "/phone", "display": "standalone",
            "background_color": "#f4f5f7", "theme_color": "#1f3a5f",
            "icons": [{"src": "/assets/gate.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
        }
        return JSONResponse(told, headers=HEADERS, media_type="application/manifest+json")

    # -- its calls -----------------------------------------------------------------------------------------------------

    def _calling(self, act: Callable[[Json, str], Awaitable[Json | Trouble]]) -> Callable[[Request], Awaitable[Response]]:
        """A call of the page: JSON in and out. Whatever is not understood is answered in the customer's words, and is not repeated."""

        async def answer(request: Request) -> Response:
            language = language_of_request(request)
            body = await _read(request)
            told = Trouble("not-json") if body is None else await act(body, language)
            if isinstance(told, Trouble):
                return JSONResponse({"trouble": say(language, f"problem.{told.kind}"), "kind": told.kind}, 400, headers=HEADERS)
            return JSONResponse(told, headers=HEADERS)

        return answer

    async def _add(self, body: Json, language: str) -> Json | Trouble:
        """A device answers a code with its keys: from now on it has a ticket."""
        sent = {name: body.get(name) for name in ("code", "name", "parts")}
        told = await self._service.channel("POST", "/v1/apps", sent, language=language)
        if isinstance(told, Trouble):
            return told
        app, number = told["app"], told["customer"].partition(":")[2]
        return {"app": app, "number": number, "ticket": f"{app} {number} {self._service.seal('ticket', app, number)}"}

    async def _requests(self, body: Json, language: str) -> Json | Trouble:
        """What waits for this device's accounts."""
        tickets = body.get("tickets")
        if not isinstance(tickets, list) or len(tickets) > TICKETS_MAX:
            return Trouble("not-json")
        found: dict[str, list[Json]] = {}
        removed = []
        for app, number in filter(None, map(self._named, tickets)):
            enrolled = await self._is_enrolled(app)
            found[app] = [self._seen(walk, language) for walk in self._waiting(app, number)] if enrolled else []
            if enrolled is False:
                removed.append(app)
        return {"requests": found, "removed": removed}

    def _waiting(self, app: str, number: str) -> Iterator[Walk]:
        """The runs that this device may enter something in: those of its customer in any browser, and its own."""
        for guest in self._guests:
            for walk in guest.walks.values():
                his = walk.who == number or (bool(guest.number) and guest.number == number)
                # In a session each run is about one device.
                here = walk.app == app or (walk.app is None and not self._table.operations[walk.operation].session)
                if his and here and self._asked(walk):
                    yield walk
        yield from (walk for whose, walk in self._own.values() if whose == app and walk.state == "open")

    def _asked(self, walk: Walk) -> list[str]:
        return [name for name, _ in walk.next if is_by_app(found := self._table.items[name]) or found.kind == SHOWN] if walk.state == "open" else []

    def _seen(self, walk: Walk, language: str) -> Json:
        """A run as the app shows it: what for, what was entered in it, and what may be entered now."""
        shown, own = Shown(self._table, language), walk.name in self._own
        items = [name for name, _ in walk.next] if own else self._asked(walk)
        return {
            "walk": walk.name, "operation": shown.operation(walk.operation), "own": own, "addresses": walk.addresses, "sent": walk.sent,
            "shown": [{"item": name, "label": shown.item(name), "text": text} for name, text in walk.entered.items()],
            "next": [
                {"item": name, "kind": self._kind(name), "label": shown.item(name), "renews": self._table.items[name].renews or ""} for name in items
            ],
        }

    def _kind(self, item: str) -> str:
        renewed = _renewed(self._table, item)
        return str(self._table.items[item].kind) if renewed is None else {PASSCODE: "new-passcode", CODE: "new-code"}.get(renewed.kind, "new-key")

    async def _register(self, body: Json, language: str) -> Json | Trouble:
        """Something that the app enters was erased, or is to be another: a run in which it is registered anew."""
        held, operation = await self._holder(body.get("ticket")), body.get("operation")
        if held is None or not isinstance(operation, str) or operation not in self._registers.values():
            return Trouble("not-found")
        told = await self._service.channel("POST", "/v1/procedures", {"operation": operation, "subject": held[0]}, language=language)
        if isinstance(told, Trouble):
            return told
        walk = Walk(told["procedure"], operation, told["state"], [])
        walk.stands(told)
        for name in [name for name, (whose, begun) in self._own.items() if (whose, begun.operation) == (held[0], operation)]:
            # He begins anew; what he had begun before is not gone on with.
            del self._own[name]
        self._own[walk.name] = (held[0], walk)
        if len(self._own) > RUNS_MAX:
            self._own.popitem(last=False)
        return self._seen(walk, language)

    async def _sign(self, body: Json, language: str) -> Json | Trouble:
        """What the device is asked to sign for an item."""
        walk = await self._meant(body)
        if walk is None or not walk.asks_for(str(body.get("item"))):
            return Trouble("not-found")
        told = await self._service.channel("POST", f"/v1/procedures/{walk.procedure}/signatures", {"item": body["item"]}, language=language)
        return told if isinstance(told, Trouble) or "sign" in told else self._refusal(walk, told)

    async def _send(self, body: Json, language: str) -> Json | Trouble:
        """Have a code sent in a run of the app's own."""
        walk = await self._meant(body)
        if walk is None or walk.name not in self._own:
            return Trouble("not-found")
        sent = {"item": body.get("item"), "address": body.get("address")}
        told = await self._service.channel("POST", f"/v1/procedures/{walk.procedure}/challenges", sent, language=language)
        if isinstance(told, Trouble):
            return told
        walk.sent = walk.sent or "challenge" in told
        return self._seen(walk, language) if "challenge" in told else self._refusal(walk, told)

    async def _enter(self, body: Json, language: str) -> Json | Trouble:
        """One entry. What came of it is shown on the telephone, and in the browser where the run was begun."""
        walk = await self._meant(body)
        if walk is None or not walk.asks_for(str(body.get("item"))):
            return Trouble("not-found")
        entry = {"item": body["item"], "proof": body.get("proof")}
        told = await self._service.channel("POST", f"/v1/procedures/{walk.procedure}/attempts", entry, language=language)
        if isinstance(told, Trouble):
            return told
        walk.stands(told)
        walk.says(told)
        walk.session = told.get("session")
        if walk.name in self._own:
            await self._find_addresses(walk)
        return {"outcome": told["outcome"], "state": walk.state, **{name: told[name] for name in PASSED_ON}, "run": self._seen(walk, language)}

    async def _find_addresses(self, walk: Walk) -> None:
        """Where a code may go to, if one is asked for now."""
        walk.addresses, walk.sent = [], False
        if any(self._table.items[name].kind == "code" for name, _ in walk.next):
            told = await self._service.channel("GET", f"/v1/procedures/{walk.procedure}/addresses")
            walk.addresses = [] if isinstance(told, Trouble) else told["addresses"]

    def _refusal(self, walk: Walk, told: Json) -> Json:
        walk.says(told)
        return {"outcome": "refused", "state": walk.state, **{name: told[name] for name in PASSED_ON}}

    # -- whose device --------------------------------------------------------------------------------------------------

    def _named(self, ticket: object) -> tuple[str, str] | None:
        """Enrolment and customer number of a ticket that this bank gave out."""
        parts = ticket.split(" ") if isinstance(ticket, str) else []
        if len(parts) != 3 or not hmac.compare_digest(self._service.seal("ticket", *parts[:2]).encode(), parts[2].encode("utf-8", "replace")):
            return None
        return parts[0], parts[1]

    async def _is_enrolled(self, app: str) -> bool | None:
        """Whether a device has not been removed since it got its ticket; None: nobody can tell now."""
        told = await self._service.channel("GET", f"/v1/apps/{quote(app, safe='')}")
        return None if isinstance(told, Trouble) else bool(told["enrolled"])

    async def _holder(self, ticket: object) -> tuple[str, str] | None:
        """The same, of a device that has not been removed."""
        named = self._named(ticket)
        return named if named is not None and await self._is_enrolled(named[0]) else None

    async def _meant(self, body: Json) -> Walk | None:
        """The run that a call names, if it waits for the device that calls."""
        held = await self._holder(body.get("ticket"))
        return None if held is None else next((walk for walk in self._waiting(*held) if walk.name == body.get("walk")), None)


def _renewed(table: Table, name: str) -> Item | None:
    """What of the app an item registers anew."""
    found = table.items[table.items[name].renews or name]
    return found if table.items[name].renews and found.reach == "app" and found.kind in ANEW else None


def _registers(table: Table) -> dict[str, str]:
    """By what was erased of an app, or may be set in it: the operation that registers it anew, and as little else as there is one for."""
    whole: dict[str, str] = {}
    single: dict[str, str] = {}
    for name, operation in table.operations.items():
        for item in filter(None, (_renewed(table, item) for item in operation.rows if operation.subject == "app")):
            if item.kind == PASSCODE:
                keyed = [one.name for one in table.items.values() if one.reach == "app" and one.kind in ANEW - {PASSCODE, CODE}]
                whole = {PASSCODE: name, **dict.fromkeys(keyed, name)}
            else:
                single[item.name] = name
    return whole | single


def _waits(table: Table, sensor: Item) -> bool:
    """Whether a sensor that the device has locked opens again by itself after a while (A14). How long that is the device knows."""
    rows = [row for one in table.operations.values() for row in one.rows.get(sensor.name, ())]
    ways = [table.paths[way] for row in rows for way in row.undo if way in table.paths]
    return any(way.kind == "device" and way.takes_s for way in ways)


async def _read(request: Request) -> dict[str, Any] | None:
    """The object that was sent; None: it is none. No other site can send this type without asking first (CORS)."""
    try:
        told = json.loads(await read_body(request, "application/json", BODY_MAX))
    except (Unreadable, ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


__all__ = ["Telephone", "is_by_app", "words_of"]
