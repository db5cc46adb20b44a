"""One customer of a bank as the proofs play with him: the rows that the core decides on, and the moves that change them.

Every move is a decision of `core`: an entry is reserved and settled, a run is walked step by step, a lock is lifted as the
desk lifts it. Nothing here knows what an entry costs. New runs, new sessions and other callers cost nobody anything, so
counts of one run, session, actor or caller begin at zero with each entry.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from sekisho.core import attempt, budget, release
from sekisho.core.procedure import awaited, skip_met_steps
from sekisho.core.scene import Scene, count_of
from sekisho.core.state import SECOND, Count, Device, Guard, Lock, Procedure, Session, decode, encode
from sekisho.events import Event
from sekisho.policy.table import ABOUT, EACH, KNOWN, UNKNOWN, Condition, Counter, Operation, Stage, Table
from sekisho.proof.seats import PERSONAL, Seat
from sekisho.terms import Outcome, Reach, State, Verdict

START = 20_000 * 86_400 * SECOND
"""When play begins. Microseconds."""

FOREVER = 1 << 62

PASSING = (Reach.PROCEDURE, Reach.SESSION, Reach.CALLER, Reach.ACTOR)
"""Where counts begin anew with a new run, session or connection."""

ROUNDS_MAX = 2_000
"""Entries in one move that change more than the counts."""


class Visit:
    """One person at one place: his run, session and connection go on from entry to entry, until a penalty ends them."""

    def __init__(self) -> None:
        self.runs: dict[str, Procedure] = {}
        self.session: Session | None = None
        self.actors: dict[str, Guard] = {}


def held(reach: Reach | str) -> str:
    """The key of the customer's own subject of a kind."""
    return f"{reach}:held"


def _other(reach: Reach) -> str:
    return f"{reach}:other"


OWN = {reach.value: held(reach) for reach in PERSONAL}
"""Where the customer's entries are counted, and ..."""
OF_ANOTHER = {reach.value: _other(reach) for reach in PERSONAL} | {ABOUT + reach: held(reach) for reach in PERSONAL}
"""... where those of somebody else are that are about him."""
NEW = {reach.value: f"{reach}:new" for reach in (Reach.ACTOR, Reach.CALLER)}
"""Whoever types comes anew each time."""


