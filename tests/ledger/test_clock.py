"""The ledger's clock jumps against a node's own: nothing is granted until somebody else agrees to the new time."""

import asyncio

import pytest
from house import START, Clock, House, Read
from test_ledger import login

from sekisho.adapters.memory import MemoryStore
from sekisho.adapters.watch import ANCHORED_S, TOLERATED_S, ClockWatch
from sekisho.core.state import SECOND
from sekisho.core.state import Clock as ClockRow
from sekisho.errors import LedgerUnavailable
from sekisho.flows import clock
from sekisho.flows.clock import Agree

HOUR = 3600


class Times:
    """The ledger's time and a node's own, in seconds; they pass together unless one jumps."""

    def __init__(self):
        self.ledger = 1_000_000.0
        self.own = 5.0
        self.watch = ClockWatch(lambda: self.own)
        self.look()

    def pass_(self, seconds):
        self.ledger += seconds
        self.own += seconds

    def look(self, took=0.0):
        before, at = self.own, self.ledger + took / 2
        self.pass_(took)
        self.watch.look(int(at * SECOND), before, self.own)
        return self.watch.doubting


@pytest.mark.parametrize(("jump", "doubts"), [
    (0, False), (1.9, False), (-1.9, False), (2.1, True), (-2.1, True), (HOUR, True), (-HOUR, True),
])
def test_a_jump_of_more_than_two_seconds_is_doubted(jump, doubts):
    times = Times()
    times.pass_(30)
    times.ledger += jump
    assert times.look() is doubts
    assert TOLERATED_S == 2


def test_small_jumps_that_follow_one_another_add_up():
    times = Times()
    for _ in range(2):
        times.pass_(5)
        times.ledger += 1.5
    assert times.look()


def test_slow_steering_is_no_jump():
    """A tenth of a second a minute for a day."""
    times = Times()
    for _ in range(1440):
        times.pass_(ANCHORED_S + 1)
        times.ledger += 0.1
        assert not times.look()


def test_an_answer_that_took_long_is_no_jump():
    times = Times()
    times.pass_(1)
    assert not times.look(took=10)


def test_a_clock_that_goes_right_again_is_trusted_again():
    times = Times()
    times.ledger += HOUR
    assert times.look()
    times.ledger -= HOUR
    assert not times.look()


def test_a_watch_that_has_not_looked_for_long_says_so():
    times = Times()
    assert not times.watch.stale()
    times.pass_(ANCHORED_S + 1)
    assert times.watch.stale()


def test_what_was_read_before_a_doubt_was_told_says_nothing_of_it():
    """One lane asks and waits; meanwhile the other puts the doubt on record. The answer of the first is no agreement."""
    times = Times()
    times.ledger += HOUR
    assert times.look()
    asked, said = times.own, times.ledger
    times.pass_(1)
    times.watch.told = True
    times.pass_(1)
    times.watch.look(int(said * SECOND), asked, times.own)
    assert not times.watch.agreed({})
    assert times.look() and times.watch.agreed({}) and not times.watch.agreed({times.watch.node: HOUR})


def test_a_jump_while_the_doubt_of_another_is_put_on_record_is_still_to_be_told():
    """Whoever then takes back the first has not agreed to the second."""
    times = Times()
    times.ledger += 21
    assert times.look()
    told = times.watch.moved_s
    times.ledger += HOUR
    assert times.look()
    times.watch.note_told(told)
    times.pass_(1)
    assert times.look() and not times.watch.told and not times.watch.agreed({})
    times.watch.note_told(times.watch.moved_s)
    times.pass_(1)
    assert times.look() and times.watch.agreed({})


def test_a_doubt_that_is_over_by_the_time_it_is_on_record_is_taken_back():
    times = Times()
    times.ledger += HOUR
    assert times.look()
    told = times.watch.moved_s
    times.ledger -= HOUR
    assert not times.look()
    times.watch.note_told(told)
    assert times.watch.told


class Node(House):
    """A node with a watch; its own clock goes with the test's, the ledger's may jump away."""

    def __init__(self, store, table, times, watch):
        super().__init__(store, table, watch=watch)
        self.times = times
        self.watch = watch

    async def minds(self, wall_off_s=0.0):
        await clock.mind(self.ledger, self.store, self.watch, lambda: self.times.now + int(wall_off_s * SECOND))

    async def enters(self, run):
        try:
            return await self.enter(run, "wrong")
        except LedgerUnavailable as no:
            return "nothing" if "clock" in str(no) else str(no)


