"""Five mistakes that others made in public, planted in a sound policy: each is real, and each is found."""

import pytest
from faults import is_real, plant
from good_policies import good, loaded

from sekisho.proof.check import check

MISTAKES = [
    # (what was done, the code of a finding that names it)
    ("a_count_forgets_before_the_code_does", "counter-shorter-than-code"),
    ("a_new_code_begins_the_count_anew", "unbounded-guesses"),
    ("an_item_is_asked_on_after_its_lock", "lock-not-asked"),
    ("a_timed_lock_is_taken_for_a_bound", "unbounded-guesses"),
    ("a_stranger_locks_the_login_and_what_releases_it", "stranger-locks"),
]
SEED = 3
"""Of a sound policy with an inquiry beside its login."""


def codes(file):
    return {(one.code.value, one.row) for one in check(loaded(file)).findings}


@pytest.mark.parametrize(("mistake", "code"), MISTAKES, ids=[mistake for mistake, _ in MISTAKES])
def test_a_public_mistake_is_found_again(mistake, code):
    sound = good(SEED)
    planted = plant(mistake, sound, SEED)
    assert is_real(mistake, sound, planted)
    assert code in {found for found, _ in codes(planted) - codes(sound)}
