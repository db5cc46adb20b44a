"""The stores that keep the contract. Another joins by adding its name and how it is opened."""

import pytest
from house import Clock

from sekisho.adapters.memory import MemoryStore
from sekisho.adapters.sqlite import SqliteStore

DURABLE = ("sqlite",)
STORES = ("memory", *DURABLE)


class Place:
    """Where a store keeps its rows; `open` gives a store object over it, another one each time where that is possible."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.clock = Clock()
        self.path = folder / "ledger.db"
        self._memory = MemoryStore(self.clock)

    def open(self, **options):
        return self._memory if self.kind == "memory" else SqliteStore(self.path, options.pop("clock", self.clock), **options)


@pytest.fixture(params=STORES)
def place(request, tmp_path):
    return Place(request.param, tmp_path)


@pytest.fixture(params=DURABLE)
def durable(request, tmp_path):
    return Place(request.param, tmp_path)
