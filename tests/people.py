"""A bank's door and who comes to it: the service with a clock of its own, and people with numbers, secrets, devices and passkeys."""

import hashlib
import itertools

from auditor import SECOND
from authenticator import ORIGIN, PARTY
from bankside import Service

from sekisho.adapters.memory import MemoryStore
from sekisho.adapters.webauthn import RelyingParty
from sekisho.flows.policies import AHEAD_S, propose, read

NOON = 1_780_282_800 * SECOND
"""A Monday in June 2026, noon in Tokyo."""

MOMENT = SECOND // 100

OURS = ("customer", "account", "app")
OUR_PAGES = RelyingParty(PARTY, "The bank", (ORIGIN,))

numbers = itertools.count(1)
"""No two are the same, whatever they are for."""


class House(Service):
    """The service over a store in memory, with a clock that stands still unless it is looked at or moved."""

    def __init__(self, folder, policy):
        self.now = NOON
        self.tables = {}
        super().__init__(folder, policy, passkeys=OUR_PAGES)
        self.app.clock = self.clock

    def store(self):
        return MemoryStore(self.clock)

    def clock(self):
        self.now += 1
        return self.now

    def own_clock(self):
        return self.now / SECOND

    def passes(self, seconds):
        self.now += int(seconds * SECOND)
        self.do(self.ticks())

    def delivers(self):
        """Whatever waits to be sent arrives; a few are handed over at a time. The ledger's time may be a little ahead of a clock that stands still."""
        self.now += MOMENT
        while self.do(self.app.outbox.deliver()):
            pass

    def put_in_force(self, source):
        """Another policy, from as soon as one may come into force."""
        table = self.read(source)
        self.do(propose(self.app.store, source, table.version, None, "ito"))
        self.do(self.app.follow_policy())
        self.passes(AHEAD_S + 50)
        self.do(self.app.follow_policy())
        return table

    def read(self, source):
        """A policy's table."""
        if source not in self.tables:
            self.tables[source] = read(source, "walk.yaml")
            self.app.tables.setdefault(self.tables[source].version, self.tables[source])
        return self.tables[source]


class Person:
    """Somebody with numbers of his own: a customer, the holder of an account without a contract, or somebody nobody knows."""

    def __init__(self, kind, flags=()):
        n = next(numbers)
        self.kind = kind
        self.flags = flags
        self.number, self.account, self.phone = f"7{n:09d}", f"20000-7{n:06d}1", f"phone-{n}"
        self.device = f"device-{n}"
        self.mails = (f"one-{n}@example.com", f"two-{n}@example.jp")
        self.telephone = f"+81 80-{self.number}"
        self.signed_for = None
        """The mail address that he has asked for on paper."""
        self.renewing = {}
        """By run and item: what he has chosen and what is not in force yet."""
        self.secrets = {}
        """What he knows, by item."""
        self.passkeys = []
        self.token_step = {}
        """By item: the newest step whose code was taken."""

    @property
    def actor(self):
        return "actor:" + hashlib.sha256(self.device.encode()).hexdigest()[:32]

    def subject(self, reach):
        """The name under which he is counted there."""
        own = {"customer": f"customer:{self.number}", "account": f"account:{self.account}", "app": f"app:{self.phone}"}
        if self.kind == "customer" or reach == self.main:
            return own[reach]
        return f"{reach}:?{own[self.main]}"

    @property
    def main(self):
        return "account" if self.kind == "holder" else "customer"

    def subjects(self):
        return {reach: self.subject(reach) for reach in OURS}

    def enrolments(self):
        """What the bank tells of him."""
        if self.kind == "stranger":
            return
        confirmed = {"state": "confirmed", "since": "2020-01-01T00:00:00Z"}
        mails = [{"kind": "mail", "to": to, **confirmed} for to in self.mails]
        telephone = [{"kind": "telephone", "to": self.telephone, **confirmed}]
        if self.kind == "holder":
            yield self.subject("account"), {"links": {}, "addresses": [*mails, *telephone]}
            return
        own = self.subjects()
        reached = {"customer": mails, "account": telephone, "app": []}
        for reach in OURS:
            links = {other: own[other] for other in OURS if other != reach}
            yield own[reach], {"links": links, "addresses": reached[reach], "flags": list(self.flags if reach == "customer" else ())}
