"""The stores that keep the contract. Another joins by adding its name and how it is opened."""

import pytest
from places import Place

DURABLE = ("sqlite", "postgres")
STORES = ("memory", *DURABLE)


def opened(kind, request):
    """A new place. The server is started for whoever needs it."""
    at = None
    if kind == "sqlite":
        at = request.getfixturevalue("tmp_path") / "ledger.db"
    elif kind == "postgres":
        at = request.getfixturevalue("postgres").database()
    return Place(kind, at)


@pytest.fixture(params=STORES)
def place(request):
    return opened(request.param, request)


@pytest.fixture(params=DURABLE)
def durable(request):
    return opened(request.param, request)
