"""Policies that nobody would write, but may: figures of one and two, counts within counts, one item in operations with other counts, what is
about somebody else, counts of an app and of whoever types.

Each is made from a few words, written down as a policy file, loaded as any other, and played at random by somebody who guesses at
several customers at once, in parallel. Beside it a naive count, which knows the few words and nothing of the policy's table, says what may
be looked at; at the end the desk lifts every lock, and nobody may be left without a way on.
"""

import json
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import pytest
import ruamel.yaml
from play import START
from scale import times

from sekisho.core import attempt, release
from sekisho.core.state import SECOND, Guard, Procedure, decode, encode
from sekisho.flows.subjects import Facts, Subjects, concerned
from sekisho.policy import compile_policy, parse
from sekisho.terms import Verdict

SMALL = Path(__file__).parent.parent / "policy" / "small.yaml"
MINUTE, HOUR, DAY = 60, 3600, 86_400
IN_A_ROW, IN_TOTAL, A_DAY = "in_a_row", "in_total", "within"
END = "end"
KINDS = ("customer", "account", "app")
ITEMS = {"password": ("password", "customer"), "pin": ("pin", "account"), "passcode": ("passcode", "app")}
OPERATIONS = ("login", "inquire", "register")
TEXT = {"ja": "何か", "en": "Something"}


class Stage(NamedTuple):
    """At this figure an operation or an item is closed, for so long or until it is lifted; or the run ends."""

    wrong: int
    closes: str
    for_s: int | None = None
    keeps: bool = False


class Count(NamedTuple):
    """Whose count, how it forgets, what it leads to."""

    of: str
    how: str
    stages: tuple


class Row(NamedTuple):
    """Which counts an entry of an item in an operation touches, and whether it is about another than the caller."""

    operation: str
    item: str
    counts: tuple
    about: bool = False


# -- as a policy file


def written(counts, rows):
    """The policy file of these counts and rows."""
    file = ruamel.yaml.YAML(typ="safe").load(SMALL.read_text(encoding="utf-8"))
    for section in ("flags", "things", "ceilings", "abolished", "exemptions"):
        file.pop(section)
    file["items"] = {name: {"kind": kind, "of": of, **TEXT} for name, (kind, of) in ITEMS.items()}
    file["counters"] = {name: {"of": one.of, **_how(one)} for name, one in counts.items() if one.of != "procedure"}
    file["procedures"] = {
        "wait": {"kind": "wait", **TEXT}, "start-over": {"kind": "start-over", **TEXT},
        "desk": {"kind": "desk", "roles": ["second-line"], "approve": "two", "clears": ["everything"], **TEXT}}
    file["operations"] = {
        name: {**TEXT, "for": "customer", "in_session": False, "steps": [[row.item for row in rows if row.operation == name]],
               "items": {row.item: _row(row, counts) for row in rows if row.operation == name}}
        for name in dict.fromkeys(row.operation for row in rows)}
    file["emergency_stop"]["penalty"] = [{"block": "everything"}]
    file["forms"] = {}
    return json.dumps(file, ensure_ascii=False)


def _how(count):
    return {"within": "1d"} if count.how == A_DAY else {count.how: True}


def _row(row, counts):
    stages = [_stage(name, counts[name], one) for name in row.counts for one in counts[name].stages]
    return {"row": f"{row.operation}-{row.item}", "stages": stages, **({"about": True} if row.about else {})}


def _stage(name, count, one):
    whose = {"of": "procedure"} if count.of == "procedure" else {"count": name}
    if one.closes == END:
        return {"wrong": one.wrong, **whose, "penalty": ["end-session"], "undo": ["start-over"]}
    closes = {"disable": one.closes} if one.closes in ITEMS else {"lock": one.closes}
    timed = {} if one.for_s is None else {"for": f"{one.for_s // MINUTE}m"}
    after = {} if one.for_s is None else {"after": "keep" if one.keeps else "zero"}
    return {"wrong": one.wrong, **whose, "penalty": [{**closes, **timed}], "undo": ["wait" if timed else "desk"], **after}


# -- counted naively


class Lock(NamedTuple):
    """What is closed to whom, until when, and the count it came from."""

    subject: str
    closes: str
    until: int | None
    place: tuple


