"""The lines of an import, read and checked one by one: every fault is told with its place, and never with what was written there."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec

from sekisho.core.state import SECOND, Secret
from sekisho.core.takeover import legacy
from sekisho.errors import CallerError
from sekisho.flows.names import checked_subject
from sekisho.flows.subjects import SUBJECTS
from sekisho.policy.table import Table
from sekisho.terms import ItemKind

COLUMNS = ("what", "subject", "name", "value", "item")
"""The columns of the CSV form, and the fields of the JSON form, in this order."""

WRONG_MAX = 1_000_000
"""Highest count that is taken over."""

HASHED = frozenset({ItemKind.PASSWORD, ItemKind.PIN, ItemKind.PASSCODE})
"""Kinds of items whose hashes are taken over."""


class Line(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One line as it was written."""

    what: str
    subject: str
    name: str = ""
    value: str = ""
    item: str = ""


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with one line."""

    line: int
    column: str
    text: str
    """What is wrong; what would be right."""
    part: int = 1
    """Which part of the import the line is in, where it came in several."""


class Entry(msgspec.Struct, omit_defaults=True):
    """One line that was read: what it says, without a hash as it was written."""

    line: int
    what: str
    subject: str
    name: str = ""
    item: str | None = None
    number: int = 0
    """For a count: wrong entries. For a lock: since when, microseconds; 0: not known."""
    secret: Secret | None = None
    """For a hash: the record that is kept of it."""
    part: int = 1

    def fault(self, column: str, text: str) -> Fault:
        """What is wrong with it."""
        return Fault(self.line, column, text, self.part)


Adopt = Callable[[str, str], Secret]
"""Makes a record of a hash (kind, encoded); CallerError: not one that may be taken over."""


def csv_lines(text: str) -> Iterator[tuple[int, Line | Fault]]:
    """The lines of a CSV file (RFC 4180) with their numbers; the first one names the columns."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    header = "the first line names the columns: " + ",".join(COLUMNS)
    try:
        if tuple(next(reader, [])) != COLUMNS:
            yield 1, Fault(1, "what", header)
            return
        for cells in reader:
            number = reader.line_num
            if not cells:
                continue
            if len(cells) > len(COLUMNS) or len(cells) < 2:
                yield number, Fault(number, "what", f"a line has the {len(COLUMNS)} columns that the first line names; quote a comma within a value")
            else:
                yield number, Line(*cells)
    except csv.Error:
        yield reader.line_num, Fault(reader.line_num, "what", "this is not CSV from here on; a quote is doubled and closed")


