"""What is known of a customer's addresses and messages: for staff in full, for himself as advice while all is well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from sekisho.core import health
from sekisho.core.address import masked
from sekisho.core.health import Advice
from sekisho.core.state import Address, Addresses, Outgoing, decode
from sekisho.flows.addresses import addresses_key
from sekisho.flows.names import checked_subject
from sekisho.flows.outbox import outbox_key, stands
from sekisho.flows.sights import rfc3339
from sekisho.policy.table import Table
from sekisho.ports import Ledger, Store, Tx
from sekisho.terms import Way


class Advised(msgspec.Struct, frozen=True):
    """Something the customer should see to while he can."""

    advice: Advice
    address: str | None
    """Behind its mask."""


class _Hear:
    """Keep what became of other mail to an address, where it is on file."""

    def __init__(self, subject: str, to: str, what: str) -> None:
        self.keys: Sequence[str] = [addresses_key(subject)]
        self._to = to.casefold()
        self._what = what

    def decide(self, tx: Tx) -> None:
        """Keep it. Whoever reports is told nothing of whether it is."""
        book = tx.get(self.keys[0], Addresses)
        found = next((one for one in book.known if one.way is Way.MAIL and one.to.casefold() == self._to), None) if book else None
        if book is None or found is None:
            return
        heard = health.hear(book.heard.get(found.id, []), self._what, health.OTHER, tx.now)
        book.heard = {**book.heard, found.id: heard}
        tx.put(self.keys[0], book)


class Traces:
    """All of it.

    Args:
        ledger: where news is put on record.
        store: the same ledger's store.

    """

    def __init__(self, ledger: Ledger, store: Store) -> None:
        self._ledger = ledger
        self._store = store

    async def hear(self, subject: str, to: str, what: str) -> None:
        """Take in what became of other mail: it shows whether an address takes mail at all.

        Raises:
            CallerError: the name can be no subject's.

        """
        await self._ledger.run(_Hear(checked_subject(subject), to, what))

    async def advice(self, table: Table, subject: str) -> list[Advised]:
        """What the customer should see to in a healthy session (M-ADDRESS-1, M-DEAD-1)."""
        book, now = await self._book(subject), await self._store.clock()
        known = {one.id: one for one in book.known}
        return [
            Advised(advice, masked(known[name].way, known[name].to) if name else None)
            for advice, name in health.advice(book, int(table.mail["usable"]), now)
        ]

    async def messages(self, subject: str, *, whole: bool) -> list[dict[str, Any]]:
        """A customer's newest messages as staff read them, newest first, with every step."""
        book = await self._book(checked_subject(subject))
        rows = await self._store.peek([outbox_key(name) for name in book.sent])
        found = [(key.partition(":")[2], decode(rows[key], Outgoing)) for name in reversed(book.sent) if (key := outbox_key(name)) in rows]
        known = {one.id: one for one in (*book.former, *book.known)}
        return [_shown(name, row, known.get(row.challenge.address if row.challenge else ""), whole=whole) for name, row in found]

    async def _book(self, subject: str) -> Addresses:
        body = (await self._store.peek([addresses_key(subject)])).get(addresses_key(subject))
        return Addresses() if body is None else decode(body, Addresses)


def _shown(name: str, row: Outgoing, address: Address | None, *, whole: bool) -> dict[str, Any]:
    to = None if address is None else address.to if whole else masked(address.way, address.to)
    return {
        "delivery": name, "kind": row.way, "operation": row.operation, "made": rfc3339(row.made), "address": to, "course": stands(row),
        "hops": [{**msgspec.to_builtins(_Hop(*msgspec.structs.astuple(hop))), "at": rfc3339(hop.at)} for hop in row.trace],
    }


class _Hop(msgspec.Struct):
    """A hop with its names."""

    at: int
    what: str
    said: str
    by: str
    group: str
    status: str
    stage: str
    queue: str
