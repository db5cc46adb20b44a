"""A disk that can lose its power: it remembers which writes were synced, and what may be left of the others.

`Disk` is an apsw VFS over the real one. It takes down everything that is done to the files, in order, and whoever uses it
takes down between the writes what he was promised (`promise`). `after(n)` then tells what a power cut after the n-th step
may leave behind: all that was synced, and of what was not a chance selection, some of it torn.
"""

import random
from pathlib import Path
from typing import NamedTuple

import apsw

SECTOR = 512
"""What a disk writes whole or not at all. Bytes."""


class Step(NamedTuple):
    """One thing done to a file, or promised to somebody."""

    what: str
    path: str
    at: int = 0
    data: bytes = b""
    promised: object = None


class Disk(apsw.VFS):
    """Every file opened through it is written down."""

    def __init__(self, name):
        self.name = name
        self.steps = []
        super().__init__(name, base="")

    def xOpen(self, name, flags):
        return _File(self, name, flags)

    def xDelete(self, name, syncdir):
        super().xDelete(name, syncdir)
        self.steps.append(Step("delete", str(name), int(bool(syncdir))))

    def promise(self, promised):
        self.steps.append(Step("promise", "", promised=promised))

    @property
    def writes(self):
        """The places in `steps` where something was done to a file."""
        return [n for n, step in enumerate(self.steps) if step.what != "promise"]

    def promised(self, cut):
        """What was promised before the cut."""
        return [step.promised for step in self.steps[:cut] if step.what == "promise"]

    def after(self, cut, seed):
        """The files as a power cut after this many steps may leave them: name to content."""
        chance = random.Random(f"{seed}/{cut}")
        files = {}
        for step in self.steps[:cut]:
            if step.what != "promise":
                files.setdefault(step.path, _Content()).take(step)
                if step.what in {"sync", "delete"} and step.at:
                    for content in files.values():
                        content.folder_synced()
        left = {path: content.left(chance) for path, content in files.items()}
        return {Path(path).name: body for path, body in left.items() if body is not None}


class _Content:
    """One file: what is surely on the disk, and what has been written since."""

    def __init__(self):
        self.synced = bytearray()
        self.pending = []

    def take(self, step):
        self.pending.append(step)
        if step.what == "sync":
            self._surely(len(self.pending))

    def folder_synced(self):
        """A file that was deleted stays so."""
        self._surely(max((n + 1 for n, one in enumerate(self.pending) if one.what == "delete"), default=0))

    def _surely(self, number):
        for one in self.pending[:number]:
            _apply(self, one, len(one.data))
        del self.pending[:number]

    def left(self, chance):
        """Everything synced; of the rest each write whole, torn or not at all."""
        found = _Content()
        found.synced = None if self.synced is None else bytearray(self.synced)
        luck = chance.choice([0, 0.2, 0.5, 0.8, 1])
        for step in self.pending:
            if chance.random() < luck:
                _apply(found, step, len(step.data))
            elif step.data and chance.random() < 0.5:
                _apply(found, step, chance.randrange(0, len(step.data) + 1, 1 if chance.random() < 0.2 else SECTOR))
        return None if found.synced is None else bytes(found.synced)


def _apply(content, step, length):
    if step.what == "delete":
        content.synced = None
        return
    if content.synced is None:
        content.synced = bytearray()
    body = content.synced
    if step.what == "truncate":
        del body[step.at:]
        body.extend(bytes(max(0, step.at - len(body))))
    elif step.what == "write" and length:
        body.extend(bytes(max(0, step.at + length - len(body))))
        body[step.at:step.at + length] = step.data[:length]


class _File(apsw.VFSFile):
    def __init__(self, disk, name, flags):
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        # Like SQLite's own: the first sync of a new journal or log syncs the folder that names it.
        self._new = not Path(self._path).exists() and self._path.endswith(("-wal", "-journal"))
        super().__init__("", name, flags)

    def xWrite(self, data, offset):
        super().xWrite(data, offset)
        self._disk.steps.append(Step("write", self._path, offset, bytes(data)))

    def xTruncate(self, size):
        super().xTruncate(size)
        self._disk.steps.append(Step("truncate", self._path, size))

    def xSync(self, flags):
        # Nothing is at stake on the real disk: what counts is what was asked of it.
        self._disk.steps.append(Step("sync", self._path, int(self._new)))
        self._new = False
