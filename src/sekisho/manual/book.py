"""How the article is cut: operations with their entries, limits over all of them, counts that several rows share, and where a row stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sekisho.policy.table import KNOWN, UNKNOWN, Condition, Counter, Gauge, Operation, Row, Stage, Table

STOP_ROW, SUSPENSION_ROW, INCIDENT_ROW = "M-STOP-1", "Y-RULE-5", "M-BULK-1"
"""Rows that stand in no operation: the emergency stop, the customer's own suspension, and locks by the bank's own fault."""

OTHER_LOCKS = "other-locks"
"""Where a lock is explained whose row the policy in force has no more, or never had: one that an older policy left, say."""

OPERATION = "operation/"
"""Before the name of an operation: its page."""

LIMITS, WAYS, CHECKED, INDEX = "limits", "ways", "check", "index"


class Count(NamedTuple):
    """One stage as one row touches it."""

    gauge: Gauge
    stage: Stage


class Entry(NamedTuple):
    """One row of the table, or one variant of it."""

    row: Row
    anchor: str
    """Its place on the page: the row's id, with a number from the second variant on."""
    counts: tuple[Count, ...]
    """The stages that the row itself states."""
    limits: tuple[str, ...]
    """Names of the counts over all operations that it is counted in too."""
    with_: tuple[str, ...]
    """Ids of other rows that the same count is for."""
    when: tuple[Condition, ...]
    """For whom it is asked, and for whom this variant holds."""


class Section(NamedTuple):
    """One operation."""

    operation: Operation
    entries: tuple[Entry, ...]


class Limit(NamedTuple):
    """A count over every operation that takes an item; no row states it."""

    counter: Counter
    items: tuple[str, ...]
    operations: tuple[str, ...]
    counts: tuple[Count, ...]


class Shared(NamedTuple):
    """A count that wrong entries of several rows are put into."""

    counter: Counter
    rows: tuple[Row, ...]


class Book:
    """One policy, cut into what the article shows."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.rows = [row for one in table.operations.values() for rows in one.rows.values() for row in rows]
        self.sections = tuple(self._section(one) for one in table.operations.values())
        self.limits = tuple(self._limits())
        self.shared = tuple(self._shared())
        self._places = dict(self._placed())
        self.by_id = {name: row for row in reversed(self.rows) for name in (row.id, *row.also)}
        """Rows by their ids; of several variants the first."""

    def place(self, row: str) -> tuple[str, str]:
        """The page and the place on it where a row, or what a lock names as one, is explained; the index where it is gone."""
        return self._places.get(row, (INDEX, ""))

    def place_of_lock(self, row: str) -> tuple[str, str]:
        """The same for a lock that stands: there is none that is explained nowhere."""
        return self._places.get(row, (WAYS, OTHER_LOCKS))

    def section(self, name: str) -> Section:
        """One operation's."""
        return next(one for one in self.sections if one.operation.name == name)

    def _section(self, operation: Operation) -> Section:
        entries: list[Entry] = []
        for row in (row for rows in operation.rows.values() for row in rows):
            before = sum(one.row.id == row.id for one in entries)
            entries.append(self._entry(row, f"{row.id}-{before + 1}" if before else row.id))
        return Section(operation, tuple(entries))

    def _entry(self, row: Row, anchor: str) -> Entry:
        own = tuple(count for gauge in row.gauges for count in counts_of(gauge) if _states(row, count))
        limits = [gauge.counter.name for gauge in row.gauges if not any(count.gauge.counter is gauge.counter for count in own)]
        limits += [one.name for one in row.bank]
        shared = {name for count in own if "@" not in count.gauge.counter.name for name in (count.stage.row, *count.stage.also)}
        asked = [one for step in self.table.operations[row.operation].steps if row.item in step.items for one in step.when]
        return Entry(row, anchor, own, tuple(limits), tuple(sorted(shared - {row.id})), tuple(dict.fromkeys([*asked, *row.when])))

    def _limits(self) -> Iterator[Limit]:
        for name, counter in self.table.counters.items():
            touching = [row for row in self.rows if any(one.counter.name == name for one in row.gauges) or any(one.name == name for one in row.bank)]
            gauges = [gauge for row in touching for gauge in row.gauges if gauge.counter.name == name]
            if counter.base is None and touching and not any(_states(row, Count(gauge, stage)) for row in touching for gauge in gauges
                                                             for stage in counter.stages):
                gauge = gauges[0] if gauges else Gauge(counter, about=False, devices=UNKNOWN)
                yield Limit(
                    counter, tuple(dict.fromkeys(row.item for row in touching)), tuple(dict.fromkeys(row.operation for row in touching)),
                    counts_of(gauge))

    def _shared(self) -> Iterator[Shared]:
        for name, counter in self.table.counters.items():
            found = {
                (row.id, row.item): row for section in self.sections for entry in section.entries for row in [entry.row]
                if any(count.gauge.counter.name == name for count in entry.counts)}
            if len(found) > 1 and "@" not in name:
                yield Shared(counter, tuple(found.values()))

    def _placed(self) -> Iterator[tuple[str, tuple[str, str]]]:
        """Later ones give way to earlier ones, so they are told in the opposite order."""
        for section in reversed(self.sections):
            page = OPERATION + section.operation.name
            yield section.operation.name, (page, "")
            for entry in reversed(section.entries):
                for count in entry.counts:
                    yield count.stage.row, (page, entry.anchor)
            for entry in reversed(section.entries):
                for name in (entry.row.id, *entry.row.also):
                    yield name, (page, entry.anchor)
        for limit in self.limits:
            for count in limit.counts:
                yield count.stage.row, (LIMITS, limit.counter.name)
            yield limit.counter.name, (LIMITS, limit.counter.name)
        for row in (*self.table.abolished, STOP_ROW, SUSPENSION_ROW, INCIDENT_ROW, OTHER_LOCKS):
            yield row, (WAYS, row)
        for name in self.table.paths:
            yield f"way:{name}", (WAYS, f"way-{name}")


def counts_of(gauge: Gauge) -> tuple[Count, ...]:
    """The stages of a count as a row touches it; those of a known device's share after them."""
    known = gauge.counter.shares[0].stages if gauge.counter.shares else ()
    return (
        *(Count(gauge, stage) for stage in gauge.counter.stages),
        *(Count(Gauge(gauge.counter, gauge.about, devices=KNOWN), stage) for stage in known))


def _states(row: Row, count: Count) -> bool:
    """Whether a row states a stage itself; else it is a limit that holds over the row."""
    return "@" in count.gauge.counter.name or row.id in {count.stage.row, *count.stage.also}
