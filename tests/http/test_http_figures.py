"""D1: two policies that differ only in thresholds and lengths of locks give a customer the same bytes, until a penalty falls.

Histories are drawn by chance: known customers and unknown ones, every operation, every call that a channel's key can make, in both
languages, with requests sent twice. Both services hear the same; the first answer that differs must be one that tells
of a penalty.
"""

import json
import random
from collections import Counter
from itertools import count
from urllib.parse import quote

import pytest
from bankside import SENT as WAYS
from bankside import TOLD_BY_BANK, nobody, person, right_proof, wrong_proof
from figures import other_figures
from scale import times
from twins import Apart, Twins

from sekisho.flows import answers, outbox
from sekisho.flows.answers import Message
from sekisho.policy import reference
from sekisho.policy.table import Text
from sekisho.terms import PathKind

pytestmark = pytest.mark.timeout(times(300, full=7_200))

BANKS = ("postal-bank", "major-bank")
LONGEST = 40
"""Acts of one history at the most."""

OF_A_PENALTY = {
    "wrong-start-over", "wrong-locked", "wrong-locked-for-a-while", "wrong-register-again", "start-over", "locked", "locked-for-a-while",
    "register-again", "unknown-device", "more-first",
}
"""What is told at a penalty and after it."""

OF_A_BROWSER = {"passkey", "new-passkey"}
OF_NO_SECRET = TOLD_BY_BANK | OF_A_BROWSER | {"account-choice", "address-code", "release-code"}
"""Items for which these tests know nothing right."""

_sent = count(1)


def figures(rng):
    """Another threshold for each, in the same order; another length of a lock. Both differ from bank to bank."""
    times_more, more, longer = rng.randint(2, 4), rng.randint(0, 3), rng.randint(2, 9)
    return lambda wrong: times_more * wrong + more, lambda length: longer * length


@pytest.fixture(scope="module", params=BANKS)
def twins(request, tmp_path_factory, cheap_hashes):
    """The reference policy, and the same with other figures."""
    folder = tmp_path_factory.mktemp(request.param)
    text = reference(request.param).read_text()
    threshold, length = figures(random.Random(request.param))
    changed = folder / f"{request.param}.yaml"
    changed.write_text(other_figures(text, threshold, length))
    assert changed.read_text() != text
    made = Twins(folder, reference(request.param), changed)
    yield made
    made.close()


