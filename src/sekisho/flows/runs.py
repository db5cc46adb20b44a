"""Runs of operations: begun, found again, looked at."""

from __future__ import annotations

import secrets as chance
from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from sekisho.core import budget
from sekisho.core import procedure as run_of
from sekisho.core.scene import Scene, count_of
from sekisho.core.state import SECOND, Guard, Procedure, Session, decode, encode
from sekisho.events import Event, EventKind
from sekisho.flows import answers
from sekisho.flows.answers import Message
from sekisho.flows.attempt import FOREIGN, Missing, record, touch_bucket
from sekisho.flows.devices import NOWHERE, Place
from sekisho.flows.names import checked_caller, checked_subject, operation_named, steps_met_by_name
from sekisho.flows.replay import InFlight, OtherBody, Repeated, Replay, remember, remembered
from sekisho.flows.subjects import NOBODY, Facts, Subjects, concerned
from sekisho.policy.table import RUNS_BEGUN, Counter, Operation, Table
from sekisho.ports import Ledger, Store, Tx
from sekisho.terms import Counting, Reach, State

_REMEMBERED = 20_000
"""Runs whose facts a node keeps in memory; those of others are read again."""


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


class TooMany(msgspec.Struct):
    """Whoever types has begun too many runs without a session; nothing was begun."""


STRANGER_RUNS = 1000
"""Runs without a session that one actor may begin in the life of one, so that nobody fills the store with them."""

_RUNS = Counter(RUNS_BEGUN, Reach.ACTOR, Counting.WITHIN, 900, ())


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
        # A new value each time: the batch may run this work again, and must find it as it was.
        run = decode(encode(self._run), Procedure)
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
        if session is None or session.foreign or session.owner != self._run.owner or not scene.session_lives(session):
            return False
        # The caller's own side only: whom the entry is about, or who types, has no say in whose session this is.
        return session.subject in {scene.keys.get(reach) for reach in (Reach.CUSTOMER, Reach.ACCOUNT, Reach.APP)}


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


class Runs:
    """All runs of operations.

    Args:
        ledger: where they are put on record.
        store: the same ledger's store, for facts that never change.
        subjects: names to keys.

    """

    def __init__(self, ledger: Ledger, store: Store, subjects: Subjects) -> None:
        self.subjects = subjects
        self._ledger = ledger
        self._store = store
        self._facts: OrderedDict[str, Facts] = OrderedDict()

    async def begin(
        self, table: Table, owner: str, operation: str, subject: str | None, *, about: str | None = None, session: str | None = None,
        actor: str = NOBODY, caller: str | None = None, device: str = "", place: Place = NOWHERE, language: str | None = None,
        replay: Replay | None = None,
    ) -> Begun | NoSession | TooMany | Repeated | OtherBody | InFlight:
        """Begin a run of an operation.

        Raises:
            CallerError: the operation or a subject is not one that the policy knows.

        """
        found = operation_named(table, operation, owner)
        identifier = chance.token_urlsafe(18)
        session_key = None if session is None else f"session:{session}"
        if session_key is not None and session_key.startswith(FOREIGN):
            return NoSession()
        if subject is None and session_key is not None:
            subject = await self._subject_of_session(session_key)
        if found.session and session_key is None:
            return NoSession()
        subject = checked_subject(subject or f"{found.subject}:?{identifier}")
        subjects = await self.resolve(table, found, subject, about, actor, None if caller is None else checked_caller(caller))
        source = "" if actor == NOBODY else self.subjects.bucket(actor)
        facts = Facts(f"procedure:{identifier}", operation, subjects, session_key, owner, language, device, source)
        run = Procedure(
            operation=operation, subjects=subjects, owner=owner, session=session_key, language=language, device=device, source=source,
            network=place.network, country=place.country,
        )
        run.step = steps_met_by_name(table, found, subject)
        begun = await self._ledger.run(_Begin(self.subjects, facts, run, actor, replay))
        if isinstance(begun, Begun):
            self._remember(facts)
        return begun

    async def _subject_of_session(self, key: str) -> str | None:
        body = (await self._store.peek([key])).get(key)
        return None if body is None else decode(body, Session).subject

    async def resolve(
        self, table: Table, operation: Operation, subject: str, about: str | None, actor: str, caller: str | None,
    ) -> dict[str, str]:
        """All subjects that the run concerns, from those that were named and what is linked to them."""
        for name in filter(None, (about, caller)):
            checked_subject(name)
        names = [name for name in (subject, about) if name is not None]
        found = await self._store.peek(names)
        links = {name: decode(found[name], Guard).links if name in found else {} for name in names}
        return concerned(table, operation, subject, about, links[subject], links.get(about or "", {}), actor, caller)

    def forget(self, facts: Facts) -> None:
        """What is remembered of a run is no longer so: an entry has named its subjects."""
        self._facts.pop(facts.key, None)

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
        body = (await self._store.peek([key])).get(key)
        if body is None:
            return None
        run = decode(body, Procedure)
        facts = Facts(key, run.operation, run.subjects, run.session, run.owner, run.language, run.device, run.source)
        self._remember(facts)
        return facts

    async def look(self, owner: str, procedure: str) -> Standing | Missing:
        """How a run stands."""
        facts = await self.facts(procedure)
        if facts is None or facts.owner != owner:
            return Missing()
        return await self._ledger.run(_Look(self.subjects, facts, owner))

    async def named_facts(self, table: Table, facts: Facts, named: Iterable[str]) -> Facts:
        """The facts of an entry that names its subjects: those it names instead of those of the run.

        Raises:
            CallerError: a name is none.

        """
        by_kind = {name.partition(":")[0]: checked_subject(name) for name in named}
        operation = table.operations[facts.operation]
        main = by_kind.get(operation.subject) or next(iter(by_kind.values()))
        actor, caller = facts.subjects.get(Reach.ACTOR, NOBODY), facts.subjects.get(Reach.CALLER)
        subjects = await self.resolve(table, operation, main, None, actor, caller)
        subjects.update(by_kind)
        return Facts(facts.key, facts.operation, subjects, facts.session, facts.owner, facts.language, facts.device, facts.source)
