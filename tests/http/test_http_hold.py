"""The time grid: which answers leave on it, and never before their step is over. What it hides is measured in test_http_timing.py."""

import time

import pytest
import uvloop
from bankside import Service

from sekisho.api import http
from sekisho.api.http import CHANNEL
from sekisho.api.pace import NEWEST, Pace
from sekisho.api.routes import operations

OF_NO_SUBJECT = {"/v1/sessions/{id}", "/v1/events"}
"""Calls of a channel whose answers tell of nothing but what it was given by name before."""

GRID_MS = 20


def test_every_answer_about_a_subject_leaves_on_the_grid(service):
    """A call that is new must say whether it does."""
    of_channels = [one for one in operations(service.app) if one.roles == CHANNEL]
    assert {one.path for one in of_channels if not one.holds} == OF_NO_SUBJECT
    assert len(of_channels) > len(OF_NO_SUBJECT)


@pytest.mark.parametrize("work_ms", [0.0, 0.3, 0.5, 0.7, 1.2, 19.4, 19.9, 20.3])
def test_no_answer_leaves_before_its_step_is_over(work_ms):
    """Whatever part of a millisecond the work took: the loop's own timers would let it leave half of one too early."""

    async def leave():
        began = time.monotonic()
        while time.monotonic() < began + work_ms / 1000:
            pass
        await http._until_grid(began, time.monotonic() - began, GRID_MS)
        return (time.monotonic() - began) * 1000

    for _ in range(5):
        assert uvloop.run(leave()) >= GRID_MS * (1 + work_ms // GRID_MS)


def test_what_is_refused_takes_as_long_as_what_was_compared_of_late():
    """Of the same item; the newest only."""
    pace = Pace()
    for took in [5.0] * NEWEST + [0.04, 0.06] * (NEWEST // 2):
        assert pace.of_compared("login-password")(took) == took
    assert {pace.of_refused("login-password")(0.001) for _ in range(100)} == {0.04, 0.06}
    assert pace.of_refused("login-password")(0.07) == 0.07


def test_until_something_was_compared_there_is_no_pace_to_keep():
    pace = Pace()
    pace.of_compared("card-pin")(5.0)
    assert pace.of_refused("login-password")(0.01) == 0.01


@pytest.fixture(scope="module")
def holding(tmp_path_factory, cheap_hashes):
    """A service whose answers leave on the grid."""
    made = Service(tmp_path_factory.mktemp("holding"), hold=True)
    yield made
    made.close()


def test_a_right_password_at_a_lock_is_no_sooner_answered_than_any(holding):
    """It is refused unread, at the pace of comparisons; before that the comparisons kept the grid."""
    hana = holding.customer()
    run = holding.post("/v1/procedures", {"operation": "login", "subject": hana.subject}).json()["procedure"]
    path, wrong = f"/v1/procedures/{run}/attempts", {"item": "login-password", "proof": "not this one"}
    took = []
    for body in [wrong] * 10 + [{**wrong, "proof": hana.password}]:
        began = time.monotonic()
        answer = holding.post(path, body)
        took.append(time.monotonic() - began)
    assert answer.json()["outcome"] == "refused"
    assert min(took) >= 0.05
