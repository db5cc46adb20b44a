"""Faults planted in sound policies are found, and sound policies raise no alarm."""

import pytest
from faults import KINDS, is_real, plant
from good_policies import good, loaded
from scale import times

from sekisho.proof.check import check

pytestmark = pytest.mark.timeout(times(300, full=7_200))

SOUND = times(4, full=50)
EACH = times(1, full=36)
"""Faults of each kind: more than a thousand in a full run."""
TRIED = list(KINDS)[::times(4, full=1)]
"""Kinds that are tried: a quarter of them by default."""


def codes(file):
    return {(one.code.value, one.row) for one in check(loaded(file)).findings}


@pytest.mark.parametrize("seed", range(SOUND))
def test_a_sound_policy_raises_no_alarm(seed):
    assert codes(good(1_000 + seed)) == set()


def planted(kind):
    """Whether each real fault of a kind was found. Its place in the kinds chooses the policies, so that kinds meet different ones."""
    found, seed = [], 100 * list(KINDS).index(kind)
    while len(found) < EACH and seed < 100 * list(KINDS).index(kind) + 3 * EACH + 3:
        seed += 1
        file = good(seed)
        changed = plant(kind, file, seed)
        if changed is not None and is_real(kind, file, changed):
            found.append(bool({code for code, _ in codes(changed) - codes(file)} & set(KINDS[kind][2])))
    return found


@pytest.mark.parametrize("kind", TRIED)
def test_a_planted_fault_is_found(kind):
    found = planted(kind)
    assert found, "no real fault of this kind was planted"
    assert sum(found) >= 0.99 * len(found), f"{len(found) - found.count(True)} of {len(found)} not found"


def test_there_are_more_than_twenty_kinds():
    assert len(KINDS) >= 20 and len(KINDS) * 36 >= 1_000
