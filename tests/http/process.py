"""The service as its own process, for tests: its command, its keys, its calls."""

import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from command import Running, call, run

from sekisho.policy import reference

WAIT_S = 120


def sekisho(*words):
    """One command in a process of its own, to its end."""
    with tempfile.TemporaryDirectory() as folder:
        return run(words, Path(folder), WAIT_S)


def asked(method, address, **more):
    """One request. No TLS is spoken: whoever is to trust is not looked up, which takes longer than any request here."""
    return httpx.request(method, address, verify=False, timeout=WAIT_S, **more)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def make_keys(folder):
    """A key file made by the command, and the keys it showed."""
    path = folder / "keys.json"
    shown = {}
    for role, operator in (("channel", "bank"), ("back-office", "endo"), ("first-line", "aoki")):
        code, said, complaint = call(["keys", "new", "--keys", path, "--role", role, "--operator", operator])
        assert code == 0, complaint
        shown[operator] = said.strip()
    return path, shown


class Process:
    """`sekisho serve` over one store: a SQLite file, where no other is given. `program`: what Python runs instead of the command."""

    def __init__(self, folder, keys, *more, store=None, policy=None, program=()):
        self.folder = folder
        # Seals are kept beside the key file: each store has its own.
        self.key_file, self.keys = Path(shutil.copy2(keys[0], folder)), keys[1]
        self.port, self.metrics_port = free_port(), free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.store = store or f"sqlite:///{folder / 'sekisho.db'}"
        self.words = [
            "serve", "--store", self.store, "--listen", f"127.0.0.1:{self.port}", "--keys", str(self.key_file),
            "--policy", str(policy or reference("postal-bank")), "--metrics", f"127.0.0.1:{self.metrics_port}", *more,
        ]
        self.program = program
        self.running = None

    def start(self):
        self.running = self._begun(self.folder / "out")
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                if asked("GET", f"{self.base}/health/ready").status_code == 200:
                    return self
            assert self.running.poll() is None, self.said()
            time.sleep(0.05)
        self.running.kill()
        self.running.wait()
        raise AssertionError(self.said())

    def _begun(self, out):
        if not self.program:
            return Running(self.words, out, out)
        with out.open("a") as file:
            return subprocess.Popen([sys.executable, *map(str, self.program), *self.words], stdout=file, stderr=file)

    def stop(self, how=signal.SIGTERM):
        self.running.send_signal(how)
        return self.running.wait(WAIT_S)

    def said(self):
        return (self.folder / "out").read_text()

    def call(self, method, path, body=None, by="bank"):
        return asked(method, self.base + path, json=body, headers={"authorization": f"Bearer {self.keys[by]}"})

    def enrol(self, number):
        subject = f"customer:{number}"
        assert self.call("PUT", f"/v1/staff/subjects/{subject}", {}, "endo").status_code in {200, 201}
        secret = {"secret": "correct horse 8"}
        assert self.call("PUT", f"/v1/staff/subjects/{subject}/items/login-password", secret, "endo").status_code == 200
        return subject

    def enter(self, subject, proof="not this one"):
        run = self.call("POST", "/v1/procedures", {"operation": "login", "subject": subject}).json()["procedure"]
        return self.call("POST", f"/v1/procedures/{run}/attempts", {"item": "login-password", "proof": proof}).json()["outcome"]

    def view(self, subject):
        return self.call("GET", f"/v1/staff/subjects/{subject}", by="aoki").json()

    def wrong(self, subject):
        return next((one["wrong"] for one in self.view(subject)["counts"] if one["counter"] == "login-password-in-a-row"), 0)

    def together(self, *calls):
        """(path, body) all at once; the answers."""
        async def ask():
            limits = httpx.Limits(max_connections=len(calls))
            headers = {"authorization": f"Bearer {self.keys['bank']}"}
            async with httpx.AsyncClient(base_url=self.base, limits=limits, headers=headers, timeout=WAIT_S) as client:
                return await asyncio.gather(*(client.post(path, json=body) for path, body in calls), return_exceptions=True)

        return asyncio.run(ask())
