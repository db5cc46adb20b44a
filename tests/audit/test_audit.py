"""The chain of what happened: whole when nobody touched it, broken at the place where somebody did."""

import asyncio

import apsw
import pytest
from command import call
from tables import counter, row, stage, table

from sekisho.adapters.batching import BatchedLedger
from sekisho.adapters.sqlite import SqliteStore
from sekisho.app import Keyring, seals_path
from sekisho.core.state import IN_FORCE, InForce, encode
from sekisho.events import Event, EventKind
from sekisho.flows.seals import Sealer
from sekisho.ports import Change

POLICY = table(row("pay", "code", counter("codes", "customer", stage(3))))


class Tell:
    """A work that records one fact."""

    keys = ()

    def __init__(self, number):
        self.number = number

    def decide(self, tx):
        tx.tell(Event(EventKind.ENTRY_WRONG, f"customer:{self.number}"))


@pytest.fixture
def place(tmp_path):
    """A store with two writers, twelve events in twelve links, a seal after each writer, and two events after the last seal."""
    keyring = Keyring.make(tmp_path / "keys.json")

    async def play():
        for writer in range(2):
            store = SqliteStore(tmp_path / "a.db")
            if writer == 0:
                await store.begin([])
                await store.commit(Change([(IN_FORCE, encode(InForce(versions=[(0, POLICY.version)])), None)], None, []))
            ledger = BatchedLedger(store, keyring.secret("audit"), {POLICY.version: POLICY})
            await ledger.start()
            for number in range(5):
                await ledger.run(Tell(number))
            await Sealer(store, keyring, seals_path(f"sqlite:///{tmp_path}/a.db", keyring)).seal()
            await ledger.run(Tell(99))
            await ledger.stop()

    asyncio.run(play())
    return tmp_path


def verify(place):
    async def look():
        store = SqliteStore(place / "a.db")
        keyring = Keyring.open(place / "keys.json")
        found = await Sealer(store, keyring, seals_path(f"sqlite:///{place}/a.db", keyring)).verify()
        await store.close()
        return found

    return asyncio.run(look())


def test_an_untouched_chain_is_whole(place):
    found = verify(place)
    assert (found.links, found.events, found.seals, found.broken) == (12, 12, 2, ())


@pytest.mark.parametrize(("touch", "writer", "sequence"), [
    ("UPDATE link SET body = body || x'00' WHERE writer = 1 AND first = 3", 1, 3),
    ("UPDATE link SET body = x'90' WHERE writer = 1 AND first = 4", 1, 4),
    ("UPDATE link SET mac = zeroblob(32) WHERE writer = 2 AND first = 1", 2, 1),
    ("UPDATE link SET writer = 2, first = 7 WHERE writer = 1 AND first = 6", 2, 7),
    ("DELETE FROM link WHERE writer = 1 AND first = 2", 1, 2),
    ("DELETE FROM link WHERE writer = 1 AND first = 1", 1, 1),
    ("DELETE FROM link WHERE writer = 2 AND first >= 4", 2, 5),
    ("DELETE FROM link WHERE writer = 1", 1, 5),
], ids=["no bytes any more", "changed", "another digest", "moved to another writer", "one missing", "the first missing", "tail cut", "a whole writer cut"])
def test_what_was_touched_is_found_with_its_place(place, touch, writer, sequence):
    db = apsw.Connection(str(place / "a.db"))
    db.execute(touch)
    db.close()
    assert (writer, sequence) in {(one.writer, one.sequence) for one in verify(place).broken}


def test_a_tail_cut_after_the_last_seal_is_beyond_what_can_be_seen(place):
    """That is why there is a seal every minute."""
    db = apsw.Connection(str(place / "a.db"))
    db.execute("DELETE FROM link WHERE writer = 2 AND first > 5")
    db.close()
    assert verify(place).broken == ()


def test_a_changed_seal_is_found(place):
    file = next(place.glob("*.seals"))
    first, second = file.read_text().split()
    file.write_text(f"{first[:-2]}{'00' if first[-2:] != '00' else '01'}\n{second}\n")
    assert verify(place).broken


def test_another_key_verifies_nothing(place):
    (place / "keys.json").unlink()
    Keyring.make(place / "keys.json")
    assert verify(place).broken


def test_older_versions_of_the_key_still_verify_what_they_made(place):
    Keyring.open(place / "keys.json").rotate("audit")
    assert verify(place).broken == ()


@pytest.mark.parametrize(("touch", "code", "says"), [
    (None, 0, "whole"), ("UPDATE link SET at = at, body = x'90' WHERE writer = 1 AND first = 3", 1, "writer 1, event 3"),
])
def test_the_command_says_it_and_exits_with_it(place, touch, code, says):
    if touch:
        db = apsw.Connection(str(place / "a.db"))
        db.execute(touch)
        db.close()
    ended, said, complaint = call(["audit", "verify", "--store", f"sqlite:///{place}/a.db", "--keys", place / "keys.json"])
    assert (ended, says in said) == (code, True), said + complaint


def test_half_a_seal_left_by_a_power_cut_stops_neither_sealing_nor_verifying(place):
    file = next(place.glob("*.seals"))
    with file.open("a") as out:
        out.write("93ab")

    async def seal():
        store = SqliteStore(place / "a.db")
        keyring = Keyring.open(place / "keys.json")
        made = await Sealer(store, keyring, file).seal()
        await store.close()
        return made

    assert asyncio.run(seal()).number == 3
    assert verify(place).broken == ()
