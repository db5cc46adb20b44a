"""The demonstration's pages, visited in this process: one person, forms as the page made them, time that the test moves."""

import asyncio
from html.parser import HTMLParser

import httpx

from sekisho.adapters.channels import Inbox
from sekisho.adapters.keyring import Keyring
from sekisho.adapters.memory import MemoryStore
from sekisho.api.server import application
from sekisho.app import App, Settings
from sekisho.bank import pages, seeds
from sekisho.core.state import SECOND
from sekisho.flows.policies import first_policy, load_tables
from sekisho.policy import compile_policy, load, reference
from sekisho.terms import Role, Way

HOST = "http://127.0.0.1:8080"
WEDNESDAY_NOON = 1_774_407_600
"""2026-03-25 12:00 in Tokyo: every desk is open."""

OPERATORS = {
    "aoki": Role.FIRST_LINE, "chiba": Role.SECOND_LINE, "endo": Role.BACK_OFFICE, "fujii": Role.BACK_OFFICE, "ito": Role.ADMIN,
}


class Demonstration:
    """Service, customers and pages, on one clock. `policy`: another file than the reference policy's."""

    def __init__(self, folder, policy=None):
        self.policy = policy or reference("postal-bank")
        self.now_us = WEDNESDAY_NOON * SECOND
        self.runner = asyncio.Runner()
        ring = Keyring.make(folder / "keys.json")
        operators = {name: {"role": role.value, "key": ring.new(role, name)} for name, role in OPERATORS.items()}
        self.keys = {"channel": ring.new(Role.CHANNEL, "bank"), "operators": operators}
        self.asgi = None
        self.down = False
        self.transport = httpx.ASGITransport(self._service)
        self.boxes = {way: Inbox() for way in Way}
        app = self.app = self.do(self._build(folder, ring))
        self.table = compile_policy(load(self.policy))
        routes = pages.routes(HOST, self.keys, self.boxes, self.table, transport=self.transport, clock=lambda: self.now_us / SECOND)
        self.asgi = application(app, pages=routes)
        self._running = app.running()
        self.do(self._running.__aenter__())
        self.do(self._enrol())

    async def _service(self, scope, receive, send):
        """What the bank's own calls reach; `down`: nothing."""
        if self.down:
            raise httpx.ConnectError("refused")
        await self.asgi(scope, receive, send)

    async def _build(self, folder, ring):
        store = MemoryStore(self.clock)
        table = await first_policy(store, self.policy.read_bytes(), self.policy.name)
        settings = Settings("memory:", folder / "keys.json", hold=False, demo=True)
        made = App(settings, store, ring, {table.version: table}, await load_tables(store, {table.version: table}), self.boxes)
        made.watch.own = lambda: self.now_us / SECOND
        return made

    async def _enrol(self):
        async with httpx.AsyncClient(transport=self.transport, base_url=HOST) as client:
            await seeds.enrol(client, self.keys["operators"]["ito"]["key"], self.table)

    def clock(self):
        self.now_us += 1
        return self.now_us

    def passes(self, seconds):
        self.now_us += int(seconds * SECOND)

    def do(self, coroutine):
        return self.runner.run(coroutine)

    def close(self):
        self.do(self._running.__aexit__(None, None, None))
        self.runner.close()


