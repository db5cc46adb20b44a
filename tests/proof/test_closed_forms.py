"""What seeded attackers get of the engine, and how often they hit, is what the closed forms say; and so is the proved bound."""

import asyncio
import functools

import pytest
from good_policies import good, loaded
from scale import times

from sekisho.lab.attack import attack, break_in
from sekisho.lab.honest import sigmas
from sekisho.policy import compile_policy
from sekisho.proof.guesses import DAY_S, most_within

HOUR_S = 3_600
DAYS = times(1, full=30)
SEED = next(seed for seed in range(100) if "pin" in good(seed)["items"])


def stage(wrong, lock_s=None, after="zero"):
    """A lock of the card's own function: for a time, or until paper lifts it."""
    if lock_s is None:
        return {"wrong": wrong, "count": "pin-in-a-row", "penalty": [{"disable": "pin"}], "undo": ["form-pin"]}
    return {"wrong": wrong, "count": "pin-in-a-row", "penalty": [{"lock": "card", "for": f"{lock_s}s"}], "undo": ["wait"], "after": after}


@functools.cache
def policy(*stages, kind="pin"):
    """A sound policy, its PIN with these stages in a row; `kind`: another kind of secret in its place."""
    file = good(SEED)
    file["items"]["pin"]["kind"] = kind
    file["counters"]["pin-in-a-row"] = {"of": "account", "in_a_row": True}
    file["operations"]["card"]["items"]["pin"]["stages"] = [stage(*one) for one in stages]
    return compile_policy(loaded(file))


# (stages, attacker, guesses in so many seconds)
COUNTED = {
    "five, and no more": (((5,),), "free", lambda seconds: 5),
    "five every two hours": (((5, 2 * HOUR_S),), "free", lambda seconds: 5 * -(-seconds // (2 * HOUR_S))),
    "five every half hour": (((5, 1_800),), "free", lambda seconds: 5 * -(-seconds // 1_800)),
    "five after half an hour, after an hour, and no more": (((5, 1_800, "keep"), (10, 3_600, "keep"), (15,)), "free", lambda seconds: 15),
    "one below the lock for each right entry, and the lock": (((5,),), "waiting", lambda seconds: 4 * -(-seconds // DAY_S) + 5),
}


@pytest.mark.parametrize(("stages", "attacker", "guesses"), COUNTED.values(), ids=COUNTED)
def test_an_attacker_gets_what_the_closed_form_says(stages, attacker, guesses):
    got = asyncio.run(attack(policy(*stages), "pin", attacker, days=DAYS, seed=11))
    assert got.guesses == got.most == guesses(DAYS * DAY_S)


@pytest.mark.parametrize(("stages", "year"), [(((5, 2 * HOUR_S),), 21_900), (((5, 900),), 175_200), (((10, 60),), 5_256_000), (((5,),), 5)])
def test_the_bound_of_a_year_is_the_closed_form(stages, year):
    """Of a throttle that never escalates: tries by periods."""
    found = most_within(policy(*stages), "pin", 365 * DAY_S, waiting=False)
    assert (found.guesses, found.exact) == (year, True)


@pytest.mark.parametrize(("wrong", "part"), [(3, .0804), (5, .111), (12, .185)])
def test_as_many_PINs_are_hit_as_the_likeliest_cover(wrong, part):
    """Of 1,780,587 leaked ones."""
    customers = times(60, full=5_000)
    found = asyncio.run(break_in(policy((wrong,)), "pin", customers, days=1, seed=12))
    assert found.guesses == wrong
    assert sigmas(found.broken, customers, part) < 3


@pytest.mark.parametrize("tries", [5, 10])
def test_as_many_codes_are_hit_as_tries_by_periods_say(tries):
    """1 - (1 - v k / N)^c: v codes valid at once, k tries a period, c periods; codes of two digits, so that there is something to count."""
    customers, live, periods = times(20, full=2_000), 3, 3
    expected = 1 - (1 - live / 100) ** (tries * periods)
    found = asyncio.run(break_in(policy((tries, 8 * HOUR_S), kind="totp"), "pin", customers, days=1, seed=13, digits=2))
    assert found.guesses == tries * periods
    assert 0 < found.broken < customers and sigmas(found.broken, customers, expected) < 3
