"""The contract of every store: what was committed stands, in order, and time never goes back."""

import asyncio
import random

import msgspec
import pytest
from house import START, Clock
from scale import times

from sekisho.core.state import SECOND
from sekisho.ports import Change, Link


def run(coroutine):
    return asyncio.run(coroutine)


def rows(*changed, link=None, feed=(), at=0):
    return Change(list(changed), link, list(feed), at)


def link(writer, first, *bodies):
    return Link(writer, first, len(bodies), START, msgspec.msgpack.encode(list(bodies)), b"m" * 32)


async def commit(store, change):
    opened = await store.begin(sorted(key for key, *_ in change.rows))
    change.at = change.at or opened.now
    await store.commit(change)
    return opened


def test_what_was_committed_is_read_by_the_next(place):
    async def story():
        store = place.open()
        await commit(store, rows(("a", b"1", None), ("b", b"2", None)))
        assert (await commit(store, rows(("a", b"3", None), ("b", None, None), ("c", b"4", None)))).rows == {"a": b"1", "b": b"2"}
        opened = await store.begin(["a", "b", "c", "d"])
        await store.rollback()
        assert opened.rows == {"a": b"3", "c": b"4"} == await store.peek(["a", "b", "c", "d"])
        await store.close()
    run(story())


def test_what_was_rolled_back_never_was(place):
    async def story():
        store = place.open()
        await commit(store, rows(("a", b"1", None)))
        await store.begin(["a"])
        await store.rollback()
        assert await store.peek(["a"]) == {"a": b"1"}
        await store.close()
    run(story())


def test_what_was_committed_is_there_after_opening_again(durable):
    async def story():
        store = durable.open()
        writer = await store.new_writer("node")
        await commit(store, rows(("a", b"1", 5), ("b", b"2", None), link=link(writer, 1, "x"), feed=[(1, b"f")]))
        await store.keep_document("policy", "v1", b"text")
        await store.close()
        store = durable.open()
        assert await store.peek(["a", "b"]) == {"a": b"1", "b": b"2"}
        assert await store.due("", 10, 10) == ["a"]
        assert [one.first for one in await store.chain(writer, 0, 10)] == [1]
        assert await store.feed(0, 10) == [(1, b"f")]
        assert await store.document("policy", "v1") == b"text"
        await store.close()
    run(story())


def test_rows_fall_due_soonest_first(place):
    """Only those of the prefix, and no sooner than their time; a write without a time leaves it as it was."""
    async def story():
        store = place.open()
        await commit(store, rows(("r:1", b"1", 30), ("r:2", b"2", 10), ("r:3", b"3", 20), ("s:1", b"4", 5), ("r:4", b"5", None)))
        assert await store.due("r:", 20, 10) == ["r:2", "r:3"]
        assert await store.due("r:", 30, 2) == ["r:2", "r:3"]
        assert await store.due("", 5, 10) == ["s:1"]
        await commit(store, rows(("r:2", b"6", None), ("r:3", b"7", 40), ("s:1", None, None)))
        assert await store.due("", 30, 10) == ["r:2", "r:1"]
        await store.close()
    run(story())


def test_a_document_is_kept_once(place):
    async def story():
        store = place.open()
        await store.keep_document("policy", "v2", b"two")
        await store.keep_document("policy", "v1", b"one")
        await store.keep_document("seal", "1", b"seal")
        await store.keep_document("policy", "v1", b"one")
        assert await store.documents("policy") == ["v1", "v2"]
        assert await store.document("policy", "v1") == b"one"
        assert await store.document("policy", "v3") is None
        await store.close()
    run(story())


def test_the_feed_is_numbered_in_commit_order(place):
    async def story():
        store = place.open()
        for n in range(5):
            await commit(store, rows(("a", b"%d" % n, None), feed=[(n, b"%d" % n), (n, b"%d+" % n)]))
        everything = await store.feed(0, 100)
        assert [body for _, body in everything] == [b"%d%s" % (n, plus) for n in range(5) for plus in (b"", b"+")]
        assert await store.feed(everything[3][0], 2) == everything[4:6]
        await store.close()
    run(story())


