"""What the proofs cost grows with the table and not with its square: counted in calls, which no machine makes slower."""

import cProfile
import pstats

import pytest
from figures import other_figures

from bench import generated
from sekisho.policy import parse, reference
from sekisho.proof.check import check


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
    assert calls(generated.policy(120)) < 4 * calls(generated.policy(30))


def test_a_threshold_of_a_million_is_no_more_work_than_one_of_ten():
    text = reference("major-bank").read_text(encoding="utf-8")
    many = other_figures(text, lambda wrong: 5_000 * wrong, lambda length: length)
    assert calls(many) < 2 * calls(text)
