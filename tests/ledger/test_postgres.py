"""What only a database has: rows that other nodes hold, entries that are committed out of order, settings, steps of the schema."""

import asyncio
import contextlib
import random
import traceback

import asyncpg
import pytest
from house import expecting
from postgres import Server, seen, until_waiting
from scale import times

from sekisho.adapters import postgres as adapter
from sekisho.adapters import postgres_sql, postgres_wire, schema
from sekisho.adapters.keyring import Keyring
from sekisho.adapters.postgres import PostgresStore
from sekisho.adapters.postgres_wire import Promise
from sekisho.app import open_store, seals_path
from sekisho.errors import CallerError, LedgerUnavailable, NewerState
from sekisho.ports import Change

READ_WRITE = "target_session_attrs=read-write"
"""What a URL says that is written for libpq, where it names several hosts."""


@pytest.fixture
def url(postgres):
    return postgres.database()


def told(story):
    """Play a story in a loop of its own."""
    return asyncio.run(story)


async def committed(store, *rows, feed=()):
    opened = await store.begin([key for key, *_ in rows])
    await store.commit(Change(list(rows), None, list(feed), opened.now))
    return opened


async def let_go(*stores):
    for store in stores:
        await store.close()


# Rows that others hold

@pytest.mark.timeout(120)
def test_the_server_stands_when_many_wait_for_the_same_rows(postgres, url):
    """PostgreSQL looks again at a row that it has waited for; a server that breaks down there takes everybody's connection with it."""
    async def node(number):
        chance, store = random.Random(number), PostgresStore(url)
        for _ in range(times(60, full=2_000)):
            keys = sorted(chance.sample([f"customer:{n}" for n in range(8)], chance.choice([1, 2, 4])))
            # Whoever waits too long is refused; that is not what is looked at here.
            with contextlib.suppress(LedgerUnavailable):
                opened = await store.begin(keys, ["clock", "policy"], patient=chance.random() < 0.5)
                held = [key for key in keys if key not in opened.skipped]
                await store.commit(Change([(key, bytes(chance.randrange(10, 200)), None) for key in held], None, [], opened.now))
        await store.close()

    async def story():
        await asyncio.gather(*map(node, range(12)))

    told(story())
    assert not postgres.broken()


def test_rows_that_another_node_holds_are_skipped_by_whoever_does_not_wait(url):
    async def story():
        one = PostgresStore(url)
        other = one.another()
        await committed(one, ("a", b"1", None), ("b", b"1", None))
        await other.begin(["b"])
        opened = await one.begin(["a", "b", "c"], patient=False)
        assert opened.skipped == {"b"} and opened.rows == {"a": b"1"}
        await one.rollback()
        await other.rollback()
        assert (await one.begin(["a", "b"], patient=False)).skipped == frozenset()
        await one.rollback()
        await let_go(one, other)
    told(story())


def test_a_row_that_another_node_is_just_putting_there_is_skipped_too(url):
    """It cannot be seen yet, so there is nothing to skip: whoever does not wait takes what is absent for held."""
    async def story():
        one = PostgresStore(url)
        other = one.another()
        await committed(one, ("a", b"1", None))
        await other.begin(["new"])
        opened = await one.begin(["a", "new"], patient=False)
        assert opened.skipped == {"new"} and opened.rows == {"a": b"1"}
        await one.rollback()
        await other.rollback()
        await let_go(one, other)
    told(story())


@pytest.mark.parametrize("body", [b"2", None], ids=["changed", "deleted"])
def test_whoever_waits_reads_what_was_committed_meanwhile_and_decides_later(url, body):
    async def story():
        one = PostgresStore(url)
        other = one.another()
        await committed(one, ("a", b"1", None))
        opened = await other.begin(["a"])
        waiting = asyncio.create_task(one.begin(["a"]))
        await until_waiting(url)
        await other.commit(Change([("a", body, None)], None, [], opened.now + 5_000_000))
        later = await waiting
        assert later.rows == ({"a": body} if body else {}) and later.skipped == frozenset()
        assert body is None or later.now > opened.now + 5_000_000
        await one.rollback()
        await let_go(one, other)
    told(story())


