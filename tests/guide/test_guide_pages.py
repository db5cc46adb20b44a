"""The documentation as pages: it is whole, its links lead somewhere, its reference says all that there is, and a hole stops the build."""

import asyncio
import posixpath
import re
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec
import pytest

from sekisho import catalogue
from sekisho.api.routes import operations
from sekisho.app import Settings, apart
from sekisho.cli import group
from sekisho.errors import CallerError
from sekisho.events import EventKind
from sekisho.flows.answers import Message
from sekisho.guide import build
from sekisho.guide.markdown import render
from sekisho.guide.reference import events
from sekisho.policy import compile_policy, load, reference
from sekisho.policy.model import FindingCode, PolicyFile
from sekisho.terms import Outcome

ROOT = Path(__file__).parents[2]
PAGE_MAX = 100_000
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.fixture(scope="module")
def made():
    return {one.place: one.body for one in build(ROOT)}


@pytest.fixture(scope="module")
def pages(made):
    return {place: body.decode() for place, body in made.items() if place.endswith(".html")}


def words(html):
    return unescape(re.sub(r"<[^>]+>", "", html))


def anchors(html):
    return {"", *re.findall(r'\bid="([^"]*)"', html)}


def test_every_page_of_the_repository_is_one_of_the_documentation(pages):
    titles = {words(re.search(r"<h1[^>]*>(.*?)</h1>", html, re.DOTALL)[1]) for html in pages.values()}
    first = {name: (ROOT / name).read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for name in PAGES}
    assert {name: title for name, title in first.items() if words(render(title, str).html).strip() not in titles} == {}


def test_every_link_leads_to_a_place_that_is_there(made, pages):
    lost = []
    for place, html in pages.items():
        for link in re.findall(r'(?:href|src)="([^"]*)"', html):
            split = urlsplit(unescape(link))
            if not split.scheme:
                target = posixpath.normpath(posixpath.join(posixpath.dirname(place), split.path)) if split.path else place
                if target not in made or (split.fragment and split.fragment not in anchors(pages[target])):
                    lost.append((place, link))
    assert lost == []


def test_what_is_searched_is_where_it_says(made, pages):
    listed = msgspec.json.decode(made["places.js"].decode().removeprefix("const places = ").rstrip(";\n"))
    assert len(listed) > 300
    assert [address for address, *_ in listed if address.partition("#")[2] not in anchors(pages[address.partition("#")[0]])] == []


def test_a_page_is_under_100_kilobytes_and_begins_as_every_page_does(pages):
    assert {place for place, html in pages.items() if not place.startswith("files/") and len(html.encode()) >= PAGE_MAX} == set()
    assert {place for place, html in pages.items() if html.count("<h1") != 1 or '<main id="main"' not in html or 'lang="en"' not in html} == set()


def test_japanese_says_that_it_is_japanese(pages):
    assert '<span lang="ja">関所</span>' in pages["index.html"]


# The reference: each word is looked for where the code has it.


def commands(command, path):
    found = [(path, command)]
    if isinstance(command, click.Group):
        inner = {name: command.get_command(click.Context(command), name) for name in command.list_commands(click.Context(command))}
        found += [one for name, each in inner.items() for one in commands(each, f"{path} {name}")]
    return found


def test_every_command_and_option_is_in_the_reference(pages):
    text = words(pages["reference/commands.html"])
    listed = commands(group, "sekisho")[1:]
    assert len(listed) > 30
    assert [path for path, _ in listed if not re.search(rf"^{re.escape(path)}$", text, re.MULTILINE)] == []
    assert [(path, name) for path, one in listed for param in one.params if isinstance(param, click.Option) for name in param.opts if name not in text] == []


def test_every_setting_is_in_the_reference_with_what_it_means(pages):
    text = words(pages["reference/settings.html"])
    assert [name for name in Settings.__struct_fields__ if name not in text] == []


def cells(kind, seen):
    """All cells of the policy file, from the types that read it."""
    shape = msgspec.inspect.type_info(kind)
    waiting, found = [shape], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, msgspec.inspect.StructType) and one.cls not in seen:
            seen.add(one.cls)
            found |= {field.encode_name for field in one.fields}
            waiting += [field.type for field in one.fields]
        for name in ("type", "item_type", "value_type", "key_type"):
            waiting += [getattr(one, name)] if getattr(one, name, None) is not None else []
        waiting += getattr(one, "types", ())
    return found


def test_every_word_of_the_policy_is_in_the_reference(pages):
    named = set(re.findall(r"<td><code>([\w-]+)</code>", pages["reference/policy.html"]))
    expected = cells(PolicyFile, set())
    assert len(expected) > 100 and expected - named == set()
    assert [code.value for code in FindingCode if code.value not in pages["reference/policy.html"]] == []


@pytest.mark.parametrize(("page", "prefix", "kinds"), [("events", "event", EventKind), ("answers", "answer", Message), ("answers", "outcome", Outcome)])
def test_every_event_and_answer_is_in_the_reference_in_both_languages(pages, page, prefix, kinds):
    text = words(pages[f"reference/{page}.html"])
    assert [one.value for one in kinds if one.value not in text] == []
    assert [one.value for one in kinds for language in ("ja", "en") if catalogue.say(language, f"{prefix}.{one.value}").strip() not in text] == []


async def calls():
    return operations(await apart(compile_policy(load(reference("postal-bank"))), lambda: 0, "reference"))


def test_every_call_is_in_the_reference(pages):
    listed = asyncio.run(calls())
    text = words(pages["reference/http.html"])
    assert len(listed) > 40
    assert [(one.method, one.path) for one in listed if f"{one.method} {one.path}\n" not in text] == []


# What stops the build.


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A few written pages, to spoil one; the reference is made from the code and not what is looked at."""
    monkeypatch.setattr("sekisho.guide.reference.pages", dict)
    (tmp_path / "docs" / "why").mkdir(parents=True)
    (tmp_path / "README.md").write_text("# Start\n\n[Why](docs/why/one.md)\n", encoding="utf-8")
    (tmp_path / "docs" / "glossary.md").write_text("# Words\n", encoding="utf-8")
    (tmp_path / "docs" / "why" / "README.md").write_text("# Why\n", encoding="utf-8")
    (tmp_path / "docs" / "why" / "one.md").write_text("# One\n\n## A part\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(("link", "complaint"), [
    ("docs/why/two.md", r"no docs/why/two\.md"), ("docs/why/one.md#another-part", r"no #another-part on why/one\.html"), ("../elsewhere.md", "elsewhere"),
])
def test_a_link_that_leads_nowhere_stops_the_build(copy, link, complaint):
    (copy / "README.md").write_text(f"# Start\n\n[there]({link})\n", encoding="utf-8")
    with pytest.raises(CallerError, match=complaint):
        build(copy)


def test_a_missing_text_stops_the_build(monkeypatch):
    held = {language: {name: text for name, text in catalogue.texts(language).items() if name != "event.lock-set"} for language in ("ja", "en")}
    monkeypatch.setattr("sekisho.guide.reference.texts", held.get)
    with pytest.raises(KeyError, match=r"event\.lock-set"):
        list(events())


def test_a_folder_without_documentation_is_told_so(tmp_path):
    with pytest.raises(CallerError, match="--source"):
        build(tmp_path)


def test_html_in_a_text_is_shown_and_not_obeyed():
    assert "&lt;script&gt;" in render("a <script>alert(1)</script>", str).html
