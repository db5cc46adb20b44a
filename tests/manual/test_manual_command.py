"""`sekisho manual build`: files that a bank can put on any server, or none where a text is missing."""

import asyncio
import json
import re

import pytest
from click.testing import CliRunner

from sekisho.app import open_store
from sekisho.cli.manual import manual
from sekisho.core.state import encode
from sekisho.flows.helped import ANSWERS, Answered, Answers
from sekisho.policy import reference
from sekisho.ports import Change


@pytest.fixture
def build(tmp_path):
    def run(source, *words):
        file = tmp_path / "bank.yaml"
        file.write_text(source, encoding="utf-8")
        return CliRunner().invoke(manual, ["build", str(file), "--out", str(tmp_path / "out"), *words]), tmp_path / "out"

    return run


SMALL = reference("major-bank").read_text(encoding="utf-8")


def test_both_articles_are_written_in_both_languages(build):
    done, out = build(SMALL, "--since", "2026-04-01")
    assert done.exit_code == 0, done.output
    assert {str(path.relative_to(out)) for path in out.glob("*/*/index.html")} == {
        f"{audience}/{language}/index.html" for audience in ("staff", "customer") for language in ("ja", "en")}
    assert "2026-04-01" in (out / "staff/en/index.html").read_text(encoding="utf-8")


def test_a_policy_whose_japanese_is_missing_makes_no_manual(build):
    hole = re.sub(r"ja: ログイン, en: Login\b|ja: ログイン\n( +)en: Login\n", lambda m: m[0].replace("ログイン", "Login"), SMALL, count=1)
    assert hole != SMALL
    done, out = build(hole)
    assert done.exit_code == 1 and not out.exists()
    assert re.search(r"bank\.yaml:\d+:\d+: ", done.output)


def test_what_staff_said_is_shown_by_page_and_nobody_is_named(tmp_path):
    async def said():
        store = open_store(f"sqlite:///{tmp_path / 'bank.db'}", make=True)
        await store.begin([ANSWERS])
        kept = Answers(tally={"ways": (2, 1), "limits": (0, 3)}, newest=[Answered("limits", "en", False, "which day?", "aoki", 0, "v")])
        await store.commit(Change([(ANSWERS, encode(kept), None)], None, []))
        await store.close()

    asyncio.run(said())
    given = ["answers", "--store", f"sqlite:///{tmp_path / 'bank.db'}"]
    done, told = (CliRunner().invoke(manual, [*given, *more]) for more in ([], ["--json"]))
    assert done.output.splitlines() == ["limits  helped 0  did not 3", "    1970-01-01  which day?", "ways  helped 2  did not 1"]
    assert json.loads(told.output)["newest"][0]["note"] == "which day?" and "aoki" not in told.output


def test_a_file_that_is_no_policy_makes_no_manual(build):
    done, out = build(SMALL.replace("article:", "artikle:"))
    assert done.exit_code == 2 and not out.exists()


def test_a_policy_that_the_check_refuses_says_so_on_its_page(build):
    done, out = build(re.sub(r"(?m)^waivers:\n(?:  .*\n)+", "", SMALL))
    assert done.exit_code == 0, done.output
    assert "may not come into force" in (out / "staff/en/check.html").read_text(encoding="utf-8")
