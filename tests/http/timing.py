"""How well somebody outside can tell two cases apart by how long an answer takes.

A *side* is a kind of request whose case is known: a customer who exists, one who does not. Samples of all sides are taken from one
running service in one random order, so that whatever changes meanwhile on the machine falls on all of them alike. A guesser then
says of each answer which of two sides it was, by one threshold: longer is the one, shorter the other. He chooses threshold
and direction on a random half of the samples and is judged on the other half, so that his luck in choosing is not taken for
knowledge. Of n guesses he is right r times; what follows for a guess in general is the exact binomial bound of Clopper and
Pearson. Half of his guesses are right if he knows nothing.
"""

import contextlib
import json
import math
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import NamedTuple

WAIT_S = 30
CHUNK = 400
"""Runs begun before a part of the samples is taken: few enough that none of them ends meanwhile."""

BEGINNERS = 16
"""Connections that begin runs between two parts of the samples."""

LOADERS = 16
"""Connections that measure how much the service can do, and that keep half of it busy: enough that none waits for another."""

MEASURE_S = 4.0


class Line:
    """One connection that stays open, asking one thing at a time."""

    def __init__(self, port, key):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = f"HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: "

    def ask(self, path, body):
        """POST it: how long the whole answer took in nanoseconds, and what it says."""
        sent = json.dumps(body).encode()
        request = f"POST {path} {self._head}{len(sent)}\r\n\r\n".encode() + sent
        began = time.perf_counter_ns()
        self._socket.sendall(request)
        head, _, came = self._socket.recv(65536).partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(came) < length:
            came += self._socket.recv(65536)
        return time.perf_counter_ns() - began, json.loads(came)

    def close(self):
        self._socket.close()


class Entry(NamedTuple):
    """One kind of entry: the run it is made in, what is entered, and what must be heard, else the sample is none of this side's."""

    run: dict
    item: str
    proof: str | dict
    heard: str

    def begin(self, line):
        """Begin a run for it; where it is to be entered."""
        _, begun = line.ask("/v1/procedures", self.run)
        return f"/v1/procedures/{begun['procedure']}/attempts"

    def enter(self, line, path):
        """How long the answer took. `again` says itself that nothing was looked at: it is no sample."""
        took, answer = line.ask(path, {"item": self.item, "proof": self.proof})
        while answer.get("again"):
            took, answer = line.ask(path, {"item": self.item, "proof": self.proof})
        assert answer["outcome"] == self.heard, answer
        return took


class Opening(NamedTuple):
    """The beginning of a run is asked about itself."""

    run: dict

    def begin(self, _line):
        return "/v1/procedures"

    def enter(self, line, path):
        took, answer = line.ask(path, self.run)
        assert answer["state"] == "open", answer
        return took


def sample(port, key, sides, each, *, lines, seed, rate=None):
    """How long the answers took in nanoseconds, by side.

    Args:
        port: of the service.
        key: a channel's.
        sides: by name, the entries that one of it is drawn from.
        each: samples of each side.
        lines: connections that sample at the same time.
        seed: of the order.
        rate: samples a second, as if each came from somebody else (a Poisson process); None: one follows the other.

    """
    rng = random.Random(seed)
    order = [name for name in sides for _ in range(each)]
    rng.shuffle(order)
    took = {name: [] for name in sides}
    for at in range(0, len(order), CHUNK):
        entries = [(name, rng.choice(sides[name])) for name in order[at:at + CHUNK]]
        begun = _all(port, key, BEGINNERS, lambda line, one: (*one, one[1].begin(line)), entries)
        rng.shuffle(begun)
        for name, ns in _all(port, key, lines, _enter, list(zip(begun, _comings(rng, rate), strict=False))):
            took[name].append(ns)
    return took


def _comings(rng, rate):
    """When each sample is to be taken; without a rate at once."""
    at = time.monotonic()
    while True:
        at += rng.expovariate(rate) if rate else 0
        yield at


def _enter(line, one):
    (name, entry, path), at = one
    time.sleep(max(0, at - time.monotonic()))
    return name, entry.enter(line, path)


