"""The commands as an operator types them, over a folder of his own."""

import json
import subprocess
import sys

from lives import copy_file

from sekisho.app import Keyring, Settings, build
from sekisho.policy import reference
from sekisho.terms import Role

WAIT_S = 60


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

    async def app(self):
        """The node that `serve` would run."""
        return await build(self.settings)

    def says(self, *words, code=0, keys=True):
        """What a command prints on stdout; its exit code must be the one given."""
        given = [*map(str, words), "--store", self.store, *(["--keys", str(self.keys)] if keys else [])]
        done = subprocess.run([sys.executable, "-m", "sekisho.cli", *given], capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert done.returncode == code, f"{given}: {done.returncode}\n{done.stdout}{done.stderr}"
        self.complaint = done.stderr
        return done.stdout

    def tells(self, *words, code=0):
        """The same, read as JSON."""
        return json.loads(self.says(*words, code=code))

    def copy(self, name="copy.db"):
        copy_file(self.path, self.folder / name)

    def put_back(self, name="copy.db"):
        """In its place, also while somebody has it open."""
        copy_file(self.folder / name, self.path)
