"""An older copy in the ledger's place is noticed, not served, and once accepted gives nobody the lost guesses back."""

import asyncio
import itertools
import random

import apsw
import pytest
from house import OWNER, START, House, Write
from lives import Ledger
from scale import times
from tables import DAY, MINUTE, counter, lock, row, stage, table
from trail import events, links

from sekisho.core import otp
from sekisho.core.budget import CARRIED
from sekisho.core.state import SECOND, Challenge, Guard, Recovery, Secret, Session, decode
from sekisho.errors import CallerError, LedgerUnavailable, StoreIsOlder
from sekisho.events import EventKind
from sekisho.flows import restore as flow
from sekisho.flows.apps import Adding
from sekisho.terms import Counting

BUDGET = 5
_names = itertools.count()


def login(*more):
    return table(row("login", "password", counter("c", "customer", stage(BUDGET, lock("login"), row="R")), *more))


def told(coroutine):
    return asyncio.run(coroutine)


async def guess(house, number, customer="customer:1", verdict="wrong"):
    """What came of so many entries, each in a run of its own."""
    return [await house.enter(await house.begin(f"procedure:{next(_names)}", customer=customer), verdict) for _ in range(number)]


async def first_life(kept, before, after, policy=None, customers=("customer:1",)):
    """Guesses, a copy, more guesses, a seal. What was told."""
    async with House(kept.open(), policy or login()) as house:
        await house.enrol(*customers)
        said = [one for customer in customers for one in await guess(house, before, customer)]
        await kept.sealer(house.store).seal()
        kept.copy("copy")
        said += [one for customer in customers for one in await guess(house, after, customer)]
        await kept.sealer(house.store).seal()
    return said


async def restored(kept, policy=None):
    """The copy in the ledger's place, and accepted: the house over it."""
    kept.put_back("copy")
    store = kept.open()
    await kept.ahead(store)
    house = await House(store, policy or login()).__aenter__()
    await kept.accept(store, house)
    return house


def test_an_older_copy_is_noticed_and_not_sealed_over(kept):
    async def story():
        await first_life(kept, 2, 2)
        assert await kept.sealer(kept.open()).complaint() is None
        kept.put_back("copy")
        store = kept.open()
        assert "older than its last seal (number 2" in await kept.sealer(store).complaint()
        with pytest.raises(StoreIsOlder):
            await kept.sealer(store).seal()
        await store.close()
    told(story())


def test_an_empty_store_in_its_place_is_noticed(kept):
    async def story():
        kept.open()
        kept.copy("copy")
        await first_life(kept, 1, 1)
        kept.copy("newest")
        async with House(kept.open(), login()) as house:
            kept.put_back("newest")
            assert await kept.sealer(house.store).complaint() is None
        kept.put_back("copy" if kept.kind == "memory" else "newest")
        if kept.kind == "sqlite":
            kept.path.unlink()
        assert "older" in await kept.sealer(kept.open()).complaint()
    told(story())


def test_a_copy_at_another_place_has_no_seals_and_is_noticed(kept):
    async def story():
        await first_life(kept, 1, 1)
        seals = kept.folder / "ledger.seals"
        seals.rename(kept.folder / "elsewhere")
        assert "is not there" in await kept.sealer(kept.open()).complaint()
    told(story())


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 3), (2, 2), (3, 1), (4, 0), (2, 3), (5, 0)])
def test_no_guess_beyond_the_table_is_bought_by_a_restored_copy(kept, before, after):
    """But for one, where the last guess was made in the time that is lost: its lock is lost too, and nobody can know."""
    async def story():
        said = await first_life(kept, before, after)
        house = await restored(kept)
        said += await guess(house, 9)
        lost_the_lock = before < BUDGET == before + after
        assert said.count("wrong") <= BUDGET + lost_the_lock
        assert await house.locks("customer:1") == ["R"]
        await house.__aexit__()
    told(story())


