"""`sekisho lab recovery`: customers in trouble go the proved way back on the engine, and it takes them as long as is proved."""

import asyncio
import json
import re

import pytest
from click.testing import CliRunner
from scale import times

from sekisho.cli import group
from sekisho.flows.policies import read
from sekisho.lab.recovery import HOUR_S, back, recover
from sekisho.lab.recovery_text import recovery_page, told_recovery
from sekisho.policy import reference
from sekisho.proof.ways import DESK, PAPER, SELF, Ways


def bank():
    return read(reference("major-bank").read_bytes(), "major-bank.yaml")


CUSTOMERS = times(1, 100)


@pytest.fixture(scope="module")
def major():
    return asyncio.run(recover(bank(), customers=CUSTOMERS, seed=1))


def of(found, name):
    return next(one for one in found if one.state.name == name)


def test_the_engine_lets_everybody_go_the_way_that_is_proved(major):
    assert [one.state.name for one in major if not one.as_proved] == []


@pytest.mark.parametrize(("trouble", "who", "worst_s"), [
    ("M-RESET-1", SELF, HOUR_S), ("forgotten-password", SELF, 0), ("M-STOP-1", DESK, 12 * HOUR_S), ("lost-token", PAPER, 7 * 24 * HOUR_S),
])
def test_who_must_help_and_how_long_it_takes_at_the_worst_hour(major, trouble, who, worst_s):
    found = of(major, trouble)
    assert (found.kind, found.plan.longest_s) == (who, worst_s)


def test_whoever_needs_the_desk_waits_until_it_opens(major):
    """Open from 9 to 21 every day: at once from 9 on, twelve hours from 21 on, one hour from 8 on."""
    found = of(major, "M-STOP-1")
    assert [found.proved_s[hour] for hour in (8, 9, 20, 21, 24 + 8)] == [HOUR_S, 0, 0, 12 * HOUR_S, HOUR_S]
    for one in found.tried:
        hour = one.begun_s % (24 * HOUR_S) / HOUR_S
        assert one.took_s == (0 if 9 <= hour < 21 else round((9 - hour) % 24 * HOUR_S)), one


def test_other_desk_hours_are_waited_for_too():
    text = reference("major-bank").read_text(encoding="utf-8")
    assert text.count('"09:00-21:00"') == 1
    ways = Ways(read(text.replace('"09:00-21:00"', '"10:00-11:00"').encode(), "other.yaml"))
    state, at_rest, _ = next(one for one in ways.answers() if one.state.name == "M-STOP-1")
    found = asyncio.run(back(ways, state, at_rest, [11 * HOUR_S, 10 * HOUR_S]))
    assert [one.took_s for one in found.tried] == [23 * HOUR_S, 0] and found.plan.longest_s == 23 * HOUR_S


def test_a_stranger_who_locks_what_he_can_costs_them_time_and_they_come_back_nevertheless():
    ways = Ways(bank())
    for state, at_rest, under_attack in ways.answers():
        if state.name in {"forgotten-password", "M-RESET-1"}:
            found = asyncio.run(back(ways, state, under_attack, [0]))
            assert found.as_proved and found.within(0.5) > at_rest.longest_s


@pytest.mark.parametrize(("language", "words"), [("en", "as proved"), ("ja", "証明どおり")])
def test_it_is_told_and_drawn_in_both_languages(major, language, words):
    told = told_recovery(bank(), "major-bank.yaml", major, language, attacked=False)
    assert len(told.splitlines()) == 3 + len(major) and told.count(words) == len(major)
    troubles = [re.split(r"\s{2,}", line.strip())[0] for line in told.splitlines()[3:]]
    assert len({*troubles}) == len(major), "each has a name of its own, as `policy check` gives it"
    drawn = recovery_page(bank(), "major-bank.yaml", major, language, attacked=False)
    plots = re.findall(r"<polyline points=\"([^\"]+)\"", drawn)
    assert len(plots) == drawn.count("<h3") > 0 and all(len(points.split()) == 168 for points in plots)


def test_the_command_tells_programs_the_same_from_the_same_seed(major, tmp_path):
    page = tmp_path / "recovery.html"
    asked = ["lab", "recovery", str(reference("major-bank")), "--customers", str(CUSTOMERS), "--seed", "1", "--json", "--html", str(page)]
    done = CliRunner().invoke(group, asked)
    assert done.exit_code == 0 and "<svg" in page.read_text(encoding="utf-8")
    assert [[tuple(played.values()) for played in one["played"]] for one in json.loads(done.stdout)] == [[*one.tried] for one in major]
