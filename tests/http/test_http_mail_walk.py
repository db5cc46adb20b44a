"""Walks at random over login, mail faults, desk and recovery: nobody is in without proof, and nobody is left without a next step."""

from types import SimpleNamespace

import pytest
from mailwalk import PostedHouse, Walk
from scale import times

from sekisho.core import case as matter
from sekisho.flows import approvals, cases, compare
from sekisho.policy import reference

pytestmark = pytest.mark.timeout(times(300, full=7_200))

POLICY = reference("major-bank")
STEPS = 40


@pytest.fixture
def house(tmp_path, cheap_hashes):
    made = PostedHouse(tmp_path, POLICY)
    yield made
    made.close()


def walked(house, seed, steps=STEPS):
    walk = Walk(house, seed)
    for _ in range(steps):
        walk.step()
    return walk


def test_nobody_is_in_without_proof_and_everybody_has_a_next_step(house):
    """Whatever has happened to him, his mail and his case, the customer gets in at last by ways that the service names."""
    for seed in range(times(6, full=300)):
        walk = walked(house, seed)
        assert walk.complaints == [], seed
        assert walk.gets_in(), (seed, walk.said, house.view(walk.hana.subject)["locks"])
        assert walk.complaints == [], seed
    assert house.deaths and any(len(times) > 1 for times in house.carried.values()), "workers have died on messages, and others went on"
    assert house.at_once, "two have worked on one case at once"


def _standing(tx, approval, _operator):
    return approvals.standing(tx, approval)


PLANTED = {
    "the desk has no hours": (cases, "may_walk", lambda *_: None, "deleted at"),
    "whoever asks may approve": (approvals, "for_second", _standing, "approved what she asked for"),
    "the desk asks a case for nothing": (matter, "lacking", lambda *_: [], "nobody was verified"),
    "every code is right": (compare, "hmac", SimpleNamespace(compare_digest=lambda *_: True), "in without proof"),
    "the desk never has what it needs": (matter, "lacking", lambda *_: ["something"], None),
}
"""What is broken, and what is complained of; None: that somebody is left outside."""


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_fault_is_found(house, monkeypatch, what):
    module, name, broken, complaint = PLANTED[what]
    monkeypatch.setattr(module, name, broken)
    for seed in range(12):
        walk = walked(house, seed)
        if complaint is None:
            house.faults.update(dict.fromkeys(walk.mails, "dropped"))
            found = not house.view(walk.hana.subject)["locks"] and not walk.gets_in()
        else:
            found = any(complaint in one for one in walk.complaints)
        if found:
            return
    pytest.fail(f"nothing was found where {what}")
