"""What a bank in front of the service does, as short words for tests: customers, runs, entries, staff, time."""

import asyncio
import itertools
import os
import random
import re
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote

import httpx

from sekisho.adapters.channels import Inbox
from sekisho.adapters.keyring import Keyring
from sekisho.adapters.sqlite import SqliteStore, wall_clock
from sekisho.adapters.watch import own_clock
from sekisho.api.server import application, metrics_application
from sekisho.app import App, Settings, open_store
from sekisho.catalogue import texts
from sekisho.core import otp
from sekisho.flows import tick
from sekisho.flows.policies import first_policy, load_tables
from sekisho.policy import reference
from sekisho.terms import Role, Way

HOST = "http://127.0.0.1:8080"
BEGINS_US = int(datetime.fromisoformat(os.environ.get("SEKISHO_BEGINS", "2026-09-16T10:20:00+09:00")).timestamp()) * 1_000_000
"""A Wednesday morning: no test depends on the hour it is run at."""

MINUTE = 60
DAY = 24 * 60 * MINUTE
STAFF = {
    "aoki": Role.FIRST_LINE, "chiba": Role.SECOND_LINE, "doi": Role.SECOND_LINE, "endo": Role.BACK_OFFICE, "fujii": Role.BACK_OFFICE, "goto": Role.AUDITOR,
    "ito": Role.ADMIN,
}
SAID = {text: name.removeprefix("answer.") for name, text in texts("en").items() if name.startswith("answer.")}

_numbers = itertools.count(1)


def number_anew():
    """Begin the numbers of customers again."""
    global _numbers  # noqa: PLW0603  every module of tests begins at one, whatever ran before it
    _numbers = itertools.count(1)


TURNS_MAX = 50
"""Turns of the outbox after which nobody waits for what is still due."""


