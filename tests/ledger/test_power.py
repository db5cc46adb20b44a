"""Power loss at any write, and a kill at any instant: no failure that was told to anybody is missing afterwards."""

import asyncio
import contextlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import apsw
import pytest
from house import Clock, House
from power import Disk
from scale import times
from tables import counter, lock, row, stage, table
from trail import events, links

from sekisho.adapters.sqlite import SqliteStore
from sekisho.core.state import Guard, decode
from sekisho.errors import LedgerUnavailable

pytestmark = pytest.mark.timeout(times(300, full=3_600))

HERE = Path(__file__).parent
FALLS_AT = 10
CUSTOMERS = [f"customer:{n}" for n in range(4)]
POLICY = table(row("login", "password", counter("c", "customer", stage(FALLS_AT, lock("login"), row="R"))))
KILLED = table(row("login", "password", counter("c", "customer", stage(1_000_000, lock("login"), row="R"))))
_names = itertools.count()


async def guess_for_a_while(disk, folder, synchronous, rounds):
    """Batches of guesses in both lanes with a fold, a checkpoint and a new start now and then; promises as they are made."""
    chance = random.Random(1)
    clock = Clock()
    for start in range(2):
        store = SqliteStore(folder / "ledger.db", clock, vfs=disk.name, synchronous=synchronous)
        async with House(store, POLICY) as house:
            await house.enrol(*[customer for customer in CUSTOMERS if not start])
            for number in range(rounds):
                runs = [f"procedure:{start}-{number}-{n}" for n in range(3)]
                await asyncio.gather(*[_guess(disk, house, chance, run) for run in runs])
                if number % 7 == 5:
                    store._db.wal_checkpoint(mode=chance.choice([apsw.SQLITE_CHECKPOINT_PASSIVE, apsw.SQLITE_CHECKPOINT_RESTART]))


async def _guess(disk, house, chance, run):
    customer = chance.choice(CUSTOMERS)
    facts = await house.begin(run, customer=customer)
    told = await (house.enter(facts, "wrong") if chance.random() < 0.6 else house.slow(facts, "wrong"))
    disk.promise((run, customer, told))


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A disk on which guesses have been made."""
    monkeypatch.setattr("sekisho.adapters.journal.FOLD_AT", 25)
    monkeypatch.setattr("sekisho.adapters.journal.SLICE", 10)

    def record(synchronous, rounds):
        disk = Disk(f"power-{next(_names)}")
        folder = tmp_path / "running"
        folder.mkdir()
        asyncio.run(guess_for_a_while(disk, folder, synchronous, rounds))
        return disk
    return record


def missing(disk, cut, folder, seed=0):
    """What was promised before the cut and is not there after it; and whatever else is broken then."""
    folder.mkdir(parents=True)
    for name, body in disk.after(cut, seed).items():
        (folder / name).write_bytes(body)
    try:
        return asyncio.run(_missing(folder / "ledger.db", disk.promised(cut)))
    except (LedgerUnavailable, AssertionError) as broken:
        return [f"after {cut} steps: {broken}"]
    finally:
        shutil.rmtree(folder)


async def _missing(path, promised):
    store = SqliteStore(path, Clock())
    try:
        await links(store)
        wrong = [event for event in await events(store) if event.kind == "entry-wrong"]
        recorded = {event.procedure for event in wrong}
        found = [f"{run} was told {told}" for run, _, told in promised if told == "wrong" and run not in recorded]
        for customer, body in (await store.peek(CUSTOMERS)).items():
            count = decode(body, Guard).counts.get("c")
            stands, in_chain = count.wrong if count else 0, sum(event.subject == customer for event in wrong)
            owed = sum(told == "wrong" for _, whose, told in promised if whose == customer)
            if stands < owed or stands != in_chain:
                found.append(f"{customer}: {owed} failures were told, {stands} stand, {in_chain} are in the chain")
            if owed == FALLS_AT and not decode(body, Guard).locks:
                found.append(f"{customer}: the lock is gone")
        return found
    finally:
        await store.close()


def cuts(disk, every):
    """After each write, or after a sample of them."""
    return [n + 1 for n in disk.writes[::every]]


def test_no_failure_that_was_told_is_missing_after_a_power_cut(recorded, tmp_path):
    disk = recorded("FULL", rounds=times(16, full=40))
    assert any(told == "wrong" for _, _, told in disk.promised(len(disk.steps)))
    for cut in cuts(disk, every=times(7, full=1)):
        assert missing(disk, cut, tmp_path / str(cut)) == []


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_with_less_than_full_synchronisation_a_power_cut_loses_failures(recorded, tmp_path, synchronous):
    """The same test finds the loss: what it says about FULL is worth something."""
    disk = recorded(synchronous, rounds=16)
    assert any(missing(disk, cut, tmp_path / str(cut)) for cut in cuts(disk, every=31))


def test_no_failure_that_was_told_is_missing_after_a_kill(tmp_path):
    """Killed at random instants, and started again over what it left."""
    chance = random.Random(7)
    path, told = tmp_path / "ledger.db", []
    asyncio.run(_enrol(path))
    with _guessing(path) as guessing:
        for number in range(times(20, full=200)):
            told += _killed(guessing, number, chance.uniform(0, 0.15))
    assert len(told) > times(20, full=200)
    assert asyncio.run(_missing(path, told)) == []


async def _enrol(path):
    async with House(SqliteStore(path), KILLED) as house:
        await house.enrol(*CUSTOMERS)


@contextlib.contextmanager
def _guessing(path):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, str(HERE / "killed.py"), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, start_new_session=True) as process:
        try:
            yield process
            process.stdin.close()
            assert process.wait(20) == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _killed(guessing, name, after_s):
    """What one process told before it was killed, so long after it had told something."""
    guessing.stdin.write(f"{name}\n")
    guessing.stdin.flush()
    lines = iter(guessing.stdout.readline, "gone\n")
    pid = int(next(lines).removeprefix("pid "))
    told = [next(lines)]
    threading.Timer(after_s, os.kill, [pid, signal.SIGKILL]).start()
    told += lines
    return [tuple(line.split()) for line in told]
