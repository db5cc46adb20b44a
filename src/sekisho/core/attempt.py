"""One attempt, decided: may this entry be looked at, and what does its verdict cost.

`reserve` takes the guess before anything is compared; `settle` gives it its verdict. Between the two the ledger has made
the guess durable (the slow lane) or holds the rows locked (the fast lane). The same two functions serve the service, the
proofs and the simulations.
"""

from __future__ import annotations

from enum import StrEnum, auto

import msgspec

from sekisho.core import budget, devices, penalty, procedure, release
from sekisho.core.scene import Scene, count_of
from sekisho.core.state import Count, Guard, Lock, Note
from sekisho.events import Event, EventKind
from sekisho.policy.table import EACH, KNOWN, Counter, Gauge, Repeats, Row
from sekisho.terms import Outcome, Reach, Verdict

_RIGHT, _WRONG, _UNREAD = Verdict.RIGHT, Verdict.WRONG, Verdict.UNREAD
_OneCount = tuple[str, Count, Counter]


class Why(StrEnum):
    """Why an entry is refused unread. For staff; the customer reads one text for all that are locks."""

    NOT_NOW = auto()
    """The run or its session has ended, or this item is not what it asks for."""
    LOCKED = auto()
    SPENT = auto()
    """No guess is left on a counter whose stages have all fired."""
    BUSY = auto()
    """Guesses are left only if those in flight come back: try again."""
    UNNAMED = auto()
    """The policy does not name this operation, item or subject."""
    SENSOR = auto()
    """The customer's device has locked its own sensor; it does so by itself (A14)."""
    NO_CODE = auto()
    """No code that was sent is valid now: there is nothing to compare with."""


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """The entry may not be looked at. Nothing was counted."""

    why: Why
    row: str | None = None
    lock: tuple[str, str] | None = None
    """(key of the guard row, id) of the lock that refused."""
    waits_for: tuple[str, ...] = ()
    """For `BUSY`: the counters that others hold."""


class Granted(msgspec.Struct, frozen=True, gc=False):
    """One guess, taken on every counter of the row: what pays for one comparison."""

    item: str
    row: str
    notes: list[Note]
    bank: list[str] = []
    """Counts of the whole bank that it was taken from; the node has the guesses at hand."""


def reserve(scene: Scene, item: str) -> Granted | Refusal:
    """Take one guess on every counter that the entry touches, or none at all."""
    row = open_row(scene, item)
    return row if isinstance(row, Refusal) else _take(scene, item, row)


def open_row(scene: Scene, item: str) -> Row | Refusal:
    """The row under which an item may be entered now, or what closes it."""
    if not scene.alive() or item not in procedure.awaited(scene):
        return Refusal(Why.NOT_NOW)
    scene.note_activity()
    _let_time_pass(scene)
    locked = scene.standing_lock(item)
    if locked is not None:
        return _locked(locked)
    return scene.row_of(item) or Refusal(Why.UNNAMED)


def closed(scene: Scene, item: str) -> Refusal | None:
    """Why no entry of this item would be looked at, however long one waited for others; None: one would.

    A code that could not be entered is not sent.
    """
    row = open_row(scene, item)
    if isinstance(row, Refusal):
        return row
    counts = _with_room(scene, item, row)
    if isinstance(counts, Refusal) and counts.why is not Why.BUSY:
        return counts
    return None


def _locked(locked: tuple[str, Lock]) -> Refusal:
    key, lock = locked
    return Refusal(Why.LOCKED, lock.row, (key, lock.id))


def _take(scene: Scene, item: str, row: Row) -> Granted | Refusal:
    counts = _with_room(scene, item, row)
    if isinstance(counts, Refusal):
        return counts
    bank: list[str] = []
    if row.bank:
        spent = _of_the_bank(scene, row)
        if isinstance(spent, Refusal):
            return spent
        bank = spent
    touched = scene.touched
    notes = []
    for key, count, counter in counts:
        notes.append(budget.reserve(count, key, counter, item))
        touched.add(key)
    return Granted(item, row.id, notes, bank)


