"""The auditor: a second count of every guess, made apart from the engine and as naively as can be.

It keeps plain lists of facts (admitted, wrong, right, unread, void, looked at, released) and, for every question, counts
the whole list again from its beginning. It knows the policy table and the rules as they are written for people:

- an entry is admitted only if, on every counter it touches, what stands and what is in flight together are below the
  lowest stage that has not fired;
- a wrong one stands; every stage that is then reached fires, once a run; a run ends when nothing stands;
- a right one takes from an in-a-row count what the same item had put there before this entry was admitted;
- a right one that meets a lock or the end of its run takes nothing and is told as refused, as is a wrong one, which stands;
- a wrong one that is said to be the same as one before is told as any wrong one and counts in its run or session alone; then on every
  other count that it touches something of the same item must stand;
- in total nothing is forgotten; within a window what is older, at most a thirty-second part of the window late; a stage
  that the window has fallen below can be reached anew;
- where the table shares a count out, each device that a subject has proved himself from has a share of its own and all others
  one together; a lock that fell on a share refuses those whose share it is; a release makes all of them zero; and whatever is
  shared out, no more stands and is in flight than the shares come to together;
- the count that led to a timed lock is zero when that lock ends (the first, where it led to several), and any count when a
  lock it led to is released.

Where the rules leave the engine room (how late a window forgets) it follows every history the rules allow, and drops
those that what it sees refutes. What it has to complain about is in `complaints`.
"""

import itertools
from typing import NamedTuple

from sekisho.policy.table import Counter, Penalty, Row, Stage
from sekisho.terms import Counting, PenaltyKind, Reach

SECOND = 1_000_000
LATEST = 32
"""A window may forget later than it should by this part of itself."""

NOT_HEARD = "not heard"
"""For an answer that nobody wrote down."""

ENDS = (PenaltyKind.VOID, PenaltyKind.END_SESSION, PenaltyKind.START_OVER)


class Place(NamedTuple):
    """One count: whose it is and what it is called."""

    key: str
    counter: str


class Fact(NamedTuple):
    """One thing that happened to one count."""

    number: int
    at: int
    what: str
    counter: Counter
    attempt: int = 0
    item: str = ""
    seen: tuple = ()


class World(NamedTuple):
    """What a count may be after its history."""

    standing: tuple = ()
    fired: int = 0
    zero_at: int | None = None
    due: tuple = ()
    """The stages that fell with the last fact."""


NOTHING = World()


class Held(NamedTuple):
    """A lock as anybody can see it."""

    key: str
    row: str
    kind: str
    wrong: int
    since: int
    until: int | None
    operations: tuple
    spares: tuple
    items: tuple
    whom: str = ""
    counter: str = ""

    def stands(self, now):
        return self.until is None or now < self.until

    def closes(self, operation, item):
        return item in self.items or operation in self.operations or ("*" in self.operations and operation not in self.spares)


class Sight(NamedTuple):
    """What anybody can see from outside: the locks that stand, the runs and sessions that penalties have ended.

    `keys`: where only these subjects were looked at, and no runs.
    """

    locks: list
    ended: set
    keys: frozenset | None = None


class Run(NamedTuple):
    """One run of an operation."""

    key: str
    operation: str
    subjects: dict
    session: str | None
    digest: str
    expires: int
    begun: int
    device: str = ""


class Proof(NamedTuple):
    """Somebody proved himself from a device."""

    subject: str
    device: str
    at: int
    locked: frozenset
    """The shares of his that were locked then."""


class Taken(NamedTuple):
    """One guess in flight."""

    run: Run
    item: str
    places: tuple


