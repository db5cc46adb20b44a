"""Count mode: the bank leads a run and names it, so the next run of that name may begin while a guess of the last is in flight."""

import asyncio

import msgspec
import pytest
from house import OWNER, House, Read, Write
from tables import END, START_OVER, counter, lock, row, stage, table

from sekisho.core.state import IN_FORCE, InForce, Procedure, Session
from sekisho.errors import LedgerUnavailable, UnknownFate
from sekisho.flows.subjects import Facts

FACTS = Facts("procedure:1", "login", {"customer": "customer:1"}, None, OWNER)
POLICY = table(
    row("login", "password", counter("c", "procedure", stage(3, END, row="R"))),
    row("login", "pin", counter("d", "procedure", stage(1, END, row="S"))),
)


@pytest.fixture
def told(place):
    def play(story, policy=POLICY):
        async def all_of_it():
            async with House(place.open(), policy) as house:
                await house.enrol("customer:1")
                await story(house)
        asyncio.run(all_of_it())
    return play


IN_SESSION = Facts("procedure:1", "login", {"customer": "customer:1"}, "session:~1", OWNER)
OF_THE_SESSION = table(
    row("login", "password", counter("c", "session", stage(2, END, row="R"))),
    row("login", "pin", counter("d", "procedure", stage(1, START_OVER, row="S"))),
)


async def reserve(house, name, item="password", facts=FACTS):
    begin = Procedure(operation="login", subjects=facts.subjects, owner=OWNER, led=True, session=facts.session)
    session = Session(subject="customer:1", owner=OWNER, foreign=True) if facts.session else None
    return (await house.reserve(facts, item, name, begin=begin, session=session))[1]


@pytest.mark.parametrize("verdict", ["right", "wrong", "unread"])
def test_an_answer_of_a_run_that_ended_neither_passes_nor_frees_a_guess_in_the_next(told, verdict):
    async def story(house):
        assert await reserve(house, "A") == "granted" == await reserve(house, "P", "pin")
        assert await house.settle("P", "wrong") == "wrong"
        assert [await reserve(house, name) for name in "BCDE"] == ["granted"] * 3 + ["busy"]
        assert await house.settle("A", verdict) in {"refused", "refused, again"}
        assert await house.count("procedure:1", "c", Procedure) == (0, 3) and await reserve(house, "F") == "busy"
    told(story)


@pytest.mark.parametrize(("verdict", "stands"), [("right", (0, 0)), ("wrong", (1, 0)), ("unread", (0, 0))])
def test_an_answer_of_a_run_that_ended_is_settled_in_the_session_that_goes_on(told, verdict, stands):
    """Else its guess would stay in flight there, and whoever comes next would be told to try again as long as the session lives."""
    async def story(house):
        assert await reserve(house, "A", facts=IN_SESSION) == "granted" == await reserve(house, "P", "pin", IN_SESSION)
        assert await house.settle("P", "wrong") == "wrong"
        assert await reserve(house, "Q", "pin", IN_SESSION) == "granted"
        assert await house.settle("A", verdict) in {"refused", "refused, again"}
        assert await house.count("session:~1", "c", Session) == stands
        assert await reserve(house, "B", facts=IN_SESSION) == "granted"
        assert await house.settle("B", "wrong") == "wrong"
        assert await reserve(house, "C", facts=IN_SESSION) == ("not_now" if verdict == "wrong" else "granted")
    told(story, OF_THE_SESSION)


def test_an_answer_of_a_session_that_is_gone_frees_no_guess_in_the_next_of_its_name(told):
    async def story(house):
        assert await reserve(house, "A", facts=IN_SESSION) == "granted"
        await house.ledger.run(Write({"session:~1": None}))
        assert [await reserve(house, name, facts=IN_SESSION) for name in "BC"] == ["granted"] * 2
        assert await house.settle("A", "wrong") == "refused"
        assert await house.count("session:~1", "c", Session) == (0, 2) and await reserve(house, "D", facts=IN_SESSION) == "busy"
    told(story, OF_THE_SESSION)


def test_a_run_whose_time_is_over_begins_anew_before_its_row_is_gone(told):
    async def story(house):
        assert await reserve(house, "A") == "granted"
        assert await house.settle("A", "wrong") == "wrong"
        run = await house.ledger.run(Read("procedure:1", Procedure))
        await house.ledger.run(Write({"procedure:1": msgspec.structs.replace(run, expires=run.started + 1)}))
        assert await reserve(house, "B") == "granted"
        assert await house.count("procedure:1", "c", Procedure) == (0, 1)
    told(story)


def test_a_poisoned_work_beside_the_first_entry_of_a_run_leaks_no_guess(told):
    """What was decided before the poison is decided again, from the beginning."""
    class Poison:
        keys = ("x",)

        def decide(self, tx):
            raise ValueError

    async def story(house):
        answers = await asyncio.gather(reserve(house, "A"), house.ledger.run(Poison()), return_exceptions=True)
        assert answers[0] == "granted" and isinstance(answers[1], LedgerUnavailable)
        assert await house.count("procedure:1", "c", Procedure) == (0, 1)
    told(story)


def test_a_verdict_is_taken_under_a_policy_that_punishes_another_subject(told):
    """The guess was reserved before that policy came into force and does not concern that subject: its own is locked."""
    def policy(version, on):
        return table(row("login", "password", counter("c", "customer", stage(1, lock("login", on=on), row="R"))), version=version)

    async def story(house):
        house.ledger.tables["v2"] = policy("v2", "account")
        name, _ = await house.reserve(await house.begin("procedure:1"))
        await house.ledger.run(Write({IN_FORCE: InForce(versions=[(0, "v2")])}))
        assert await house.settle(name, "wrong") == "wrong"
        assert await house.count("customer:1") == (1, 0) and await house.locks("customer:1") == ["R"]
    told(story, policy("v1", None))


def test_a_node_that_could_not_register_a_new_writer_at_once_does_so_later(place):
    """A commit of unknown fate that did stand, and no new writer to be had just then: later attempts are decided."""
    trouble = []

    async def story():
        store = place.open()
        commit, new_writer = store.commit, store.new_writer

        async def committing(change):
            await commit(change)
            if trouble:
                raise UnknownFate

        async def registering(name):
            if trouble:
                raise LedgerUnavailable
            return await new_writer(name)

        store.commit, store.new_writer = committing, registering
        async with House(store, table(row("login", "password", counter("c", "customer", stage(9, lock("login"), row="R"))))) as house:
            await house.enrol("customer:1")
            run = await house.begin("procedure:1")
            trouble.append("disk")
            with pytest.raises((LedgerUnavailable, UnknownFate)):
                await house.enter(run, "wrong")
            trouble.clear()
            assert [await house.enter(run, "wrong") for _ in range(2)] == ["wrong", "wrong"]
            assert await house.count("customer:1") == (3, 0)
    asyncio.run(story())
