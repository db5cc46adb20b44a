"""Everything one attempt may look at, in one place: the policy's row, the procedure, and every subject it concerns."""

from __future__ import annotations

from collections.abc import Iterable

from sekisho.core.state import SECOND, Count, Guard, Lock, Procedure, Session
from sekisho.events import Event
from sekisho.policy.table import ABOUT, Condition, Operation, Row, Table
from sekisho.terms import PenaltyKind, State

ACTIVITY = 30 * SECOND
"""How exactly it is known when a session was last used."""

Holder = Guard | Procedure | Session
_OPEN = State.OPEN


class Scene:
    """One attempt's rows, already read and locked. It lives for one decision.

    Args:
        keys: place (`customer`, `about:account`, …) to the key of the row on which that subject is counted.
        rows: key to guard row.
        session_key: of the session the run belongs to; None: the run is its own session.

    """

    __slots__ = (
        "events", "guards", "keys", "names", "now", "operation", "procedure", "procedure_key", "rows", "session", "session_key", "table",
        "touched",
    )

    def __init__(
        self, table: Table, operation: Operation, procedure: Procedure, procedure_key: str,
        session: Session | None, session_key: str | None, guards: dict[str, Guard], keys: dict[str, str], now: int,
    ) -> None:
        self.table = table
        self.operation = operation
        self.procedure = procedure
        self.procedure_key = procedure_key
        self.session = session
        self.session_key = session_key
        self.guards = guards
        self.rows: dict[str, Holder] = {**guards, procedure_key: procedure}
        self.keys = keys
        keys["procedure"] = keys["session"] = procedure_key
        if session is not None and session_key is not None:
            keys["session"] = session_key
            self.rows[session_key] = session
        self.now = now
        self.names: dict[str, str] = {}
        """Key of a stranger's row to the name he was given: what is told of it outside names him like anybody."""
        self.events: list[Event] = []
        self.touched: set[str] = set()

    def row_of(self, item: str) -> Row | None:
        """The row that speaks for an item here: the first variant whose conditions hold."""
        for row in self.operation.rows.get(item, ()):
            if not row.when or self.meets(row.when):
                return row
        return None

    def meets(self, conditions: Iterable[Condition]) -> bool:
        """Whether all conditions hold."""
        return all(self.flagged(c.flag, about=c.about) is c.holds for c in conditions)

    def flagged(self, flag: str, *, about: bool) -> bool:
        """Whether a flag is set on any subject of the caller's, or of those the entry is about."""
        for where, key in self.keys.items():
            guard = self.guards.get(key)
            if guard is None or where.startswith(ABOUT) is not about:
                continue
            if flag in guard.flags or (flag == "contract" and "customer" in guard.links):
                return True
        return False

    def standing_lock(self, item: str) -> tuple[str, Lock] | None:
        """The first lock, on any subject concerned, that closes this item here; and the key of its row."""
        for key, guard in self.guards.items():
            if not guard.locks:
                continue
            for lock in guard.locks:
                if lock.stands(self.now) and (lock.refuses(self.operation.name, item) or self._removed(key, lock, item)):
                    return key, lock
        return None

    def _removed(self, key: str, lock: Lock, item: str) -> bool:
        """A removed enrolment takes everything with it that was kept there."""
        return lock.kind is PenaltyKind.REMOVE and self.keys.get(self.table.items[item].reach.value) == key

    def alive(self) -> bool:
        """Whether the run and the session it belongs to may still go on."""
        procedure = self.procedure
        if procedure.state is not _OPEN or self.now >= procedure.expires or procedure.digest != self.operation.digest:
            return False
        if self.session is None:
            # A run without a session is its own; one whose session is gone is over too.
            return procedure.session is None and self._outlived(procedure.started)
        return self.session_lives(self.session)

    def session_lives(self, session: Session) -> bool:
        """Whether a session is still valid: not ended, not timed out, and not begun before its subject was blocked."""
        if not session.live or (not session.foreign and self._timed_out(session)):
            return False
        return (session.foreign or self.is_own(session.subject)) and self._outlived(session.started)

    def is_own(self, key: str) -> bool:
        """Whether a guard row is one of the caller's own subjects, not only of those the entry is about."""
        return key in self.guards and any(own == key and not where.startswith(ABOUT) for where, own in self.keys.items())

    def _outlived(self, started: int) -> bool:
        """Whoever of the caller's own subjects was blocked: nothing begun before that goes on (A17)."""
        guards = self.guards
        for where, key in self.keys.items():
            guard = guards.get(key)
            if guard is not None and guard.valid_after >= started and not where.startswith(ABOUT):
                return False
        return True

    def _timed_out(self, session: Session) -> bool:
        timing = self.table.timing
        return self.now >= session.started + timing.session_total_s * SECOND or self.now >= session.seen + timing.session_idle_s * SECOND

    def note_activity(self) -> None:
        """The session is in use; written down now and then, so that its idle time is known well enough."""
        session = self.session
        if session is not None and self.session_key is not None and self.now - session.seen > ACTIVITY:
            session.seen = self.now
            self.touched.add(self.session_key)

    def tell(self, event: Event) -> None:
        """Record a fact."""
        self.events.append(event)

    def touch(self, key: str) -> None:
        """Mark a row as changed."""
        self.touched.add(key)


def count_of(holder: Holder, name: str) -> Count:
    """The count of that name, a new one where none stood."""
    count = holder.counts.get(name)
    if count is None:
        count = holder.counts[name] = Count()
    return count
