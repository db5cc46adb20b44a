"""Every failure that others had names a test, and the test stands in the file that the page links to."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "known-failures.md"
NAMED = re.compile(r"\[`(\w+)(?:\[(\w+)\])?`\]\(([^)\s]+\.py)\)")


def sections():
    """The page's tables by heading: rows of cells, without their heads."""
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        lines = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")]
        yield section.split("\n")[0], lines[1:]


def named():
    """(file, test, its case or nothing), each once."""
    return sorted({(file, test, case) for _, rows in sections() for row in rows for test, case, file in NAMED.findall(row[-1])})


@cache
def defined(file):
    """What a module defines or names at its top."""
    tree = ast.parse((PAGE.parent / file).read_text(encoding="utf-8"))
    made = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    assigned = {target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets if isinstance(target, ast.Name)}
    imported = {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    return made | assigned, imported


@pytest.mark.parametrize(("file", "test", "case"), named())
def test_the_test_stands_in_the_file(file, test, case):
    own, imported = defined(file)
    assert test.startswith("test_") and test in own
    # A case is a class of that module, or a check that it imports by its list.
    assert not case or case in own or ("CHECKS" in imported and case in defined("../tests/mutants/checks.py")[0])


def test_every_failure_names_what_finds_it():
    assert [row for title, rows in sections() if title != "Not here yet" for row in rows if len(row) != 3 or not NAMED.search(row[-1])] == []


def test_what_is_not_here_yet_says_with_what_it_comes():
    rows = dict(sections())["Not here yet"]
    assert rows and all(row[-1].strip().startswith("with ") for row in rows)


def test_the_page_has_its_failures():
    assert len(named()) > 50
