"""The SQLite store's journal: what a process knows of the rows, and how what was appended is folded into their table.

A batch appends one record. Once enough rows have changed, a sweep goes over them in the order of their keys, some with
each batch, so that neighbours share a page and no batch waits for all of them; at its end the records it covers are
deleted. Whoever reads a row takes what the journal says of it, so it does not matter how far a sweep has come. Why:
`docs/why/journal.md`.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import apsw
import msgspec

FOLD_AT = 8_192
"""Changed rows kept in the journal before a sweep begins."""

SLICE = 640
"""Rows that a sweep folds with one batch: more than a batch changes, so that it comes to its end."""

REMEMBER = 65_536
"""Rows a process remembers at the most, changed or read."""

_JOURNAL = "SELECT number, body FROM journal WHERE number > ? ORDER BY number"
_APPEND = "INSERT INTO journal (number, body) VALUES (?, ?)"
_WRITE = "INSERT INTO row (key, body) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET body = excluded.body"
_WRITE_DUE = "INSERT INTO row (key, body, due) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET body = excluded.body, due = excluded.due"
_DROP = "DELETE FROM row WHERE key = ?"
_FOLDED = "SELECT number, at FROM folded"
_FORGET = "DELETE FROM journal WHERE number <= ?"
_FOLD = "UPDATE folded SET number = ?, at = ?"

Changed = tuple[str, bytes | None, int | None]
_record_bytes = msgspec.msgpack.Encoder().encode
_record = msgspec.msgpack.Decoder(tuple[int, list[Changed]]).decode


class Journal:
    """What this process knows of the rows: what was written and not yet folded in, and what it has read.

    A row can change only by a record of the journal, so what is known stays true while every record is taken in. Where
    another process has folded in a record that this one never saw, all is forgotten and read anew.
    """

    def __init__(self) -> None:
        self.bodies: dict[str, bytes | None] = {}
        """Rows as they are now; None for one that is not there."""
        self.changed: dict[str, int] = {}
        """Those of them that are not surely folded in, with the number of the record that changed them last."""
        self.due: dict[str, int | None] = {}
        """When they fall due, where that was changed; None: never any more."""
        self._falling: list[tuple[int, str]] = []
        """The same as a heap, soonest first. What `due` does not say any more does not hold."""
        self._fallen: dict[str, int] = {}
        """What was taken from the heap because its time had come."""
        self.at = 0
        """The newest time that any process has decided at: no decision is made before it."""
        self._seen = 0
        self._folded = 0
        self._sweep: list[str] = []
        """Keys still to be folded, the next one last."""
        self._sweep_until = 0
        """The last record that the sweep covers."""

    def catch_up(self, cursor: apsw.Cursor) -> None:
        """Take in what others have appended. Runs inside a transaction: all it reads belongs together."""
        folded, at = cursor.execute(_FOLDED).fetchone()  # type: ignore[misc]  # there is always one row
        if folded != self._folded:
            self._follow_fold(folded)
            self.at = max(self.at, at)
        appended: list[tuple[int, bytes]] = cursor.execute(_JOURNAL, (self._seen,)).fetchall()  # type: ignore[assignment]  # by the schema
        for number, body in appended:
            self._take(number, *_record(body))
        if len(self.bodies) > REMEMBER:
            self.bodies = {key: self.bodies[key] for key in self.changed}

    def _follow_fold(self, folded: int) -> None:
        """Records were folded in, by us or by another process."""
        if folded > self._seen or self._seen < 0:
            self.forget()
            self._seen = folded
        self._folded = folded
        self.changed = {key: number for key, number in self.changed.items() if number > folded}
        self.due = {key: due for key, due in self.due.items() if key in self.changed}
        self._heap_up()
        if self._sweep_until <= folded:
            self._sweep.clear()

    def append(self, cursor: apsw.Cursor, at: int, rows: list[Changed]) -> int:
        """Write a record and fold some older ones; the number to take it in by once it is durable. Inside a transaction."""
        if not self._sweep and len(self.changed) >= FOLD_AT:
            self._sweep = sorted(self.changed, reverse=True)
            self._sweep_until = self._seen
        if self._sweep:
            self._fold_some(cursor)
        number = self._seen + 1
        cursor.execute(_APPEND, (number, _record_bytes((at, rows))))
        return number

    def _fold_some(self, cursor: apsw.Cursor) -> None:
        # What another process has folded in meanwhile is no longer among the changed.
        keys = [key for key in self._sweep[-SLICE:] if key in self.changed]
        del self._sweep[-SLICE:]
        bodies, due = self.bodies, self.due
        cursor.executemany(_DROP, [(key,) for key in keys if bodies[key] is None])
        cursor.executemany(_WRITE, [(key, bodies[key]) for key in keys if bodies[key] is not None and key not in due])
        cursor.executemany(_WRITE_DUE, [(key, bodies[key], due[key]) for key in keys if bodies[key] is not None and key in due])
        if not self._sweep:
            cursor.execute(_FORGET, (self._sweep_until,))
            cursor.execute(_FOLD, (self._sweep_until, self.at))

    def take_own(self, number: int, at: int, rows: list[Changed]) -> None:
        """The record that `append` wrote is durable. Whoever reads beside us may have found it already."""
        self._take(number, at, rows)

    def _take(self, number: int, at: int, rows: list[Changed]) -> None:
        self.at = max(self.at, at)
        bodies, changed, falls_due = self.bodies, self.changed, self.due
        for key, body, due in rows:
            bodies[key] = body
            changed[key] = number
            if due is not None:
                falls_due[key] = due
                heappush(self._falling, (due, key))
            elif body is None:
                falls_due[key] = None
        self._seen = number

    def fallen_due(self, now: int) -> dict[str, int]:
        """Rows whose time has come, as far as the journal says when."""
        if len(self._falling) > 2 * len(self.due) + FOLD_AT:
            self._heap_up()
        falling, due = self._falling, self.due
        while falling and falling[0][0] <= now:
            at, key = heappop(falling)
            if due.get(key) == at:
                self._fallen[key] = at
        self._fallen = {key: at for key, at in self._fallen.items() if due.get(key) == at and self.bodies[key] is not None}
        return {key: at for key, at in self._fallen.items() if at <= now}

    def _heap_up(self) -> None:
        self._fallen = {}
        self._falling = [(at, key) for key, at in self.due.items() if at is not None]
        heapify(self._falling)

    def forget(self) -> None:
        """What is known may not be what is on disk: read it all again."""
        self.bodies.clear()
        self.changed.clear()
        self.due.clear()
        self._heap_up()
        self._sweep.clear()
        self._seen = self._folded = -1
