"""The house rules that tools can check: who may import whom, style, types."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def assert_passes(*words):
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_every_floor_stands_only_on_those_below_it():
    assert_passes("-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache")


def test_ruff_has_no_complaint():
    assert_passes("-m", "ruff", "check", "--quiet", "--output-format=concise")


def test_types_are_strict_and_hold():
    assert_passes("-m", "mypy")


def test_no_two_modules_of_the_tests_have_one_name():
    """All of them are found on one path: of two one would be taken for the other."""
    named = Counter(one.name for one in (ROOT / "tests").rglob("*.py") if one.name != "conftest.py")
    assert [name for name, times in named.items() if times > 1] == []
