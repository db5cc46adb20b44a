"""One attempt on its way: load its rows, let the core decide, record what it decided, answer after the commit.

Codes and other cheap proofs take the fast lane: reserved, compared and settled inside one batch. Passwords and PINs take
the slow lane: reserved in one batch, compared on a worker, settled in another. Count mode is the slow lane with the bank
as the worker. Whichever way, no proof is compared that has no reservation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from sekisho.core import attempt as core
from sekisho.core import devices, enrolment, release
from sekisho.core.penalty import end_run
from sekisho.core.scene import Scene
from sekisho.core.state import SECOND, Address, Guard, Procedure, Reservation, Secret, Session, decode, encode
from sekisho.events import Event, EventKind
from sekisho.flows import answers, effects, telling
from sekisho.flows.answers import Answer, Refused
from sekisho.flows.effects import secret_key
from sekisho.flows.replay import InFlight, OtherBody, Repeated, Replay, remember, remembered
from sekisho.flows.subjects import Facts, Subjects, is_subject
from sekisho.policy.table import ABOUT, Item, Operation, place
from sekisho.ports import Tx
from sekisho.terms import Outcome, PenaltyKind, State, Verdict

KEEP_SETTLED_S = 24 * 3600
"""How long a settled reservation is kept, so that a second verdict is known for one. Seconds."""

STRANGER_S = 30 * 24 * 3600
"""A bucket that nobody has touched for this long is forgotten, where the policy's `retention` does not say. Seconds."""

FOREIGN = "session:~"
"""What keys of the bank's own sessions begin with."""

Live = Callable[[Tx, Scene], bool]
"""Whether there is a code that an entry could answer."""

Compare = Callable[[Tx, Scene, core.Granted], Verdict]
"""Compares a proof; it is handed the guess that pays for it."""


class Missing(msgspec.Struct):
    """There is no such procedure, reservation or session for this caller."""


class Stale(msgspec.Struct):
    """The facts the keys were chosen by are not the facts on record: read them again."""


class Twice(msgspec.Struct):
    """This reservation has had its verdict, or its time has run out."""


Told = Answer | Refused | Missing | Stale | Twice | Repeated | OtherBody | InFlight
"""All that can come of an entry."""


class Reserved(msgspec.Struct):
    """A guess was taken and waits for its verdict."""

    reservation: str
    secret: Secret | None = None
    """What the proof is to be compared with, where sekisho holds it."""
    whose: str = ""
    """Under which key it is kept, or would be."""


def kept_under(scene: Scene, item: str) -> str:
    """Under which key the secret of an item is kept, or would be, on the subject that the row says it is about; empty: of nobody's."""
    row = scene.row_of(item)
    item = scene.table.items[item].kept_as
    where = place(scene.table.items[item].reach, about=row is not None and row.about)
    key = scene.keys.get(where)
    return "" if key is None else secret_key(key, item)


def secret_for(tx: Tx, scene: Scene, item: str) -> Secret | None:
    """What is on record for this item, or for the one it renews or resynchronises."""
    key = kept_under(scene, item)
    return tx.get(key, Secret) if key else None


def secret_keys(facts: Facts, item: Item) -> list[str]:
    """Where the secret may be: on the subject's own row, whoever's it is."""
    found = facts.secrets.get(item.name)
    if found is None:
        found = facts.secrets[item.name] = [
            secret_key(subject, item.name) for where, subject in facts.subjects.items() if where.removeprefix(ABOUT) == item.reach
        ]
    return found


def record(tx: Tx, scene: Scene) -> None:
    """Hand what the core changed and told to the batch. Nothing untouched is written."""
    rows = scene.rows
    for key in scene.touched:
        row = rows[key]
        if key[0] == "~" and isinstance(row, Guard):
            touch_bucket(tx, key, row)
        else:
            tx.put(key, row)
    for event in scene.events:
        tx.tell(event, scene.names.get(event.subject))
        if event.kind is EventKind.LOCK_SET:
            _erase(tx, scene, event.lock)


def _erase(tx: Tx, scene: Scene, lock_id: str | None) -> None:
    """Where a penalty erases what is enrolled, nothing of it is kept."""
    for key, guard in scene.guards.items():
        for lock in guard.locks:
            if lock.id == lock_id:
                gone = release.erased(key, lock, scene.table)
                for item in (*gone, enrolment.DEVICE) if lock.kind is PenaltyKind.REMOVE else gone:
                    tx.drop(secret_key(key, item))


