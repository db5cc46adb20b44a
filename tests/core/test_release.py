"""A lock is lifted with the count it came from, or not at all: a count at its end without a lock is one that nobody could open."""

import msgspec
import pytest
from play import Play
from tables import counter, devices, lock, row, shared, stage, table

from sekisho.core import procedure
from sekisho.core.release import lift
from sekisho.core.state import Count, Guard, Lock
from sekisho.terms import PenaltyKind

WHOLE = shared(counter("c", "customer", stage(7, lock("login"), row="R")), 2, {7: 2})
TABLE = table(row("login", "password", WHOLE), devices=devices("login"))


def spent(source, name="c"):
    """A lock on somebody, and whose count led to it."""
    return Lock(f"1-{source}", "R", PenaltyKind.LOCK, 1, ["desk"], source=source, counter=name, operations=["login"])


@pytest.fixture
def scene():
    """The last step of a way back is done: that of `desk`, for one customer."""
    back = msgspec.structs.replace(TABLE, operations={"back": msgspec.structs.replace(TABLE.operations["login"], name="back", path="desk")})
    play = Play(back)
    play.enrol("customer:1", "customer:9")
    play.begin("procedure:1", "back", {"customer": "customer:1"})
    return play._scene(play._facts("procedure:1"))


def test_a_lock_that_fell_after_the_rows_were_chosen_stands(scene):
    scene.guards["customer:1"].locks = [spent("customer:9"), spent("customer:1"), spent("session:1")]
    procedure.finish(scene)
    assert [one.source for one in scene.guards["customer:1"].locks] == ["customer:9"]


def test_one_whose_count_is_at_hand_is_lifted_with_it(scene):
    scene.guards["customer:1"].locks = [spent("customer:9")]
    other = scene.rows["customer:9"] = Guard(known=True, counts={"c": Count(wrong=3, fired=3)})
    procedure.finish(scene)
    assert (scene.guards["customer:1"].locks, other.counts["c"].wrong, "customer:9" in scene.touched) == ([], 0, True)


def test_one_whose_count_is_gone_is_lifted_and_no_row_is_made_for_it(scene):
    scene.guards["customer:1"].locks = [spent("customer:8")]
    scene.rows["customer:8"] = Guard()
    procedure.finish(scene)
    assert (scene.guards["customer:1"].locks, "customer:8" in scene.touched) == ([], False)


def test_what_shares_led_to_is_lifted_together_where_the_shares_are_of_one_subject():
    """The same count of somebody else has led to a lock on him too; that one is not zeroed by it."""
    guard = Guard(known=True, places=1, counts={"c": Count(wrong=3, fired=3), "c/device-1": Count(wrong=2, fired=2)})
    guard.locks = [spent("customer:1"), spent("customer:1", "c/device-1"), spent("customer:9")]
    lift("customer:1", guard, guard.locks[0], {"customer:1": guard}, TABLE, lambda event: None, path="desk")
    assert [one.source for one in guard.locks] == ["customer:9"]