class Auditor:
    """Counts again."""

    def __init__(self, table):
        self.table = table
        self.complaints = []
        self.facts = {}
        self.runs = {}
        self.sessions = {}
        self.ended = set()
        self.blocked = {}
        self.locks = []
        self.taken = {}
        self.flags = {}
        """By subject: what conditions of the table ask for."""
        self.fallen = []
        """The locks that fell with the last fact."""
        self.proofs = []
        self.shut = {}
        self._number = itertools.count()

    # What happens, as it happens.

    def begin(self, key, operation, subjects, now, session=None, expires=1 << 62, device=""):
        digest = self.table.operations[operation].digest
        self.runs[key] = Run(key, operation, subjects, session, digest, expires, now, device)

    def open_session(self, key, subject, now):
        self.sessions[key] = (subject, now)

    def looked(self, attempt, run_key, item, now, said, seen, sight):
        """An entry was offered; the engine said `granted` or why not."""
        run = self.runs[run_key]
        places = self._places(run, item, now)
        reasons = self.closed(run, item, now)
        if not reasons:
            # What a lowered threshold owed falls first; it may close the entry.
            self._write(run, places, now, "looked", attempt, item, seen, sight)
            reasons = self.closed(run, item, now) or self.short(places, now)
        if said != "granted":
            if not self._is_reason(said, reasons, run, item, now):
                self._complain(now, f"refused as {said}, but the reasons are {sorted(reasons)}")
            return self._sight_agrees(sight, now)
        if reasons:
            self._complain(now, f"granted in spite of {sorted(reasons)}")
        self.taken[attempt] = Taken(run, item, places)
        for place, counter in places:
            self._add(place, now, "admitted", counter, attempt, item)
            self._no_more_than_the_whole(place, now)
        self._flights_agree(places, seen, now)
        return self._sight_agrees(sight, now)

    def settled(self, attempt, verdict, now, said, seen, sight):
        """An entry that was granted had its verdict; the engine told `said`."""
        run, item, places = self.taken.pop(attempt)
        void = bool(self.closed(run, item, now))
        what = "void" if void and verdict == "right" else verdict
        if verdict == "repeated":
            self._repeats_what_stands(places, item, now)
        self._write(run, places, now, what, attempt, item, seen, sight)
        self._flights_agree(places, seen, now)
        expected = None if verdict == "unread" else "refused" if void else "wrong" if verdict == "repeated" else verdict
        if said not in (expected, NOT_HEARD):
            self._complain(now, f"{verdict} was told as {said}, not as {expected}")
        if expected == "right":
            self._proved(run, now)
        self._sight_agrees(sight, now)

    def released(self, held, place, now, sight):
        """A lock was lifted; the count it came from is zero."""
        self.locks.remove(held)
        for name in self._shares(place.counter):
            self._add(Place(place.key, name), now, "released", self.table.counters[name])
            self.locks = [lock for lock in self.locks if (lock.key, lock.counter) != (held.key, name)] if self._is_shared(name) else self.locks
        self._sight_agrees(sight, now)

    def carried(self, place, wrong, now):
        """So many wrong entries of no known item were put on a count, and nothing fell."""
        counter = self.table.counters[place.counter]
        for _ in range(wrong - self.standing(place, now)):
            self._add(place, now, "carried", counter)

    # What must hold.

    def _is_reason(self, said, reasons, run, item, now):
        """Whether what was said is one of the reasons."""
        del run, item, now
        return said in reasons

    def _repeats_what_stands(self, places, item, now):
        """Whether there is anything that the entry could be a repeat of."""
        for place, _ in places:
            lasting = place.key.partition(":")[0] not in ("procedure", "session")
            if lasting and not any(fact.item == item for world in self.recount(place, now)[0] for fact in world.standing):
                self._complain(now, f"{place}: nothing stands that {item} could repeat")

    def closed(self, run, item, now):
        """Why an entry is not even a question of counting."""
        if not self.lives(run, now):
            return {"not_now"}
        if item not in self.table.operations[run.operation].rows:
            return {"not_now", "unnamed"}
        subjects = set(run.subjects.values())
        held = [
            lock for lock in self.locks
            if lock.stands(now) and lock.key in subjects and self._shuts(lock, run, item) and self._meant(lock.whom, lock.key, run, now)
        ]
        return {"locked"} if held else set()

    def _shuts(self, lock, run, item):
        """Whether a lock closes an entry. By its item it closes what is of whoever is locked, not what somebody else's is entered of."""
        row = self.row(run, item)
        entered_of = {subject for where, subject in run.subjects.items() if where.startswith("about:") is (row is not None and row.about)}
        return lock.closes(run.operation, item if lock.key in entered_of else None)

    def lives(self, run, now):
        """Whether a run may go on: not ended, its operation unchanged, its session begun after its subjects were last blocked.

        A run without a session is its own.
        """
        if run.key in self.ended or now >= run.expires or run.digest != self.table.operations[run.operation].digest:
            return False
        own = _own(run)
        subject, since = (None, run.begun) if run.session is None else self.sessions[run.session]
        if run.session is not None and (subject not in own or run.session in self.ended):
            return False
        blocked = [at for one in own for at in self.blocked.get(one, ())]
        blocked += [at for (one, whom), times in self.shut.items() for at in times if one in own and self._meant(whom, one, run, now)]
        return all(since > at for at in blocked)

    def short(self, places, now):
        """Which budgets are short, in the likeliest history: `spent` for good, or `busy` only until others are compared."""
        found = set()
        for place, counter in places:
            worlds, flight = self.recount(place, now)
            world = worlds[0]
            left = [stage.wrong for stage in counter.stages if stage.wrong > world.fired]
            if not left:
                found.add("spent")
            elif len(world.standing) + flight >= left[0]:
                found.add("busy")
        return {"spent"} if "spent" in found else found

    def recount(self, place, now):
        """All that a count may be now, and how many guesses are in flight on it."""
        worlds, flight = self._replayed(place)
        counter = self.table.counters.get(place.counter) or self.facts[place][-1].counter
        return list(dict.fromkeys(later for world in worlds for later in passed(world, counter, now))), flight

    def _replayed(self, place):
        return replayed(self.facts.get(place, ()))

    def standing(self, place, now):
        """The wrong entries that stand, by the likeliest history."""
        return len(self.recount(place, now)[0][0].standing)

    # Devices.

    def _proved(self, run, now):
        """A right entry of an operation that makes devices known: to every subject of his own that somebody has enrolled."""
        rules = self.table.devices
        if rules is None or not run.device or run.operation not in rules.known_by:
            return
        for where, key in run.subjects.items():
            if where in ("customer", "account", "app") and self._is_enrolled(key):
                locked = frozenset(lock.whom for lock in self.locks if lock.key == key and lock.stands(now))
                self.proofs.append(Proof(key, run.device, now, locked))

    def _is_enrolled(self, key):
        return not key.startswith("~")

    def known_devices(self, key, now):
        """Who is known at which place, from all that was ever proved: place to (device, last seen)."""
        rules = self.table.devices
        found = {}
        for proof in self.proofs if rules else ():
            if proof.subject == key:
                found = {place: one for place, one in found.items() if proof.at < one[1] + rules.kept_s * SECOND}
                here = [place for place, one in found.items() if one[0] == proof.device]
                if here:
                    # That it is in use is written down now and then.
                    fresh = proof.at >= found[here[0]][1] + 3600 * SECOND
                    found[here[0]] = (proof.device, proof.at if fresh else found[here[0]][1])
                else:
                    places = [place for place in range(1, rules.remembered + 1) if f"device-{place}" not in proof.locked]
                    free = [place for place in places if place not in found] or sorted(places, key=lambda place: found[place][1])
                    found |= dict.fromkeys(free[:1], (proof.device, proof.at))
        return {place: one for place, one in found.items() if now < one[1] + rules.kept_s * SECOND} if rules else {}

    def _place(self, key, run, now):
        if key.lstrip("~").partition(":")[0] not in ("customer", "account", "app"):
            # Whoever types, and the bank, know nobody: whom the entry is about answers for them, else whom the run is for.
            key = run.subjects.get("about:customer") or run.subjects[str(self.table.operations[run.operation].subject)]
        return next((place for place, (device, _) in self.known_devices(key, now).items() if device == run.device), 0)

    def _meant(self, whom, key, run, now):
        """Whether what falls on some devices falls on this one."""
        if not whom:
            return True
        place = self._place(key, run, now)
        return {"unknown": not place, "known": bool(place)}.get(whom, whom == f"device-{place}")

    def _is_shared(self, name):
        return len(self._shares(name)) > 1

    def _shares(self, name):
        """The names of a count and of all its shares, the whole first."""
        whole = name.partition("/device-")[0]
        return [one for one in self.table.counters if one == whole or one.startswith(f"{whole}/device-")]

    def _no_more_than_the_whole(self, place, now):
        """All shares together, counted as if nothing had ever been shared out. Where time clears a count each share has its own time."""
        names = self._shares(place.counter)
        counters = [self.table.counters[name] for name in names]
        if len(names) == 1 or any(penalty.for_s for stage in counters[0].stages for penalty in stage.penalties):
            return
        facts = sorted(fact for name in names for fact in self.facts.get(Place(place.key, name), ()) if fact.what != "seen")
        worlds, flight = replayed([fact._replace(counter=unstaged(counters[0])) for fact in facts])
        figure = sum(counter.stages[-1].wrong for counter in counters)
        if min(len(world.standing) for world in worlds) + flight > figure:
            self._complain(now, f"{place}: more stands and is in flight than the {figure} that all its shares come to")

    # How it is counted.

    def _places(self, run, item, now):
        row = self.row(run, item)
        found = []
        for gauge in () if row is None else row.gauges:
            counter, key = gauge.counter, self._key(run, gauge.counter.reach, gauge.about)
            place = self._place(key, run, now) if gauge.devices else 0
            if gauge.devices == "each" and place:
                counter = self.table.counters[f"{counter.name}/device-{place}"]
            if gauge.devices not in ("known", "unknown") or (gauge.devices == "known") is (place > 0):
                found.append((Place(key, counter.name), counter))
        return tuple(found)

    def row(self, run, item) -> Row | None:
        """The first variant of a row whose conditions hold."""
        rows = self.table.operations[run.operation].rows.get(item, ())
        return next((row for row in rows if self.meets(run, row.when)), None)

    def meets(self, run, conditions):
        """Whether all conditions hold for a run."""
        return all(self._flagged(run, one.flag, about=one.about) is one.holds for one in conditions)

    def _flagged(self, run, flag, *, about):
        sides = [subject for where, subject in run.subjects.items() if where.startswith("about:") is about]
        return any(flag in self.flags.get(subject, ()) for subject in sides)

    def _key(self, run, reach, about):
        if reach is Reach.PROCEDURE or (reach is Reach.SESSION and run.session is None):
            return run.key
        if reach is Reach.SESSION:
            return run.session
        return run.subjects[f"about:{reach}" if about else str(reach)]

    def _write(self, run, places, now, what, attempt, item, seen, sight):
        """Add the fact to every count, let fall what falls, and forget the histories that what is seen refutes."""
        options = []
        for place, then in places:
            # A count that a change of policy took away goes on as it was.
            counter = self.table.counters.get(place.counter, then)
            counted = "wrong" if what == "repeated" and place.key.partition(":")[0] in ("procedure", "session") else what
            self._add(place, now, counted, counter, attempt, item)
            worlds = self._replayed(place)[0]
            fits = [world for world in worlds if place not in seen or self._seen_as(world, counter) == seen[place][:2]]
            if not fits:
                told = sorted({self._seen_as(world, counter) for world in worlds})
                self._complain(now, f"{place} after {what}: wrong and fired are {seen[place][:2]}, not {told}")
            options.append(list(dict.fromkeys((place, len(world.standing), world.fired, world.due) for world in fits or worlds)))
        for place, *seen_now in self._fall(run, now, options, sight):
            self._add(place, now, "seen", self.table.counters.get(place.counter, dict(places)[place]), seen=tuple(seen_now))

    def _seen_as(self, world, counter):
        """How many stand, and the highest stage that has fired."""
        del counter
        return len(world.standing), world.fired

    def _flights_agree(self, places, seen, now):
        for place, _ in places:
            flight = self.recount(place, now)[1]
            if place in seen and flight != seen[place][2]:
                self._complain(now, f"{place}: {seen[place][2]} in flight, not {flight}")

    def _fall(self, run, now, options, sight):
        """Of all that may have fallen, take what agrees with what can be seen."""
        chosen = None
        for option in itertools.product(*options):
            new = [held for place, _, _, due in option for one in due for held in self._locks_of(run, place, one, now)]
            ended = {key for *_, due in option for one in due for key in _ends(run, one)}
            ended |= {run.key for held in new if held.kind == PenaltyKind.BLOCK and held.key in _own(run)}
            agrees = sight is None or (_same([*self.locks, *new], sight, now) and (sight.keys is not None or self.ended | ended == sight.ended))
            if chosen is None or agrees:
                chosen = option, new, ended
            if agrees:
                break
        option, new, ended = chosen
        self.locks += new
        self.fallen += new
        self.ended |= ended
        for held in new:
            self._set(held, now)
        return option

    def _set(self, held, now):
        if held.kind == PenaltyKind.BLOCK and held.whom:
            self.shut.setdefault((held.key, held.whom), []).append(now)
        elif held.kind == PenaltyKind.BLOCK:
            self.blocked.setdefault(held.key, []).append(now)

    def _locks_of(self, run, place, one: Stage, now):
        for penalty in one.penalties:
            if penalty.kind not in ENDS:
                until = None if penalty.for_s is None else now + penalty.for_s * SECOND
                yield Held(
                    self._falls_on(run, place, penalty), one.row, str(penalty.kind), one.wrong, now, until,
                    penalty.operations, penalty.spares, penalty.items, penalty.whom, place.counter,
                )

    def _falls_on(self, run, place, penalty: Penalty):
        if penalty.on is not None:
            return self._key(run, penalty.on, penalty.on_about)
        if place.key in run.subjects.values():
            return place.key
        return self._key(run, self.table.operations[run.operation].subject, about=False)

    def _add(self, place, now, what, counter, attempt=-1, item="", seen=()):
        self.facts.setdefault(place, []).append(Fact(next(self._number), now, what, counter, attempt, item, seen))

    def _sight_agrees(self, sight, now):
        if sight is None:
            return
        if not _same(self.locks, sight, now):
            self._complain(now, f"locks {_standing(sight.locks, now)}, not {_standing(self.locks, now)}")
        if sight.keys is None and self.ended != sight.ended:
            self._complain(now, f"ended are {sorted(sight.ended)}, not {sorted(self.ended)}")

    def _complain(self, now, text):
        self.complaints.append(f"{now}: {text}")