def _of_the_bank(scene: Scene, row: Row) -> list[str] | Refusal:
    """The counts of the whole bank that the entry takes a guess of; it may wait for none: other nodes may hold what is left."""
    spent = [counter.name for counter in row.bank if not scene.is_vouched_for(counter.name)]
    if any(scene.ticket.get(name, 0) <= scene.now for name in spent):
        return Refusal(Why.BUSY, row.id)
    return spent


def _with_room(scene: Scene, item: str, row: Row) -> list[_OneCount] | Refusal:
    """Each count the row touches, where all of them have a guess left."""
    counts = _counts(scene, row)
    if counts is None:
        return Refusal(Why.UNNAMED, row.id)
    short = _short(scene, counts)
    if short and _fire_owed(scene, row, short):
        # What fell may have closed this entry; where it has not, the stages above are what is left.
        if not scene.alive() or item not in procedure.awaited(scene):
            return Refusal(Why.NOT_NOW, row.id)
        locked = scene.standing_lock(item)
        if locked is not None:
            return _locked(locked)
        short = _short(scene, counts)
    return _refuse_short(row, short) if short else counts


def _short(scene: Scene, counts: list[_OneCount]) -> list[_OneCount]:
    return [one for one in counts if not budget.has_room(one[1], one[2], scene.now)]


def _fire_owed(scene: Scene, row: Row, short: list[_OneCount]) -> bool:
    """A lowered threshold, or an imported count: what is owed falls before the entry is looked at. Says whether any did."""
    fired = [penalty.fire_overdue(scene, key, count, counter, row.id) for key, count, counter in short]
    return any(fired)


def _refuse_short(row: Row, short: list[_OneCount]) -> Refusal:
    """Some counter has no guess left: for good, or only until those in flight come back."""
    if any(budget.unfired(count, counter) is None for _, count, counter in short):
        return Refusal(Why.SPENT, row.id)
    return Refusal(Why.BUSY, row.id, waits_for=tuple(f"{key}/{counter.name}" for key, _, counter in short))


def _counts(scene: Scene, row: Row) -> list[_OneCount] | None:
    """Each count the row touches, with its row's key and its counter; None where the attempt names no such subject."""
    keys, rows = scene.keys, scene.rows
    counts = []
    for gauge in row.gauges:
        key = keys.get(gauge.place)
        if key is None:
            return None
        counter = gauge.counter
        holder = rows[key]
        if isinstance(holder, Guard) and (gauge.devices or holder.places or holder.cuts):
            one = _by_device(scene, key, holder, gauge)
            if one is not None:
                counts.append(one)
            continue
        counts.append((key, count_of(holder, counter.name), counter))
    return counts


def _by_device(scene: Scene, key: str, guard: Guard, gauge: Gauge) -> _OneCount | None:
    """The count that an entry from this device touches, of one that tells devices apart; None: it touches none."""
    counter = gauge.counter
    if counter.shares or guard.places or guard.cuts:
        devices.recut(guard, counter, scene.now)
    whose = gauge.devices
    place = scene.place_of(key) if whose else 0
    if whose == EACH and place:
        return key, *devices.share(guard, counter, place, scene.now)
    if not whose or whose == EACH or (whose == KNOWN) is bool(place):
        return key, count_of(guard, counter.name), counter
    return None


def _let_time_pass(scene: Scene) -> None:
    for key, guard in scene.guards.items():
        if guard.locks and release.expire(key, guard, scene.now, scene.tell):
            scene.touch(key)


