"""What people read is words, whatever bank it is: no name that only its policy file knows."""

import re

import pytest

from sekisho.bank.front import _others
from sekisho.bank.shown import Shown
from sekisho.catalogue import LANGUAGES, texts
from sekisho.flows.cases import NOTABLE
from sekisho.flows.incidents import PATH as INCIDENT
from sekisho.policy import compile_policy, load, reference
from sekisho.web.sights import Sights

BANKS = ("postal-bank", "major-bank")
A_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
"""As policy files have it."""


@pytest.fixture(scope="module", params=BANKS)
def table(request):
    return compile_policy(load(reference(request.param)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_is_entered_has_its_words(table, language):
    shown = Shown(table, language)
    asked = {name for one in table.items.values() for name in (one.name, *(part for part, _ in one.parts))}
    assert {name for name in asked if A_NAME.fullmatch(shown.item(name))} == set()


def test_both_halves_of_a_pair_are_named_apart():
    shown = Shown(compile_policy(load(reference("major-bank"))), "ja")
    assert [shown.item("account-number"), shown.item("customer-number")] == ["口座番号", "お客さま番号"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_waits_for_a_second_person_is_named_in_words(table, language):
    shown = Sights(table, language)
    assert [name for name in (*table.paths, INCIDENT) if A_NAME.fullmatch(shown.path(name)) or shown.path(name) == INCIDENT] == []


NOTED = {
    "whatever may be noted": [(what, "text") for what in NOTABLE],
    "what the engine notes": [(what, "text") for what in (
        "opened", "outside-hours", "not-handed-over", "recovered", "not-me", "lapsed", "not-finished", "tries-spent")],
    "a way that was verified": [("verified", "caller-code")],
    "an act, asked for and done": [("asked delete-addresses", ""), ("delete-addresses", "")],
    "a remedy": [("remedy", "spam-folder")],
    "an act that was refused": [("outside-hours", "delete-addresses")],
}


@pytest.mark.parametrize("what", NOTED)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notes_of_a_case_are_words(what, language):
    shown = Shown(compile_policy(load(reference("major-bank"))), language)
    for noted, text in NOTED[what]:
        words, of = shown.note(noted, text)
        assert words in texts(language).values(), noted
        assert not A_NAME.search(of), noted


def sent(address, code, *, another=True):
    return {"address": address, "code": code, "another": another}


FIRST, SECOND, THIRD = ({"id": name, "address": f"{name}•••", "item": "risk-code"} for name in "abc")
OFFERED = {
    "nothing was sent": ([], []),
    "it may still come": ([sent("a•••", "handed-over", another=False)], []),
    "it was refused": ([sent("a•••", "bounced")], [SECOND, THIRD]),
    "one is silent, one had refused it before": ([sent("b•••", "handed-over"), sent("a•••", "not-sent")], [THIRD]),
    "one is silent, one was before": ([sent("b•••", "handed-over"), sent("a•••", "handed-over")], [FIRST, THIRD]),
    "all have refused": ([sent("c•••", "suppressed"), sent("b•••", "bounced"), sent("a•••", "not-sent")], [FIRST, SECOND]),
}


@pytest.mark.parametrize("what", OFFERED)
def test_M_HELP_1_another_address_is_one_that_has_refused_the_mail_only_where_there_is_no_other(what):
    course, others = OFFERED[what]
    assert _others(course, [FIRST, SECOND, THIRD]) == others