def test_links_stand_in_order_and_are_found_by_each_of_their_events(place):
    async def story():
        store = place.open()
        one, two = await store.new_writer("one"), await store.new_writer("two")
        assert one != two
        for writer, first, bodies in ((one, 1, "abc"), (two, 1, "d"), (one, 4, "ef")):
            await commit(store, rows(("a", b"1", None), link=link(writer, first, *bodies)))
        assert sorted(await store.writers()) == sorted([one, two])
        assert [(found.first, found.number) for found in await store.chain(one, 0, 10)] == [(1, 3), (4, 2)]
        assert [found.first for found in await store.chain(one, 1, 10)] == [4]
        assert [(await store.link(one, n)).first for n in range(1, 6)] == [1, 1, 1, 4, 4]
        assert await store.link(one, 6) is None and await store.link(two, 2) is None
        await store.close()
    run(story())


@pytest.mark.parametrize("back_s", [0, 1, 3600, 86_400 * 365])
def test_time_never_goes_back(place, back_s):
    """However far the clock is set back, the ledger says no earlier time than it has said."""
    async def story():
        store = place.open()
        seen = [(await commit(store, rows(("a", b"1", None)))).now]
        place.clock.now -= back_s * SECOND
        seen += [(await commit(store, rows(("a", b"1", None)))).now for _ in range(3)]
        assert seen == sorted(set(seen)) and await store.clock() >= seen[-1]
        await store.close()
    run(story())


@pytest.mark.parametrize("back_s", [1, 3600])
def test_time_does_not_go_back_with_a_new_process(durable, back_s):
    """Neither in a process started later with an earlier clock, nor in two that run side by side."""
    async def story():
        store = durable.open()
        opened = await commit(store, rows(("a", b"1", None)))
        other = durable.open(clock=Clock(START - back_s * SECOND))
        seen = [opened.now, (await commit(other, rows(("a", b"2", None)))).now, (await commit(store, rows(("a", b"3", None)))).now]
        assert seen == sorted(set(seen))
        await store.close()
        await other.close()
        last = durable.open(clock=Clock(START - back_s * SECOND))
        assert (await last.begin(["a"])).now > seen[-1]
        await last.rollback()
        await last.close()
    run(story())


def test_two_stores_over_one_place_read_what_the_other_wrote(durable):
    """In any order, folded in or not: nobody decides by an old row."""
    async def story():
        stores = [durable.open(), durable.open(), durable.open()]
        for n in range(60):
            store = stores[n * n % 3]
            opened = await commit(store, rows(("a", b"%d" % n, None), (f"b{n % 7}", b"%d" % n, n)))
            assert opened.rows.get("a") == (b"%d" % (n - 1) if n else None)
            assert opened.rows.get(f"b{n % 7}") == (b"%d" % (n - 7) if n >= 7 else None)
        for store in stores:
            assert (await store.peek(["a"])) == {"a": b"59"}
            await store.close()
    run(story())


def test_rows_stand_through_every_fold_of_the_journal(durable, monkeypatch):
    """Two stores that fold after a handful of rows, a few with each batch, now one and now the other: as if there were no journal."""
    monkeypatch.setattr("sekisho.adapters.journal.FOLD_AT", 7)
    monkeypatch.setattr("sekisho.adapters.journal.SLICE", 2)

    async def story():
        chance = random.Random(1)
        stores, expected, due = [durable.open(), durable.open()], {}, {}
        for n in range(400):
            store = chance.choice(stores)
            changed = []
            for key in chance.sample([f"k{i}" for i in range(12)], 3):
                body = None if chance.random() < 0.2 else b"%d" % n
                at = None if body is None or chance.random() < 0.5 else chance.randrange(100)
                changed.append((key, body, at))
                if body is None:
                    expected.pop(key, None)
                    due.pop(key, None)
                else:
                    expected[key] = body
                    due.update({key: at} if at is not None else {})
            before = dict(expected)
            await commit(store, rows(*changed))
            reader = chance.choice(stores)
            opened = await reader.begin([f"k{i}" for i in range(12)])
            await reader.rollback()
            assert opened.rows == before == await chance.choice(stores).peek([f"k{i}" for i in range(12)])
            assert sorted(await reader.due("", 50, 100)) == sorted(key for key, at in due.items() if at <= 50)
        for store in stores:
            await store.close()
    run(story())


