"""Messages on their way: each waits in the ledger since the commit that wanted it, and is handed over by whichever node is first.

That it is tried is on record before it is handed over. A node that dies in between loses its lease, and the message is
handed over once more: twice is harmless, since it carries the same code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from sekisho.catalogue import say
from sekisho.core import delivery
from sekisho.core.challenge import label_of
from sekisho.core.delivery import OVER, Course, course, may_follow
from sekisho.core.state import SECOND, Addresses, Outgoing, Procedure, decode
from sekisho.flows.addresses import DAY_S, addresses_key
from sekisho.policy.table import Text
from sekisho.ports import Channels, Codes, Handed, Ledger, Message, Store, Tx
from sekisho.terms import Way

LEASE_S = 60
"""How long one node may take over handing a message over."""

WAITS_S = (15, 30, 60, 120)
"""Before a message that was put off is tried again; then every time the last."""

AT_ONCE = 100
"""Messages handed over in one turn."""

PREFIX = "outbox:"

NOBODY_THERE = Handed(accepted=True, said="")
"""What is noted for a stranger's message."""


def outbox_key(name: str) -> str:
    """The row of a message."""
    return PREFIX + name


def stands(row: Outgoing) -> Course:
    """Where a message stands."""
    return course(what for _, what, _ in row.trace)


class Taken(NamedTuple):
    """A message that this node is to hand over."""

    row: Outgoing
    to: str | None
    """None: the address is not on file."""
    operation: Text


class _Take:
    """Note that a message is tried now; what to hand over, and where to."""

    def __init__(self, key: str, row: Outgoing) -> None:
        self.keys: Sequence[str] = [key, addresses_key(row.subject), *([row.procedure] if row.procedure else [])]

    def decide(self, tx: Tx) -> Taken | None:
        """None: there is nothing to do about it now."""
        row = tx.get(self.keys[0], Outgoing)
        if row is None or row.challenge is None or stands(row) in OVER or _is_leased(row, tx.now):
            return None
        if tx.now >= row.challenge.until:
            _note(tx, self.keys[0], row, delivery.LAPSED, "")
            return None
        row.trace = [*row.trace, (tx.now, delivery.TRIED, "")]
        tx.put(self.keys[0], row, due=tx.now + LEASE_S * SECOND)
        book = tx.get(self.keys[1], Addresses) or Addresses()
        run = tx.get(row.procedure, Procedure) or Procedure()
        to = next((one.to for one in (*book.known, *run.addresses) if one.id == row.challenge.address), None)
        operation = tx.table.operations.get(row.operation)
        return Taken(msgspec.structs.replace(row), to, operation.text if operation else Text("", ""))


def _is_leased(row: Outgoing, now: int) -> bool:
    return stands(row) is Course.BEING_SENT and now < row.trace[-1][0] + LEASE_S * SECOND


class _Note:
    """Note what came of handing it over."""

    def __init__(self, key: str, handed: Handed) -> None:
        self.keys: Sequence[str] = [key]
        self._handed = handed

    def decide(self, tx: Tx) -> None:
        """Late news too, where it can be true."""
        row = tx.get(self.keys[0], Outgoing)
        what = delivery.ACCEPTED if self._handed.accepted else delivery.PUT_OFF if self._handed.again else delivery.REFUSED
        if row is not None and may_follow(stands(row), what):
            _note(tx, self.keys[0], row, what, self._handed.said)


def _note(tx: Tx, key: str, row: Outgoing, what: str, said: str) -> None:
    row.trace = [*row.trace, (tx.now, what, said)]
    if stands(row) in OVER:
        kept_s = DAY_S if row.nowhere else tx.table.retention_s.get("mail-traces", DAY_S)
        tx.put(key, row, due=tx.now + kept_s * SECOND)
        return
    tries = sum(event == delivery.TRIED for _, event, _ in row.trace)
    tx.put(key, row, due=tx.now + WAITS_S[min(tries, len(WAITS_S)) - 1] * SECOND)


class Outbox:
    """This node's part in carrying messages.

    Args:
        ledger: where their course is put on record.
        store: the same ledger's store.
        codes: makes the code of a message when it is handed over.
        channels: the ways to customers; none: this node sends nothing and takes nothing on.

    """

    def __init__(self, ledger: Ledger, store: Store, codes: Codes, channels: Channels) -> None:
        self.wake = asyncio.Event()
        """Set when a message was put in."""
        self._ledger = ledger
        self._store = store
        self._codes = codes
        self._channels = channels

    def carries(self, way: Way) -> bool:
        """Whether messages can go this way from here."""
        return way in self._channels

    async def deliver(self) -> int:
        """Hand over what is due; how many messages were looked at."""
        if not self._channels:
            return 0
        keys = await self._store.due(PREFIX, await self._store.clock(), AT_ONCE)
        rows = await self._store.peek(keys)
        found = [(key, decode(rows[key], Outgoing)) for key in keys if key in rows]
        pending = [(key, row) for key, row in found if stands(row) not in OVER]
        await asyncio.gather(*(self._deliver(key, row) for key, row in pending))
        return len(pending)

    async def _deliver(self, key: str, row: Outgoing) -> None:
        taken = await self._ledger.run(_Take(key, row))
        if taken is None:
            return
        await self._ledger.run(_Note(key, NOBODY_THERE if taken.row.nowhere else await self._hand_over(key, taken)))

    async def _hand_over(self, key: str, taken: Taken) -> Handed:
        row = taken.row
        code = self._codes.code(row.challenge) if row.challenge else None
        channel = self._channels.get(row.way)
        if taken.to is None:
            return Handed(accepted=False, said="the address is no longer on file")
        if code is None:
            return Handed(accepted=False, said="the key of its code is gone")
        if channel is None:
            return Handed(accepted=False, said="this node has no such channel", again=True)
        try:
            return await channel.send(_message(key, taken, code))
        except Exception as no:  # noqa: BLE001  whatever breaks on the way out: its kind only, the text may hold the message
            return Handed(accepted=False, said=type(no).__name__, again=True)


def _message(key: str, taken: Taken, code: str) -> Message:
    """The message in the customer's language. Nothing of the code stands in its subject: that is shown on locked screens and in bounces."""
    row = taken.row
    assert row.challenge is not None, "only codes are sent"
    assert taken.to is not None, "only to an address"
    minutes = -(-(row.challenge.until - row.challenge.started) // (60 * SECOND))
    operation = taken.operation.ja if row.language == "ja" else taken.operation.en
    body = say(row.language, f"{row.way}.code", operation=operation, code=_in_groups(code), label=label_of(row.challenge), minutes=minutes)
    return Message(key.removeprefix(PREFIX), taken.to, say(row.language, f"{row.way}.subject"), body, row.language)


def _in_groups(code: str) -> str:
    """A long code in two halves, as people read it; entered with the space or without."""
    half = len(code) // 2
    return f"{code[:half]} {code[half:]}" if len(code) > 6 else code
