"""`sekisho import` as an operator types it: the page's example, every fault with its line, a crash in between, twice."""

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sekisho.adapters import secrets
from sekisho.app import open_store
from sekisho.core.state import Guard, decode
from sekisho.errors import LedgerUnavailable
from sekisho.flows import imports as flow
from sekisho.flows.import_lines import csv_lines

PAGE = (Path(__file__).parents[2] / "docs" / "how" / "import.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```csv\n(.*?)```", PAGE, re.DOTALL)[1]
FAULT = re.search(r"customers\.csv:4: (.*)", PAGE)[1]
HANA, ACCOUNT = "customer:0012345678", "account:10000-12345671"
CUSTOMERS = 25
KILLED = 4000
"""Customers of an import that is killed: enough that it takes a second."""


def told(coroutine):
    return asyncio.run(coroutine)


@pytest.fixture
def served(bank):
    """An installation whose policy is in force."""
    async def once():
        await (await bank.app()).leave()

    told(once())
    return bank


def written(bank, text, name="customers.csv"):
    path = bank.folder / name
    path.write_text(text, encoding="utf-8")
    return path


def take_over(bank, path, *words, code=0):
    return bank.says("import", path, "--operator", "ito", *words, code=code)


def guards(bank):
    """All subjects that are known."""
    async def look():
        app = await bank.app()
        rows = [row for kind in ("account:", "customer:") for row in await app.store.rows(kind, "", 100_000)]
        await app.leave()
        return {key: decode(body, Guard) for key, body in rows}

    return told(look())


def many(lines=CUSTOMERS):
    """Customers with an account and a lock each."""
    rows = [f"subject,customer:{n},,,\nlink,customer:{n},account:{n},,\nsubject,account:{n},,,\nlock,customer:{n},Y-ABOLISHED-1,,\n" for n in range(lines)]
    return "what,subject,name,value,item\n" + "".join(rows)


def test_the_example_of_the_page_is_taken_over(served):
    said = take_over(served, written(served, EXAMPLE))
    assert said == "8 lines of 2 subjects are taken over\n"
    known = guards(served)
    assert (known[HANA].counts["login-password-in-a-row"].wrong, known[ACCOUNT].counts["card-in-a-row"].wrong) == (3, 2)
    assert [lock.row for lock in known[HANA].locks] == ["Y-ABOLISHED-1"]


def test_the_customer_of_the_example_comes_in_with_the_password_of_the_other_system(served, monkeypatch):
    monkeypatch.setattr(secrets, "MEMORY_KIB", 64)
    take_over(served, written(served, EXAMPLE))

    async def enter():
        app = await served.app()
        async with app.running():
            begun = await app.runs.begin(app.table, "key:1", "login", HANA)
            said = await app.entries.enter(app.table, "key:1", begun.procedure, "login-password", "correct horse 8")
            kept = (await app.store.peek([f"secret:{HANA}/login-password"]))[f"secret:{HANA}/login-password"]
            return said.outcome, decode(kept, flow.Secret).cost

    assert told(enter()) == ("right", None)


def test_a_fault_is_told_as_the_page_says_and_nothing_is_written(served):
    path = written(served, "what,subject,name,value,item\nsubject,customer:1,,,\nflag,customer:1,nothing,,\ncount,customer:1,login-password-in-a-row,0,\n")
    take_over(served, path, code=1)
    assert f"customers.csv:4: {FAULT}" in served.complaint
    assert "customers.csv:3: name:" in served.complaint and "2 faults; nothing was taken over" in served.complaint
    assert guards(served) == {}


@pytest.mark.parametrize(("text", "line"), [
    ("subject,customer:1\n", 1), ("", 1), ("what,subject,name,value,item\nsubject\n", 2),
    ("what,subject,name,value,item\nsubject,customer:1,a,b,c,d\n", 2), ('what,subject,name,value,item\nsubject,"customer:1,,,\n', 2),
])
def test_what_is_no_such_file_is_told(served, text, line):
    take_over(served, written(served, text), code=1)
    assert f"customers.csv:{line}: what: " in served.complaint


