"""A database that fails: the answer is no or "no answer", in time; nothing comes back, and it goes on by itself."""

import asyncio
import contextlib
import time

import asyncpg
import pytest
from house import House, expecting
from postgres import Server, until_waiting
from scale import times
from tables import block, counter, row, stage, table

from sekisho.adapters import postgres as adapter
from sekisho.adapters import postgres_wire
from sekisho.adapters.postgres import PostgresStore
from sekisho.core.state import Guard, decode, encode
from sekisho.errors import LedgerUnavailable, UnknownFate
from sekisho.ports import Change

POLICY = table(row("login", "password", counter("c", "customer", stage(99, block("login"), row="R"))))
SUBJECT = "customer:1"

SLOW_COMMIT = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(10); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT OR UPDATE ON row DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle();
"""
QUICK_COMMIT = "DROP FUNCTION dawdle CASCADE"
COMMITTING = "query LIKE '%COMMIT' AND state = 'active' AND pid <> pg_backend_pid()"


@pytest.fixture(scope="module")
def victim():
    """A server that may be killed."""
    with Server() as server:
        yield server


@pytest.fixture
def url(victim):
    if victim.process is None:
        victim.start()
    return victim.database()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The deadline is the product's own, shorter."""
    monkeypatch.setattr(adapter, "DEADLINE_S", 1.0)
    monkeypatch.setattr(postgres_wire, "DEADLINE_S", 1.0)


class Count:
    """A work that counts one on a subject's row, as an entry does."""

    def __init__(self, subject=SUBJECT):
        self.keys = (subject,)

    def decide(self, tx):
        guard = tx.get(self.keys[0], Guard) or Guard(known=True)
        guard.valid_after += 1
        tx.put(self.keys[0], guard)
        return guard.valid_after


@contextlib.asynccontextmanager
async def node(url, **promise):
    store = PostgresStore(url, postgres_wire.Promise(**promise))
    async with House(store, POLICY, contended=store.another()) as house:
        yield house.ledger


async def in_time(work, error, within_s=3.0):
    """Refused, and before whoever asked has given up: two deadlines are the most, one to reach it and one to ask."""
    begun = time.monotonic()
    with expecting(error):
        await work
    assert time.monotonic() - begun < within_s


async def recovered(ledger, subject=SUBJECT):
    """What is counted once the node has found its database again, by itself."""
    until = time.monotonic() + 30
    while True:
        try:
            return await ledger.run(Count(subject))
        except LedgerUnavailable:
            assert time.monotonic() < until, "it does not recover"
            await asyncio.sleep(0.05)


async def until(victim, statement, database="postgres"):
    """Until a question to the database is answered with yes."""
    for _ in range(300):
        if await asyncio.to_thread(victim.sql, f"SELECT EXISTS ({statement})", database) == "t":
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"never: {statement}")


def name_of(url):
    return url.partition("@/")[2].partition("?")[0]


@pytest.mark.parametrize("how", ["killed", "stopped in order"])
def test_a_database_that_is_lost_answers_no_and_nothing_that_was_told_is_gone(victim, url, how):
    async def story():
        async with node(url) as ledger:
            assert [await ledger.run(Count()) for _ in range(3)] == [1, 2, 3]
            await asyncio.to_thread(victim.kill if how == "killed" else victim.stop)
            try:
                for _ in range(3):
                    await in_time(ledger.run(Count()), LedgerUnavailable)
            finally:
                victim.start()
            assert await recovered(ledger) == 4
    asyncio.run(story())


def test_a_commit_that_the_database_does_not_survive_may_have_been_counted_once(victim, url):
    async def story():
        async with node(url) as ledger:
            assert await ledger.run(Count()) == 1
            victim.sql(SLOW_COMMIT, name_of(url))
            asked = asyncio.create_task(ledger.run(Count()))
            await until(victim, f"SELECT FROM pg_stat_activity WHERE {COMMITTING}")
            await asyncio.to_thread(victim.kill)
            await in_time(asked, UnknownFate)
            victim.start()
            victim.sql(QUICK_COMMIT, name_of(url))
            assert await recovered(ledger) == 2  # the trigger runs before the commit is written, so this one was not
    asyncio.run(story())


def test_a_commit_that_takes_ten_seconds_is_not_waited_for(victim, url):
    """Whoever asked is told in time that there was no answer; the others are refused, and all goes on once it is quick again."""
    async def story():
        async with node(url) as ledger:
            assert await ledger.run(Count()) == 1
            victim.sql(SLOW_COMMIT, name_of(url))
            await in_time(ledger.run(Count()), UnknownFate)
            # The database may still be at it: no other connection is left waiting there at once.
            await in_time(ledger.run(Count("customer:2")), LedgerUnavailable)
            victim.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {COMMITTING}")
            victim.sql(QUICK_COMMIT, name_of(url))
            assert await recovered(ledger) == 2
            assert await recovered(ledger, "customer:2") == 1
    asyncio.run(story())