def test_documents_are_kept_while_batches_run(place):
    """Seals and policies are written beside the attempts; neither stops the other."""
    async def story():
        store = place.open()

        async def batches():
            for n in range(60):
                await commit(store, rows(("a", b"%d" % n, None)))
                await asyncio.sleep(0)

        async def documents():
            for n in range(60):
                await store.keep_document("seal", f"{n:03}", b"seal")
                await asyncio.sleep(0)

        await asyncio.gather(batches(), documents())
        assert len(await store.documents("seal")) == 60 and await store.peek(["a"]) == {"a": b"59"}
        await store.close()
    run(story())


def test_a_number_of_a_writer_is_never_used_again(durable):
    async def story():
        numbers = []
        for _ in range(3):
            store = durable.open()
            numbers.append(await store.new_writer("node"))
            await store.close()
        assert len(set(numbers)) == 3
    run(story())


def test_rows_are_gone_through_in_the_order_of_their_keys(place):
    async def story():
        store = place.open()
        names = [f"customer:{n:02}" for n in range(25)]
        await commit(store, rows(*((name, name.encode(), None) for name in reversed(names)), ("app:1", b"a", None), ("~customer:00001", b"s", None)))
        await commit(store, rows(*((name, None, None) for name in names[3:12]), (names[20], b"changed", None)))
        found, after = [], ""
        while page := await store.rows("customer:", after, 4):
            assert len(page) <= 4
            found, after = found + page, page[-1][0]
        assert found == [(name, b"changed" if name == names[20] else name.encode()) for name in names[:3] + names[12:]]
        assert [key for key, _ in await store.rows("", "", 1)] == ["app:1"] and await store.rows("", "~customer:00001", 9) == []
        await store.close()
    run(story())


def test_rows_are_gone_through_whatever_the_journal_has_folded(durable, monkeypatch):
    monkeypatch.setattr("sekisho.adapters.journal.FOLD_AT", 10)
    monkeypatch.setattr("sekisho.adapters.journal.SLICE", 4)

    async def story():
        store, chance, kept = durable.open(), random.Random(3), {}
        for n in range(times(150, full=2_000)):
            changed = {f"k{chance.randrange(40):02}": None if chance.random() < 0.4 else b"%d" % n for _ in range(3)}
            kept.update(changed)
            await commit(store, rows(*((key, body, None) for key, body in changed.items())))
            stands = sorted((key, body) for key, body in kept.items() if body is not None)
            after = chance.choice(["", "k10", "k2"])
            assert await store.rows("k", after, 7) == [one for one in stands if one[0] > after][:7]
        await store.close()
    run(story())


def test_what_is_old_is_deleted_some_at_a_time_and_the_rest_stays(place):
    async def story():
        store = place.open()
        writer, other = await store.new_writer("a"), await store.new_writer("b")
        for n in range(6):
            await commit(store, rows(link=link(writer, 2 * n + 1, "x", "y"), feed=[(n, b"%d" % n)]))
            await store.keep_document("seal", f"{n:03}", b"s")
        await commit(store, rows(link=link(other, 1, "z")))
        await store.keep_document("policy", "000", b"p")
        last = [number for number, _ in await store.feed(0, 100)][-1]
        assert [await store.forget_links(writer, 7, 3) for _ in range(3)] == [3, 1, 0]
        assert [await store.forget_feed(4, 3) for _ in range(3)] == [3, 1, 0]
        assert [await store.forget_documents("seal", "003", 3) for _ in range(3)] == [3, 1, 0]
        assert [one.first for one in await store.chain(writer, 0, 9)] == [9, 11] and await store.link(writer, 7) is None
        assert len(await store.chain(other, 0, 9)) == 1 and await store.documents("policy") == ["000"]
        assert await store.documents("seal") == ["004", "005"]
        assert await store.feed(0, 9) == [(last - 1, b"4"), (last, b"5")] == await store.feed(last - 2, 9)
        await commit(store, rows(feed=[(9, b"9")]))
        assert await store.feed(last, 9) == [(last + 1, b"9")]
        await store.close()
    run(story())
