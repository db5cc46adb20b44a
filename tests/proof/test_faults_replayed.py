"""What the proofs find in a policy with a planted fault, the engine does when the trace is played against it."""

import asyncio

import pytest
from faults import KINDS, plant
from good_policies import good, loaded
from scale import times

from sekisho.lab.replay import replay
from sekisho.proof.check import check

TRIED = list(KINDS)[times(1, full=0)::times(8, full=1)]
SEEDS = times(1, full=12)
"""Policies for each kind."""


def faulty(kind):
    """Reports of policies with one fault of a kind."""
    changed = filter(None, (plant(kind, good(seed), seed) for seed in range(1, 60)))
    return [check(loaded(file)) for file, _ in zip(changed, range(SEEDS), strict=False)]


@pytest.mark.parametrize("kind", TRIED)
def test_the_findings_of_a_planted_fault_hold(kind):
    reports = faulty(kind)
    assert reports, "no fault of this kind was planted"
    for report in reports:
        for one in report.findings:
            assert not one.trace or asyncio.run(replay(report.table, one.claim, one.trace)).holds, one
