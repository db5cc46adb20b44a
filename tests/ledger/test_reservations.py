"""Guesses kept on record until their verdict comes: one verdict each, in time, and the same request twice is one request."""

import asyncio
import random

import pytest
from house import OWNER, House, Read, Write, outcome
from tables import MINUTE, counter, lock, row, stage, table
from trail import audit

from sekisho.core.state import Procedure, Reservation
from sekisho.flows.attempt import Settle
from sekisho.flows.replay import KEPT_S
from sekisho.terms import Verdict

LIFE_S = MINUTE


def login(wrong=3):
    return table(row("login", "password", counter("c", "customer", stage(wrong, lock("login"), row="R"))), reservation_s=LIFE_S)


@pytest.fixture
def told(place):
    """Plays a story in a house with one run of one customer."""
    def play(story, wrong=3):
        async def all_of_it():
            async with House(place.open(), login(wrong)) as house:
                await house.enrol("customer:1")
                await story(house, await house.begin("procedure:1"), place.clock)
        asyncio.run(all_of_it())
    return play


@pytest.mark.parametrize("first", ["right", "wrong", "unread"])
@pytest.mark.parametrize("second", ["right", "wrong", "unread"])
def test_a_second_verdict_is_refused(told, first, second):
    async def story(house, run, clock):
        name, _ = await house.reserve(run)
        assert await house.settle(name, first) == {"unread": "refused, again"}.get(first, first)
        assert await house.settle(name, second) == "twice"
        assert await house.count("customer:1") == (int(first == "wrong"), 0)
    told(story)


def test_of_two_verdicts_in_one_batch_one_counts(told):
    async def story(house, run, clock):
        name, _ = await house.reserve(run)
        assert sorted(await asyncio.gather(house.settle(name, "right"), house.settle(name, "wrong"))) in (["right", "twice"], ["twice", "wrong"])
    told(story)


def test_a_reservation_past_its_deadline_is_wrong_whatever_comes(told):
    async def story(house, run, clock):
        name, _ = await house.reserve(run)
        clock.wait(LIFE_S + 1)
        assert await house.settle(name, "right") == "twice"
        assert await house.settle(name, "right") == "twice"
        assert await house.count("customer:1") == (1, 0)
    told(story)


def test_a_late_verdict_that_is_sent_again_is_told_the_same_again(told):
    async def story(house, run, clock):
        name, _ = await house.reserve(run)
        clock.wait(LIFE_S + 1)
        late = house.replay("verdict-1")
        assert [await house.settle(name, "right", replay=late) for _ in range(3)] == ["twice"] * 3
        assert await house.count("customer:1") == (1, 0)
    told(story)


def test_a_reservation_falls_due_at_its_deadline_and_a_tick_counts_it_as_wrong(told):
    async def story(house, run, clock):
        name, _ = await house.reserve(run)
        assert await house.store.due("reservation:", await house.store.clock(), 10) == []
        assert await house.settle(name, "wrong", overdue=True) == "twice"
        assert await house.count("customer:1") == (0, 1)
        clock.wait(LIFE_S + 1)
        assert await house.store.due("reservation:", await house.store.clock(), 10) == [f"reservation:{name}"]
        await house.settle(name, "wrong", overdue=True)
        assert await house.count("customer:1") == (1, 0)
        assert await house.settle(name, "right") == "twice"
    told(story)


def test_a_node_that_died_with_all_guesses_gives_them_up_as_wrong(told):
    """Three in flight and nobody settles: busy until the lease is over, locked after."""
    async def story(house, run, clock):
        names = [(await house.reserve(run))[0] for _ in range(3)]
        assert (await house.reserve(run))[1] == "busy"
        clock.wait(LIFE_S + 1)
        await house.pass_time()
        assert [await house.settle(name, "right") for name in names] == ["twice"] * 3
        assert (await house.reserve(run))[1] == "locked" and await house.locks("customer:1") == ["R"]
    told(story)


def test_what_another_node_has_just_settled_is_kept(told):
    """Two nodes find the same guess overdue; the second looks at it when the first has settled it."""
    async def story(house, run, clock):
        class Behind:
            """The store of a node that is a moment behind."""

            def __getattr__(self, name):
                return getattr(house.store, name)

            async def due(self, prefix, now, limit):
                keys = await house.store.due(prefix, now, limit)
                await house.pass_time()
                return keys

        name, _ = await house.reserve(run)
        clock.wait(LIFE_S + 1)
        await house.pass_time(Behind())
        assert await house.settle(name, "right") == "twice" and await house.count("customer:1") == (1, 0)
        clock.wait(KEPT_S)
        await house.pass_time()
        assert await house.store.peek([f"reservation:{name}"]) == {}
    told(story)


