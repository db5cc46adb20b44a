"""Sessions: whether one is live, what it rests on, and its end."""

from __future__ import annotations

import msgspec

from sekisho.core.assurance import Factor, factors, resists_phishing
from sekisho.core.scene import Scene
from sekisho.core.state import SECOND, Guard, Procedure, Session, decode
from sekisho.events import Event, EventKind
from sekisho.ports import Ledger, Store, Tx


class Standing(msgspec.Struct):
    """A session as its channel sees it. Times: microseconds."""

    subject: str
    live: bool
    proved: list[tuple[str, str, int]]
    """(item, its kind, when)."""
    factors: list[Factor]
    resists_phishing: bool
    started: int
    used: int
    """When it was last used, half a minute more or less."""
    idle_until: int
    """When it is over unless it is used."""
    until: int
    """When it is over in any case."""


class _End:
    """End a session."""

    def __init__(self, key: str, owner: str) -> None:
        self.keys = [key]
        self._owner = owner

    def decide(self, tx: Tx) -> bool:
        """Whether there was one to end."""
        key = self.keys[0]
        session = tx.get(key, Session)
        if session is None or session.owner != self._owner:
            return False
        if session.live:
            session.live, session.ended = False, "ended"
            tx.put(key, session)
            tx.tell(Event(EventKind.SESSION_ENDED, session.subject, session=key, reason="ended"))
        return True


class _EndAll:
    """End all sessions of a customer, and every run of his that is open, out of a live one of them."""

    def __init__(self, key: str, subject: str) -> None:
        self.keys = [key, subject]

    def decide(self, tx: Tx) -> bool:
        """Whether it was a live session."""
        key, subject = self.keys
        guard = tx.get(subject, Guard)
        if guard is None or not is_live(tx, key, subject):
            return False
        guard.valid_after = tx.now
        tx.put(subject, guard)
        tx.tell(Event(EventKind.SESSION_ENDED, subject, reason="all-ended"))
        return True


def is_live(tx: Tx, key: str, subject: str) -> bool:
    """Whether a session of a subject's may be used still."""
    session = tx.get(key, Session)
    if session is None:
        return False
    operation = next(iter(tx.table.operations.values()))
    guards = {subject: tx.get(subject, Guard) or Guard()}
    return Scene(tx.table, operation, Procedure(), "", session, key, guards, {"owner": subject}, tx.now).session_lives(session)


class _ReadSession:
    def __init__(self, key: str, subject: str) -> None:
        self.keys = [key, subject]

    def decide(self, tx: Tx) -> Standing | None:
        session, timing = tx.get(self.keys[0], Session), tx.table.timing
        if session is None:
            return None
        known = [(tx.table.items[item], at) for item, at in session.proved if item in tx.table.items]
        items = [item for item, _ in known]
        until = session.started + timing.session_total_s * SECOND
        return Standing(
            session.subject, is_live(tx, *self.keys), [(item.name, item.kind.value, at) for item, at in known],
            sorted(factors(items)), resists_phishing(items), session.started, session.seen,
            min(until, session.seen + timing.session_idle_s * SECOND), until,
        )


class Sessions:
    """All sessions."""

    def __init__(self, ledger: Ledger, store: Store) -> None:
        self._ledger = ledger
        self._store = store

    async def session(self, owner: str, session: str) -> Standing | None:
        """How a session stands; None where there is none."""
        subject = await self._subject(owner, session)
        return None if subject is None else await self._ledger.run(_ReadSession(f"session:{session}", subject))

    async def _subject(self, owner: str, session: str) -> str | None:
        key = f"session:{session}"
        body = (await self._store.peek([key])).get(key)
        found = None if body is None else decode(body, Session)
        return found.subject if found is not None and found.owner == owner else None

    async def end_session(self, owner: str, session: str) -> bool:
        """End a session; False where there is none."""
        return await self._ledger.run(_End(f"session:{session}", owner))

    async def end_all(self, owner: str, session: str) -> bool:
        """End all sessions of the customer whose live session this is, this one included; False where there is none."""
        subject = await self._subject(owner, session)
        return subject is not None and await self._ledger.run(_EndAll(f"session:{session}", subject))
