"""What the proofs cost grows with the table and not with its square: counted in calls, which no machine makes slower."""

import cProfile
import pstats

from bench import generated
from sekisho.policy import parse
from sekisho.proof.check import check


def calls(rows):
    policy = parse(generated.policy(rows), "generated.yaml")
    with cProfile.Profile() as profile:
        assert check(policy).accepted
    return pstats.Stats(profile).total_calls


def test_four_times_the_rows_are_four_times_the_work():
    calls(10)  # what is made once and for all
    assert calls(120) < 4 * calls(30)
