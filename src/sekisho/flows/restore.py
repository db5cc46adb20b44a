"""A restored older copy is taken into service: what it says is going on is over, and its counts are distrusted.

It goes over all rows in the order of their keys, a page at a time, through the ledger like everything else. How far it has
come is a row of its own, written after each page: whoever is interrupted begins there again, and what was done twice is
as if done once. Until the end is sealed no node serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec

from sekisho.core.otp import spent
from sekisho.core.restore import distrust, items_of
from sekisho.core.state import FORMAT, SECOND, THE_BANK, Guard, Secret, Session, Token, decode
from sekisho.errors import CallerError
from sekisho.events import Event, EventKind
from sekisho.flows.names import KINDS
from sekisho.flows.recovery import RECOVERIES, lapse
from sekisho.flows.replay import Stored
from sekisho.flows.seals import Sealer
from sekisho.policy.table import Table
from sekisho.ports import Ledger, Store, Tx, Work

PAGE = 500
"""Rows looked at between two notes of how far it has come."""

RESTORE = "restore"
"""The row that says how far it has come; it is there only meanwhile."""

VOID = frozenset({"adding", "challenge", "leases", "procedure", "reservation", "session"})
"""Kinds of rows that are of no worth in an older copy."""


class Restoring(msgspec.Struct):
    """How far an accepting has come."""

    v: int = FORMAT
    after: str = ""
    """The last key that was looked at."""
    void: int = 0
    distrusted: int = 0


class _Void:
    """Drop what was going on. Channels are told of each session that it has ended."""

    def __init__(self, key: str, body: bytes) -> None:
        self._subject = decode(body, Session).subject if key.startswith("session:") else None
        self.keys = [key, *([self._subject] if self._subject else [])]

    def decide(self, tx: Tx) -> None:
        """Drop it."""
        key = self.keys[0]
        session = tx.get(key, Session) if self._subject else None
        if session is not None and session.live:
            # The subject's row is looked at so that the event joins its history.
            tx.get(session.subject, Guard)
            tx.tell(Event(EventKind.SESSION_ENDED, session.subject, session=key, reason="restored"))
        tx.drop(key)


class _Distrust:
    """Take from a subject what the copy may have lost."""

    def __init__(self, key: str, items: Mapping[str, str]) -> None:
        self.keys: Sequence[str] = [key]
        self.takes_all_but_one = key[0] != "~" and key != THE_BANK
        """Strangers and the bank as a whole lose only what was in flight."""
        self._items = items

    def decide(self, tx: Tx) -> None:
        """See `core.restore`."""
        key = self.keys[0]
        guard = tx.get(key, Guard)
        if guard is not None:
            distrust(key, guard, tx.table, self._items, tx.now)
            tx.put(key, guard)


class _Forget:
    """Forget a request that waits for a reservation which is void."""

    def __init__(self, key: str) -> None:
        self.keys: Sequence[str] = [key]

    def decide(self, tx: Tx) -> None:
        """One that has its answer keeps it: sent again, it is still the same request."""
        stored = tx.get(self.keys[0], Stored)
        if stored is not None and stored.answer is None:
            tx.drop(self.keys[0])


class _Burn:
    """A token's codes up to now may have been accepted in the time that is lost (RFC 6238 section 5.2)."""

    def __init__(self, key: str) -> None:
        self.keys: Sequence[str] = [key]

    def decide(self, tx: Tx) -> None:
        """None of them is accepted any more."""
        secret = tx.get(self.keys[0], Secret)
        if secret is not None and secret.kind == "totp":
            burnt = msgspec.structs.replace(secret, last_step=max(secret.last_step, spent(secret.token or Token(), tx.now // SECOND)))
            tx.put(self.keys[0], burnt)


class _Lapse:
    """A code that the desk has released may have been used in the time that is lost: it is good for nothing, and the desk has the case again."""

    def __init__(self, key: str) -> None:
        self.keys: Sequence[str] = [key]

    def decide(self, tx: Tx) -> None:
        """Its life is over."""
        lapse(tx, self.keys[0].removeprefix(RECOVERIES))


class _Note:
    """Write down how far it has come."""

    keys: Sequence[str] = (RESTORE,)

    def __init__(self, far: Restoring) -> None:
        self._far = far

    def decide(self, tx: Tx) -> None:
        """Write it."""
        tx.put(RESTORE, self._far)


class _Done:
    """Put on record that a restored copy was accepted: by whom and why, and how many rows it concerned."""

    keys: Sequence[str] = (RESTORE,)

    def __init__(self, far: Restoring, operator: str, reason: str) -> None:
        self._far = far
        self._operator = operator
        self._reason = reason

    def decide(self, tx: Tx) -> None:
        """Tell it."""
        tx.drop(RESTORE)
        number = self._far.void + self._far.distrusted
        tx.tell(Event(EventKind.RESTORE_ACCEPTED, RESTORE, operator=self._operator, reason=self._reason, number=number))


async def set_writers_ahead(store: Store, sealer: Sealer) -> None:
    """Use up the numbers of writers that were sealed and that the copy knows nothing of: none may be used a second time."""
    highest = max((head.writer for seal in sealer.outside() for head in seal.heads), default=0)
    while await store.new_writer("lost") < highest:
        pass


async def accept(
    ledger: Ledger, store: Store, sealer: Sealer, table: Table, operator: str, reason: str,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Restoring:
    """Void and distrust everything in the store, tell it, and begin anew with a seal. What it concerned.

    The ledger must have been started after `set_writers_ahead`.

    Raises:
        CallerError: a node is running.

    """
    body = (await store.peek([RESTORE])).get(RESTORE)
    far = Restoring() if body is None else decode(body, Restoring)
    items = items_of(table)
    looked_at = 0
    while page := await store.rows("", far.after, PAGE):
        works = [work for key, row in page if (work := _work(key, row, items)) is not None]
        await asyncio.gather(*(ledger.run(work) for work in works))
        void = sum(isinstance(work, _Void) for work in works)
        distrusted = sum(isinstance(work, _Distrust) and work.takes_all_but_one for work in works)
        far = Restoring(after=page[-1][0], void=far.void + void, distrusted=far.distrusted + distrusted)
        await ledger.run(_Note(far))
        looked_at += len(page)
        progress(looked_at)
    await ledger.run(_Done(far, operator, reason))
    if await sealer.accept() is None:
        raise CallerError("another node is sealing: stop every node, then call this again")
    return far


def _work(key: str, body: bytes, items: Mapping[str, str]) -> Work[None] | None:
    kind = key.partition(":")[0]
    if kind in VOID:
        return _Void(key, body)
    if kind == "replay":
        return _Forget(key)
    if kind == "secret":
        return _Burn(key)
    if kind == "recovery":
        return _Lapse(key)
    if kind in KINDS or key[0] == "~" or key == THE_BANK:
        return _Distrust(key, items)
    return None
