"""`sekisho lab dos`: what strangers can close for an honest customer, and what a known device spares him."""

import asyncio
import functools
import re

import pytest
from click.testing import CliRunner

from sekisho.cli import group
from sekisho.flows.policies import read
from sekisho.lab.dos import besiege
from sekisho.policy import reference


@functools.cache
def siege(text, *, known, days=1, visits=2, seed=1):
    return asyncio.run(besiege(read(text.encode(), "bank.yaml"), days=days, visits=visits, known=known, seed=seed))


def bank():
    return reference("postal-bank").read_text(encoding="utf-8")


def shared(year=100_000):
    """The bank, if each known device had a share of two of what a login password may cost; `year`: the limit over the year, which has no shares."""
    text, number = re.subn(
        r"wrong: 10\n( +)count: login-password-in-a-row\n", r"wrong: 12\n\1count: login-password-in-a-row\n\1known_device: 2\n",
        bank().replace("remembered: 5", "remembered: 2"))
    text, limits = re.subn(r"(items: \[login-password\]\n    wrong: )100\n", rf"\g<1>{year}\n", text)
    assert number > 1 and limits == 1
    return text


def told(found, operation):
    return next(one for one in found.operations if one.operation == operation)


def test_where_one_count_serves_everybody_ten_entries_close_the_login_to_all():
    found = siege(bank(), known=True)
    login = next(one for one in found.fell if one.row == "Y-LOGIN-3")
    assert told(found, "login")[1:] == (2, 2) and told(found, "transfer")[1:] == (2, 2)
    assert (login.times, login.entries, login.items) == (1, 11, ("login-password",)), "ten, and one that is refused"


def test_a_device_that_is_known_and_has_a_share_of_its_own_is_never_refused():
    known, other = (siege(shared(), known=known) for known in (True, False))
    assert told(known, "login")[1:] == (2, 0) and told(other, "login")[1:] == (2, 2)


def test_a_limit_over_the_year_that_has_no_shares_closes_the_login_to_known_devices_too():
    """Ten an hour through number inquiry make a hundred in ten hours."""
    found = siege(shared(year=100), known=True)
    assert told(found, "login").refused > 0 and "login-password-a-year" in {one.row for one in found.fell}


def test_a_timed_lock_costs_the_strangers_as_many_entries_each_time_it_ends():
    """Ten an hour at the pair of numbers, until the hundred of the year are gone."""
    found = siege(bank(), known=True)
    pairs = next(one for one in found.fell if one.row == "Y-RESET-2")
    assert (pairs.times, pairs.entries) == (10, 110)
    assert found.entries > found.at_once > 0


def test_the_same_seed_is_the_same_siege():
    text = reference("major-bank").read_text(encoding="utf-8")
    again = siege.__wrapped__(text, known=False, seed=4)
    assert siege(text, known=False, seed=4) == again


@pytest.mark.parametrize(("language", "words"), [("en", "What it cost the strangers"), ("ja", "他人が要した入力")])
def test_the_command_tells_it_in_both_languages(language, words):
    done = CliRunner().invoke(group, ["lab", "dos", str(reference("major-bank")), "--days", "1", "--language", language])
    assert done.exit_code == 0 and words in done.stdout and "M-LOGIN-1" in done.stdout
