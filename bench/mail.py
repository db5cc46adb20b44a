"""Codes by mail: from the queue over SMTP into a sink, beside the same dialogue without a ledger."""

import asyncio
import contextlib
import multiprocessing
import smtplib
import tempfile
import time
from pathlib import Path
from statistics import median

import uvloop

from bench.node import DISK, POLICY
from bench.report import Figure, Found
from sekisho.app import Keyring, Settings, build, relay_of
from sekisho.bank.sink import Sink
from sekisho.core.state import SECOND, Address, Addresses, Challenge, Outgoing
from sekisho.flows.outbox import outbox_key
from sekisho.serving import _calm_collector, bind
from sekisho.terms import AddressState, Role, Way

CODES = 2_000
"""Of a busy minute at a large bank; the goal is set for so many."""

WITHIN_S = 10.0
VALID_S = 600


def measure(size, steps):
    number = min(CODES, size.batched)
    with _sink() as (port, taken):
        samples = [_round(port, taken, number) for _ in steps.over(f"{number:,} codes", range(size.rounds))]
    took = [one["took_s"] for one in samples]
    bare = [one["bare_s"] for one in samples]
    figures = [
        Figure("2,000 codes from queue to sink", median(took) * CODES / number, "s", must=WITHIN_S, at_most=True),
        Figure("codes", number / median(took), "/s"),
        Figure("bare dialogues on one connection", number / median(bare), "/s"),
        Figure("whole way over bare dialogue", median(whole / plain for whole, plain in zip(took, bare, strict=True)), "×"),
        Figure("messages that came twice or not at all", sum(one["odd"] for one in samples), "", must=0, at_most=True),
    ]
    return Found(figures, {"mail": samples}, {"load": "one worker, one sink in a process of its own"})


# -- the sink, in a process of its own: it stands for other machines


@contextlib.contextmanager
def _sink():
    fork = multiprocessing.get_context("fork")
    taken, sock = fork.Value("q", 0), bind("127.0.0.1:0")
    process = fork.Process(target=_take, args=(sock, taken), daemon=True)
    process.start()
    try:
        yield sock.getsockname()[1], taken
    finally:
        process.kill()
        process.join()


def _take(sock, taken):
    class Counting(Sink):
        def _put(self, to, content):
            del to, content
            taken.value += 1

    async def take():
        sink = Counting()
        await sink.start(sock)
        await asyncio.Event().wait()

    uvloop.run(take())


# -- one round


def _round(port, taken, number):
    before = taken.value
    bare_s = _bare(port, number)
    after_bare = taken.value
    took_s = uvloop.run(_codes(port, taken, number))
    return {"bare_s": bare_s, "took_s": took_s, "odd": abs(after_bare - before - number) + abs(taken.value - after_bare - number)}


def _bare(port, number):
    """The same mails, one after the other, with nothing on record."""
    letter = b"Subject: About your procedure at our bank\r\n\r\n" + b"12345678 " * 60 + b"\r\n"
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        began = time.perf_counter()
        for n in range(number):
            smtp.sendmail("codes@bank.example", [f"c{n}@example.com"], letter)
        return time.perf_counter() - began


async def _codes(port, taken, number):
    with tempfile.TemporaryDirectory(dir=DISK) as folder:
        keys = Path(folder) / "keys.json"
        Keyring.make(keys).new(Role.CHANNEL, "bench")
        relay = relay_of(f"smtp://127.0.0.1:{port}", "Bank <codes@bank.example>", "codes@bounce.bank.example")
        settings = Settings(f"sqlite:///{folder}/sekisho.db", keys, POLICY, relay=relay)
        async with (await build(settings)).working() as filling:
            now = await filling.store.clock()
            await asyncio.gather(*(filling.ledger.run(_Put(n, now)) for n in range(number)))
        app = await build(settings)
        _calm_collector()
        wanted, began = taken.value + number, time.perf_counter()
        async with app.running():
            while taken.value < wanted:  # noqa: ASYNC110  the sink is another process
                await asyncio.sleep(0.005)
            return time.perf_counter() - began


class _Put:
    def __init__(self, n, now):
        self._subject, self._now, self._n = f"customer:{n:010d}", now, n
        self.keys = (outbox_key(_name(n)), f"addresses:{self._subject}")

    def decide(self, tx):
        challenge = Challenge(f"c{self._n}", "mail-otp", "a", b"", 1, 8, self._now, self._now + VALID_S * SECOND)
        waiting = Outgoing(subject=self._subject, challenge=challenge, operation="login", language="ja", made=self._now)
        tx.put(self.keys[0], waiting, due=self._now)
        tx.put(self.keys[1], Addresses(known=[Address("a", Way.MAIL, f"c{self._n}@example.com", AddressState.CONFIRMED, 0)]))


def _name(n):
    return f"{n:024d}"


__all__ = ["measure"]
