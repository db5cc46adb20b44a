"""The bank's own ceiling in the ledger: whatever nodes say, spend, forget or take with them when they die, it is never passed."""

import random

import pytest
from scale import times
from tables import ask_more, counter, stage

from sekisho.core import budget
from sekisho.core.ceiling import LEASE_S, PART, Account, settle
from sekisho.core.state import SECOND, Guard, Leases
from sekisho.events import EventKind
from sekisho.terms import Counting

FIGURE, WINDOW_S = 60, 3600


def ceiling(*stages, window_s=WINDOW_S):
    found = stages or [stage(FIGURE, ask_more("login", for_s=600), row="SWEEP")]
    return counter("sweep", "bank", *found, counting=Counting.WITHIN, window_s=window_s)


class Bank:
    """The ledger's side, with a clock of its own."""

    def __init__(self, one=None):
        self.counter, self.guard, self.leases, self.now, self.events = one or ceiling(), Guard(known=True), Leases(), 10**15, []

    def account(self, node, **told):
        self.now += 1
        grant, events = settle(self.guard, self.leases, self.counter, node, Account(**told), self.now)
        self.events += [event.kind for event in events]
        return grant

    def wait(self, seconds):
        self.now += int(seconds * SECOND)

    @property
    def count(self):
        return self.guard.counts["sweep"]


def test_a_block_is_a_part_of_what_is_left():
    bank = Bank()
    assert [bank.account(f"node {n}", wish=1000).more for n in range(3)] == [15, 12, 9]
    assert bank.count.flight == 36 and bank.count.wrong == 0
    assert bank.account("node 9", wish=2).more == 2


def test_all_of_it_can_be_had_to_the_last_one():
    bank, held = Bank(), 0
    while (more := bank.account("node", wish=1000, holds=held).more):
        held += more
    assert held == FIGURE and bank.account("another", wish=1).more == 0
    assert bank.account("node", spent=1, holds=held - 1, wish=1).more == 0


def test_what_was_not_spent_goes_to_others():
    bank = Bank()
    bank.account("node", wish=8)
    bank.account("node", returned=8)
    assert (bank.count.wrong, bank.count.flight, bank.leases.nodes["sweep"]) == (0, 0, {})


def test_a_dead_node_s_block_counts_as_wrong_when_its_lease_ends():
    bank = Bank()
    bank.account("dead", wish=15)
    bank.wait(LEASE_S)
    bank.account("alive", wish=0)
    assert (bank.count.wrong, bank.count.flight) == (15, 0)


def test_a_node_that_was_away_too_long_has_lost_what_it_held():
    bank = Bank()
    bank.account("slow", wish=15)
    bank.wait(LEASE_S + 1)
    grant = bank.account("slow", spent=3, holds=12, wish=5)
    assert grant.lapsed and grant.more == 5 and bank.count.wrong == 15


def test_what_a_node_does_not_account_for_it_has_spent():
    bank = Bank()
    bank.account("node", wish=10)
    assert not bank.account("node", holds=4).lapsed
    assert (bank.count.wrong, bank.count.flight) == (6, 4)


def test_what_was_not_wrong_after_all_is_taken_from_the_oldest():
    bank = Bank(ceiling(window_s=3200))
    for _ in range(2):
        bank.account("node", wish=5)
        bank.account("node", spent=5)
        bank.wait(1600)
    bank.account("node", back=3)
    assert bank.count.wrong == 7
    bank.wait(1300)
    bank.account("node")
    assert bank.count.wrong == 5


def test_what_was_zeroed_meanwhile_does_not_come_back():
    bank = Bank()
    bank.account("node", wish=5)
    run = bank.account("node", spent=5).run
    budget.zero(bank.count)
    bank.account("another", wish=3)
    bank.account("another", spent=3)
    bank.account("node", back=5, run=run)
    assert bank.count.wrong == 3


def test_the_limit_is_told_once_and_falls_once():
    bank = Bank()
    bank.account("node", wish=1)
    for _ in range(40):
        more = bank.account("node", wish=60).more
        grant = bank.account("node", spent=more + (1 if bank.count.wrong == 0 else 0))
    assert bank.count.wrong == FIGURE
    assert bank.events == [EventKind.CEILING_REACHED, EventKind.LOCK_SET]
    (lock,) = grant.locks
    assert (lock.whom, lock.row, lock.operations) == ("unknown", "SWEEP", ["login"])
    bank.wait(601)
    assert bank.account("node", wish=1).more == 1
    assert bank.count.wrong == 0  # `after: zero`
    assert bank.events[-1] is EventKind.LOCK_LIFTED


class Node:
    """A node as it may behave: it spends what it holds while its lease lasts, tells late, or is gone."""

    def __init__(self):
        self.holds = self.spent = self.back = self.until = self.run = 0


class History:
    """What nodes may do at random, and every guess that was wrong, by when it was made."""

    def __init__(self, seed):
        self.chance, self.bank = random.Random(seed), Bank(ceiling(stage(FIGURE, ask_more("login"))))
        self.nodes, self.born, self.wrong = {f"n{n}": Node() for n in range(3)}, 3, []

    def step(self):
        name = self.chance.choice(sorted(self.nodes))
        getattr(self, self.chance.choice(["guess"] * 6 + ["ask"] * 3 + ["wait", "wait", "away", "die", "right"]))(name)

    def guess(self, name):
        node = self.nodes[name]
        for _ in range(self.chance.randint(1, 8)):
            if node.holds and self.bank.now < node.until:
                node.holds, node.spent = node.holds - 1, node.spent + 1
                self.wrong.append(self.bank.now)

    def ask(self, name):
        node = self.nodes[name]
        returned = self.chance.choice([0, 0, node.holds])
        keeps = node.holds - returned
        grant = self.bank.account(
            name, spent=node.spent, returned=returned, holds=keeps, back=node.back, run=node.run, wish=self.chance.choice([0, 1, 16, 100]))
        node.holds = (0 if grant.lapsed else keeps) + grant.more
        node.spent = node.back = 0
        node.until, node.run = grant.until, grant.run

    def right(self, name):
        """One of its guesses, told as spent, was right when it was settled."""
        node = self.nodes[name]
        if node.spent and self.bank.now < node.until:
            self.ask(name)
            self.wrong.pop()
            node.back += 1  # told with the run that it was counted in

    def wait(self, _):
        self.bank.wait(self.chance.choice([0.5, 5, 20]))

    def away(self, _):
        self.bank.wait(self.chance.choice([40, 300, 1800]))

    def die(self, name):
        del self.nodes[name]
        self.nodes[f"n{self.born}"] = Node()
        self.born += 1


@pytest.mark.parametrize("seed", range(times(25, full=3_000)))
def test_no_more_is_ever_wrong_within_the_window_than_the_figure(seed):
    """Counted again from the guesses themselves, one by one."""
    history = History(seed)
    bank = history.bank
    for _ in range(300):
        history.step()
        assert sum(at > bank.now - WINDOW_S * SECOND for at in history.wrong) <= FIGURE
        if "sweep" in bank.guard.counts and not bank.count.fired:
            budget.refresh(bank.count, bank.counter, bank.now)
            assert bank.count.wrong + bank.count.flight <= FIGURE


def test_the_part_leaves_the_others_something():
    assert PART > 1