def _all(port, key, lines, do, things):
    """Do something with each thing, on whichever line is free; what came of it."""
    waiting, done, failed = deque(things), [], SimpleQueue()

    def work():
        try:
            with contextlib.closing(Line(port, key)) as line:
                while waiting and failed.empty():
                    done.append(do(line, waiting.popleft()))
        except IndexError:
            return  # another line took the last one
        except Exception as no:  # noqa: BLE001  told to whoever waits for the thread
            failed.put(no)

    workers = [threading.Thread(target=work) for _ in range(lines)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    if not failed.empty():
        raise failed.get()
    return done


# -- what a guesser makes of it


class Told(NamedTuple):
    """How often the best guess by one threshold was right, on samples that had no part in choosing it."""

    right: int
    guesses: int

    @property
    def share(self):
        return self.right / self.guesses

    @property
    def at_most(self):
        """With 95 % confidence he is right no more often than this."""
        return 1 - _least(self.guesses - self.right, self.guesses, 0.05)

    @property
    def surely(self):
        """With 99.9 % confidence he is right at least as often as this."""
        return _least(self.right, self.guesses, 0.001)

    def __str__(self):
        return f"{self.share:.2%} of {self.guesses} right, at most {self.at_most:.2%}"


def guess(one, other, seed):
    """The best threshold on half of the samples, judged by the other half."""
    rng = random.Random(seed)
    half = min(len(one), len(other)) // 2
    first, second = (rng.sample(side, 2 * half) for side in (one, other))
    bar, longer = _threshold(first[:half], second[:half])
    right = sum((ns > bar) == longer for ns in first[half:]) + sum((ns > bar) != longer for ns in second[half:])
    return Told(right, 2 * half)


def _threshold(one, other):
    """(threshold, whether the first side takes longer) for which most of these samples are guessed rightly."""
    ordered = sorted([(ns, 1) for ns in one] + [(ns, -1) for ns in other])
    # Shorter ones of the first side less those of the other: the further from nought, the more are told apart.
    apart, best = 0, (0, 0, False)
    for ns, side in ordered:
        apart += side
        best = max(best, (abs(apart), ns, apart < 0))
    return best[1:]


def _least(right, guesses, doubt):
    """The lowest share of which so many right guesses would come about with that probability (Clopper and Pearson 1934)."""
    if right == 0:
        return 0.0
    low, high = 0.0, right / guesses
    for _ in range(60):
        share = (low + high) / 2
        low, high = (share, high) if _tail(right, guesses, share) < doubt else (low, share)
    return low


def _tail(right, guesses, share):
    """How probable so many right guesses or more are."""
    if share <= 0:
        return 0.0
    whole = math.lgamma(guesses + 1)
    return math.fsum(
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(guesses - k + 1) + k * math.log(share) + (guesses - k) * math.log1p(-share))
        for k in range(right, guesses + 1)
    )


# -- how the machine is kept


SPIN = """
import os
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(100_000):
        pass
"""


@contextlib.contextmanager
def awake():
    """Keep every processor from sleeping, by work that gives way to any other.

    The guesser sits on the service's own machine here: how long a processor takes to wake for him tells whether anything was
    compared on it just now. Whoever asks over a network wakes a machine of his own.
    """
    spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for one in spinning:
            one.kill()
            one.wait()


# -- half load


def capacity(port, key, subjects):
    """How many wrong passwords a second the service can answer."""
    return _loaded(port, key, _logins(subjects), None, MEASURE_S)


@contextlib.contextmanager
def loaded(port, key, subjects, rate):
    """Keep the service busy with wrong passwords, so many a second, from another process."""
    with subprocess.Popen(
        [sys.executable, __file__, str(port), str(rate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as beside:
        print(key, *subjects, sep="\n", file=beside.stdin, flush=True)
        beside.stdin.close()
        assert beside.stdout.readline() == "busy\n"
        try:
            yield
        finally:
            beside.kill()


def _logins(subjects):
    return [{"operation": "login", "subject": subject} for subject in subjects]


def _loaded(port, key, runs, rate, for_s):
    """Enter wrong passwords for so long, at a rate or, without one, as fast as they are answered; how many a second."""
    until, done = time.monotonic() + for_s, []
    each_s = None if rate is None else LOADERS / rate

    def work(number):
        rng = random.Random(number)
        at = time.monotonic() + (each_s or 0) * rng.random()
        with contextlib.closing(Line(port, key)) as line:
            while time.monotonic() < until:
                if each_s is not None:
                    at += rng.expovariate(1 / each_s)
                    time.sleep(max(0, at - time.monotonic()))
                one = Entry(rng.choice(runs), "login-password", "not this one", "wrong")
                one.enter(line, one.begin(line))
                done.append(one)

    workers = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(LOADERS)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    return len(done) / for_s


if __name__ == "__main__":
    asked, *named = sys.stdin.read().split()
    print("busy", flush=True)  # noqa: T201  to whoever started it
    _loaded(int(sys.argv[1]), asked, _logins(named), float(sys.argv[2]), 1e9)
