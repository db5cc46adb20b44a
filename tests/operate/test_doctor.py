"""`sekisho doctor` over a real installation: one line for each thing, and for each thing that is wrong the thing to do."""

import asyncio
import json
import shutil

import apsw
import msgspec
import pytest
from commands import Installation

from sekisho.adapters import sqlite
from sekisho.adapters.sqlite import SqliteStore
from sekisho.app import PURPOSES, Keyring
from sekisho.core.state import CLOCK, IN_FORCE, Clock, InForce, Reservation, decode, encode
from sekisho.flows import doctor
from sekisho.flows.acts import Operator
from sekisho.flows.desk import Enrolment
from sekisho.policy import compile_policy, load, reference
from sekisho.ports import Change
from sekisho.terms import Role

CHECKS = {"store", "schema", "durability", "disk", "keys", "policy", "hold", "seals", "reservations", "outbox", "clock"}


pytestmark = pytest.mark.usefixtures("no_comparison")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Installation(tmp_path_factory.mktemp("bank")).served_once(
        lambda app: app.desk.enrol(app.table, "customer:1", Enrolment(), Operator("ito", Role.ADMIN)),
    )


@pytest.fixture
def served(made, bank):
    """A copy of it, to be spoiled. Its seals go by where it stands."""
    for file in made.folder.iterdir():
        if file.suffix != ".seals":
            shutil.copy2(file, bank.folder)
    seals = next(made.folder.glob("*.seals"))
    shutil.copy2(seals, bank.app_seals())
    return bank


def wrong(bank):
    """What is wrong, by check: text and what to do."""
    told = bank.tells("doctor", "--json", code=1)
    assert told["ok"] is False
    found = {one["check"]: one for one in told["checks"] if not one["ok"]}
    assert all(one["do"] for one in found.values())
    return found


async def write(bank, *rows):
    store = SqliteStore(bank.path)
    opened = await store.begin([key for key, *_ in rows])
    await store.commit(Change(list(rows), None, [], opened.now))
    await store.close()


def test_of_a_sound_installation_every_check_is_well(served):
    told = served.tells("doctor", "--json")
    assert told["ok"] is True
    assert {one["check"] for one in told["checks"]} == CHECKS
    assert len(served.says("doctor").splitlines()) == len(CHECKS)


def test_without_the_key_file_the_rest_is_looked_at(served):
    assert served.says("doctor", keys=False).count("ok") == len(CHECKS) - 2


def test_it_tells_no_secret_and_changes_nothing(served):
    before = {file.name: file.read_bytes() for file in served.folder.iterdir() if file.suffix not in {".db-wal", ".db-shm", ".lock"}}
    said = served.says("doctor") + served.says("doctor", "--json")
    held = json.loads(served.keys.read_text())
    assert not any(version["key"] in said for versions in held["secrets"].values() for version in versions)
    assert not any(key["digest"] in said for key in held["api"])
    assert {name: (served.folder / name).read_bytes() for name in before} == before


def test_a_store_that_is_not_there_or_none(bank):
    assert "is not there" in wrong(bank)["store"]["text"]
    bank.path.write_bytes(b"not a database at all, but long enough to be looked at as one" * 20)
    assert "not a database" in wrong(bank)["store"]["text"]


def test_a_later_schema_and_steps_to_take(served):
    db = apsw.Connection(str(served.path))
    db.execute("INSERT INTO migration (number, name, needs) VALUES (9999, '9999_after_all.sql', 9999)")
    assert "upgrade" in wrong(served)["schema"]["do"]
    db.execute("DELETE FROM migration")
    assert "0001_before_first.sql" in wrong(served)["schema"]["text"]
    db.close()


