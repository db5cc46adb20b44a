"""A store in memory: for tests, proofs and simulations. It passes the same contract as the durable ones."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import attrgetter

from sekisho.ports import Change, Link, Opened

_FIRST = attrgetter("first")
"""By which the links of a writer are in order."""


class MemoryStore:
    """Rows in a dictionary. `clock` gives microseconds since the epoch."""

    clock_is_ours = True

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._last = 0
        self._rows: dict[str, bytes] = {}
        self._due: dict[str, int] = {}
        self._chains: dict[int, list[Link]] = {}
        self._feed: list[tuple[int, bytes]] = []
        self._feed_gone = 0
        """Entries of the feed that were deleted; the number of those that are left goes on from there."""
        self._documents: dict[tuple[str, str], bytes] = {}

    async def begin(self, keys: Sequence[str], seen: Sequence[str] = (), *, patient: bool = True) -> Opened:
        """Begin: nothing else runs while one loop decides."""
        del patient
        clock = self._clock()
        rows = self._rows
        return Opened(max(clock, self._last + 1), {key: rows[key] for key in (*keys, *seen) if key in rows}, clock=clock)

    async def commit(self, change: Change) -> None:
        """Take over all changes at once."""
        for key, body, due in change.rows:
            if body is None:
                self._rows.pop(key, None)
                self._due.pop(key, None)
                continue
            self._rows[key] = body
            if due is not None:
                self._due[key] = due
        if change.link is not None:
            self._chains.setdefault(change.link.writer, []).append(change.link)
        self._last = max(self._last, change.at)
        self._feed.extend(change.feed)

    async def rollback(self) -> None:
        """Nothing was changed before `commit`."""

    async def peek(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Read without a transaction."""
        return {key: self._rows[key] for key in keys if key in self._rows}

    async def due(self, prefix: str, now: int, limit: int) -> list[str]:
        """Keys whose time has come."""
        found = sorted((at, key) for key, at in self._due.items() if at <= now and key.startswith(prefix))
        return [key for _, key in found[:limit]]

    async def rows(self, prefix: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """Rows in the order of their keys."""
        return sorted((key, body) for key, body in self._rows.items() if key.startswith(prefix) and key > after)[:limit]

    async def link(self, writer: int, sequence: int) -> Link | None:
        """The link that holds this event."""
        chain = self._chains.get(writer, [])
        at = bisect_right(chain, sequence, key=_FIRST)
        return chain[at - 1] if at and sequence < chain[at - 1].first + chain[at - 1].number else None

    async def chain(self, writer: int, after: int, limit: int) -> list[Link]:
        """A writer's links in order."""
        chain = self._chains.get(writer, [])
        at = bisect_right(chain, after, key=_FIRST)
        return chain[at:at + limit]

    async def feed(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """What channels are told; the number is the place in the feed."""
        after = max(after, self._feed_gone)
        start = after - self._feed_gone
        return [(after + n + 1, body) for n, (_, body) in enumerate(self._feed[start:start + limit])]

    async def writers(self) -> list[int]:
        """All writers."""
        return sorted(self._chains)

    async def new_writer(self, name: str) -> int:
        """Register a writer."""
        del name
        number = len(self._chains) + 1
        self._chains[number] = []
        return number

    async def document(self, kind: str, name: str) -> bytes | None:
        """A stored document."""
        return self._documents.get((kind, name))

    async def documents(self, kind: str) -> list[str]:
        """The names of the documents of a kind."""
        return sorted(name for found, name in self._documents if found == kind)

    async def keep_document(self, kind: str, name: str, body: bytes) -> None:
        """Store a document once."""
        self._documents.setdefault((kind, name), body)

    async def forget_links(self, writer: int, through: int, limit: int) -> int:
        """Delete the oldest links of a writer."""
        old = [link for link in self._chains[writer][:limit] if link.first <= through]
        del self._chains[writer][:len(old)]
        return len(old)

    async def forget_feed(self, before: int, limit: int) -> int:
        """Delete the oldest entries of the feed."""
        old = [at for at, _ in self._feed[:limit] if at < before]
        del self._feed[:len(old)]
        self._feed_gone += len(old)
        return len(old)

    async def forget_documents(self, kind: str, through: str, limit: int) -> int:
        """Delete documents of a kind."""
        old = [name for name in await self.documents(kind) if name <= through][:limit]
        for name in old:
            del self._documents[kind, name]
        return len(old)

    async def clock(self) -> int:
        """The time."""
        return max(self._clock(), self._last)

    async def close(self) -> None:
        """Nothing to let go of."""
