"""The README's tour is taken: every block is pasted into one shell beside a real demonstration."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from readme import Mask, examples, section, values

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TOUR = section(README, "Five minutes with curl")
MARK = "<<<end of a block>>>"


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory):
    """A folder with a demonstration running over its `.demo`, and where it answers."""
    folder = tmp_path_factory.mktemp("tour")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "sekisho.cli", "demo", "--port", str(port), "--fresh"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == f"ready: http://127.0.0.1:{port}\n"
        yield folder, port
        running.terminate()


def test_every_call_of_the_tour_is_answered_as_the_page_says(demonstration):
    folder, port = demonstration
    shown = examples(TOUR)
    told = _pasted(folder, port, [example.script for example in shown])
    page, real = Mask(), Mask()
    for example, answer in zip(shown, told, strict=True):
        assert page(example.kind, example.answer) == real(example.kind, answer), f"{example.script}\nis answered now:\n{answer}"


def _pasted(folder, port, scripts):
    command = f"'{sys.executable}' -m sekisho.cli"
    pasted = "".join(f"{script}\necho '{MARK}'\n" for script in scripts)
    pasted = pasted.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{port}").replace("python3 run.py", command)
    env = {**os.environ, "PYTHONUTF8": "1"}
    if shutil.which("curl") is None:
        # A bare Debian has none; the reader installs it, the test brings what little of it the page uses.
        stand_in = folder / "bin" / "curl"
        stand_in.parent.mkdir()
        stand_in.write_text(f"#!{sys.executable} -IS\n{(HERE / 'curl.py').read_text(encoding='utf-8')}", encoding="utf-8")
        stand_in.chmod(0o755)
        env["PATH"] = f"{stand_in.parent}{os.pathsep}{env['PATH']}"
    done = subprocess.run(["bash", "-eu"], input=pasted, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    return done.stdout.split(f"{MARK}\n")[:-1]


def test_the_tour_has_its_examples():
    shown = examples(TOUR)
    assert len(shown) > 8 and sum(bool(example.answer) for example in shown) > 8


def test_values_are_read_one_after_the_other():
    assert values('{"a": 1}\n{"b":\n 2}\n') == [{"a": 1}, {"b": 2}]


def test_ids_are_alike_where_they_were_alike():
    first, second = Mask(), Mask()
    assert first("text", "660d611f9d06f-0 then 660d611f9d06f-0") == second("text", "770d611f9d06f-0 then 770d611f9d06f-0")
    assert first("text", "660d611f9d06f-1") != first("text", "660d611f9d06f-0")
