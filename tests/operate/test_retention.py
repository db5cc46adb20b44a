"""What the policy keeps no longer goes, a little at a time; what is left still shows whether anybody touched it."""

import asyncio

import apsw
import msgspec
import pytest
from house import House, Read, Write
from lives import Ledger
from tables import DAY, HOUR, counter, lock, row, stage, table

from sekisho.adapters.sqlite import wall_clock
from sekisho.core.state import Guard, Lock
from sekisho.flows import retention as flow
from sekisho.flows.acts import Operator
from sekisho.flows.desk import Enrolment
from sekisho.flows.retention import Retention, cutoff
from sekisho.ports import Change
from sekisho.terms import PenaltyKind, Role

BUDGET = 99
KEPT = {"audit": 9 * DAY + 12 * HOUR, "feed": 2 * DAY, "strangers": DAY}
POLICY = msgspec.structs.replace(
    table(row("login", "password", counter("c", "customer", stage(BUDGET, lock("login"), row="R")))), retention_s=KEPT,
)


def told(coroutine):
    return asyncio.run(coroutine)


async def guess(house, *names):
    for name in names:
        await house.enter(await house.begin(f"procedure:{name}"), "wrong")


async def two_weeks(kept):
    """A seal a day for a fortnight, by a node of its own each week; two events between any two seals, two after the last."""
    for week in range(2):
        async with House(kept.open(), POLICY) as house:
            sealer = kept.sealer(house.store)
            await house.enrol("customer:1")
            for day in range(7):
                await guess(house, f"{week}-{day}-a", f"{week}-{day}-b")
                await sealer.seal()
                kept.clock.wait(DAY)
            await guess(house, f"{week}-c", f"{week}-d")


class Keeping:
    """A node that lets age out what is old."""

    def __init__(self, kept):
        self.kept = kept
        self.house = House(kept.open(), POLICY)

    async def __aenter__(self):
        await self.house.__aenter__()
        self.store = self.house.store
        self.sealer = self.kept.sealer(self.store)
        self.retention = Retention(self.house.ledger, self.store, self.sealer)
        return self

    async def __aexit__(self, *_):
        await self.house.__aexit__()

    async def seal(self):
        return await self.sealer.seal(cutoff(POLICY, "audit", self.kept.clock.now))

    async def forget(self):
        return await self.retention.forget(POLICY, self.kept.clock.now)

    async def all(self):
        await self.seal()
        while await self.forget():
            pass

    async def links(self):
        return {writer: [link.first for link in await self.store.chain(writer, 0, 1000)] for writer in await self.store.writers()}

    async def broken(self):
        """What somebody finds who verifies from outside."""
        return (await self.kept.sealer(self.store).verify()).broken


def test_links_age_out_up_to_a_seal_and_the_rest_is_whole(kept):
    async def story():
        await two_weeks(kept)
        async with Keeping(kept) as node:
            before = await node.links()
            await node.all()
            after = await node.links()
            assert after[1] == before[1][-6:] and after[2] == before[2]
            assert await node.broken() == ()
            kept.clock.wait(30 * DAY)
            await node.all()
            assert not after.keys() - before.keys() and (await node.links())[1] == [] == (await node.links())[2]
            assert await node.broken() == ()
            await guess(node.house, "after")
            await node.seal()
            assert await node.broken() == ()
    told(story())


def test_what_no_seal_names_stays_however_old(kept):
    async def story():
        async with Keeping(kept) as node:
            await node.house.enrol("customer:1")
            await guess(node.house, "a", "b")
            kept.clock.wait(100 * DAY)
            await node.all()
            assert len((await node.links())[1]) == 2
    told(story())


@pytest.mark.parametrize(("touch", "finds"), [
    ("DELETE FROM link WHERE writer = 1 AND first = (SELECT min(first) FROM link WHERE writer = 1)", "changed, or the chain was cut"),
    ("DELETE FROM link WHERE writer = 1 AND first IN (SELECT first FROM link WHERE writer = 1 ORDER BY first LIMIT 2)", "changed, or the chain"),
    ("UPDATE link SET body = x'90' WHERE writer = 1 AND first = (SELECT min(first) FROM link WHERE writer = 1)", "changed"),
    ("DELETE FROM link WHERE writer = 2 AND first >= 13", "the tail was cut"),
    ("DELETE FROM link WHERE writer = 2", "the tail was cut"),
], ids=["one more", "up to the next seal", "changed", "a tail", "a whole writer"])
def test_what_was_taken_beyond_what_aged_is_found(tmp_path, touch, finds):
    kept = Ledger("sqlite", tmp_path)

    async def story():
        await two_weeks(kept)
        async with Keeping(kept) as node:
            await node.all()
        db = apsw.Connection(str(kept.path))
        db.execute(touch)
        db.close()
        store = kept.open()
        assert any(finds in one.text for one in (await kept.sealer(store).verify()).broken)
        await store.close()
    told(story())


