"""What an older copy of the ledger is worth: nobody knows how many guesses it has lost, so it is taken to have lost nearly all.

Each counter of an enrolled subject is left one guess below its next stage, if it was not there already. One guess, and not
none: else every customer would be locked by the restoring itself. Why: `docs/why/restored-copies.md`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sekisho.core import budget
from sekisho.core.scene import count_of
from sekisho.core.state import THE_BANK, Count, Guard
from sekisho.policy.table import Counter, Table


def items_of(table: Table) -> dict[str, str]:
    """By counter: the item whose wrong entries it counts; `budget.CARRIED` where they are several items'.

    Whichever item the lost entries were of, no success may clear more of them than it would have cleared.
    """
    found: dict[str, set[str]] = {}
    for operation in table.operations.values():
        for variants in operation.rows.values():
            for row in variants:
                for gauge in row.gauges:
                    found.setdefault(gauge.counter.name, set()).add(row.item)
    return {name: items.pop() if len(items) == 1 else budget.CARRIED for name, items in found.items()}


def distrust(key: str, guard: Guard, table: Table, items: Mapping[str, str], now: int) -> None:
    """Settle what was in flight as wrong, and take from an enrolled subject all guesses but one on every counter of its kind.

    Locks stay. Sessions and runs begun until now are over.
    """
    counters = table.counters
    enrolled = guard.known and key != THE_BANK
    # Whoever was proved from a device in the time that is lost is not known from it here; from any other device one guess is left too many.
    guard.devices = []
    if enrolled:
        for counter in counters.values():
            if key.startswith(f"{counter.reach}:"):
                count_of(guard, counter.name)
                guard.places = max(guard.places, len(counter.shares))
    for name, count in guard.counts.items():
        if name in counters:
            _distrust(count, counters[name], items.get(counters[name].base or name, budget.CARRIED), now, spend=enrolled)
        else:
            count.flight = 0
    guard.valid_after = now


def _distrust(count: Count, counter: Counter, item: str, now: int, *, spend: bool) -> None:
    budget.refresh(count, counter, now)
    if spend and count.zero_at is not None:
        # Its timed lock may have ended in the time that is lost, and guesses been made after that: its next run has begun.
        budget.zero(count)
    lost, count.flight = count.flight, 0
    stage = budget.unfired(count, counter)
    if spend and stage is not None:
        lost = max(lost, stage.wrong - 1 - count.wrong)
    if lost:
        budget.add(count, counter, item, lost, now)
