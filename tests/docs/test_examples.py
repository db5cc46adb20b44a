"""Every example of every page is run, here or by the test that is named; a block that nothing runs is a failure."""

import asyncio
import contextlib
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import click
import httpx
import pytest
from blocks import PAGES, ROOT, block, blocks
from click.testing import CliRunner
from scale import FULL

from sekisho.adapters import secrets
from sekisho.app import Keyring, Settings, build
from sekisho.cli import group
from sekisho.flows.acts import Operator
from sekisho.flows.desk import Enrolment
from sekisho.policy import reference
from sekisho.terms import Role

ITO = Operator("ito", Role.ADMIN)
HANA = "customer:0012345678"
BOUNCE = "From: MAILER-DAEMON@mx.example.net\nSubject: Undelivered Mail\n\n<hana@example.com>: 550 5.1.1 User unknown\n"

TOUR = "tests/docs/test_tour.py"
STEPS = "tests/docs/test_own_policy.py"
RUN_BY = {
    ("README.md", "from sekisho import Guard"): "tests/library/test_guard.py",
    ("README.md", "import asyncio"): "tests/library/test_guard.py",
    ("examples/README.md", "pip install django"): "tests/library/test_django.py",
    ("docs/how/import.md", "what,subject,name,value,item"): "tests/operate/test_import_command.py",
    ("docs/how/import.md", "customers.csv:4: value"): "tests/operate/test_import_command.py",
    ("docs/how/tokens.md", "serial,type,seed_hex"): "tests/operate/test_token_commands.py",
}
"""Blocks that another test takes out of the page and runs."""

BESIDE = {
    ("README.md", "python3 run.py demo     #"): "`demo` is the tour's own demonstration; `test` is this run",
    ("CONTRIBUTING.md", "python3 run.py demo     #"): "as in the README",
    ("CONTRIBUTING.md", "terms, events, errors"): "no example: a list of floors, which tests/tidy holds",
    ("docs/evidence.md", "python3 run.py bench  "): "measures for minutes; tests/bench runs each bench with small counts",
    ("docs/how/mail.md", "transport_maps = "): "settings of Postfix; tests/mail/postfix.py starts one with the same two lines",
    ("docs/how/postgresql.md", "sekisho serve --store"): "needs two machines with TLS; tests/ledger/test_failover.py serves over a primary and its standby",
    ("docs/how/postgresql.md", "synchronous_mode: true"): "settings of Patroni; tests/cluster.py starts one with the same lines",
}
"""Blocks that are not run as they stand, and why."""

LAB = (
    "python3 run.py lab replay", "python3 run.py policy check", "python3 run.py lab attack", "python3 run.py lab dos", "python3 run.py lab recovery",
    "python3 run.py lab whatif")
COMMANDS = {
    ("docs/how/import.md", "python3 run.py import"): (0, ""),
    ("docs/how/tokens.md", "python3 run.py tokens import"): (0, ""),
    ("docs/how/mail.md", "python3 run.py doctor"): (1, "WRONG mail relay"),
    ("docs/how/mail.md", "python3 run.py mail classify"): (0, '"kind":"bounce"'),
    ("docs/how/operating.md", "python3 run.py doctor"): (0, "ok    store"),
    ("docs/how/operating.md", "python3 run.py audit verify"): (0, ": whole"),
    ("docs/how/operating.md", "python3 run.py retention run"): (0, ""),
    ("docs/how/operating.md", "python3 run.py personal export"): (0, ""),
    ("docs/how/operating.md", "python3 run.py migrate"): (0, ""),
}
"""Blocks of commands over an installation: how each ends, and what it says among other things."""

HERE = {
    *COMMANDS, *(("docs/how/lab.md", first) for first in LAB),
    ("README.md", "python3 run.py policy show"), ("README.md", "admin=$("), ("docs/how/mail.md", "python3 run.py worker"), ("docs/how/mail.md", "POST /v1/addresses/news"),
    ("docs/how/import.md", '{"id": "cards-2026-11"'), ("docs/how/operating.md", "python3 run.py restore accept"),
    ("docs/how/story.md", "python3 run.py demo --bank major-bank"),
    ("docs/how/postgresql.md", "CREATE ROLE sekisho"), ("docs/how/postgresql.md", "ALTER SYSTEM"),
}
"""Blocks that tests of this file run; those of the lab, the story and PostgreSQL among the full counts, since they take their time."""


