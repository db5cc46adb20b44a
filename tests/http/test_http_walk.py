"""Walks at random through all operations, end to end: staff see what the auditor counts, and everybody finds his way back."""

from pathlib import Path

import pytest
from hypothesis import Phase
from people import House
from scale import times
from walker import Walk
from walks import complaints, walks
from waysback import Ways

from sekisho.flows import entries, subjects
from sekisho.policy import reference

pytestmark = pytest.mark.timeout(times(300, full=7_200))


@pytest.fixture
def soon():
    """Who waits for another's guess waits as long as a test can: nobody gives one back meanwhile. And no two strangers share a bucket."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entries, "WAIT_S", 0.02)
        patch.setattr(subjects, "BUCKETS", 1 << 32)
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


def test_whose_use_rests_has_it_rest_for_what_others_do_with_what_is_his(tmp_path, cheap_hashes):
    """Somebody else's payment out of his account is not looked at; it goes on once his use does."""
    house = House(tmp_path, POLICIES[1])
    try:
        walk = Walk(house)
        ways, payer, owner = Ways(walk), walk.join("customer"), walk.join("customer")
        ways.through(owner, "rest")
        run = walk.begin(payer, "pay-for", session=ways.session(payer), about=owner)
        assert walk.enter(run, "amount", right=True)["message"] == "locked"
        ways.through(owner, "wake")
        ways.through(payer, "pay-for", owner)
        assert walk.complaints == []
    finally:
        house.close()
