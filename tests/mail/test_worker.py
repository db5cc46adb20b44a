"""`sekisho worker`: a process that carries mail, killed at the worst moment, and several of them at once."""

import asyncio
import contextlib
import email
import email.policy
import itertools
import time

import click
import pytest
from command import Running
from dialogue import Dialogue
from post import BOUNCES, SENDER

from sekisho.adapters.sqlite import wall_clock
from sekisho.app import Keyring, Settings, build, relay_of
from sekisho.cli import group
from sekisho.core.state import SECOND, Address, Addresses, Challenge, Outgoing, decode
from sekisho.errors import CallerError
from sekisho.flows.outbox import LEASE_S, outbox_key, stands
from sekisho.policy import reference
from sekisho.terms import AddressState, Role, Way

VALID_S = 600


def name_of(n):
    return f"{n:024d}"


class Put:
    """A message that waits."""

    def __init__(self, n, now):
        self.n, self.now, self.keys = n, now, (outbox_key(name_of(n)), f"addresses:customer:{n}")

    def decide(self, tx):
        challenge = Challenge(f"c{self.n}", "mail-otp", "a", b"", 1, 8, self.now, self.now + VALID_S * SECOND)
        waiting = Outgoing(subject=f"customer:{self.n}", challenge=challenge, operation="login", language="en", made=self.now)
        tx.put(self.keys[0], waiting, due=self.now)
        tx.put(self.keys[1], Addresses(known=[Address("a", Way.MAIL, f"c{self.n}@example.com", AddressState.CONFIRMED, 0)]))


class Place:
    """A store with messages that wait, and the commands over it."""

    def __init__(self, folder):
        self.folder = folder
        self._workers = itertools.count()
        self.url, self.keys = f"sqlite:///{folder / 'bank.db'}", folder / "keys.json"
        Keyring.make(self.keys).new(Role.CHANNEL, "bank")

    def settings(self, **more):
        return Settings(self.url, self.keys, reference("postal-bank"), **more)

    def queue(self, number):
        async def put():
            async with (await build(self.settings())).working() as app:
                now = await app.store.clock()
                await asyncio.gather(*(app.ledger.run(Put(n, now)) for n in range(number)))

        asyncio.run(put())

    def rows(self):
        async def read():
            app = await build(self.settings())
            found = await app.store.rows("outbox:", "", 1000)
            await app.leave()
            return [decode(body, Outgoing) for _, body in found]

        return asyncio.run(read())

    @contextlib.contextmanager
    def worker(self, relay):
        """A process that carries mail, and the file with what it says."""
        words = ["--mail-relay", f"smtp://127.0.0.1:{relay.port}", "--mail-from", SENDER, "--mail-bounces", BOUNCES]
        file = self.folder / f"worker-{next(self._workers)}"
        running = Running(["worker", "--store", self.url, "--keys", self.keys, *words], file, file)
        try:
            yield running, file
        finally:
            running.kill()

    async def later(self, relay, seconds):
        """Another worker, that much later."""
        app = await build(self.settings(relay=relay_of(f"smtp://127.0.0.1:{relay.port}", SENDER, BOUNCES)))
        app.store._clock = lambda: wall_clock() + int(seconds * SECOND)
        async with app.working():
            await app.outbox.deliver()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def until(holds, within_s=30):
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def seen(mail):
    read = email.message_from_bytes(mail, policy=email.policy.default)
    return read["message-id"], read.get_content()


def test_M_TRACE_1_a_worker_killed_between_the_message_and_its_answer(place):
    """Nobody knows whether it was taken: that is on record, and the same code goes out once more under the same name."""
    place.queue(1)
    with Dialogue({".": [None, "250 2.0.0 Ok: queued as B"]}) as relay:
        with place.worker(relay) as (running, _):
            assert relay.came.wait(30)
            running.kill()
            running.wait()
        (row,) = place.rows()
        assert [hop.what for hop in row.trace] == ["tried"]
        asyncio.run(place.later(relay, LEASE_S - 20))
        assert len(relay.mails) == 1
        asyncio.run(place.later(relay, LEASE_S + 5))
        (row,) = place.rows()
        assert [hop.what for hop in row.trace] == ["tried", "lost", "tried", "accepted"] and stands(row) == "handed-over"
        assert len(relay.mails) == 2 and seen(relay.mails[0]) == seen(relay.mails[1])


def test_two_workers_carry_every_message_once_and_stop_when_they_are_asked_to(place):
    place.queue(0)
    with Dialogue() as relay, place.worker(relay) as first, place.worker(relay) as second:
        for _, said in (first, second):
            until(lambda said=said: said.exists() and said.read_text() == "ready\n")
        place.queue(60)
        until(lambda: len(relay.mails) >= 60)
        for running, said in (first, second):
            running.terminate()
            assert running.wait(20) == 0
            assert said.read_text() == "ready\n"
        assert len({seen(mail)[0] for mail in relay.mails}) == len(relay.mails) == 60
    assert {tuple(hop.what for hop in row.trace) for row in place.rows()} == {("tried", "accepted")}


@pytest.mark.parametrize(("words", "says"), [
    (["--mail-relay", "smtp://127.0.0.1:25"], "--mail-from and --mail-bounces"), (["--bounces-listen", "127.0.0.1:0"], "only with --mail-relay"),
    (["--mail-relay", "smtp://relay.example", "--mail-from", SENDER, "--mail-bounces", BOUNCES], "in the clear"),
])
def test_half_a_setting_is_refused(place, words, says):
    command = ["worker", "--store", place.url, "--keys", str(place.keys), *words]
    with pytest.raises((click.UsageError, CallerError), match=says):
        group.main(command, standalone_mode=False)