SLOW = (["policy", "check"], ["manual", "build"])
"""Commands of the README that prove the whole policy; tests/proof and tests/manual run them on it by default."""

LINES = {"docs/how/import.md": "what,subject,name,value,item", "docs/how/tokens.md": "serial,type,seed_hex"}
"""What the file of a command holds, where the page shows it."""


def among_full_counts(test):
    """A test that is there under `--long` alone."""
    return test if FULL else None


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def run(words, code=0):
    """A command as it is shown, in this folder: what it prints."""
    done = CliRunner().invoke(group, words)
    assert done.exit_code == code, f"{words}: {done.exit_code}\n{done.output}{done.exception}"
    return done.stdout


@contextlib.contextmanager
def running(words, folder, ready):
    """A command that goes on, from the line that says it is ready until it is ended."""
    command = [sys.executable, "-m", "sekisho.cli", *words]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            line = process.stdout.readline()
            assert ready in line, line
            yield
        finally:
            process.terminate()


# Nothing is forgotten.


def begins(one, named):
    return [first for page, first in named if page == one.page and one.first.startswith(first)]


def in_the_tour(one):
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    return one.page == "README.md" and lines.index("## Five minutes with curl") < one.line < lines.index("## A service of your own")


def is_an_answer(one, before):
    """What a command prints stands right behind it and is compared where that is run."""
    return one.kind == "text" and before is not None and before.page == one.page and bool(begins(before, HERE))


def test_every_block_is_run_and_every_name_here_is_a_block():
    every = blocks()
    left = [
        f"{one.page}:{one.line}: {one.first}" for before, one in zip([None, *every], every, strict=False)
        if not (in_the_tour(one) or one.page == "docs/how/policy.md" or is_an_answer(one, before) or begins(one, [*RUN_BY, *BESIDE, *HERE]))]
    assert left == [], "nothing runs these; run them here, or name the test that does"
    for page, first in [*RUN_BY, *BESIDE, *HERE]:
        assert block(page, first)


@pytest.mark.parametrize(("page", "test"), sorted({(page, test) for (page, _), test in RUN_BY.items()} | {("README.md", TOUR), ("docs/how/policy.md", STEPS)}))
def test_whoever_runs_them_elsewhere_reads_the_page(page, test):
    assert Path(page).name in (ROOT / test).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_within_a_sentence_are_commands(page):
    """As `sekisho policy show`: each word names one, as far as words name commands."""
    for words in re.findall(r"`(?:python3 run\.py|sekisho) ([a-z][^`]*)`", page.read_text(encoding="utf-8")):
        command, left = group, words.split()
        while isinstance(command, click.Group) and left and left[0] not in {"test", "bench", "app"}:
            command = command.get_command(click.Context(command), left.pop(0))
            assert command is not None, words


