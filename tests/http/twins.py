"""Two services under policies that differ in figures alone, and one customer's side that asks both the same.

All that a channel and a customer receive is compared as bytes: status, headers, bodies, and what reaches mail box and
telephone. Names drawn by chance are compared too, by when each was first heard; both services live by one clock, so times
need no mask.
"""

import json
import re
import shutil
from pathlib import Path

import msgspec
from bankside import Service

from sekisho.adapters.keyring import Keyring
from sekisho.adapters.sheet import sheet
from sekisho.terms import Way

ANY_NAME = re.compile(rb"(?<![\w-])[\w-]{32}(?![\w-])|(?<![\w-])[\w-]{24}(?![\w-])|\b[0-9a-f]{13}-\d+\b")
"""What is drawn by chance: runs, reservations, challenges and deliveries, sessions, locks."""

LABEL = re.compile(rb'(?<="label":")[A-Z]{2}(?=")')
CODE = re.compile(r"\d[\d ]{4,12}\d")
BROUGHT = re.compile(r"^ +\S.*$", re.MULTILINE)
"""The line of a letter that is set in: what it brings, which each twin draws by itself."""

NOON = 1_774_407_600
"""2026-03-25 12:00 in Tokyo. Seconds since the epoch."""


class Apart(AssertionError):
    """The two do not sound alike."""


class Twin(Service):
    """A service whose clock moves only when a test moves it, and whose names are told by when they were first heard."""

    def __init__(self, folder, policy, like=None):
        self._like = like
        self.now_us = NOON * 1_000_000
        self.names = []
        self.after = 0
        self.codes = {}
        """The newest that came, by way. Each twin draws its own."""
        super().__init__(folder, policy)

    def serving(self):
        """Nothing passes by itself, so that it passes for both alike."""
        return self.app.working()

    def make_keys(self):
        """Those of the twin that was there before: addresses made up for strangers, and their ids, follow from them."""
        if self._like is None:
            return super().make_keys()
        self.keys = self._like.keys
        return Keyring.open(Path(shutil.copy2(self._like.folder / "keys.json", self.folder)))

    def ahead_us(self):
        return 0

    def clock(self):
        # Ledger time never stands still.
        self.now_us += 1
        return self.now_us + self.offset_us

    def own_clock(self):
        return (self.now_us + self.offset_us) / 1_000_000

    def feed(self, customer, **headers):
        """What is told of this customer, and what answered for it. Others' locks end at other times under other figures."""
        answer = self.get(f"/v1/events?after={self.after}", **headers)
        self.after = answer.json()["next"]
        events = [event for event in answer.json()["events"] if customer.number[1:] in event["subject"]]
        told = sorted((name, value) for name, value in answer.headers.items() if name != "content-length")
        return answer.status_code, told, self.masked(json.dumps(events).encode())

    def _masked(self, found):
        if found not in self.names:
            self.names.append(found)
        return f"<{self.names.index(found)}>"

    def masked(self, body):
        body = ANY_NAME.sub(lambda found: self._masked(found[0]).encode(), body)
        return LABEL.sub(b"label", body)

    def real(self, text):
        """A path or a body as this twin's own names have it."""
        text = re.sub(r"<(\d+)>", lambda found: self.names[int(found[1])].decode(), text)
        return re.sub(r"{the (\w+) code}", lambda found: self.codes.get(found[1], "00000000"), text)

    def received(self, customer):
        """What stands in his boxes; codes and labels masked by their form."""
        places = [("mail", to) for to in customer.mails] + [("telephone", customer.telephone)]
        came = [(way, one) for way, to in places for one in self.boxes[way].received(to)]
        self.codes |= {way: CODE.search(one.body)[0] for way, one in reversed(came)}
        return [(way, one.to, one.language, _blank(one.subject), _blank(one.body)) for way, one in came]

    def letters(self, subject):
        """The letters to a subject as the printer gets them, with as many noughts in the place of what each brings."""
        self.do(self.app.turn())
        self.do(self.app.outbox.deliver())
        return sorted(sheet(msgspec.structs.replace(one, body=BROUGHT.sub(_noughts, one.body))) for one in self.boxes[Way.LETTER].received(subject))


def _noughts(found):
    return re.sub(r"\w", "0", found[0])


def _blank(text):
    return re.sub(r"(?<![A-Za-z])[A-Z]{2}(?![A-Za-z])", "label", CODE.sub("code", text))


class Twins:
    """Both services, asked the same."""

    def __init__(self, folder, one, other):
        first = Twin(_made(folder / "one"), one)
        self.both = [first, Twin(_made(folder / "other"), other, first)]
        self.heard = 0
        """Answers that were the same."""

    @property
    def table(self):
        return self.both[0].app.table

    def close(self):
        for one in self.both:
            one.close()

    def passes(self, seconds):
        for one in self.both:
            one.now_us = NOON * 1_000_000
            one.passes(seconds)

    def ask(self, method, path, body=None, by="bank", **headers):
        """Ask both; the answer with its names masked, or both answers raised as `Apart`."""
        answers = []
        for one in self.both:
            sent = None if body is None else one.real(body).encode()
            answer = one.call(method, one.real(path), sent, by, **headers)
            plain = one.masked(answer.content)
            length = (int(answer.headers["content-length"]) == len(answer.content), "content-length" in answer.headers)
            told = sorted((name, value) for name, value in answer.headers.items() if name != "content-length")
            answers.append((answer.status_code, length, len(answer.content), told, plain))
        return self._alike(*answers)

    def feed(self, customer, **headers):
        """What both tell channels of this customer since they were asked last."""
        self._alike(*(one.feed(customer, **headers) for one in self.both))

    def deliver(self, customer):
        """Let both hand over what waits, and compare what has come."""
        for one in self.both:
            one.do(one.app.outbox.deliver())
        self._alike(*(one.received(customer) for one in self.both))

    def letters(self, subject):
        """What both have printed for a subject, as files."""
        return self._alike(*(one.letters(subject) for one in self.both))

    def _alike(self, one, other):
        if one != other:
            raise Apart(one, other)
        self.heard += 1
        return one


def _made(folder):
    folder.mkdir()
    return folder