class Elsewhere(MemoryStore):
    """A store whose clock is another machine's."""

    clock_is_ours = False


def nodes(store, ledger_clock, number):
    """Nodes on one store. Their own clocks do not follow what `ledger_clock` jumps by."""
    made = []
    for _ in range(number):
        watch = ClockWatch(lambda: (ledger_clock.now - ledger_clock.jumped) / SECOND)
        made.append(Node(store, login(5), ledger_clock, watch))
    return made


class Jumping(Clock):
    jumped = 0

    def jump(self, seconds):
        self.wait(seconds)
        self.jumped += int(seconds * SECOND)


def test_nothing_is_granted_until_an_operator_agrees():
    async def story():
        time = Jumping()
        [node] = nodes(MemoryStore(time), time, 1)
        async with node:
            run = await node.begin("procedure:1")
            assert await node.enters(run) == "wrong"
            time.jump(HOUR)
            assert await node.enters(run) == "nothing"
            await node.minds()
            await node.minds()
            assert await node.enters(run) == "nothing"
            assert await node.ledger.run(Agree(operator="ito", reason="checked")) == 1
            assert await node.enters(run) == "wrong"
            assert await node.count(node.subjects.bucket("customer:1")) == (2, 0)
            assert not (await node.ledger.run(Read("clock", ClockRow))).doubts
    asyncio.run(story())


def test_whoever_agreed_to_one_jump_has_not_agreed_to_the_next():
    """Neither to one that the node sees only now, nor to one right after it trusts the clock again."""
    async def story():
        time = Jumping()
        [node] = nodes(MemoryStore(time), time, 1)
        async with node:
            run = await node.begin("procedure:1")
            assert await node.enters(run) == "wrong"
            time.jump(10)
            assert await node.enters(run) == "nothing"
            await node.minds()
            assert await node.ledger.run(Agree(operator="ito")) == 1
            time.jump(HOUR)
            assert await node.enters(run) == "nothing"
            await node.minds()
            assert await node.ledger.run(Agree(operator="ito")) == 1
            await node.ledger.run(Read("clock", ClockRow))
            time.jump(HOUR)
            assert await node.enters(run) == "nothing"
    asyncio.run(story())


def test_a_second_node_whose_own_clock_shows_the_same_time_agrees():
    async def story():
        time = Jumping()
        first, second = nodes(Elsewhere(time), time, 2)
        async with first, second:
            run = await first.begin("procedure:1")
            assert await second.enters(run) == "wrong"
            time.jump(10)
            assert [await node.enters(run) for node in (first, second)] == ["nothing", "nothing"]
            # Each sees what the other doubts, and by its own clock on the wall it is right.
            for node in (first, second, first):
                await node.minds()
            assert [await node.enters(run) for node in (first, second)] == ["wrong", "wrong"]
    asyncio.run(story())


@pytest.mark.parametrize("store", [Elsewhere, MemoryStore])
def test_a_primary_an_hour_fast_convinces_nobody(store):
    """No clock on any wall shows that time; and on one machine alone every clock is the same clock."""
    async def story():
        time = Jumping()
        both = nodes(store(time), time, 2)
        async with both[0], both[1]:
            run = await both[0].begin("procedure:1")
            for node in both:
                assert await node.enters(run) == "wrong"
            time.jump(HOUR)
            for node in both * 3:
                assert await node.enters(run) == "nothing"
                await node.minds(wall_off_s=-HOUR if store is Elsewhere else 0)
            time.jump(-HOUR)
            assert [await node.enters(run) for node in both] == ["wrong", "wrong"]
            for node in both:
                await node.minds()
                assert not node.watch.told
    asyncio.run(story())


def test_time_that_was_doubted_ends_no_lock():
    """What was written while the clock was an hour fast does not move time on."""
    async def story():
        time = Jumping()
        [node] = nodes(MemoryStore(time), time, 1)
        async with node:
            run = await node.begin("procedure:1")
            time.jump(HOUR)
            assert await node.enters(run) == "nothing"
            await node.minds()
            time.jump(-HOUR)
            assert await node.enters(run) == "wrong"
            assert await node.store.clock() < START + HOUR * SECOND
    asyncio.run(story())
