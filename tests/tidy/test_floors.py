"""The house rules that tools can check: who may import whom, style, types."""

import subprocess
import sys
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
