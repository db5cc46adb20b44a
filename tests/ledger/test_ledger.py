"""The contract of the ledger over every store: what an answer promises, and what happens when something breaks."""

import asyncio

import pytest
from house import House, Write, expecting, outcome
from tables import counter, lock, row, stage, table
from trail import audit, events, links, told_in

from sekisho.core.state import IN_FORCE, NEWEST, Guard, InForce, decode
from sekisho.errors import Conflict, LedgerUnavailable, NewerState, UnknownFate


def login(wrong=3):
    return table(row("login", "password", counter("c", "customer", stage(wrong, lock("login"), row="R"))))


def told(coroutine):
    return asyncio.run(coroutine)


class Poison:
    """A work that breaks."""

    def __init__(self, error=ValueError):
        self.keys = ("x",)
        self.error = error

    def decide(self, tx):
        tx.put("x", Guard())
        raise self.error


class Wrapped:
    """A store with one fault in its commit."""

    def __init__(self, store, commit):
        self._store = store
        self._commit = commit

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def commit(self, change):
        await self._commit(self._store, change)


def test_no_answer_leaves_before_its_guess_is_durable(place):
    async def story():
        gate = asyncio.Event()
        gate.set()

        async def slowly(store, change):
            await gate.wait()
            await store.commit(change)

        async with House(Wrapped(place.open(), slowly), login()) as house:
            await house.enrol("customer:1")
            run = await house.begin("procedure:1")
            gate.clear()
            answer = asyncio.ensure_future(house.enter(run, "wrong"))
            for _ in range(50):
                await asyncio.sleep(0)
            assert not answer.done()
            gate.set()
            assert await answer == "wrong"
            assert await house.count("customer:1") == (1, 0)
    told(story())


def test_a_commit_that_failed_is_answered_no_and_counts_nothing(place):
    async def story():
        fail = []

        async def maybe(store, change):
            if fail:
                await store.rollback()
                raise LedgerUnavailable
            await store.commit(change)

        async with House(Wrapped(place.open(), maybe), login()) as house:
            await house.enrol("customer:1")
            run = await house.begin("procedure:1")
            fail.append(True)
            with expecting(LedgerUnavailable):
                await house.enter(run, "wrong")
            fail.clear()
            assert await house.count("customer:1") == (0, 0)
            assert await house.enter(run, "wrong") == "wrong"
            assert await audit(house.store, house.table, ["customer:1"]) == []
    told(story())


@pytest.mark.parametrize("stands", [True, False])
def test_a_commit_of_unknown_fate_is_counted_once_at_most(place, stands):
    """No answer leaves; the chain goes on under a new writer, whichever way it was."""
    async def story():
        fail = []

        async def maybe(store, change):
            if not fail or stands:
                await store.commit(change)
            else:
                await store.rollback()
            if fail:
                raise UnknownFate

        async with House(Wrapped(place.open(), maybe), login()) as house:
            await house.enrol("customer:1")
            run = await house.begin("procedure:1")
            fail.append(True)
            with expecting(UnknownFate):
                await house.enter(run, "wrong")
            fail.clear()
            assert await house.count("customer:1") == (int(stands), 0)
            assert await house.enter(run, "wrong") == "wrong"
            assert await house.count("customer:1") == (1 + stands, 0)
            await links(house.store)
    told(story())


@pytest.mark.parametrize("error", [ValueError, KeyError, NewerState, RecursionError])
def test_a_poisoned_work_is_taken_out_and_the_rest_are_decided_once(place, error):
    async def story():
        async with House(place.open(), login(99)) as house:
            await house.enrol("customer:1")
            run = await house.begin("procedure:1")
            works = [house.ledger.run(house.entry(run, "wrong")) for _ in range(20)]
            works[7:7] = [house.ledger.run(Poison(error))]
            works[15:15] = [house.ledger.run(Poison(error))]
            answers = await asyncio.gather(*works, return_exceptions=True)
            failed = [answer for answer in answers if isinstance(answer, Exception)]
            assert len(failed) == 2 and all(isinstance(one, NewerState if error is NewerState else LedgerUnavailable) for one in failed)
            assert [outcome(answer) for answer in answers if answer not in failed] == ["wrong"] * 20
            assert await house.count("customer:1") == (20, 0)
            assert await house.store.peek(["x"]) == {}
    told(story())


def test_a_batch_reads_what_it_has_decided_itself(place, monkeypatch):
    """Sixty-four at once at a budget of three: three are looked at, in one commit."""
    monkeypatch.setattr("sekisho.adapters.queue.PLACES", 64)

    async def story():
        async with House(place.open(), login(3)) as house:
            await house.enrol("customer:1")
            run = await house.begin("procedure:1")
            before = house.ledger.batches
            answers = await asyncio.gather(*[house.enter(run, "wrong") for _ in range(64)])
            assert sorted(answers) == ["locked"] * 61 + ["wrong"] * 3 and house.ledger.batches == before + 1
    told(story())


