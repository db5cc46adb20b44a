"""docs/how/policy.md is followed: each piece is put at the end of the file, and `policy check` says what the page shows."""

import re
from pathlib import Path

import pytest
from blocks import ROOT, blocks
from click.testing import CliRunner

from sekisho.cli import group

PAGE = "docs/how/policy.md"
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")
EXITS = [int(code) for code in re.findall(r"\(exit (\d)|Still exit (\d)", TEXT) for code in code if code]


def run(*words):
    return CliRunner().invoke(group, words)


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """Of each check on the page: what is shown, how it has ended, what it has printed. The file stands complete in the working directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("own"))
        yield list(_followed(Path("bank.yaml")))


def _followed(file):
    written = ""
    for one in blocks():
        if one.page == PAGE and one.kind == "yaml":
            written += one.text
        elif one.page == PAGE and one.kind == "text":
            file.write_text(written, encoding="utf-8")
            done = run("policy", "check", "bank.yaml")
            yield one.text, done.exit_code, done.output


def test_each_check_is_the_one_that_is_run_here():
    commands = [words for one in blocks() if one.page == PAGE for words in one.commands]
    assert commands == [["policy", "check", "bank.yaml"]] * len(EXITS)


def test_every_piece_is_told_what_the_page_shows(followed):
    assert [told.strip("\n") for _, _, told in followed] == [shown.strip("\n") for shown, _, _ in followed]


def test_it_ends_as_the_page_says_refused_until_the_last_piece(followed):
    assert [code for _, code, _ in followed] == EXITS == [2, 2, 2, 1, 0]


def test_the_page_ends_with_a_bank_to_be_read(followed):
    shown = run("policy", "show", "bank.yaml", "--language", "ja")
    assert shown.exit_code == 0 and "H-LOGIN  パスワード  (password)" in shown.stdout
    assert run("manual", "build", "bank.yaml", "--out", "manual").exit_code == 0
