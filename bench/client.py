"""An HTTP client as bare as can be: keep-alive connections, one request at a time on each, requests made beforehand."""

import asyncio
import gc
import itertools
import time
from collections import deque

import uvloop


def full_rate(port, requests, connections, load_s):
    """Every connection asks again as soon as it has its answer."""
    return uvloop.run(_load(_Eager, port, requests, connections, load_s))


def paced(port, requests, connections, load_s, each_hz):
    """Every connection asks at a fixed rate, answered or not: what must wait for the answer before waits in the figures too."""
    return uvloop.run(_load(lambda *had: _Paced(*had, each_hz), port, requests, connections, load_s))


def whole(port, requests, connections, load_s):
    """As `full_rate`, and whoever is not answered yet at the end is waited for: every request is among those told."""
    return uvloop.run(_load(_Eager, port, requests, connections, load_s, []))


def offered(port, requests, connections, load_s, each_hz):
    """As `paced` and to the last answer, and what was answered."""
    bodies = []
    found = uvloop.run(_load(lambda *had: _Paced(*had, each_hz), port, requests, connections, load_s, bodies))
    return {**found, "bodies": bodies}


LATE_S = 10.0
"""The longest that the last answers are waited for."""


async def _load(kind, port, requests, connections, load_s, bodies=None):
    gc.disable()
    loop = asyncio.get_running_loop()
    feed, took = itertools.cycle(requests), _Took(bodies)
    made = [(await loop.create_connection(lambda: kind(feed, took), "127.0.0.1", port))[1] for _ in range(connections)]
    began = time.perf_counter()
    for number, one in enumerate(made):
        one.begin(number / connections)
    await asyncio.sleep(load_s)
    seconds = time.perf_counter() - began
    for one in made:
        one.stop()
    if bodies is not None:
        async with asyncio.timeout(LATE_S):
            while any(one.is_waiting for one in made):  # noqa: ASYNC110  nothing is measured any more, and any of them may be the last
                await asyncio.sleep(0.01)
    for one in made:
        one.end()
    return took.told(seconds)


class _Took:
    """How long each answer took, and how many were none."""

    def __init__(self, bodies=None):
        self.seconds = []
        self.errors = 0
        self.bodies = bodies
        """Where the answers are kept; None: nowhere."""

    def told(self, seconds):
        answers = sorted(self.seconds)
        return {
            "requests": len(answers), "seconds": seconds, "per_s": len(answers) / seconds, "errors": self.errors,
            "mean_ms": sum(answers) / max(1, len(answers)) * 1000,
            "p50_ms": _percentile(answers, 0.50) * 1000, "p99_ms": _percentile(answers, 0.99) * 1000,
        }


def _percentile(answers, part):
    return answers[min(len(answers) - 1, int(len(answers) * part))] if answers else 0.0


class _Connection(asyncio.Protocol):
    def __init__(self, feed, took):
        self._feed = feed
        self._took = took
        self._buffer = b""
        self._due = None
        """When the request on its way should have been sent; None: there is none."""
        self._ended = False

    def connection_made(self, transport):
        self._transport = transport

    def connection_lost(self, exc):
        del exc
        if not self._ended:
            self._took.errors += 1

    def data_received(self, data):
        self._buffer += data
        if _is_whole(self._buffer):
            self._answered(self._buffer)

    @property
    def is_waiting(self):
        return self._due is not None

    def stop(self):
        """Ask nothing more."""
        self._ended = True

    def end(self):
        self._transport.close()

    def send(self, due):
        self._due = due
        self._transport.write(next(self._feed))

    def _answered(self, answer):
        self._took.seconds.append(time.perf_counter() - self._due)
        if not answer.startswith(b"HTTP/1.1 200 "):
            self._took.errors += 1
        if self._took.bodies is not None:
            self._took.bodies.append(answer.partition(b"\r\n\r\n")[2].decode())
        self._buffer, self._due = b"", None
        if not self._ended:
            self.next()


def _is_whole(answer):
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    at = answer.find(b"content-length: ") + len(b"content-length: ")
    return len(answer) >= head + 4 + int(answer[at:answer.index(b"\r", at)])


class _Eager(_Connection):
    def begin(self, phase):
        del phase
        self.next()

    def next(self):
        self.send(time.perf_counter())


class _Paced(_Connection):
    def __init__(self, feed, took, hz):
        super().__init__(feed, took)
        self._every_s = 1 / hz
        self._waiting = deque()

    def begin(self, phase):
        asyncio.get_running_loop().call_later(phase * self._every_s, self._tick)

    def _tick(self):
        if self._ended:
            return
        asyncio.get_running_loop().call_later(self._every_s, self._tick)
        self._waiting.append(time.perf_counter())
        if self._due is None:
            self.next()

    def next(self):
        if self._waiting:
            self.send(self._waiting.popleft())