@pytest.mark.parametrize(("conflicts", "told"), [(1, "wrong"), (2, "wrong"), (3, "nothing")])
def test_a_batch_that_others_were_in_the_way_of_is_begun_again_and_counts_once(place, conflicts, told):
    """Surely not committed: so it may be run again, and after some turns the answer is no."""
    async def story():
        store = place.open()
        async with House(store, login(5)) as house:
            run = await house.begin("procedure:1")
            left = conflicts
            commit = store.commit

            async def in_the_way(change):
                nonlocal left
                left -= 1
                if left >= 0:
                    await store.rollback()
                    raise Conflict
                await commit(change)

            store.commit = in_the_way
            try:
                answer = await house.enter(run, "wrong")
            except LedgerUnavailable:
                answer = "nothing"
            assert answer == told
            assert await house.count(house.subjects.bucket("customer:1")) == (int(told == "wrong"), 0)
    asyncio.run(story())


@pytest.mark.parametrize(("number", "batch_max", "batches"), [(256, 256, 1), (257, 256, 2), (64, 1, 64), (64, 7, 10)])
def test_works_that_wait_together_share_a_batch(place, number, batch_max, batches):
    async def story():
        async with House(place.open(), login(3), batch_max=batch_max) as house:
            runs = [await house.begin(f"procedure:{n}", customer=f"customer:{n}") for n in range(number)]
            await house.enrol(*[f"customer:{n}" for n in range(number)])
            before = house.ledger.batches
            assert await asyncio.gather(*[house.enter(run, "wrong") for run in runs]) == ["wrong"] * number
            assert house.ledger.batches == before + batches
            assert await audit(house.store, house.table, [f"customer:{n}" for n in range(number)]) == []
    told(story())


def test_who_comes_when_the_queue_is_full_is_answered_no(place):
    async def story():
        async with House(place.open(), login(99), queue_max=10) as house:
            await house.enrol("customer:1")
            run = await house.begin("procedure:1")
            answers = await asyncio.gather(*[house.enter(run, "wrong") for _ in range(30)], return_exceptions=True)
            assert answers == ["wrong"] * 10 + [answer for answer in answers if isinstance(answer, LedgerUnavailable)]
            assert await house.count("customer:1") == (10, 0)
    told(story())


def test_what_is_queued_at_the_stop_is_still_decided_and_what_comes_after_is_not(place):
    async def story():
        house = House(place.open(), login(99))
        await house.__aenter__()
        await house.enrol("customer:1")
        run = await house.begin("procedure:1")
        answers = [asyncio.ensure_future(house.enter(run, "wrong")) for _ in range(30)]
        await asyncio.sleep(0)
        await house.ledger.stop()
        assert await asyncio.gather(*answers) == ["wrong"] * 30
        with expecting(LedgerUnavailable):
            await house.enter(run, "wrong")
    told(story())


@pytest.mark.parametrize("versions", [[], [(0, "unheard-of")], [(1 << 60, "v1")]])
def test_without_a_policy_in_force_that_the_node_has_nothing_is_waved_through(place, versions):
    async def story():
        async with House(place.open(), login()) as house:
            await house.enrol("customer:1")
            run = await house.begin("procedure:1")
            await house.ledger.run(Write({IN_FORCE: InForce(versions=versions)}))
            with expecting(LedgerUnavailable):
                await house.enter(run, "right")
    told(story())


def test_a_row_of_a_later_release_is_refused_to_its_own_work_alone(place):
    async def story():
        async with House(place.open(), login()) as house:
            await house.enrol("customer:2")
            one, two = await house.begin("procedure:1"), await house.begin("procedure:2", customer="customer:2")
            await house.ledger.run(Write({"customer:1": Guard(v=NEWEST + 1, known=True)}))
            answers = await asyncio.gather(house.enter(one, "right"), house.enter(two, "right"), return_exceptions=True)
            assert isinstance(answers[0], NewerState) and answers[1] == "right"
    told(story())


def test_every_change_is_an_event_in_a_chain_that_holds(place):
    """Numbered without a gap, times that only grow, each bound to the one before it about the same subject."""
    async def story():
        async with House(place.open(), login(5), batch_max=3) as house:
            await house.enrol("customer:1", "customer:2")
            runs = [await house.begin(f"procedure:{n}", customer=f"customer:{1 + n % 2}") for n in range(12)]
            await asyncio.gather(*[house.enter(run, "wrong" if n % 3 else "right") for n, run in enumerate(runs)])
            writer = house.ledger.writer
            numbered = [(link.first + n, event) for link, found in [(link, told_in(link)) for link in await links(house.store)]
                        for n, event in enumerate(found)]
            assert [number for number, _ in numbered] == list(range(1, len(numbered) + 1))
            times = [event.at for _, event in numbered]
            assert times == sorted(times)
            newest = {}
            for number, event in numbered:
                if event.subject.startswith("customer"):
                    assert event.previous == newest.get(event.subject)
                    newest[event.subject] = (writer, number)
            stored = await house.store.peek(["customer:1", "customer:2"])
            assert {key: decode(body, Guard).event for key, body in stored.items()} == newest
    told(story())


def test_whoever_stops_listening_is_counted_all_the_same(place):
    """A client that hangs up does not get its guess back."""
    async def story():
        async with House(place.open(), login(9)) as house:
            await house.enrol("customer:1")
            run = await house.begin("procedure:1")
            others = [asyncio.ensure_future(house.enter(run, "wrong")) for _ in range(4)]
            await asyncio.sleep(0)
            gone = others.pop(1)
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.gather(*others)
            wrong, flight = await house.count("customer:1")
            recorded = sum(event.kind == "entry-wrong" for event in await events(house.store))
            assert wrong == recorded and wrong in {3, 4} and flight == 0
    told(story())