class History:
    """One customer and what is done in his name, at both services."""

    def __init__(self, twins, seed, done):
        self.twins = twins
        self.done = done
        self.rng = random.Random(seed)
        self.customer = self._customer()
        self.operations = self.rng.sample(sorted(twins.table.operations), self.rng.choice((1, 1, 2)))
        self.share = self.rng.choice((0, 0.1, 0.5, 0.95))
        """Of right entries."""
        self.runs, self.sessions, self.devices, self.waiting = {}, [], [], []

    def _customer(self):
        rng, table = self.rng, self.twins.table
        if rng.random() < 0.3:
            return nobody()
        flags = tuple(flag for flag in sorted(table.flags) if rng.random() < 0.5)
        one = person(flags=flags, reachable=rng.random() < 0.9, first_time=rng.random() < 0.2)
        items = [item for item in sorted(one.secrets()) if item in table.items and item != "login-password"]
        for twin in self.twins.both:
            twin.enrolled(one, *items)
        return one

    # -- asking

    def ask(self, what, method, path, body=None):
        """One call, now and then sent twice: the same request has the same answer."""
        self.done[what] += 1
        language = self.rng.choice(("ja", "en", "fr, ja;q=0.5", ""))
        headers = {"accept_language": language}
        sent = None if body is None else json.dumps(body)
        if method == "POST" and self.rng.random() < 0.3:
            headers["idempotency_key"] = f"sent-{next(_sent)}"
        status, *_, heard = first = self.twins.ask(method, path, sent, **headers)
        if "idempotency_key" in headers:
            again = self.twins.ask(method, path, sent, **headers)
            assert again == first or "again" in json.loads(heard) or json.loads(heard).get("outcome") == "refused"
            self.done["sent twice"] += 1
        return status, json.loads(heard)

    def proof(self, item, right):
        """What he would enter, or something else."""
        one = self.twins.both[0]
        if not right:
            return wrong_proof(one, self.customer, item)
        if item in WAYS:
            return f"{{the {WAYS[item]} code}}"
        return "as it pleases" if item in OF_NO_SECRET else right_proof(one, self.customer, item)

    # -- acts

    def begin(self):
        """Begin a run of any operation, for him, for nobody yet, or about somebody else's account."""
        table, rng = self.twins.table, self.rng
        operation = self._operation()
        named = self._named(operation)
        body = {"operation": operation, "context": self._context()}
        if self.sessions and table.operations[operation].session:
            body["session"] = rng.choice(self.sessions)
        elif rng.random() < 0.8:
            body["subject"] = named
        if rng.random() < 0.2:
            body["about"] = rng.choice([self.customer.account_subject, nobody().account_subject])
        if rng.random() < 0.5:
            body["language"] = rng.choice(("ja", "en"))
        _, told = self.ask("begin", "POST", "/v1/procedures", body)
        if "procedure" in told:
            self.runs[told["procedure"]] = (operation, told["next"])

    def enter(self):
        """Enter something in one of his runs: mostly what is asked for."""
        run, operation, asked = self._run()
        table, rng = self.twins.table, self.rng
        item = rng.choice([one["item"] for one in asked if one["item"] not in OF_A_BROWSER] or sorted(table.operations[operation].rows))
        if rng.random() < 0.05:
            item = rng.choice(sorted(table.operations[operation].rows))
        proof = self.proof(item, rng.random() < self.share)
        _, told = self.ask("enter", "POST", f"/v1/procedures/{run}/attempts", {"item": item, "proof": proof})
        self._heard(run, operation, told)

    def hold(self):
        """Count mode: take a guess, in a run, in a session of the bank's own, or in none."""
        table, rng = self.twins.table, self.rng
        body = {}
        if self.runs and rng.random() < 0.5:
            run, operation, asked = self._run()
            body["procedure"] = run
            item = rng.choice([one["item"] for one in asked] or sorted(table.operations[operation].rows))
        else:
            operation = self._operation()
            item = rng.choice(sorted(table.operations[operation].rows))
            body["session"] = f"{self.customer.number}-{rng.randint(1, 2)}"
        body |= {"operation": operation, "item": item, "subject": self._named(operation), "context": self._context()}
        if item == "number-pair":
            body["about"] = self.customer.account_subject
        _, told = self.ask("reserve", "POST", "/v1/reservations", body)
        if "reservation" in told:
            self.waiting.append(told["reservation"])

    def verdict(self):
        held = self.waiting.pop(self.rng.randrange(len(self.waiting)))
        verdict = {"verdict": self.rng.choices(("right", "wrong", "unread"), (self.share, 1 - self.share, 0.1))[0]}
        self.ask("verdict", "POST", f"/v1/reservations/{held}/verdict", verdict)

    def send(self):
        """Have a code sent, and look what has come and what is known of it."""
        run, operation, asked = self._run()
        _, shown = self.ask("addresses", "GET", f"/v1/procedures/{run}/addresses")
        items = [one["item"] for one in asked if one["kind"] in {"code", "confirmation"}] or sorted(self.twins.table.operations[operation].rows)
        body = {"item": self.rng.choice(items)}
        reached = [one["id"] for one in shown.get("addresses", [])]
        if reached and self.rng.random() < 0.5:
            body["address"] = self.rng.choice(reached)
        self.ask("send", "POST", f"/v1/procedures/{run}/challenges", body)
        self.twins.deliver(self.customer)
        self.ask("deliveries", "GET", f"/v1/procedures/{run}/deliveries")

    def look(self):
        run, operation, _ = self._run()
        _, told = self.ask("look", "GET", f"/v1/procedures/{run}")
        self._heard(run, operation, told)

    def session(self):
        session = self.rng.choice(self.sessions)
        self.ask("session", "GET", f"/v1/sessions/{session}")
        self.ask("approvals", "GET", f"/v1/sessions/{session}/approvals")
        self.ask("release code", "GET", f"/v1/sessions/{session}/release-code")
        if self.rng.random() < 0.7:
            self.ask("end session", "DELETE", f"/v1/sessions/{session}")

    def feed(self):
        self.twins.feed(self.customer, accept_language=self.rng.choice(("ja", "en")))
        self.done["events"] += 1

    def stop(self):
        """An emergency stop is no penalty for entries: what it tells is the same under any figures."""
        body = {"subject": self.customer.subject, "context": self._context()}
        if self.rng.random() < 0.5:
            body["known_by"] = "known-device"
        self.ask("stop", "POST", "/v1/stops", body)

    def disavow(self):
        """He says that it was not he, with a code that was never sent."""
        self.ask("disavow", "POST", "/v1/disavowals", {"subject": self.customer.subject, "code": "12345678"})

    def wait(self):
        self.twins.passes(self.rng.choice((1, 31, 200)))
        self.done["wait"] += 1

    def oddity(self):
        """What is nothing here: its refusal is the same too."""
        path = self.rng.choice(("/v1/procedures/none", "/v1/sessions/none", "/v1/staff/subjects/customer:1", "/none", "/health/ready", "/docs"))
        self.twins.ask("GET", path)
        self.done["oddity"] += 1

    def _operation(self):
        """One of few, so that a history comes near a threshold; where they need a session, the login before them."""
        operation = self.rng.choice(self.operations)
        return "login" if self.twins.table.operations[operation].session and not self.sessions else operation

    def _context(self):
        """Who types: at a device the channel knows, at one that was named here, or at nobody's."""
        here = {"ip": f"192.0.2.{1 + int(self.customer.number) % 200}"}
        return self.rng.choice([here, {"device": self.customer.number}, *({"device": name, **here} for name in self.devices[-1:])])

    def _named(self, operation):
        one = self.customer
        return {"customer": one.subject, "account": one.account_subject, "app": one.app_subject}[self.twins.table.operations[operation].subject]

    def _run(self):
        run = self.rng.choice(sorted(self.runs))
        return run, *self.runs[run]

    def _heard(self, run, operation, told):
        if told.get("device"):
            self.devices.append(told["device"])
            self.done["device named"] += 1
        if told.get("session"):
            self.sessions.append(told["session"])
        if told.get("state", "open") != "open":
            del self.runs[run]
        elif "next" in told:
            self.runs[run] = (operation, told["next"])

    # -- the whole of it

    def go(self):
        """Act by chance until both sound apart; whether they did."""
        for _ in range(LONGEST):
            try:
                self._act()
            except Apart as heard:
                told_of_a_penalty(heard)
                return True
        return False

    def _act(self):
        # While a guess is in flight the next entry may have to wait for it: docs/why/hold.md says what that tells.
        settled = not self.waiting
        possible = [(act, weight) for act, weight, may in (
            (self.begin, 6 if not self.runs else 1, True), (self.enter, 8, self.runs and settled), (self.hold, 2, settled), (self.verdict, 6, self.waiting),
            (self.send, 2, self.runs), (self.look, 1, self.runs), (self.session, 4, self.sessions), (self.feed, 1, True),
            (self.stop, 0.2, True), (self.disavow, 0.4, True), (self.wait, 1, True), (self.oddity, 0.3, True),
        ) if may]
        acts, weights = zip(*possible, strict=True)
        self.rng.choices(acts, weights)[0]()