def touch_bucket(tx: Tx, key: str, bucket: Guard) -> None:
    """A stranger's row is forgotten some time after it was last touched; it falls due first when it is new."""
    due = None if bucket.at else tx.now + tx.table.retention_s.get("strangers", STRANGER_S) * SECOND
    bucket.at = tx.now
    tx.put(key, bucket, due)


class Entry:
    """What all lanes share: who enters what where, and the keys that follow from it."""

    __slots__ = (
        "breached", "entered", "extra", "facts", "held", "institution", "item", "naming", "offered", "owner", "renewed", "replay", "session_id",
        "spent", "subjects", "tag", "ticket",
    )

    def __init__(
        self, subjects: Subjects, facts: Facts, item: str, owner: str, session_id: str, *, extra: Sequence[str] = (), naming: bool = False,
        replay: Replay | None = None,
    ) -> None:
        self.subjects = subjects
        self.facts = facts
        self.item = item
        self.owner = owner
        self.session_id = session_id
        self.naming = naming
        self.replay = replay
        self.extra = extra
        self.ticket: Mapping[str, int] = {}
        """Guesses of the whole bank that the node has at hand for it."""
        self.spent: list[str] = []
        """Those of them that are gone: the entry was wrong, or waits for its verdict."""
        self.held = ""
        """The reservation under which it waits; empty: it does not."""
        self.renewed: Secret | None = None
        """For an item that is a new secret: its record, if the entry is right."""
        self.breached = False
        """For a new password: it is known from breaches, and was compared with nothing."""
        self.tag = b""
        """For an item whose repeats count once: what the entry is known by again."""
        self.entered: bytes | None = None
        """For data: its digest. A code that is sent later in the run is for this data and no other."""
        self.institution = ""
        """For data that says to whom: a digest of which institution."""
        self.offered: list[Address] | None = None
        """For new addresses: what was entered."""

    @property
    def keys(self) -> Sequence[str]:
        """Every row the entry may touch."""
        keys = self.subjects.keys(self.facts)
        if self.replay is not None:
            return [*keys, *self.extra, self.replay.key]
        return [*keys, *self.extra] if self.extra else keys

    def scene(self, tx: Tx) -> Scene | Missing | Stale:
        """The attempt's rows, or why there is nothing to attempt."""
        facts = self.facts
        procedure = tx.get(facts.key, Procedure)
        if procedure is None or procedure.owner != self.owner:
            return Missing()
        if procedure.subjects != facts.subjects and not self.naming:
            return Stale()
        operation = tx.table.operations.get(procedure.operation)
        if operation is None:
            return Missing()
        scene = self.subjects.scene(tx, facts, operation, procedure)
        for key in self.extra:
            if is_subject(key):
                scene.rows.setdefault(key, tx.get(key, Guard) or Guard())
        scene.ticket = self.ticket
        scene.told = self.institution
        return scene

    def unclosed(self, tx: Tx) -> Scene | Refused | Missing | Stale:
        """The same, or the refusal where entries of the item are closed: for what makes or sends what would be entered."""
        scene = self.scene(tx)
        if not isinstance(scene, Scene):
            return scene
        refusal = core.closed(scene, self.item)
        if refusal is None:
            return scene
        record(tx, scene)
        return answers.refused(scene, refusal)

    def conclude(self, tx: Tx, scene: Scene, taken: core.Granted, verdict: Verdict) -> Answer | None:
        """Settle, open a session where the end of the operation gives one, record, and say what the customer is told."""
        stood = answers.before(scene, self.item)
        named = self._name_device(scene)
        outcome = core.settle(scene, taken, verdict, self.tag)
        told = self._told(scene)
        if outcome is Outcome.RIGHT:
            self._after_right(tx, scene, told)
        elif outcome is Outcome.WRONG and told is not None:
            telling.of_wrong(tx, scene, told, self.item)
        record(tx, scene)
        if outcome is None:
            return None
        answer = answers.settled(scene, outcome, stood)
        if self.breached and answer.message is answers.Message.WRONG:
            answer.message = answers.Message.WRONG_BREACHED
        if named is not None and devices.is_new(scene.guards[scene.keys[scene.operation.subject.value]], scene.device, scene.now):
            answer.device = named
        return answer

    def _name_device(self, scene: Scene) -> str | None:
        """A name for a device that has none, to be told if it becomes known with this entry."""
        rules = scene.table.devices
        if scene.device or rules is None or not self.session_id or scene.operation.name not in rules.known_by:
            return None
        named = self.subjects.devices.named(self.session_id)
        scene.device = self.subjects.devices.read(named)
        return named

    def _told(self, scene: Scene) -> str | None:
        """Who is told on every channel of what comes of it; None: a stranger, or nobody whose row was asked for."""
        subject = telling.whom(scene.operation, scene.keys)
        guard = scene.guards.get(subject or "")
        asked_for = subject is not None and guard is not None and guard.known and telling.announcements_key(subject) in self.extra
        return subject if asked_for else None

    def _after_right(self, tx: Tx, scene: Scene, told: str | None) -> None:
        run = scene.procedure
        if self.naming:
            run.subjects = self.facts.subjects
            scene.touch(scene.procedure_key)
        if self.entered is not None:
            run.entered[self.item] = self.entered
            scene.touch(scene.procedure_key)
        renews = scene.table.items[self.item].renews
        if self.renewed is not None and renews is not None:
            run.renewed[renews] = self.renewed
            scene.touch(scene.procedure_key)
        if self.offered is not None:
            run.addresses = self.offered
            scene.touch(scene.procedure_key)
        if run.state is State.DONE and (run.renewed or run.addresses):
            effects.take(tx, scene, told)
        if told is not None:
            telling.of_device(tx, scene, told)
        if run.state is State.DONE and scene.operation.gives_session and run.opened is None:
            run.opened = self.session_id
            _open_session(tx, scene, self.session_id, self.owner)
            effects.tell_of_login(tx, scene)