def test_whoever_waits_does_not_wait_for_ever(url, monkeypatch):
    monkeypatch.setattr(adapter, "PATIENCE_S", 0.2)

    async def story():
        one = PostgresStore(url)
        other = one.another()
        await committed(one, ("a", b"1", None))
        await other.begin(["a"])
        for _ in range(2):
            with expecting(LedgerUnavailable):
                await one.begin(["a"])
        await other.rollback()
        assert (await one.begin(["a"])).rows == {"a": b"1"}
        await one.rollback()
        await let_go(one, other)
    told(story())


@pytest.mark.parametrize("patient", [True, False])
def test_of_many_nodes_that_race_for_an_absent_key_one_finds_it_absent(url, patient):
    async def take(store, key):
        while True:
            opened = await store.begin([key], patient=patient)
            if opened.skipped:
                await store.rollback()
                continue
            if opened.rows:
                await store.rollback()
                return False
            await asyncio.sleep(0)
            await store.commit(Change([(key, b"mine", None)], None, [], opened.now))
            return True

    async def story():
        first = PostgresStore(url)
        stores = [first, *[first.another() for _ in range(7)]]
        for n in range(20):
            assert sorted(await asyncio.gather(*[take(store, f"once:{n}") for store in stores])) == [False] * 7 + [True]
        await let_go(*stores)
    told(story())


def test_a_key_that_was_looked_at_and_not_written_leaves_nothing(url):
    """But for the buckets of strangers: there are only so many, and every attempt looks at some."""
    async def story():
        store = PostgresStore(url)
        opened = await store.begin(["a", "b", "~customer:00001"])
        await store.commit(Change([("a", b"1", None)], None, [], opened.now))
        await store.begin(["c"])
        await store.rollback()
        assert [tuple(row) for row in await seen(url, "SELECT key, body FROM row ORDER BY key")] == [("a", b"1"), ("~customer:00001", None)]
        assert (await store.begin(["~customer:00001"])).rows == {} == await store.peek(["~customer:00001"])
        await store.rollback()
        assert await store.due("", 1 << 60, 10) == []
        await store.close()
    told(story())


@pytest.mark.parametrize("rows", [1, 256])
def test_a_batch_is_five_statements_at_the_most_however_many_rows_it_has(url, rows):
    """Four where all rows are known to be there, so that none need be put there."""
    async def story():
        store = PostgresStore(url)
        await committed(store, ("warm", b"1", 1), feed=[(1, b"f")])
        sent = []
        store._wire._con.add_query_logger(lambda record: sent.append(record.query))
        for statements in (5, 4, 4):
            sent.clear()
            await committed(store, *[(f"k{n:03}", b"1", n) for n in range(rows)], feed=[(1, b"f")])
            await asyncio.sleep(0)
            assert len(sent) == statements and sent[-1] == postgres_sql.COMMIT
        await store.close()
    told(story())


@pytest.mark.parametrize("patient", [True, False])
def test_a_row_that_is_remembered_and_was_deleted_since_is_made_or_skipped(url, patient):
    async def story():
        one = PostgresStore(url)
        other = one.another()
        await committed(one, ("a", b"1", None))
        await committed(other, ("a", None, None))
        opened = await one.begin(["a"], patient=patient)
        assert opened.rows == {} and opened.skipped == (frozenset() if patient else {"a"})
        await one.rollback()
        assert (await one.begin(["a"], patient=patient)).skipped == frozenset()
        # What was only put there to be locked is gone with the transaction, and not remembered.
        await one.rollback()
        assert (await one.begin(["a"], patient=patient)).skipped == frozenset()
        await one.rollback()
        await let_go(one, other)
    told(story())


