"""A node on the bench's own policy: enrolled customers, and for each a run that waits for its entry."""

import asyncio
import contextlib
import itertools
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.apart import apart
from sekisho.app import Keyring, Settings, build, seals_path
from sekisho.flows.desk import Enrolment, ItemSetting, Operator
from sekisho.terms import Role

POLICY = Path(__file__).with_name("bench.yaml")
TWO_COUNTS, ONE_COUNT = "two-counts", "one-count"
OPERATIONS = (TWO_COUNTS, ONE_COUNT)
ITEM = "answer"
RIGHT, WRONG = "right answer", "wrong answer"
AT_ONCE = 256

DISK = "/var/tmp"
"""Kept over a restart (FHS 3.0 section 5.15), so it is on a disk where /tmp may be in memory."""


@dataclass(frozen=True)
class Home:
    """A folder with a key file, and a store: in it, or where a URL says."""

    folder: Path
    channel: str
    """The channel's API key."""
    url: str | None = None

    @property
    def keys(self):
        return self.folder / "keys.json"

    @property
    def store(self):
        return self.url or f"sqlite:///{self.folder / 'sekisho.db'}"

    @property
    def owner(self):
        """Whose runs they are."""
        return Keyring.open(self.keys).who(self.channel).id

    @property
    def runs(self):
        """The identifiers of the runs, by operation, in the order of the customers."""
        return json.loads((self.folder / "runs.json").read_text())

    def settings(self, batch_max=256):
        return Settings(self.store, self.keys, POLICY, batch_max=batch_max, hold=False)

    @contextlib.contextmanager
    def copied(self):
        """The same again, so that no measure finds what another has written."""
        with tempfile.TemporaryDirectory(prefix="sekisho-bench-", dir=DISK) as folder:
            shutil.copytree(self.folder, folder, dirs_exist_ok=True)
            other = Home(Path(folder), self.channel)
            # Seals are named after the place of their store, and this store has moved.
            for seals in other.folder.glob("*.seals"):
                seals.rename(seals_path(other.store, Keyring.open(other.keys)))
            yield other


@contextlib.contextmanager
def empty_home(url=None):
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-", dir=DISK) as folder:
        ring = Keyring.make(Path(folder) / "keys.json")
        yield Home(Path(folder), ring.new(Role.CHANNEL, "bench"), url)


@contextlib.contextmanager
def seeded_home(subjects, url=None):
    with empty_home(url) as home:
        apart(_seed, home, subjects)
        yield home


def customer(number):
    return f"customer:{number:08d}"


def stranger(number):
    """Nobody has enrolled him."""
    return f"customer:unknown-{number:08d}"


def _seed(home, subjects):
    uvloop.run(_seed_all(home, subjects))


async def _seed_all(home, subjects):
    app = await build(home.settings())
    async with app.running():
        await in_turn((enrol(app, customer(n)) for n in range(subjects)), AT_ONCE)
        runs = {name: await begin(app, home.owner, name, map(customer, range(subjects))) for name in OPERATIONS}
    (home.folder / "runs.json").write_text(json.dumps(runs))


async def enrol(app, subject, item=ITEM, secret=RIGHT):
    """A subject that holds one secret."""
    operator = Operator("bench", Role.ADMIN)
    await app.desk.enrol(app.table, subject, Enrolment(), operator)
    denied = await app.desk.set_item(app.table, subject, item, ItemSetting(secret=secret), operator)
    assert denied is None, denied


async def begin(app, owner, operation, subjects):
    """A run for each subject; their identifiers in the same order."""
    begun = await in_turn((app.runs.begin(app.table, owner, operation, subject) for subject in subjects), AT_ONCE)
    return [one.procedure for one in begun]


async def in_turn(works, at_once):
    """Answers of all works, in order, with that many on their way at once."""
    answers = []
    works = iter(works)
    while some := list(itertools.islice(works, at_once)):
        answers += await asyncio.gather(*some)
    return answers
