"""`sekisho lab replay`: the trace of a finding, played against the engine, shows what the finding says, and nothing else does."""

import asyncio
import json

import pytest
from banks_proved import proved
from click.testing import CliRunner
from scale import times

from sekisho.cli import group
from sekisho.lab.replay import replay
from sekisho.lab.trace import read_move, write_traces, written_out
from sekisho.policy import parse, reference
from sekisho.proof.check import check


def played(report, finding, **options):
    return asyncio.run(replay(report.table, finding.claim, finding.trace, **options))


def findings(name, *but):
    return [(name, one.claim, one.row) for one in proved(name).findings if one.trace and one.claim not in but]


def the(report, claim, row):
    return next(one for one in report.findings if (one.claim, one.row) == (claim, row))


# A year of daily visits, and entries without end, are played under --long; here a year's first days are, of one bank.
SLOW = ("many-waiting", "unbounded") if times(True, full=False) else ()
CASES = [*findings("postal-bank", *SLOW), *findings("postal-bank-as-found", *SLOW)[::times(2, full=1)], ("major-bank", "many-waiting", "M-RESET-5")]


@pytest.mark.parametrize(("name", "claim", "row"), CASES)
def test_every_finding_holds_against_the_engine(name, claim, row):
    report = proved(name)
    done = played(report, the(report, claim, row), whole=times(False, full=claim == "many-waiting"))
    assert done.holds, [step for step in done.steps if not step.came_out]


def test_over_sqlite_the_same_comes_out():
    report = proved("postal-bank")
    finding = the(report, "stuck-together", "Y-TRANSFER-2")
    assert played(report, finding, sqlite=True) == played(report, finding)


def test_a_lock_that_falls_by_an_entry_under_way_comes_on_top_of_a_suspension():
    """In no order one after the other: a token's lock closes login, and a suspension closes what asks for the token."""
    text = reference("postal-bank").read_text(encoding="utf-8")
    assert "undo: [lift-suspension, form-1-5]" in text
    report = check(parse(text.replace("undo: [lift-suspension, form-1-5]", "undo: [lift-suspension]"), "no-paper.yaml"))
    done = played(report, the(report, "circle", "Y-TRANSFER-2"))
    assert (done.holds, done.why) == (True, "shut")
    begun, suspended, verdict = (step for step in done.steps if step.move.split()[0] in {"begin", "run", "settle"})
    assert [[row for row, _ in step.fell] for step in (begun, suspended, verdict)] == [[], ["Y-RULE-5"], ["Y-TRANSFER-2"]]


def test_what_the_policy_no_longer_allows_does_not_hold():
    """Without end in the bank as found; a hundred in the bank with limits over the year."""
    found = the(proved("postal-bank-as-found"), "unbounded", "Y-NUMBER-3")
    done = asyncio.run(replay(proved("postal-bank").table, found.claim, found.trace))
    assert (done.holds, done.why, done.guesses) == (False, "not-so", 100)
    assert [row for step in done.steps for row, _ in step.fell] == ["mail-codes-a-year"]


def test_a_lock_with_a_way_out_is_no_dead_end():
    done = asyncio.run(replay(proved("postal-bank").table, "no-way-out", ["wrong login-password in login x10"]))
    assert (done.holds, done.why) == (False, "out") and done.tried


def test_rounds_are_written_out_one_after_the_other():
    table = proved("postal-bank").table
    trace = ["wait 60", "wrong login-password in login x2", "wait 10", "again x2 last 2", "wait 5"]
    assert [move.text for move in written_out(trace, table).moves] == [*trace[:3], *trace[1:3], *trace[1:3], trace[4]]


def test_of_very_many_rounds_two_are_played_unless_all_are_asked_for():
    table = proved("postal-bank").table
    trace = ["wrong login-password in login x9", "wait 10", "again x999 last 2"]
    assert (len(written_out(trace, table).moves), written_out(trace, table).left_out) == (6, 997)
    assert len(written_out(trace, table, whole=True).moves) == 2_000


def run(*words):
    return CliRunner().invoke(group, list(map(str, words)))


@pytest.fixture
def traces(tmp_path):
    """Finds the file of a finding of the postal bank by a part of its name."""
    files = write_traces(proved("postal-bank"), reference("postal-bank"), tmp_path / "traces")
    return lambda part: next(file for file in files if part in file.name)


def test_a_trace_that_was_written_down_is_replayed(traces):
    done = run("lab", "replay", traces("no-way-out-Y-TRANSFER-2"), "--json")
    (told,) = json.loads(done.stdout)
    assert (done.exit_code, told["holds"], told["why"], told["row"]) == (0, True, "shut", "Y-TRANSFER-2")


@pytest.mark.parametrize(("language", "sentence"), [("en", "The finding holds. Nothing but paper leads out."), ("ja", "この指摘は実際に成り立ちます。 書面でのお手続きだけが残ります。")])
def test_it_is_told_in_both_languages(traces, language, sentence):
    done = run("lab", "replay", traces("stranger-locks-Y-NUMBER-3"), "--language", language)
    assert done.exit_code == 0 and sentence in done.stdout


def test_a_trace_of_a_policy_that_was_changed_is_not_played(tmp_path):
    policy = tmp_path / "bank.yaml"
    policy.write_bytes(reference("major-bank").read_bytes())
    assert run("policy", "check", policy, "--traces", tmp_path / "traces").exit_code == 0
    policy.write_bytes(policy.read_bytes() + b"\n# another word\n")
    (file,) = (tmp_path / "traces").iterdir()
    done = run("lab", "replay", file)
    assert done.exit_code != 0 and "was changed since" in str(done.exception)


@pytest.mark.parametrize("text", ["wrong nothing in login x3", "right login-password in nowhere", "walk nowhere", "jump", "again x3", "wrong login-password in login x"])
def test_a_move_that_is_none_is_refused(text):
    with pytest.raises(Exception, match=r"no such move|no item|no operation|no path"):
        read_move(text, proved("postal-bank").table)