def test_another_caller_can_neither_settle_nor_see_a_reservation(told):
    async def story(house, run, clock):
        name, _ = await house.reserve(run)
        taken = await house.ledger.run(Read(f"reservation:{name}", Reservation))
        stranger = Settle(house.subjects, name, taken, Verdict.RIGHT, "key:2", "opened")
        assert outcome(await house.ledger.run(stranger)) == "missing"
        assert await house.count("customer:1") == (0, 1)
        assert await house.settle(name, "right") == "right"
    told(story)


def test_a_reservation_whose_run_is_gone_still_counts_on_its_subject(told):
    """A run that was cleaned up while its guess was in flight (keycloak#52648): the failure is not lost."""
    async def story(house, run, clock):
        name, _ = await house.reserve(run)
        other, _ = await house.reserve(run)
        await house.ledger.run(Write({"procedure:1": None}))
        assert await house.settle(name, "wrong") == "refused"
        assert await house.settle(other, "right") == "refused"
        assert await house.count("customer:1") == (1, 0)
    told(story)


@pytest.mark.parametrize(("verdict", "stands"), [("right", 0), ("wrong", 1), ("unread", 0), (None, 1)])
@pytest.mark.parametrize("run_is_gone", [False, True])
def test_a_guess_in_flight_at_an_enrolment_is_settled_where_it_was_taken(told, verdict, stands, run_is_gone):
    """No guess stays in flight for ever, nothing opens that the new customer has not paid for, and he starts clean."""
    async def story(house, run, clock):
        unknown = await house.begin("procedure:2", customer="customer:2")
        name, _ = await house.reserve(unknown)
        await house.enrol("customer:2")
        if run_is_gone:
            await house.ledger.run(Write({"procedure:2": None}))
        if verdict is None:
            clock.wait(LIFE_S + 1)
            await house.pass_time()
        else:
            assert await house.settle(name, verdict) == ("refused, again" if verdict == "unread" else "refused")
        assert await house.count(house.subjects.bucket("customer:2")) == (stands, 0)
        assert await house.count("customer:2") == (0, 0)
        assert await house.enter(unknown, "right") == ("missing" if run_is_gone else "not_now")
        assert await house.enter(await house.begin("procedure:3", customer="customer:2"), "right") == "right"
    told(story)


def test_the_lock_of_a_guess_from_before_an_enrolment_falls_on_no_customer(told):
    """Three are in flight on a name that nobody has, then somebody has it: what they set, they set on the row for strangers."""
    async def story(house, run, clock):
        names = [(await house.reserve(await house.begin(f"procedure:{n}", customer="customer:2")))[0] for n in range(2, 5)]
        await house.enrol("customer:2")
        assert [await house.settle(name, "wrong") for name in names] == ["refused"] * 3
        assert await house.locks(house.subjects.bucket("customer:2")) == ["R"]
        assert await house.locks("customer:2") == []
    told(story)


def test_the_clean_up_leaves_a_run_that_is_open(told):
    async def story(house, run, clock):
        await house.ledger.run(Write({"procedure:1": await house.ledger.run(Read("procedure:1", Procedure))}, due=1))
        await house.pass_time()
        assert await house.enter(run, "right") == "right"
    told(story)


@pytest.mark.parametrize("verdict", ["right", "wrong"])
def test_the_same_request_twice_has_one_answer_and_counts_once(told, verdict):
    async def story(house, run, clock):
        first = await house.ledger.run(house.entry(run, verdict, replay=house.replay("once")))
        again = [await house.ledger.run(house.entry(run, verdict, replay=house.replay("once"))) for _ in range(2)]
        assert outcome(first) == verdict and [outcome(one) for one in again] == ["repeated"] * 2
        assert again[0].answer == again[1].answer
        assert await house.count("customer:1") == (int(verdict == "wrong"), 0)
    told(story)


def test_the_same_request_twice_in_one_batch_counts_once(told):
    async def story(house, run, clock):
        answers = await asyncio.gather(*[house.enter(run, "wrong", replay=house.replay("once")) for _ in range(8)])
        assert sorted(answers) == ["repeated"] * 7 + ["wrong"] and await house.count("customer:1") == (1, 0)
    told(story)


