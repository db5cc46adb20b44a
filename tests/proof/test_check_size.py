"""What the proofs cost grows with the table and not with its square: counted in calls, which no machine makes slower.

A table of more rows than are proved, or a file of more cells than are read, is told so at the place where it is too long.
"""

import cProfile
import pstats

import pytest
from click.testing import CliRunner
from figures import other_figures
from scale import FULL, times

from bench import generated
from sekisho.cli import group
from sekisho.policy import parse, reference, yaml
from sekisho.proof import check as checking
from sekisho.proof.check import check

FEW, MANY = times((30, 120), full=(300, 1_200))


def calls(text):
    policy = parse(text, "policy.yaml")
    with cProfile.Profile() as profile:
        check(policy)
    return pstats.Stats(profile).total_calls


@pytest.fixture(scope="module", autouse=True)
def _warm():
    """What is made once and for all."""
    calls(generated.policy(10))


def test_four_times_the_rows_are_four_times_the_work():
    assert calls(generated.policy(MANY)) < times(4, full=4.2) * calls(generated.policy(FEW))


def test_a_threshold_of_a_million_is_no_more_work_than_one_of_ten():
    text = reference("major-bank").read_text(encoding="utf-8")
    many = other_figures(text, lambda wrong: 5_000 * wrong, lambda length: length)
    assert calls(many) < 2 * calls(text)


def refused(tmp_path, text):
    """Where a file is too long, and what is said of it."""
    file = tmp_path / "long.yaml"
    file.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(group, ["policy", "check", str(file)])
    assert (done.exit_code, done.stdout, type(done.exception)) == (2, "", SystemExit)
    line, column, told = done.stderr.removeprefix(f"{file}:").split(":", 2)
    return int(line), int(column), told


def test_more_rows_than_are_proved_are_told_at_the_first_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "ROWS_MAX", 50)
    text = generated.policy(60)
    line, column, told = refused(tmp_path, text)
    assert told == " this policy has 72 rows; sekisho proves at most 50: split it\n"
    lines = text.splitlines()
    assert (line, column) == (lines.index("      pin-0:", lines.index("  operation-8:")) + 1, 7), "of six rows each, the third of the ninth"


def test_a_file_of_ten_thousand_rows_is_told_where_it_is_read_no_further(tmp_path, monkeypatch):
    if not FULL:
        monkeypatch.setattr(yaml, "NODES_MAX", 1_000)
    text = generated.policy(times(60, full=10_000))
    line, column, told = refused(tmp_path, text)
    assert told == f" the file goes on after {yaml.NODES_MAX:,} cells, and no policy of that size is proved; split it\n"
    assert text.splitlines()[line - 1][column - 1:].strip()
