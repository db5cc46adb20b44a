"""Faults that show only from the door to the end, planted in the engine: a walk at random finds each."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import Phase
from people import House
from scale import times
from walks import complaints, walks

from sekisho.adapters import secrets
from sekisho.core import attempt, budget, release
from sekisho.core.scene import Scene
from sekisho.flows import approvals, entries
from sekisho.terms import Verdict

POLICY = Path(__file__).parent.parent / "other-bank.yaml"
QUICKLY = {"stateful_step_count": 40, "phases": [Phase.generate], "print_blob": False, "report_multiple_bugs": False}

_settle_count, _lift, _settle = budget.settle, release.lift, attempt.settle


def lock_not_asked_at_the_end(scene, taken, verdict, tag=b""):
    """What was begun before a lock or a block goes through after it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scene, "standing_lock", lambda *_: None)
        patch.setattr(Scene, "alive", lambda _: True)
        return _settle(scene, taken, verdict, tag)


def release_that_keeps_the_count(key, guard, lock, sources, *more, **also):
    """The lock is lifted, and the next entry sets it again."""
    kept = {name: dict(row.counts) for name, row in sources.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "zero", lambda _: None)
        _lift(key, guard, lock, sources, *more, **also)
    for name, row in sources.items():
        row.counts = kept[name]


def shared_count_cleared_by_the_other_item(count, counter, item, note, verdict, now):
    """A right PIN takes back what a wrong name had put there."""
    _settle_count(count, counter, item, note, verdict, now)
    if verdict is Verdict.RIGHT and counter.window_s is None:
        budget.zero(count)


def run_that_outlives_its_block(*_):
    """Whoever was in is in still when his login is blocked (A17)."""
    return True


def first_person_who_agrees_with_herself(tx, approval, operator):
    """One operator alone."""
    return tx.get(approvals.key_of(approval), approvals.Approval)


PLANTED = {
    "lock not asked at the end": [(attempt, "settle", lock_not_asked_at_the_end)],
    "release that keeps the count": [(release, "lift", release_that_keeps_the_count)],
    "shared count cleared by the other item": [(budget, "settle", shared_count_cleared_by_the_other_item)],
    "run that outlives its block": [(Scene, "_outlived", run_that_outlives_its_block)],
    "first person who agrees with herself": [(approvals, "for_second", first_person_who_agrees_with_herself)],
}
"""By what is wrong: where it is planted."""


@contextlib.contextmanager
def house(folder, planted=()):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "MEMORY_KIB", 64)
        patch.setattr(entries, "WAIT_S", 0.02)
        made = House(folder, POLICY)
        for where, name, other in planted:
            patch.setattr(where, name, other)
        try:
            yield made
        finally:
            made.close()


AT_ONCE = ("lock not asked at the end", "shared count cleared by the other item", "run that outlives its block", "first person who agrees with herself")
"""Those that are found soon; the others belong to full counts."""


@pytest.mark.timeout(times(240, full=900))
@pytest.mark.parametrize("planted", [PLANTED[name] for name in times(AT_ONCE, full=PLANTED)], ids=times(AT_ONCE, full=PLANTED))
def test_the_planted_fault_is_found_by_a_walk(tmp_path, planted):
    with house(tmp_path, planted) as made:
        assert complaints(walks(made, POLICY.read_bytes()), max_examples=40, **QUICKLY) != []


def test_nothing_is_found_where_nothing_is_planted(tmp_path):
    with house(tmp_path) as made:
        assert complaints(walks(made, POLICY.read_bytes()), max_examples=times(1, full=40), **QUICKLY) == []