def told_of_a_penalty(heard):
    """Of two answers that differ one tells of a penalty, and the other is what is told when none falls."""
    one, other = heard.args
    codes = {json.loads(answer[-1]).get("code") for answer in heard.args if isinstance(answer, tuple)}
    assert codes & OF_A_PENALTY, f"{one}\n{other}"


SURFACES = {
    "begin", "enter", "reserve", "verdict", "send", "addresses", "deliveries", "look", "session", "end session", "events", "stop", "sent twice", "wait",
    "oddity", "approvals", "release code", "disavow",
}


SEEDS = times([*range(10), 29, 37], range(1000))
"""Few, and in two of them he logs in."""


def walk(twins):
    """All histories; what was done in them, and how many came to a penalty under one policy and not yet under the other."""
    done = Counter()
    apart = sum(History(twins, seed, done).go() for seed in SEEDS)
    return set(done), apart


def test_D1_two_policies_that_differ_in_figures_alone_sound_alike_until_a_penalty(twins):
    """Byte for byte, over every call that a channel's key can make."""
    done, apart = walk(twins)
    assert done >= SURFACES
    assert apart > 0


def test_these_histories_find_a_warning_that_one_try_is_left(twins, monkeypatch):
    """A kindness that tells the threshold, planted."""
    plain = answers._after_wrong

    def warning(scene, before):
        counters = scene.table.counters
        one_left = any(
            count.wrong + 1 == stage.wrong for row in scene.rows.values() for name, count in row.counts.items() if name in counters
            for stage in counters[name].stages
        )
        return Message.TRY_AGAIN if one_left else plain(scene, before)

    monkeypatch.setattr(answers, "_after_wrong", warning)
    with pytest.raises(AssertionError, match="try-again"):
        walk(twins)


def in_writing(twins):
    """Every form of the policy entered for somebody and for his account, and a code for a device sent: how many letters it made."""
    one = person()
    held = [item for item in sorted(one.secrets()) if item in twins.table.items and item != "login-password"]
    for twin in twins.both:
        twin.enrolled(one, *held)
    for language, subject in (("ja", one.subject), ("en", one.account_subject)):
        staff = f"/v1/staff/subjects/{quote(subject, safe='')}"
        for form in (path.name for path in twins.table.paths.values() if path.kind is PathKind.FORM):
            body = {"form": form, "reason": "it came by post", "language": language}
            status, *_, told = twins.ask("POST", f"{staff}/forms", json.dumps(body), by="endo")
            if status == 202:
                twins.ask("POST", f"/v1/staff/approvals/{json.loads(told)['approval']}", by="fujii")
        twins.ask("POST", f"{staff}/app-codes", json.dumps({"reason": "asked for on paper", "language": language}), by="endo")
    return sum(len(twins.letters(subject)) for subject in (one.subject, one.account_subject))


def test_D1_letters_are_the_same_files_under_other_figures(twins):
    """What paper brings and what sets up a device, in both languages: byte for byte as they go to the printer."""
    assert in_writing(twins) >= 3


def test_a_letter_that_tells_a_threshold_is_found(twins, monkeypatch):
    """Planted: the name of what it brings, with the figure of a row behind it."""
    plain = outbox._Take.decide

    def telling(work, tx):
        taken = plain(work, tx)
        figure = next(counter.stages[0].wrong for counter in tx.table.counters.values() if counter.stages)
        return taken and taken._replace(about=Text(f"{taken.about.ja} {figure}", f"{taken.about.en} {figure}"))

    monkeypatch.setattr(outbox._Take, "decide", telling)
    with pytest.raises(Apart):
        in_writing(twins)
