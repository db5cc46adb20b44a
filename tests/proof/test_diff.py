"""`sekisho policy diff`: what got looser, tighter, newly stuck."""

import json

import pytest
from click.testing import CliRunner
from good_policies import good, loaded

from sekisho.cli import group
from sekisho.policy import reference
from sekisho.proof.check import check
from sekisho.proof.diff import changes, looser


def changed(edit):
    before, after = good(3), good(3)
    edit(after)
    found = changes(check(loaded(before)), check(loaded(after)))
    return looser(found), {(one.way.value, one.what, one.name) for one in found}


def password(file):
    return file["operations"]["login"]["items"]["password"]["stages"][0]


@pytest.mark.parametrize(("edit", "is_looser", "one"), [
    (lambda file: None, False, None),
    (lambda file: password(file).update(wrong=5), False, ("tighter", "stage", "password-in-a-row")),
    (lambda file: password(file).update(wrong=30), True, ("looser", "stage", "password-in-a-row")),
    (lambda file: file["ceilings"]["mail-a-year"].update(wrong=200), True, ("looser", "guesses", "mail-code (free)")),
    (lambda file: file["ceilings"]["mail-a-year"].update(wrong=20), False, ("tighter", "guesses", "mail-code (free)")),
    (lambda file: password(file).update(undo=["wait"]), True, ("newly-stuck", "way-out", "L-1, at rest")),
], ids=["nothing", "fewer in a row", "more in a row", "more a year", "fewer a year", "no way out"])
def test_what_a_change_does(edit, is_looser, one):
    got_looser, found = changed(edit)
    assert got_looser is is_looser
    assert one in found if one else found == set()


def test_a_lock_from_before_whose_ways_back_all_go_is_left_stuck():
    """It keeps the ways of its day: a form under another name does not lift it."""
    before = good(2)
    assert before["ceilings"]["mail-a-year"]["undo"] == ["form-mail"]
    after = json.loads(json.dumps(before).replace('"form-mail"', '"form-address"'))
    found = changes(check(loaded(before)), check(loaded(after)))
    assert {(one.way.value, one.name, one.before, one.after) for one in found} == {("newly-stuck", "mail-a-year", "form-mail", "none")}


def test_the_command_ends_with_1_when_something_got_looser_and_with_0_when_nothing_did():
    bank, as_found = str(reference("major-bank")), str(reference("postal-bank-as-found"))
    same = CliRunner().invoke(group, ["policy", "diff", bank, bank])
    assert (same.exit_code, same.stdout) == (0, "Nothing that matters is different.\n")
    other = CliRunner().invoke(group, ["policy", "diff", bank, as_found, "--json"])
    assert other.exit_code == 1 and {one["way"] for one in json.loads(other.stdout)} >= {"looser", "tighter"}
