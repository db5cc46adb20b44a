"""What must hold after a history, however it went: judged from the ledger's own record and from what was told outside."""

from collections import Counter

from auditor import NOT_HEARD, Auditor, Place
from linear import complaints as not_linear
from linear import lapsing
from policy_book import BOOK, COUNTER_OF_ROW, FIRST
from shared import SimStore
from trail import links, told_in
from visitors import CUSTOMERS, SAMPLED, STRANGER, VICTIM

from sekisho.core import budget
from sekisho.core.state import SECOND, Count, Guard, InForce, Procedure, Reservation, Session, decode
from sekisho.events import EventKind
from sekisho.flows.attempt import KEEP_SETTLED_S
from sekisho.flows.subjects import Subjects

TOLD = {
    EventKind.ENTRY_RIGHT: ("right", "right"), EventKind.ENTRY_VOID: ("right", "refused"), EventKind.ENTRY_WRONG: ("wrong", NOT_HEARD),
    EventKind.ENTRY_UNREAD: ("unread", None), EventKind.ENTRY_REPEATED: ("repeated", NOT_HEARD),
}
"""By event: the verdict, and what was told for it."""

GRANTS = frozenset({*TOLD, EventKind.GUESS_RESERVED, EventKind.PROCEDURE_BEGUN, EventKind.SESSION_OPENED, EventKind.LOCK_LIFTED})

FAR_US = 60 * SECOND
"""Farther than a slow answer could hide."""


def judged(world):
    """Everything there is to complain about."""
    try:
        found = _at_once(links(SimStore(world.shared)))
    except AssertionError as broken:
        return [f"a chain is broken: {broken}"]
    record = Record(world.shared, found)
    return [
        *Replay(record).complaints(), *_unfinished(record), *_told_and_lost(world, record), *_counted_twice(world, record),
        *_beyond_the_budget(world, record), *_at_a_doubted_time(world.shared), *_not_as_one_counter(world),
    ]


def _at_once(coroutine):
    """What a coroutine gives that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


class Record:
    """The ledger's own record, put in order."""

    def __init__(self, shared, found):
        self.shared = shared
        self.now = shared.clock()
        self.events = []
        for link in found:
            transaction = shared.decided_by[link.writer, link.first]
            version = decode(transaction.in_force, InForce).at(transaction.now)
            self.events += [(event, version) for event in told_in(link)]
        self.events.sort(key=lambda one: one[0].at)
        rows = shared.versions
        self.runs = {(key, row.started): row for key, row in _of(rows, "procedure:", Procedure)}
        self.sessions = dict(_of(rows, "session:", Session))
        self.reservations = dict(_of(rows, "reservation:", Reservation))
        ends = {key: due - KEEP_SETTLED_S * SECOND for key, body, due in rows if key in self.reservations and due is not None}
        self.settled_at = {(at, self.reservations[key].procedure): key for key, at in ends.items() if self.reservations[key].settled}
        self.made_at = {(row.made, row.procedure): key for key, row in self.reservations.items()}

    def entries(self, procedure):
        """How often each kind of entry was counted in a run."""
        return Counter(TOLD[event.kind][0] for event, _ in self.events if event.kind in TOLD and event.procedure == procedure)


def _of(versions, prefix, kind):
    for key, body, _ in versions:
        if key.startswith(prefix):
            yield key, decode(body, kind)


class Longer(Auditor):
    """In a history of many entries a run may begin anew under its old key: the old one is over."""

    def lives(self, run, now):
        return self.runs.get(run.key) == run and super().lives(run, now)