@pytest.mark.parametrize("seed", range(times(6, full=300)))
def test_a_naive_count_over_both_lives_finds_no_guess_too_many(tmp_path, seed):
    """Right and wrong entries on counters of every kind, time passing; counted from what was told alone."""
    async def story():
        chance = random.Random(seed)
        kept = Ledger("memory", tmp_path)
        policy = login(
            counter("day", "customer", stage(7, lock("login", for_s=30 * MINUTE), row="W"), counting=Counting.WITHIN, window_s=DAY),
            counter("ever", "customer", stage(11, lock("login"), row="T"), counting=Counting.IN_TOTAL),
        )
        first = House(kept.open(), policy)
        async with first as house:
            await house.enrol("customer:1")
            wrong = [await live(kept, house, chance, chance.randrange(5))]
            await kept.sealer(house.store).seal()
            kept.copy("copy")
            wrong.append(await live(kept, house, chance, chance.randrange(9)))
            await kept.sealer(house.store).seal()
        house = await restored(kept, policy)
        wrong.append(await live(kept, house, chance, 40, minutes=20))
        assert all(len(told) <= most for told, most in naive(wrong))
        await house.__aexit__()
    told(story())


async def live(kept, house, chance, entries, minutes=2):
    """Entries at odd moments; what was told, with the time."""
    heard = []
    for _ in range(entries):
        kept.clock.wait(chance.randrange(minutes * MINUTE))
        verdict = "right" if chance.random() < 0.2 else "wrong"
        heard += [(kept.clock.now, one) for one in await guess(house, 1, verdict=verdict)]
    return heard


def naive(lives):
    """(wrong entries that a counter stands for, how many it allows), as a clerk with the transcript would count."""
    *first, second = lives
    heard = [one for life in lives for one in life]
    wrong = [at for at, one in heard if one == "wrong"]
    after = [at for at, one in second if one == "wrong"]
    lost = sum(one == "wrong" for _, one in first[-1]) > 0
    yield wrong, 11 + lost
    for start in wrong:
        yield [at for at in wrong if start <= at < start + DAY * SECOND], 7 + lost
    yield after, 1
    run = []
    for at, one in heard:
        run = [] if one == "right" else run + [at] * (one == "wrong")
        yield run, BUDGET + lost


def test_what_was_going_on_is_void_and_what_was_taken_counts_as_wrong(kept):
    async def story():
        async with House(kept.open(), login()) as house:
            await house.enrol("customer:1")
            await house.session("session:1", "customer:1")
            facts = await house.begin("procedure:1")
            names = [await house.reserve(facts) for _ in range(BUDGET)]
            assert {said for _, said in names} == {"granted"}
            await kept.sealer(house.store).seal()
            kept.copy("copy")
            await guess(house, 1)
            await house.settle(names[0][0], "wrong")
            await kept.sealer(house.store).seal()
        house = await restored(kept)
        kinds = {key.partition(":")[0] for key, _ in await house.store.rows("", "", 100)}
        assert kinds == {"customer", "policy"}
        assert await house.count("customer:1") == (BUDGET, 0)
        assert await guess(house, 2) == ["locked", "locked"] and await house.locks("customer:1") == ["R"]
        ended = [event for event in await events(house.store) if event.kind is EventKind.SESSION_ENDED]
        assert [(event.session, event.reason) for event in ended] == [("session:1", "restored")]
        assert b"session-ended" in (await house.store.feed(0, 9))[0][1]
        await house.__aexit__()
    told(story())


def test_a_session_from_before_is_over_even_where_the_bank_keeps_its_own_name_for_it(kept):
    async def story():
        await first_life(kept, 0, 1)
        house = await restored(kept)
        await house.ledger.run(Write({"session:~1": Session(subject="customer:1", owner=OWNER, foreign=True, name="b", started=START, seen=START)}))
        facts = await house.begin("procedure:x", session="session:~1")
        assert await house.enter(facts, "right") == "not_now"
        await house.__aexit__()
    told(story())


