"""Walks at random: whatever people may do at a bank's door, in any order, with every count and every lock looked at after each step.

At the end of a walk everybody who is locked out is brought back by a way that the table names, and what was closed goes through.
"""

import re
from typing import NamedTuple

from auditor import SECOND
from bankside import STAFF
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from inspector import SENT
from people import OURS
from walker import BY_BANK, DAY, HOUR, MINUTE, Walk
from waysback import Stuck, Ways

from sekisho.terms import ItemKind, PathKind

NOT_HANGING = {ItemKind.IDENTIFIER, ItemKind.PAIR, ItemKind.DATA, *SENT}
"""What the bank does not compare in a run of ours."""

WAITS_S = [MINUTE, MINUTE, 5 * MINUTE, 11 * MINUTE, 61 * MINUTE, 16 * MINUTE, 31 * MINUTE, 9 * HOUR, DAY, 3 * DAY, 31 * DAY]
"""The later, the rarer."""

OFTEN = {
    "attack": 8, "enter": 5, "guess": 2, "enter_together": 2, "repeat": 1, "send_again": 1, "at_the_bank": 2, "begin": 1, "go_through": 2,
    "wait": 2, "take_over": 2, "staff": 2, "bring_back": 2, "incident": 1, "stop": 1, "end_sessions": 1, "another_policy": 1,
}
"""What happens, and how often beside the rest."""

OPERATORS = sorted(STAFF)


class Drawn(NamedTuple):
    """What chance gives to one step: people by number, three numbers to choose by, yes or no."""

    who: int
    whom: int
    what: int
    which: int
    times: int
    yes: bool


DRAWN = st.builds(
    Drawn, who=st.sampled_from([0, 0, 1, 1, 2, 3]), whom=st.integers(0, 3), what=st.integers(0, 99), which=st.integers(0, 5),
    times=st.integers(1, 12), yes=st.booleans(),
)


