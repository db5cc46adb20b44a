"""Time passing: absence becomes an event. Reservations without a verdict, folded refusals, rows that nobody needs any more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sekisho.core import budget, release
from sekisho.core.state import SECOND, Announcements, Answered, Guard, Outgoing, Procedure, Recovery, Reservation, Session, decode
from sekisho.events import Event, EventKind
from sekisho.flows import recovery, seats
from sekisho.flows.attempt import KEEP_SETTLED_S, STRANGER_S, Settle
from sekisho.flows.entries import Entries
from sekisho.flows.news import ANSWERED_PREFIX
from sekisho.flows.outbox import PREFIX, is_closed
from sekisho.flows.recovery import ANNOUNCEMENTS, RECOVERIES
from sekisho.flows.subjects import Subjects
from sekisho.ports import Ledger, Store, Tx, Work
from sekisho.terms import Counting, State, Verdict

DAY_S = 24 * 3600

AT_ONCE = 2000
"""Rows looked after in one pass, so that a flood of them delays nobody."""


class _Fold:
    """Write how often a lock refused since the last time, onto the lock."""

    def __init__(self, key: str, lock: str, number: int) -> None:
        self.keys = [key]
        self._lock = lock
        self._number = number

    def decide(self, tx: Tx) -> None:
        key = self.keys[0]
        guard = tx.get(key, Guard)
        lock = next((lock for lock in guard.locks if lock.id == self._lock), None) if guard else None
        if guard is None or lock is None:
            return
        lock.refused += self._number
        lock.first_refused = lock.first_refused or tx.now
        lock.last_refused = tx.now
        tx.put(key, guard)
        tx.tell(Event(EventKind.ENTRIES_REFUSED, key, row=lock.row, lock=lock.id, number=self._number))


class _Forget:
    """Delete a row whose time is over."""

    def __init__(self, key: str) -> None:
        self.keys: Sequence[str] = [key]

    def decide(self, tx: Tx) -> None:
        key = self.keys[0]
        if not _needed(tx, key):
            tx.drop(key)


def _needed(tx: Tx, key: str) -> bool:
    """Whether the row was begun or settled anew since it was found to be due."""
    if key.startswith("procedure:"):
        run = tx.get(key, Procedure)
        return run is not None and run.state is State.OPEN and tx.now < run.expires
    if key.startswith("session:"):
        session = tx.get(key, Session)
        return session is not None and tx.now < session.started + tx.table.timing.session_total_s * SECOND
    if key.startswith(PREFIX):
        message = tx.get(key, Outgoing)
        return message is not None and not is_closed(message)
    if key.startswith(ANSWERED_PREFIX):
        return tx.get(key, Answered) is not None
    if key.startswith(RECOVERIES):
        return recovery.is_needed(tx.get(key, Recovery))
    if key.startswith(ANNOUNCEMENTS):
        return recovery.is_needed(tx.get(key, Announcements))
    if key.startswith(seats.PREFIX):
        return seats.is_needed(tx.get(key, seats.Seat), tx.now)
    if key.startswith("reservation:"):
        # Found overdue, and settled by another node before it was looked at: that it was settled stays known.
        taken = tx.get(key, Reservation)
        return taken is not None and tx.now < taken.made + KEEP_SETTLED_S * SECOND
    return False


class _AgeBucket:
    """Forget a bucket that nobody has touched for long, unless something in it must outlast that."""

    def __init__(self, key: str) -> None:
        self.keys = [key]

    def decide(self, tx: Tx) -> None:
        key = self.keys[0]
        guard = tx.get(key, Guard)
        if guard is None:
            return
        release.expire(key, guard, tx.now, tx.tell)
        due = guard.at + tx.table.retention_s.get("strangers", STRANGER_S) * SECOND
        if due <= tx.now and not _outlasts(tx, key, guard):
            tx.drop(key)
        else:
            tx.put(key, guard, due=max(due, tx.now + DAY_S * SECOND))


def _outlasts(tx: Tx, key: str, guard: Guard) -> bool:
    """Whether a count over a window or in total, a timed lock or a guess in flight is still in it.

    Whoever types can never be enrolled, so his row is all there is: every lock and every count on it stays.
    """
    typist = key.startswith(("~actor:", "~caller:"))
    if any(typist or lock.until is not None for lock in guard.locks):
        return True
    for name, count in guard.counts.items():
        counter = tx.table.counters.get(name)
        if counter is None:
            continue
        budget.refresh(count, counter, tx.now)
        if count.flight or (count.wrong and (typist or counter.counting is not Counting.IN_A_ROW)):
            return True
    return False


async def pass_time(ledger: Ledger, store: Store, subjects: Subjects, entries: Entries) -> None:
    """One pass over everything that falls due; what is due together shares batches."""
    now = await store.clock()
    await _settle_overdue(ledger, store, subjects, now, entries)
    due = await store.due("", now, AT_ONCE)
    await _run_all(ledger, [_AgeBucket(key) if key.startswith("~") else _Forget(key) for key in due if not key.startswith("reservation:")])
    await _fold_refusals(ledger, entries)


async def _settle_overdue(ledger: Ledger, store: Store, subjects: Subjects, now: int, entries: Entries) -> None:
    keys = await store.due("reservation:", now, AT_ONCE)
    found = [(key, decode(body, Reservation)) for key, body in (await store.peek(keys)).items()]
    open_ones = [(key, taken) for key, taken in found if taken.settled is None]
    settled = [_Forget(key) for key, taken in found if taken.settled is not None]
    overdue = [
        Settle(subjects, key.partition(":")[2], taken, Verdict.WRONG, taken.owner, "", overdue=True) for key, taken in open_ones
    ]
    await _run_all(ledger, [*settled, *overdue])
    entries.waiting.settled(f"{note.key}/{note.counter}" for _, taken in open_ones for note in taken.notes)


async def _fold_refusals(ledger: Ledger, entries: Entries) -> None:
    folded = entries.refusals
    entries.refusals = {}
    await _run_all(ledger, [_Fold(key, lock, number) for (key, lock), (number,) in folded.items()])


async def _run_all(ledger: Ledger, works: Sequence[Work[object]]) -> None:
    """All of them, in shared batches. One that fails keeps none of the others from being done."""
    answers = await asyncio.gather(*(ledger.run(work) for work in works), return_exceptions=True)
    failed = [answer for answer in answers if isinstance(answer, BaseException)]
    if failed:
        raise failed[0]