class Naive:
    """Counts on its fingers: by (count, subject), the wrong entries that stand."""

    def __init__(self, counts, rows):
        self.counts = counts
        self.rows = {(row.operation, row.item): row for row in rows}
        self.standing = defaultdict(list)
        self.flight = Counter()
        self.fired = Counter()
        self.ends = {}
        self.locks = []
        self.over = set()
        self.entries = 0

    def places(self, facts, item):
        row = self.rows[facts.operation, item]
        return [(name, self._whose(facts, self.counts[name].of, row)) for name in row.counts]

    @staticmethod
    def _whose(facts, of, row):
        if of == "procedure":
            # Such a count is one row's own.
            return f"{facts.key}/{row.item}"
        return facts.subjects[f"about:{of}" if row.about and of in KINDS else of]

    def closed(self, facts, item):
        """Whether the run is over or a lock is in the way."""
        whom = set(facts.subjects.values())
        return facts.key in self.over or any(lock.subject in whom and lock.closes in {item, facts.operation} for lock in self.locks)

    def may(self, facts, item, now):
        """Whether an entry may be looked at."""
        self.passes(now)
        return not self.closed(facts, item) and all(self._left(place) > 0 for place in self.places(facts, item))

    def _left(self, place):
        above = [one.wrong for one in self.counts[place[0]].stages if one.wrong > self.fired[place]]
        return min(above, default=0) - len(self.standing[place]) - self.flight[place]

    def take(self, facts, item):
        """An entry is in flight: what a right one will take back."""
        places = self.places(facts, item)
        self.flight.update(places)
        return [(place, [one for one in self.standing[place] if one[1] == item]) for place in places]

    def settle(self, facts, item, taken, verdict, now):
        """It has its verdict."""
        self.passes(now)
        self.flight.subtract(place for place, _ in taken)
        void = self.closed(facts, item)
        for place, before in taken:
            if verdict == "wrong":
                self.entries += 1
                self.standing[place].append((now, item, self.entries))
                self._fall(place, facts, now)
            elif verdict == "right" and not void and self.counts[place[0]].how == IN_A_ROW:
                self.standing[place] = [one for one in self.standing[place] if one not in before]
                if before and not self.standing[place]:
                    self._zero(place)

    def _fall(self, place, facts, now):
        for one in sorted(self.counts[place[0]].stages):
            if self.fired[place] < one.wrong <= len(self.standing[place]):
                self.fired[place] = one.wrong
                if one.closes == END:
                    self.over.add(facts.key)
                    continue
                until = None if one.for_s is None else now + one.for_s * SECOND
                self.locks.append(Lock(place[1], one.closes, until, place))
                if until is not None and not one.keeps:
                    self.ends[place] = min(until, self.ends.get(place, until))

    def _zero(self, place):
        self.standing[place] = []
        self.fired[place] = 0
        self.ends.pop(place, None)

    def passes(self, now):
        self.locks = [lock for lock in self.locks if lock.until is None or now < lock.until]
        for place in [place for place, at in self.ends.items() if at <= now]:
            self._zero(place)
        for place, entries in self.standing.items():
            if self.counts[place[0]].how == A_DAY and entries and entries[0][0] <= now - DAY * SECOND:
                self.standing[place] = [one for one in entries if one[0] > now - DAY * SECOND]
                self.fired[place] = min(self.fired[place], len(self.standing[place]))
                if not self.standing[place]:
                    self._zero(place)

    def at_the_edge(self, now):
        """Something that stands is about a day old: the bank may forget it a little late, so nobody looks just then."""
        old = [now - one[0] for place, entries in self.standing.items() if self.counts[place[0]].how == A_DAY for one in entries]
        return any(age > 0.9 * DAY * SECOND for age in old)

    def lift(self):
        """The desk lifts whatever stands."""
        for lock in self.locks:
            self._zero(lock.place)
        self.locks = []


# -- played


