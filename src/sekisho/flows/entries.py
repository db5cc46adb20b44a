"""What a customer does here: begin a procedure, enter something, ask how it stands, end a session."""

from __future__ import annotations

import asyncio
import hashlib
import secrets as chance
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import msgspec

from sekisho.core import budget
from sekisho.core import procedure as run_of
from sekisho.core.attempt import Why
from sekisho.core.fold import fold
from sekisho.core.scene import Scene, count_of
from sekisho.core.state import SECOND, Guard, Procedure, Reservation, Secret, Session, decode
from sekisho.errors import CallerError, LedgerUnavailable, UnknownFate
from sekisho.events import Event, EventKind
from sekisho.flows import answers
from sekisho.flows.answers import Answer, Message, Refused
from sekisho.flows.attempt import FastAttempt, Missing, Reserve, Reserved, Settle, Stale, Told, Twice, record, secret_for, touch_bucket
from sekisho.flows.compare import ELSEWHERE, NAMING, SLOW, Proof, comparer, named, text_of, well_formed
from sekisho.flows.replay import InFlight, OtherBody, Repeated, Replay, remember, remembered
from sekisho.flows.subjects import Facts, Subjects, concerned
from sekisho.flows.waiting import WAIT_S, Waiting
from sekisho.policy.table import ABOUT, Counter, Item, Operation, Table
from sekisho.ports import Ledger, Secrets, Store, Tx
from sekisho.terms import Counting, Outcome, Reach, State, Verdict

SUBJECT_MAX = 200
"""Longest name of a subject, in characters."""

_REMEMBERED = 50_000


class Begun(msgspec.Struct):
    """A run has begun."""

    procedure: str
    state: State
    next: list[tuple[str, str]]


class NoSession(msgspec.Struct):
    """The operation needs a live session of this customer, and there is none."""


class Standing(msgspec.Struct):
    """How a run stands."""

    state: State
    next: list[tuple[str, str]]
    message: Message


class Held(msgspec.Struct):
    """Count mode: the guess is taken."""

    reservation: str


class TooMany(msgspec.Struct):
    """Whoever types has begun too many runs without a session; nothing was begun."""


NOBODY = "actor:none"
"""Who types, where the channel does not say."""

STRANGER_RUNS = 1000
"""Runs without a session that one actor may begin in the life of one, so that nobody fills the store with them."""

_RUNS = Counter("runs", Reach.ACTOR, Counting.WITHIN, 900, ())


class _Begin:
    """Put a new run on record."""

    def __init__(self, subjects: Subjects, facts: Facts, run: Procedure, actor: str, replay: Replay | None) -> None:
        self._subjects = subjects
        self._facts = facts
        self._run = run
        self._actor = subjects.bucket(actor)
        self._replay = replay
        self.keys = [*subjects.keys(facts), self._actor, *([replay.key] if replay else [])]

    def decide(self, tx: Tx) -> Begun | NoSession | TooMany | Repeated | OtherBody | InFlight:
        """Begin, unless the session it should belong to is gone."""
        told = remembered(tx, self._replay)
        if told is not None:
            return told
        if self._facts.session is None and not self._may_begin(tx):
            return TooMany()
        operation = tx.table.operations.get(self._facts.operation)
        if operation is None:
            return NoSession()
        run = self._run
        run.started, run.digest = tx.now, operation.digest
        life = operation.life_s if self._facts.session else tx.table.timing.stranger_procedure_s
        run.expires = tx.now + life * SECOND
        scene = self._subjects.scene(tx, self._facts, operation, run)
        if self._facts.session is not None and not self._session_fits(scene):
            return NoSession()
        run_of.skip_met_steps(scene)
        tx.put(self._facts.key, run, due=run.expires)
        scene.tell(Event(EventKind.PROCEDURE_BEGUN, self._facts.key, operation=operation.name, procedure=self._facts.key))
        record(tx, scene)
        begun = Begun(self._facts.key.partition(":")[2], run.state, answers.asked(scene))
        remember(tx, self._replay, begun)
        return begun

    def _may_begin(self, tx: Tx) -> bool:
        """Whether whoever types has not begun too many runs without a session in the life of one."""
        if self._actor == self._subjects.bucket(NOBODY):
            return True
        guard = tx.get(self._actor, Guard) or Guard()
        count = count_of(guard, _RUNS.name)
        budget.refresh(count, _RUNS, tx.now)
        if count.wrong >= STRANGER_RUNS:
            return False
        budget.add(count, _RUNS, "run", 1, tx.now)
        touch_bucket(tx, self._actor, guard)
        return True

    def _session_fits(self, scene: Scene) -> bool:
        session = scene.session
        if session is None or not scene.session_lives(session) or session.owner != self._run.owner:
            return False
        # The caller's own side only: whom the entry is about has no say in whose session this is.
        return any(key == session.subject for where, key in scene.keys.items() if not where.startswith(ABOUT))


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


