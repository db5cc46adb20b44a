"""The guess bound is the most that anybody gets: no order of moves gives more, and somebody gets as much."""

import random

import pytest
from scale import times
from small_policies import HORIZON_S, ITEM, Search, TooMany, policy

from sekisho.proof.guesses import most_within

pytestmark = pytest.mark.timeout(times(300, full=7_200))

POLICIES = times(200, full=2_000)


def compared(waiting):
    """(seed, bound, exact, most by exhaustive search) of small policies."""
    for seed in range(POLICIES):
        table = policy(random.Random(seed))
        found = most_within(table, ITEM, HORIZON_S, waiting=waiting)
        try:
            truth = Search(table).most(waiting=waiting)
        except TooMany:
            continue
        yield seed, float("inf") if found.guesses is None else found.guesses, found.exact, truth


@pytest.mark.parametrize("waiting", [False, True])
def test_the_bound_is_what_the_search_through_every_order_finds(waiting):
    seen = list(compared(waiting))
    assert len(seen) > 0.9 * POLICIES
    assert [one for one in seen if one[1] < one[3]] == [], "more guesses than the bound allows"
    assert [one for one in seen if one[1] != one[3]] == [], "a bound that nobody reaches"
