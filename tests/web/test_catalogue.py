"""Both languages say everything, and both can be filled in from the same facts."""

import re
import string
from pathlib import Path

import pytest

import sekisho
from sekisho.catalogue import LANGUAGES, name_of, texts, translated
from sekisho.core.delivery import MOVES, Course
from sekisho.events import EventKind
from sekisho.flows.answers import Message
from sekisho.terms import Counting, MailGroup, Outcome, PathKind, PenaltyKind, Reach

SOURCE = Path(sekisho.__file__).parent


def placeholders(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_both_languages_have_the_same_names():
    assert texts("ja").keys() == texts("en").keys()


def test_a_text_takes_the_same_facts_in_both_languages():
    assert {name: placeholders(text) for name, text in texts("ja").items()} == {name: placeholders(text) for name, text in texts("en").items()}


def test_no_text_is_empty():
    assert [name for language in LANGUAGES for name, text in texts(language).items() if not text.strip(" ")] == []


@pytest.mark.parametrize(("prefix", "names"), [
    ("answer", Message), ("outcome", Outcome), ("event", EventKind), ("penalty", PenaltyKind), ("path", PathKind), ("counting", Counting),
    ("subject", Reach), ("trace", Course), ("group", MailGroup),
])
def test_every_word_that_comes_from_the_service_has_its_text(prefix, names):
    assert {f"{prefix}.{one.value}" for one in names} <= texts("en").keys()


def test_every_step_of_a_message_has_its_text():
    assert {f"trace.{event}" for _, event in MOVES} <= texts("en").keys()


def test_every_problem_of_the_service_has_its_text():
    source = "".join(path.read_text() for path in (SOURCE / "api").glob("*.py"))
    kinds = set(re.findall(r'(?:Problem\(|_problem\()\d{3}, "([a-z-]+)"', source))
    assert len(kinds) > 10
    assert {f"problem.{kind}" for kind in kinds} <= texts("en").keys()


def test_every_text_that_a_page_names_is_there():
    pages = "".join(path.read_text() for path in (SOURCE / "web" / "templates").glob("*.html"))
    named = set(re.findall(r"""\bt\(["']([a-z.-]+)["'][,)]""", pages))
    code = "".join(path.read_text() for path in (SOURCE / "bank").glob("*.py"))
    named |= set(re.findall(r"""\bsay\("([a-z.-]+)"[,)]""", code))
    assert len(named) > 80
    assert named <= texts("en").keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_that_a_notice_names_is_called_so(language):
    """Whoever is told to go to "This was not me" finds a page of that name."""
    notices = {name: text for name, text in texts(language).items() if name.startswith("notice.")}
    named = {phrase for text in notices.values() for pair in re.findall(r'「(.+?)」|"(.+?)"', text) for phrase in pair if phrase}
    assert len(notices) > 10 and len(named) == 1
    assert texts(language)["bank.not-me"].startswith(named.pop())


def test_answers_to_customers_name_no_figure():
    for language in LANGUAGES:
        assert not [text for name, text in texts(language).items() if name.startswith("answer.") and re.search(r"\d", text)]


def test_a_sentence_is_found_again_in_the_other_language():
    wrong = texts("ja")["answer.wrong"]
    assert name_of(wrong, "ja") == "answer.wrong"
    assert translated(wrong, "ja", "en") == texts("en")["answer.wrong"]
    assert translated("something else", "ja", "en") == "something else"


def test_every_denial_of_the_desk_has_its_text():
    codes = set(re.findall(r'Denied\("([a-z-]+)"', "".join(path.read_text() for path in (SOURCE / "flows").glob("*.py"))))
    assert len(codes) > 10
    assert {f"problem.{code}" for code in codes} <= texts("en").keys()