class _Look:
    """Read a scene as it stands, change nothing."""

    def __init__(self, subjects: Subjects, facts: Facts, owner: str) -> None:
        self._subjects = subjects
        self._facts = facts
        self._owner = owner
        self.keys = subjects.keys(facts)

    def decide(self, tx: Tx) -> Standing | Missing:
        """How the run stands."""
        run = tx.get(self._facts.key, Procedure)
        operation = tx.table.operations.get(self._facts.operation)
        if run is None or run.owner != self._owner or operation is None:
            return Missing()
        scene = self._subjects.scene(tx, self._facts, operation, run)
        if scene.alive():
            return Standing(run.state, answers.asked(scene), Message.NEXT)
        if run.state is State.DONE:
            return Standing(State.DONE, [], Message.DONE)
        return Standing(State.ENDED, [], Message.START_OVER)


class Slots:
    """Room for slow comparisons: about a second of work, of which no one subject may have more than a quarter."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._each = max(1, slots // 4)
        self._taken: dict[str, int] = {}

    def take(self, subject: str) -> bool:
        """Whether there is room for one more."""
        taken = self._taken.get(subject, 0)
        if self._free <= 0 or taken >= self._each:
            return False
        self._free -= 1
        self._taken[subject] = taken + 1
        return True

    def give_back(self, subject: str) -> None:
        """One is done."""
        self._free += 1
        left = self._taken.pop(subject) - 1
        if left:
            self._taken[subject] = left


class Entries:
    """The customer's side.

    Args:
        ledger: where guesses are counted.
        store: the same ledger's store, for facts that never change.
        subjects: names to keys.
        secrets: compares proofs.
        tables: policies by version.
        workers: threads that compare slow proofs.
        slots: slow proofs that may be compared or wait to be, at once: about a second of work.

    """

    def __init__(
        self, ledger: Ledger, store: Store, subjects: Subjects, secrets: Secrets, tables: Mapping[str, Table], *,
        workers: int = 2, slots: int = 128,
    ) -> None:
        self.ledger = ledger
        self.store = store
        self.subjects = subjects
        self.secrets = secrets
        self.tables = tables
        self.waiting = Waiting()
        self.refusals: dict[tuple[str, str], list[int]] = {}
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="compare")
        self._slots = Slots(slots)
        self._facts: OrderedDict[str, Facts] = OrderedDict()
        self._comparing: dict[str, asyncio.Task[Told]] = {}

    def close(self) -> None:
        """Let the workers go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    # -- begin ---------------------------------------------------------------------------------------------------------

    async def begin(
        self, table: Table, owner: str, operation: str, subject: str | None, *, about: str | None = None, session: str | None = None,
        actor: str = NOBODY, caller: str | None = None, language: str = "ja", replay: Replay | None = None,
    ) -> Begun | NoSession | TooMany | Repeated | OtherBody | InFlight:
        """Begin a run of an operation.

        Raises:
            CallerError: the operation or a subject is not one that the policy knows.

        """
        found = _operation(table, operation)
        identifier = chance.token_urlsafe(18)
        session_key = None if session is None else f"session:{session}"
        if subject is None and session_key is not None:
            subject = await self._subject_of_session(session_key)
        if found.session and session_key is None:
            return NoSession()
        subject = checked_subject(subject or f"{found.subject}:?{identifier}")
        subjects = await self.resolve(table, found, subject, about, actor, caller)
        facts = Facts(f"procedure:{identifier}", operation, subjects, session_key, owner)
        run = Procedure(operation=operation, subjects=subjects, owner=owner, session=session_key, language=language)
        run.step = _steps_met_by_name(table, found, subject)
        begun = await self.ledger.run(_Begin(self.subjects, facts, run, actor, replay))
        if isinstance(begun, Begun):
            self._remember(facts)
        return begun

    async def _subject_of_session(self, key: str) -> str | None:
        body = (await self.store.peek([key])).get(key)
        return None if body is None else decode(body, Session).subject

    async def resolve(
        self, table: Table, operation: Operation, subject: str, about: str | None, actor: str, caller: str | None,
    ) -> dict[str, str]:
        """All subjects that the run concerns, from those that were named and what is linked to them."""
        if about is not None:
            checked_subject(about)
        names = [name for name in (subject, about) if name is not None]
        found = await self.store.peek(names)
        links = {name: decode(found[name], Guard).links if name in found else {} for name in names}
        return concerned(table, operation, subject, about, links[subject], links.get(about or "", {}), actor, caller)

    def _remember(self, facts: Facts) -> None:
        self._facts[facts.key] = facts
        if len(self._facts) > _REMEMBERED:
            self._facts.popitem(last=False)

    async def facts(self, procedure: str) -> Facts | None:
        """The fixed facts of a run; None where there is no such run."""
        key = f"procedure:{procedure}"
        known = self._facts.get(key)
        if known is not None:
            return known
        body = (await self.store.peek([key])).get(key)
        if body is None:
            return None
        run = decode(body, Procedure)
        facts = Facts(key, run.operation, run.subjects, run.session, run.owner)
        self._remember(facts)
        return facts

    # -- enter ---------------------------------------------------------------------------------------------------------

    async def enter(
        self, table: Table, owner: str, procedure: str, item_name: str, proof: Proof, *, replay: Replay | None = None,
    ) -> Told:
        """One entry in a run: counted, compared, settled, answered.

        Raises:
            CallerError: the item is not one of the operation's, is compared by the bank, or the proof is not of its shape.

        """
        facts = await self.facts(procedure)
        if facts is None or facts.owner != owner:
            return Missing()
        item = _item(table, facts.operation, item_name)
        if item.kind in ELSEWHERE:
            detail = f"{item.name} is compared by the bank: take a reservation and give its verdict"
            raise CallerError(detail)
        well_formed(item, proof)
        for _ in range(3):
            at = await self._named_facts(table, facts, item, proof)
            answer = await self._enter_once(table, at, item, proof, owner, replay)
            if not isinstance(answer, Stale):
                return answer
            self._facts.pop(facts.key, None)
            facts = await self.facts(procedure) or facts
        raise LedgerUnavailable

    async def _named_facts(self, table: Table, facts: Facts, item: Item, proof: Proof) -> Facts:
        """For an entry that names the subject: the subjects it names. For any other: those of the run."""
        names = named(item, proof)
        if not names:
            return facts
        for name in names.values():
            checked_subject(name)
        operation = table.operations[facts.operation]
        main = names.get(operation.subject) or next(iter(names.values()))
        subjects = await self.resolve(
            table, operation, main, None, facts.subjects.get("actor", NOBODY), facts.subjects.get("caller"),
        )
        subjects.update({reach.value: name for reach, name in names.items()})
        return Facts(facts.key, facts.operation, subjects, facts.session, facts.owner)

    async def _enter_once(self, table: Table, facts: Facts, item: Item, proof: Proof, owner: str, replay: Replay | None) -> Told:
        kept = table.items[item.renews] if item.renews else item
        if kept.kind in SLOW:
            answer = await self._slowly(facts, item, kept, proof, owner, replay)
        else:
            session = chance.token_urlsafe(24) if table.operations[facts.operation].gives_session else ""
            work = FastAttempt(
                self.subjects, facts, item.name, owner, session, comparer(self.secrets, item, proof),
                secrets=self._secret_keys(facts, item), naming=item.kind in NAMING, replay=replay,
            )
            answer = _no_reservation(await self._patiently(work))
        if item.kind in NAMING and isinstance(answer, Answer) and answer.outcome is Outcome.RIGHT:
            self._facts.pop(facts.key, None)
        if isinstance(answer, Twice):
            # Comparing took longer than a reservation lives: it has counted as wrong, and nothing more is known.
            raise UnknownFate
        return self._told(answer)

    def _secret_keys(self, facts: Facts, item: Item) -> list[str]:
        """Where the secret may be: on the subject's own row, whoever's it is."""
        reach = item.reach.value
        return [
            f"secret:{subject}/{item.name}" for place, subject in facts.subjects.items() if place.removeprefix("about:") == reach
        ]

    async def _patiently(self, work: FastAttempt | Reserve) -> Reserved | Told:
        """Run a work; where only guesses in flight stand in its way, wait for them a little."""
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT_S
        answer = await self.ledger.run(work)
        while isinstance(answer, Refused) and answer.why is Why.BUSY and loop.time() < until and self.waiting.admit(answer.waits_for):
            await self.waiting.for_any(answer.waits_for)
            answer = await self.ledger.run(work)
        return answer

    async def _slowly(self, facts: Facts, item: Item, kept: Item, proof: Proof, owner: str, replay: Replay | None) -> Told:
        """Take a worker slot, then the guess; compare on the worker; settle."""
        subject = next(iter(facts.subjects.values()))
        if not self._slots.take(subject):
            return Refused(Answer(Outcome.REFUSED, State.OPEN, message=Message.TRY_AGAIN, again=True), Why.BUSY)
        try:
            return await self._slowly_in_slot(facts, item, kept, proof, owner, replay)
        finally:
            self._slots.give_back(subject)

    async def _slowly_in_slot(self, facts: Facts, item: Item, kept: Item, proof: Proof, owner: str, replay: Replay | None) -> Told:
        work = Reserve(
            self.subjects, facts, item.name, owner, chance.token_urlsafe(18), secrets=self._secret_keys(facts, kept), replay=replay,
        )
        taken = await self._patiently(work)
        if isinstance(taken, Reserved):
            return await self._finish(taken, item, kept, proof, owner, replay)
        if not isinstance(taken, InFlight):
            return taken
        answer = await self._resume(taken.reservation, item, kept, proof, owner, replay)
        # Another request under the same key was first to settle: its answer is on record now.
        return _no_reservation(await self._patiently(work)) if isinstance(answer, Twice) else answer

    async def _finish(self, taken: Reserved, item: Item, kept: Item, proof: Proof, owner: str, replay: Replay | None) -> Told:
        """Compare and settle, whoever still waits for it: a guess that was looked at gets its verdict."""
        work = asyncio.create_task(self._compare_and_settle(taken, item, kept, proof, owner, replay))
        self._comparing[taken.reservation] = work
        work.add_done_callback(lambda _: self._comparing.pop(taken.reservation, None))
        return await asyncio.shield(work)

    async def _compare_and_settle(
        self, taken: Reserved, item: Item, kept: Item, proof: Proof, owner: str, replay: Replay | None,
    ) -> Told:
        verdict, renewed = Verdict.UNREAD, None
        try:
            folded = fold(kept.kind, text_of(proof))
            verdict, renewed = await asyncio.get_running_loop().run_in_executor(
                self._pool, self._look_at, taken.secret, kept.kind.value, folded, item.renews is not None,
            )
        finally:
            # Whoever knows that he did not compare gives the guess back, even on the way out.
            answer = await self._settle(taken.reservation, verdict, owner, replay, renewed)
        return answer

    def _look_at(self, secret: Secret | None, kind: str, folded: str, is_new: bool) -> tuple[Verdict, Secret | None]:  # noqa: FBT001
        """On a worker: is it the one on record? A new secret must not be, and is made ready to be kept."""
        same = self.secrets.matches(secret, kind, folded)
        if not is_new:
            return (Verdict.RIGHT if same else Verdict.WRONG), None
        return (Verdict.WRONG, None) if same else (Verdict.RIGHT, self.secrets.make(kind, folded))

    async def _resume(self, reservation: str, item: Item, kept: Item, proof: Proof, owner: str, replay: Replay | None) -> Told:
        """A repeat of a request whose guess is in flight: wait for it here, or finish what a dead node began.

        The body is the same, so the same proof is compared: twice tells no more than once.
        """
        here = self._comparing.get(reservation)
        if here is not None:
            return await asyncio.shield(here)
        body = (await self.store.peek([f"reservation:{reservation}"])).get(f"reservation:{reservation}")
        if body is None:
            return Missing()
        secret = await self._secret_of(decode(body, Reservation), item, kept)
        return await self._finish(Reserved(reservation, secret), item, kept, proof, owner, replay)

    async def _secret_of(self, taken: Reservation, item: Item, kept: Item) -> Secret | None:
        facts = Facts(taken.procedure, taken.operation, taken.subjects, taken.session, taken.owner)
        return await self.ledger.run(_ReadSecret(self.subjects, facts, item.name, self._secret_keys(facts, kept)))

    async def _settle(
        self, reservation: str, verdict: Verdict, owner: str, replay: Replay | None, renewed: Secret | None = None,
    ) -> Told:
        body = (await self.store.peek([f"reservation:{reservation}"])).get(f"reservation:{reservation}")
        if body is None:
            return Missing()
        taken = decode(body, Reservation)
        work = Settle(self.subjects, reservation, taken, verdict, owner, chance.token_urlsafe(24), replay=replay, renewed=renewed)
        answer = await self.ledger.run(work)
        self.waiting.settled(f"{note.key}/{note.counter}" for note in taken.notes)
        return answer

    def _told(self, answer: Told) -> Told:
        """Note a refusal by a lock, for staff: folded, written later."""
        if isinstance(answer, Refused) and answer.lock is not None:
            self.refusals.setdefault(answer.lock, [0])[0] += 1
        return answer

    # -- count mode ----------------------------------------------------------------------------------------------------

    async def hold(
        self, table: Table, owner: str, operation: str, item: str, subject: str, *, about: str | None = None, session: str | None = None,
        procedure: str | None = None, actor: str = NOBODY, caller: str | None = None, replay: Replay | None = None,
    ) -> Held | Told:
        """Count mode: take a guess; the bank compares and gives the verdict.

        Raises:
            CallerError: the policy does not know the operation, the item or the subject.

        """
        found = _operation(table, operation)
        _item(table, operation, item)
        checked_subject(subject)
        begin = bank_session = None
        if procedure is not None:
            facts = await self.facts(procedure)
            if facts is None or facts.owner != owner or facts.operation != operation:
                return Missing()
        else:
            facts, begin, bank_session = await self._led(table, found, owner, subject, about, session, actor, caller)
        work = Reserve(
            self.subjects, facts, item, owner, chance.token_urlsafe(18), replay=replay, begin=begin, session=bank_session,
            naming=table.items[item].kind in NAMING,
        )
        taken = await self._patiently(work)
        if isinstance(taken, InFlight):
            return Held(taken.reservation)
        return Held(taken.reservation) if isinstance(taken, Reserved) else self._told(taken)

    async def _led(
        self, table: Table, operation: Operation, owner: str, subject: str, about: str | None, session: str | None, actor: str, caller: str | None,
    ) -> tuple[Facts, Procedure, Session | None]:
        """The bank's own run: one for each of its sessions and operations, or a run for this one entry."""
        subjects = await self.resolve(table, operation, subject, about, actor, caller)
        if about is not None and not any(row.about for rows in operation.rows.values() for row in rows):
            subjects[about.partition(":")[0]] = about
        if session is None:
            key = f"procedure:{chance.token_urlsafe(18)}"
        else:
            name = f"{owner}\x00{session}\x00{operation.name}\x00{subject}\x00{about}"
            key = "procedure:~" + hashlib.sha256(name.encode()).hexdigest()[:32]
        session_key = None if session is None else await self._session_key(owner, session, subjects)
        facts = Facts(key, operation.name, subjects, session_key, owner)
        run = Procedure(operation=operation.name, subjects=subjects, owner=owner, session=session_key, led=True)
        foreign = None if session_key is None else Session(subject=subject, owner=owner, foreign=True)
        return facts, run, foreign

    async def _session_key(self, owner: str, session: str, subjects: Mapping[str, str]) -> str:
        """This key's and this customer's session, if we have one of that name; else the bank's own, kept apart by its API key."""
        ours = f"session:{session}"
        body = (await self.store.peek([ours])).get(ours)
        if body is not None and (found := decode(body, Session)).owner == owner and found.subject in subjects.values():
            return ours
        return "session:~" + hashlib.sha256(f"{owner}\x00{session}".encode()).hexdigest()[:32]

    async def verdict(
        self, owner: str, reservation: str, verdict: Verdict, *, replay: Replay | None = None,
    ) -> Told:
        """The bank's verdict on a guess it holds."""
        return await self._settle(reservation, verdict, owner, replay)

    # -- look and end --------------------------------------------------------------------------------------------------

    async def look(self, owner: str, procedure: str) -> Standing | Missing:
        """How a run stands."""
        facts = await self.facts(procedure)
        if facts is None or facts.owner != owner:
            return Missing()
        return await self.ledger.run(_Look(self.subjects, facts, owner))

    async def session(self, owner: str, session: str) -> tuple[bool, list[tuple[str, int]]] | None:
        """Whether a session is live, and what was proved in it when; None where there is none."""
        key = f"session:{session}"
        body = (await self.store.peek([key])).get(key)
        if body is None or decode(body, Session).owner != owner:
            return None
        return await self.ledger.run(_ReadSession(key, decode(body, Session).subject))

    async def end_session(self, owner: str, session: str) -> bool:
        """End a session; False where there is none."""
        return await self.ledger.run(_End(f"session:{session}", owner))


