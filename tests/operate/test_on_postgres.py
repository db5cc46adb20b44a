"""An older copy of a real PostgreSQL database, put in its place by its own means; and events that age out of one."""

import asyncio

import pytest
from house import House
from lives import Keys
from places import Place
from tables import DAY, counter, lock, row, stage, table

from sekisho.errors import StoreIsOlder
from sekisho.flows.restore import accept, set_writers_ahead
from sekisho.flows.retention import Retention
from sekisho.flows.seals import Sealer

BUDGET = 5
POLICY = table(row("login", "password", counter("c", "customer", stage(BUDGET, lock("login"), row="R"))))


class Database:
    """One database of a server, and where its seals are."""

    def __init__(self, server, folder):
        self.server = server
        self.place = Place("postgres", server.database())
        self.name = self.place.at.partition("?")[0].rpartition("/")[2]
        self.seals = folder / "bank.seals"

    def sealer(self, store):
        return Sealer(store, Keys(), self.seals)

    def copy(self):
        self.server.sql(f"CREATE DATABASE {self.name}_copy TEMPLATE {self.name}")

    def put_back(self):
        self.server.sql(f"DROP DATABASE {self.name}")
        self.server.sql(f"CREATE DATABASE {self.name} TEMPLATE {self.name}_copy")


@pytest.fixture
def database(postgres, tmp_path):
    return Database(postgres, tmp_path)


async def guess(house, number, name):
    return [await house.enter(await house.begin(f"procedure:{name}-{n}"), "wrong") for n in range(number)]


def test_an_older_copy_is_noticed_and_accepted_with_one_guess_left(database):
    async def story():
        async with House(database.place.open(), POLICY) as house:
            await house.enrol("customer:1")
            said = await guess(house, 1, "before")
            await database.sealer(house.store).seal()
        database.copy()
        async with House(database.place.open(), POLICY) as house:
            said += await guess(house, 2, "after")
            lost = house.ledger.writer
            await database.sealer(house.store).seal()
        database.put_back()
        store = database.place.open()
        assert "older than its last seal" in await database.sealer(store).complaint()
        with pytest.raises(StoreIsOlder):
            await database.sealer(store).seal()
        await set_writers_ahead(store, database.sealer(store))
        async with House(store, POLICY) as house:
            assert house.ledger.writer > lost
            await accept(house.ledger, store, database.sealer(store), POLICY, "ito", "the disk broke")
            said += await guess(house, 4, "later")
            assert said.count("wrong") == 4 <= BUDGET and await house.locks("customer:1") == ["R"]
            assert await database.sealer(store).complaint() is None
            assert (await database.sealer(store).verify()).broken == ()

    asyncio.run(story())


def test_links_age_out_and_the_rest_is_whole(database):
    async def story():
        async with House(database.place.open(), POLICY) as house:
            store, sealer = house.store, database.sealer(house.store)
            await house.enrol("customer:1")
            for n in range(4):
                await guess(house, 1, n)
                await sealer.seal()
                database.place.clock.wait(DAY)
            await sealer.seal(database.place.clock.now - 2 * DAY * 10**6 - 10**6)
            retention = Retention(house.ledger, store, sealer)
            assert await retention.forget(POLICY, database.place.clock.now) > 0
            assert [link.first for link in await store.chain(house.ledger.writer, 0, 9)] == [3, 4]
            assert (await database.sealer(store).verify()).broken == ()

    asyncio.run(story())