# Those that are run here.


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder as the pages have it, the working directory: `bank.db` with one customer, `keys.json` and its seals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "MEMORY_KIB", 64)
        patch.chdir(tmp_path_factory.mktemp("installed"))
        Keyring.make(Path("keys.json")).new(Role.ADMIN, "ito")
        enrol(HANA)
        yield Path.cwd()


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A folder with nothing but the policies that come with sekisho, the working directory."""
    (tmp_path / "src").symlink_to(ROOT / "src")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def enrol(subject):
    """A node comes, enrols somebody, seals and goes."""
    async def story():
        app = await build(Settings("sqlite:///bank.db", Path("keys.json"), reference("postal-bank")))
        async with app.running():
            await app.desk.enrol(app.table, subject, Enrolment(), ITO)

    asyncio.run(story())


@pytest.mark.parametrize(("page", "first"), sorted(COMMANDS))
def test_commands_end_as_the_page_says(page, first, installed):
    shown = block(page, first)
    if "FILE" in shown.first:
        (installed / "FILE").write_text(BOUNCE if page not in LINES else block(page, LINES[page]).text, encoding="utf-8")
    code, says = COMMANDS[page, first]
    assert says in "".join(run(words, code) for words in shown.commands)


def test_a_restored_copy_is_taken_into_service(installed):
    shutil.copy("bank.db", "copy.db")
    enrol("customer:0012345679")
    shutil.copy("copy.db", "bank.db")
    [words] = block("docs/how/operating.md", "python3 run.py restore accept").commands
    assert run(words).startswith("accepted: ") and "bank.db" in words[3]


def test_the_worker_starts_as_the_page_says(installed):
    [words] = block("docs/how/mail.md", "python3 run.py worker").commands
    given = [f"127.0.0.1:{free_port()}" if word == "127.0.0.1:10026" else word for word in words]
    with running(given, installed, "ready"):
        pass


def test_a_service_of_ones_own_from_the_first_command_to_what_other_pages_send_it(empty):
    """The README's commands in their order; the calls that other pages show are sent to the service that then stands."""
    *before, serve = block("README.md", "python3 run.py policy show").commands
    told = {" ".join(words[:2]): run(words) for words in before if FULL or words[:2] not in SLOW}
    assert "Y-LOGIN-3" in told["policy show"] and serve[0] == "serve"
    channel, base = told["keys new"].strip(), f"http://127.0.0.1:{free_port()}"
    first, *puts = block("README.md", "admin=$(").text.splitlines()
    admin = run(shlex.split(re.search(r"run\.py (.*)\)", first)[1])).strip()
    with running([*serve, "--listen", base.partition("//")[2]], empty, "ready:"), httpx.Client(base_url=base) as http:
        def call(method, path, key, body):
            return http.request(method, path, headers={"authorization": f"Bearer {key}"}, json=body)

        assert http.get("/health/ready").status_code == 200
        for line in puts:
            words = shlex.split(line)
            path, body = urlsplit(next(word for word in words if word.startswith("http"))).path, json.loads(words[words.index("-d") + 1])
            assert HANA in path and call(words[words.index("-X") + 1], path, admin, body).status_code < 300, line
        lines = block("docs/how/import.md", '{"id": "cards-2026-11"').text
        assert call("POST", "/v1/staff/imports", admin, json.loads(lines)).json()["state"] == "done"
        for line in block("docs/how/mail.md", "POST /v1/addresses/news").text.splitlines():
            method, path, body = line.split(maxsplit=2)
            assert call(method, path, channel, json.loads(body.replace("customer:…", HANA))).status_code == 200, line


@among_full_counts
@pytest.mark.parametrize("first", LAB)
def test_the_lab_prints_what_the_page_shows(first, empty):
    every = blocks()
    shown = block("docs/how/lab.md", first)
    after = every[every.index(shown) + 1]
    for words in shown.commands:
        told = {folded(line) for line in run(words).splitlines()}
        assert after.kind != "text" or [line for line in after.text.splitlines() if folded(line) not in told] == []
    if "traces" in shown.first:
        page = (ROOT / "docs" / "how" / "lab.md").read_text(encoding="utf-8")
        assert "The finding holds" in run(re.search(r"run\.py (lab replay traces/[^`]+)`", page)[1].split())


def folded(line):
    return " ".join(line.split())


@among_full_counts
def test_the_demonstration_of_the_story_starts(tmp_path):
    [words] = block("docs/how/story.md", "python3 run.py demo --bank major-bank").commands
    with running([*words, "--port", str(free_port())], tmp_path, "ready:"):
        pass


@among_full_counts
def test_the_statements_for_postgresql_are_taken(postgres):
    """Each statement by itself, as psql sends them; what they made is dropped again, since the server is every test's."""
    sent = [f"{line.strip().rstrip(';')}" for first in ("CREATE ROLE sekisho", "ALTER SYSTEM")
            for line in block("docs/how/postgresql.md", first).text.splitlines()]

    async def story(url):
        connection = await asyncpg.connect(url)
        for statement in [*sent, "DROP DATABASE sekisho", "DROP ROLE sekisho", "ALTER SYSTEM RESET autovacuum_vacuum_scale_factor"]:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(story(postgres.database()))
