"""The planted bugs once more, seen from outside only: what their clients are told is no history of one counter."""

import asyncio

import pytest
from checks import Kind
from house import House
from linear import Recorder, complaints, lapsing
from places import Place
from recorded import CUSTOMER, POLICY, STAGES, record
from staff import Look
from test_public_bugs import ComparesBeforeItCounts, RestartForgets, SuccessWipesTheLock

from sekisho.core.state import Guard
from sekisho.flows.attempt import FastAttempt, Settle

SEEDS = range(20)


class ForgetsWhatMetALock(Kind):
    """A wrong entry that is settled under a lock is dropped."""

    class house(House):  # noqa: N801
        class settling(Settle):  # noqa: N801
            def decide(self, tx):
                before = [(key, name, count.wrong) for key in self.facts.subjects.values() if tx.get(key, Guard).locks
                          for name, count in tx.get(key, Guard).counts.items()]
                told = super().decide(tx)
                for key, name, wrong in before:
                    tx.get(key, Guard).counts[name].wrong = wrong
                return told


class OverlooksTheOthers(Kind):
    """An entry in the fast lane is looked at in spite of those in flight."""

    class house(House):  # noqa: N801
        class fast(FastAttempt):  # noqa: N801
            def decide(self, tx):
                counts = [count for key in self.facts.subjects.values() for count in tx.get(key, Guard).counts.values()]
                flights = [count.flight for count in counts]
                for count in counts:
                    count.flight = 0
                told = super().decide(tx)
                for count, flight in zip(counts, flights, strict=True):
                    count.flight += flight
                return told


class ShowsAnOldRow(Kind):
    """What is shown was read some time ago."""

    class house(House):  # noqa: N801
        class ledger_of:  # noqa: N801
            def __init__(self, ledger):
                self.ledger = ledger
                self.seen = {}

            def __getattr__(self, name):
                return getattr(self.ledger, name)

            async def run(self, work):
                told = await self.ledger.run(work)
                if isinstance(work, Look):
                    before, self.seen[work.keys] = self.seen.get(work.keys, told), told
                    return before
                return told

        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.ledger = self.ledger_of(self.ledger)


PLANTED = (ComparesBeforeItCounts, RestartForgets, SuccessWipesTheLock, ForgetsWhatMetALock, OverlooksTheOthers, ShowsAnOldRow)


async def told_by(kind, seed):
    """Two nodes over one place, eight clients; half-way everything is started again."""
    recorder = Recorder()
    for part in range(2):
        async with kind.open(POLICY) as one, kind.open(POLICY) as two:
            if not part:
                await one.enrol(CUSTOMER)
            await record([one, two], f"{seed}-{part}", recorder, each=6)
    return lapsing(recorder.history)


def found(planted, folder):
    places = [(Place("sqlite", folder / f"{seed}.db"), seed) for seed in SEEDS]
    return any(complaints(asyncio.run(told_by(planted(place), seed)), STAGES) for place, seed in places)


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_the_planted_bug_is_found(planted, tmp_path):
    assert found(planted, tmp_path)


def test_nothing_is_found_where_nothing_is_planted(tmp_path):
    assert not found(Kind, tmp_path)
