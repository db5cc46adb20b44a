"""Who goes into the next batch: in the order they came, and nobody because others crowd around one subject."""

import asyncio

import pytest
from house import House, expecting
from test_ledger import login

from sekisho.adapters import queue
from sekisho.adapters.queue import COMPANY_S, PARKED, PLACES, Queue, Waiting
from sekisho.core.state import THE_BANK
from sekisho.errors import LedgerUnavailable

MOST = 64


class Needs:
    """A work that needs these rows."""

    def __init__(self, *keys):
        self.keys = keys

    def decide(self, tx):
        del tx
        return self.keys


class Line:
    """A queue and the seconds it goes by."""

    def __init__(self, longest=10_000):
        self.now = 0.0
        self.queue = Queue(longest, lambda: self.now)
        self.loop = asyncio.new_event_loop()

    def add(self, *keys, times=1):
        added = [Waiting(Needs(*keys), self.loop.create_future()) for _ in range(times)]
        for one in added:
            self.queue.add(one)
        return added

    def take(self, most=MOST):
        return ["+".join(one.keys) for one in self.queue.take(most)]


@pytest.fixture
def line():
    made = Line()
    yield made
    made.loop.close()


def test_works_go_in_the_order_they_came(line):
    for number in range(10):
        line.add(f"s{number}", f"s{number + 1}")
    assert line.take(6) == [f"s{n}+s{n + 1}" for n in range(6)]
    assert line.take(6) == [f"s{n}+s{n + 1}" for n in range(6, 10)]
    assert line.take(6) == []


def test_a_subject_that_is_alone_fills_the_batch(line):
    line.add("s")
    line.take()
    line.now += COMPANY_S
    line.add("s", times=100)
    assert line.take() == ["s"] * MOST
    assert line.take() == ["s"] * (100 - MOST)


def test_where_others_ask_a_subject_has_its_places_and_no_more(line):
    line.add("s", times=MOST)
    line.add("other")
    assert len(line.take()) == MOST
    assert line.take() == ["other"]
    line.add("s", times=10)
    line.add("other")
    assert line.take() == ["s"] * PLACES + ["other"]
    assert line.take() == ["s"] * PLACES


def test_who_was_parked_goes_before_who_came_later_and_in_turn(line):
    first, *_ = line.add("a")
    line.add("b")
    line.take()
    parked = [*line.add("s", "one", times=PLACES), *line.add("s", "two", times=PLACES), *line.add("s", "three", times=PLACES)]
    assert first not in parked
    assert line.take() == ["s+one"] * PLACES
    line.add("s", "four")
    assert [line.take() for _ in range(3)] == [["s+two"] * PLACES, ["s+three"] * PLACES, ["s+four"]]


def test_two_crowds_have_places_each(line):
    line.add("s", times=10)
    line.add("t", times=10)
    line.add("other")
    assert len(line.take()) == 21
    line.add("s", times=10)
    line.add("t", times=10)
    assert sorted(line.take()) == ["s"] * PLACES + ["t"] * PLACES


def test_once_the_others_have_gone_a_subject_is_alone_again(line):
    line.add("other")
    line.add("s")
    line.take()
    line.add("s", times=50)
    assert line.take() == ["s"] * PLACES
    line.now += COMPANY_S
    assert line.take() == ["s"] * (50 - PLACES)


def test_the_bank_is_nobodys_crowd(line):
    line.add("other")
    line.add("s")
    line.take()
    for number in range(30):
        line.add(f"s{number}", THE_BANK)
    assert len(line.take()) == 30


def test_no_more_are_parked_than_may_be_and_the_rest_are_refused(line):
    line.add("other")
    line.add("s")
    line.take()
    crowd = line.add("s", times=PLACES + PARKED + 5)
    line.take()
    refused = [one for one in crowd if one.future.done()]
    assert refused == crowd[-5:]
    assert all(isinstance(one.future.exception(), LedgerUnavailable) for one in refused)
    assert len(line.queue) == PARKED


def test_a_full_queue_takes_nobody():
    line = Line(longest=3)
    line.add("s", times=3)
    with expecting(LedgerUnavailable):
        line.add("s")
    line.loop.close()


def test_an_attacker_waits_for_himself_and_nobody_waits_for_him(place):
    """Sixty-four who ask about one subject without end, and one who asks about his own: how many of them go before him."""
    async def story():
        async with House(place.open(), login(1 << 30)) as house:
            attacked, own = await house.begin("procedure:1"), await house.begin("procedure:2", customer="customer:2")
            done = 0

            async def attack():
                nonlocal done
                while True:
                    assert await house.enter(attacked, "wrong") == "wrong"
                    done += 1

            attackers = [asyncio.create_task(attack()) for _ in range(64)]
            before_him = []
            for _ in range(50):
                began = done
                assert await house.enter(own, "wrong") == "wrong"
                before_him.append(done - began)
            for one in attackers:
                one.cancel()
            await asyncio.gather(*attackers, return_exceptions=True)
        # His first finds the batches that were under way; from then on at most the rest of one and his own.
        assert max(before_him[3:]) <= 2 * PLACES
        assert done >= 45 * PLACES, "they attacked all the while"
    asyncio.run(story())


def test_without_places_he_would_wait_for_all_of_them(line, monkeypatch):
    """What is measured above can fail."""
    monkeypatch.setattr(queue, "PLACES", 64)
    line.add("other")
    line.add("s")
    line.take()
    line.add("s", times=64)
    assert len(line.take()) == 64