def test_a_repeated_right_grants_nothing_new(told):
    """It tells what was told; after the lock that fell since, a new request is refused."""
    async def story(house, run, clock):
        assert await house.enter(run, "right", replay=house.replay("once")) == "right"
        for _ in range(3):
            await house.enter(run, "wrong")
        assert await house.enter(run, "right", replay=house.replay("once")) == "repeated"
        assert await house.enter(run, "right", replay=house.replay("another")) == "locked"
    told(story)


def test_another_body_under_the_same_key_is_told_apart(told):
    async def story(house, run, clock):
        await house.enter(run, "wrong", replay=house.replay("once"))
        assert await house.enter(run, "right", replay=house.replay("once", b"other")) == "otherbody"
        assert await house.count("customer:1") == (1, 0)
    told(story)


def test_a_refusal_is_not_kept(told):
    """Busy now, looked at later, under the same key."""
    async def story(house, run, clock):
        held = [(await house.reserve(run))[0] for _ in range(3)]
        assert await house.enter(run, "right", replay=house.replay("once")) == "busy"
        for name in held:
            await house.settle(name, "unread")
        assert await house.enter(run, "right", replay=house.replay("once")) == "right"
    told(story)


def test_a_repeat_while_the_guess_is_in_flight_goes_on_with_it(told):
    async def story(house, run, clock):
        name, _ = await house.reserve(run, replay=house.replay("once"))
        work = house.reserving(house.subjects, run, "password", OWNER, "another", replay=house.replay("once"))
        answer = await house.ledger.run(work)
        assert outcome(answer) == "inflight" and answer.reservation == name
        assert await house.count("customer:1") == (0, 1)
        assert await house.settle(name, "wrong", replay=house.replay("once")) == "wrong"
        assert outcome(await house.ledger.run(work)) == "repeated"
        assert await house.settle(name, "right", replay=house.replay("once")) == "repeated"
        assert await house.count("customer:1") == (1, 0)
    told(story)


def test_a_verdict_sent_twice_is_one_verdict(told):
    async def story(house, run, clock):
        name, _ = await house.reserve(run)
        assert await house.settle(name, "wrong", replay=house.replay("verdict")) == "wrong"
        assert await house.settle(name, "wrong", replay=house.replay("verdict")) == "repeated"
        assert await house.settle(name, "wrong") == "twice"
    told(story)


def test_an_answer_is_kept_for_a_day(told):
    async def story(house, run, clock):
        replay = house.replay("once")
        await house.enter(run, "wrong", replay=replay)
        now = await house.store.clock()
        assert await house.store.due("replay:", now + (KEPT_S - 1) * 1_000_000, 10) == []
        assert await house.store.due("replay:", now + (KEPT_S + 1) * 1_000_000, 10) == [replay.key]
    told(story)


def test_what_is_kept_holds_neither_the_key_sent_nor_the_body(told):
    async def story(house, run, clock):
        replay = house.replay("the-key-that-was-sent", b"the body that was sent")
        await house.enter(run, "wrong", replay=replay)
        stored = (await house.store.peek([replay.key]))[replay.key]
        assert b"sent" not in stored and "sent" not in replay.key
    told(story)


@pytest.mark.parametrize("seed", range(12))
def test_reservations_at_random_lose_no_failure_and_no_lock(told, seed):
    """Guesses, verdicts, deadlines and repeats in any order; the ledger's own record is counted again."""
    chance = random.Random(seed)

    async def story(house, run, clock):
        held = []
        for number in range(60):
            step = chance.choice(["reserve", "reserve", "settle", "settle", "enter", "wait", "overdue"])
            if step == "reserve":
                name, answer = await house.reserve(await house.begin(f"procedure:{number}"))
                held += [name] if answer == "granted" else []
            elif step == "enter":
                await house.enter(await house.begin(f"procedure:{number}"), chance.choice(["right", "wrong", "wrong"]))
            elif step == "wait":
                clock.wait(chance.choice([1, 20, 40]))
            elif held:
                name = held.pop(chance.randrange(len(held)))
                if await house.settle(name, chance.choice(["right", "right", "wrong", "unread"]), overdue=step == "overdue") == "twice":
                    held += [name] if step == "overdue" else []
        assert await audit(house.store, house.table, ["customer:1"]) == []
    told(story, wrong=chance.choice([3, 6, 12]))
