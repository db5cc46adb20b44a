"""The stores that keep the contract. Another joins by adding its name and how it is opened."""

import asyncio

import pytest
from places import Place

from sekisho.adapters.postgres import PostgresStore

DURABLE = ("sqlite", "postgres")
STORES = ("memory", *DURABLE)


@pytest.fixture(scope="session")
def prepared(postgres):
    """The name of a database that has the schema and nothing else, to copy."""
    async def migrate(url):
        store = PostgresStore(url)
        await store.clock()
        await store.close()

    asyncio.run(migrate(postgres.database("prepared")))
    return "prepared"


def opened(kind, request):
    """A new place. The server is started for whoever needs it."""
    at = None
    if kind == "sqlite":
        at = request.getfixturevalue("tmp_path") / "ledger.db"
    elif kind == "postgres":
        at = request.getfixturevalue("postgres").database(template=request.getfixturevalue("prepared"))
    return Place(kind, at)


@pytest.fixture(params=STORES)
def place(request):
    return opened(request.param, request)


@pytest.fixture(params=DURABLE)
def durable(request):
    return opened(request.param, request)