def test_a_batch_that_was_the_victim_of_a_deadlock_is_begun_again(url):
    """The others lock out of order; ours gives way, and reads what they have written."""
    async def story():
        store = PostgresStore(url)
        await committed(store, ("a", b"1", None), ("b", b"1", None))
        await store._wire._con.execute("SET deadlock_timeout = '50ms'")
        rude = await asyncpg.connect(url)
        await rude.execute("SET deadlock_timeout = '1min'; BEGIN; SELECT FROM row WHERE key = 'b' FOR UPDATE")
        waiting = asyncio.create_task(store.begin(["a", "b"]))
        await until_waiting(url)
        await rude.execute("UPDATE row SET body = '2' WHERE key = 'a'; COMMIT")
        assert (await waiting).rows == {"a": b"2", "b": b"1"}
        await store.rollback()
        await rude.close()
        await store.close()
    told(story())


# The feed

def test_an_entry_that_is_committed_late_is_told_after_those_that_were_told_already(url):
    async def story():
        slow = PostgresStore(url)
        quick = slow.another()
        opened = await slow.begin(["a"])
        await slow._write(Change([], None, [(1, b"slow")], opened.now))
        await committed(quick, ("b", b"1", None), feed=[(2, b"quick")])
        [(after, body)] = await quick.feed(0, 10)
        assert body == b"quick"
        await slow._finish()
        assert [body for _, body in await quick.feed(after, 10)] == [b"slow"]
        assert [body for _, body in await slow.feed(0, 10)] == [b"quick", b"slow"]
        await let_go(slow, quick)
    told(story())


def test_whoever_follows_the_feed_misses_nothing_while_many_nodes_write_it(url):
    async def write(store, name):
        for n in range(40):
            await committed(store, (f"{name}", b"%d" % n, None), feed=[(n, b"%s-%d-%d" % (name.encode(), n, i)) for i in range(3)])

    async def follow(store, writing):
        after, heard = 0, []
        while True:
            last = writing.done()
            found = await store.feed(after, 7)
            heard += [body for _, body in found]
            after = found[-1][0] if found else after
            if last and not found:
                return heard
            await asyncio.sleep(0)

    async def story():
        first = PostgresStore(url)
        stores = [first, *[first.another() for _ in range(4)]]
        await first.feed(0, 1)
        writing = asyncio.gather(*[write(store, f"w{n}") for n, store in enumerate(stores[:3])])
        one, other = await asyncio.gather(follow(stores[3], writing), follow(stores[4], writing))
        assert one == other and len(one) == len(set(one)) == 3 * 40 * 3
        for n in range(3):
            mine = [body for body in one if body.startswith(b"w%d-" % n)]
            assert mine == [b"w%d-%d-%d" % (n, i, j) for i in range(40) for j in range(3)]
        await let_go(*stores)
    told(story())


# Reading beside the batches

def test_all_who_look_at_once_share_a_read_and_each_hears_of_his_own_rows(url):
    async def story():
        store = PostgresStore(url)
        await committed(store, *[(f"k{n:02}", b"%d" % n, None) for n in range(50)])
        await store.peek(["k00"])
        sent = []
        store._reader._con.add_query_logger(lambda record: sent.append(record.query))
        chance = random.Random(1)
        wanted = [[f"k{chance.randrange(60):02}" for _ in range(3)] for _ in range(40)]
        answers = await asyncio.gather(*[store.peek(keys) for keys in wanted])
        assert answers == [{key: b"%d" % int(key[1:]) for key in keys if key < "k50"} for keys in wanted]
        await asyncio.sleep(0)
        assert len(sent) <= 2
        await store.close()
    told(story())


# What the database promises

WEAK = [
    ({}, {"synchronous_commit": "off"}, "synchronous_commit off"),
    ({"replicated": True}, {"synchronous_commit": "local"}, "synchronous_commit local"),
    ({"replicated": True}, {"synchronous_commit": "remote_write"}, "synchronous_commit remote_write"),
    ({"replicated": True}, {}, "no synchronous_standby_names"),
]


