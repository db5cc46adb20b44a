"""Counts of the whole bank: nodes lease guesses in blocks, so that the ceiling is never passed and no row is hot.

The ledger counts a leased guess as if it were in flight until its node says what became of it. What a node does not account for
before its lease ends counts as wrong: a node that died may have spent all of it. Why so: `docs/why/ceilings.md`.
"""

from __future__ import annotations

import msgspec

from sekisho.core import budget, penalty, release
from sekisho.core.scene import count_of
from sekisho.core.state import SECOND, THE_BANK, Count, Guard, Lease, Leases, Lock
from sekisho.events import Event, EventKind
from sekisho.policy.table import Counter, Stage

LEASE_S = 30
"""How long a node may spend what it has leased without saying so."""

PART = 4
"""A node is leased this part of what is left at the most, so that the others find something too."""

ITEM = "*"
"""Of which item a wrong entry was makes no difference here: nothing clears it."""


class Account(msgspec.Struct, frozen=True):
    """What a node says of one counter."""

    spent: int = 0
    """Wrong since it last said so."""
    returned: int = 0
    """Of what it was leased: what it does not want any more."""
    holds: int = 0
    """What it keeps: not spent, or on its way to be."""
    back: int = 0
    """Counted as wrong earlier, and not wrong after all."""
    run: int = 0
    """In which run of the count that was: what a release or a timed lock has zeroed since cannot come back."""
    wish: int = 0
    """How much more it would like to have."""


class Grant(msgspec.Struct, frozen=True):
    """What a node may do from now on."""

    more: int
    """So many more may be spent."""
    lapsed: bool
    """What it held before may not be spent any more: its lease had ended, and all of it counts as wrong."""
    until: int
    """When its lease ends."""
    run: int
    """Which run of the count it is."""
    wrong: int
    """All that stands for the whole bank, for whoever watches it."""
    locks: tuple[Lock, ...] = ()
    """What stands because of it."""


def settle(guard: Guard, leases: Leases, counter: Counter, node: str, told: Account, now: int) -> tuple[Grant, list[Event]]:
    """Settle a node's account and lease it more, where the ceiling leaves any.

    Args:
        guard: the bank's own row.
        leases: what all nodes hold of all counters.
        counter: which ceiling.
        node: who asks; no two processes ever have the same name.
        told: its account.
        now: the ledger's time.

    """
    events: list[Event] = []
    release.expire(THE_BANK, guard, now, events.append)
    count = count_of(guard, counter.name)
    budget.refresh(count, counter, now)
    held = leases.nodes.setdefault(counter.name, {})
    _lapse(count, counter, held, now)
    if told.run == count.run:
        budget.give_back(count, told.back)
    left, lapsed = _keep(count, counter, held.pop(node, None), told, now)
    count.flight = sum(lease.left for lease in held.values()) + left
    _fire(guard, count, counter, now, events)
    more = _more(count, counter, told.wish, now)
    count.flight += more
    until = now + LEASE_S * SECOND
    if left + more:
        held[node] = Lease(left + more, until)
    locks = tuple(lock for lock in guard.locks if lock.counter == counter.name and lock.stands(now))
    return Grant(more, lapsed, until, count.run, count.wrong, locks), events


def _lapse(count: Count, counter: Counter, held: dict[str, Lease], now: int) -> None:
    for node, lease in list(held.items()):
        if lease.until <= now:
            del held[node]
            budget.add(count, counter, ITEM, lease.left, now)


def _keep(count: Count, counter: Counter, lease: Lease | None, told: Account, now: int) -> tuple[int, bool]:
    """What a node goes on holding, and whether its lease had lapsed. What it does not account for it has spent."""
    claims = told.spent + told.returned + told.holds
    if lease is None:
        return 0, claims > 0
    lapsed = claims > lease.left
    holds = 0 if lapsed else told.holds
    spent = lease.left - holds - (0 if lapsed else told.returned)
    if spent:
        budget.add(count, counter, ITEM, spent, now)
    return holds, lapsed


def _more(count: Count, counter: Counter, wish: int, now: int) -> int:
    if wish <= 0 or not budget.has_room(count, counter, now):
        return 0
    stage = budget.unfired(count, counter)
    room = 0 if stage is None else stage.wrong - count.wrong - count.flight
    return min(wish, -(-room // PART))


def _fire(guard: Guard, count: Count, counter: Counter, now: int, events: list[Event]) -> None:
    """Let fall what is reached: once a run, as of every other count."""
    for stage in counter.stages:
        if count.fired < stage.wrong <= count.wrong:
            count.fired = stage.wrong
            events.append(Event(EventKind.CEILING_REACHED, THE_BANK, row=stage.row, wrong=count.wrong))
            _lock(guard, count, counter, stage, now, events)


def _lock(guard: Guard, count: Count, counter: Counter, stage: Stage, now: int, events: list[Event]) -> None:
    for one in stage.penalties:
        until = None if one.for_s is None else now + one.for_s * SECOND
        lock = Lock(
            id=penalty.lock_id(now, guard), row=stage.row, kind=one.kind, since=now, undo=list(stage.undo), wrong=stage.wrong, until=until,
            operations=list(one.operations), spares=list(one.spares), items=list(one.items), source=THE_BANK, counter=counter.name,
            whom=one.whom, first=one.first,
        )
        guard.locks.append(lock)
        events.append(Event(EventKind.LOCK_SET, THE_BANK, row=lock.row, lock=lock.id, wrong=lock.wrong, until=until))
        if until is not None and stage.after_lock == "zero":
            count.zero_at = until if count.zero_at is None else min(count.zero_at, until)