def _own(run):
    """The subjects of whoever makes the entry, without those it is about."""
    return {subject for where, subject in run.subjects.items() if not where.startswith("about:")}


def _ends(run, one: Stage):
    """The run that a stage ends, and its session."""
    kinds = {penalty.kind for penalty in one.penalties}
    if kinds.intersection(ENDS):
        yield run.key
    if PenaltyKind.END_SESSION in kinds and run.session is not None:
        yield run.session


def replayed(facts):
    """All that a count may be after its facts, and how many guesses are in flight on it."""
    worlds, flight, admitted = [NOTHING], 0, {}
    for fact in facts:
        if fact.what == "admitted":
            admitted[fact.attempt] = fact.number
            flight += 1
        elif fact.attempt in admitted and fact.what in {"wrong", "right", "void", "unread", "repeated"}:
            flight -= 1
        if fact.what != "seen":
            worlds = [later for world in worlds for later in passed(world, fact.counter, fact.at)]
        after = [_after(world, fact, admitted.get(fact.attempt, -1)) for world in worlds]
        worlds = list(dict.fromkeys(world for world in after if world is not None))
    return worlds, flight


def unstaged(counter):
    """The counter without its stages: nothing falls."""
    return Counter(counter.name, counter.reach, counter.counting, counter.window_s, ())