@pytest.mark.parametrize(("promise", "settings", "text"), WEAK, ids=[text for *_, text in WEAK])
def test_a_database_that_promises_less_is_refused_with_what_to_change(postgres, url, promise, settings, text):
    """On a connection that was fine before, and on a new one."""
    async def story():
        store = PostgresStore(url)
        await committed(store, ("a", b"1", None))
        assert await store.peek(["a"]) == {"a": b"1"}
        store._promise = store._wire._promise = store._reader._promise = Promise(**promise)
        database = url.partition("@/")[2].partition("?")[0]
        for name, value in settings.items():
            postgres.sql(f"ALTER DATABASE {database} SET {name} = '{value}'")
            await store._wire._con.execute(f"SET {name} = '{value}'")
        for other in (store, PostgresStore(url, Promise(**promise))):
            with pytest.raises(LedgerUnavailable, match=text):
                await other.begin(["a"])
            with pytest.raises(LedgerUnavailable, match=text):
                await other.peek(["a"])
            await other.close()
        weaker = PostgresStore(url, Promise(**promise, accept_weaker=True))
        assert (await weaker.begin(["a"])).rows == {"a": b"1"}
        await weaker.rollback()
        await weaker.close()
    told(story())


def test_a_database_that_does_not_sync_is_refused_and_so_is_a_replica():
    async def story(server, standby):
        for url, text in ((server.url(), "fsync off"), (standby.url(), "replica"), (f"{standby.url()}&{READ_WRITE}", "replica")):
            store = PostgresStore(url)
            for ask in (lambda: store.begin(["a"]), lambda: store.peek(["a"])):  # noqa: B023  asked at once
                with pytest.raises(LedgerUnavailable, match=f"{text}|a moment ago"):
                    await ask()
            await store.close()
        # The primary is found among several hosts, wherever it stands in the list.
        hosts = f"host={standby.folder},{server.folder}&port=5432,5432"
        for more in ("", f"&{READ_WRITE}"):
            store = PostgresStore(f"postgresql://postgres@/postgres?{hosts}{more}", Promise(accept_weaker=True))
            await committed(store, ("a", b"1", None))
            await store.close()

    with Server(fsync="off") as server, server.standby() as standby:
        told(story(server, standby))


