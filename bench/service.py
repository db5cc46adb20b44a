"""`sekisho serve` as a process of its own, and the requests that are sent to it."""

import contextlib
import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import time

from bench.node import ITEM, WRONG

START_WITHIN_S = 60
HOST = "127.0.0.1"


class Service:
    """A running service."""

    def __init__(self, process, port, channel):
        self.process = process
        self.port = port
        self._channel = channel

    @property
    def pid(self):
        return self.process.pid

    def live(self):
        """The empty handler's request, as bytes."""
        return [f"GET /health/live HTTP/1.1\r\nHost: {HOST}:{self.port}\r\n\r\n".encode()]

    def entries(self, runs, seed=1, item=ITEM):
        """A wrong entry for each run, as bytes, in no order."""
        shuffled = random.Random(seed).sample(runs, len(runs))
        return [self._entry(run, item) for run in shuffled]

    def _entry(self, run, item):
        body = json.dumps({"item": item, "proof": WRONG}).encode()
        head = (
            f"POST {_path(run)} HTTP/1.1\r\nHost: {HOST}:{self.port}\r\nAuthorization: Bearer {self._channel}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def check_counts(self, runs):
        """Make sure that an entry is still looked at and found wrong: a refusal would be quicker, and no measure."""
        for run in runs:
            headers = {"authorization": f"Bearer {self._channel}", "content-type": "application/json"}
            status, body = _ask(self.port, "POST", _path(run), json.dumps({"item": ITEM, "proof": WRONG}), headers)
            assert status == 200, body
            assert json.loads(body)["outcome"] == "wrong", body

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@contextlib.contextmanager
def serving(home, policy, environment=None, workers=1):
    """A service that is ready, and how long it took until then, in seconds."""
    port = _free_port()
    command = [
        sys.executable, "-m", "sekisho.cli", "serve", "--store", home.store, "--keys", str(home.keys), "--policy", str(policy),
        "--listen", f"{HOST}:{port}", "--no-hold", "--workers", str(workers),
    ]
    began = time.perf_counter()
    service = Service(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL), port, home.channel)
    try:
        _wait_until_ready(service)
        yield service, time.perf_counter() - began
    finally:
        service.stop()


def _free_port():
    with socket.create_server((HOST, 0)) as found:
        return found.getsockname()[1]


def _wait_until_ready(service):
    until = time.monotonic() + START_WITHIN_S
    while time.monotonic() < until:
        assert service.process.poll() is None, "the service has ended"
        with contextlib.suppress(OSError):
            if _ask(service.port, "GET", "/health/ready")[0] == 200:
                return
        time.sleep(0.005)
    raise TimeoutError(f"not ready after {START_WITHIN_S} s")


def _ask(port, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()


def _path(run):
    return f"/v1/procedures/{run}/attempts"
