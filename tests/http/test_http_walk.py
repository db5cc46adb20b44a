"""Walks at random through all operations, end to end: staff see what the auditor counts, and everybody finds his way back."""

from pathlib import Path

import pytest
from hypothesis import Phase
from people import House
from scale import times
from walks import complaints, walks

from sekisho.flows import entries
from sekisho.policy import reference

pytestmark = pytest.mark.timeout(times(300, full=7_200))


@pytest.fixture
def soon():
    """Who waits for another's guess waits as long as a test can: nobody gives one back meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries, "WAIT_S", 0.02)
        yield


POLICIES = (reference("postal-bank"), Path(__file__).parent.parent / "other-bank.yaml")


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.stem)
def test_every_count_and_lock_is_the_auditor_s_and_everybody_has_his_way_back(tmp_path, cheap_hashes, soon, policy):
    """Counts, locks and texts are compared after each step; at the end whoever is locked out is brought back in."""
    house = House(tmp_path, policy)
    try:
        machine = walks(house, policy.read_bytes())
        assert complaints(machine, max_examples=times(4, full=300), stateful_step_count=40, phases=[Phase.generate]) == []
    finally:
        house.close()
