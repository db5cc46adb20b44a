"""Every page beside an empty one: customers', desk's, manual's, over many customers with cases and locks, one of whom has been through a lot."""

import asyncio
import contextlib
import re
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import httpx
import msgspec
import uvloop
from starlette.routing import Route

from bench.node import AT_ONCE, DISK
from bench.report import Figure, Found
from sekisho import serving
from sekisho.api.routes import operations
from sekisho.api.server import application
from sekisho.app import Inbox, Keyring, Settings, build, relay_of
from sekisho.bank import front, seeds
from sekisho.bank import pages as bank_pages
from sekisho.bank.inbox import InboxPages
from sekisho.bank.sink import Sink
from sekisho.flows.desk import Enrolment, ItemSetting, Operator
from sekisho.policy import compile_policy, load, reference
from sekisho.serving import _calm_collector
from sekisho.terms import Role, Way
from sekisho.web.desk import DeskPages

BASE = "http://127.0.0.1:8080"
P95_MS, KB = 100, 60
LOOKS = 40
EMPTY = "empty page"
STAFF = {
    "aoki": Role.FIRST_LINE, "baba": Role.FIRST_LINE, "chiba": Role.SECOND_LINE, "endo": Role.BACK_OFFICE, "ito": Role.ADMIN,
}
CASES, CODES, WRONG = 20, 5, 9
"""Of the customer who has been through a lot: cases, codes sent to him, wrong passwords."""

EACH_LOCKED, CASES_OPEN = 3, 200
"""Of all customers: each so many has a lock; so many have a case that is open."""

MANUAL = ["/manual", "/manual/ja", "/manual/operation/login", "/desk/manual", "/desk/manual/ja", "/desk/manual/ja/search?q=ログイン"]
STEPS = ["/bank/go/login", "/bank/go/reset-password", "/bank/help?at=login"]
"""Pages that show one thing of many: the customers' with a code on its way."""


def measure(size, steps):
    with tempfile.TemporaryDirectory(dir=DISK) as folder:
        samples, kilobytes = uvloop.run(_measure(Path(folder), size, steps))
    empty = median(one["processor_s"] for one in samples[EMPTY])
    figures = [figure for address in samples for figure in _figures(address, samples[address], kilobytes[address], empty)]
    return Found(figures, {"pages": samples}, {"load": "one request after the other, in one process"})


def _figures(address, looks, kilobytes, empty):
    """The distance is in processor time: what others do on the machine is in the times of both, but not in the same measure."""
    return [
        Figure(f"{address}: p95", quantiles([one["took_s"] for one in looks], n=20)[-1] * 1000, "ms", must=P95_MS, at_most=True),
        Figure(f"{address}: size", kilobytes, "KB", must=KB, at_most=True),
        *([Figure(f"{address}: over an empty page", median(one["processor_s"] for one in looks) / empty, "×")] if address != EMPTY else []),
    ]


