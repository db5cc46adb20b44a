"""The rows of a policy as the proofs look them up: by item, by count, and one of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from sekisho.policy.table import EVERYTHING, KNOWN, RUN_ENDS, Counter, Penalty, Row, Table
from sekisho.terms import Reach

PERSONAL = (Reach.CUSTOMER, Reach.ACCOUNT, Reach.APP, Reach.ADDRESS)
"""Kinds of subjects that are one customer's."""


class Seat(NamedTuple):
    """One row at which an item can be entered."""

    operation: str
    item: str
    row: Row

    @property
    def about(self) -> bool:
        """The entry is about the customer, and somebody else makes it."""
        return self.row.about


def touching(table: Table, counter: Counter) -> list[Seat]:
    """The rows that touch a count, or what it is a share of."""
    return _index(table).counts.get(counter.base or counter.name, [])


def seats(table: Table, item: str | None = None) -> list[Seat]:
    """Every row of an item, or of all items."""
    return _index(table).every if item is None else _index(table).of(item)


def distinct(table: Table, found: Sequence[Seat]) -> list[Seat]:
    """One row of each kind: those that touch the same counts and that the same locks close are as good as one another."""
    closing = _index(table).closing
    kinds: dict[object, Seat] = {}
    for seat in found:
        kinds.setdefault((*_kind(seat), table.operations[seat.operation].session, closing.at(seat)), seat)
    return list(kinds.values())


def _kind(seat: Seat) -> tuple[object, ...]:
    passing = [gauge.counter for gauge in seat.row.gauges if gauge.counter.reach not in PERSONAL]
    falls = tuple(
        (counter.reach, counter.counting, stage.wrong, stage.penalties) for counter in passing for stage in counter.stages
        if any(penalty.kind not in RUN_ENDS for penalty in stage.penalties))
    lasting = frozenset((gauge.counter.name, gauge.about) for gauge in seat.row.gauges if gauge.counter.reach in PERSONAL)
    return seat.item, lasting, falls, seat.row.when, seat.about


def places(counter: Counter) -> int:
    """The place of a device whose entries a counter counts; 0: those of devices that nobody knows."""
    if counter.base is not None:
        return int(counter.name.rpartition("-")[2])
    return 1 if any(penalty.whom == KNOWN for stage in counter.stages for penalty in stage.penalties) else 0


class _Closing:
    """The penalties of a policy that close something, by the operation or the item they name."""

    def __init__(self, counters: dict[str, Counter]) -> None:
        self.counters = counters
        self.named: dict[str, set[Penalty]] = {}
        for counter in counters.values():
            for stage in counter.stages:
                for penalty in stage.penalties:
                    for name in (*(f"in {one}" for one in penalty.operations), *penalty.items):
                        self.named.setdefault(name, set()).add(penalty)

    def at(self, seat: Seat) -> frozenset[Penalty]:
        """Those that would refuse an entry at a row."""
        found = set[Penalty]().union(*(self.named.get(name, ()) for name in (f"in {seat.operation}", f"in {EVERYTHING}", seat.item)))
        return frozenset(penalty for penalty in found if seat.operation not in penalty.spares)


class _Index:
    """The rows of one policy by item and by count, each put together when it is first asked for."""

    def __init__(self, table: Table, closing: _Closing) -> None:
        self.table = table
        self.closing = closing
        self._items: dict[str, list[Seat]] = {}

    def of(self, item: str) -> list[Seat]:
        """The rows of an item."""
        found = self._items.get(item)
        if found is None:
            found = self._items[item] = [
                Seat(name, item, row) for name, operation in self.table.operations.items() for row in operation.rows.get(item, ())]
        return found

    @cached_property
    def every(self) -> list[Seat]:
        """Every row."""
        return [
            Seat(name, item, row) for name, operation in self.table.operations.items() for item, variants in operation.rows.items()
            for row in variants]

    @cached_property
    def counts(self) -> dict[str, list[Seat]]:
        """By count, the rows that touch it."""
        found: dict[str, list[Seat]] = {}
        for seat in self.every:
            for name in dict.fromkeys(gauge.counter.name for gauge in seat.row.gauges):
                found.setdefault(name, []).append(seat)
        return found


_KEPT = 4
_newest: list[_Index] = []


def _index(table: Table) -> _Index:
    """Those of the tables last asked for are kept: a proof goes to and fro between a policy and a part of it."""
    if _newest and _newest[0].table is table:
        return _newest[0]
    found = next((one for one in _newest if one.table is table), None)
    if found is None:
        closing = next((one.closing for one in _newest if one.closing.counters is table.counters), None)
        found = _Index(table, closing or _Closing(table.counters))
    _newest[:] = [found, *(one for one in _newest if one is not found)][:_KEPT]
    return found
