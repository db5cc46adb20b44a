"""`sekisho policy check` and `accept`: what they print, and how they end."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from sekisho.cli import group
from sekisho.policy import reference

FIELDS = {
    "findings": {"code", "severity", "where", "row", "text", "trace", "waived"},
    "bounds": {"item", "attacker", "per_day", "per_year", "chance_per_year"},
    "ways_out": {"state", "at_rest", "under_attack"},
}


def run(*words):
    return CliRunner().invoke(group, list(map(str, words)))


def test_a_policy_that_passes_ends_with_0_and_prints_all_the_contract_asks_for():
    done = run("policy", "check", reference("major-bank"), "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["policy"], told["accepted"]) == (0, "major-bank", True) and told["version"]
    for part, fields in FIELDS.items():
        assert told[part] and all(fields <= set(one) for one in told[part])
    assert {"path", "kind", "shortest_s"} <= set(told["ways_out"][0]["at_rest"])


def test_a_policy_that_is_refused_ends_with_1_and_says_unbounded_in_so_many_words():
    done = run("policy", "check", reference("postal-bank-as-found"), "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["accepted"]) == (1, False)
    assert ("basic-data", "unbounded") in {(one["item"], one["per_year"]) for one in told["bounds"]}


@pytest.mark.parametrize(("language", "sentence"), [("en", "major-bank may come into force."), ("ja", "major-bankは適用できます。")])
def test_it_is_told_in_both_languages(language, sentence):
    assert sentence in run("policy", "check", reference("major-bank"), "--language", language).stdout


@pytest.mark.parametrize(("language", "lines"), [
    ("en", [
        "Lock M-STOP-1: emergency stop", "Lock M-RESET-5: Cash-card PIN", "(by oneself, 60 min)", "wait 4 days + wait 60 min",
        "Lock M-RESET-1: Account number and customer number, 10 in a row (the customer, reset-by-customer)"]),
    ("ja", ["M-STOP-1のロック:緊急停止", "M-RESET-5のロック:キャッシュカードの暗証番号", "4日待つ + 60分待つ", "連続10回(口座, reset-by-account)"]),
])
def test_each_state_says_what_it_is_and_no_two_are_called_alike(language, lines):
    told = run("policy", "check", reference("major-bank"), "--language", language).stdout
    assert [line for line in lines if line not in told] == [] and "wait 3600" not in told
    states = [re.split("  +", line.strip())[0] for line in told.partition({"en": "The ways out", "ja": "抜け出す方法"}[language])[2].splitlines()[2:-2]]
    assert len(states) > 15 and len(set(states)) == len(states)


@pytest.mark.parametrize(("language", "advice"), [("en", "under `ceilings:`: `items: [token]`"), ("ja", "`ceilings:`に、正しい入力でも消えない通算の回数(`items: [token]`")])
def test_a_finding_about_guesses_says_what_to_add(language, advice):
    assert advice in run("policy", "check", Path(__file__).parents[1] / "policy" / "small.yaml", "--language", language).stdout


def test_a_refused_policy_does_not_come_into_force(tmp_path):
    done = run("policy", "accept", reference("postal-bank-as-found"), "--store", f"sqlite:///{tmp_path}/bank.db")
    assert done.exit_code == 1 and "may not come into force" in done.stderr and not (tmp_path / "bank.db").exists()


SMALL = reference("major-bank").read_text(encoding="utf-8")


@pytest.mark.parametrize("source", [
    b"", b"\xff\xfe\x00", b"policy: [", b"\tpolicy: x", b"a: &a [*a]", b"a: &a [1]\nb: [*a, *a]", b"policy: x\npolicy: y",
    *(SMALL.replace("wrong: 100", f"wrong: {figure}", 1).encode() for figure in ("0", "-1", "1000000000", "1e9", "0x10", "", "9" * 30)),
    *(SMALL.replace("within: 365d", f"within: {length}", 1).encode() for length in ("0d", "1000000000000d", "-1d", "1.5h", "P1D", "")),
    b"a: " + b"[" * 5_000, b"lol: &lol [x]\n" + b"".join(b"l%d: &l%d [*l%d, *l%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 30)),
    SMALL.encode("utf-16"), SMALL.encode("euc-jp"),
    SMALL.replace("undo: [wait]", "undo: [nowhere]", 1).encode(),
    SMALL.replace("        row: M-RESET-5", "        row: M-RESET-6", 1).encode(),
])
def test_what_is_no_policy_ends_with_2_and_every_error_has_its_place(tmp_path, source):
    file = tmp_path / "bad.yaml"
    file.write_bytes(source)
    done = run("policy", "check", file)
    assert done.exit_code == 2 and not done.stdout and done.stderr
    assert all(line.startswith(f"{file}:") and line.split(":")[1].isdigit() for line in done.stderr.splitlines())
