"""A customer's own passkeys, seen and put in order out of a live session of his: which there are, what he calls them, one removed."""

from __future__ import annotations

import hashlib

import msgspec

from sekisho.core.state import Guard, Secret, Session, decode
from sekisho.events import Event, EventKind
from sekisho.flows.effects import secret_key
from sekisho.flows.sessions import is_live
from sekisho.flows.telling import announce, announcements_key
from sekisho.policy.table import Table
from sekisho.ports import Ledger, Store, Tx
from sekisho.terms import ItemKind


class Passkey(msgspec.Struct, frozen=True):
    """One passkey as its customer sees it. Times: microseconds."""

    id: str
    item: str
    name: str
    since: int
    used: int
    is_backed_up: bool
    """It is on several of his devices, or where they keep their copies."""


def shown_id(key: bytes) -> str:
    """What a passkey is called here: a device's own name for it may be a thousand bytes long."""
    return hashlib.sha256(key).hexdigest()[:24]


def items(table: Table, subject: str) -> list[str]:
    """The items under which passkeys of this kind of subject are kept."""
    return [one.name for one in table.items.values() if one.kind is ItemKind.PASSKEY and subject.startswith(f"{one.reach}:")]


class _Change:
    """Look, and name or remove one, if the session lives still."""

    def __init__(self, table: Table, session: str, subject: str, which: str | None, name: str | None) -> None:
        self._items = items(table, subject)
        self.keys = [session, subject, announcements_key(subject), *(secret_key(subject, item) for item in self._items)]
        self._which = which
        self._name = name

    def decide(self, tx: Tx) -> list[Passkey] | None:
        """What is there afterwards; None: the session is over, or there is no such passkey."""
        session, subject = self.keys[0], self.keys[1]
        if not is_live(tx, session, subject):
            return None
        held = {item: tx.get(secret_key(subject, item), Secret) or Secret() for item in self._items}
        if self._which is not None and not any(self._change(tx, subject, item, kept) for item, kept in held.items()):
            return None
        return [Passkey(shown_id(one.id), item, one.name, one.since, one.used, one.is_backed_up) for item, kept in held.items() for one in kept.keys]

    def _change(self, tx: Tx, subject: str, item: str, kept: Secret) -> bool:
        found = next((one for one in kept.keys if shown_id(one.id) == self._which), None)
        if found is None:
            return False
        if self._name is not None:
            kept.keys = [msgspec.structs.replace(one, name=self._name) if one is found else one for one in kept.keys]
        else:
            kept.keys = [one for one in kept.keys if one is not found]
            announce(tx, subject, "passkey-removed")
        self._keep(tx, subject, item, kept)
        tx.tell(Event(EventKind.PASSKEY_REMOVED if self._name is None else EventKind.PASSKEY_NAMED, subject, item=item))
        return True

    @staticmethod
    def _keep(tx: Tx, subject: str, item: str, kept: Secret) -> None:
        if kept.keys:
            tx.put(secret_key(subject, item), kept)
            return
        tx.drop(secret_key(subject, item))
        guard = tx.get(subject, Guard) or Guard()
        guard.flags = [flag for flag in guard.flags if flag != f"set:{item}"]
        tx.put(subject, guard)


class OwnPasskeys:
    """What customers do with their passkeys.

    Args:
        ledger: where it is put on record.
        store: the same ledger's store.

    """

    def __init__(self, ledger: Ledger, store: Store) -> None:
        self._ledger = ledger
        self._store = store

    async def shown(self, table: Table, owner: str, session: str) -> list[Passkey] | None:
        """All of them; None where there is no such live session for this caller."""
        return await self._change(table, owner, session, None, None)

    async def name(self, table: Table, owner: str, session: str, which: str, name: str) -> list[Passkey] | None:
        """Call one otherwise; what is there afterwards."""
        return await self._change(table, owner, session, which, name)

    async def remove(self, table: Table, owner: str, session: str, which: str) -> list[Passkey] | None:
        """Remove one; its customer is told on every channel."""
        return await self._change(table, owner, session, which, None)

    async def _change(self, table: Table, owner: str, session: str, which: str | None, name: str | None) -> list[Passkey] | None:
        key = f"session:{session}"
        body = (await self._store.peek([key])).get(key)
        if body is None or (found := decode(body, Session)).owner != owner:
            return None
        return await self._ledger.run(_Change(table, key, found.subject, which, name))