class Replay:
    """The auditor counts the record again."""

    def __init__(self, record):
        self.record = record
        self.auditor = Longer(BOOK[FIRST])
        self._entered_at = {event.at for event, _ in record.events if event.kind in TOLD}
        self._subjects = Subjects(b"s" * 32)

    def complaints(self):
        begun = [(row.started, 0, key, row) for (key, _), row in self.record.runs.items()]
        opened = [(row.started, 0, key, row) for key, row in self.record.sessions.items()]
        # What an entry led to is told before it.
        happened = [(event.at, 1 if event.kind in TOLD else 2, event, version) for event, version in self.record.events]
        for at, _, what, more in sorted([*begun, *opened, *happened], key=lambda one: one[:2]):
            if isinstance(more, Procedure):
                self._begin(what, more, at)
            elif isinstance(more, Session):
                self.auditor.open_session(what, more.subject, at)
            else:
                self.auditor.table = BOOK[more]
                self._take(what)
        self._compare()
        return self.auditor.complaints

    def _begin(self, key, run, at):
        known = self.record.shared.rows
        counted = {
            where: name if name in known and decode(known[name], Guard).known else self._subjects.bucket(name)
            for where, name in run.subjects.items()
        }
        self.auditor.ended.discard(key)
        self.auditor.begin(key, run.operation, counted, at, run.session, run.expires)
        self.auditor.runs[key] = self.auditor.runs[key]._replace(digest=run.digest)

    def _take(self, event):
        auditor = self.auditor
        if event.kind is EventKind.GUESS_RESERVED:
            self._look(self.record.made_at.get((event.at, event.procedure)), event)
        elif event.kind in TOLD:
            self._settle(event, *TOLD[event.kind])
        elif event.kind is EventKind.LOCK_SET and event.at not in self._entered_at:
            self._overdue(event)
        elif event.kind is EventKind.LOCK_LIFTED and event.path != "wait":
            self._release(event)
        elif event.kind in {EventKind.PROCEDURE_DONE, EventKind.PROCEDURE_ENDED}:
            auditor.ended.add(event.subject)
        elif event.kind is EventKind.SESSION_ENDED and event.session is not None:
            auditor.ended.add(event.session)

    def _look(self, name, event):
        if event.procedure in self.auditor.runs:
            self.auditor.looked(name, event.procedure, event.item, event.at, "granted", {}, None)
        else:
            self.auditor.complaints.append(f"{event.at}: {event.kind} in {event.procedure}, which never began")

    def _settle(self, event, verdict, told):
        """With the reservation that was settled then; else it was reserved and settled in one."""
        name = self._reservation(event)
        if name is None:
            name = (event.procedure, event.at)
            self._look(name, event)
        if name in self.auditor.taken:
            self.auditor.settled(name, verdict, event.at, told, {}, None)
        else:
            self.auditor.complaints.append(f"{event.at}: {event.kind} of {name}, which was not in flight")

    def _reservation(self, event):
        settled = self.record.settled_at
        if event.procedure == "procedure:gone":
            # The run is no more; the reservation knows which it was.
            return next((name for (at, _), name in settled.items() if at == event.at), None)
        return settled.get((event.at, event.procedure))

    def _overdue(self, event):
        """A lowered threshold falls on an entry that is not looked at; two may fall at once."""
        self._entered_at.add(event.at)
        item = next(
            row.item for rows in self.auditor.table.operations[event.operation].rows.values() for row in rows
            if any(gauge.counter.name == COUNTER_OF_ROW[event.row] for gauge in row.gauges)
        )
        run = f"procedure:overdue-{event.at}"
        self.auditor.begin(run, event.operation, {"customer": event.subject}, event.at)
        self.auditor.looked(run, run, item, event.at, "locked", {}, None)

    def _release(self, event):
        since = int(event.lock.partition("-")[0], 16)
        held = next((lock for lock in self.auditor.locks if (lock.key, lock.row, lock.since) == (event.subject, event.row, since)), None)
        if held is None:
            self.auditor.complaints.append(f"{event.at}: {event.row} was lifted from {event.subject}, which never fell")
        else:
            self.auditor.released(held, Place(event.subject, COUNTER_OF_ROW[event.row]), event.at, None)

    def _compare(self):
        """What stands in the rows is what stands by the auditor's count."""
        rows, table, now = self.record.shared.rows, self.auditor.table, self.record.now
        guards = {key: decode(rows[key], Guard) for key in (*CUSTOMERS, SAMPLED, self._subjects.bucket(STRANGER)) if key in rows}
        for place in self.auditor.facts:
            if place.key in guards:
                count = guards[place.key].counts.get(place.counter, Count())
                budget.refresh(count, table.counters[place.counter], now)
                told = (self.auditor.standing(place, now), self.auditor.recount(place, now)[1])
                if (count.wrong, count.flight) != told:
                    self.auditor.complaints.append(f"{place}: {count.wrong, count.flight} wrong and in flight, not {told}")
        held = sorted((key, lock.row) for key, guard in guards.items() for lock in guard.locks if lock.stands(now))
        told = sorted((lock.key, lock.row) for lock in self.auditor.locks if lock.stands(now))
        if held != told:
            self.auditor.complaints.append(f"locks {held}, not {told}")


def _unfinished(record):
    """Long after the last lease no guess is in flight."""
    return [f"{key} never had its verdict" for key, row in record.reservations.items() if row.settled is None]


def _told_and_lost(world, record):
    """No verdict that was told is missing from the record."""
    found = []
    told = Counter((one.about, one.word) for one in world.heard if one.word in {"right", "wrong"})
    for (about, word), number in told.items():
        if about.startswith("reservation:"):
            if record.reservations[about].settled != word:
                found.append(f"{about} was told {word} and is {record.reservations[about].settled} on record")
        elif record.entries(about)[word] < number:
            found.append(f"{about} was told {word} {number} times, and {dict(record.entries(about))} are on record")
    return found


def _counted_twice(world, record):
    """No request is counted twice, however often it was sent."""
    sent = Counter(world.sent)
    return [
        f"{about}: {number} requests, and {dict(record.entries(about))} are on record"
        for about, number in sent.items() if sum(record.entries(about)[word] for word in ("right", "wrong")) > number
    ]


def _beyond_the_budget(world, record):
    """Where only wrong codes are entered, there are no more verdicts than the budget, once more for every release."""
    verdicts = sum(one.word == "wrong" and (one.customer, one.item) == (VICTIM, "code") for one in world.heard)
    released = sum(event.kind is EventKind.RELEASE_DONE and event.subject == VICTIM for event, _ in record.events)
    budget_max = max(table.counters["codes"].stages[-1].wrong for table in BOOK.values() if table.version in world.in_force)
    allowed = budget_max * (1 + released)
    return [f"{verdicts} verdicts on the code of {VICTIM}, and {allowed} are allowed"] if verdicts > allowed else []


def _at_a_doubted_time(shared):
    """No node grants by a clock that is far from where it was when the node began, unless somebody agreed to it since."""
    found, agreed = [], []
    for link in shared.links:
        transaction = shared.decided_by[link.writer, link.first]
        kinds = {event.kind for event in told_in(link)}
        if EventKind.CLOCK_AGREED in kinds:
            agreed.append(transaction.ahead_us)
        if kinds.intersection(GRANTS) and transaction.owner is not None:
            trusted = (transaction.owner.began_us, *agreed)
            if all(abs(transaction.ahead_us - one) > FAR_US for one in trusted):
                found.append(f"{transaction.owner} granted while the clock was {transaction.ahead_us / SECOND:+.0f} s off, trusted were {trusted}")
    return found


def _not_as_one_counter(world):
    if world.in_force != {FIRST}:
        return []
    return not_linear(lapsing(world.recorder.history), {BOOK[FIRST].counters["codes"].stages[-1].wrong: True})