def test_counters_that_the_copy_knows_nothing_of_are_left_with_one_guess_too(kept):
    """Whoever was never wrong before the copy; and of each kind only enrolled subjects, and only counters of their kind."""
    policy = table(
        row("login", "password", counter("c", "customer", stage(3, lock("login"), row="R"), stage(9, lock("login"), row="R9"))),
        row("pay", "pin", counter("a", "account", stage(4, lock("pay"), row="A")), counter("c2", "customer", stage(2, lock("pay"), row="B"))),
        row("pay", "code", counter("c2", "customer", stage(2, lock("pay"), row="B"))),
    )

    async def story():
        async with House(kept.open(), policy) as house:
            await house.enrol("customer:1", "account:1")
            kept.copy("copy")
            await guess(house, 1, "customer:unknown")
            await kept.sealer(house.store).seal()
        house = await restored(kept, policy)
        rows = {key: decode(body, Guard) for key, body in await house.store.rows("", "", 100) if key in {"customer:1", "account:1"}}
        assert {(key, name): count.wrong for key, guard in rows.items() for name, count in guard.counts.items()} == {
            ("customer:1", "c"): 2, ("customer:1", "c2"): 1, ("account:1", "a"): 3,
        }
        assert list(rows["customer:1"].counts["c"].tallies) == ["password"] and list(rows["customer:1"].counts["c2"].tallies) == [CARRIED]
        assert [key for key, _ in await house.store.rows("~", "", 9)] == []
        await house.__aexit__()
    told(story())


def test_a_right_entry_clears_what_was_taken_for_lost_where_it_would_have_cleared_it(kept):
    async def story():
        await first_life(kept, 1, 1)
        house = await restored(kept)
        assert await guess(house, 1, verdict="right") == ["right"]
        assert (await guess(house, BUDGET + 2)).count("wrong") == BUDGET
        await house.__aexit__()
    told(story())


def test_locks_stay_and_the_count_of_a_timed_one_does_not_begin_from_nothing(kept):
    """It may have ended in the time that is lost, and guesses been made after it."""
    policy = table(row("login", "password", counter("c", "customer", stage(3, lock("login", for_s=60 * MINUTE), row="R"))))

    async def story():
        await first_life(kept, 3, 1, policy)
        house = await restored(kept, policy)
        assert await house.locks("customer:1") == ["R"] and await guess(house, 1) == ["locked"]
        kept.clock.wait(61 * MINUTE)
        assert await guess(house, 2) == ["wrong", "locked"]
        await house.__aexit__()
    told(story())


def test_a_tokens_codes_up_to_now_are_used_up(kept):
    async def story():
        async with House(kept.open(), login()) as house:
            await house.ledger.run(Write({"secret:customer:1/token": Secret(kind="totp"), "secret:customer:1/password": Secret(kind="password")}))
            kept.copy("copy")
        house = await restored(kept)
        secrets = {key: decode(body, Secret) for key, body in await house.store.rows("secret:", "", 9)}
        assert secrets["secret:customer:1/token"].last_step == kept.clock.now // SECOND // otp.STEP_S + otp.DRIFT
        assert secrets["secret:customer:1/password"].last_step == 0
        await house.__aexit__()
    told(story())


def test_codes_that_were_out_are_good_for_nothing(kept):
    """They may have been used in the time that is lost. What the desk released lapses there, so that its case is open again."""
    async def story():
        async with House(kept.open(), login()) as house:
            await house.enrol("customer:1")
            code = Challenge("c", "release-code", "", b"", 1, 8, until=1 << 62)
            await house.ledger.run(Write({"recovery:customer:1": Recovery(case="1", code=code), "adding:1": Adding("customer:1", 1 << 62)}))
            kept.copy("copy")
        house = await restored(kept)
        rows = dict(await house.store.rows("", "", 99))
        assert "adding:1" not in rows
        assert decode(rows["recovery:customer:1"], Recovery).until <= kept.clock.now
        assert await house.store.due("recovery:", kept.clock.now, 9) == ["recovery:customer:1"]
        await house.__aexit__()
    told(story())


