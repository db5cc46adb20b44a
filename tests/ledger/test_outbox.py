"""Messages wait in the ledger until somebody has taken them: whatever fails on the way, each has its course on record."""

import asyncio

import pytest
from house import House, Read, Write
from tables import START_OVER, counter, row, stage, table

from sekisho.core.challenge import code_of
from sekisho.core.delivery import Course
from sekisho.core.state import SECOND, Address, Addresses, Challenge, Outgoing
from sekisho.flows.outbox import LEASE_S, Outbox, outbox_key, stands
from sekisho.ports import Handed
from sekisho.terms import AddressState, Way

POLICY = table(row("login", "password", counter("c", "customer", stage(3, START_OVER))))
HANA, TO, KEY, NAME = "customer:1", "hana@example.com", outbox_key("1"), "a"
VALID_S = 600


class Codes:
    """One key."""

    version = 1

    def code(self, challenge):
        return code_of(b"k" * 32, challenge)


class Post:
    """A next station that answers as it is told, and keeps what it took."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.taken = []

    async def send(self, message):
        answer = self.answers.pop(0) if self.answers else Handed(accepted=True, said="250")
        if isinstance(answer, BaseException):
            raise answer
        if answer.accepted:
            self.taken.append(message)
        return answer


BUSY, NEVER = Handed(accepted=False, said="451 later", again=True), Handed(accepted=False, said="550 no")


class Office:
    """One node's outbox over a house."""

    def __init__(self, house, clock, post):
        self.house, self.clock, self.post = house, clock, post
        self.outbox = Outbox(house.ledger, house.store, Codes(), {Way.MAIL: post})

    async def put_in(self, **changes):
        now = await self.house.store.clock()
        challenge = Challenge("c", "mail-otp", NAME, b"", 1, 8, now, now + VALID_S * SECOND)
        waiting = Outgoing(**{"subject": HANA, "challenge": challenge, "operation": "login", "language": "en", "made": now, **changes})
        await self.house.ledger.run(Write({KEY: waiting}, now))
        await self.house.ledger.run(Write({f"addresses:{HANA}": Addresses(known=[Address(NAME, Way.MAIL, TO, AddressState.CONFIRMED, 0)])}))

    async def row(self):
        return await self.house.ledger.run(Read(KEY, Outgoing))

    async def course(self):
        row = await self.row()
        return stands(row), [hop.what for hop in row.trace]

    async def after(self, seconds):
        self.clock.wait(seconds)
        await self.outbox.deliver()
        return await self.course()


@pytest.fixture
def tells(place):
    """Plays a story over a store that keeps what it is told."""
    def play(story, *answers, **changes):
        async def tell():
            async with House(place.open(), POLICY) as house:
                office = Office(house, place.clock, Post(*answers))
                await office.put_in(**changes)
                await story(office)
        asyncio.run(tell())
    return play


def test_a_message_is_handed_over_once(tells):
    async def story(office):
        assert await office.after(0) == (Course.HANDED_OVER, ["tried", "accepted"])
        assert await office.after(3600) == (Course.HANDED_OVER, ["tried", "accepted", "unused"])
        (message,) = office.post.taken
        assert message.to == TO and POLICY.operations["login"].text.en in message.body
    tells(story)


def test_what_is_put_off_is_tried_again_with_longer_waits(tells):
    async def story(office):
        assert await office.after(0) == (Course.DEFERRED, ["tried", "put-off"])
        assert (await office.after(14))[1] == ["tried", "put-off"]
        assert (await office.after(2))[1] == ["tried", "put-off"] * 2
        assert (await office.after(29))[1] == ["tried", "put-off"] * 2
        assert await office.after(2) == (Course.HANDED_OVER, ["tried", "put-off"] * 2 + ["tried", "accepted"])
    tells(story, BUSY, BUSY)


