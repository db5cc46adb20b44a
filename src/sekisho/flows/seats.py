"""Operators at their screens: who has signed in with which key, since when, and whether somebody still sits there.

A seat is a row of the ledger, so that every node knows it, signing out ends it everywhere, and a restart ends nobody's work. The
browser keeps its name; the row is kept under a digest of that, so that whoever reads the database can take no seat.
"""

from __future__ import annotations

import hashlib
import secrets as chance
from collections.abc import Sequence

import msgspec

from sekisho.core.state import FORMAT, SECOND, decode
from sekisho.events import Event, EventKind
from sekisho.ports import ApiKey, Ledger, Store, Tx

PREFIX = "seat:"

SHIFT_S = 12 * 3600
"""The longest that somebody stays signed in. Seconds."""

IDLE_S = 15 * 60
"""After so long without a page she is signed out (PCI DSS 4.0.1, 8.2.8). Seconds."""

NOTED_S = 60
"""How exactly it is known when somebody was last there, so that looking at a page writes nothing most of the time. Seconds."""


class Seat(msgspec.Struct, omit_defaults=True):
    """One operator at her screen."""

    v: int = FORMAT
    key: str = ""
    """The id of the API key she signed in with: when it is retired she is out."""
    operator: str = ""
    began: int = 0
    seen: int = 0

    def over(self) -> int:
        """When it ends if nobody does anything more."""
        return min(self.began + SHIFT_S * SECOND, self.seen + (IDLE_S + NOTED_S) * SECOND)


def seat_key(name: str) -> str:
    """The row of a seat."""
    return PREFIX + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


class _Take:
    """Sign in."""

    def __init__(self, key: str, who: ApiKey) -> None:
        self.keys: Sequence[str] = [key]
        self._who = who

    def decide(self, tx: Tx) -> None:
        """Take the seat."""
        seat = Seat(key=self._who.id, operator=self._who.operator, began=tx.now, seen=tx.now)
        tx.put(self.keys[0], seat, due=seat.over())
        tx.tell(Event(EventKind.SIGNED_IN, f"operator:{seat.operator}", operator=seat.operator))


class _Stay:
    """Somebody is still there."""

    def __init__(self, key: str) -> None:
        self.keys: Sequence[str] = [key]

    def decide(self, tx: Tx) -> None:
        """Note it, unless the seat has been left meanwhile."""
        seat = tx.get(self.keys[0], Seat)
        if seat is not None and tx.now < seat.over():
            seat.seen = tx.now
            tx.put(self.keys[0], seat, due=seat.over())


class _Leave:
    """Sign out."""

    def __init__(self, key: str) -> None:
        self.keys: Sequence[str] = [key]

    def decide(self, tx: Tx) -> None:
        """Leave the seat."""
        seat = tx.get(self.keys[0], Seat)
        if seat is not None:
            tx.drop(self.keys[0])
            tx.tell(Event(EventKind.SIGNED_OUT, f"operator:{seat.operator}", operator=seat.operator))


class Seats:
    """All seats.

    Args:
        ledger: where they are put on record.
        store: the same ledger's store.

    """

    def __init__(self, ledger: Ledger, store: Store) -> None:
        self._ledger = ledger
        self._store = store

    async def take(self, who: ApiKey) -> str:
        """Somebody signs in: always under a new name, so that nobody can have laid one out for her."""
        name = chance.token_urlsafe(32)
        await self._ledger.run(_Take(seat_key(name), who))
        return name

    async def at(self, name: str) -> Seat | None:
        """Who sits there; None: nobody, or nobody any more."""
        key = seat_key(name)
        body = (await self._store.peek([key])).get(key)
        seat = None if body is None else decode(body, Seat)
        now = await self._store.clock()
        if seat is None or now >= seat.over():
            return None
        if now >= seat.seen + NOTED_S * SECOND:
            await self._ledger.run(_Stay(key))
        return seat

    async def leave(self, name: str) -> None:
        """She signs out."""
        await self._ledger.run(_Leave(seat_key(name)))


def is_needed(seat: Seat | None, now: int) -> bool:
    """Whether somebody has come back since the row was found to be due."""
    return seat is not None and now < seat.over()
