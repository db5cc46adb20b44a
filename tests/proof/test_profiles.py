"""A policy held to a standard: each clause finds what breaks it, with the clause's number and the place."""

import functools

import pytest
from good_policies import good, loaded

from sekisho.policy import load, reference
from sekisho.policy.model import Profile
from sekisho.proof.check import check


@functools.cache
def against(profile):
    report = check(load(reference("major-bank")), [Profile(profile)])
    return {(one.row or one.where.rpartition("/")[2].split(":")[0], one.text.en.split("(")[1].split("):")[0].removesuffix(")"))
            for one in report.findings if one.code in {"profile", "guesses-over-profile"}}


@pytest.mark.parametrize(("profile", "clauses"), [
    ("nist-800-63b-4-aal2", {"SP 800-63B-4 3.1.3", "SP 800-63B-4 2.2", "SP 800-63B-4 3.1.1.2"}),
    ("psd2-sca", {"RTS 2018/389 Art. 4(3)(b", "RTS 2018/389 Art. 4(3)(d", "RTS 2018/389 Art. 4"}),
    ("pci-dss-4", set()),
    ("asvs-5-l3", {"6.3.6", "6.4.2", "6.5.5", "6.3.3"}),
    ("jsda-2025", {"2025"}),
])
def test_a_bank_is_told_which_clauses_it_breaks(profile, clauses):
    assert {clause for _, clause in against(profile)} <= clauses
    assert bool(against(profile)) is bool(clauses)


def broken(profile, change):
    file = good(7)
    file["profiles"] = [profile]
    before = {one.text.en for one in check(loaded(file)).findings}
    change(file)
    return [one for one in check(loaded(file)).findings if one.text.en not in before and one.code != "unused-name"]


def posted(file, life):
    """The desk gives the code by mail out, to whoever writes by letter."""
    file["items"]["mail-code"]["by_letter"] = life
    file["procedures"]["lift-stop"]["gives"] = ["mail-code"]


@pytest.mark.parametrize(("profile", "change", "clause"), [
    ("pci-dss-4", lambda file: file["operations"]["login"]["items"]["password"]["stages"][0].update(wrong=11), "8.3.4"),
    ("pci-dss-4", lambda file: file["timing"]["session"].update(idle="16m"), "8.2.8"),
    ("pci-dss-4", lambda file: file["retention"]["audit"].update(keep="364d"), "10.5.1"),
    ("psd2-sca", lambda file: file["timing"]["session"].update(idle="301s"), "4(3)(d)"),
    ("nist-800-63b-4-aal2", lambda file: file["mail"]["code"].update(valid="11m"), "3.1.3.2"),
    ("nist-800-63b-4-aal2", lambda file: file["mail"]["code"].update(digits=5), "3.1.3.2"),
    ("nist-800-63b-4-aal2", lambda file: file["ceilings"]["mail-a-year"].update(wrong=101), "3.2.2"),
    ("nist-800-63b-4-aal2", lambda file: posted(file, "22d"), "4.2.1.2"),
    ("asvs-5-l3", lambda file: file["items"]["mail-code"].update(valid="601s"), "6.5.5"),
], ids=["wrong entries", "idle", "audit", "idle too", "life of a code", "digits", "a year", "life by post", "life of a code too"])
def test_a_figure_past_its_clause_is_found(profile, change, clause):
    assert any(clause in one.text.en and profile in one.text.en for one in broken(profile, change))


def test_standards_that_contradict_each_other_are_named_and_can_be_waived():
    file = good(7)
    file["profiles"] = ["nist-800-63b-4-aal2", "pci-dss-4"]
    clash = next(one for one in check(loaded(file)).findings if one.code == "profile-clash")
    assert clash.refuses
    file["waivers"] = [{"finding": "profile-clash", "where": "profiles", "reason": {"ja": "NISTに従う", "en": "NIST is followed"}, "by": "policy owner"}]
    clash = next(one for one in check(loaded(file)).findings if one.code == "profile-clash")
    assert not clash.refuses and clash.waived.en == "NIST is followed (policy owner)"