class Walks(RuleBasedStateMachine):
    """One walk. `house` and `source`, the policy's text, are given by `walks`."""

    house = None
    source = b""
    walking = Walk

    @initialize(without=st.booleans())
    def people_come(self, without):
        table = self.house.read(self.source)
        if self.house.app.table.version != table.version:
            self.house.put_in_force(self.source)
        self.walk = self.walking(self.house, table)
        self.ways = Ways(self.walk)
        codes = [item.name for item in table.items.values() if item.kind is ItemKind.PIN and str(item.reach) == "app"] if without else []
        self.walk.join("customer", without=codes)
        self.walk.join("customer", [f"exemption:{name}" for name in table.exemptions])
        self.walk.join("holder")
        self.walk.join("stranger")
        self.open_runs = []
        self.asked = []
        self.shifted = False
        self.waited = 0

    @rule(happens=st.sampled_from([name for name, often in OFTEN.items() for _ in range(often)]), drawn=DRAWN)
    def step(self, happens, drawn):
        getattr(self, happens)(drawn)

    # -- whom and what it is about

    def person(self, n):
        return self.walk.people[n % len(self.walk.people)]

    def operation(self, n):
        names = sorted(self.walk.table.operations)
        return self.walk.table.operations[names[n % len(names)]]

    def has_about(self, operation):
        return any(row.about for rows in operation.rows.values() for row in rows)

    def run_of(self, n):
        """Mostly one that goes on, now and then one that is over; None where there is none yet."""
        live = [run for run in self.open_runs[-8:] if self.lives(run)]
        runs = live if live and n else self.open_runs
        return runs[-1 - n % len(runs)] if runs else None

    def lives(self, run):
        return self.walk.inspector.lives(self.walk.inspector.runs[run], self.walk.now)

    def item_of(self, run, n):
        """Mostly what the run asks for, now and then anything of its operation."""
        awaited = self.walk.inspector.awaited(run)
        if awaited and n % 6:
            return awaited[n % len(awaited)]
        rows = sorted(self.walk.table.operations[self.walk.inspector.runs[run].operation].rows)
        return rows[n % len(rows)]

    def lock_of(self, n):
        """One of the locks that stand on somebody here."""
        locks = [lock for lock in self.walk.inspector.locks if lock.stands(self.walk.now) and lock.key in self.walk.whose]
        return locks[n % len(locks)] if locks else None

    # -- customers, and those who are none

    def begin(self, drawn, *, named=None):
        """Somebody begins an operation: from a device of his own or another's, by name or not, in his newest session."""
        person, other, operation = self.person(drawn.who), self.person(drawn.whom), self.operation(drawn.what)
        about = other if self.has_about(operation) and other is not person and other.kind != "stranger" else None
        if self.has_about(operation) and about is None:
            return None
        own = set(person.subjects().values())
        sessions = [key for key, (subject, _) in self.walk.inspector.sessions.items() if subject in own]
        named = drawn.yes if named is None else named
        named = named or operation.session or self.walk.table.items[operation.steps[0].items[0]].names is None
        run = self.walk.begin(
            person, operation.name, session=sessions[-1] if operation.session and sessions else None, about=about,
            device=other.device if drawn.which == 0 else None, named=named)
        if run is not None:
            self.open_runs.append(run)
        return run

    def attack(self, drawn):
        """Somebody goes some steps rightly and guesses at the next, in one run after the other."""
        if drawn.which and self.person(drawn.who).kind == "customer" and not self.ways.open_session(self.person(drawn.who)):
            self.log_in(drawn)
        run = self.begin(drawn, named=True)
        for _ in range(drawn.which):
            if run is None or not self.lives(run) or not self.ways.one_right(run):
                break
        for n in range(drawn.times):
            if run is not None and not self.lives(run):
                run = self.begin(drawn, named=True) if drawn.which == 0 or n % 3 == 0 else None
            if run is None or not self.wrong(run, n):
                break

    def wrong(self, run, n):
        """One wrong entry of what the run asks for: whether there was one."""
        awaited = self.walk.inspector.awaited(run)
        return bool(awaited) and self.entered(run, awaited[n % len(awaited)], right=False)

    def entered(self, run, item, *, right, send=True):
        """One entry, right where that is possible: whether there was one."""
        kind = self.walk.table.items[item].kind
        if send:
            self.walk.prepare(run, item)
        if kind in BY_BANK:
            name = self.walk.reserve(run, item)
            if name is not None:
                self.walk.verdict(name, "right" if right else "wrong")
            return name is not None
        right = right and self.walk.can(run, item)
        if not right and not self.walk.can_be_wrong(run, item):
            return False
        self.walk.enter(run, item, right=right)
        return True

    def enter(self, drawn):
        run = self.run_of(drawn.which)
        if run is not None:
            self.entered(run, self.item_of(run, drawn.what), right=drawn.yes, send=drawn.times > 2)

    def guess(self, drawn):
        """Wrong ones in a row, also where the run is over."""
        run = self.run_of(drawn.which)
        for _ in range(drawn.times if run is not None else 0):
            self.entered(run, self.item_of(run, drawn.what), right=False)

    def enter_together(self, drawn):
        run = self.run_of(drawn.which)
        if run is None:
            return
        item = self.item_of(run, drawn.what)
        self.walk.prepare(run, item)
        right = drawn.yes and self.walk.can(run, item)
        if self.walk.table.items[item].kind not in BY_BANK and (right or self.walk.can_be_wrong(run, item)):
            self.walk.together(run, item, 1 + drawn.times // 2, right=right)

    def repeat(self, drawn):
        del drawn
        if self.walk.last is not None:
            self.walk.repeat()

    def send_again(self, drawn):
        run = self.run_of(drawn.which)
        items = [] if run is None else [item for item in self.walk.inspector.awaited(run) if self.walk.table.items[item].kind in SENT]
        if items:
            self.walk.send(run, items[drawn.what % len(items)], drawn.times)

    def at_the_bank(self, drawn):
        """The bank takes a guess and lets it hang; or gives the verdict on one that hangs."""
        if self.walk.held and drawn.times % 3:
            return self.walk.verdict(next(iter(self.walk.held)), ("right", "wrong", "unread")[drawn.what % 3])
        run = self.run_of(drawn.which)
        item = None if run is None else self.item_of(run, drawn.what)
        if item is not None and self.walk.table.items[item].kind not in NOT_HANGING and len(self.walk.held) < 2:
            self.walk.reserve(run, item)
        return None

    def log_in(self, drawn):
        person = self.person(drawn.who)
        if self.ways.may_go(person, self.walk.table.operations[self.ways.login]):
            self.gone_through(self.ways.session, person)

    def go_through(self, drawn):
        """A customer does what he came for, where nothing closes it."""
        person, operation = self.person(drawn.who), self.operation(drawn.what)
        about = self.person(drawn.whom) if self.has_about(operation) else None
        if self.ways.may_go(person, operation, about):
            self.gone_through(self.ways.through, person, operation.name, about)

    def gone_through(self, way, *whom):
        """Who cannot go on complains, unless a lock stands that the table gives no way out of."""
        try:
            way(*whom)
        except Stuck as no:
            if not any(self.walk.without_way(held) for held in self.walk.inspector.locks):
                self.walk.complain(f"{whom[-1]} cannot go on: {no}")

    def stop(self, drawn):
        self.walk.stop(self.person(drawn.who), self.person(drawn.whom), known=drawn.yes, at_the_desk=drawn.what % 2 == 0)

    def end_sessions(self, drawn):
        for key in list(self.walk.inspector.sessions)[drawn.what % 2::2]:
            if self.house.call("DELETE", f"/v1/sessions/{key}").status_code == 200:
                self.walk.inspector.ended.add(key)

    # -- time and the bank

    def wait(self, drawn):
        seconds = WAITS_S[min(drawn.times, drawn.what % 12) % len(WAITS_S)]
        self.waited += seconds
        # What nobody has enrolled is forgotten some day; no walk is that long.
        if self.waited < self.walk.table.retention_s["strangers"]:
            self.walk.wait(seconds)

    def another_policy(self, drawn):
        """The same table with every threshold moved, once a walk."""
        if not self.shifted and drawn.which == 0:
            self.shifted = True
            by = -2 if drawn.yes else 1
            source = re.sub(rb"(wrong: )(\d+)", lambda found: b"%s%d" % (found[1], max(1, int(found[2]) + by)), self.source)
            self.walk.inspector.table = self.house.put_in_force(source)
            self.walk.wait(0)

    def take_over(self, drawn):
        """From another system: a count that lacks little of its lowest stage, or has it; or a lock."""
        person = self.person(drawn.who)
        counters = [one for one in self.walk.table.counters.values() if str(one.reach) in OURS and one.stages]
        if drawn.which < 4:
            self.walk.take_over_count(person, counters[drawn.what % len(counters)], drawn.which % 3)
        else:
            self.walk.take_over_lock(person, drawn.what)

    def staff(self, drawn):
        """Somebody of the staff asks for a release, by some path, or agrees to one: done only where the table says so."""
        operator = OPERATORS[drawn.times % len(OPERATORS)]
        if self.asked and drawn.yes:
            return self.walk.approve(*self.asked.pop(), operator)
        held = self.lock_of(drawn.which)
        if held is None:
            return None
        paths = [*self.walk.inspector.origins[held].undo * 5, *sorted(self.walk.table.paths)]
        name = paths[drawn.what % len(paths)]
        answer = self.walk.release(held, name, operator)
        if answer.status_code == 200:
            self.walk.lifted(held, name)
        elif answer.status_code == 202 and self.walk.table.paths[name].kind is PathKind.FORM:
            # One form of a kind waits at a time; this one does not wait long.
            self.walk.approve(held, name, operator, answer, OPERATORS[drawn.what % len(OPERATORS)])
        elif answer.status_code == 202:
            self.asked.append((held, name, operator, answer))
        return None

    def incident(self, drawn):
        """Of the locks of a row, those that fell since one of them: now and then only those of more than an hour ago."""
        held = self.lock_of(drawn.which)
        until = self.walk.now - (HOUR * SECOND if drawn.times == 1 else 1)
        if held is not None and held.since < until:
            self.walk.incident(held, until)

    def bring_back(self, drawn):
        held = self.lock_of(drawn.which)
        if held is not None:
            self.back(held, drawn.what)

    def back(self, held, first):
        """One who is locked out goes a way back and gets in; or the table gives none, and staff see that."""
        person = self.walk.whose.get(held.key)
        if person is None or person.kind == "stranger" or "?" in held.key or not held.stands(self.walk.now):
            return
        try:
            self.ways.bring_back(held, first)
            self.ways.get_in(held)
        except Stuck as no:
            if not any(self.walk.without_way(lock) for lock in self.walk.inspector.locks):
                self.walk.complain(f"no way back: {no}")

    # -- what must hold

    @invariant()
    def check(self):
        assert not hasattr(self, "walk") or not self.walk.complaints, self.walk.complaints

    def teardown(self):
        if hasattr(self, "walk") and not self.walk.complaints:
            self.walk.look_around()
            for number, held in enumerate(list(self.walk.inspector.locks)):
                if held in self.walk.inspector.locks:
                    self.back(held, number)
            self.check()


def walks(house, source, walking=Walk):
    """The machine that walks in a house under a policy."""
    return type("Walks", (Walks,), {"house": house, "source": source, "walking": walking})


def complaints(machine, **options):
    """What is found wrong in walks at random; nothing where all is well."""
    try:
        run_state_machine_as_test(machine, settings=settings(**options))
    except AssertionError as no:
        return [str(no) or "a walk went amiss"]
    return []
