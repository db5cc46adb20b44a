"""Imports, incidents and stops over every store: what one of them keeps, all of them keep."""

import asyncio

import pytest
from house import House, Write

from sekisho.adapters.secrets import KeyedSecrets
from sekisho.core.state import Guard, Lock
from sekisho.core.stop import Stopped
from sekisho.flows import imports, incidents
from sekisho.flows.acts import Lifted, Operator
from sekisho.flows.import_lines import Line
from sekisho.flows.imports import Imports
from sekisho.flows.incidents import Incident, Incidents
from sekisho.flows.shadow import agree_on_mode, exported
from sekisho.flows.stops import Stops
from sekisho.policy import compile_policy, load, reference
from sekisho.terms import PenaltyKind, Role

POSTAL = compile_policy(load(reference("postal-bank")))
CHIBA, DOI = Operator("chiba", Role.SECOND_LINE), Operator("doi", Role.SECOND_LINE)
CUSTOMERS, ROW = 9, "Y-LOGIN-3"


@pytest.fixture
def told(place):
    """Plays a story in a house under the whole policy of the bank."""
    def play(story):
        async def all_of_it():
            async with House(place.open(), POSTAL) as house:
                await story(house, place.clock)
        asyncio.run(all_of_it())
    return play


def lines():
    """Customers with an account, a count and a lock each."""
    each = [
        (Line("subject", f"customer:{n}"), Line("link", f"customer:{n}", f"account:{n}"), Line("subject", f"account:{n}"),
         Line("count", f"customer:{n}", "login-password-in-a-row", str(1 + n % 9)), Line("lock", f"customer:{n}", "Y-ABOLISHED-1"))
        for n in range(CUSTOMERS)
    ]
    return list(enumerate([line for some in each for line in some], 1))


def test_an_import_in_parts_and_steps_is_taken_over_once_and_leaves_nothing_staged(told, monkeypatch):
    monkeypatch.setattr(imports, "AT_ONCE", 4)

    async def story(house, clock):
        ours = Imports(house.ledger, house.store, KeyedSecrets(b"p" * 32))
        written = lines()
        for part in (2, 1):
            entries = await ours.read(POSTAL, written[(part - 1) * 20:part * 20 if part == 1 else None])
            await ours.stage("one", part, 2, entries, "ito")
        seen = [(await ours.apply(POSTAL, "one", "ito", steps=1)).subjects for _ in range(7)]
        assert seen == [4, 8, 12, 16, 18, 18, 18]
        assert (await ours.standing("one")).done
        assert await house.store.documents("import/one") == []
        assert [await house.count(f"customer:{n}", "login-password-in-a-row") for n in range(CUSTOMERS)] == [(1 + n % 9, 0) for n in range(CUSTOMERS)]
        assert [await house.locks(f"customer:{n}") for n in range(CUSTOMERS)] == [["Y-ABOLISHED-1"]] * CUSTOMERS

    told(story)


def test_what_is_exported_is_what_was_taken_over(told):
    async def story(house, clock):
        ours = Imports(house.ledger, house.store, KeyedSecrets(b"p" * 32))
        await ours.stage("one", 1, 1, await ours.read(POSTAL, lines()), "ito")
        await ours.apply(POSTAL, "one", "ito")
        out = [line async for line in exported(house.store, POSTAL)]
        wanted = sorted((line.what, line.subject, line.name) for _, line in lines() if line.what in {"count", "lock"})
        assert sorted((line.what, line.subject, line.name) for line in out) == wanted

    told(story)


def test_an_incident_is_released_page_by_page_by_whoever_goes_on(told, monkeypatch):
    monkeypatch.setattr(incidents, "PAGE", 3)

    async def story(house, clock):
        names = [f"customer:{n}" for n in range(CUSTOMERS)] + ["~account:00001"]
        now = clock()
        for name in names:
            held = Lock("1", ROW, PenaltyKind.BLOCK, now, ["form-1-1"], operations=["login"])
            other = Lock("2", "Y-ABOLISHED-1", PenaltyKind.SUSPEND, now, ["form-1-5"], operations=["*"])
            await house.ledger.run(Write({name: Guard(known=True, locks=[held, other])}))
        clock.wait(10)
        one, another = (Incidents(house.ledger, house.store) for _ in range(2))
        await one.open("i", Incident(reason="down", rows=[ROW], since=now - 1, until=now + 1, opened_by="chiba"), CHIBA)
        await one.ask("i", CHIBA, "a")
        assert await one.asked("a") == "i"
        assert await another.approve("a", "i", DOI) == Lifted("i", "incident")
        for _ in range(20):
            await asyncio.gather(one.go_on(), another.go_on())
        done = await one.standing("i")
        assert (done.done, done.released, done.released_by) == (True, len(names), "chiba, doi")
        assert [await house.locks(name) for name in names] == [["Y-ABOLISHED-1"]] * len(names)
        assert not await one.go_on()

    told(story)


def test_of_many_strangers_at_once_one_stops_and_none_prolongs(told):
    async def story(house, clock):
        await house.enrol("customer:1")
        stops = Stops(house.ledger, house.store, house.subjects)
        said = await asyncio.gather(*(stops.stop("key:1", "customer:1", actor=f"actor:{n}") for n in range(20)))
        assert {done.outcome for done in said} == {Stopped.STOPPED}
        assert await house.locks("customer:1") == ["M-STOP-1"]
        clock.wait(POSTAL.stop_stranger_s + 1)
        again = await asyncio.gather(*(stops.stop("key:1", "customer:1", actor=f"actor:later{n}") for n in range(20)))
        assert {done.outcome for done in again} == {Stopped.REFUSED}

    told(story)


def test_a_store_is_marked_before_anything_else_is_in_it(place):
    async def story():
        store = place.open()
        await agree_on_mode(store, shadow=True)
        await agree_on_mode(store, shadow=True)
        assert await store.documents("shadow") == ["shadow"]
        await store.close()

    asyncio.run(story())
