"""`sekisho lab whatif`, and the published figures that its models must give."""

import asyncio
import functools
import json
import re

import msgspec
import pytest
from banks_proved import proved
from click.testing import CliRunner
from scale import times

from sekisho.cli import group
from sekisho.lab.honest import in_a_row, in_all, play, sigmas
from sekisho.lab.plots import plot
from sekisho.lab.text import page, told_whatif
from sekisho.lab.whatif import SECTIONS, Figure, Line, Section, as_json, whatif
from sekisho.policy import compile_policy, parse, reference
from sekisho.proof.chances import PASSWORDS_ALL, likeliest, uniform
from sekisho.proof.seats import seats

PINS, PASSWORDS = "rockyou4_pin_counts.txt", "rockyou_password_counts.txt"


# What others have published. Percent, as exact as it was told.


@pytest.mark.parametrize(("guesses", "percent", "within"), [
    (1, 3.72, .005), (3, 8.04, .005), (5, 11.1, .05), (6, 12.3, .05), (10, 16.6, .05), (12, 18.5, .05), (30, 29.7, .05), (100, 40.1, .05),
    (365, 53.0, .05), (720, 62.0, .05), (1_000, 67.1, .05),
])
def test_the_likeliest_PINs_of_RockYou_open_as_many_accounts_as_is_known(guesses, percent, within):
    assert 100 * likeliest(PINS, guesses) == pytest.approx(percent, abs=within)


@pytest.mark.parametrize(("guesses", "percent", "within"), [(1, .89, .005), (3, 1.37, .005), (5, 1.71, .005), (10, 2.05, .005), (1_000, 11.3, .05)])
def test_the_likeliest_passwords_of_RockYou_open_as_many_accounts_as_is_known(guesses, percent, within):
    assert 100 * likeliest(PASSWORDS, guesses, PASSWORDS_ALL) == pytest.approx(percent, abs=within)


@pytest.mark.parametrize(("guesses", "six", "eight"), [
    (100, 1.0e-4, 1.0e-6), (5_475, .0055, 5.5e-5), (21_900, .022, 2.2e-4), (78_840, .076, 7.9e-4), (175_200, .161, .0018), (876_000, .58, .0087), (5_260_000, .995, .051),
])
def test_codes_that_are_sent_anew_are_hit_as_often_as_is_known(guesses, six, eight):
    assert uniform(guesses, 6) == pytest.approx(six, rel=.03) and uniform(guesses, 8) == pytest.approx(eight, rel=.03)


@pytest.mark.parametrize(("strikes", "percent", "within"), [(3, 4.30, .005), (4, .34, .005), (5, .026, .0006), (6, .002, .0001), (10, 0, 1e-6)])
def test_DALocks_honest_customers_are_locked_out_as_often_as_in_its_table(strikes, percent, within):
    """Its own simulation of a million customers gave about 4 % for three in a row."""
    assert 100 * in_a_row(strikes) == pytest.approx(percent, abs=within)


# The closed forms beside the engine.


def seat(name, item, operation):
    table = proved(name).table
    return table, next(one for one in seats(table, item) if one.operation == operation)


USERS = times(60, full=3_000)


def test_the_engine_locks_out_as_many_honest_customers_as_the_closed_form_says():
    """Five in a row, with entries wrong so often that there is something to count."""
    table, at = seat("major-bank", "card-pin", "reset-password")
    wrong, days, gaps_s = .3, 8, (43_200, 86_400)
    strikes = min(stage.wrong for gauge in at.row.gauges for stage in gauge.counter.stages if gauge.counter.reach in {"account", "customer"})
    expected = in_a_row(strikes, wrong=wrong, days=days, gaps_s=gaps_s)
    seen = asyncio.run(play(table, at, USERS, seed=1, wrong=wrong, days=days, gaps_s=gaps_s))
    assert 0 < seen < USERS and sigmas(seen, USERS, expected) < 3


def test_the_same_seed_plays_the_same_customers():
    table, at = seat("major-bank", "card-pin", "reset-password")
    assert len({asyncio.run(play(table, at, 6, seed=7, wrong=.4, days=6)) for _ in range(2)}) == 1