class _ReadSession:
    def __init__(self, key: str, subject: str) -> None:
        self.keys = [key, subject]

    def decide(self, tx: Tx) -> tuple[bool, list[tuple[str, int]]] | None:
        session = tx.get(self.keys[0], Session)
        if session is None:
            return None
        guard = tx.get(self.keys[1], Guard)
        operation = next(iter(tx.table.operations.values()))
        guards = {} if guard is None else {self.keys[1]: guard}
        scene = Scene(tx.table, operation, Procedure(), "", session, self.keys[0], guards, {}, tx.now)
        return scene.session_lives(session), session.proved


class _ReadSecret:
    def __init__(self, subjects: Subjects, facts: Facts, item: str, secrets: list[str]) -> None:
        self._subjects = subjects
        self._facts = facts
        self._item = item
        self.keys = [*subjects.keys(facts), *secrets]

    def decide(self, tx: Tx) -> Secret | None:
        operation = tx.table.operations[self._facts.operation]
        scene = self._subjects.scene(tx, self._facts, operation, tx.get(self._facts.key, Procedure) or Procedure())
        return secret_for(tx, scene, self._item)


def _no_reservation(answer: Reserved | Told) -> Told:
    assert not isinstance(answer, Reserved), "the fast lane settles what it reserves"
    return answer