def _open_session(tx: Tx, scene: Scene, session_id: str, owner: str) -> None:
    subject = scene.keys[scene.operation.subject.value]
    key = f"session:{session_id}"
    session = Session(
        subject=subject, owner=owner, started=scene.now, seen=scene.now, proved=scene.procedure.proved, device=scene.device,
        unusual=scene.procedure.unusual,
    )
    tx.put(key, session, due=scene.now + scene.table.timing.session_total_s * SECOND)
    scene.tell(Event(EventKind.SESSION_OPENED, subject, session=key))


class FastAttempt(Entry):
    """Reserve, compare and settle in one batch."""

    __slots__ = ("_compare", "_live", "unread")

    def __init__(
        self, subjects: Subjects, facts: Facts, item: str, owner: str, session_id: str, compare: Compare, *,
        secrets: Sequence[str] = (), naming: bool = False, replay: Replay | None = None, live: Live | None = None,
    ) -> None:
        super().__init__(subjects, facts, item, owner, session_id, extra=secrets, naming=naming, replay=replay)
        self._compare = compare
        self.unread = core.Why.UNNAMED
        """Why, where it is not looked at."""
        self._live = live
        """For an entry that answers a code."""

    def decide(self, tx: Tx) -> Told:
        """The whole attempt; the guess is durable before the answer leaves."""
        self.spent = []
        if self.replay is not None and (told := remembered(tx, self.replay)) is not None:
            return told
        scene = self.scene(tx)
        if not isinstance(scene, Scene):
            return scene
        granted = self._reserve(tx, scene)
        if isinstance(granted, core.Refusal):
            record(tx, scene)
            return answers.refused(scene, granted)
        verdict = self._compare(tx, scene, granted)
        if verdict is Verdict.WRONG:
            self.spent = granted.bank
        answer = self.conclude(tx, scene, granted, verdict)
        if answer is None:
            return answers.refused(scene, core.Refusal(self.unread))
        remember(tx, self.replay, answer)
        return answer

    def _reserve(self, tx: Tx, scene: Scene) -> core.Granted | core.Refusal:
        """Where no code is out that could be answered there is nothing to guess at, and no guess is taken. docs/why/no-code-no-guess.md"""
        if self._live is None or self._live(tx, scene):
            return core.reserve(scene, self.item)
        return core.closed(scene, self.item) or core.Refusal(core.Why.NO_CODE)