class Board:
    """The customer's rows at one moment.

    Args:
        table: the policy.
        flags: marks that stand on the customer.
        place: of the device he knows from which entries are made; 0: they come from devices that nobody knows.

    """

    def __init__(self, table: Table, flags: Iterable[str] = (), place: int = 0) -> None:
        self.table = table
        self.guards = {held(reach): Guard(known=True) for reach in PERSONAL}
        self.guards[held(Reach.CUSTOMER)].flags = sorted(flags)
        self.place = place
        for guard in self.guards.values():
            guard.devices = [Device("held", place, START, FOREVER)] if place else []
        self.now = START
        self.moves: list[str] = []
        """What was done, in words that `sekisho lab replay` understands."""
        self.fell: list[Lock] = []
        """The locks that the last move set."""
        # What counts over the whole bank is no bound for one customer: of that there is enough at hand.
        self.ticket = {counter.name: FOREVER for counters in table.bank.values() for counter in counters}
        self.visit: Visit | None = None
        """Set: entries are made in one visit, and not each in a new run."""
        self._session_from = START

    def copy(self) -> Board:
        """The same position, to be played on from here."""
        other = Board.__new__(Board)
        other.table, other.now, other.place, other.ticket = self.table, self.now, self.place, self.ticket
        other.guards = {key: decode(encode(guard), Guard) for key, guard in self.guards.items()}
        other.moves, other.fell, other.visit = list(self.moves), [], None
        other._session_from = self._session_from  # noqa: SLF001  # its own kind
        return other

    # Looking.

    @property
    def flags(self) -> frozenset[str]:
        """Marks on the customer now."""
        return frozenset(self.guards[held(Reach.CUSTOMER)].flags)

    def locks(self) -> Iterator[tuple[str, Lock]]:
        """Every lock that stands, with the key of the row it stands on."""
        for key, guard in self.guards.items():
            for lock in guard.locks:
                if lock.stands(self.now):
                    yield key, lock

    def meets(self, conditions: Iterable[Condition], *, about: bool = False) -> bool:
        """Whether conditions hold for the customer; those about another hold when nothing is set there."""
        return all(((c.flag in self.flags) if c.about is about else False) is c.holds for c in conditions)

    def key(self, but: Collection[str] = ()) -> tuple[object, ...]:
        """What two positions have in common that nothing later can tell apart, `but` for some counts."""
        rows = tuple((key, *self._seen(guard, but)) for key, guard in self.guards.items() if guard.counts or guard.locks or guard.flags)
        return (*rows, 0 if self.session_open() else self._session_age())

    def _session_age(self) -> int:
        """How old the newest session can be; beyond its life it does not matter how much."""
        total = self.table.timing.session_total_s * SECOND
        blocked = any(guard.valid_after > self._session_from for guard in self.guards.values())
        return total if blocked else min(self.now - self._session_from, total)

    def _seen(self, guard: Guard, but: Collection[str]) -> Iterator[object]:
        now = self.now
        for name in sorted(guard.counts):
            count = guard.counts[name]
            if name not in but and (count.wrong or count.zero_at is not None):
                tallies = tuple(sorted((item, tally.wrong) for item, tally in count.tallies.items() if tally.wrong))
                slices = tuple((end - now, wrong) for end, wrong in count.slices)
                yield name, count.wrong, count.fired, None if count.zero_at is None else count.zero_at - now, tallies, slices
        yield tuple(sorted(
            (lock.row, lock.kind, lock.counter or "", tuple(lock.operations), tuple(lock.items), -1 if lock.until is None else lock.until - now)
            for lock in guard.locks))
        yield tuple(guard.flags)

    def count(self, counter: Counter) -> Count:
        """A count of the customer's as it stands now."""
        holder = self.guards.get(held(counter.reach))
        count = Count() if holder is None else count_of(holder, counter.name)
        budget.refresh(count, counter, self.now)
        return count

    def look(self, operation: str, *, about: bool) -> Scene:
        """What an entry in an operation would see."""
        return self._scene_of(self.table.operations[operation], about=about, led=True, session=None)

    def visited(self, seat: Seat, counter: Counter) -> Count:
        """The count of a visit's that an entry touches: on his run, his session or his connection."""
        visit = self.visit or Visit()
        run = visit.runs.get(seat.operation)
        in_session = counter.reach is Reach.SESSION and self.table.operations[seat.operation].session
        holder = visit.session if in_session else visit.actors.get(counter.reach.value, run)
        return Count() if holder is None else holder.counts.get(counter.name, Count())

    def lasting(self, seat: Seat) -> list[Counter]:
        """The counters of a row that no new run, session or caller begins anew, as entries from this device touch them."""
        here = [gauge for gauge in seat.row.gauges if gauge.counter.reach in PERSONAL and gauge.about is seat.about]
        if not self.place:
            return [gauge.counter for gauge in here if gauge.devices != KNOWN]
        return [
            gauge.counter.shares[self.place - 1] if gauge.devices == EACH else gauge.counter for gauge in here if gauge.devices != UNKNOWN]

    @staticmethod
    def passing(seat: Seat) -> list[Counter]:
        """The counters of a row that go on within a visit only."""
        return [gauge.counter for gauge in seat.row.gauges if gauge.counter.reach in PASSING]

    # Time.

    def next_change(self) -> int | None:
        """When time alone changes something next: a lock ends, a count falls, a window forgets."""
        times = [lock.until for guard in self.guards.values() for lock in guard.locks if lock.until is not None]
        for guard in self.guards.values():
            for name, count in guard.counts.items():
                if count.zero_at is not None:
                    times.append(count.zero_at)
                counter = self.table.counters.get(name)
                if count.slices and counter is not None and counter.window_s:
                    times.append(count.slices[0][0] + counter.window_s * SECOND)
        return min((at for at in times if at > self.now), default=None)

    def wait_until(self, at: int) -> None:
        """Let time pass."""
        if self.session_open():
            self._session_from = self.now
        self.moves.append(f"wait {(at - self.now) / SECOND:g}")
        self.now = at
        for key, guard in self.guards.items():
            release.expire(key, guard, at, _untold)
            for name, count in guard.counts.items():
                counter = self.table.counters.get(name)
                if counter is not None:
                    budget.refresh(count, counter, at)
        self.fell = []

    # Entries.

    def admits(self, seat: Seat) -> bool:
        """Whether one entry would be looked at now."""
        scene = self._scene(self.table.operations[seat.operation], about=seat.about)
        return scene is not None and scene.row_of(seat.item) is seat.row and attempt.closed(scene, seat.item) is None

    def wrong(self, seat: Seat, most: int = 1) -> int:
        """Wrong entries, each in a new run, until one lets a lock fall, or none is admitted. How many were admitted."""
        done = 0
        for _ in range(ROUNDS_MAX):
            more = self._rush(seat, most - done) if done < most else 0
            done += more
            if not more or self.fell:
                break
        self._note_wrong(seat, done)
        return done

    def rush(self, seat: Seat, most: int) -> int:
        """One wrong entry, and as many more as change nothing but the counts. How many were admitted."""
        done = self._rush(seat, most)
        self._note_wrong(seat, done)
        return done

    def _rush(self, seat: Seat, most: int) -> int:
        self.fell = []
        if not self._enter(seat, Verdict.WRONG):
            return 0
        return 1 if self.fell else 1 + self._quietly(seat, most - 1)

    def _note_wrong(self, seat: Seat, done: int) -> None:
        if done:
            self.moves.append(f"wrong {seat.item} in {seat.operation} x{done}" + (" about" if seat.about else ""))

    def _quietly(self, seat: Seat, most: int) -> int:
        """As many more as change nothing but the counts, put there at once."""
        counts = [(self.count(counter), counter) for counter in self.lasting(seat)]
        if self.visit is not None:
            run = self.visit.runs.get(seat.operation)
            if run is None or run.state is not State.OPEN:
                return 0
            counts += [(self.visited(seat, counter), counter) for counter in self.passing(seat)]
        quiet = max(0, min([most, *(_room(count, counter) - 1 for count, counter in counts if counter.stages)]))
        for count, counter in counts if quiet else ():
            budget.add(count, counter, seat.item, quiet, self.now)
        return quiet

    def room(self, counter: Counter) -> int:
        """Wrong entries up to and with the one at which the next stage falls; 0 where none is left."""
        return _room(self.count(counter), counter)

    def next_stages(self, seat: Seat) -> list[Stage]:
        """The stages that fall if one more entry at this row is wrong."""
        found = []
        for counter in self.lasting(seat):
            stage = budget.unfired(self.count(counter), counter)
            if stage is not None and self.room(counter) <= 1:
                found.append(stage)
        return found

    def right(self, seat: Seat) -> bool:
        """One right entry by the customer himself; False: it was not looked at."""
        self.fell = []
        done = self._enter(seat, Verdict.RIGHT)
        if done:
            self.moves.append(f"right {seat.item} in {seat.operation}" + (" about" if seat.about else ""))
        return done

    def _enter(self, seat: Seat, verdict: Verdict) -> bool:
        scene = self._scene(self.table.operations[seat.operation], about=seat.about)
        if scene is None or scene.row_of(seat.item) is not seat.row:
            return False
        before = {lock.id for _, lock in self.locks()}
        granted = attempt.reserve(scene, seat.item)
        if isinstance(granted, attempt.Granted):
            attempt.settle(scene, granted, verdict)
        self.fell = [lock for _, lock in self.locks() if lock.id not in before]
        return isinstance(granted, attempt.Granted)

    # Runs.

    def run(self, operation: str, may: Callable[[str], bool], *, about: bool = False) -> bool:
        """Walk an operation from its first step to its last with right entries of the items that may be entered."""
        scene = self._scene(self.table.operations[operation], about=about, led=False)
        if scene is None:
            return False
        skip_met_steps(scene)
        while scene.procedure.state is State.OPEN:
            if not any(may(item) and _right(scene, item) for item in awaited(scene)):
                return False
        self.moves.append(f"run {operation}" + (" about" if about else ""))
        return scene.procedure.state is State.DONE

    def lift(self, path: str) -> list[Lock]:
        """Lift every lock that a path lifts, as the desk does. Those that were lifted."""
        way = self.table.paths[path]
        lifted = []
        for key, guard in self.guards.items():
            for lock in release.by_path(guard.locks, path):
                release.lift(key, guard, lock, self.guards, self.table, _untold, path=path)
                lifted.append(lock)
        own = self.guards[held(Reach.CUSTOMER)]
        own.flags = sorted((set(own.flags) | set(way.sets)) - set(way.clears))
        self.moves.append(f"walk {path}")
        return lifted

    def stay(self) -> None:
        """From here on entries are made in one visit, by somebody new."""
        self.visit = Visit()
        self.moves.append("visit")

    def put(self, lock: Lock, reach: Reach) -> None:
        """Set a lock that no entry sets: one that was imported, or an emergency stop."""
        guard = self.guards[held(reach)]
        guard.locks.append(lock)
        self.moves.append(f"lock {lock.row}")

    # Sessions and scenes.

    def session_open(self) -> bool:
        """Whether the customer, or whoever has all that a login asks, can open a session now."""
        logins = [operation for operation in self.table.operations.values() if operation.gives_session]
        return not logins or any(self._open_way(operation) for operation in logins)

    def _open_way(self, operation: Operation) -> bool:
        scene = self._scene_of(operation, about=False, led=True, session=None)
        return all(
            any(scene.row_of(item) is not None and attempt.closed(scene, item) is None for item in step.items)
            for step in operation.steps if scene.meets(step.when)
        )

    def _scene(self, operation: Operation, *, about: bool, led: bool = True) -> Scene | None:
        session = None
        if operation.session:
            since = self.now if about or self._has_no_block() or self.session_open() else self._session_from
            session = self.visit.session if self.visit is not None and self.visit.session is not None and self.visit.session.live else None
            session = session or Session(subject=_other(Reach.CUSTOMER) if about else held(Reach.CUSTOMER), started=since + 1)
            session.seen = self.now
            if self.visit is not None:
                self.visit.session = session
        scene = self._scene_of(operation, about=about, led=led, session=session)
        return scene if session is None or scene.session_lives(session) else None

    def _has_no_block(self) -> bool:
        return not any(guard.locks for guard in self.guards.values())

    def _scene_of(self, operation: Operation, *, about: bool, led: bool, session: Session | None) -> Scene:
        keys = OF_ANOTHER | NEW if about else OWN | NEW
        guards = {key: self.guards.get(key) or Guard(known=True) for key in (OF_ANOTHER if about else OWN).values()}
        for reach, key in NEW.items():
            guards[key] = Guard() if self.visit is None else self.visit.actors.setdefault(reach, Guard())
        run = Procedure(
            operation=operation.name, digest=operation.digest, led=led, session=None if session is None else "session:new",
            started=self.now + 1, expires=FOREVER,
        )
        if self.visit is not None and led:
            before = self.visit.runs.get(operation.name)
            run = self.visit.runs[operation.name] = run if before is None or before.state is not State.OPEN else before
        scene = Scene(
            self.table, operation, run, "procedure:new", session, None if session is None else "session:new", guards, keys, self.now)
        scene.device = "held" if self.place else ""
        scene.ticket = self.ticket
        return scene


def _room(count: Count, counter: Counter) -> int:
    stage = budget.unfired(count, counter)
    return 0 if stage is None else stage.wrong - count.wrong


def _right(scene: Scene, item: str) -> bool:
    granted = attempt.reserve(scene, item)
    return isinstance(granted, attempt.Granted) and attempt.settle(scene, granted, Verdict.RIGHT) is Outcome.RIGHT


def _untold(event: Event) -> None:
    """A proof keeps no record of events."""
    del event
