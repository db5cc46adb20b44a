"""Where a store keeps its rows, and what is opened there: a path is a SQLite file, a URL a PostgreSQL database."""

from house import Clock

from sekisho.adapters.memory import MemoryStore
from sekisho.adapters.postgres import PostgresStore
from sekisho.adapters.sqlite import SqliteStore, wall_clock


class Place:
    """`open` gives a store object over it, another one each time where that is possible."""

    def __init__(self, kind, at=None):
        self.kind = kind
        self.clock = Clock()
        self.at = at
        self._memory = MemoryStore(self.clock)

    def open(self, clock=None):
        return self._memory if self.kind == "memory" else store_at(self.at, clock or self.clock)


def store_at(place, clock=wall_clock):
    """The store of a place; the time is the clock's, whatever a database says."""
    return PostgresStore(place, clock=lambda _: clock()) if is_database(place) else SqliteStore(place, clock)


def is_database(place):
    return str(place).startswith("postgresql:")