def test_a_policy_that_is_not_there_or_cannot_be_read(served):
    version = decode(asyncio.run(peek(served, IN_FORCE)), InForce).versions[0][1]
    asyncio.run(write(served, (IN_FORCE, encode(InForce(versions=[(0, "0" * 64)])), None)))
    assert "text is not in the store" in wrong(served)["policy"]["text"]
    asyncio.run(write(served, (IN_FORCE, encode(InForce(versions=[(0, version)])), None)))
    db = apsw.Connection(str(served.path))
    db.execute("UPDATE document SET body = CAST('policy: [' AS BLOB) WHERE kind = 'policy'")
    db.close()
    assert "cannot read the one in force" in wrong(served)["policy"]["text"]
    asyncio.run(write(served, (IN_FORCE, None, None)))
    assert "--policy" in wrong(served)["policy"]["do"]


async def peek(bank, key):
    store = SqliteStore(bank.path)
    found = (await store.peek([key]))[key]
    await store.close()
    return found


def test_an_older_copy_and_a_missing_file_of_seals(served):
    db = apsw.Connection(str(served.path))
    db.execute("DELETE FROM link")
    db.close()
    assert "restore accept" in wrong(served)["seals"]["do"]
    served.app_seals().unlink()
    assert "put it back" in wrong(served)["seals"]["text"]


def test_a_key_file_that_others_may_read_or_that_lacks_a_key(served):
    served.keys.chmod(0o644)
    assert "chmod 600" in wrong(served)["keys"]["text"]
    served.keys.chmod(0o600)
    ring = Keyring.open(served.keys)
    del ring.file.secrets[PURPOSES[-1]]
    ring.save()
    assert PURPOSES[-1] in wrong(served)["keys"]["text"]
    served.keys.unlink()
    assert "is not there" in wrong(served)["keys"]["text"]


def test_keys_of_the_demonstration(served):
    Keyring.open(served.keys).new(Role.CHANNEL, "bank", demo=True)
    assert set(wrong(served)) == {"demo keys"}


def test_guesses_that_nobody_settles(served):
    long_ago = 1_000_000
    taken = encode(Reservation(made=long_ago, deadline=long_ago))
    asyncio.run(write(served, *((f"reservation:{n}", taken, long_ago) for n in range(3)), ("reservation:s", encode(Reservation(settled="wrong")), 1)))
    assert wrong(served)["reservations"]["text"].startswith("3 ")


def test_a_clock_that_is_ahead_and_one_that_is_doubted(served):
    asyncio.run(write(served, (CLOCK, msgspec.msgpack.encode(Clock(doubts={"node": 3600})), None)))
    assert "1 node(s) doubt" in wrong(served)["clock"]["text"]
    asyncio.run(write(served, (CLOCK, None, None)))
    asyncio.run(ahead(served))
    assert 3500 < float(wrong(served)["clock"]["text"].split()[4]) <= 3600


async def ahead(bank):
    """Something was decided at a time that is an hour ahead."""
    store = SqliteStore(bank.path)
    opened = await store.begin([])
    await store.commit(Change([("x", None, None)], None, [], opened.now + 3_600_000_000))
    await store.close()


def test_a_disk_that_is_nearly_full(monkeypatch, served):
    monkeypatch.setattr(doctor, "FREE_BYTES", 1 << 60)
    found = {one.check: one for one in doctor.of_condition(sqlite.condition(served.path))}
    assert not found["disk"].ok and "make room" in found["disk"].do


@pytest.mark.parametrize(("hold", "takes_ms", "ok"), [("50ms", 20, True), ("50ms", 51, False), (None, 51, True)])
def test_a_comparison_that_is_longer_than_a_step_of_the_time_grid(tmp_path, hold, takes_ms, ok):
    """The policy's own grid; an item may have another."""
    text = reference("postal-bank").read_text().replace("  hold: 50ms\n", "" if hold is None else f"  hold: {hold}\n")
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    found = doctor.of_hold(compile_policy(load(file)), takes_ms)
    assert (found.ok, found.do is None) == (ok, ok)
    assert ("login-password" in found.text) is not ok