def passed(world, counter, now):
    """What a count may be when time has gone on: a timed lock has ended, a window has moved."""
    if world == NOTHING or (world.zero_at is not None and world.zero_at <= now):
        return [NOTHING]
    if counter.counting is not Counting.WITHIN:
        return [world._replace(due=())]
    window = counter.window_s * SECOND
    surely = sum(fact.at + window + window // LATEST + 1 < now for fact in world.standing)
    perhaps = sum(fact.at + window <= now for fact in world.standing)
    return [_forgotten(world, gone) for gone in range(surely, perhaps + 1)]


def _after(world, fact, admitted):
    """What a count is after a fact; None where this history cannot have led to what was seen."""
    if fact.what == "seen":
        return world if (len(world.standing), world.fired, world.due) == fact.seen else None
    if fact.what == "released":
        return NOTHING
    if fact.what == "carried":
        return world._replace(standing=(*world.standing, fact))
    if fact.what == "wrong":
        return _fire(world._replace(standing=(*world.standing, fact)), fact)
    if fact.what == "looked":
        return _fire(world, fact)
    if fact.what == "right" and fact.counter.counting is Counting.IN_A_ROW:
        left = tuple(one for one in world.standing if one.item != fact.item or one.number > admitted)
        return _ended(world._replace(standing=left))
    return world


def _fire(world, fact):
    """Let fall every stage that is reached and has not fallen in this run."""
    due = tuple(stage for stage in fact.counter.stages if world.fired < stage.wrong <= len(world.standing))
    ends = [] if world.zero_at is None else [world.zero_at]
    for stage in due:
        if stage.after_lock == "zero":
            ends += [fact.at + penalty.for_s * SECOND for penalty in stage.penalties if penalty.for_s is not None]
    return world._replace(fired=max([world.fired, *(stage.wrong for stage in due)]), zero_at=min(ends, default=None), due=due)


def _forgotten(world, gone):
    standing = world.standing[gone:]
    return _ended(world._replace(standing=standing, fired=min(world.fired, len(standing)) if gone else world.fired, due=()))


def _ended(world):
    return world if world.standing else NOTHING


def _standing(locks, now):
    return sorted((lock for lock in locks if lock.stands(now)), key=repr)


def visible(world, counter):
    """What can be seen of a count: how many stand, and the highest of today's stages that has fired."""
    return len(world.standing), highest(world.fired, counter)


def highest(fired, counter):
    """The highest of today's stages among those that have fired."""
    return max((stage.wrong for stage in counter.stages if stage.wrong <= fired), default=0)


def _same(locks, sight, now):
    if sight.keys is None:
        return _standing(locks, now) == _standing(sight.locks, now)
    here = [plainly(lock) for lock in _standing(locks, now) if lock.key in sight.keys]
    return sorted(here, key=repr) == sorted(map(plainly, _standing(sight.locks, now)), key=repr)


def plainly(lock):
    """A lock as an answer tells it: with its end to the second, and what it names in no order."""
    until = None if lock.until is None else round(lock.until / SECOND)
    return lock._replace(
        since=0, until=until, operations=sorted(lock.operations), spares=sorted(lock.spares), items=sorted(lock.items), counter=lock.counter or "")
