"""A doubted clock: nodes say that they doubt it, others or an operator agree to it. One row of the ledger holds it all.

While a node doubts, the only works it decides are those that concern this row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sekisho.core.state import CLOCK, SECOND, Clock, decode
from sekisho.events import Event, EventKind
from sekisho.ports import Ledger, Store, Tx

AGREES_S = 2.0
"""How near the ledger's clock must be to a node's own wall clock for the node to agree to it."""


class Watch(Protocol):
    """What a node knows of its doubt."""

    node: str
    moved_s: float
    told: bool

    @property
    def doubting(self) -> bool:
        """Whether nothing may be granted."""

    def note_told(self, moved_s: float) -> None:
        """The doubt of a jump of that length is on record."""

    def stale(self) -> bool:
        """Whether the clocks should be compared though nobody asks for anything."""


class Doubt:
    """Say that a node doubts the ledger's clock."""

    keys: Sequence[str] = (CLOCK,)

    def __init__(self, node: str, moved_s: float) -> None:
        self._node = node
        self._moved_s = moved_s

    def decide(self, tx: Tx) -> None:
        """Put it on record, once for each jump."""
        row = tx.get(CLOCK, Clock) or Clock()
        if row.doubts.get(self._node) == round(self._moved_s):
            return
        row.doubts = {**row.doubts, self._node: round(self._moved_s)}
        tx.put(CLOCK, row)
        tx.tell(Event(EventKind.CLOCK_DOUBTED, CLOCK, reason=self._node, number=round(self._moved_s)))


class Look:
    """Nothing but a batch, in which the clocks are compared."""

    keys: Sequence[str] = (CLOCK,)

    def decide(self, tx: Tx) -> None:
        """Nothing."""


class TakeBack:
    """The clock goes again as it did: a node's doubt is over."""

    keys: Sequence[str] = (CLOCK,)

    def __init__(self, node: str) -> None:
        self._node = node

    def decide(self, tx: Tx) -> None:
        """Strike the node out."""
        row = tx.get(CLOCK, Clock)
        if row is not None and self._node in row.doubts:
            row.doubts = {node: moved for node, moved in row.doubts.items() if node != self._node}
            tx.put(CLOCK, row)


class Agree:
    """Agree to the ledger's time: an operator for everybody, a node for all others."""

    keys: Sequence[str] = (CLOCK,)

    def __init__(self, *, operator: str | None = None, node: str | None = None, reason: str | None = None) -> None:
        self._operator = operator
        self._node = node
        self._reason = reason

    def decide(self, tx: Tx) -> int:
        """Take the doubts back; how many there were. A node's own stands until somebody else agrees."""
        row = tx.get(CLOCK, Clock) or Clock()
        own = {node: moved for node, moved in row.doubts.items() if node == self._node}
        agreed = len(row.doubts) - len(own)
        if agreed:
            row.doubts = own
            tx.put(CLOCK, row)
            tx.tell(Event(EventKind.CLOCK_AGREED, CLOCK, operator=self._operator, reason=self._reason or self._node, number=agreed))
        return agreed


async def doubts(store: Store) -> dict[str, int]:
    """Which nodes doubt the ledger's clock, and how far each saw it jump, in seconds."""
    body = (await store.peek([CLOCK])).get(CLOCK)
    return {} if body is None else decode(body, Clock).doubts


async def mind(ledger: Ledger, store: Store, watch: Watch, wall: Callable[[], int]) -> None:
    """One turn: tell our doubt, take it back, agree to a time that others doubt and our own wall clock shows too.

    A store whose clock is this machine's own proves nothing to this machine: there only an operator can agree.
    """
    if watch.doubting and not watch.told:
        moved_s = watch.moved_s
        await ledger.run(Doubt(watch.node, moved_s))
        watch.note_told(moved_s)
    elif watch.told and not watch.doubting:
        await ledger.run(TakeBack(watch.node))
        watch.told = False
    elif watch.stale():
        await ledger.run(Look())
    if store.clock_is_ours:
        return
    others = set(await doubts(store)) - {watch.node}
    if others and abs(await store.clock() - wall()) <= AGREES_S * SECOND:
        await ledger.run(Agree(node=watch.node))
