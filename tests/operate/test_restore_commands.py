"""A restored copy as an operator meets it: what serves says so and stops, and one command takes the copy into service."""

import asyncio

import pytest
from command import run

from sekisho.errors import LedgerUnavailable, StoreIsOlder
from sekisho.flows.acts import Operator
from sekisho.flows.desk import Enrolment, ItemSetting
from sekisho.terms import Role

ITO = Operator("ito", Role.ADMIN)
HANA = "customer:1"


def told(coroutine):
    return asyncio.run(coroutine)


async def enrol(app):
    await app.desk.enrol(app.table, HANA, Enrolment(), ITO)
    await app.desk.set_item(app.table, HANA, "login-password", ItemSetting(secret="correct horse 8"), ITO)


async def enter(app, proof="wrong"):
    """One entry of Hana's: its outcome."""
    begun = await app.runs.begin(app.table, "key:1", "login", HANA)
    said = await app.entries.enter(app.table, "key:1", begun.procedure, "login-password", proof)
    return getattr(said, "answer", said).outcome


async def view(app, subject=HANA):
    seen = await app.desk.view(app.table, subject, {}, Role.ADMIN)
    return {count["counter"]: count["wrong"] for count in seen["counts"]}


@pytest.fixture
def older(bank):
    """A copy with one wrong entry stands where a ledger with three was."""
    async def story():
        app = await bank.app()
        async with app.running():
            await enrol(app)
            await enter(app)
            bank.copy()
            await enter(app)
            await enter(app)

    told(story())
    bank.put_back()
    return bank


def test_serve_says_what_is_the_matter_and_what_to_do_and_serves_nothing(older, tmp_path):
    done = run(["serve", "--listen", "127.0.0.1:0", "--store", older.store, "--keys", older.keys], tmp_path, timeout=60)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "older than its last seal" in done.stderr and "sekisho restore accept" in done.stderr


def test_once_accepted_it_is_served_with_one_guess_left(older):
    assert "1 subjects left with one guess" in older.says("restore", "accept", "--operator", "ito", "--reason", "disk")
    assert older.says("audit", "verify").strip().endswith("whole")

    async def story():
        app = await older.app()
        async with app.running():
            assert (await view(app))["login-password-in-a-row"] == 9
            # What was leased when the copy was made counts as wrong; else one wrong entry would close the bank to new devices.
            assert 0 < (await view(app, "bank:all"))["passwords-of-a-sweep"] < 100
            assert [await enter(app), await enter(app), await enter(app, "correct horse 8")] == ["wrong", "refused", "refused"]

    told(story())
    assert "nothing to accept" in older.says("restore", "accept", "--operator", "ito", "--reason", "again")


def test_a_copy_from_after_the_last_seal_is_accepted_when_the_operator_knows_better(bank):
    async def story():
        async with (await bank.app()).running() as app:
            await enrol(app)

    told(story())
    assert "1 subjects" in bank.says("restore", "accept", "--operator", "ito", "--reason", "disk", "--unnoticed")


@pytest.mark.parametrize("where", ["tick", "seal"])
def test_a_running_node_notices_and_grants_nothing_from_then_on(bank, where):
    async def story():
        app = await bank.app()
        async with app.running():
            await enrol(app)
            await enter(app)
            bank.copy()
            await enter(app)
            await app.seal()
            bank.put_back()
            await (app.turn() if where == "tick" else app.seal())
            for _ in range(2):
                with pytest.raises(LedgerUnavailable, match="restore accept"):
                    await enter(app, "correct horse 8")
            with pytest.raises(LedgerUnavailable):
                app.table  # noqa: B018  what readiness is asked by
            await app.turn()
            assert app.faults == 0
        with pytest.raises(StoreIsOlder):
            await bank.app()

    told(story())


def test_no_second_node_begins_over_it_either(older):
    for _ in range(2):
        with pytest.raises(StoreIsOlder):
            told(older.app())