@pytest.mark.parametrize(("limit", "visits", "wrong"), [(1, 4, .075), (3, 10, .3), (12, 20, .3)])
def test_a_count_that_nothing_zeroes_is_reached_as_often_as_every_order_of_entries_says(limit, visits, wrong):
    """Wrong entries before so many right ones, by going through them one after the other."""
    chances = {0: 1.0}
    for _ in range(visits):
        after = dict.fromkeys(range(limit + 1), 0.0)
        for stood, chance in chances.items():
            for more in range(limit - stood):
                after[stood + more] += chance * wrong**more * (1 - wrong)
            after[limit] += chance * wrong ** (limit - stood)
        chances = after
    assert in_all(limit, 1, wrong=wrong, days=1, gaps_s=[86_400 / visits]) == pytest.approx(chances[limit], rel=1e-9)


# Two policies.


@functools.cache
def compared():
    return whatif(proved("postal-bank-as-found"), proved("postal-bank"))


def line(section, name):
    found = next(one for one in compared() if one.name == section)
    return next(one for one in found.lines if one.name == name)


def test_every_kind_of_figure_is_there_with_formula_assumption_and_trace():
    told = as_json(proved("postal-bank-as-found"), proved("postal-bank"), compared())["figures"]
    assert [one["what"] for one in told] == list(SECTIONS)
    assert all(one["formula"] and one["assumption"] and one["lines"] for one in told)
    traced = [side for one in told for each in one["lines"] for side in (each["a"], each["b"]) if side is not None]
    assert all(side["trace"] for side in traced)


def test_the_figures_are_those_of_the_proofs():
    assert (line("guesses-free", "login-password").a.value, line("guesses-free", "login-password").b.value) == (87_610, 100)
    assert line("guesses-free", "mail-otp").a.value is None
    assert line("chance", "login-password").b.value == pytest.approx(likeliest(PASSWORDS, 100, PASSWORDS_ALL))
    assert line("victims", "mail-otp").b.value == pytest.approx(3, rel=1e-5)
    assert line("locked-out", "card-pin").b.value == pytest.approx(in_a_row(4))


def test_a_policy_beside_itself_differs_in_nothing():
    assert all(one.a == one.b for section in whatif(proved("major-bank"), proved("major-bank")) for one in section.lines)


def test_a_ceiling_spares_most_of_a_million():
    """Twenty wrong entries a day over the whole bank: 7,300 guesses a year and a day's more."""
    text = reference("postal-bank").read_text(encoding="utf-8").replace("wrong: 20000", "wrong: 20").replace("for: 6h", "for: 24h")
    report = msgspec.structs.replace(proved("postal-bank"), table=compile_policy(parse(text.encode(), "low.yaml")))
    figure = next(one for section in whatif(report, report) if section.name == "victims-ceiling" for one in section.lines if one.name == "login-password")
    assert figure.a.value == pytest.approx(20 * 366 * likeliest(PASSWORDS, 1, PASSWORDS_ALL))


@pytest.mark.parametrize("language", ["ja", "en"])
def test_it_is_told_as_a_table_and_as_a_page_in_both_languages(language):
    report = proved("postal-bank")
    text, html = told_whatif(report, report, compared(), language), page(report, report, compared(), language)
    assert ("窓口への連絡" in text) is (language == "ja") and f'<html lang="{language}">' in html
    assert html.count("<svg") == len(SECTIONS) == html.count("</table>") and "<script" not in html


def test_bars_are_told_apart_without_colour_and_lie_within_the_plot():
    drawn = plot(Section("chance", [Line("x", Figure(1e-6), Figure(None)), Line("y", None, Figure(0.5))]), "unbounded")
    lengths = [one.length for each in drawn.groups for one in each.bars]
    assert [one.hatched for each in drawn.groups for one in each.bars] == [False, True, False, True]
    assert lengths[2] == 0 < lengths[0] < lengths[3] < lengths[1] and max(lengths) <= 900 - 220
    assert drawn.groups[0].bars[1].told == "unbounded"


def test_the_command_prints_json_and_writes_the_page(tmp_path):
    policy = str(reference("major-bank"))
    done = CliRunner().invoke(group, ["lab", "whatif", policy, policy, "--json", "--html", str(tmp_path / "page.html")])
    assert done.exit_code == 0 and json.loads(done.stdout)["a"]["policy"] == "major-bank"
    assert not re.findall(r"(?:src|href)=", (tmp_path / "page.html").read_text(encoding="utf-8")), "it is whole in one file"
