"""What another system left, taken over onto a row: a naive auditor who only ever adds counts every history alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import DAY, block, counter, erase, lock, stage

from sekisho.core import budget
from sekisho.core.state import SECOND, Count, Guard, Lock
from sekisho.core.takeover import legacy, raise_count, set_legacy
from sekisho.policy import compile_policy, load, reference
from sekisho.terms import Counting, PenaltyKind, Verdict

NOW = 1_000 * DAY * SECOND
IN_A_ROW = counter("c", "customer", stage(10, lock("login")))
IN_TOTAL = counter("c", "customer", stage(10, lock("login")), counting=Counting.IN_TOTAL)
WITHIN = counter("c", "customer", stage(10, lock("login")), counting=Counting.WITHIN, window_s=365 * DAY)


class Naive:
    """Keeps a figure for each item, and one for those nobody knows. Clears an item's when it was right."""

    def __init__(self, one):
        self.one = one
        self.of = {}

    @property
    def wrong(self):
        return sum(self.of.values())

    def takes_over(self, wrong, item):
        stands = self.wrong if item is None or self.one is WITHIN else self.of.get(item, 0)
        self.of[item] = self.of.get(item, 0) + max(0, wrong - stands)

    def entered(self, item, verdict):
        if verdict == "wrong":
            self.of[item] = self.of.get(item, 0) + 1
        elif self.one is IN_A_ROW:
            self.of[item] = 0


STEPS = st.lists(st.one_of(
    st.tuples(st.just("import"), st.integers(1, 9), st.sampled_from([None, "password", "code"])),
    st.tuples(st.just("enter"), st.sampled_from(["wrong", "right"]), st.sampled_from(["password", "code"])),
), max_size=12)


@pytest.mark.parametrize("one", [IN_A_ROW, IN_TOTAL, WITHIN], ids=lambda one: one.counting)
@given(steps=STEPS)
def test_imports_and_entries_in_any_order_are_counted_as_the_naive_auditor_counts(one, steps):
    guard, naive = Guard(), Naive(one)
    for what, figure, item in steps:
        before = naive.wrong
        if what == "import":
            raise_count(guard, one, figure, item, NOW)
            naive.takes_over(figure, item)
            assert naive.wrong >= before
        else:
            count = guard.counts.setdefault("c", Count())
            note = budget.reserve(count, "customer:1", one, item)
            budget.settle(count, one, item, note, Verdict(figure), NOW)
            naive.entered(item, figure)
        assert guard.counts["c"].wrong == naive.wrong


POSTAL = compile_policy(load(reference("postal-bank")))


@pytest.mark.parametrize(("row", "kind", "locks"), [
    ("Y-ABOLISHED-1", "customer", ["suspend"]), ("Y-ABOLISHED-1", "account", None), ("Y-ABOLISHED-2", "customer", ["suspend"]),
    ("Y-LOGIN-3", "customer", ["block"]), ("Y-LOGIN-1", "customer", None), ("Y-NOTHING-1", "customer", None),
])
def test_a_row_leaves_the_locks_that_the_table_gives_it_on_the_subject_it_gives_them_to(row, kind, locks):
    found = legacy(POSTAL, row, kind)
    assert (found and [penalty.kind.value for penalty in found.penalties]) == locks


@pytest.mark.parametrize("row", sorted(POSTAL.abolished))
def test_a_lock_is_not_set_a_second_time(row):
    guard, found = Guard(), legacy(POSTAL, row, "customer")
    assert len(set_legacy("customer:1", guard, row, found, NOW - DAY, NOW)) == 1
    assert set_legacy("customer:1", guard, row, found, NOW - DAY, NOW + 1) == []


class Of:
    """The rows of one counter."""

    def __init__(self, *stages):
        self.abolished, self.items = {}, {}
        self.counters = {"c": counter("c", "customer", *stages)}


def test_of_several_stages_of_a_row_the_lock_that_stands_longest_is_set():
    table = Of(stage(3, lock("login", for_s=60), row="R"), stage(5, lock("login", for_s=DAY), row="R"))
    assert legacy(table, "R", "customer").timed_s == DAY
    table = Of(stage(3, lock("login", for_s=60), row="R"), stage(5, block("login"), row="R"))
    assert legacy(table, "R", "customer").timed_s is None


def test_a_timed_lock_ends_when_it_would_have_ended_there():
    guard, found = Guard(), legacy(Of(stage(3, lock("login", for_s=DAY), row="R")), "R", "customer")
    (made,) = set_legacy("customer:1", guard, "R", found, NOW - 3600 * SECOND, NOW)
    assert (made.since, made.until) == (NOW - 3600 * SECOND, NOW + (DAY - 3600) * SECOND)


def test_a_blocked_subject_loses_its_sessions_and_an_erased_item_stays_on_the_lock():
    table = Of(stage(3, block("login"), erase("face"), row="R"))
    guard = Guard()
    made = set_legacy("customer:1", guard, "R", legacy(table, "R", "customer"), NOW - 1, NOW)
    assert ([lock.items for lock in made], guard.valid_after) == ([[], ["face"]], NOW)


def test_a_longer_lock_of_the_same_row_is_set_beside_a_shorter_one():
    found = legacy(Of(stage(3, lock("login", for_s=DAY), row="R")), "R", "customer")
    guard = Guard(locks=[Lock("1", "R", PenaltyKind.LOCK, NOW - DAY * SECOND, [], until=NOW + 1, operations=["login"])])
    assert len(set_legacy("customer:1", guard, "R", found, NOW - 1, NOW)) == 1
