"""Everything one attempt may look at, in one place: the policy's row, the procedure, and every subject it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sekisho.core import devices
from sekisho.core.state import SECOND, THE_BANK, Count, Guard, Lock, Procedure, Session
from sekisho.events import Event
from sekisho.policy.table import ABOUT, KNOWING, KNOWN, UNKNOWN, Closed, Condition, Operation, Row, Table, share_name
from sekisho.terms import ItemKind, PenaltyKind, Reach, State

ACTIVITY = 30 * SECOND
"""How exactly it is known when a session was last used."""

Holder = Guard | Procedure | Session
_OPEN = State.OPEN
_ASK_MORE = PenaltyKind.ASK_MORE
_CUSTOMER = Reach.CUSTOMER.value
_ABOUT_CUSTOMER = ABOUT + _CUSTOMER
_KNOWING = frozenset(reach.value for reach in KNOWING)


class Scene:
    """One attempt's rows, already read and locked. It lives for one decision.

    Args:
        keys: place (`customer`, `about:account`, …) to the key of the row on which that subject is counted.
        rows: key to guard row.
        session_key: of the session the run belongs to; None: the run is its own session.

    """

    __slots__ = (
        "_own", "asking", "closed", "device", "events", "guards", "keys", "names", "now", "operation", "places", "procedure", "procedure_key", "rows",
        "session", "session_key", "table", "ticket", "told", "touched", "unusual",
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
        self._own = [(key, guards[key]) for where, key in keys.items() if key in guards and not where.startswith(ABOUT)]
        self.keys = keys
        keys["procedure"] = keys["session"] = procedure_key
        if session is not None and session_key is not None:
            keys["session"] = session_key
            self.rows[session_key] = session
        self.now = now
        self.device = ""
        """From which the entry is made, as a keyed digest; empty where the channel does not say."""
        self.asking: tuple[Lock, ...] = ()
        """Locks of the whole bank, as this node knows them. No attempt locks or writes the bank's row."""
        self.ticket: Mapping[str, int] = {}
        """Guesses of the whole bank that are there for this entry: by counter, up to when they may be spent."""
        self.places: dict[str, int] = {}
        """Key of a row to the place under which its subject knows that device, as far as it was asked for."""
        self.names: dict[str, str] = {}
        """Key of a stranger's row to the name he was given: what is told of it outside names him like anybody."""
        self.closed: Closed | None = None
        """A state that has closed the operation to an entry that was right: the customer is told the next step."""
        self.told = ""
        """Of data that says to which institution: which, as a keyed digest."""
        self.unusual = False
        """A login has gone through from where its customer has not logged in lately; he has from elsewhere."""
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

    def closing(self, item: str, *, last: bool) -> Closed | None:
        """The state in which the operation goes no further after this item was right, or at its last step."""
        return next((one for one in self.operation.closed if (last or one.after == item) and self.meets(one.when)), None)

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
        """The first lock, on any subject concerned, that closes this item here, or one that this run has proved; and the key of its row.

        What was right before the lock is worth nothing after it: else a run begun before would be finished on it.
        """
        items = (item,) if self.procedure.led else (item, *(seen for seen, _ in self.procedure.proved))
        for key, guard in self.guards.items():
            if not guard.locks:
                continue
            for lock in guard.locks:
                if lock.stands(self.now) and any(self._closes(key, lock, one) for one in items) and (
                    not (lock.whom or lock.kind is _ASK_MORE) or self._concerns(key, lock, item)
                ):
                    return key, lock
        for lock in self.asking:
            if lock.stands(self.now) and lock.refuses(self.operation.name, item) and self._concerns(THE_BANK, lock, item):
                return THE_BANK, lock
        return None

    def _closes(self, key: str, lock: Lock, item: str) -> bool:
        """Whether a lock on a row closes an item here. A closed item is that of whoever is locked: somebody else's may be entered still."""
        return lock.refuses(self.operation.name, item if not lock.items or self._is_whose(key, item) else "") or self._removed(key, lock, item)

    def _is_whose(self, key: str, item: str) -> bool:
        """Whether a row is on the side that an entry is about: the caller's own, or that of somebody else."""
        row = self.row_of(item)
        about = row is not None and row.about
        return any(own == key and where.startswith(ABOUT) is about for where, own in self.keys.items())

    def _concerns(self, key: str, lock: Lock, item: str) -> bool:
        """Whether a lock on some devices refuses this one."""
        if not self._meant(key, lock):
            return False
        if lock.first is None:
            return True
        return item != lock.first and not self._proved(lock.first) and self.table.items[item].kind is not ItemKind.IDENTIFIER

    def _meant(self, key: str, lock: Lock) -> bool:
        place = self.place_of(key)
        if lock.whom == KNOWN:
            return place > 0
        return _called(place) == (lock.whom or UNKNOWN)

    def _proved(self, item: str) -> bool:
        return any(seen == item for seen, _ in self.procedure.proved)

    def asked_first(self) -> str | None:
        """What this device must enter rightly before anything else, because it is not known here; None: nothing."""
        for key, guard in self.guards.items():
            for lock in guard.locks:
                if self._asks_first(key, lock):
                    return lock.first
        for lock in self.asking:
            if self._asks_first(THE_BANK, lock):
                return lock.first
        return None

    def _asks_first(self, key: str, lock: Lock) -> bool:
        return lock.first is not None and lock.stands(self.now) and self.operation.name in lock.operations and (
            self._meant(key, lock) and not self._proved(lock.first)
        )

    def is_vouched_for(self, counter: str) -> bool:
        """Whether a count of the whole bank does not concern this entry: its device is known, or has proved more than others must."""
        if self.place_of(THE_BANK):
            return True
        return any(
            lock.counter == counter and lock.first is not None and lock.stands(self.now) and self._proved(lock.first) for lock in self.asking
        )

    def place_of(self, key: str) -> int:
        """The place under which the subject of a row knows the device of this entry; 0: it does not.

        An account's or an enrolment's own customer answers for it, where he is a party to this entry. Whoever types, and the bank,
        know nobody: there the subject answers for whom the run was begun, or whoever it is about where that is somebody else.
        """
        if not self.device:
            return 0
        found = self.places.get(key)
        if found is None:
            found = self.places[key] = self._find_place(key, self.device)
        return found

    def _find_place(self, key: str, device: str) -> int:
        rules = self.table.devices
        if key.lstrip("~").partition(":")[0] not in _KNOWING:
            key = self.keys.get(_ABOUT_CUSTOMER) or self.keys.get(self.operation.subject.value, "")
        guard = self.guards.get(key)
        if rules is None or guard is None or not guard.known:
            return 0
        own = devices.place_of(guard, device, rules, self.now)
        customer = self.guards.get(guard.links.get(_CUSTOMER, ""))
        return own or (devices.place_of(customer, device, rules, self.now) if customer is not None else 0)

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
            return procedure.session is None and self._outlived(procedure.started, self.device)
        return self.session_lives(self.session)

    def session_lives(self, session: Session) -> bool:
        """Whether a session is still valid: not ended, not timed out, and not begun before its subject was blocked."""
        if not session.live or (not session.foreign and self._timed_out(session)):
            return False
        return (session.foreign or self.is_own(session.subject)) and self._outlived(session.started, session.device or self.device)

    def is_own(self, key: str) -> bool:
        """Whether a guard row is one of the caller's own subjects, not only of those the entry is about."""
        return any(own == key for own, _ in self._own)

    def _outlived(self, started: int, device: str) -> bool:
        """Whoever of the caller's own subjects was blocked: nothing begun before that goes on (A17), from a device that the block concerns."""
        for key, guard in self._own:
            blocked = guard.valid_after >= started or (guard.shut and self._shut_since(key, guard, device) >= started)
            if blocked:
                return False
        return True

    def _shut_since(self, key: str, guard: Guard, device: str) -> int:
        """When a subject was last blocked for this device and not for all."""
        place = self._find_place(key, device)
        return max(guard.shut.get(_called(place), 0), guard.shut.get(KNOWN, 0) if place else 0)

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


def _called(place: int) -> str:
    return share_name(place) if place else UNKNOWN


def count_of(holder: Holder, name: str) -> Count:
    """The count of that name, a new one where none stood."""
    count = holder.counts.get(name)
    if count is None:
        count = holder.counts[name] = Count()
    return count