class Reader:
    """Reads lines under one policy.

    Args:
        table: the policy in force.
        adopt: makes a record of a hash.
        now: the ledger's time, microseconds.

    """

    def __init__(self, table: Table, adopt: Adopt, now: int) -> None:
        self._table = table
        self._adopt = adopt
        self._now = now
        self.entries: list[Entry] = []
        self.faults: list[Fault] = []

    def read(self, lines: Iterable[tuple[int, Line | Fault]]) -> None:
        """Read them all: what is right is in `entries` afterwards, what is not in `faults`."""
        for number, line in lines:
            if isinstance(line, Fault):
                self.faults.append(line)
                continue
            try:
                self.entries.append(self._entry(number, line))
            except _Wrong as no:
                self.faults.append(Fault(number, no.column, no.text))

    def _entry(self, number: int, line: Line) -> Entry:
        read = _KINDS.get(line.what)
        if read is None:
            raise _Wrong("what", "there is no such kind of line; there are " + ", ".join(_KINDS))
        entry = Entry(number, line.what, self._subject("subject", line.subject), line.name)
        read(self, line, entry)
        return entry

    def _subject(self, column: str, name: str) -> str:
        try:
            kind = checked_subject(name).partition(":")[0]
        except CallerError as no:
            raise _Wrong(column, f"that is not the name of a subject; {no}") from None
        if kind not in SUBJECTS:
            raise _Wrong(column, "nothing can be taken over for that kind of subject; the kinds are " + ", ".join(sorted(SUBJECTS)))
        return name

    def _enrolled(self, line: Line, _entry: Entry) -> None:
        _empty(line, "name", "value", "item")

    def _link(self, line: Line, _entry: Entry) -> None:
        _empty(line, "value", "item")
        linked = self._subject("name", line.name)
        if linked.partition(":")[0] == line.subject.partition(":")[0]:
            raise _Wrong("name", "a link goes to a subject of another kind, as from a customer to his account")

    def _registered(self, line: Line, _entry: Entry) -> None:
        _empty(line, "value", "item")
        if not line.subject.startswith("customer:") or not self._subject("name", line.name).startswith("account:"):
            raise _Wrong("name", "a customer registers an account for use: customer:… in subject, account:… in name")

    def _flag(self, line: Line, _entry: Entry) -> None:
        _empty(line, "value", "item")
        table = self._table
        known = {*table.flags, *(f"exemption:{name}" for name in table.exemptions), *(f"first-time:{name}" for name in table.items)}
        if line.name not in known:
            raise _Wrong("name", "the policy has no such flag; it has " + ", ".join(sorted({*table.flags, "exemption:NAME", "first-time:ITEM"})))

    def _count(self, line: Line, entry: Entry) -> None:
        counter = self._table.counters.get(line.name)
        if counter is None or counter.base is not None:
            raise _Wrong("name", "the policy has no counter of that name; `sekisho policy show` lists them")
        self._of_kind(line, counter.reach.value)
        if not line.value.isascii() or not line.value.isdigit() or not 1 <= int(line.value[:8]) <= WRONG_MAX or len(line.value) > 7:
            raise _Wrong("value", f"a count is a whole number from 1 to {WRONG_MAX}; where nothing stands leave the line out")
        entry.number = int(line.value)
        if line.item and line.item not in self._items_of(line.name):
            raise _Wrong("item", "no entry of that item is counted there; leave it empty where the item is not known")
        entry.item = line.item or None

    def _items_of(self, counter: str) -> set[str]:
        rows = (row for operation in self._table.operations.values() for variants in operation.rows.values() for row in variants)
        return {row.item for row in rows if any(gauge.counter.name == counter for gauge in row.gauges)}

    def _lock(self, line: Line, entry: Entry) -> None:
        _empty(line, "item")
        found = legacy(self._table, line.name, line.subject.partition(":")[0])
        if found is None:
            raise _Wrong("name", "the policy has no row of that id that leaves a lock on this kind of subject; `sekisho policy show` lists them")
        entry.number = 0 if not line.value else self._time(line.value)
        if found.timed_s is not None and not line.value:
            raise _Wrong("value", "that lock ends by itself: the time since when it stands is needed, as 2019-04-20T09:00:00+09:00")
        if found.timed_s is not None and entry.number + found.timed_s * SECOND <= self._now:
            raise _Wrong("value", "that lock has ended by now; leave the line out")

    def _time(self, value: str) -> int:
        try:
            at = datetime.fromisoformat(value)
            since = int(at.timestamp() * SECOND) if at.tzinfo is not None else 0
        except (ValueError, OverflowError):
            since = 0
        if not 0 < since <= self._now:
            raise _Wrong("value", "a time in the past with its zone is needed, as 2019-04-20T09:00:00+09:00")
        return since

    def _hash(self, line: Line, entry: Entry) -> None:
        _empty(line, "item")
        item = self._table.items.get(line.name)
        if item is None or item.abolished is not None or item.kind not in HASHED:
            raise _Wrong("name", "the policy has no such item that is kept as a hash: a password, a PIN or a passcode")
        self._of_kind(line, item.reach.value)
        try:
            entry.secret = self._adopt(item.kind.value, line.value)
        except CallerError as no:
            raise _Wrong("value", str(no)) from None

    @staticmethod
    def _of_kind(line: Line, reach: str) -> None:
        if reach not in SUBJECTS:
            raise _Wrong("name", "that is counted on what ends by itself; leave the line out")
        if not line.subject.startswith(f"{reach}:"):
            raise _Wrong("subject", f"this stands on the {reach}: {reach}:…")


class _Wrong(Exception):
    def __init__(self, column: str, text: str) -> None:
        super().__init__(text)
        self.column = column
        self.text = text


def _empty(line: Line, *columns: str) -> None:
    for column in columns:
        if getattr(line, column):
            raise _Wrong(column, f"a line of the kind `{line.what}` has nothing here; leave it empty")


_KINDS: dict[str, Callable[[Reader, Line, Entry], None]] = {
    "subject": Reader._enrolled, "link": Reader._link, "account": Reader._registered, "flag": Reader._flag,  # noqa: SLF001  its own table
    "count": Reader._count, "lock": Reader._lock, "hash": Reader._hash,  # noqa: SLF001  as above
}