class Visitor:
    """One browser. `page` is what it shows."""

    def __init__(self, demonstration, language="ja"):
        self.demonstration = demonstration
        self.language = language
        transport = httpx.ASGITransport(demonstration.asgi, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(
            transport=transport, base_url=HOST, headers={"accept-language": language}, follow_redirects=True, verify=False,
        )
        self.look()

    def get(self, path, **headers):
        return self.demonstration.do(self.client.get(path, headers=headers))

    def post(self, path, fields, **headers):
        return self.demonstration.do(self.client.post(path, data=fields, headers=headers))

    def look(self, path="/try"):
        self.page = Page(self.get(path))
        return self.page

    def send(self, act, **fields):
        """Send one of the page's forms."""
        self.page = Page(self.post(f"/try/{act}", {"token": self.page.values["token"], **fields}))
        return self.page

    def begin(self, operation, **fields):
        return self.send("begin", operation=operation, **fields)

    def enter(self, item, how="right", **fields):
        return self.send("enter", item=item, how=how, **fields)

    def repeat(self, item, times):
        return self.send("repeat", item=item, times=str(times))

    def release(self, lock, path, operator, reason="checked"):
        return self.send("release", **lock, path=path, operator=operator, reason=reason)

    def close(self):
        self.demonstration.do(self.client.aclose())


class Page:
    """An answer as a person and a checker read it."""

    def __init__(self, answer):
        assert answer.status_code == httpx.codes.OK, answer.text
        self.answer = answer
        self.html = answer.text
        reader = _Reader()
        reader.feed(self.html)
        reader.close()
        assert not reader.open, f"never closed: {reader.open}"
        self.faults = reader.faults + _dangling(reader)
        self.values = reader.values
        self.forms = reader.forms
        self.text = " ".join(" ".join(reader.text).split())
        self.parts = {name: " ".join(" ".join(words).split()) for name, words in reader.parts.items()}

    @property
    def customer(self):
        """All that stands on the customer's screen."""
        return self.parts["screen"]

    @property
    def staff(self):
        return self.parts["staff"]

    @property
    def asked(self):
        """Items that may be entered now."""
        return [form["item"] for form in self.forms if form["action"] == "/try/enter"]

    @property
    def locks(self):
        """For each lock that staff see, what its form would send."""
        return [
            {name: form[name] for name in ("subject", "lock", "row")} for form in self.forms if form["action"] == "/try/release"
        ]

    @property
    def approvals(self):
        return [form["approval"] for form in self.forms if form["action"] == "/try/approve"]


VOID = {"meta", "link", "input", "br", "hr", "img"}


class _Reader(HTMLParser):
    """Reads a page strictly: every element closed in order, every id once."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.faults, self.text, self.forms = [], [], [], []
        self.values, self.parts, self.ids, self.wanted, self.labelled, self.controls = {}, {}, [], [], [], []
        self._places = []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if len(found) != len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        if tag not in VOID:
            self.open.append(tag)
            self._places.append(_place(tag, found))
        self._note(tag, found)

    def _note(self, tag, found):
        self.ids += [found["id"]] if "id" in found else []
        self.wanted += [name for key in ("aria-labelledby", "for") if key in found for name in found[key].split()]
        self.labelled += [found["for"]] if tag == "label" else []
        if tag == "form":
            self.forms.append({"action": found["action"]})
        if tag in {"input", "select", "textarea"} and found.get("type") != "hidden":
            self.controls.append(found.get("id"))
        if tag == "input" and "value" in found and found.get("type") in {None, "hidden"}:
            self.values.setdefault(found["name"], found["value"])
            self.forms[-1].setdefault(found["name"], found["value"])
        if {name for name in found if name.startswith("on")} or tag in {"script", "style", "iframe"} or "style" in found:
            self.faults.append(f"<{tag}> that the page's own policy would refuse")

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-1:]}")
            return
        self.open.pop()
        self._places.pop()

    def handle_data(self, data):
        self.text.append(data)
        for place in {place for place in self._places if place}:
            self.parts.setdefault(place, []).append(data)


def _place(tag, found):
    classes = (found.get("class") or "").split()
    if "message" in classes:
        return "message"
    if "screen" in classes:
        return "screen"
    return "staff" if "staff" in classes and "half" in classes else "journal" if "journal" in classes else None


def _dangling(reader):
    faults = [f"id {name} stands twice" for name in set(reader.ids) if reader.ids.count(name) > 1]
    faults += [f"nothing has the id {name}" for name in reader.wanted if name not in reader.ids]
    return faults + [f"no label for {name}" for name in reader.controls if name not in reader.labelled]
