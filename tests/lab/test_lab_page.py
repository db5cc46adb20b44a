"""The page about the lab: what it shows of a command is what the command prints."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from sekisho.cli import group
from sekisho.lab.attack import ATTACKERS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how" / "lab.md").read_text(encoding="utf-8")


def shown():
    """(words of a command, what the page shows of its answer) where it shows some."""
    found = re.findall(r"^    python3 run\.py (lab [^\n]+)\n\n```text\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    return [(shlex.split(words), text.splitlines()) for words, text in found]


def squeezed(line):
    return " ".join(line.split())


@pytest.mark.parametrize(("words", "lines"), shown(), ids=[words[1] for words, _ in shown()])
def test_what_the_page_shows_is_what_is_printed(words, lines, monkeypatch):
    monkeypatch.chdir(ROOT)
    printed = CliRunner().invoke(group, words).stdout
    assert len(lines) > 2 and [line for line in lines if squeezed(line) not in map(squeezed, printed.splitlines())] == []


def test_the_traces_that_the_page_replays_are_written(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    written, replayed = re.findall(r"python3 run\.py ((?:policy check|lab replay)[^\n`]+traces[^\n`]*)", PAGE)
    inside = {"traces": str(tmp_path / "traces")}
    assert CliRunner().invoke(group, [inside.get(word, word) for word in shlex.split(written)]).exit_code == 0
    done = CliRunner().invoke(group, [word.replace("traces/", f"{tmp_path}/traces/") for word in shlex.split(replayed)])
    assert done.exit_code == 0 and "The finding holds." in done.stdout


def test_every_attacker_and_every_command_is_on_the_page():
    assert [name for name in ATTACKERS if f"| `{name}` |" not in PAGE] == []
    assert [name for name in group.get_command(None, "lab").commands if f"run.py lab {name} " not in PAGE] == []