def settle(scene: Scene, taken: Granted, verdict: Verdict, tag: bytes = b"") -> Outcome | None:
    """Give a reserved guess its verdict and let fall what falls. None: it was unread.

    Every lock is asked again. An answer that meets one clears and opens nothing and is told as refused, right or wrong
    alike: else the difference would tell a guesser that he had been right.

    Args:
        scene: the rows.
        taken: the guess.
        verdict: what comparing it has shown.
        tag: of an entry that was compared here, by which the same one is known again; empty: it counts in any case.

    """
    item = taken.item
    _let_time_pass(scene)
    void = not scene.alive() or item not in procedure.awaited(scene) or scene.standing_lock(item) is not None
    # A right answer that is void gives back its own guess and nothing else.
    counted = _UNREAD if void and verdict is _RIGHT else verdict
    repeats = scene.table.items[item].repeats if tag and verdict is _WRONG else None
    repeated = repeats is not None and _has_counted(scene, taken, tag, repeats)
    for note in taken.notes:
        _settle_one(scene, taken, note, _UNREAD if repeated and outlives_run(note) else counted)
        if repeats is not None and not repeated:
            _note_counted(scene, note, tag, repeats)
    _record(scene, taken, verdict, void=void, repeated=repeated)
    if verdict is _UNREAD:
        return None
    if void:
        return Outcome.REFUSED
    if verdict is _RIGHT:
        if procedure.close(scene, item, taken.row):
            return Outcome.REFUSED
        procedure.advance(scene, item)
        procedure.note_where(scene)
        return Outcome.RIGHT
    _end_if_closed(scene, taken)
    return Outcome.WRONG


def _end_if_closed(scene: Scene, taken: Granted) -> None:
    """A run of which a penalty has closed every way on is over."""
    if scene.procedure.led or not any(guard.locks for guard in scene.guards.values()) or not scene.alive():
        return
    if all(scene.standing_lock(item) is not None for item in procedure.awaited(scene)):
        penalty.end_run(scene, taken.row, ends_session=False)


def _has_counted(scene: Scene, taken: Granted, tag: bytes, repeats: Repeats) -> bool:
    """Whether this very entry stands on every count that outlives the run, so that each has had its guess for it."""
    lasting = [_count_now(scene, note) for note in taken.notes if outlives_run(note)]
    return bool(lasting) and all(
        count is not None and counter is not None and budget.has_counted(count, counter, tag, repeats, scene.now) for count, counter in lasting)


def _note_counted(scene: Scene, note: Note, tag: bytes, repeats: Repeats) -> None:
    count, counter = _count_now(scene, note)
    if count is not None and counter is not None and outlives_run(note):
        budget.note_counted(count, counter, tag, repeats, scene.now)


def outlives_run(note: Note) -> bool:
    """Whether a count stands on a subject. A run or session counts every entry made in it, so that it ends as ever."""
    return note.key.partition(":")[0] not in {Reach.PROCEDURE, Reach.SESSION}


def _count_now(scene: Scene, note: Note) -> tuple[Count | None, Counter | None]:
    """The count that a guess was taken from, as it is now, and its counter; None: there is no such any more."""
    holder = scene.rows.get(note.key)
    name = note.counter
    if isinstance(holder, Guard) and holder.places:
        name = devices.settled_on(holder, name, scene.table, scene.now)
    counter = scene.table.counters.get(name)
    count = None if holder is None else holder.counts.get(name)
    if count is not None and counter is not None:
        budget.refresh(count, counter, scene.now)
    return count, counter


def _settle_one(scene: Scene, taken: Granted, note: Note, verdict: Verdict) -> None:
    count, counter = _count_now(scene, note)
    if count is None:
        return
    if counter is None:
        # The policy has dropped this counter since; should it come back, nothing of this guess is left in flight.
        count.flight = max(0, count.flight - 1)
        scene.touched.add(note.key)
        return
    budget.settle(count, counter, taken.item, note, verdict, scene.now)
    scene.touched.add(note.key)
    if verdict is _WRONG:
        penalty.fire_overdue(scene, note.key, count, counter, taken.row)


def _record(scene: Scene, taken: Granted, verdict: Verdict, *, void: bool, repeated: bool) -> None:
    if verdict is _WRONG:
        kind = EventKind.ENTRY_REPEATED if repeated else EventKind.ENTRY_WRONG
    elif verdict is _UNREAD:
        kind = EventKind.ENTRY_UNREAD
    else:
        kind = EventKind.ENTRY_VOID if void else EventKind.ENTRY_RIGHT
    scene.tell(Event(kind, whose(scene, taken), scene.operation.name, taken.item, taken.row, scene.procedure_key))


def whose(scene: Scene, taken: Granted) -> str:
    """The subject in whose history the entry belongs: the first guard whose count it touched, else the run's own."""
    for note in taken.notes:
        if note.key in scene.guards:
            return note.key
    return scene.keys.get(scene.operation.subject.value, scene.procedure_key)