def test_a_host_that_never_answers_does_not_keep_us_from_the_one_that_does(postgres, url):
    async def story():
        left = asyncio.Event()

        async def listen(reader, writer):
            await reader.read()
            writer.close()
            left.set()

        silent = await asyncio.start_server(listen, "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        hosts = f"host=127.0.0.1,{postgres.folder}&port={port},5432"
        store = PostgresStore(f"{url.partition('?')[0]}?{hosts}")
        await asyncio.wait_for(committed(store, ("a", b"1", None)), postgres_wire.DEADLINE_S)
        await left.wait()
        await store.close()
        silent.close()
    told(story())


@pytest.mark.parametrize(("url", "hosts"), [
    ("postgresql://a:b@h1:1,h2,[::1]:3/db?sslmode=require", [
        "postgresql://a:b@h1:1/db?sslmode=require", "postgresql://a:b@h2/db?sslmode=require", "postgresql://a:b@[::1]:3/db?sslmode=require"]),
    ("postgresql://h1/db", ["postgresql://h1/db"]),
    ("postgresql://a@/db?host=/x,/y&port=1,2", ["postgresql://a@/db?host=%2Fx&port=1", "postgresql://a@/db?host=%2Fy&port=2"]),
    ("postgresql://a@/db?host=x,y&port=1", ["postgresql://a@/db?host=x&port=1", "postgresql://a@/db?host=y&port=1"]),
    ("postgresql:///db", ["postgresql:///db"]),
])
def test_each_host_of_a_url_is_asked_by_a_url_of_its_own(url, hosts):
    assert postgres_wire.each_host(url) == hosts


# The schema

def test_nodes_that_start_at_once_make_the_schema_once(url):
    async def story():
        stores = [PostgresStore(url) for _ in range(6)]
        await asyncio.gather(*[store.peek(["a"]) for store in stores])
        steps = schema.steps("postgres")
        assert [tuple(row) for row in await seen(url, "SELECT number, name FROM migration")] == [(step.number, step.name) for step in steps]
        await let_go(*stores)
    told(story())


@pytest.mark.parametrize(("needs", "runs"), [(0, True), (1, True), (99, False)])
def test_a_schema_of_a_later_release_is_served_where_that_release_says_so(url, needs, runs):
    async def story():
        store = PostgresStore(url)
        await committed(store, ("a", b"1", None))
        await store.close()
        await seen(url, f"INSERT INTO migration (number, name, needs) VALUES (99, '0099_later.sql', {needs})")
        store = PostgresStore(url)
        if runs:
            assert (await committed(store, ("a", b"2", None))).rows == {"a": b"1"}
        else:
            with expecting(NewerState):
                await store.begin(["a"])
        await store.close()
    told(story())


# What is told and kept of a URL

@pytest.mark.parametrize("url", [
    "postgresql://bank:s3cret@127.0.0.1:1/db", "postgresql://bank:s3cret@127.0.0.1:s3cret/db", "postgresql://bank:s3cret@[/db",
    "postgresql://bank:s3cret@/db?host=/nowhere", "postgresql://bank:s3cret@127.0.0.1:1/db?sslmode=s3cret",
])
def test_a_password_is_repeated_nowhere(url):
    async def story():
        store = open_store(url)
        for ask in (lambda: store.begin(["a"]), lambda: store.peek(["a"])):
            with pytest.raises(LedgerUnavailable) as no:
                await ask()
            assert "s3cret" not in "".join(traceback.format_exception(no.value)) + str(no.value)
        await store.close()
    told(story())


def test_a_url_that_is_none_is_not_repeated():
    with pytest.raises(CallerError) as no:
        open_store("mysql://bank:s3cret@host/db")
    assert "s3cret" not in str(no.value)


def test_the_seals_of_a_database_are_named_after_where_it_is_and_not_after_who_asks(tmp_path):
    keyring = Keyring.make(tmp_path / "keys.json")
    same = {seals_path(f"postgresql://{who}db1,db2:5433/bank", keyring).name for who in ("", "a@", "b:s3cret@", "a:%40x@")}
    other = {seals_path(f"postgresql://{where}", keyring).name for where in ("db1/bank", "db1,db2:5433/bank2", "a@/bank?host=/tmp")}
    assert len(same) == 1 and len(other) == 3 and not same & other
    assert all(name.startswith("bank") and "s3cret" not in name for name in same | other)


def test_nothing_that_a_row_holds_is_told_with_an_error(url):
    async def story():
        store = PostgresStore(url)
        await store.begin(["a"])
        with pytest.raises(LedgerUnavailable) as no:
            await store.commit(Change([("s3cret", b"1", 1 << 70)], None, [], 1))
        assert "s3cret" not in str(no.value)
        await store.close()
    told(story())


def test_the_time_is_the_databases_and_asked_after_the_locks(url):
    async def story():
        one = PostgresStore(url)
        other = one.another()
        await committed(one, ("a", b"1", None))
        await other.begin(["a"])
        waiting = asyncio.create_task(one.begin(["a"]))
        await until_waiting(url)
        [(before,)] = await seen(url, postgres_sql.CLOCK)
        await other.rollback()
        assert (await waiting).now > before
        await one.rollback()
        assert abs(await one.clock() - before) < 60_000_000 and postgres_wire.DEADLINE_S
        await let_go(one, other)
    told(story())


def test_a_key_that_would_be_taken_for_two_is_refused(url):
    """Keys are sent as the lines of one text."""
    async def story():
        store = PostgresStore(url)
        with expecting(LedgerUnavailable):
            await store.begin(["a\nb"])
        await store.begin(["a", "b"])
        await store.rollback()
        await store.close()
    asyncio.run(story())
