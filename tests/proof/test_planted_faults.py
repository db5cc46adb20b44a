"""Faults planted in sound policies are found, and sound policies raise no alarm."""

import pytest
from faults import KINDS
from good_policies import good
from planting import SOUND, codes, planted
from scale import times

pytestmark = pytest.mark.timeout(times(300, full=7_200))

POLICIES = times(4, full=50)
EACH = times(1, full=36)
"""Faults of each kind: more than a thousand in a full run."""
TRIED = list(KINDS)[::times(4, full=1)]
"""Kinds that are tried: a quarter of them by default."""


@pytest.mark.parametrize("seed", range(POLICIES))
def test_a_sound_policy_raises_no_alarm(seed):
    assert codes(good(SOUND + seed)) == set()


@pytest.mark.parametrize("kind", TRIED)
def test_a_planted_fault_is_found(kind):
    found = planted(kind, EACH)
    assert found, "no real fault of this kind was planted"
    assert sum(found) >= 0.99 * len(found), f"{len(found) - found.count(True)} of {len(found)} not found"


def test_there_are_more_than_twenty_kinds():
    assert len(KINDS) >= 20 and len(KINDS) * 36 >= 1_000