def checked_subject(name: str) -> str:
    """A subject's name, if it can be one: `kind:id`, short, printable.

    Raises:
        CallerError: it cannot.

    """
    kind, colon, identifier = name.partition(":")
    if not colon or not identifier.strip() or len(name) > SUBJECT_MAX or not name.isprintable() or kind not in _KINDS:
        detail = "a subject is named kind:id, as customer:0012345678; the kinds are " + ", ".join(sorted(_KINDS))
        raise CallerError(detail)
    return name


_KINDS = frozenset(reach.value for reach in Reach) - {Reach.PROCEDURE.value, Reach.SESSION.value, Reach.BANK.value}


def _operation(table: Table, name: str) -> Operation:
    found = table.operations.get(name)
    if found is None:
        detail = "the policy in force names no such operation"
        raise CallerError(detail)
    return found


def _item(table: Table, operation: str, name: str) -> Item:
    found = table.operations.get(operation)
    if found is None or (name not in found.rows):
        detail = "the operation asks for no such item"
        raise CallerError(detail)
    return table.items[name]


def _steps_met_by_name(table: Table, operation: Operation, subject: str) -> int:
    """Whoever named the subject when he began need not enter its identifier once more."""
    if "?" in subject or not operation.steps:
        return 0
    first = operation.steps[0].items
    item = table.items[first[0]]
    return 1 if len(first) == 1 and item.names is not None and subject.startswith(f"{item.names}:") else 0
