"""A whole bank on a socket, as the demonstration sets it up, on a clock of the test's: service, pages, real mail, customers.

It runs in a thread of its own: the browser's side holds the test's. Nothing in it waits for the time of day.
"""

import asyncio
import contextlib
import threading
import time
from pathlib import Path

import httpx
import uvicorn

from sekisho import serving
from sekisho.adapters.channels import Inbox
from sekisho.adapters.keyring import Keyring
from sekisho.adapters.memory import MemoryStore
from sekisho.adapters.webauthn import RelyingParty
from sekisho.api.server import application
from sekisho.app import App, Settings, relay_of
from sekisho.bank import front, pages, seeds
from sekisho.bank.inbox import InboxPages
from sekisho.bank.sink import Fault, Sink, Waits
from sekisho.flows.policies import first_policy, load_tables
from sekisho.policy import reference
from sekisho.terms import Role, Way

TOKYO_S = 9 * 3600
DAY_S = 24 * 3600
WEDNESDAY_NOON = 1_774_407_600
"""2026-03-25 12:00 in Tokyo: every desk is open."""

OPERATORS = {
    "aoki": Role.FIRST_LINE, "chiba": Role.SECOND_LINE, "doi": Role.SECOND_LINE, "endo": Role.BACK_OFFICE, "fujii": Role.BACK_OFFICE,
    "goto": Role.AUDITOR, "ito": Role.ADMIN,
}
PHONE, WIDE = {"width": 320, "height": 640}, {"width": 1280, "height": 900}
"""Screens."""

QUICK = Waits(slow_s=0.2, grey_s=0.0, later_s=0.2)
WAIT_S = 60


