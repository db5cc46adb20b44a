"""The commands as an operator types them, over a folder of his own."""

import asyncio
import json

from command import call
from lives import copy_file

from sekisho.app import Keyring, Settings, build, seals_path
from sekisho.policy import reference
from sekisho.terms import Role


class Installation:
    """A folder with a store, a key file and the seals beside it."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "bank.db"
        self.keys = folder / "keys.json"
        Keyring.make(self.keys).new(Role.ADMIN, "ito")
        self.policy = reference("postal-bank")

    @property
    def store(self):
        return f"sqlite:///{self.path}"

    @property
    def settings(self):
        return Settings(self.store, self.keys, self.policy, hold=False)

    def served_once(self, act=None):
        """The same after a node has run over it, and has done this."""
        async def once():
            async with (await self.app()).running() as app:
                if act is not None:
                    await act(app)

        asyncio.run(once())
        return self

    def app_seals(self):
        """Where the seals of this store are kept."""
        return seals_path(self.store, Keyring.open(self.keys))

    async def app(self):
        """The node that `serve` would run."""
        return await build(self.settings)

    def says(self, *words, code=0, keys=True, store=True):
        """What a command prints on stdout; its exit code must be the one given."""
        given = [*map(str, words), *(["--store", self.store] if store else []), *(["--keys", str(self.keys)] if keys else [])]
        exit_code, said, self.complaint = call(given)
        assert exit_code == code, f"{given}: {exit_code}\n{said}{self.complaint}"
        return said

    def tells(self, *words, code=0):
        """The same, read as JSON."""
        return json.loads(self.says(*words, code=code))

    def copy(self, name="copy.db"):
        copy_file(self.path, self.folder / name)

    def put_back(self, name="copy.db"):
        """In its place, also while somebody has it open."""
        copy_file(self.folder / name, self.path)
