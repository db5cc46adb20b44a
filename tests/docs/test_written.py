"""What is written holds together: links lead somewhere, tests that are named exist, the words are the glossary's."""

import ast
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

from sekisho import __version__
from sekisho.cli import group
from sekisho.terms import Counting, Outcome, PathKind, PenaltyKind, Reach, Role, Verdict

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MODULES = sorted((ROOT / "src").rglob("*.py"))
NOT_OURS = {".git", ".venv", ".tools", ".demo"}

LINK = re.compile(r"\]\(([^)\s]+)\)")
TEST_NAME = re.compile(r"`(test_\w+)`")
OF_ONE_MACHINE = ("/" + "work/", "/" + "root/", ".." + "/shared", "/home" + "/")
INDEX_HOSTS = {"pypi.org", "files.pythonhosted.org"}
NOT_OUR_WORDS = {
    r"max_tr(?:y|ies)": "guesses_max", r"retry_count": "guesses_left", r"lockout": "lock", r"black-?list|white-?list": "what the list is for",
    r"unlock_(?:type|path|method)": "release path", r"failed_attempts": "wrong",
}


def text_of(path):
    return path.read_text(encoding="utf-8")


@cache
def tracked():
    """Files of the repository; all that is there, where it is not a checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not NOT_OURS & set(path.relative_to(ROOT).parts)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    targets = [urlsplit(target) for target in LINK.findall(text_of(page))]
    assert [one.geturl() for one in targets if not one.scheme and one.path and not (page.parent / one.path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_tests_a_page_names_exist(page):
    tests = "".join(text_of(path) for path in (ROOT / "tests").rglob("*.py"))
    assert [name for name in TEST_NAME.findall(text_of(page)) if f"{name}(" not in tests and f"{name} =" not in tests] == []


def test_every_decision_is_in_the_list_of_decisions():
    why = ROOT / "docs" / "why"
    listed = set(LINK.findall(text_of(why / "README.md")))
    assert {page.name for page in why.glob("*.md")} - {"README.md"} <= listed


@pytest.mark.parametrize("heading", ["**Question.**", "**Choice.**", "**What it costs.**", "**What would change it.**"])
def test_every_decision_says_what_was_asked_chosen_paid_and_may_change_it(heading):
    pages = [page for page in (ROOT / "docs" / "why").glob("*.md") if page.name != "README.md"]
    assert [page.name for page in pages if heading not in text_of(page)] == []


def test_decisions_that_the_code_points_to_are_written():
    named = {name for module in MODULES for name in re.findall(r"docs/why/([\w-]+\.md)", text_of(module))}
    assert {name for name in named if not (ROOT / "docs" / "why" / name).exists()} == set()


@pytest.mark.parametrize("floor", sorted({path.relative_to(ROOT / "src" / "sekisho").parts[0] for path in MODULES if not path.name.startswith("__main")}))
def test_every_module_says_in_its_first_line_what_it_is(floor):
    modules = [path for path in MODULES if path.relative_to(ROOT / "src" / "sekisho").parts[0] == floor]
    assert [str(path) for path in modules if not (ast.get_docstring(ast.parse(text_of(path))) or "").split("\n")[0].strip()] == []


def commands_shown():
    """What pages tell the reader to type, but for run.py's own words."""
    lines = {line.strip("` ") for page in PAGES for line in re.findall(r"^    (python3 run\.py [^#\n]+)", text_of(page), re.MULTILINE)}
    return sorted(line for line in lines if line.split()[2] not in {"test", "bench"} and not line.split()[2].isupper())


@pytest.mark.parametrize("line", commands_shown())
def test_a_command_that_is_shown_is_one(line, monkeypatch):
    monkeypatch.chdir(ROOT)
    words, command = shlex.split(line)[2:], group
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), words.pop(0))
    given = ["pyproject.toml" if word in {"FILE", "bank.yaml"} else word for word in words]
    assert command.make_context("", given).params


def test_the_map_names_every_floor():
    shown = text_of(ROOT / "README.md").split("## The map of the floors")[1].split("\n## ")[0]
    inner = {path.name + ("/" if path.is_dir() else "") for path in (ROOT / "src" / "sekisho").iterdir() if not path.name.startswith((".", "_"))}
    ours = {name for name in inner if name.endswith((".py", "/")) and name not in {"locale/", "catalogue.py", "serving.py", "templates.py"}}
    assert {name for name in ours if f"`{name}`" not in shown} == set()


def test_the_changelog_has_what_comes_and_what_is():
    headings = re.findall(r"^## \[?([\w.]+)\]?", text_of(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "Unreleased" and __version__ in headings


@pytest.mark.parametrize("words", [Reach, Counting, Verdict, Outcome, PenaltyKind, PathKind, Role], ids=lambda words: words.__name__)
def test_the_glossary_has_the_words_of_the_code(words):
    plain = text_of(ROOT / "docs" / "glossary.md").lower().replace("-", " ")
    assert [word.value for word in words if word.value.replace("-", " ") not in plain] == []


def test_every_word_of_the_glossary_has_its_japanese():
    rows = [line.strip("| ").split(" | ") for line in text_of(ROOT / "docs" / "glossary.md").splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows if len(row) != 3 or row[2].isascii()] == []


@pytest.mark.parametrize("pattern", NOT_OUR_WORDS, ids=NOT_OUR_WORDS.get)
def test_names_come_from_the_glossary(pattern):
    assert [str(path) for path in MODULES if re.search(pattern, text_of(path), re.IGNORECASE)] == []


def test_no_file_names_a_place_of_one_machine():
    found = []
    for path in tracked():
        body = path.read_bytes()
        found += [f"{path.relative_to(ROOT)}: {place}" for place in OF_ONE_MACHINE if place.encode() in body]
    assert found == []


def test_the_lock_names_the_public_index_alone():
    hosts = {urlsplit(address).hostname for address in re.findall(r"https?://[^\s\"]+", text_of(ROOT / "uv.lock"))}
    assert hosts <= INDEX_HOSTS
