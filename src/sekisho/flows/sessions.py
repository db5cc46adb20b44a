"""Sessions: whether one is live, and its end."""

from __future__ import annotations

from sekisho.core.scene import Scene
from sekisho.core.state import Guard, Procedure, Session, decode
from sekisho.events import Event, EventKind
from sekisho.ports import Ledger, Store, Tx


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

    def decide(self, tx: Tx) -> tuple[bool, list[tuple[str, int]]] | None:
        session = tx.get(self.keys[0], Session)
        return None if session is None else (is_live(tx, *self.keys), session.proved)


class Sessions:
    """All sessions."""

    def __init__(self, ledger: Ledger, store: Store) -> None:
        self._ledger = ledger
        self._store = store

    async def session(self, owner: str, session: str) -> tuple[bool, list[tuple[str, int]], str] | None:
        """Whether a session is live, what was proved in it when, and whose it is; None where there is none."""
        key = f"session:{session}"
        body = (await self._store.peek([key])).get(key)
        if body is None or decode(body, Session).owner != owner:
            return None
        subject = decode(body, Session).subject
        found = await self._ledger.run(_ReadSession(key, subject))
        return None if found is None else (*found, subject)

    async def end_session(self, owner: str, session: str) -> bool:
        """End a session; False where there is none."""
        return await self._ledger.run(_End(f"session:{session}", owner))