def test_a_dry_run_writes_nothing(served):
    assert "8 lines of 2 subjects are right; nothing was written" in take_over(served, written(served, EXAMPLE), "--dry-run")
    assert guards(served) == {}


def test_the_same_file_again_does_nothing(served):
    path = written(served, many(2))
    take_over(served, path)
    before = guards(served)
    assert take_over(served, path) == "nothing to do: ito has taken over these 8 lines before\n"
    assert guards(served) == before


def test_an_import_leaves_nothing_staged(served):
    take_over(served, written(served, EXAMPLE))

    async def kinds():
        app = await served.app()
        name = (await app.store.rows("import:", "", 1))[0][0].partition(":")[2]
        found = await app.store.documents(f"import/{name}")
        await app.leave()
        return found

    assert told(kinds()) == []


@pytest.mark.parametrize("at", [1, 2, 5])
def test_after_a_crash_between_any_two_commits_it_goes_on_and_nobody_was_half_there(served, monkeypatch, at):
    monkeypatch.setattr(flow, "AT_ONCE", 12)
    path = written(served, many())
    real, commits = flow._Take.decide, []

    def dies(work, tx):
        commits.append(work)
        if len(commits) == at:
            raise LedgerUnavailable("the machine is gone")
        return real(work, tx)

    monkeypatch.setattr(flow._Take, "decide", dies)
    take_over(served, path, code=2)
    half = guards(served)
    assert all(f"account:{key.partition(':')[2]}" in half and guard.locks for key, guard in half.items() if key.startswith("customer:"))
    assert len(half) == 12 * (at - 1)
    monkeypatch.setattr(flow._Take, "decide", real)
    assert take_over(served, path) == f"{4 * CUSTOMERS} lines of {2 * CUSTOMERS} subjects are taken over\n"
    assert all(len(guard.locks) == 1 for key, guard in guards(served).items() if key.startswith("customer:"))


def test_two_who_take_over_the_same_file_take_it_over_once(served):
    """The note of how far it has come is in the same commit."""
    path = written(served, many())

    async def both():
        app = await served.app()
        async with app.working():
            entries = await app.imports.read(app.table, lines_of(path))
            await app.imports.stage("twice", 1, 1, entries, "ito")
            return await asyncio.gather(*(app.imports.apply(app.table, "twice", name) for name in ("ito", "endo")))

    assert [done.subjects for done in told(both())] == [2 * CUSTOMERS] * 2
    assert all(len(guard.locks) == 1 for key, guard in guards(served).items() if key.startswith("customer:"))


def lines_of(path):
    return csv_lines(path.read_text(encoding="utf-8"))



def applied(bank):
    """How far the one import of this installation has come, seen from outside."""
    async def look():
        store = open_store(bank.store)
        rows = await store.rows("import:", "", 1)
        await store.close()
        return decode(rows[0][1], flow.Import) if rows else flow.Import()

    return told(look())


def test_killed_in_the_middle_it_goes_on_when_it_is_called_again(served):
    """The process itself, by a signal that nobody hears coming."""
    path = written(served, many(KILLED))
    words = ["import", str(path), "--operator", "ito", "--store", served.store, "--keys", str(served.keys)]
    with subprocess.Popen([sys.executable, "-m", "sekisho.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        while running.poll() is None and not applied(served).subjects:
            pass
        running.kill()
        running.communicate()
    half = applied(served)
    assert running.returncode == -signal.SIGKILL
    assert 0 < half.subjects < 2 * KILLED
    assert take_over(served, path) == f"{4 * KILLED} lines of {2 * KILLED} subjects are taken over\n"
    known = guards(served)
    assert len(known) == 2 * KILLED
    assert all(len(guard.locks) == key.startswith("customer:") for key, guard in known.items())