class Reserve(Entry):
    """Take one guess and keep it on record until its verdict comes."""

    __slots__ = ("begin", "ends", "reservation_id")

    def __init__(
        self, subjects: Subjects, facts: Facts, item: str, owner: str, reservation_id: str, *,
        secrets: Sequence[str] = (), naming: bool = False, replay: Replay | None = None,
        begin: Procedure | None = None, session: Session | None = None, ends: Sequence[str] = (),
    ) -> None:
        super().__init__(subjects, facts, item, owner, "", extra=secrets, naming=naming, replay=replay)
        self.reservation_id = reservation_id
        self.held = reservation_id
        self.ends = ends
        self.begin = (begin, session)

    def decide(self, tx: Tx) -> Reserved | Told:
        """Reserve."""
        self.spent = []
        told = remembered(tx, self.replay)
        if told is not None:
            return told
        self._begin(tx)
        scene = self.scene(tx)
        if not isinstance(scene, Scene):
            return scene
        granted = core.reserve(scene, self.item)
        if isinstance(granted, core.Refusal):
            record(tx, scene)
            return answers.refused(scene, granted)
        self._keep(tx, scene, granted)
        self.spent = granted.bank
        record(tx, scene)
        return Reserved(self.reservation_id, secret_for(tx, scene, self.item), kept_under(scene, self.item))

    def _begin(self, tx: Tx) -> None:
        """In count mode the bank leads: its run and its session are known from the first entry on."""
        begin, session = self.begin
        operation = tx.table.operations.get(self.facts.operation)
        total_s = tx.table.timing.session_total_s
        # New values each time: the batch may run this work again, and must find it as it was.
        if begin is not None and operation is not None and _over(tx.get(self.facts.key, Procedure), operation, tx.now):
            expires = tx.now + max(operation.life_s, total_s) * SECOND
            run = decode(encode(begin), Procedure)
            run.digest, run.started, run.expires = operation.digest, tx.now, expires
            tx.put(self.facts.key, run, due=expires)
        if session is not None and self.facts.session is not None and tx.get(self.facts.session, Session) is None and (
            self.facts.session.startswith(FOREIGN)
        ):
            opened = decode(encode(session), Session)
            opened.started = opened.seen = tx.now
            tx.put(self.facts.session, opened, due=tx.now + total_s * SECOND)

    def _keep(self, tx: Tx, scene: Scene, granted: core.Granted) -> None:
        deadline = tx.now + tx.table.timing.reservation_s * SECOND
        key = f"reservation:{self.reservation_id}"
        taken = Reservation(
            procedure=self.facts.key, operation=scene.operation.name, item=self.item, row=granted.row, notes=granted.notes,
            owner=self.owner, subjects=self.facts.subjects, session=self.facts.session, naming=self.naming, made=tx.now, deadline=deadline,
            begun=scene.procedure.started, ends=list(self.ends), device=self.facts.device, bank=granted.bank,
            known=[subject for subject in scene.guards if subject[0] != "~"],
        )
        tx.put(key, taken, due=deadline)
        if self.replay is not None:
            self.replay.pending(tx, self.reservation_id)
        scene.tell(Event(EventKind.GUESS_RESERVED, core.whose(scene, granted), scene.operation.name, self.item, granted.row, self.facts.key))


def _over(run: Procedure | None, operation: Operation, now: int) -> bool:
    """Whether a run that the bank leads must begin anew: a penalty ended it, its time is over, or the policy has changed under it."""
    return run is None or run.state is not State.OPEN or now >= run.expires or run.digest != operation.digest


