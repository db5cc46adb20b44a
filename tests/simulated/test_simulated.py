"""Several nodes over one ledger, and everything that can go wrong: whatever the seed, every promise holds.

A history that went wrong says its number; `python tests/simulated/again.py NUMBER` plays it again and tells all of it.
"""

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest
from planted import PLANTED
from scale import times
from world import play, report

pytestmark = pytest.mark.timeout(times(300, full=7_200))

HISTORIES = times(100, full=10_000)
PLANTED_IN = max(200, HISTORIES)
TOGETHER = 20
HAPPENS = ("dies", "it stands", "it does not stand", "is proposed", "clock is set", "gives up", "-> wrong", "-> right", "-> locked", "-> twice")
"""What the first histories must have in them, else they show nothing."""


@lru_cache(TOGETHER)
def sound(seed):
    """A history without anything planted: what is wrong in it, all of it in words, and what happened."""
    world = play(seed)
    return world.complaints, report(world) if world.complaints else "", "\n".join(world.trace)


def test_everything_goes_wrong_that_can():
    told = "\n".join(sound(seed)[2] for seed in range(TOGETHER))
    assert [what for what in HAPPENS if what not in told] == []


@pytest.mark.parametrize("first", range(0, HISTORIES, TOGETHER))
def test_whatever_goes_wrong_every_promise_holds(first):
    for seed in range(first, first + TOGETHER):
        complaints, told, _ = sound(seed)
        assert complaints == [], told


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_what_is_planted_is_found(planted):
    assert any(play(seed, planted).complaints for seed in range(PLANTED_IN))


def test_a_history_is_the_same_each_time_it_is_played():
    """In this process, and in others that put their sets in another order."""
    seeds = [3, 14, 26, 32]
    again = [sys.executable, str(Path(__file__).with_name("again.py")), *map(str, seeds)]
    others = [
        subprocess.run(again, env={**os.environ, "PYTHONHASHSEED": str(order)}, capture_output=True, text=True, check=True).stdout
        for order in (1, 2)
    ]
    assert others == ["".join(report(play(seed)) + "\n" for seed in seeds)] * 2