def test_accepting_is_told_sealed_and_verifies(kept):
    async def story():
        await first_life(kept, 2, 2)
        house = await restored(kept)
        event = (await events(house.store))[-1]
        assert (event.kind, event.operator, event.reason) == (EventKind.RESTORE_ACCEPTED, "ito", "the disk broke")
        sealer = kept.sealer(house.store)
        assert await sealer.complaint() is None
        await guess(house, 1)
        assert (await sealer.seal()).number == 4
        found = await kept.sealer(house.store).verify()
        assert found.broken == () and found.seals == 4
        await links(house.store)
        await house.__aexit__()
    told(story())


def test_while_a_node_seals_nothing_is_accepted(kept):
    async def story():
        await first_life(kept, 1, 1)
        kept.put_back("copy")
        store = kept.open()
        await kept.ahead(store)
        async with House(store, login()) as house:
            with kept.sealer(store)._alone() as out:
                assert out is not None
                with pytest.raises(CallerError, match="stop every node"):
                    await kept.accept(store, house)
            assert await kept.sealer(store).complaint() is not None
            await kept.accept(store, house)
            assert await kept.sealer(store).complaint() is None
    told(story())


def test_numbers_of_writers_that_are_lost_are_not_used_again(kept):
    async def story():
        async with House(kept.open(), login()) as house:
            kept.copy("copy")
        for _ in range(3):
            async with House(kept.open(), login()) as house:
                await guess(house, 1)
                await kept.sealer(house.store).seal()
        highest = max(head.writer for seal in kept.sealer(kept.open()).outside() for head in seal.heads)
        house = await restored(kept)
        assert house.ledger.writer > highest
        assert (await kept.sealer(house.store).verify()).broken == ()
        await house.__aexit__()
    told(story())


def test_a_second_copy_older_still_can_be_accepted_too(kept):
    async def story():
        await first_life(kept, 1, 1)
        for _ in range(2):
            house = await restored(kept)
            await guess(house, 1)
            await kept.sealer(house.store).seal()
            await house.__aexit__()
        store = kept.open()
        assert (await kept.sealer(store).verify()).broken == ()
        kept.put_back("copy")
        assert await kept.sealer(kept.open()).complaint() is not None
    told(story())


def test_a_tail_cut_after_accepting_is_still_found(tmp_path):
    kept = Ledger("sqlite", tmp_path)

    async def story():
        await first_life(kept, 2, 2)
        house = await restored(kept)
        await house.__aexit__()
        db = apsw.Connection(str(kept.path))
        db.execute("DELETE FROM link WHERE writer = 1 AND first >= (SELECT max(first) FROM link WHERE writer = 1)")
        db.close()
        assert {one.writer for one in (await kept.sealer(kept.open()).verify()).broken} == {1}
    told(story())


@pytest.mark.parametrize("stops_after", range(0, 12, 3))
def test_accepting_may_stop_anywhere_and_is_taken_up_again(kept, monkeypatch, stops_after):
    monkeypatch.setattr(flow, "PAGE", 2)

    class Stopping:
        """A ledger that is gone after some works."""

        def __init__(self, ledger):
            self.ledger, self.left = ledger, stops_after

        async def run(self, work):
            self.left -= 1
            if self.left < 0:
                raise LedgerUnavailable
            return await self.ledger.run(work)

    async def story():
        customers = [f"customer:{n}" for n in range(6)]
        await first_life(kept, 1, 1, customers=customers)
        kept.put_back("copy")
        store = kept.open()
        await kept.ahead(store)
        async with House(store, login()) as house:
            with pytest.raises(LedgerUnavailable):
                await flow.accept(Stopping(house.ledger), store, kept.sealer(store), house.table, "ito", "first")
            assert await kept.sealer(store).complaint() is not None
        store, seen = kept.open(), []
        async with House(store, login()) as house:
            await kept.accept(store, house, progress=seen.append)
            assert [await house.count(customer) for customer in customers] == [(BUDGET - 1, 0)] * 6
            assert await store.rows(flow.RESTORE, "", 1) == [] and seen
            assert await kept.sealer(store).complaint() is None
            await kept.accept(store, house)
            assert [await house.count(customer) for customer in customers] == [(BUDGET - 1, 0)] * 6
    told(story())
