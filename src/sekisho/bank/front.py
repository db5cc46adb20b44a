"""The bank's own pages for its customers, `/bank`: whatever its policy lets them do, step by step, in a browser without scripts.

The pages know no rule. What may be entered now, what is told and where a code may go, the service says; the words for it are the
policy's. Every act is a form that ends in a redirect, and a form sent twice is one act.
"""

from __future__ import annotations

import hashlib
import secrets as chance
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
import segno
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sekisho.bank.guests import PLACES, Guest, Guests, Walk, keep
from sekisho.bank.holdings import JUDGED, SENT
from sekisho.bank.lines import lines
from sekisho.bank.passkeys import PASSKEY, CustomerPasskeys
from sekisho.bank.seeds import CUSTOMERS
from sekisho.bank.service import Json, Service, Trouble
from sekisho.bank.shown import Shown
from sekisho.bank.telephone import Telephone, is_by_app, words_of
from sekisho.catalogue import say
from sekisho.policy import Table
from sekisho.policy.table import Item, Operation
from sekisho.web import HEADERS, WITH_SCRIPT, Form, Unreadable, language_of_request, page, read_form

HOME, ACCOUNT, HELP, APPS, PASSKEYS = "/bank", "/bank/account", "/bank/help", "/bank/apps", "/bank/passkeys"
NEW = "new"
"""What a form says that is no run's yet: its first entry begins one."""

_DIGITS = frozenset({"code", "confirmation", "totp", "ocra", "pin", "passcode"})
_HIDDEN = frozenset({"password", "pin", "passcode", "knowledge"})
REFUSED = frozenset({"not-sent", "bounced", "suppressed"})
"""Where a message stands whose address has said no."""
PAYMENT = ("institution", "payee", "amount")
"""Parts of an entry that says to whom something goes."""

Act = Callable[[Guest, Form, str], Awaitable[str]]
"""Does what a form asks for; gives the address to look at next."""


def routes(
    base: str, keys: Mapping[str, Any], table: Table, *, transport: httpx.AsyncBaseTransport | None = None,
    clock: Callable[[], float] = time.time, passkeys_on: str = "",
) -> Sequence[BaseRoute]:
    """All pages.

    Args:
        base: the service's address.
        keys: as in the demonstration's `keys.json`.
        table: the bank's policy.
        transport: how to reach the service; None: over the network.
        clock: seconds since the epoch: which desk is open now.
        passkeys_on: from where passkeys can be used, as `https://bank.example`; empty: from nowhere.

    """
    return FrontPages(Service(base, keys, transport), table, clock, passkeys_on).routes()