WAITING = "SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.mark.parametrize("end", ["the standby comes", "pg_cancel_backend", "pg_terminate_backend"])
def test_a_commit_that_no_standby_has_is_told_as_unknown_and_seen_by_nobody(victim, url, end):
    """Neither our own deadline nor anything we send makes it visible; whoever cancels it at the database does, and we notice."""
    async def story():
        async with node(url, replicated=True, accept_weaker=True) as ledger:
            victim.set(synchronous_standby_names="nobody")
            try:
                asked, told = await stuck(victim, ledger)
                if end != "the standby comes":
                    await asyncio.to_thread(victim.sql, f"SELECT {end}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
                await in_time(asked, UnknownFate)
                if end == "the standby comes":
                    assert await counted(url) == told
            finally:
                victim.set(synchronous_standby_names="")
            assert await recovered(ledger) == told + 2
    asyncio.run(story())


async def stuck(victim, ledger):
    """A count whose commit waits for a standby, and what was told before: the server takes a moment to hear of the setting."""
    told = 0
    while True:
        asked = asyncio.create_task(ledger.run(Count()))
        while not asked.done():
            if await asyncio.to_thread(victim.sql, f"SELECT EXISTS ({WAITING})") == "t":
                return asked, told
        told = await asked


async def counted(url, subject=SUBJECT):
    """What anybody else sees as counted."""
    con = await asyncpg.connect(url)
    body = await con.fetchval("SELECT body FROM row WHERE key = $1", subject)
    await con.close()
    return decode(body, Guard).valid_after if body else 0


def test_a_node_that_goes_silent_holds_nobodys_subject_for_long_and_commits_nothing_afterwards(url, monkeypatch):
    monkeypatch.setitem(postgres_wire.SESSION, "idle_in_transaction_session_timeout", "300")

    async def story():
        silent = PostgresStore(url)
        await silent.begin([SUBJECT])
        async with node(url) as ledger:
            assert await recovered(ledger) == 1
            with expecting(LedgerUnavailable):
                await silent.commit(Change([(SUBJECT, encode(Guard(valid_after=9)), None)], None, [], 1))
            assert await ledger.run(Count()) == 2
        assert (await silent.begin([SUBJECT])).rows
        await silent.rollback()
        await silent.close()
    asyncio.run(story())


def test_a_subject_that_another_node_holds_stalls_nobody_else(url):
    async def story():
        holder = PostgresStore(url)
        async with node(url) as ledger:
            assert await ledger.run(Count()) == 1
            await holder.begin([SUBJECT])
            held = asyncio.create_task(ledger.run(Count()))
            assert [await ledger.run(Count("customer:2")) for _ in range(20)] == list(range(1, 21))
            assert not held.done()
            await holder.rollback()
            assert await held == 2
        await holder.close()
    asyncio.run(story())


def test_all_who_come_while_a_subject_is_waited_for_share_the_batch_after(url, monkeypatch):
    monkeypatch.setattr("sekisho.adapters.queue.COMPANY_S", 0)

    async def story():
        holder = PostgresStore(url)
        async with node(url) as ledger:
            await ledger.run(Count())
            await holder.begin([SUBJECT])
            first = asyncio.create_task(ledger.run(Count()))
            await until_waiting(url)
            batches, others = ledger.batches, [asyncio.create_task(ledger.run(Count())) for _ in range(50)]
            await asyncio.sleep(0)
            await holder.rollback()
            assert await asyncio.gather(first, *others) == list(range(2, 53))
            assert ledger.batches == batches + 2
        await holder.close()
    asyncio.run(story())


def test_a_database_without_connections_left_answers_no_until_there_is_one(victim, url):
    async def story():
        taken = []
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                taken.append(await asyncpg.connect(url))
        store = PostgresStore(url)
        await in_time(store.begin([SUBJECT]), LedgerUnavailable)
        await in_time(store.peek([SUBJECT]), LedgerUnavailable)
        for con in taken:
            await con.close()
        async with node(url) as ledger:
            assert await recovered(ledger) == 1
        await store.close()
    asyncio.run(story())


def test_a_database_that_takes_no_writes_answers_no_until_it_does(victim, url):
    async def story():
        async with node(url) as ledger:
            assert await ledger.run(Count()) == 1
            victim.set(default_transaction_read_only="on")
            await until(victim, "SELECT WHERE current_setting('transaction_read_only') = 'on'")
            for _ in range(3):
                await in_time(ledger.run(Count()), LedgerUnavailable)
            victim.set(default_transaction_read_only="off")
            assert await recovered(ledger) == 2
    asyncio.run(story())


@pytest.mark.parametrize("turn", range(times(1, full=20)))
def test_what_was_told_stands_after_the_standby_has_taken_over(turn):
    """The primary is gone under load and a synchronous standby takes over: the nodes find it, and no count that was told is lost."""
    told = {f"customer:{n}": 0 for n in range(8)}

    async def count_on(ledger, subject, until_s):
        """Count, again and again, whatever comes of it, until what stood after the failover has grown by three."""
        while not stood or told[subject] < stood[subject] + 3:
            assert time.monotonic() < until_s, "it does not recover"
            try:
                told[subject] = await ledger.run(Count(subject))
            except (LedgerUnavailable, UnknownFate):
                await asyncio.sleep(0.01)
            if not stood and min(told.values()) > 3 * turn + 3:
                enough.set()

    async def story(primary, standby):
        url = f"postgresql://postgres@/postgres?host={primary.folder},{standby.folder}&port=5432,5432"
        async with node(url) as ledger:
            counting = asyncio.gather(*[count_on(ledger, subject, time.monotonic() + 60) for subject in told])
            await enough.wait()
            await asyncio.to_thread(primary.kill)
            before = dict(told)
            await asyncio.to_thread(standby.promote)
            # The nodes may have found it already: what stands is at least what was told before.
            after = {subject: await counted(standby.url(), subject) for subject in told}
            assert all(before[subject] <= after[subject] for subject in told)
            stood.update(after)
            await counting
            assert {subject: await counted(standby.url(), subject) for subject in told} == told

    enough, stood = asyncio.Event(), {}
    with Server() as primary, primary.standby("follower") as standby:
        primary.set(synchronous_standby_names="follower")
        asyncio.run(until(primary, "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'"))
        asyncio.run(story(primary, standby))