def test_an_error_on_the_way_is_tried_again_and_its_text_is_kept_nowhere(tells):
    async def story(office):
        assert (await office.after(0))[0] is Course.DEFERRED
        assert [hop.said for hop in (await office.row()).trace] == ["", "OSError"]
        assert (await office.after(16))[0] is Course.HANDED_OVER
    tells(story, OSError("all of the message"))


def test_what_is_refused_is_not_tried_again(tells):
    async def story(office):
        assert await office.after(0) == (Course.NOT_SENT, ["tried", "refused"])
        assert (await office.after(600))[0] is Course.NOT_SENT
        assert office.post.taken == []
    tells(story, NEVER)


def test_a_code_that_has_lapsed_is_not_sent(tells):
    async def story(office):
        assert (await office.after(0))[0] is Course.DEFERRED
        assert await office.after(VALID_S) == (Course.EXPIRED, ["tried", "put-off", "lapsed"])
        assert office.post.taken == []
    tells(story, BUSY)


def test_a_node_that_dies_over_it_loses_its_lease_and_the_code_is_the_same(tells):
    """Killed between handing over and noting it: another hands it over again, twice the same."""
    async def story(office):
        with pytest.raises(asyncio.CancelledError):
            await office.after(0)
        assert await office.course() == (Course.BEING_SENT, ["tried"])
        assert (await office.after(LEASE_S - 2))[1] == ["tried"]
        assert await office.after(3) == (Course.HANDED_OVER, ["tried", "lost", "tried", "accepted"])
    tells(story, asyncio.CancelledError())


def test_M_TRACE_1_a_node_that_dies_over_it_and_the_code_over_it_stays_unknown(tells):
    """It may have been sent: nobody says that it was not."""
    async def story(office):
        with pytest.raises(asyncio.CancelledError):
            await office.after(0)
        assert await office.after(VALID_S) == (Course.UNKNOWN, ["tried", "lost", "lapsed"])
        assert (await office.after(VALID_S))[1] == ["tried", "lost", "lapsed"]
    tells(story, asyncio.CancelledError())


def test_M_TRACE_1_an_answer_that_never_came_is_on_record_and_it_is_sent_again(tells):
    async def story(office):
        assert await office.after(0) == (Course.UNANSWERED, ["tried", "lost"])
        assert await office.after(16) == (Course.HANDED_OVER, ["tried", "lost", "tried", "accepted"])
    tells(story, Handed(accepted=False, said="", lost=True))


def test_two_nodes_hand_a_message_over_once(tells):
    async def story(office):
        other = Office(office.house, office.clock, office.post)
        await asyncio.gather(office.outbox.deliver(), other.outbox.deliver())
        assert await office.course() == (Course.HANDED_OVER, ["tried", "accepted"])
        assert len(office.post.taken) == 1
    tells(story)


def test_a_strangers_message_goes_through_the_same_and_nowhere(tells):
    async def story(office):
        assert await office.after(0) == (Course.HANDED_OVER, ["tried", "accepted"])
        assert office.post.taken == []
    tells(story, nowhere=True)


@pytest.mark.parametrize("changes", [{"subject": "customer:2"}, {"way": Way.TELEPHONE}], ids=["address", "channel"])
def test_without_an_address_or_a_channel_it_is_not_sent(tells, changes):
    async def story(office):
        state, _ = await office.after(0)
        assert state in {Course.NOT_SENT, Course.DEFERRED} and office.post.taken == []
    tells(story, **changes)


def test_time_passing_deletes_no_message_that_waits(tells):
    async def story(office):
        office.clock.wait(5)
        await office.house.pass_time()
        assert stands(await office.row()) is Course.QUEUED
        await office.after(0)
        office.clock.wait(400 * 24 * 3600)
        await office.house.pass_time()
        assert stands(await office.row()) is Course.HANDED_OVER
        await office.after(0)
        office.clock.wait(400 * 24 * 3600)
        await office.house.pass_time()
        assert await office.row() is None
    tells(story)