class Service:
    """The real application over a SQLite file, asked in this process. Its clock is the test's."""

    def __init__(self, folder, policy=None, **settings):
        self.folder = folder
        self.settings = settings
        self.offset_us = self.ahead_us()
        self.jumped_us = 0
        """How much of that only the ledger's clock has gone through."""
        self.runner = self.make_runner()
        ring = self.make_keys()
        self.policy = policy or reference("postal-bank")
        self.app = self.do(self._build(ring))
        self._running = self.serving()
        self.do(self._running.__aenter__())
        self.asgi = application(self.app)
        transport = httpx.ASGITransport(self.asgi, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=HOST)
        self.metrics = httpx.AsyncClient(transport=httpx.ASGITransport(metrics_application(self.app)), base_url=HOST)

    def make_runner(self):
        return asyncio.Runner()

    def serving(self):
        """What runs beside the requests: time that passes, messages that are handed over."""
        return self.app.running()

    def make_keys(self):
        """A key file; `keys` are those of staff and of two channels."""
        ring = Keyring.make(self.folder / "keys.json")
        for purpose, [first] in ring.file.secrets.items():
            # Always the same: which strangers share a bucket is then no matter of chance.
            first.key = random.Random(purpose).randbytes(32).hex()
        ring.save()
        self.keys = {name: ring.new(role, name) for name, role in STAFF.items()}
        self.keys |= {name: ring.new(Role.CHANNEL, name) for name in ("bank", "other bank")}
        return ring

    async def _build(self, ring):
        settings = Settings(f"sqlite:///{self.folder / 'sekisho.db'}", ring.path, **{"hold": False, **self.settings})
        store = self.store()
        table = await first_policy(store, self.policy.read_bytes(), self.policy.name)
        tables = {table.version: table}
        self.boxes = {way: Inbox() for way in Way}
        made = App(settings, store, ring, tables, await load_tables(store, tables), self.boxes)
        made.watch.own = self.own_clock
        return made

    def ahead_us(self):
        """How far its clock is ahead of the machine's when it starts."""
        return BEGINS_US - wall_clock()

    def store(self):
        return SqliteStore(self.folder / "sekisho.db", clock=self.clock)

    def clock(self):
        return wall_clock() + self.offset_us

    def own_clock(self):
        """The machine's clock beside the ledger's: both pass the same time."""
        return own_clock() + (self.offset_us - self.jumped_us) / 1_000_000

    def do(self, coroutine):
        return self.runner.run(coroutine)

    def together(self, *coroutines):
        async def gather():
            return await asyncio.gather(*coroutines)

        return self.do(gather())

    def leave(self):
        self.do(self.client.aclose())
        self.do(self.metrics.aclose())
        self.do(self._running.__aexit__(None, None, None))

    def close(self):
        self.leave()
        self.runner.close()

    def passes(self, seconds):
        """Let time pass, and everything fall due that does."""
        self.offset_us += seconds * 1_000_000
        self.do(self.ticks())

    async def ticks(self):
        await tick.pass_time(self.app.ledger, self.app.store, self.app.subjects, self.app.entries)

    # -- plain calls

    async def send(self, method, path, body=None, by="bank", **headers):
        """One call. `by`: whose key; None: without one."""
        sent = {"accept-language": "en", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if by is not None:
            sent["authorization"] = f"Bearer {self.keys.get(by, by)}"
        if isinstance(body, bytes):
            sent.setdefault("content-type", "application/json")
            return await self.client.request(method, path, content=body, headers=sent)
        return await self.client.request(method, path, json=body, headers=sent)

    def call(self, method, path, body=None, by="bank", **headers):
        return self.do(self.send(method, path, body, by, **headers))

    def post(self, path, body, by="bank", **headers):
        return self.call("POST", path, body, by, **headers)

    def get(self, path, by="bank", **headers):
        return self.call("GET", path, None, by, **headers)

    # -- what staff do

    def put(self, subject, body, item=None, by="endo"):
        path = f"/v1/staff/subjects/{quote(subject, safe='')}" + (f"/items/{item}" if item else "")
        answer = self.call("PUT", path, body, by)
        assert answer.is_success, answer.text
        return answer

    def view(self, subject, by="aoki"):
        answer = self.get(f"/v1/staff/subjects/{quote(subject, safe='')}", by)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def count(self, subject, counter):
        """How many wrong entries stand."""
        return next((count["wrong"] for count in self.view(subject)["counts"] if count["counter"] == counter), 0)

    def counts(self, subject):
        """All wrong entries that stand, by counter."""
        return {count["counter"]: count["wrong"] for count in self.view(subject)["counts"] if count["wrong"]}

    def locks(self, subject):
        """The rows of all locks that stand."""
        return [lock["row"] for lock in self.view(subject)["locks"]]

    def lock(self, subject):
        """The first lock that stands."""
        return self.view(subject)["locks"][0]

    def release(self, subject, path, by="endo", lock=None):
        """Ask for a release of the first lock that stands."""
        body = {"lock": lock or self.lock(subject)["id"], "path": path, "reason": "form on file"}
        return self.post(f"/v1/staff/subjects/{quote(subject, safe='')}/releases", body, by)

    def approve(self, asked, by):
        return self.post(f"/v1/staff/approvals/{asked.json()['approval']}", None, by)

    def released(self, subject, path):
        """Lift the first lock that stands, by two persons."""
        done = self.approve(self.release(subject, path, by="endo"), by="fujii")
        assert done.status_code == 200, done.text

    def events(self, after=0):
        answer = self.get(f"/v1/events?after={after}")
        assert answer.status_code == 200
        return answer.json()

    def told_since(self, after):
        """All (kind, subject) since a place in the feed."""
        return [(event["kind"], event["subject"]) for event in self.events(after)["events"]]

    def now_in_feed(self):
        after, page = 0, self.events(0)
        while page["events"]:
            after = page["next"]
            page = self.events(after)
        return after

    # -- customers

    def customer(self, *items, **changes):
        """A customer nobody else in these tests has, who holds a login password and these items."""
        return self.enrolled(person(**changes), *items)

    def enrolled(self, one, *items):
        """This customer, who holds a login password and these items from now on."""
        for subject, body in one.enrolments():
            self.put(subject, {**body, "addresses": one.addresses(subject)})
        for item in ("login-password", *items) if one.contract else items:
            subject, secret = one.secrets()[item]
            self.put(subject, {"secret": secret, **({"first_time": one.first_time} if item == "login-password" else {})}, item)
        return one

    def code(self, customer, way="mail", n=0):
        """The code in the newest message that reached the customer."""
        return self.code_at(customer.telephone if way == "telephone" else customer.mails[n], way)

    def code_at(self, address, way="mail"):
        """The code in the newest message that reached an address. What tells of something done has a number too, which is none."""
        newest = next(one.body for one in self.received(address, way) if not re.search("心当たりがない|This was not me", one.body))
        return re.search(r"\d[\d ]{4,12}\d", newest)[0]

    def received(self, address, way="mail"):
        """What has reached an address, newest first. A few are handed over at a time, and other tests' messages may be due too."""
        for _ in range(TURNS_MAX):
            if not self.do(self.app.outbox.deliver()):
                break
        return self.boxes[way].received(address)

    def account(self, *items):
        """An account without an online contract."""
        return self.customer("card-pin", "last-balance", "basic-data", *items, contract=False)

    def session(self, customer):
        """Log in; the session's name."""
        run = Verify(self).run("login", customer)
        answer = run.right("login-password")
        assert answer["outcome"] == "right", answer
        return answer["session"]

    def app_code(self, customer, session=None):
        """Ask for a code that adds a device with the app, after she has agreed to it in her session."""
        session = session or self.session(customer)
        assert Verify(self).run("add-device", customer, session).right("mail-otp")["state"] == "done"
        answer = self.post(f"/v1/sessions/{session}/app-codes", None)
        assert answer.status_code == 201, answer.text
        return answer.json()["code"]

    def live(self, session):
        return self.get(f"/v1/sessions/{session}").json()["live"]

    def token(self, customer, wrong=False, number=1):
        """The newest codes that the customer's token has shown by now, or such as it does not show anywhere near now."""
        step = self.clock() // 1_000_000 // otp.STEP_S + (1000 if wrong else 0)
        return " ".join(otp.hotp(otp.seed_of(customer.token_seed), step - back) for back in reversed(range(number)))


class OnPostgres(Service):
    """The same over a database of PostgreSQL's."""

    place = ""

    def store(self):
        return open_store(self.place)

    def ahead_us(self):
        """The clock is the database's."""
        return 0


class Customer(NamedTuple):
    """A made-up customer."""

    number: str
    account: str
    name: str = "Hana Sekimori"
    birth: str = "1980-04-01"
    password: str = "correct horse 8"
    card_pin: str = "2580"
    last_balance: str = "123456"
    token_seed: str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    passcode: str = "482916"
    transaction_code: str = "7391"
    telephone_pin: str = "4826"
    user_number: str = "55512340"
    first_time: bool = False
    contract: bool = True
    flags: tuple[str, ...] = ()
    reachable: bool = True

    @property
    def subject(self):
        return f"customer:{self.number}"

    @property
    def account_subject(self):
        return f"account:{self.account}"

    @property
    def app_subject(self):
        return f"app:phone-of-{self.number}"

    @property
    def basic_data(self):
        return f"{self.account} {self.name} {self.birth}"

    def enrolments(self):
        """What the bank tells of him: (subject, body)."""
        if not self.contract:
            return [(self.account_subject, {"links": {}})]
        return [
            (self.subject, {"links": {"account": self.account_subject, "app": self.app_subject}, "flags": list(self.flags)}),
            (self.account_subject, {"links": {"customer": self.subject, "app": self.app_subject}}),
            (self.app_subject, {"links": {"customer": self.subject, "account": self.account_subject}}),
        ]

    @property
    def mails(self):
        return (f"first-{self.number}@example.com", f"second-{self.number}@example.jp")

    @property
    def new_mail(self):
        """One that is not on file."""
        return f"new-{self.number}@example.net"

    @property
    def telephone(self):
        return f"+81 90-{self.number}"

    def addresses(self, subject):
        """Where he can be reached: by mail as a customer, by telephone as the holder of an account."""
        if not self.reachable:
            return []
        on_file = {"state": "confirmed", "since": "2020-01-01T00:00:00Z"}
        mails = [{"kind": "mail", "to": to, **on_file} for to in self.mails]
        telephone = [{"kind": "telephone", "to": self.telephone, **on_file}]
        return {self.subject: mails, self.account_subject: telephone + ([] if self.contract else mails)}.get(subject, [])

    def secrets(self):
        """His items: name to (subject, secret)."""
        return {
            "login-password": (self.subject, self.password),
            "token-otp": (self.subject, self.token_seed),
            "app-passcode": (self.app_subject, self.passcode),
            "transaction-code": (self.app_subject, self.transaction_code),
            "card-pin": (self.account_subject, self.card_pin),
            "last-balance": (self.account_subject, self.last_balance),
            "basic-data": (self.account_subject, self.basic_data),
            "telephone-pin": (self.account_subject, self.telephone_pin),
            "telephone-user-number": (self.account_subject, self.user_number),
        }


def person(**changes):
    """Somebody with a number and an account that nobody else in these tests has."""
    n = next(_numbers)
    return Customer(f"9{n:09d}", f"10000-9{n:06d}1", **changes)


def nobody():
    """A customer whom nobody has enrolled."""
    return person()


def right_proof(service, customer, item):
    """What the customer would enter."""
    return {
        "customer-number": customer.number, "account-number": customer.account, "login-password": customer.password,
        "number-pair": {"account-number": customer.account, "customer-number": customer.number},
        "new-login-password": f"a new password {next(_numbers)}", "app-passcode": customer.passcode, "new-app-passcode": "918273", "new-app-face": "shown to the app",
        "new-transaction-code": "8642",
        "transaction-code": customer.transaction_code, "card-pin": customer.card_pin, "last-balance": customer.last_balance,
        "basic-data": customer.basic_data, "telephone-pin": customer.telephone_pin,
        "telephone-user-number": customer.user_number, "amount-and-payee": "1000 yen to 10000-1", "new-addresses": customer.new_mail, "contact-address": customer.new_mail,
        "consent": "yes", "token-otp": service.token(customer), "token-resync": service.token(customer, number=2),
    }[item]


def wrong_proof(service, customer, item):
    """What he would not."""
    return {
        "customer-number": "12", "account-number": "none", "consent": "no", "token-otp": service.token(customer, wrong=True),
        "token-resync": service.token(customer, wrong=True, number=2),
        "number-pair": {"account-number": customer.account, "customer-number": f"8{customer.number[1:]}"},
    }.get(item, "not this one")


def subject_of(operation, customer):
    """The subject an operation is begun for."""
    if operation in {"number-inquiry", "web-application", "telephone-application", "reapply", "telephone-service"}:
        return customer.account_subject
    return customer.app_subject if operation in {"register-app", "register-face", "set-transaction-code"} else customer.subject


TOLD_BY_BANK = {"app-face", "app-fingerprint", "app-face-id"}
"""Items that the bank compares, in verify mode too."""

SENT = {"mail-otp": "mail", "address-otp": "mail", "address-code": "mail", "risk-code": "mail", "identity-confirmation": "telephone"}
"""Items whose proof is sent to the customer, and by which way."""


def told(answer):
    """An answer as a test reads it: the message by name."""
    assert answer.is_success, answer.text
    body = answer.json()
    code = body.pop("code", None)
    assert code == SAID[body["message"]]
    return {**body, "message": code}


class Run:
    """One run of an operation. `wrong` and `right` make one entry and give the answer."""

    def __init__(self, service, operation, customer, session=None, about=None, named=True):
        self.service = service
        self.operation = operation
        self.customer = customer
        self.session = session
        self.about = about
        self.named = named

    def wrong(self, item, times=1):
        """Wrong entries one after the other; the last answer."""
        return [self.enter(item, "wrong") for _ in range(times)][-1]

    def right(self, item):
        return self.enter(item, "right")

    def outcomes(self, item, verdict, times):
        return [self.enter(item, verdict)["outcome"] for _ in range(times)]

    def _about(self):
        return None if self.about is None else self.about.account_subject

    def _whose(self, item):
        """Whose secret is entered: the caller's, or that of the one it is about."""
        return self.about if self.about is not None and item in {"login-password", "card-pin", "last-balance"} else self.customer

    def verdict(self, reservation, verdict):
        return told(self.service.post(f"/v1/reservations/{reservation}/verdict", {"verdict": verdict}))


class VerifyRun(Run):
    """sekisho holds the secrets and compares."""

    def __init__(self, *args):
        super().__init__(*args)
        body = {"operation": self.operation, "context": {"device": self.customer.number}}
        if self.named:
            body["subject"] = subject_of(self.operation, self.customer)
        if self.session is not None:
            body["session"] = self.session
        if self.about is not None:
            body["about"] = self._about()
        begun = self.service.post("/v1/procedures", body)
        self.begun = begun
        assert begun.status_code == 201, begun.text
        self.id = begun.json()["procedure"]
        self.codes = {}

    def look(self):
        return told(self.service.get(f"/v1/procedures/{self.id}"))

    def asks(self):
        return [step["item"] for step in self.look()["next"]]

    def reach(self, item):
        """Enter what comes before this item, rightly. The refusal that stands in the way, if one does."""
        while item not in (asked := self.asks()) and asked:
            # The token shows one code for thirty seconds, and no code is taken twice: where there is a choice, the app.
            answer = self.now("app-passcode" if "token-otp" in asked else asked[0], "right")
            if answer["outcome"] != "right":
                return answer
        return None

    def enter(self, item, verdict="right"):
        return self.reach(item) or self.now(item, verdict)

    def now(self, item, verdict="right"):
        """Enter it whether or not it is asked for. A code is sent before even a wrong one is entered."""
        if item in TOLD_BY_BANK:
            return self._by_bank(item, verdict)
        if item in SENT:
            code = self.code(item)
            return self.proof(item, code if verdict == "right" else "not this one")
        proof = (right_proof if verdict == "right" else wrong_proof)(self.service, self._whose(item), item)
        return self.proof(item, proof)

    def proof(self, item, proof, **headers):
        return told(self.service.post(f"/v1/procedures/{self.id}/attempts", {"item": item, "proof": proof}, **headers))

    def send(self, item, address=None, **headers):
        """Have a code sent."""
        body = {"item": item, **({} if address is None else {"address": address})}
        return self.service.post(f"/v1/procedures/{self.id}/challenges", body, **headers)

    def code(self, item):
        """The code that has reached the customer, sent to him where none was in this run; nonsense where none is sent."""
        if item not in self.codes and self.send(item).status_code == 201:
            new = item in {"address-otp", "address-code"}
            self.codes[item] = self.service.code_at(self.customer.new_mail) if new else self.service.code(self.customer, SENT[item])
        return self.codes.get(item, "no code")

    def _by_bank(self, item, verdict):
        body = {"operation": self.operation, "item": item, "subject": subject_of(self.operation, self.customer), "procedure": self.id}
        held = self.service.post("/v1/reservations", body)
        return told(held) if held.status_code != 201 else self.verdict(held.json()["reservation"], verdict)


class CountRun(Run):
    """The bank compares: it takes a reservation and gives its verdict."""

    def __init__(self, *args):
        super().__init__(*args)
        self.session = self.session or f"bank-session-{next(_numbers)}"

    def body(self, item):
        body = {"operation": self.operation, "item": item, "subject": subject_of(self.operation, self.customer), "session": self.session}
        about = self.customer.account_subject if item == "number-pair" else self._about()
        return {**body, **({"about": about} if about else {}), "context": {"device": self.customer.number}}

    def reach(self, item):
        """The bank leads: any item may come next."""

    def enter(self, item, verdict="right"):
        held = self.service.post("/v1/reservations", self.body(item))
        return told(held) if held.status_code != 201 else self.verdict(held.json()["reservation"], verdict)

    now = enter


class Verify:
    """Verify mode."""

    name = "verify"
    run_type = VerifyRun

    def __init__(self, service):
        self.service = service

    def __repr__(self):
        return self.name

    def run(self, operation, customer, session=None, about=None, named=True):
        """Begin a run; one that needs a session gets one. `named`: the bank knows for whom when it begins."""
        if session is None and self.needs_session(operation):
            session = self.session(customer)
        return self.run_type(self.service, operation, customer, session, about, named)

    def needs_session(self, operation):
        return self.service.app.table.operations[operation].session

    def session(self, customer):
        return self.service.session(customer)


class Count(Verify):
    """Count mode."""

    name = "count"
    run_type = CountRun

    def session(self, customer):
        return f"bank-session-{next(_numbers)}"


MODES = {"verify": Verify, "count": Count}
