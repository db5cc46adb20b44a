"""Eight bugs that others shipped, planted one by one: each is found by a check that has nothing to say about the real engine."""

import asyncio
import contextlib

import pytest
from checks import CHECKS, Kind
from house import House, Read, Write
from places import Place

from sekisho.adapters.memory import MemoryStore
from sekisho.adapters.postgres import PostgresStore
from sekisho.adapters.sqlite import SqliteStore
from sekisho.core import budget
from sekisho.core.scene import Scene
from sekisho.core.state import Guard, Session
from sekisho.errors import LedgerUnavailable
from sekisho.flows.attempt import FastAttempt, Reserve, Reserved, Settle
from sekisho.terms import Verdict


class ComparesBeforeItCounts(Kind):
    """CVE-2024-4629: many tries pass the check before the first of them is counted."""

    class house(House):  # noqa: N801
        class reserving(Reserve):  # noqa: N801
            def decide(self, tx):
                told = super().decide(tx)
                if isinstance(told, Reserved):
                    for guard in (tx.get(key, Guard) for key in self.facts.subjects.values()):
                        for count in guard.counts.values():
                            count.flight = 0
                return told


class JudgesTheWindowBeforeTheLock(Kind):
    """keycloak#52646: whether the window is over is asked before the row is locked; the second node erases the first's failure."""

    class house(House):  # noqa: N801
        async def enter(self, facts, verdict, item="password", replay=None):
            guard = await self.ledger.run(Read("customer:1", Guard))
            now = await self.store.clock()
            over = all(end <= now - 3600 * 1_000_000 for count in guard.counts.values() for end, _ in count.slices)
            await asyncio.sleep(0)
            self.fast = _Erasing if over else FastAttempt
            return await super().enter(facts, verdict, item, replay)


class _Erasing(FastAttempt):
    def decide(self, tx):
        for count in tx.get("customer:1", Guard).counts.values():
            budget.zero(count)
        return super().decide(tx)


class CleansUpWhatItChoseBefore(Kind):
    """keycloak#52648: the clean-up deletes what was old when it looked, whatever has been counted since."""

    async def clean_up(self, house, store):
        for key in await store.due("~", await store.clock(), 10):
            await house.ledger.run(Write({key: None}))


class AnswersBeforeTheCommit(Kind):
    """keycloak#52650: told first, made durable later."""

    def store(self, **options):
        if self.place.kind == "postgres":
            return _LateDatabase(self.place.at, clock=lambda _: self.clock())
        return _LateFile(self.place.at, self.clock, **options)


class _LateFile(SqliteStore):
    late = False

    async def begin(self, keys, *more, **also):
        if self.late:
            self.late = False
            await super()._make_durable()
        return await super().begin(keys, *more, **also)

    async def _make_durable(self):
        self.late = True

    async def close(self):
        if self.late:
            await super()._make_durable()
        await super().close()

    async def _alone(self, *statement):
        if self.late:
            self.late = False
            await super()._make_durable()
        return await super()._alone(*statement)


class _LateDatabase(PostgresStore):
    async def begin(self, keys, *more, **also):
        with contextlib.suppress(LedgerUnavailable):
            await self._wire.commit()
        return await super().begin(keys, *more, **also)

    async def _finish(self):
        self._one.release()


class AsksTheLockAtTheStartOnly(Kind):
    """CVE-2026-16103: a flow begun before the lock ends after it, and lets in."""

    class house(House):  # noqa: N801
        class settling(Settle):  # noqa: N801
            def decide(self, tx):
                with _instead(Scene, "standing_lock", lambda *_: None), _instead(Scene, "alive", lambda _: True):
                    return super().decide(tx)


class SuccessWipesTheLock(Kind):
    """parse-server#10266: a success that was compared meanwhile clears failures and locks that came after it."""

    class house(House):  # noqa: N801
        class settling(Settle):  # noqa: N801
            def decide(self, tx):
                told = super().decide(tx)
                if self._verdict is Verdict.RIGHT:
                    for guard in (tx.get(key, Guard) for key in self.facts.subjects.values()):
                        guard.locks.clear()
                        for count in guard.counts.values():
                            budget.zero(count)
                return told


class AnotherPathClears(Kind):
    """keycloak#49960: refreshing a token counts as a success."""

    class house(House):  # noqa: N801
        async def session(self, key, subject):
            known = await self.ledger.run(Read(key, Session))
            await super().session(key, subject)
            if known is not None:
                await self.ledger.run(Write({subject: Guard(known=True)}))


class RestartForgets(Kind):
    """keycloak#52126: what is counted is kept in memory only."""

    def store(self, **options):
        return MemoryStore(self.clock)


PLANTED = {
    ComparesBeforeItCounts: "verdicts_of_a_burst", JudgesTheWindowBeforeTheLock: "failures_at_the_window_s_edge",
    CleansUpWhatItChoseBefore: "failures_while_cleaning_up", AnswersBeforeTheCommit: "answers_before_their_commit",
    AsksTheLockAtTheStartOnly: "entry_begun_before_a_lock", SuccessWipesTheLock: "right_racing_wrong",
    AnotherPathClears: "paths_that_clear", RestartForgets: "locks_after_a_restart",
}


@contextlib.contextmanager
def _instead(owner, name, other):
    before = getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, before)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request):
    if request.param == "sqlite":
        return Place("sqlite", request.getfixturevalue("tmp_path") / "ledger.db")
    return Place("postgres", request.getfixturevalue("postgres").database())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_engine_keeps_its_promise(check, place):
    assert asyncio.run(check(Kind(place))) == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_the_planted_bug_is_found(planted, place):
    check = next(check for check in CHECKS if check.__name__ == PLANTED[planted])
    assert asyncio.run(check(planted(place))) != []


def test_every_check_finds_a_planted_bug():
    assert {check.__name__ for check in CHECKS} == set(PLANTED.values())