class Bank:
    """One bank, by its reference policy or a file. `base` is its address, `keys` those of `OPERATORS` by name and the channel's."""

    def __init__(self, folder, policy="major-bank"):
        self.folder, self.policy = folder, policy if isinstance(policy, Path) else reference(policy)
        self._begun = time.monotonic()
        self._later_s = 0
        self._stopped_at = None
        self.boxes = {Way.TELEPHONE: Inbox(), Way.LETTER: Inbox()}
        sock = serving.bind("127.0.0.1:0")
        self.base = f"http://127.0.0.1:{sock.getsockname()[1]}"
        self.by_name = self.base.replace("127.0.0.1", "localhost")
        """The same by the name that passkeys are for."""
        self._ready, self._failed = threading.Event(), []
        self._thread = threading.Thread(target=self._run, args=(sock,), daemon=True)
        self._thread.start()
        assert self._ready.wait(WAIT_S) and not self._failed, self._failed

    # -- inside its thread

    def _run(self, sock):
        try:
            asyncio.run(self._serve(sock))
        except Exception as no:  # noqa: BLE001  the thread that waits for this one must hear of it
            self._failed.append(no)
            self._ready.set()

    async def _serve(self, sock):
        self.loop = asyncio.get_running_loop()
        mail, bounces = serving.bind("127.0.0.1:0"), serving.bind("127.0.0.1:0")
        self.sink = Sink(bounces.getsockname()[:2], QUICK)
        await self.sink.start(mail)
        self.app = await self._build(mail, bounces)
        told = {"channel": self.keys["channel"], "operators": {name: {"role": role.value, "key": self.keys[name]} for name, role in OPERATORS.items()}}
        shown = {"mail": self.sink, "telephone": self.boxes[Way.TELEPHONE], "letter": self.boxes[Way.LETTER]}
        inside = httpx.ASGITransport(self._inside)
        routes = [
            *pages.routes(self.base, told, shown, self.table, transport=inside, clock=self.seconds),
            *front.routes(self.base, told, self.table, transport=inside, clock=self.seconds, passkeys_on=self.by_name), *InboxPages(self.sink, shown).routes(),
        ]
        self._asgi = application(self.app, pages=routes)
        self._server = uvicorn.Server(serving._config(self._asgi))
        serve = asyncio.create_task(self._server._serve([sock]))
        await serving._until_started(self._server, serve)
        async with httpx.AsyncClient(base_url=self.base, timeout=WAIT_S) as client:
            new = await seeds.enrol(client, self.keys["ito"], self.table)
            await seeds.settle_in(client, self.keys["channel"], self.table, [one for one in new if one.contract])
        self._ready.set()
        await serve
        await self.sink.stop()

    async def _inside(self, scope, receive, send):
        """What the pages' own calls reach: the same service, without a socket that somebody would have to close."""
        await self._asgi(scope, receive, send)

    async def _build(self, mail, bounces):
        ring = Keyring.make(self.folder / "keys.json")
        self.keys = {"channel": ring.new(Role.CHANNEL, "bank"), **{name: ring.new(role, name) for name, role in OPERATORS.items()}}
        relay = relay_of(f"smtp://127.0.0.1:{mail.getsockname()[1]}", "Bank <codes@bank.example>", "codes@bounce.bank.example")
        store = MemoryStore(self.clock)
        self.table = table = await first_policy(store, self.policy.read_bytes(), self.policy.name)
        settings = Settings("memory:", ring.path, hold=False, demo=True, relay=relay, bounces=bounces, passkeys=RelyingParty("localhost", "Sekisho Bank", (self.by_name,)))
        made = App(settings, store, ring, {table.version: table}, await load_tables(store, {table.version: table}), self.boxes)
        made.clock, made.watch.own = self.clock, self.seconds
        return made

    # -- its clock

    def seconds(self):
        return self._stopped_at if self._stopped_at is not None else WEDNESDAY_NOON + self._later_s + time.monotonic() - self._begun

    def clock(self):
        return int(self.seconds() * 1_000_000)

    def passes(self, seconds):
        """Let time pass, and everything fall due that does."""
        self._later_s += seconds
        self.do(self.app.turn())

    def at(self, hour, minute=0, second=0):
        """Go on to the next time that the clock in Tokyo shows this."""
        now = (self.seconds() + TOKYO_S) % DAY_S
        self.passes((hour * 3600 + minute * 60 + second - now) % DAY_S)

    @contextlib.contextmanager
    def stands_still(self, hour, minute, second):
        """Go on to the next time that the clock in Tokyo shows this, and let it show that for a while."""
        self.at(hour, minute, second)
        self._stopped_at = float(round(self.seconds()))
        yield
        self._later_s -= WEDNESDAY_NOON + self._later_s + time.monotonic() - self._begun - self._stopped_at
        self._stopped_at = None

    # -- what a test does with it

    def do(self, coroutine):
        """Run something in the bank's own loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(WAIT_S)

    def mail_is(self, address, fault):
        """Switch a fault of the world's mail on for an address: `arrives`, `filtered`, `dropped`, …"""
        self.sink.faults[address.lower()] = Fault(fault)

    def received(self, address, way="mail"):
        """What has reached an address, newest first."""
        while self.do(self.app.outbox.deliver()):
            pass
        return list(self.sink.received(address) if way == "mail" else self.boxes[Way(way)].received(address))

    def call(self, method, path, body=None, by="channel"):
        """One call of the interface under somebody's key."""
        headers = {"authorization": f"Bearer {self.keys[by]}", "accept-language": "en"}
        return httpx.request(method, self.base + path, json=body, headers=headers, timeout=WAIT_S)

    def until(self, holds):
        """Wait for what another thread or a socket is still about to do."""
        end = time.monotonic() + WAIT_S
        while not (found := holds()):
            assert time.monotonic() < end, "it never came to hold"
            time.sleep(0.02)
        return found

    def close(self):
        self.loop.call_soon_threadsafe(lambda: setattr(self._server, "should_exit", True))
        self._thread.join(WAIT_S)


__all__ = ["PHONE", "WIDE", "Bank"]
