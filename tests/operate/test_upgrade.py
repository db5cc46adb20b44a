"""Two releases over one store: the older one runs on what the newer one has prepared, and refuses what it cannot run on.

The newer release is this one with a second step that was made up for the test.
"""

import asyncio
import contextlib
import shutil
from pathlib import Path

import apsw
import pytest
from house import House
from places import Place
from tables import counter, lock, row, stage, table
from trail import audit

from sekisho.adapters import schema
from sekisho.errors import NewerState

BUDGET = 10
POLICY = table(row("login", "password", counter("c", "customer", stage(BUDGET, lock("login"), row="R"))))
RUNS_ON = {
    "0002_before_colour.sql": "ALTER TABLE row ADD COLUMN colour text; CREATE TABLE paint (name text PRIMARY KEY);",
    "0002_after_shade.sql": "-- needs 1 --\nALTER TABLE row ADD COLUMN shade text;",
}
REFUSES = {"0002_after_paper.sql": "CREATE TABLE paper (name text PRIMARY KEY);"}


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    return Place(request.param, tmp_path / "ledger.db" if request.param == "sqlite" else request.getfixturevalue("postgres").database())


@pytest.fixture
def newer(tmp_path, monkeypatch):
    """The newer release, as a block: whatever is opened in it knows the second step."""
    @contextlib.contextmanager
    def release(name, text):
        folder = tmp_path / "newer"
        if not folder.exists():
            shutil.copytree(Path(str(schema.FOLDER)), folder)
            for kind in ("sqlite", "postgres"):
                (folder / kind / name).write_text(text)
        with monkeypatch.context() as patch:
            patch.setattr(schema, "FOLDER", folder)
            yield
    return release


def told(coroutine):
    return asyncio.run(coroutine)


async def opened(place):
    """A store object that has looked at its schema."""
    store = place.open()
    try:
        await store.peek(["policy"])
    except NewerState:
        await store.close()
        raise
    return store


async def guess(house, run, customer="customer:1"):
    return await house.enter(await house.begin(run, customer=customer), "wrong")


@pytest.mark.parametrize("step", RUNS_ON)
def test_the_older_release_runs_on_a_step_that_says_it_may(place, newer, step):
    async def story():
        async with House(await opened(place), POLICY) as house:
            await house.enrol("customer:1")
            await guess(house, "procedure:1")
        with newer(step, RUNS_ON[step]):
            await (await opened(place)).close()
        async with House(await opened(place), POLICY) as house:
            assert await guess(house, "procedure:2") == "wrong" and await house.count("customer:1") == (2, 0)
    told(story())


@pytest.mark.parametrize("step", RUNS_ON)
def test_a_node_of_each_release_over_one_store_count_together(place, newer, step):
    async def story():
        old = House(await opened(place), POLICY, name="old")
        async with old:
            await old.enrol("customer:1")
            with newer(step, RUNS_ON[step]):
                new = House(await opened(place), POLICY, name="new")
            async with new:
                said = await asyncio.gather(*(guess((old, new)[n % 2], f"procedure:{n}") for n in range(4 * BUDGET)))
                assert said.count("wrong") == BUDGET and set(said) <= {"wrong", "locked", "busy"}
                assert await old.count("customer:1") == await new.count("customer:1") == (BUDGET, 0)
                assert await audit(new.store, POLICY, ["customer:1"]) == []
    told(story())


@pytest.mark.parametrize("step", REFUSES)
def test_the_older_release_refuses_a_step_that_it_cannot_run_on(place, newer, step):
    async def story():
        await (await opened(place)).close()
        with newer(step, REFUSES[step]):
            await (await opened(place)).close()
        with pytest.raises(NewerState):
            await opened(place)
    told(story())


@pytest.mark.parametrize("step", REFUSES)
def test_a_running_node_of_the_older_release_decides_nothing_from_such_a_step_on(tmp_path, newer, step):
    place = Place("sqlite", tmp_path / "ledger.db")

    async def story():
        async with House(await opened(place), POLICY) as old:
            await old.enrol("customer:1")
            facts = await old.begin("procedure:1")
            with newer(step, REFUSES[step]):
                async with House(await opened(place), POLICY) as new:
                    assert await guess(new, "procedure:2") == "wrong"
            with pytest.raises(NewerState):
                await old.enter(facts, "wrong")
    told(story())


def test_a_file_from_before_steps_said_what_they_need_is_taken_over(tmp_path):
    place = Place("sqlite", tmp_path / "ledger.db")

    async def story():
        await (await opened(place)).close()
        db = apsw.Connection(str(place.at))
        db.execute("ALTER TABLE migration DROP COLUMN needs")
        db.close()
        async with House(await opened(place), POLICY) as house:
            await house.enrol("customer:1")
            assert await guess(house, "procedure:1") == "wrong"
    told(story())


def test_the_command_takes_the_steps_once(bank, newer):
    async def once():
        async with (await bank.app()).running():
            pass

    told(once())
    assert bank.says("migrate", keys=False) == "0 steps taken\n"
    with newer("0002_before_colour.sql", RUNS_ON["0002_before_colour.sql"]):
        assert "0002_before_colour.sql" in str(bank.tells("doctor", "--json", code=1))
        assert bank.says("migrate", keys=False) == "taken: 0002_before_colour.sql\n1 steps taken\n"
        assert bank.says("migrate", keys=False) == "0 steps taken\n"
    assert bank.tells("doctor", "--json")["ok"] is True