def test_whoever_lets_links_age_without_a_seal_is_found(tmp_path):
    """The policy would allow it by now; but no seal says so."""
    kept = Ledger("sqlite", tmp_path)

    async def story():
        await two_weeks(kept)
        store = kept.open()
        await store.forget_links(1, 3, 100)
        assert (await kept.sealer(store).verify()).broken
        await store.close()
    told(story())


def test_it_may_stop_anywhere_and_is_whole_meanwhile(kept, monkeypatch):
    monkeypatch.setattr(flow, "AT_ONCE", 3)

    async def story():
        await two_weeks(kept)
        async with Keeping(kept) as node:
            await node.seal()
            before = await node.links()
            assert await node.forget() and await node.broken() == ()
            assert 0 < len(before[1]) - len((await node.links())[1]) <= 3
        async with Keeping(kept) as node:
            await node.all()
            assert len((await node.links())[1]) == 6 and await node.broken() == ()
    told(story())


def test_a_chain_that_ages_while_it_is_verified_is_whole(kept):
    async def story():
        await two_weeks(kept)
        async with Keeping(kept) as node:
            looking = kept.sealer(node.store)
            read = looking._follow

            async def after_ageing(*given):
                if given[0] == 1:
                    await node.all()
                return await read(*given)

            looking._follow = after_ageing
            assert (await looking.verify()).broken == ()
    told(story())


def test_the_feed_and_the_copies_of_seals_age_out(kept):
    async def story():
        await two_weeks(kept)
        async with Keeping(kept) as node:
            at = kept.clock.now
            opened = await node.store.begin([])
            await node.store.commit(Change([], None, [(at - 3 * DAY * 10**6, b"old"), (at - DAY * 10**6, b"young")], opened.now))
            first, second = await node.store.feed(0, 9)
            await node.all()
            assert await node.store.feed(0, 9) == [second] and first[1] == b"old"
            names = await node.store.documents("seal")
            assert names[0] == "000000000006" and len(names) == 10
            assert await node.broken() == ()
    told(story())


def test_how_often_a_lock_refused_is_forgotten_and_the_lock_stands(kept, monkeypatch):
    monkeypatch.setattr(flow, "AT_ONCE", 2)

    def locked(last):
        return Guard(known=True, locks=[Lock("1", "R", PenaltyKind.LOCK, 0, [], refused=7, first_refused=1, last_refused=last)])

    async def story():
        async with Keeping(kept) as node:
            now = kept.clock.now
            young = {f"customer:{n}": locked(now - 9 * DAY * 10**6) for n in range(3)}
            await node.house.ledger.run(Write({"customer:old": locked(now - 11 * DAY * 10**6), "app:x": Guard(known=True), **young}))
            looked_at = 0
            while some := await node.retention.look_at_rows(POLICY, kept.clock.now):
                looked_at += some
            assert looked_at == 6
            [old] = (await node.house.ledger.run(Read("customer:old", Guard))).locks
            assert (old.row, old.refused, old.first_refused, old.last_refused) == ("R", 0, None, None)
            assert (await node.house.ledger.run(Read("customer:1", Guard))).locks[0].refused == 7
    told(story())


def test_an_older_copy_is_accepted_over_a_chain_that_has_aged(kept):
    async def story():
        await two_weeks(kept)
        kept.copy("copy")
        async with Keeping(kept) as node:
            await node.all()
            await guess(node.house, "x")
            await node.seal()
        kept.put_back("copy")
        store = kept.open()
        assert await kept.sealer(store).complaint() is not None
        await kept.ahead(store)
        async with House(store, POLICY) as house:
            await kept.accept(store, house)
            assert (await kept.sealer(store).verify()).broken == ()
        async with Keeping(kept) as node:
            await node.all()
            assert await node.broken() == () and len((await node.links())[1]) == 6
    told(story())


def years_later():
    """The machine's clock, long after everything has aged."""
    return wall_clock() + 20 * 365 * DAY * 10**6


@pytest.fixture
def old(bank, monkeypatch):
    """An installation that was served once, long ago."""
    async def once():
        async with (await bank.app()).running() as app:
            for n in range(3):
                await app.desk.enrol(app.table, f"customer:{n}", Enrolment(), Operator("ito", Role.ADMIN))

    told(once())
    monkeypatch.setattr("sekisho.app.wall_clock", years_later)
    return bank


def test_the_command_deletes_all_that_has_aged_and_may_be_called_again(old):
    assert "records deleted" in old.says("retention", "run")
    assert old.says("audit", "verify") == "0 events in 0 links, 2 seals: whole\n"
    assert "records deleted, 4 rows looked at" in old.says("retention", "run")


def test_a_node_does_it_by_itself(old):
    async def story():
        app = await old.app()
        async with app.running():
            assert await app.store.chain(1, 0, 9)
            await app.seal()
            for _ in range(3):
                await app.turn()
            assert await app.store.chain(1, 0, 9) == [] and app.faults == 0

    told(story())
    assert old.says("audit", "verify").strip().endswith("whole")