class Settle(Entry):
    """Give a kept reservation its verdict, once."""

    __slots__ = ("_overdue", "_reservation", "_tag", "_verdict", "settled")

    def __init__(
        self, subjects: Subjects, reservation: str, taken: Reservation, verdict: Verdict, owner: str, session_id: str, *,
        overdue: bool = False, replay: Replay | None = None, renewed: Secret | None = None, breached: bool = False, tag: bytes = b"",
    ) -> None:
        facts = Facts(taken.procedure, taken.operation, taken.subjects, taken.session, taken.owner, device=taken.device)
        self._reservation = f"reservation:{reservation}"
        super().__init__(
            subjects, facts, taken.item, owner, session_id, extra=(self._reservation, *taken.ends), naming=taken.naming, replay=replay,
        )
        self._verdict = verdict
        self._overdue = overdue
        self.settled: Verdict | None = None
        """The verdict, where it was this work that gave it."""
        self.renewed = renewed
        self.breached = breached
        self._tag = tag

    def decide(self, tx: Tx) -> Told:
        """Settle; after its deadline a reservation is wrong, whatever the verdict."""
        told = remembered(tx, self.replay)
        # The request that took this guess finds itself in flight: it is here to settle it.
        took_it = told == InFlight(self._reservation.partition(":")[2])
        if told is not None and not took_it:
            return told
        taken = tx.get(self._reservation, Reservation)
        if taken is None or (taken.owner != self.owner and not self._overdue):
            return Missing()
        if taken.settled is not None:
            return Twice()
        late = tx.now >= taken.deadline
        self.tag = b"" if late else self._tag
        if self._overdue and not late:
            return Twice()
        answer = self._settle(tx, taken, Verdict.WRONG if late else self._verdict, took_it=took_it)
        if not late:
            return answer
        if self.replay is not None and not took_it:
            # What is told is that it came too late; a repeat must be told the same.
            tx.drop(self.replay.key)
        return Twice()

    def _settle(self, tx: Tx, taken: Reservation, verdict: Verdict, *, took_it: bool) -> Answer | Refused | Missing | Stale:
        scene = self._scene_at_settling(tx, taken)
        self.settled = verdict
        taken.settled = str(verdict)
        tx.put(self._reservation, taken, due=tx.now + KEEP_SETTLED_S * SECOND)
        if not isinstance(scene, Scene):
            return scene
        answer = self.conclude(tx, scene, core.Granted(taken.item, taken.row, taken.notes), verdict)
        if answer is None:
            answer = Answer(Outcome.REFUSED, scene.procedure.state, answers.asked(scene), answers.Message.TRY_AGAIN, again=True)
            if took_it and self.replay is not None:
                # Nothing was compared: the same request may be made once more.
                tx.drop(self.replay.key)
                return answer
        remember(tx, self.replay, answer)
        return answer

    def _scene_at_settling(self, tx: Tx, taken: Reservation) -> Scene | Missing | Stale:
        """The scene with the owner who reserved: a tick settles for everybody."""
        self.owner = taken.owner
        self.naming = True
        scene = self.scene(tx)
        self.naming = taken.naming
        if isinstance(scene, Missing) or (isinstance(scene, Scene) and (scene.procedure.started != taken.begun or _is_later(scene.session, taken))):
            return self._orphan(tx, taken)
        if isinstance(scene, Scene) and not strangers(taken) <= scene.rows.keys():
            return self._before_enrolment(tx, taken, scene)
        if isinstance(scene, Scene) and not scene.rows.keys() >= {*taken.known}:
            # Somebody whom it concerned is gone: a device of the app's that was removed is good for nothing, nor is what it has said.
            end_run(scene, taken.row, ends_session=False)
        return scene

    def _before_enrolment(self, tx: Tx, taken: Reservation, scene: Scene) -> Scene:
        """Somebody was enrolled while the guess was in flight: it is settled on the row it was taken from, and the run is over.

        Else it would open what is his without having been taken from his budget, or leave him with a failure from before his time.
        """
        scene = self.subjects.scene(tx, self._facts_then(taken, self.facts), scene.operation, scene.procedure)
        end_run(scene, taken.row, ends_session=False)
        return scene

    def _facts_then(self, taken: Reservation, facts: Facts) -> Facts:
        """The facts as they were when the guess was taken: whoever has been enrolled since is a stranger still."""
        self.subjects.keys(facts)
        then = Facts(facts.key, facts.operation, facts.subjects, facts.session, facts.owner, device=facts.device)
        then.keys, were = facts.keys, strangers(taken)
        then.parties = [(where, bucket if bucket in were else subject, bucket) for where, subject, bucket in facts.parties]
        return then

    def _orphan(self, tx: Tx, taken: Reservation) -> Scene:
        """The run is gone, or another under its key: the guess is settled on the subjects and in the session it was taken from, nowhere else."""
        operation = tx.table.operations.get(taken.operation) or next(iter(tx.table.operations.values()))
        ended = Procedure(operation=taken.operation, subjects=taken.subjects, owner=taken.owner, state=State.ENDED)
        session = None if taken.session is None or _is_later(tx.get(taken.session, Session), taken) else taken.session
        gone = Facts("procedure:gone", taken.operation, taken.subjects, session, taken.owner, device=taken.device)
        return self.subjects.scene(tx, self._facts_then(taken, gone), operation, ended)


def _is_later(session: Session | None, taken: Reservation) -> bool:
    """Whether a session began after a guess was taken: the bank has given its name once more."""
    return session is not None and session.started > taken.made


def strangers(taken: Reservation) -> set[str]:
    """The rows of strangers that a guess was taken from."""
    return {note.key for note in taken.notes if note.key[0] == "~"}


__all__ = [
    "Compare", "Entry", "FastAttempt", "Missing", "Reserve", "Reserved", "Settle", "Stale", "Told", "Twice",
    "record", "secret_for", "touch_bucket",
]