class Bank:
    """The rows, the core that decides on them, and the clock."""

    def __init__(self, table, enrolled):
        self.table = table
        self.rows = {}
        self.now = START
        self.subjects = Subjects(b"k" * 32)
        self.links = {name: {kind: f"{kind}:{number}" for kind in KINDS if kind != name.partition(":")[0]}
                      for number in enrolled for name in (f"{kind}:{number}" for kind in KINDS)}
        self.rows = {name: encode(Guard(known=True, links=links)) for name, links in self.links.items()}

    def get(self, key, kind):
        body = self.rows.get(key)
        return None if body is None else decode(body, kind)

    def begin(self, operation, number, about, actor):
        """A run that the bank leads: any item of the operation may come."""
        self.now += 1
        found, subject = self.table.operations[operation], f"customer:{number}"
        about = None if about is None else f"account:{about}"
        subjects = concerned(self.table, found, subject, about, self.links.get(subject, {}), self.links.get(about, {}), actor, None)
        facts = Facts(f"procedure:{len(self.rows)}", operation, subjects, None, "")
        self.rows[facts.key] = encode(Procedure(
            operation=operation, digest=found.digest, subjects=subjects, led=True, started=self.now, expires=1 << 62))
        return facts

    def _scene(self, facts):
        self.now += 1
        return self.subjects.scene(self, facts, self.table.operations[facts.operation], self.get(facts.key, Procedure))

    def _keep(self, scene):
        self.rows.update({key: encode(scene.rows[key]) for key in scene.touched})

    def offer(self, facts, item):
        scene = self._scene(facts)
        said = attempt.reserve(scene, item)
        self._keep(scene)
        return said if isinstance(said, attempt.Granted) else None

    def settle(self, facts, granted, verdict):
        scene = self._scene(facts)
        attempt.settle(scene, granted, Verdict(verdict))
        self._keep(scene)

    def lift(self):
        guards = {key: decode(body, Guard) for key, body in self.rows.items() if not key.startswith("procedure:")}
        for key, guard in guards.items():
            for one in [one for one in guard.locks if one.stands(self.now)]:
                release.lift(key, guard, one, guards, self.table, lambda _event: None, path="desk")
        self.rows.update({key: encode(guard) for key, guard in guards.items()})


class Walk:
    """Somebody who guesses, and the naive count beside him."""

    def __init__(self, counts, rows, chance):
        self.counts, self.rows, self.chance = counts, rows, chance
        self.bank = Bank(compile_policy(parse(written(counts, rows))), enrolled=(1, 2))
        self.naive = Naive(counts, rows)
        self.flying = []
        self.runs = []
        self.looked_at = 0

    def run(self):
        """One that goes on, or a new one: at one of three people, one of whom nobody knows."""
        chance = self.chance
        if self.runs and chance.random() < 0.4:
            return chance.choice(self.runs)
        operation = chance.choice(sorted({row.operation for row in self.rows}))
        about = any(row.about for row in self.rows if row.operation == operation)
        self.runs.append(self.bank.begin(operation, chance.choice((1, 1, 2, 9)), chance.choice((1, 2)) if about else None, chance.choice(("actor:x", "actor:y"))))
        return self.runs[-1]

    def item(self, facts):
        return self.chance.choice([row.item for row in self.rows if row.operation == facts.operation])

    def offer(self, facts, item):
        allowed = self.naive.may(facts, item, self.bank.now + 1)
        granted = self.bank.offer(facts, item)
        assert (granted is not None) is allowed, (self.counts, self.rows, facts.operation, item, facts.subjects)
        if granted is not None:
            self.looked_at += 1
            self.flying.append((facts, item, granted, self.naive.take(facts, item)))

    def settle(self, verdict):
        facts, item, granted, taken = self.flying.pop(self.chance.randrange(len(self.flying)))
        self.bank.settle(facts, granted, verdict)
        self.naive.settle(facts, item, taken, verdict, self.bank.now)

    def wait(self):
        self.bank.now += self.chance.choice((1, 11 * MINUTE, 61 * MINUTE)) * SECOND
        if self.naive.at_the_edge(self.bank.now):
            self.bank.now += 2 * DAY * SECOND

    def lift(self):
        self.naive.passes(self.bank.now)
        self.naive.lift()
        self.bank.lift()

    def step(self):
        did = self.chance.random()
        if did < 0.08:
            self.wait()
        elif did < 0.11:
            self.lift()
        elif did < 0.5 and self.flying:
            self.settle(self.chance.choice(("wrong", "wrong", "wrong", "wrong", "right", "unread")))
        else:
            facts = self.run()
            self.offer(facts, self.item(facts))

    def nobody_is_left_out(self):
        """Nothing in flight, every lock lifted: whoever comes is looked at."""
        while self.flying:
            self.settle("unread")
        self.lift()
        for row in self.rows:
            for number in (1, 2, 9):
                facts = self.bank.begin(row.operation, number, 2 if row.about or self._is_about(row) else None, "actor:x")
                self.offer(facts, row.item)
                assert self.flying, (self.counts, self.rows, row, number)
                self.settle("unread")

    def _is_about(self, row):
        return any(one.about for one in self.rows if one.operation == row.operation)


