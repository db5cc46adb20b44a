"""Whatever the disk does, the answer is yes after a commit, no before one, and no guess comes back."""

import asyncio
import fcntl
import os
from pathlib import Path

import apsw
import pytest
from tables import counter, row, stage, table

from sekisho.adapters import sqlite
from sekisho.adapters.batching import BatchedLedger
from sekisho.adapters.sqlite import SqliteStore
from sekisho.core.state import IN_FORCE, Guard, InForce, encode
from sekisho.errors import LedgerUnavailable
from sekisho.ports import Change

SUBJECT = "customer:1"


class Count:
    """A work that counts one on a subject's row, as an entry does."""

    keys = (SUBJECT,)

    def decide(self, tx):
        guard = tx.get(SUBJECT, Guard) or Guard(known=True)
        guard.valid_after += 1
        tx.put(SUBJECT, guard)
        return guard.valid_after


async def opened(path):
    store = SqliteStore(path)
    policy = table(row("pay", "code", counter("codes", "customer", stage(3))))
    ledger = BatchedLedger(store, b"k" * 32, {policy.version: policy})
    await store.begin([])
    await store.commit(Change([(IN_FORCE, encode(InForce(versions=[(0, policy.version)])), None)], None, []))
    await ledger.start()
    return store, ledger


def read_only(store):
    store._db.execute("PRAGMA query_only = ON")
    return lambda: store._db.execute("PRAGMA query_only = OFF")


def locked(store):
    other = apsw.Connection(store.path)
    other.execute("BEGIN IMMEDIATE")
    return lambda: (other.execute("ROLLBACK"), other.close())


@pytest.mark.parametrize("trouble", [read_only, locked], ids=["read-only", "locked by a stranger"])
def test_a_database_in_trouble_answers_no_counts_nothing_and_recovers(tmp_path, trouble):
    async def play():
        store, ledger = await opened(tmp_path / "a.db")
        assert await ledger.run(Count()) == 1
        end = trouble(store)
        for _ in range(3):
            with pytest.raises(LedgerUnavailable):
                await ledger.run(Count())
        end()
        assert await ledger.run(Count()) == 2
        await ledger.stop()

    asyncio.run(play())


def test_a_full_disk_answers_no_counts_nothing_and_recovers(tmp_path):
    """The file may not grow: the batch that needs a page is refused; when there is room again, all goes on."""
    async def play():
        store, ledger = await opened(tmp_path / "a.db")
        store._db.execute(f"PRAGMA max_page_count = {store._db.execute('PRAGMA page_count').get}")
        told = []
        for _ in range(300):
            try:
                told.append(await ledger.run(Count()))
            except LedgerUnavailable:
                break
        else:
            pytest.fail("the disk never filled")
        with pytest.raises(LedgerUnavailable):
            await ledger.run(Count())
        store._db.execute("PRAGMA max_page_count = 1000000")
        assert await ledger.run(Count()) == len(told) + 1
        await ledger.stop()

    asyncio.run(play())


def test_a_process_that_hangs_with_its_turn_hangs_nobody_else(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "TURN_S", 0.2)

    async def play():
        _, ledger = await opened(tmp_path / "a.db")
        held = os.open(str(tmp_path / "a.db") + ".lock", os.O_RDWR)
        fcntl.flock(held, fcntl.LOCK_EX)
        for _ in range(2):
            with pytest.raises(LedgerUnavailable):
                await ledger.run(Count())
        fcntl.flock(held, fcntl.LOCK_UN)
        assert await ledger.run(Count()) == 1
        os.close(held)
        await ledger.stop()

    asyncio.run(play())


def test_a_turn_that_comes_too_late_is_passed_on(tmp_path, monkeypatch):
    """Nobody waits for it any more, so it must not be kept from the other processes."""
    monkeypatch.setattr(sqlite, "TURN_S", 0.1)

    async def play():
        _, ledger = await opened(tmp_path / "a.db")
        held = os.open(str(tmp_path / "a.db") + ".lock", os.O_RDWR)
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LedgerUnavailable):
            await ledger.run(Count())
        fcntl.flock(held, fcntl.LOCK_UN)
        for _ in range(200):
            await asyncio.sleep(0.01)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                continue
        else:
            pytest.fail("the turn was kept")
        fcntl.flock(held, fcntl.LOCK_UN)
        os.close(held)
        await ledger.stop()

    asyncio.run(play())


def test_a_file_that_is_no_database_is_said(tmp_path):
    file = Path(tmp_path / "a.db")
    file.write_bytes(b"not a database at all" * 100)
    with pytest.raises(LedgerUnavailable):
        SqliteStore(file)


def test_what_else_this_process_writes_never_stands_in_the_way_of_a_batch(tmp_path):
    """Sealing and accepting a policy use the same connection as the batches; each waits for the other."""
    async def play():
        store, ledger = await opened(tmp_path / "a.db")

        async def documents():
            for number in range(40):
                await store.keep_document("seal", str(number), b"x")

        async def counts():
            return [await ledger.run(Count()) for _ in range(40)]

        told, *_ = await asyncio.gather(counts(), documents(), documents())
        assert told == list(range(1, 41))
        await ledger.stop()

    asyncio.run(play())
