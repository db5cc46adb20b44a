"""`sekisho lab attack`: nobody gets more guesses of the engine than was proved, and secrets are hit as often as the closed forms say."""

import asyncio
import functools
import json
import random
import re

import pytest
from click.testing import CliRunner
from scale import times

from sekisho.cli import group
from sekisho.flows.policies import read
from sekisho.lab.attack import ATTACKERS, ENOUGH, attack, break_in, fits, sweep
from sekisho.lab.secrets import Chosen, Drawn, lottery
from sekisho.policy import reference
from sekisho.proof.guesses import guessed

DAYS = times(1, full=60)


@functools.cache
def table(name, *changes):
    text = reference(name).read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return read(text.encode(), f"{name}.yaml")


@functools.cache
def got(name, item, attacker, days=DAYS, **options):
    return asyncio.run(attack(table(name), item, attacker, days=days, seed=1, **options))


ALL = [(name, item, who) for name in ("postal-bank", "major-bank") for item in guessed(table(name)) for who in ATTACKERS if fits(table(name), item, who)]
SOME = times([("postal-bank", item, who) for item in ("login-password", "card-pin") for who in ATTACKERS
              if fits(table("postal-bank"), item, who)] + [("major-bank", "caller-code", "free"), ("major-bank", "login-password", "waiting")], full=ALL)


@pytest.mark.parametrize(("name", "item", "attacker"), SOME)
def test_nobody_gets_more_than_was_proved(name, item, attacker):
    found = got(name, item, attacker)
    assert found.guesses > 0 and found.within


@pytest.mark.parametrize(("name", "item"), [(name, item) for name, item, who in SOME if who == "planned"])
def test_where_the_bound_is_exact_somebody_gets_all_of_it(name, item):
    found = got(name, item, "planned")
    assert found.exact and found.guesses == found.most


@pytest.mark.parametrize(("item", "most"), [("card-pin", 3 * 2 + 4), ("login-password", 100), ("app-passcode", 4 * 2 + 5)])
def test_whoever_waits_for_the_customer_gets_what_was_proved_for_him(item, most):
    assert got("postal-bank", item, "waiting", days=2)[2:4] == (most, most)


def test_what_nothing_bounds_is_guessed_at_without_end():
    found = got("postal-bank-as-found", "mail-otp", "free", days=1)
    assert found.most is None and found.guesses >= ENOUGH


def test_each_lock_that_is_lifted_gives_at_most_what_was_proved_for_a_release():
    without, lifted = (got("postal-bank", "mail-otp", "recovering", days=1, releases=number) for number in (0, 2))
    assert (without.guesses, lifted.guesses, lifted.releases) == (100, 300, 2) and lifted.most == 300


def test_a_code_that_is_sent_anew_brings_no_guess():
    assert got("postal-bank", "mail-otp", "resending", days=.05).guesses == got("postal-bank", "mail-otp", "free", days=.05).guesses == 100


def test_a_count_that_forgets_with_each_code_is_found_out():
    """Were codes counted in their run alone, sending them anew would bring guesses without end: 100 and more in two hours."""
    found = asyncio.run(attack(table("postal-bank-as-found"), "mail-otp", "resending", days=2 / 24, seed=1))
    assert found.most is None and found.guesses > 100


def test_over_sqlite_an_attacker_gets_the_same():
    assert got("postal-bank", "card-pin", "waiting", sqlite=True) == got("postal-bank", "card-pin", "waiting")


# How often secrets are hit.


def within_three(found):
    assert found.expected > 1 and found.sigmas < 3
    return found


def test_PINs_are_hit_as_often_as_the_leaked_list_says():
    found = within_three(asyncio.run(break_in(table("postal-bank"), "card-pin", times(150, full=5_000), days=1, seed=2)))
    assert found.guesses == 4


def test_codes_of_a_token_are_hit_as_often_as_three_of_them_valid_at_once_say():
    """Of three digits, so that there is something to count."""
    found = within_three(asyncio.run(break_in(table("postal-bank"), "token-otp", times(12, full=2_000), days=1, seed=2, digits=3)))
    assert found.guesses == 99


def test_a_sweep_hits_as_many_as_the_closed_form_says():
    found = within_three(asyncio.run(sweep(table("postal-bank"), "card-pin", times(150, full=20_000), each=2, seed=3)))
    assert found.looked_at == found.asked and found.ceiling is None


def test_a_ceiling_over_all_customers_ends_a_sweep():
    low = table("postal-bank", ("wrong: 20000", "wrong: 60"))
    found = asyncio.run(sweep(low, "login-password", 100, each=2, seed=3))
    # Nodes lease the ceiling in blocks, so that some of it may be left when it is reached.
    assert 30 < found.looked_at - found.broken <= 60 and found.ceiling == 60 and found.asked > 100


@pytest.mark.parametrize("guesses", [1, 5, 40])
def test_secrets_are_drawn_as_the_list_has_them(guesses):
    chance, drawn, of = random.Random(5), Chosen("rockyou4_pin_counts.txt", None), 20_000
    hit = sum(drawn.secret(chance) < guesses for _ in range(of)) / of
    assert hit == pytest.approx(drawn.expected(guesses), abs=3 * (.25 / of) ** .5)


def test_any_of_the_codes_that_are_valid_at_once_is_right():
    chance, drawn, of = random.Random(5), Drawn(2, 3), 20_000
    hit = sum(drawn.hits(None, guess, chance) for guess, _ in zip(drawn.guesses(chance), range(of), strict=False)) / of
    assert hit == pytest.approx(.03, abs=3 * (.03 * .97 / of) ** .5)


def test_nobody_knows_how_faces_come_about():
    assert lottery(table("postal-bank"), table("postal-bank").items["app-face"]) is None


# The command.


def run(*words):
    return CliRunner().invoke(group, ["lab", "attack", *map(str, words)])


@pytest.mark.parametrize(("language", "words"), [("en", ["all that was proved", "ceiling of the bank"]), ("ja", ["上限ちょうど", "全体の上限"])])
def test_the_command_tells_it_in_both_languages(language, words):
    done = run(reference("postal-bank"), "--item", "card-pin", "--days", "1", "--customers", "5", "--language", language)
    assert done.exit_code == 0 and all(word in done.stdout for word in words)


def test_the_command_prints_json():
    done = run(reference("postal-bank"), "--item", "card-pin", "--attacker", "free", "--days", "1", "--json")
    (told,) = json.loads(done.stdout)["attacks"]
    assert told | {"item": "card-pin", "attacker": "free", "guesses": 4, "most": 4, "within": True} == told


@pytest.mark.parametrize(("option", "what"), [("--item", "item"), ("--attacker", "attacker")])
def test_a_name_that_is_none_is_answered_with_those_there_are(option, what):
    done = run(reference("postal-bank"), option, "nobody")
    assert done.exit_code != 0 and f"no {what} of that name" in str(done.exception)
    assert re.search("free|card-pin", str(done.exception))
