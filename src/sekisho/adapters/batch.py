"""One batch: the rows that its works look at, decoded once, and all that they want written."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from sekisho.core import chain
from sekisho.core.state import Guard, Procedure, Session, decode, encode
from sekisho.events import FOR_CHANNELS, Event, FeedItem
from sekisho.policy.table import Table
from sekisho.ports import Change, Link, Opened

S = TypeVar("S", bound=msgspec.Struct)

_event_bytes = msgspec.msgpack.Encoder().encode
_feed_bytes = msgspec.json.Encoder().encode

_WITH_HISTORY = frozenset({Guard, Procedure})


class BatchTx:
    """One batch's rows, decoded once, and what it will write."""

    __slots__ = ("_changed", "_due", "_gone", "_raw", "_rows", "_sequence", "events", "feed", "now", "table", "writer")

    def __init__(self, opened: Opened, table: Table, writer: int, sequence: int) -> None:
        self.now = opened.now
        self.table = table
        self.writer = writer
        self.events: list[Event] = []
        self.feed: list[FeedItem] = []
        self._raw = opened.rows
        self._rows: dict[str, Any] = {}
        self._changed: set[str] = set()
        self._gone: set[str] = set()
        self._due: dict[str, int] = {}
        self._sequence = sequence

    def get(self, key: str, kind: type[S]) -> S | None:
        """The row, decoded at its first use in the batch."""
        rows = self._rows
        if key in rows:
            return rows[key]  # type: ignore[no-any-return]  # a key is asked for as one kind only
        body = self._raw.get(key)
        row = rows[key] = None if body is None else decode(body, kind)
        return row

    def put(self, key: str, row: msgspec.Struct, due: int | None = None) -> None:
        """Write the row with this batch."""
        self._rows[key] = row
        self._changed.add(key)
        if self._gone:
            self._gone.discard(key)
        if due is not None:
            self._due[key] = due

    def drop(self, key: str) -> None:
        """Delete the row with this batch."""
        self._rows[key] = None
        self._changed.discard(key)
        self._gone.add(key)

    def tell(self, event: Event, named: str | None = None) -> None:
        """Record a fact, chained to the one before it about the same subject."""
        self._sequence += 1
        event.at = self.now
        about = self._rows.get(event.subject)
        if about is not None and about.__class__ in _WITH_HISTORY:
            event.previous = about.event
            about.event = (self.writer, self._sequence)
            self._changed.add(event.subject)
        self.events.append(event)
        if event.kind in FOR_CHANNELS:
            self._feed(event, named)

    def _feed(self, event: Event, named: str | None) -> None:
        """Tell the channels: of a stranger like of anybody, and of a session by its name only to whoever it belongs to."""
        subject = named or event.subject
        if subject.startswith("~"):
            return
        session = self._rows.get(event.session) if event.session else None
        owner = name = None
        if isinstance(session, Session) and event.session is not None:
            owner, name = session.owner, session.name or event.session.partition(":")[2]
        self.feed.append(FeedItem(event.kind, event.at, subject, name, event.lock, owner))

    def change(self, key: bytes, mac: bytes) -> Change:
        """All that is to be written."""
        rows, due = self._rows, self._due
        written: list[tuple[str, bytes | None, int | None]] = [(name, encode(rows[name]), due.get(name)) for name in self._changed]
        written.extend((name, None, None) for name in self._gone)
        return Change(written, self._link(key, mac), [(item.at, _feed_bytes(item)) for item in self.feed], self.now)

    def _link(self, key: bytes, mac: bytes) -> Link | None:
        if not self.events:
            return None
        body = _event_bytes(self.events)
        first = self._sequence - len(self.events) + 1
        return Link(self.writer, first, len(self.events), self.now, body, chain.link(key, mac, chain.place(self.writer, first) + body))
