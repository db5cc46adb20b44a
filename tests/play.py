"""Plays engine and auditor side by side: rows in a dictionary, one decision at a time, every step counted twice."""

from auditor import SECOND, Auditor, Held, Place, Sight

from sekisho.core import attempt as engine
from sekisho.core import release
from sekisho.core.state import Guard, Procedure, Session, decode, encode
from sekisho.flows.subjects import Facts, Subjects
from sekisho.terms import State, Verdict

START = 1_700_000_000 * SECOND
KINDS = {"procedure": Procedure, "session": Session}


class Reading:
    """What `Subjects` reads a scene from: rows decoded anew for every decision, as a ledger would."""

    def __init__(self, play):
        self.table = play.table
        self.now = play.now
        self._raw = play.rows

    def get(self, key, kind):
        body = self._raw.get(key)
        return None if body is None else decode(body, kind)


class Play:
    """A policy, rows and a clock; `complaints` is what the auditor says about it."""

    reserve = staticmethod(engine.reserve)
    settle = staticmethod(engine.settle)

    def __init__(self, table):
        self.table = table
        self.auditor = Auditor(table)
        self.rows = {}
        self.now = START
        self.subjects = Subjects(b"k" * 32)
        self.flying = {}
        self.device = ""
        """From which runs are begun where nothing else is said."""
        self._attempts = 0

    @property
    def complaints(self):
        return self.auditor.complaints

    def enrol(self, *subjects):
        for subject in subjects:
            self.rows[subject] = encode(Guard(known=True))

    def wait(self, seconds):
        self.now += int(seconds * SECOND)

    def change_policy(self, table):
        self.table = self.auditor.table = table

    def open_session(self, key, subject):
        self.now += 1
        self.rows[key] = encode(Session(subject=subject, started=self.now, seen=self.now))
        self.auditor.open_session(key, subject, self.now)

    def begin(self, key, operation, subjects, session=None, device=None):
        """Begin a run in which any item of the operation may be entered."""
        self.now += 1
        device = self.device if device is None else device
        self.rows[key] = encode(Procedure(
            operation=operation, digest=self.table.operations[operation].digest, subjects=subjects, session=session,
            led=True, started=self.now, expires=1 << 62, device=device,
        ))
        where_counted = {place: name if name in self.rows else self.subjects.bucket(name) for place, name in subjects.items()}
        self.auditor.begin(key, operation, where_counted, self.now, session, device=device)

    def offer(self, run, item):
        """Offer an entry: the number of the attempt, and `granted` or why it was refused."""
        scene = self._scene(self._facts(run))
        said = self.reserve(scene, item)
        self._attempts += 1
        granted = isinstance(said, engine.Granted)
        if granted:
            self.flying[self._attempts] = (self._facts(run), said)
        self._record(scene)
        word = "granted" if granted else str(said.why)
        self.auditor.looked(self._attempts, run, item, self.now, word, self._seen(scene), self.sight())
        return self._attempts, word

    def verdict(self, attempt, verdict):
        """Give an attempt its verdict: what is told, None for unread."""
        facts, granted = self.flying.pop(attempt)
        scene = self._scene(facts)
        told = self.settle(scene, granted, Verdict(verdict))
        self._record(scene)
        word = None if told is None else str(told)
        self.auditor.settled(attempt, verdict, self.now, word, self._seen(scene), self.sight())
        return word

    def enter(self, run, item, verdict):
        """Offer an entry and give it its verdict at once."""
        attempt, word = self.offer(run, item)
        return word if word != "granted" else self.verdict(attempt, verdict)

    def release(self, key, lock_id):
        """Lift a lock, as the desk does."""
        self.now += 1
        guards = {name: decode(body, Guard) for name, body in self.rows.items() if name.partition(":")[0] not in KINDS}
        lock = next(lock for lock in guards[key].locks if lock.id == lock_id)
        sources = {name: decode(body, KINDS.get(name.partition(":")[0], Guard)) for name, body in self.rows.items()}
        sources[key] = guards[key]
        held = _held(key, lock)
        release.lift(key, guards[key], lock, sources, self.table, lambda event: None, path="desk")
        self.rows[key] = encode(guards[key])
        self.rows[lock.source] = encode(sources[lock.source])
        self.auditor.released(held, Place(lock.source, lock.counter), self.now, self.sight())

    def locks(self):
        """Every lock on record that stands."""
        found = []
        for key, body in self.rows.items():
            if key.partition(":")[0] not in KINDS:
                found += [_held(key, lock) for lock in decode(body, Guard).locks if lock.stands(self.now)]
        return found

    def sight(self):
        """What can be seen from outside."""
        rows = [(key, decode(body, KINDS[kind])) for key, body in self.rows.items() if (kind := key.partition(":")[0]) in KINDS]
        return Sight(self.locks(), {key for key, row in rows if (row.live is False if isinstance(row, Session) else row.state is State.ENDED)})

    def lock_ids(self):
        return [(key, lock.id) for key, body in self.rows.items() if key.partition(":")[0] not in KINDS
                for lock in decode(body, Guard).locks if lock.stands(self.now)]

    def count(self, key, counter):
        """(wrong, in flight) as it is on record."""
        count = decode(self.rows[key], KINDS.get(key.partition(":")[0], Guard)).counts.get(counter)
        return (0, 0) if count is None else (count.wrong, count.flight)

    def _facts(self, run):
        procedure = decode(self.rows[run], Procedure)
        return Facts(run, procedure.operation, procedure.subjects, procedure.session, "", device=procedure.device)

    def _scene(self, facts):
        self.now += 1
        reading = Reading(self)
        return self.subjects.scene(reading, facts, self.table.operations[facts.operation], reading.get(facts.key, Procedure))

    def _record(self, scene):
        for key in scene.touched:
            self.rows[key] = encode(scene.rows[key])

    @staticmethod
    def _seen(scene):
        return {
            Place(key, name): (count.wrong, count.fired, count.flight)
            for key, row in scene.rows.items() for name, count in row.counts.items()
        }


def _held(key, lock):
    return Held(
        key, lock.row, str(lock.kind), lock.wrong, lock.since, lock.until, tuple(lock.operations), tuple(lock.spares), tuple(lock.items),
        lock.whom, lock.counter,
    )