class FrontPages:
    """The pages over one service."""

    def __init__(self, service: Service, table: Table, clock: Callable[[], float], passkeys_on: str = "") -> None:
        self._service = service
        self._table = table
        self._clock = clock
        self._guests = Guests()
        self._telephone = Telephone(service, table, self._guests)
        self._passkeys = CustomerPasskeys(service, table, passkeys_on)
        aside = {str(table.cases.get("verify")), *(name for name, one in table.operations.items() if self._is_judged(one))}
        self._offered = {name: one for name, one in table.operations.items() if name not in aside}

    def _is_judged(self, operation: Operation) -> bool:
        """Whether a step of it cannot be taken on these pages."""
        return any(all(self._is_judged_elsewhere(item) for item in step.items) for step in operation.steps)

    def _is_judged_elsewhere(self, name: str) -> bool:
        """Whether another device tells yes or no, and no browser does."""
        item = self._table.items[name]
        return not self._passkeys.page if self._passkeys.is_one(item) else item.kind in JUDGED

    def routes(self) -> list[BaseRoute]:
        """Address to page or act."""
        acts: dict[str, Act] = {
            "begin": self._begin, "enter": self._enter, "send": self._send, "logout": self._log_out, "stop": self._stop, "not-me": self._not_me,
            "number": self._number, "place": self._place, "use-app": self._use_app, "remove-app": self._remove_app,
            "name-passkey": self._name_passkey, "remove-passkey": self._remove_passkey,
        }
        return [
            Route(HOME, self._home), Route("/bank/go/{operation}", self._go), Route(HELP, self._help), Route(ACCOUNT, self._account),
            Route("/bank/stop", self._one_form("stop")), Route("/bank/not-me", self._one_form("not-me")),
            Route(APPS, self._apps), *self._telephone.routes(),
            Route(PASSKEYS, self._own_passkeys), Route("/bank/passkey-options", self._passkey_options, methods=["POST"]),
            *(Route(f"/bank/{name}", self._acting(act), methods=["POST"]) for name, act in acts.items()),
        ]

    def _acting(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        """A form's address: only forms that this bank's page gave to this guest do anything."""

        async def answer(request: Request) -> Response:
            try:
                form = await read_form(request)
            except Unreadable:
                return page(request, "bank_stale.html", 400, address=HOME)
            guest = self._guests.sent_by(request, form.get("token", ""))
            if guest is None:
                same = self._guests.renamed_by(request, form)
                return page(request, "bank_stale.html", 403, address=HOME) if same is None else keep(request, _to(ACCOUNT), same)
            to = await act(guest, form, language_of_request(request))
            return keep(request, RedirectResponse(to, 303, headers=HEADERS), guest)

        return answer

    # -- looking -------------------------------------------------------------------------------------------------------

    def _page(self, request: Request, template: str, guest: Guest, *, address: str, **facts: Any) -> Response:
        said, guest.said = guest.said, None
        language = language_of_request(request)
        return keep(request, page(
            request, template, address=address, token=guest.token, once=chance.token_urlsafe(12), guest=guest,
            said=said and (said[0], say(language, said[1])), shown=Shown(self._table, language), **facts,
        ), guest)

    def _guest(self, request: Request) -> Guest:
        return self._guests.known(request) or self._guests.begin()

    async def _home(self, request: Request) -> Response:
        """What can be done here, and for the visitor of the demonstration who there is to be."""
        open_to_all = [name for name, one in self._offered.items() if not one.session and one.subject == "customer"]
        people = [one.at(self._table) for one in CUSTOMERS if one.contract]
        return self._page(request, "bank_home.html", self._guest(request), address=HOME, offered=open_to_all, people=people, places=list(PLACES))

    async def _go(self, request: Request) -> Response:
        """Where an operation stands: what is asked for now, and what was said to the last entry."""
        name, guest = request.path_params["operation"], self._guest(request)
        operation = self._offered.get(name)
        if operation is None:
            return page(request, "bank_stale.html", 404, address=HOME)
        walk = guest.walks.get(name)
        if walk is None and operation.session:
            return keep(request, _to(ACCOUNT), guest)
        language = language_of_request(request)
        shown = Shown(self._table, language)
        if walk is not None and walk.state == "open":
            await self._look_again(walk, language)
        if walk is not None and walk.session is not None:
            # Opened on his telephone: this browser is in from now on.
            self._let_in(guest, walk, walk.session)
            return keep(request, _to(ACCOUNT), guest)
        live = walk if walk is not None and walk.state == "open" and walk.next else None
        if live is not None and any(self._table.items[item].kind in SENT for item, _ in live.next):
            await self._find_addresses(live, language)
        by_app = await self._devices(guest, operation, live) if live else []
        asked = [item for item, _ in live.next if not self._is_elsewhere(item, by_app)] if live else []
        if operation.session and any(self._table.items[item].kind == PASSKEY for item in asked) and not await self._passkeys.of(guest):
            asked = [item for item in asked if self._table.items[item].kind != PASSKEY]
        items = asked if live or operation.session else self._first(operation)
        facts: Json = {
            "operation": shown.operation(name), "name": name, "login": self._login, "walk": live.name if live else NEW,
            "entries": [self._entry(shown, operation, item, live) for item in items],
            "told": walk and walk.told and (walk.told[0], walk.words(language)), "done": walk is not None and walk.state == "done",
            "balance": self._balance(guest, walk), "course": await self._courses(live, language) if live and live.sent else [],
            "held": [shown.operation(one) for one in self._held(operation)] if walk is not None and walk.state == "done" else [],
            "devices": by_app, "article": walk.article if walk is not None and walk.told else "",
            "after_desk": self._registers_after_desk(operation),
        }
        by_browser = any(entry["passkey"] for entry in facts["entries"])
        return self._page(
            request, "bank_step.html", guest, address=f"/bank/go/{name}", headers=WITH_SCRIPT if by_browser else HEADERS,
            passkeys_on=f"{self._passkeys.page}{HOME}" if by_browser and self._passkeys.is_elsewhere(request) else "", **facts,
        )

    async def _devices(self, guest: Guest, operation: Operation, walk: Walk) -> list[str]:
        """On which of his telephones he may enter what is asked for now, by their names; nobody is told which a stranger has."""
        if not any(is_by_app(found := self._table.items[item]) or found.kind == "ocra" for item, _ in walk.next):
            return []
        if not operation.session:
            return [""] if walk.who else []
        return [one["name"] for one in await self._apps_of(guest) if walk.app in {None, one["app"]}]

    def _is_elsewhere(self, item: str, devices: list[str]) -> bool:
        """Whether it is entered on a telephone and not here."""
        return self._is_judged_elsewhere(item) or (bool(devices) and is_by_app(self._table.items[item]))

    async def _look_again(self, walk: Walk, language: str) -> None:
        """It may have gone on in another window, or its time may be up."""
        told = await self._service.channel("GET", f"/v1/procedures/{walk.procedure}", language=language)
        if isinstance(told, Trouble):
            if told.kind != "not-found":
                return
            told = {"state": "ended", "next": [], "code": "start-over", "message": ""}
        walk.stands(told)
        if walk.state == "ended" and (walk.told is None or walk.told[0] == "right"):
            walk.says(told)

    def _first(self, operation: Operation) -> list[str]:
        return [item for item in operation.steps[0].items if self._table.items[item].kind not in JUDGED]

    def _entry(self, shown: Shown, operation: Operation, name: str, walk: Walk | None) -> Json:
        """One thing to be entered; who he is and his password stand on one page."""
        then = self._then(operation, name)
        in_app, by_passkey = (then is not None and self._may_go_on(operation, how) for how in (is_by_app, self._is_passkey_here))
        item = self._table.items[name]
        return {
            "item": name, "text": shown.item(name), "in_app": in_app, "by_passkey": by_passkey,
            "passkey": ("make" if item.renews else "use") if self._passkeys.is_one(item) else "", "parts": self._parts(item),
            "fields": [*self._fields(shown, name, ""), *(self._fields(shown, then, "then.", needed=not (in_app or by_passkey)) if then else [])],
            "to": [one for one in walk.addresses if one["item"] == name] if walk else [], "sent": bool(walk and walk.sent),
            "confirms": item.confirms,
        }

    def _then(self, operation: Operation, name: str) -> str | None:
        """What is asked for right after a number that says who somebody is."""
        steps = operation.steps
        if self._table.items[name].kind != "identifier" or steps[0].items != (name,) or len(steps) == 1:
            return None
        after = [item for item in steps[1].items if self._table.items[item].kind not in JUDGED]
        return after[0] if len(after) == 1 and not steps[1].when else None

    def _may_go_on(self, operation: Operation, how: Callable[[Item], bool]) -> bool:
        """Whether something else may be entered where the password is asked for."""
        return any(how(self._table.items[item]) for item in operation.steps[1].items)

    def _is_passkey_here(self, item: Item) -> bool:
        return item.kind == PASSKEY and bool(self._passkeys.page)

    def _goes_on_without_password(self, item: Item) -> bool:
        return is_by_app(item) or self._is_passkey_here(item)

    def _fields(self, shown: Shown, name: str, prefix: str, *, needed: bool = True) -> list[Json]:
        item = self._table.items[name]
        kind = "password" if item.kind in _HIDDEN or item.renews else "text"
        parts = self._parts(item)
        if not parts:
            once = item.kind in SENT | {"totp", "ocra"}
            return [_field(f"{prefix}proof", shown.item(name), kind, digits=item.kind in _DIGITS, once=once, needed=needed)]
        return [
            _field(f"{prefix}proof.{part}", self._part(shown, item, part), kind, needed=item.registers is None or part == "1") for part in parts
        ]

    def _parts(self, item: Item) -> list[str]:
        """The named parts an entry is made of."""
        if self._passkeys.is_one(item):
            return list(self._passkeys.parts(item))
        if item.registers is not None:
            return [str(n + 1) for n in range(int(self._table.mail["addresses"]))]
        return list(PAYMENT) if self._pays(item) else [part for part, _ in item.parts]

    def _pays(self, item: Item) -> bool:
        risk = self._table.risk
        return risk is not None and any(signal.item == item.name for signal in risk.signals)

    def _part(self, shown: Shown, item: Item, part: str) -> str:
        if item.registers is not None:
            return shown.say("bank.address-n", n=part)
        return shown.say(f"bank.{part}") if self._pays(item) else shown.item(part)

    def _registers_after_desk(self, operation: Operation) -> bool:
        """Whether it takes new addresses, and not of everybody: only once the desk has deleted those on file (M-RESET-3)."""
        return any(step.when and self._table.items[item].registers is not None for step in operation.steps for item in step.items)

    def _held(self, operation: Operation) -> Sequence[str]:
        """What is held back for a while once this is done."""
        path = self._table.paths.get(operation.path or "")
        return path.holds.operations if path is not None and path.holds is not None else ()

    def _balance(self, guest: Guest, walk: Walk | None) -> str | None:
        """What only somebody sees who has come to the end of what the bank asks for it."""
        if walk is None or walk.state != "done" or walk.operation != "balance":
            return None
        return next((f"{int(one.last_balance):,}" for one in CUSTOMERS if one.number == guest.number), None)

    async def _courses(self, walk: Walk, language: str) -> list[Json]:
        """What is known of the messages of a run, newest first."""
        told = await self._service.channel("GET", f"/v1/procedures/{walk.procedure}/deliveries", language=language)
        return [] if isinstance(told, Trouble) else told["deliveries"]

    async def _find_addresses(self, walk: Walk, language: str) -> None:
        told = await self._service.channel("GET", f"/v1/procedures/{walk.procedure}/addresses", language=language)
        if isinstance(told, Trouble):
            return
        walk.addresses = told["addresses"]
        if told["code"].startswith("no-address"):
            walk.told = ("refused", told["code"], told["message"])

    async def _help(self, request: Request) -> Response:
        """The mail does not arrive: what is known of this very message, what fits that, another address, and who answers the telephone now."""
        guest, language = self._guest(request), language_of_request(request)
        name = request.query_params.get("at", "")
        walk = guest.walks.get(name)
        live = walk if walk is not None and walk.state == "open" else None
        course = await self._courses(live, language) if live else []
        if live is not None:
            await self._find_addresses(live, language)
        newest = course[0] if course else None
        others = _others(course, live.addresses) if live else []
        return self._page(
            request, "bank_help.html", guest, address=f"{HELP}?at={name}" if live else HELP, name=name if live else "", walk=live and live.name,
            course=course, newest=newest, others=others, remedies=_remedies(course), general=self._table.mail["remedies"],
            lines=lines(self._table, self._clock(), language), writing=self._table.cases.get("in_writing"), time=self._time,
        )

    def _time(self, at: str | None) -> str:
        return datetime.fromisoformat(at).astimezone(ZoneInfo(self._table.zone)).strftime("%H:%M:%S") if at else ""

    def _day(self, at: str) -> str:
        return datetime.fromisoformat(at).astimezone(ZoneInfo(self._table.zone)).date().isoformat()

    async def _account(self, request: Request) -> Response:
        """Inside: what can be done, what to see to, and what the desk waits for."""
        guest = self._guest(request)
        language = language_of_request(request)
        told = await self._service.channel("GET", f"/v1/sessions/{guest.session}", language=language) if guest.session else Trouble("no-session")
        if isinstance(told, Trouble) or not told["live"]:
            if guest.session is not None:
                guest.session, guest.said = None, ("trouble", "bank.session-over")
                self._forget_inside(guest)
            return keep(request, _to("/bank/go/" + self._login), guest)
        waits = await self._service.channel("GET", f"/v1/sessions/{guest.session}/approvals", language=language)
        code = await self._service.channel("GET", f"/v1/sessions/{guest.session}/release-code", language=language)
        return self._page(
            request, "bank_account.html", guest, address=ACCOUNT, advice=told.get("advice", []),
            inside=[name for name, one in self._offered.items() if one.session],
            waits=not isinstance(waits, Trouble) and waits["waits"], code=None if isinstance(code, Trouble) else code["code"],
            person=next((one for one in CUSTOMERS if one.number == guest.number), None),
            with_app=any(is_by_app(item) for item in self._table.items.values()), with_passkeys=self._passkeys.registers is not None,
        )

    # -- his telephones ------------------------------------------------------------------------------------------------

    async def _apps_of(self, guest: Guest) -> list[Json]:
        """The devices on which he has the app, the oldest first."""
        told = await self._service.channel("GET", f"/v1/sessions/{guest.session}/apps") if guest.session else Trouble("no-session")
        return [] if isinstance(told, Trouble) else told["apps"]

    async def _app_for(self, guest: Guest, operation: Operation) -> str | None:
        """The device that a run is about: the one he has chosen, else his newest."""
        if not operation.session or not any(is_by_app(self._table.items[item]) for item in operation.rows):
            return None
        found = [one["app"] for one in await self._apps_of(guest)]
        return guest.app if guest.app in found else found[-1] if found else None

    async def _apps(self, request: Request) -> Response:
        """His devices with the app; how another is added, and a lost one removed."""
        guest = self._guest(request)
        if guest.session is None:
            return keep(request, _to(ACCOUNT), guest)
        code, guest.app_code = guest.app_code, None
        found = await self._apps_of(guest)
        used = guest.app if any(one["app"] == guest.app for one in found) else found[-1]["app"] if found else None
        qr = segno.make(code, error="m", micro=False).svg_inline(scale=4) if code else ""
        return self._page(request, "bank_apps.html", guest, address=APPS, apps=found, used=used, code=code, qr=qr, adds=self._adds_device)

    async def _show_app_code(self, guest: Guest, form: Form, language: str) -> str:
        """He has agreed to another device: the code for it is shown once."""
        told = await self._service.channel(
            "POST", f"/v1/sessions/{guest.session}/app-codes", language=language, once=_once(form, "app")) if guest.session else Trouble("no-session")
        if not isinstance(told, Trouble):
            guest.app_code = told["code"]
        elif guest.app_code is None:
            # Else he has clicked twice: the code is there already.
            guest.said = ("trouble", f"problem.{told.kind}")
        return APPS

    async def _use_app(self, guest: Guest, form: Form, _language: str) -> str:
        """On which of several he approves from now on."""
        guest.app = form.get("app")
        return APPS

    async def _remove_app(self, guest: Guest, form: Form, language: str) -> str:
        """Lost, sold, or no longer wanted."""
        app = quote(form.get("app", ""), safe="")
        told = await self._service.channel(
            "DELETE", f"/v1/sessions/{guest.session}/apps/{app}", language=language) if guest.session else Trouble("no-session")
        guest.said = ("trouble", f"problem.{told.kind}") if isinstance(told, Trouble) else ("right", "bank.app-removed")
        return APPS

    # -- his passkeys --------------------------------------------------------------------------------------------------

    async def _own_passkeys(self, request: Request) -> Response:
        """His passkeys by their names; how another is made, and one removed."""
        guest = self._guest(request)
        if guest.session is None or self._passkeys.registers is None:
            return keep(request, _to(ACCOUNT), guest)
        return self._page(
            request, "bank_passkeys.html", guest, address=PASSKEYS, passkeys=await self._passkeys.of(guest), registers=self._passkeys.registers,
            day=self._day,
        )

    async def _passkey_options(self, request: Request) -> Response:
        """What the script of a page hands to the browser, for a form that this bank's page gave to this guest."""
        try:
            form = await read_form(request)
        except Unreadable:
            form = {}
        guest = self._guests.sent_by(request, form.get("token", ""))
        told = Trouble("not-found") if guest is None else await self._passkeys.asked(guest, form, language_of_request(request))
        return JSONResponse({"kind": told.kind}, 400, headers=HEADERS) if isinstance(told, Trouble) else JSONResponse(told, headers=HEADERS)

    async def _name_passkey(self, guest: Guest, form: Form, language: str) -> str:
        await self._passkeys.name(guest, form, language)
        return PASSKEYS

    async def _remove_passkey(self, guest: Guest, form: Form, language: str) -> str:
        await self._passkeys.remove(guest, form, language)
        return PASSKEYS

    @property
    def _adds_device(self) -> str | None:
        """The operation in which he agrees to another device."""
        return next((name for name, one in self._offered.items() if one.adds_device), None)

    @property
    def _login(self) -> str:
        return next(name for name, one in self._offered.items() if one.gives_session)

    def _one_form(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def look(request: Request) -> Response:
            return self._page(request, "bank_form.html", self._guest(request), address=f"/bank/{name}", name=name)

        return look

    # -- acts ----------------------------------------------------------------------------------------------------------

    async def _begin(self, guest: Guest, form: Form, language: str) -> str:
        operation = self._offered.get(form.get("operation", ""))
        if operation is None:
            return HOME
        guest.walks.pop(operation.name, None)
        if operation.session:
            await self._start(guest, operation, form, language)
        return _at(operation.name) if not operation.session or operation.name in guest.walks else ACCOUNT

    async def _start(self, guest: Guest, operation: Operation, form: Form, language: str) -> Walk | None:
        """Begin a run; the same form sent twice begins one."""
        body: Json = {"operation": operation.name, "context": guest.context, **({"session": guest.session} if operation.session else {})}
        app = await self._app_for(guest, operation)
        if app is not None:
            body["about"] = app
        told = await self._service.channel("POST", "/v1/procedures", body, language=language, once=_once(form, "begin"))
        if isinstance(told, Trouble):
            guest.said = ("trouble", f"problem.{told.kind}")
            return None
        walk = guest.walks.get(operation.name)
        if walk is None or walk.procedure != told["procedure"]:
            walk = guest.walks[operation.name] = Walk(told["procedure"], operation.name, told["state"], [])
            walk.stands(told)
            walk.app = app
        return walk

    async def _enter(self, guest: Guest, form: Form, language: str) -> str:
        operation = self._offered.get(form.get("operation", ""))
        item = self._table.items.get(form.get("item", ""))
        if operation is None or item is None:
            return HOME
        walk = guest.walks.get(operation.name)
        if form.get("walk") == NEW and (walk is None or walk.state != "open" or walk.name != form.get("walk")):
            if operation.session:
                return ACCOUNT
            walk = await self._start(guest, operation, form, language)
        elif walk is None or walk.name != form.get("walk"):
            # Another tab has gone on, or this page is from before: nothing is entered, and he sees how it stands.
            guest.said = ("trouble", "bank.gone-on")
            return _at(operation.name)
        if walk is not None:
            await self._pass_on(guest, walk, operation, item, form, language)
        return await self._after(guest, walk, operation, form, language)

    async def _after(self, guest: Guest, walk: Walk | None, operation: Operation, form: Form, language: str) -> str:
        """Where an entry leads."""
        if walk is None or walk.state != "done":
            return _at(operation.name)
        if operation.adds_device:
            guest.walks.pop(operation.name, None)
            return await self._show_app_code(guest, form, language)
        if operation.name == self._passkeys.registers:
            guest.walks.pop(operation.name, None)
            guest.said = ("right", "bank.passkey-added")
            return PASSKEYS
        return ACCOUNT if guest.session is not None and operation.gives_session else _at(operation.name)

    async def _pass_on(self, guest: Guest, walk: Walk, operation: Operation, item: Item, form: Form, language: str) -> None:
        """One entry, and the one that stands beside it on the page."""
        told = await self._one(walk, item, self._proof(item, form, "", walk), _once(form, "enter"), language)
        then = self._then(operation, item.name)
        if told is not None and told["outcome"] == "right" and then is not None:
            if item.kind == "identifier":
                walk.who = form.get("proof", "").strip()
            if not form.get("then.proof") and self._may_go_on(operation, self._goes_on_without_password):
                return
            after = self._table.items[then]
            told = await self._one(walk, after, self._proof(after, form, "then.", walk), _once(form, "then"), language)
        if told is None:
            guest.said = ("trouble", "problem.incomplete")
        elif told.get("session") and guest.session != told["session"]:
            self._let_in(guest, walk, told["session"], form)

    async def _one(self, walk: Walk, item: Item, proof: str | dict[str, str], once: str, language: str) -> Json | None:
        body = {"item": item.name, "proof": proof}
        told = await self._service.channel("POST", f"/v1/procedures/{walk.procedure}/attempts", body, language=language, once=once)
        if isinstance(told, Trouble):
            return None
        walk.stands(told)
        walk.says(told)
        if told["outcome"] == "right":
            walk.sent = False
            if item.kind == "data" and item.renews is None:
                walk.entered[item.name] = words_of(proof)
        return told

    def _proof(self, item: Item, form: Form, prefix: str, walk: Walk) -> str | dict[str, str]:
        parts = self._parts(item)
        if item.kind == "ocra":
            return {"response": form.get(f"{prefix}proof", "").strip(), **{f"shown.{name}": text for name, text in walk.entered.items()}}
        if not parts:
            return form.get(f"{prefix}proof", "").strip()
        said = {part: form.get(f"{prefix}proof.{part}", "").strip() for part in parts}
        return {part: text for part, text in said.items() if text} if item.registers is not None or self._passkeys.is_one(item) else said

    def _let_in(self, guest: Guest, walk: Walk, session: str, form: Form | None = None) -> None:
        """He is in: under another name from now on."""
        self._forget_inside(guest)
        guest.walks.pop(walk.operation, None)
        guest.session, guest.number = session, walk.who
        self._guests.rename(guest, form)

    def _forget_inside(self, guest: Guest) -> None:
        guest.walks = {name: walk for name, walk in guest.walks.items() if not self._offered[name].session}

    async def _send(self, guest: Guest, form: Form, language: str) -> str:
        walk = guest.walks.get(form.get("operation", ""))
        if walk is None or walk.name != form.get("walk") or not walk.asks_for(form.get("item", "")):
            guest.said = ("trouble", "bank.gone-on")
            return _at(walk.operation) if walk else HOME
        body = {"item": form["item"], **({"address": form["address"]} if form.get("address") else {})}
        told = await self._service.channel(
            "POST", f"/v1/procedures/{walk.procedure}/challenges", body, language=language, once=_once(form, "send"))
        if isinstance(told, Trouble):
            guest.said = ("trouble", f"problem.{told.kind}")
        elif "challenge" in told:
            walk.sent, walk.told = True, None
        else:
            walk.stands(told)
            walk.says(told)
        return _at(walk.operation)

    async def _log_out(self, guest: Guest, _form: Form, _language: str) -> str:
        if guest.session is not None:
            await self._service.channel("DELETE", f"/v1/sessions/{guest.session}")
        guest.session, guest.walks, guest.number = None, {}, ""
        self._guests.rename(guest)
        guest.said = ("right", "bank.logged-out")
        return HOME

    async def _stop(self, guest: Guest, form: Form, language: str) -> str:
        """The emergency stop asks less than anything else: out of his session, or for a number that anybody may name."""
        number = guest.number if guest.session else form.get("number", "").strip()
        body: Json = {"subject": f"customer:{number}", "context": guest.context, **({"session": guest.session} if guest.session else {})}
        told = await self._service.channel("POST", "/v1/stops", body, language=language)
        if isinstance(told, Trouble):
            guest.said = ("trouble", "problem.incomplete")
        else:
            guest.said = ("right" if told["outcome"] == "stopped" else "refused", f"answer.{told['code']}")
        return "/bank/stop"

    async def _not_me(self, guest: Guest, form: Form, language: str) -> str:
        """The number out of a notice: what is under way is undone, and everything stopped."""
        body = {"subject": f"customer:{form.get('number', '').strip()}", "code": form.get("proof", "").strip()}
        told = await self._service.channel("POST", "/v1/disavowals", body, language=language)
        if isinstance(told, Trouble):
            guest.said = ("trouble", "problem.incomplete")
        else:
            guest.said = ("right" if told["outcome"] == "stopped" else "refused", f"answer.{told['code']}")
        return "/bank/not-me"

    async def _number(self, guest: Guest, form: Form, language: str) -> str:
        """The number that an operator has just read to him."""
        told = await self._service.channel(
            "POST", f"/v1/sessions/{guest.session}/approvals", {"number": form.get("number", "").strip()}, language=language,
            once=_once(form, "number")) if guest.session else Trouble("no-session")
        right = not isinstance(told, Trouble) and told["outcome"] == "right"
        guest.said = ("right", "bank.number-right") if right else ("wrong", "bank.number-wrong")
        return ACCOUNT

    async def _place(self, guest: Guest, form: Form, _language: str) -> str:
        """Where the visitor of the demonstration sits. What he was doing he was doing there."""
        if form.get("place") in PLACES and guest.session is None:
            guest.place, guest.walks = form["place"], {}
        return HOME


def _field(name: str, text: str, kind: str, *, digits: bool = False, once: bool = False, needed: bool = True) -> Json:
    return {"name": name, "text": text, "kind": kind, "digits": digits, "once": once, "needed": needed}


def _others(course: Sequence[Json], addresses: Sequence[Json]) -> list[Json]:
    """Where the code may go instead, once that is the next step: one that has refused it in this run only where there is no other."""
    if not course or not course[0]["another"]:
        return []
    rest = [one for one in addresses if one["address"] != course[0]["address"]]
    refused = {one["address"] for one in course if one["code"] in REFUSED}
    return [one for one in rest if one["address"] not in refused] or rest


def _remedies(course: Sequence[Json]) -> list[Json]:
    """What fits what is known of any of the messages, each once."""
    return list({one["name"]: one for message in course for one in message["remedies"]}.values())


def _once(form: Form, what: str) -> str:
    """The form's own name; a form without one is each time another."""
    return hashlib.sha256(f"{what} {form.get('token')} {form.get('once') or chance.token_urlsafe(12)}".encode("utf-8", "replace")).hexdigest()


def _at(operation: str) -> str:
    return f"/bank/go/{operation}"


def _to(path: str) -> Response:
    return RedirectResponse(path, 303, headers=HEADERS)


__all__ = ["FrontPages", "routes"]
