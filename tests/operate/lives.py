"""A ledger with a past: it can be copied while it runs, and an older copy can be put in its place."""

import copy
from pathlib import Path

import apsw
from house import KEY, Clock

from sekisho.adapters.memory import MemoryStore
from sekisho.adapters.sqlite import SqliteStore
from sekisho.flows.restore import accept, set_writers_ahead
from sekisho.flows.seals import Sealer


class Keys:
    """The one key of the chains."""

    def secret(self, purpose, version=None):
        return KEY

    def newest(self, purpose):
        return 1


def copy_file(source, target):
    """A consistent copy of a database that may be in use, into a file that may be in use."""
    held, taken = apsw.Connection(str(target)), apsw.Connection(str(source))
    with held.backup("main", taken, "main") as work:
        work.step()
    taken.close()
    held.close()


class Ledger:
    """Where the rows are, in a file or in memory, and where its seals are."""

    def __init__(self, kind, folder):
        self.kind = kind
        self.folder = Path(folder)
        self.path = self.folder / "ledger.db"
        self.clock = Clock()
        self._memory = MemoryStore(self.clock)
        self._copies = {}

    def open(self):
        return self._memory if self.kind == "memory" else SqliteStore(self.path, self.clock)

    def sealer(self, store):
        return Sealer(store, Keys(), self.folder / "ledger.seals")

    def copy(self, name):
        if self.kind == "memory":
            self._copies[name] = copy.deepcopy({key: value for key, value in vars(self._memory).items() if key != "_clock"})
        else:
            copy_file(self.path, self.folder / name)

    def put_back(self, name):
        """Nobody has it open."""
        if self.kind == "memory":
            vars(self._memory).update(copy.deepcopy(self._copies[name]))
            return
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        copy_file(self.folder / name, self.path)

    async def accept(self, store, house, **options):
        """Take what is there into service."""
        return await accept(house.ledger, store, self.sealer(store), house.table, "ito", "the disk broke", **options)

    async def ahead(self, store):
        await set_writers_ahead(store, self.sealer(store))