async def _measure(folder, size, steps):
    async with _bank(folder) as bank:
        busy = await bank.fill(size.subjects, steps)
        _calm_collector()
        addresses = {EMPTY: "/desk", **bank.addresses(busy)}
        samples, kilobytes, looks = {}, {}, min(LOOKS, size.subjects // 50) * size.rounds
        for name in steps.over("pages", list(addresses)):
            asked = bank.stranger if name == EMPTY else bank.operator
            answers = [await _look(asked, addresses[name]) for _ in range(size.warming + looks)][size.warming:]
            samples[name] = [{"took_s": took, "processor_s": worked} for took, worked, _ in answers]
            kilobytes[name] = max(length for *_, length in answers) / 1024
        return samples, kilobytes


async def _look(client, address):
    began, worked = time.perf_counter(), time.process_time()
    answer = await client.get(address)
    took = time.perf_counter() - began, time.process_time() - worked
    assert answer.status_code < 500, (address, answer.status_code)
    return (*took, len(answer.content))


@contextlib.asynccontextmanager
async def _bank(folder):
    """The demonstration's bank in this process: pages call the service without a socket between them."""
    policy = reference("major-bank")
    table = compile_policy(load(policy))
    ring = Keyring.make(folder / "keys.json")
    keys = {name: ring.new(role, name) for name, role in STAFF.items()}
    told = {"channel": ring.new(Role.CHANNEL, "bank"), "operators": {name: {"role": role.value, "key": keys[name]} for name, role in STAFF.items()}}
    mail = serving.bind("127.0.0.1:0")
    relay = relay_of(f"smtp://127.0.0.1:{mail.getsockname()[1]}", "Bank <codes@bank.example>", "codes@bounce.bank.example")
    settings = Settings(f"sqlite:///{folder / 'sekisho.db'}", ring.path, policy, hold=False, demo=True, relay=relay)
    sink, telephone, letters = Sink(), Inbox(), Inbox()
    app = await build(settings, {Way.TELEPHONE: telephone, Way.LETTER: letters})
    asgi = []

    async def inside(scope, receive, send):
        await asgi[0](scope, receive, send)

    boxes = {"mail": sink, "telephone": telephone, "letter": letters}
    pages = [
        *bank_pages.routes(BASE, told, boxes, table, transport=httpx.ASGITransport(inside)),
        *front.routes(BASE, told, table, transport=httpx.ASGITransport(inside)), *InboxPages(sink, boxes).routes(),
    ]
    asgi.append(application(app, pages=pages))
    async with app.running():
        await sink.start(mail)
        yield _Bank(app, asgi[0], [*DeskPages(app, operations(app)).routes(), *pages], keys, told["channel"], table)
        await sink.stop()


class _Bank:
    def __init__(self, app, asgi, pages, keys, channel, table):
        self.app, self._pages, self._keys, self._channel, self._table = app, pages, keys, channel, table
        self._asgi = asgi
        self.stranger, self.operator = self._client(), self._client()

    def _client(self):
        return httpx.AsyncClient(transport=httpx.ASGITransport(self._asgi), base_url=BASE, timeout=60, headers={"accept-language": "ja"})

    async def fill(self, subjects, steps):
        """Enrol so many, and lead one of them through a lot; his subject and one of his cases."""
        admin = Operator("ito", Role.ADMIN)
        numbers = range(1, subjects + 1)
        for first in steps.over(f"{subjects:,} customers", range(0, subjects, AT_ONCE)):
            await asyncio.gather(*(self._enrol(n, admin) for n in numbers[first:first + AT_ONCE]))
        aoki = Operator("aoki", Role.FIRST_LINE)
        await asyncio.gather(*(self.app.cases.open(f"customer:{n:010d}", "no code by mail arrives", "telephone", aoki) for n in numbers[:CASES_OPEN]))
        await seeds.enrol(self.stranger, self._keys["ito"], self._table)
        await self.operator.post("/desk/sign-in", data={"key": self._keys["aoki"]})
        busy = await self._lead()
        await self._sit_inside()
        return busy

    async def _sit_inside(self):
        """A customer in his session, and in another login that waits for its code."""
        inside, asked = seeds.CUSTOMERS[1:3]
        await self._enter("login", {"proof": inside.number, "then.proof": inside.password})
        await self._ask("PUT", f"/v1/staff/subjects/{asked.subject}", "ito", {
            "links": {"account": asked.account_subject}, "flags": ["identity-demanded"],
            "addresses": [{"kind": "mail", "to": to, "state": "confirmed"} for to in asked.mails],
        })
        await self._enter("login", {"proof": asked.number, "then.proof": asked.password})
        await self._form("/bank/go/login", "send", {})
        assert "/bank/help" in (await self.operator.get("/bank/go/login")).text, "a code is on its way"
        assert (await self.operator.get("/bank/account")).status_code == 200, "he is inside"

    async def _enter(self, operation, typed):
        await self._form(f"/bank/go/{operation}", "enter", typed)

    async def _form(self, address, act, typed):
        """Fill in the first form for an act on a page."""
        page = (await self.operator.get(address)).text
        inner = re.search(rf'<form[^>]* action="/bank/{act}"[^>]*>(.*?)</form>', page, re.DOTALL)
        hidden = dict(re.findall(r'type="hidden" name="([\w.-]+)" value="([^"]*)"', inner[1]))
        answer = await self.operator.post(f"/bank/{act}", data={**hidden, **typed})
        assert answer.status_code == 303, answer.status_code

    async def _enrol(self, n, admin):
        customer, account = f"customer:{n:010d}", f"account:9{n:04d}-{n:07d}1"
        mails = [{"kind": "mail", "to": f"c{n}.{m}@example.com", "state": "confirmed", "since": "2024-01-01T00:00:00Z"} for m in range(3)]
        telephone = [{"kind": "telephone", "to": f"090-{n:08d}", "state": "confirmed", "since": "2024-01-01T00:00:00Z"}]
        for subject, links, addresses in ((customer, {"account": account}, mails), (account, {"customer": customer}, telephone)):
            body = msgspec.convert({"links": links, "addresses": addresses}, Enrolment)
            await self.app.desk.enrol(self._table, subject, body, admin)
        if n % EACH_LOCKED == 0:
            stands = ItemSetting(counts={"login-password-in-a-row": WRONG + 1})
            await self.app.desk.set_item(self._table, customer, "login-password", stands, admin)

    async def _lead(self):
        """Wrong entries, codes that nobody answers, a lock, many cases with all their notes."""
        subject = seeds.CUSTOMERS[0].subject
        counts = {"login-password-in-a-row": WRONG, "token-in-a-row": 2, "reset-by-customer": 3}
        for item, setting in (("login-password", ItemSetting(counts=counts)), ("risk-code", ItemSetting())):
            await self.app.desk.set_item(self._table, subject, item, setting, Operator("ito", Role.ADMIN))
        await self._ask("PUT", f"/v1/staff/subjects/{subject}", "ito", {
            "links": {"account": seeds.CUSTOMERS[0].account_subject}, "flags": ["identity-demanded"],
            "addresses": [{"kind": "mail", "to": to, "state": "confirmed"} for to in seeds.CUSTOMERS[0].mails],
        })
        run = (await self._ask("POST", "/v1/procedures", None, {"operation": "login", "subject": subject}))["procedure"]
        await self._ask("POST", f"/v1/procedures/{run}/attempts", None, {"item": "login-password", "proof": seeds.CUSTOMERS[0].password})
        for _ in range(CODES):
            await self._ask("POST", f"/v1/procedures/{run}/challenges", None, {"item": "risk-code"})
        await self.app.outbox.deliver()
        case = [await self._case(subject) for _ in range(CASES)][-1]
        await self._ask("POST", f"/v1/staff/subjects/{subject}/stops", "aoki", {"reason": "he telephoned", "known_by": "number-on-file"})
        return subject, case

    async def _case(self, subject):
        body = {"subject": subject, "matter": "no code by mail arrives " * 4, "how": "telephone"}
        case = (await self._ask("POST", "/v1/staff/cases", "aoki", body))["case"]
        for n in range(10):
            await self._ask("POST", f"/v1/staff/cases/{case}/notes", "baba", {"what": "remark", "text": f"the caller said so {n} " * 5})
        return case

    async def _ask(self, method, path, operator, body):
        key = self._channel if operator is None else self._keys[operator]
        answer = await self.stranger.request(method, path, json=body, headers={"authorization": f"Bearer {key}"})
        assert answer.is_success, answer.text
        return answer.json()

    def addresses(self, busy):
        """Every page there is, by its address; those that show one thing are asked for what has most to show."""
        subject, case = busy
        asked = {"/desk/customer": f"?number={subject}", "/desk/case": f"?id={case}"}
        found = [route.path for route in self._pages if isinstance(route, Route) and "GET" in (route.methods or ())]
        plain = [path for path in dict.fromkeys(found) if not path.startswith("/assets/") and "{" not in path]
        return {path: path + asked.get(path, "") for path in plain} | {path: path for path in [*STEPS, *MANUAL]}


__all__ = ["measure"]
