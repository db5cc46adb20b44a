"""The ways back that the table gives, walked to their end: by waiting, by a procedure, by the desk, on paper; then in again.

Whatever closes a way is lifted first, by a way of its own. `Stuck` says that the table gives none: then that is what staff see.
"""

import itertools

from auditor import SECOND, visible
from bankside import STAFF
from inspector import SENT
from walker import BY_BANK, HOUR, MINUTE, SECRETS

from sekisho.terms import ItemKind, PathKind, PenaltyKind

STEPS = 40
"""How much is done in one run before it counts as going nowhere."""

TRIES = 4
"""How often one operation is begun before it counts as closed."""

_devices = itertools.count(1)


class Stuck(Exception):
    """There is no way on."""


class Ways:
    """Ways back, for one walk."""

    def __init__(self, walk):
        self.walk = walk
        self.lifting = []

    @property
    def inspector(self):
        return self.walk.inspector

    @property
    def table(self):
        return self.walk.table

    def wait(self, seconds, *subjects):
        """Time passes; whoever waits is looked at, the others when somebody looks around."""
        self.walk.wait(seconds, subjects)

    # -- out of a lock

    def bring_back(self, held, first=0):
        """Lift a lock by a way that its row names: the way's name. The ways are tried in turn from the `first` on."""
        undo = self.inspector.origins[held].undo
        self._staff_see(held, undo)
        if held in self.lifting:
            raise Stuck(f"in a circle round {held.row}")
        self.lifting.append(held)
        try:
            return self._by_any(held, [*undo[first % len(undo):], *undo[:first % len(undo)]])
        finally:
            self.lifting.remove(held)

    def _staff_see(self, held, undo):
        """Staff see the lock with its ways out, in the table's order."""
        shown = self.walk.shown(held)
        if shown is None or [path["path"] for path in shown["release"]] != [name for name in undo if name in self.table.paths]:
            self.walk.complain(f"staff do not see {undo} on {held}")

    def _by_any(self, held, undo):
        closed = []
        for name in undo:
            try:
                self._by(held, self.table.paths[name])
            except Stuck as no:
                closed.append(f"{name}: {no}")
            if held not in self.inspector.locks or not held.stands(self.walk.now) or self.table.paths[name].kind is PathKind.DEVICE:
                self.walk.look_around([held.key])
                return name
        raise Stuck(f"{held.row} on {held.key}: {'; '.join(closed) or 'its ways lead nowhere'}")

    def _by(self, held, path):
        if path.kind is PathKind.WAIT:
            self.wait((held.until - self.walk.now) / SECOND + 1, held.key)
        elif path.kind is PathKind.PROCEDURE:
            self.through(self.walk.whose[held.key], path.operation)
        elif path.kind in {PathKind.DESK, PathKind.FORM}:
            self._by_staff(held, path)
        elif path.kind is PathKind.DEVICE and held.whom == "unknown":
            self._from_known_device(held)
        else:
            self._by_nobody(held, path)

    def _from_known_device(self, held):
        """The lock stands, and whoever has proved himself from his device before goes on from there."""
        person = self.walk.whose[held.key]
        self.through(person, self.login, device=person.device)
        self.through(person, held.operations[0], device=person.device)

    def _by_staff(self, held, path):
        """Two persons where two are needed, of a role that may, at an hour at which they may."""
        if not self.walk.open(path):
            self.wait(self.walk.opens_in(path), held.key)
            if not held.stands(self.walk.now):
                return  # the night was longer than the lock
        able = [name for name, role in STAFF.items() if role in path.roles]
        asked = self.walk.release(held, path.name, able[0])
        if asked.status_code == 202:
            if self.walk.house.approve(asked, able[0]).status_code != 403:
                self.walk.complain(f"{able[0]} approved her own release")
            asked = self.walk.house.approve(asked, able[1])
        if asked.status_code != 200:
            raise Stuck(f"{path.name} was answered {asked.status_code}")
        self.walk.lifted(held, path.name)

    def _by_nobody(self, held, path):
        """Where the table gives no way, nobody at the bank has one."""
        for operator in ("aoki", "chiba", "endo"):
            self.walk.release(held, path.name, operator)
        raise Stuck("nobody can")

    # -- through an operation

    def through(self, person, operation, about=None, device=None):
        """An operation from its first step to its last, with whatever closes it lifted on the way."""
        if person.kind == "stranger":
            raise Stuck("nobody knows him")
        stood = []
        for _ in range(TRIES):
            session = self.session(person) if self.table.operations[operation].session else None
            run = self.walk.begin(person, operation, session=session, about=about, device=device or self._device(person), named=True)
            for _ in range(STEPS):
                if run is None or not self.inspector.lives(self.inspector.runs[run], self.walk.now) or not self._step(run):
                    break
            if run in self.inspector.done:
                return run
            stood.append(None if run is None else self._where(run))
        raise Stuck(f"{operation} does not come to its end: {stood}")

    def _where(self, run):
        """Where a run stands, for whoever reads why it went no further."""
        facts, now = self.inspector.runs[run], self.walk.now
        return [
            (item, self.inspector.closed(facts, item, now), [
                (place, visible(self.inspector.recount(place, now)[0][0], counter), counter.stages[-1].wrong)
                for place, counter in self.inspector._places(facts, item, now)
            ]) for item in self.inspector.awaited(run)[:1]
        ]

    def _device(self, person):
        """A new one each time, unless more is asked of those."""
        own = set(person.subjects().values())
        asked = any(lock.key in own and lock.kind == PenaltyKind.ASK_MORE and lock.stands(self.walk.now) for lock in self.inspector.locks)
        return person.device if asked else f"fresh-{next(_devices)}"

    @property
    def login(self):
        return next(one.name for one in self.table.operations.values() if one.gives_session)

    def open_session(self, person):
        """A live session of his; None where he has none."""
        own = set(person.subjects().values())
        live = [key for key, (subject, _) in self.inspector.sessions.items() if subject in own and self.inspector.session_lives(key, self.walk.now)]
        return live[-1] if live else None

    def session(self, person):
        """A live session of his, opened where he has none."""
        found = self.open_session(person)
        if found is None:
            self.through(person, self.login)
            found = list(self.inspector.sessions)[-1]
        return found

    def may_go(self, person, operation, about=None):
        """Whether somebody can be expected to come through an operation: nothing of his is locked, and he has what it asks for."""
        if person.kind == "stranger" or person.subject(str(operation.subject)).partition(":")[2].startswith("?") or about is person:
            return False
        if about is not None and about.kind == "stranger":
            return False
        everybody = {*person.subjects().values(), *(() if about is None else about.subjects().values())}
        if any(lock.key in everybody for lock in self.inspector.locks):
            return False
        return person.kind == "customer" or not any(
            item in operation.rows and found.kept_as not in person.secrets for item, found in self.table.items.items() if found.kind in SECRETS)

    def one_right(self, run):
        """One right entry where nothing stands in the way: whether there was one."""
        if not self.inspector.lives(self.inspector.runs[run], self.walk.now):
            return False
        item = self._easiest(run)
        run_now = self.inspector.runs[run]
        self.walk.prepare(run, item)
        if self.table.items[item].kind in BY_BANK or not self.walk.can(run, item) or self.inspector.closing(run_now, item, self.walk.now):
            return False
        return self.walk.enter(run, item, right=True)["outcome"] == "right"

    def _step(self, run):
        """One step on: False where the run must begin anew."""
        item = self._easiest(run)
        if closing := self.inspector.closing(self.inspector.runs[run], item, self.walk.now) or self._spent(run, item):
            self.bring_back(closing[0])
            return closing[0] not in self.inspector.locks
        kind = self.table.items[item].kind
        if self.walk.held and self.inspector.short(self.inspector._places(self.inspector.runs[run], item, self.walk.now), self.walk.now) == {"busy"}:
            self.wait(MINUTE, *self.inspector.runs[run].subjects.values())
            return True
        if not self.walk.is_ready(run, item):
            if not self.walk.prepare(run, item):
                self.wait(HOUR, *self.inspector.runs[run].subjects.values())
            return True
        if kind is ItemKind.TOTP and self.walk._shown(self.walk.knower(run, item), item):
            self.wait(MINUTE, *self.inspector.runs[run].subjects.values())
        if kind in BY_BANK:
            name = self.walk.reserve(run, item)
            return name is not None and self.walk.verdict(name, "right") is None
        if not self.walk.can(run, item):
            raise Stuck(f"there is no right {item}")
        self.walk.enter(run, item, right=True)
        return True

    def _spent(self, run, item):
        """The locks of counts that are at their end: they leave no guess here either, whatever else it is that they close."""
        places = self.inspector._places(self.inspector.runs[run], item, self.walk.now)
        if "spent" not in self.inspector.short(places, self.walk.now):
            return []
        counts = {(place.key, place.counter) for place, _ in places}
        return [lock for lock in self.inspector.locks if (lock.key, lock.counter) in counts and lock.stands(self.walk.now)]

    def _easiest(self, run):
        """Of the items that are asked for, one that nothing closes and that he has."""
        awaited = self.inspector.awaited(run)
        open_ones = [one for one in awaited if not self.inspector.closing(self.inspector.runs[run], one, self.walk.now)]
        can = [
            one for one in open_ones if self.table.items[one].kind not in BY_BANK and (
                self.table.items[one].kind in SENT or self.walk.could_sign(run, one) or self.walk.can(run, one))
        ]
        return [*can, *open_ones, *awaited][0]

    # -- and in again

    def get_in(self, held):
        """What the lock had closed goes through."""
        person = self.walk.whose[held.key]
        for operation in self.table.operations.values():
            item = next((one for one in held.items if one in operation.rows), None)
            whose = str(operation.subject)
            if held not in self.inspector.locks and held.closes(operation.name, item) and not person.subject(whose).partition(":")[2].startswith("?"):
                about = self.walk.neighbour(person) if any(row.about for rows in operation.rows.values() for row in rows) else None
                self.through(person, operation.name, about)
                return operation.name
        return None