def lock(wrong, closes, for_s=None, *, keeps=False):
    return Stage(wrong, closes, for_s, keeps)


def count(of, how, *stages):
    return Count(of, how, stages)


ODD = {
    "the first wrong one closes": (
        {"a": count("customer", IN_A_ROW, lock(1, "login", 10 * MINUTE)), "b": count("customer", IN_TOTAL, lock(2, "password"))},
        [Row("login", "password", ("a", "b"))]),
    "one count within another": (
        {"a": count("customer", IN_A_ROW, lock(2, "login", 10 * MINUTE)), "b": count("customer", A_DAY, lock(3, "login", HOUR), lock(4, "password")),
         "c": count("customer", IN_TOTAL, lock(7, "inquire"))},
        [Row("login", "password", ("a", "b", "c")), Row("inquire", "password", ("b", "c"))]),
    "one item under other counts elsewhere": (
        {"a": count("customer", IN_A_ROW, lock(3, "login")), "b": count("account", IN_A_ROW, lock(2, "inquire", HOUR)), "c": count("app", IN_TOTAL, lock(2, "register"))},
        [Row("login", "password", ("a",)), Row("inquire", "password", ("b",)), Row("register", "password", ("a", "c"))]),
    "several items on one count": (
        {"a": count("account", IN_A_ROW, lock(2, "inquire", HOUR, keeps=True), lock(4, "login"))},
        [Row("login", "password", ("a",)), Row("login", "pin", ("a",)), Row("inquire", "pin", ("a",)), Row("inquire", "passcode", ("a",))]),
    "about somebody else": (
        {"a": count("account", IN_A_ROW, lock(2, "register")), "b": count("customer", IN_TOTAL, lock(3, "pin")), "c": count("actor", A_DAY, lock(5, "register", HOUR))},
        [Row("register", "pin", ("a", "b", "c"), about=True), Row("register", "password", ("b",)), Row("login", "pin", ("a",))]),
    "an app, whoever types, one run": (
        {"a": count("app", IN_A_ROW, lock(1, "passcode")), "b": count("actor", IN_TOTAL, lock(4, "login")), "c": count("procedure", IN_TOTAL, Stage(2, END))},
        [Row("login", "passcode", ("a", "b", "c")), Row("login", "password", ("b", "c")), Row("inquire", "password", ("b",))]),
}


def drawn(chance):
    """Counts and rows as it comes."""
    rows = [Row(operation, item, (), about=operation == "register" and chance.random() < 0.5)
            for operation in OPERATIONS[:chance.randint(1, 3)] for item in chance.sample(sorted(ITEMS), chance.randint(1, 2))]
    closable = [*dict.fromkeys(row.operation for row in rows), *dict.fromkeys(row.item for row in rows)]
    counts = {f"count-{number}": _drawn_count(chance, closable) for number in range(chance.randint(1, 4))}
    of_runs = {"run": count("procedure", IN_TOTAL, Stage(chance.randint(1, 3), END))}
    return {**counts, **of_runs}, [
        row._replace(counts=(*chance.sample(sorted(counts), chance.randint(1, len(counts))), *(["run"] if chance.random() < 0.3 else [])))
        for row in rows]


def _drawn_count(chance, closable):
    figures = sorted(chance.sample(range(1, 6), chance.randint(1, 2)))
    stages = []
    for figure in figures:
        length = chance.choice((None, 10 * MINUTE, HOUR))
        stages.append(lock(figure, chance.choice(closable), length, keeps=length is not None and figure != figures[-1] and chance.random() < 0.5))
    return count(chance.choice(("customer", "customer", "account", "app", "actor")), chance.choice((IN_A_ROW, IN_A_ROW, IN_TOTAL, A_DAY)), *stages)


def played(counts, rows, seed, steps):
    walk = Walk(counts, rows, random.Random(seed))
    for _ in range(steps):
        walk.step()
    walk.nobody_is_left_out()
    return walk.looked_at


@pytest.mark.parametrize("name", ODD)
def test_an_odd_policy_gives_neither_a_guess_too_many_nor_one_too_few(name):
    counts, rows = ODD[name]
    assert all(played(counts, rows, seed, 150) > 10 for seed in range(times(2, full=200)))


def test_nor_does_one_that_is_drawn_at_random():
    looked_at = [played(*drawn(random.Random(seed)), seed, 80) for seed in range(times(12, full=2_000))]
    assert sum(looked_at) > 10 * len(looked_at)
