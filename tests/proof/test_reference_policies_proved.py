"""What the proofs say about the shipped policies, finding by finding."""

import functools

import pytest

from sekisho.policy import parse, reference
from sekisho.proof.check import check
from sekisho.proof.found import Severity

BANKS = ["postal-bank", "postal-bank-as-found", "major-bank"]


@functools.cache
def proved(name):
    return check(parse(reference(name).read_bytes(), f"{name}.yaml"))


def found(report, severity=Severity.ERROR):
    return {(one.code.value, one.row) for one in report.findings if one.severity is severity}


WAIVED = {
    "postal-bank": {
        ("unbounded-guesses", "Y-LOGIN-6"), ("unbounded-guesses", "Y-TRANSFER-3"), ("unbounded-guesses", "Y-TRANSFER-4"),
        ("unbounded-guesses", "Y-ACCOUNT-2"), ("unbounded-guesses", "Y-PHONE-1"), ("unbounded-guesses", "Y-PHONE-2"),
        ("no-way-out", "Y-TRANSFER-2"), ("no-way-out", "token-codes-a-year"),
        ("stranger-locks", "mail-codes-a-year"), ("stranger-locks", "Y-NUMBER-3"),
    },
    "major-bank": {("unbounded-guesses", "M-RESET-5")},
}


@pytest.mark.parametrize("name", WAIVED)
def test_a_shipped_policy_passes_with_these_waivers_and_no_other(name):
    report = proved(name)
    assert report.accepted
    assert {(one.code.value, one.row) for one in report.findings if one.waived} == WAIVED[name]
    assert found(report) == WAIVED[name] and found(report, Severity.WARNING) == set()


def test_the_bank_as_found_fails_with_these_findings_and_no_other():
    report = proved("postal-bank-as-found")
    assert not report.accepted
    assert found(report) == {
        ("unbounded-guesses", "Y-RESET-2"), ("unbounded-guesses", "Y-LOGIN-2"), ("unbounded-guesses", "Y-NUMBER-3"),
        ("unbounded-guesses", "O-MAIL-1"), ("unbounded-guesses", "Y-TRANSFER-2"), ("unbounded-guesses", "O-TOKEN-1"), ("unbounded-guesses", "Y-APPLY-1"),
        ("unbounded-guesses", "Y-APPLY-5"), ("unbounded-guesses", "Y-LOGIN-6"), ("unbounded-guesses", "Y-TRANSFER-3"),
        ("unbounded-guesses", "Y-TRANSFER-4"), ("unbounded-guesses", "Y-ACCOUNT-2"), ("unbounded-guesses", "Y-PHONE-1"),
        ("unbounded-guesses", "Y-PHONE-2"), ("lock-not-asked", "Y-NUMBER-2"),
        ("no-way-out", "Y-TRANSFER-2"), ("stranger-locks", "Y-TRANSFER-2"), ("stranger-locks", "Y-NUMBER-3"),
    }
    assert found(report, Severity.WARNING) == {("stranger-locks", "Y-NUMBER-2"), ("stranger-locks", "Y-RESET-2"), ("unused-name", None)}


def bound(name, item, attacker="free"):
    one = next(one for one in proved(name).bounds if (one.item, one.attacker) == (item, attacker))
    assert one.exact
    return one.per_day, one.per_year


@pytest.mark.parametrize(("item", "attacker", "day", "year"), [
    ("login-password", "free", 250, 87_610),       # ten an hour through number inquiry, and ten at the login
    ("identity-confirmation", "free", 240, 87_600),
    ("basic-data", "free", None, None),
    ("mail-otp", "free", None, None),
    ("token-otp", "free", 99, 99),
    ("token-otp", "waiting", 197, 98 * 365 + 99),  # (K - 1) for each right entry of the customer's, and K
    ("card-pin", "free", 4, 4),
    ("card-pin", "waiting", 7, 3 * 365 + 4),
])
def test_A8_what_nothing_bounds_in_the_bank_as_found(item, attacker, day, year):
    assert bound("postal-bank-as-found", item, attacker) == (day, year)


@pytest.mark.parametrize("item", ["login-password", "identity-confirmation", "basic-data", "number-pair"])
@pytest.mark.parametrize("attacker", ["free", "waiting"])
def test_A8_what_we_added_bounds_it_over_the_year(item, attacker):
    assert bound("postal-bank", item, attacker) == (100, 100)


def test_A22_where_a_stranger_has_closed_everything_paper_is_the_way():
    way = next(one for one in proved("postal-bank").ways_out if one.state.name == "Y-LOGIN-3")
    assert (way.at_rest.path, way.at_rest.kind) == (("reset-password",), "self")
    assert (way.under_attack.path, way.under_attack.kind, way.under_attack.shortest_s) == (("form-1-1",), "paper", 7 * 86_400)


def without_its_desk(text):
    """The major bank before the story's customer rang it: nobody deletes addresses, and nobody gives a code by letter."""
    text = text.replace("    by_letter: 21d\n", "")
    head, rest = text.split("  delete-addresses:\n")
    text = head + "  lift-stop:\n" + rest.split("  lift-stop:\n")[1]
    return text.replace("undo: [delete-addresses, form-password]", "undo: [form-password]").replace("undo: [delete-addresses]", "undo: [form-password]")


def test_M_LOOP_1_the_storys_circle_is_found_where_there_is_no_desk():
    """Login asks for a code by mail, the mail is lost, and whoever would change the address must log in or answer a code by mail."""
    report = check(parse(without_its_desk(reference("major-bank").read_text(encoding="utf-8")), "major-bank.yaml"))
    circle = next(one for one in report.findings if one.code == "circular-release")
    assert not report.accepted and circle.refuses
    assert {"M-RISK-1", "M-RESET-6"} <= set(circle.text.en.replace(",", "").replace(")", "").replace("(", "").split())
    assert "flag identity-demanded" in circle.trace


def test_with_its_desk_the_same_customer_gets_out():
    way = next(one for one in proved("major-bank").ways_out if one.state.board.flags and one.state.lost)
    assert (way.at_rest.path, way.at_rest.kind) == (("delete-addresses", "reset-password"), "desk")
    assert (way.at_rest.shortest_s, way.at_rest.longest_s) == (0, 12 * 3_600), "it opens at nine and closes at twenty-one"


@pytest.mark.parametrize("name", BANKS)
def test_every_finding_has_its_place_and_both_languages(name):
    for one in proved(name).findings:
        assert one.where.startswith(f"{name}.yaml:")
        assert one.text.ja and one.text.en and "{" not in one.text.ja + one.text.en
