"""Who telephones, or writes: verified in a run of the policy's operation, so that his failures are counted like those of any item.

He is asked for what he has (a number on file, a live session), never for what somebody could know. The run is the desk's: any
operator may go on with it, and no channel can begin one.
"""

from __future__ import annotations

import secrets as chance
from collections.abc import Sequence

import msgspec

from sekisho.core import case as matter
from sekisho.core import challenge as challenges
from sekisho.core.case import Case, Verified
from sekisho.core.challenge import Limits, bound_to
from sekisho.core.scene import Scene
from sekisho.core.state import SECOND, Challenge, Guard, Procedure, Session, decode
from sekisho.errors import CallerError, LedgerUnavailable
from sekisho.events import Event, EventKind
from sekisho.flows import answers
from sekisho.flows.acts import Denied, Operator
from sekisho.flows.answers import Answer, Refused
from sekisho.flows.attempt import Entry, Missing, Stale, record
from sekisho.flows.cases import OPENS, REACHED_S, CaseDesk, case_key, may
from sekisho.flows.challenges import Challenges, NotNow, Sent
from sekisho.flows.entries import Entries
from sekisho.flows.names import DESK
from sekisho.flows.replay import OtherBody, Repeated, Replay
from sekisho.flows.runs import Begun, Runs
from sekisho.flows.sessions import Sessions
from sekisho.flows.subjects import Facts, Subjects
from sekisho.policy.table import Item, Table
from sekisho.ports import Codes, Ledger, Store, Tx
from sekisho.terms import Outcome, State


class Begins(msgspec.Struct, frozen=True):
    """The caller is asked for something now."""

    run: str
    item: str
    how: str
    number: str | None = None
    """To be read to him: he enters it in his session."""
    address: str | None = None
    """Where a code went to, behind its mask."""


class Entered(msgspec.Struct, frozen=True):
    """What came of an entry."""

    outcome: Outcome
    verified: bool
    again: bool = False


class _Attach:
    """Note in which run the caller is being verified."""

    def __init__(self, name: str, run: str) -> None:
        self.keys: Sequence[str] = [case_key(name)]
        self._run = run

    def decide(self, tx: Tx) -> None:
        case = tx.get(self.keys[0], Case)
        if case is not None:
            case.run = self._run
            tx.put(self.keys[0], case)


class _Verify:
    """The run has shown that it is he: note it on the case, once."""

    def __init__(self, name: str, subject: str, run: str, by: str, session: str | None) -> None:
        self.keys: Sequence[str] = [case_key(name), run, subject]
        self._by, self._session = by, session

    def decide(self, tx: Tx) -> bool:
        """Whether he is verified by this run."""
        key, run_key, subject = self.keys
        case, run = tx.get(key, Case), tx.get(run_key, Procedure)
        if case is None or run is None or run.state is not State.DONE or not run.proved or case.run != run_key:
            return False
        item, at = run.proved[-1]
        if case.verified is None or case.verified.at < at:
            case.verified = Verified(item, tx.table.items[item].verifies or "", at, self._by, self._session)
            case.reached = None
            matter.note(case, tx.now, self._by, "verified", item)
            tx.put(key, case)
            tx.get(subject, Guard)
            tx.tell(Event(EventKind.CALLER_VERIFIED, subject, item=item, operator=self._by or None))
        return True


class _Show(Entry):
    """Make the number that the operator reads out, or show the one that is out."""

    __slots__ = ("_codes", "_fresh", "_kind")

    def __init__(self, subjects: Subjects, facts: Facts, item: Item, codes: Codes) -> None:
        super().__init__(subjects, facts, item.name, DESK, "")
        self._codes, self._kind, self._fresh = codes, item, chance.token_urlsafe(18)

    def decide(self, tx: Tx) -> str | Refused | Missing | Stale:
        """The number; what closes the item for entries closes it for this too."""
        scene = self.unclosed(tx)
        if not isinstance(scene, Scene):
            return scene
        mail, run, key = tx.table.mail, scene.procedure, scene.procedure_key
        fresh = Challenge(
            self._fresh, self.item, "", bound_to(key, run), self._codes.version, self._kind.digits or int(mail["code_digits"]),
        )
        sent = challenges.send(run, fresh, Limits(1, 1_000, 0, self._kind.valid_s or int(mail["code_valid_s"])), tx.now)
        scene.touch(key)
        scene.tell(Event(EventKind.CODE_SENT, scene.keys[scene.operation.subject.value], scene.operation.name, self.item, procedure=key))
        record(tx, scene)
        return (self._codes.code(sent) if isinstance(sent, Challenge) else None) or ""


class Callers:
    """Verifies whoever telephones or writes.

    Args:
        cases: where it is noted.
        runs: the runs it is done in.
        entries: compares and counts.
        sending: sends codes.
        sessions: says which of them live.
        ledger: where it is on record.
        store: the same ledger's store.
        codes: makes numbers.

    """

    def __init__(
        self, cases: CaseDesk, runs: Runs, entries: Entries, sending: Challenges, sessions: Sessions, ledger: Ledger, store: Store,
        codes: Codes,
    ) -> None:
        self._cases, self._runs, self._entries, self._sending, self._sessions = cases, runs, entries, sending, sessions
        self._ledger, self._store, self._codes = ledger, store, codes

    async def begin(self, table: Table, name: str, item_name: str, operator: Operator, language: str) -> Begins | Denied:
        """Ask the caller for one thing: send a code, show a number to be read out, or get ready to hear the word.

        Raises:
            CallerError: the policy verifies no caller by such an item.

        """
        case, item = await self._cases.standing(name), _item(table, item_name)
        denied = may(table, operator, OPENS) or (None if case is not None else _NO_CASE)
        if denied is not None or case is None:
            return denied or _NO_CASE
        now = await self._store.clock()
        if item.verifies == "call-back" and not _is_reached(case, now):
            return _NOT_REACHED
        if item.verifies == "call-back" and not case.word:
            return Denied("no-word", "no word was agreed on in this case; use another way", conflict=True)
        run = await self._run(table, name, case)
        if item.verifies == "sent":
            return await self._send(table, run, item, language)
        if item.verifies == "call-back":
            return Begins(run, item.name, item.verifies)
        return await self._show(run, item)

    async def _run(self, table: Table, name: str, case: Case) -> str:
        """The run that is open for it, or a new one."""
        if case.run is not None:
            told = await self._runs.look(DESK, case.run.partition(":")[2])
            if not isinstance(told, Missing) and told.state is State.OPEN and told.next:
                return case.run.partition(":")[2]
        begun = await self._runs.begin(table, DESK, str(table.cases["verify"]), case.subject)
        if not isinstance(begun, Begun):
            raise LedgerUnavailable
        await self._ledger.run(_Attach(name, f"procedure:{begun.procedure}"))
        return begun.procedure

    async def _send(self, table: Table, run: str, item: Item, language: str) -> Begins | Denied:
        sent = await self._sending.send(table, DESK, run, item.name, None, language)
        if isinstance(sent, Sent):
            return Begins(run, item.name, "sent", address=sent.address)
        if isinstance(sent, NotNow):
            return Denied("sent-just-now", "a code is out, or so many were; wait a little, or take another way", conflict=True)
        return _refused(sent.answer) if isinstance(sent, Refused) else _NO_CASE

    async def _show(self, run: str, item: Item) -> Begins | Denied:
        for _ in range(3):
            facts = await self._runs.facts(run)
            if facts is None:
                return _NO_CASE
            self._runs.subjects.keys(facts)
            told = await self._ledger.run(_Show(self._runs.subjects, facts, item, self._codes))
            if isinstance(told, str):
                return Begins(run, item.name, "in-session", number=told)
            if isinstance(told, Refused):
                return _refused(told.answer)
            self._runs.forget(facts)
        raise LedgerUnavailable

    async def enter(
        self, table: Table, name: str, item_name: str, proof: str, operator: Operator, replay: Replay | None = None,
    ) -> Entered | Denied | OtherBody:
        """What the caller has said. Compared and counted like any entry.

        Raises:
            CallerError: the policy verifies no caller by such an item, or it can be no such proof.

        """
        case, item = await self._cases.standing(name), _item(table, item_name)
        denied = may(table, operator, OPENS)
        if denied is not None or case is None or case.run is None:
            return denied or _NO_CASE
        if item.verifies == "in-session":
            return Denied("customer-himself", "the customer enters this in his session; nobody enters it for him", conflict=True)
        if item.verifies == "call-back" and not _is_reached(case, await self._store.clock()):
            return _NOT_REACHED
        return await self._enter(table, name, case, item, proof, operator.name, None, replay)

    async def _enter(
        self, table: Table, name: str, case: Case, item: Item, proof: str, by: str, session: str | None, replay: Replay | None,
    ) -> Entered | OtherBody:
        run = case.run or ""
        told = await self._entries.enter(table, DESK, run.partition(":")[2], item.name, proof, replay=replay)
        if isinstance(told, OtherBody):
            return told
        answer = told.answer if isinstance(told, Refused) else told
        if isinstance(told, Repeated):
            answer = msgspec.msgpack.decode(told.answer, type=Answer)
        # Where a node died between the two commits the run is done and the case does not say so yet.
        verified = await self._ledger.run(_Verify(name, case.subject, run, by, session))
        if not isinstance(answer, Answer):
            return Entered(Outcome.REFUSED, verified)
        return Entered(answer.outcome, verified, answer.again)

    async def waits(self, owner: str, session: str) -> bool | None:
        """Whether the desk waits for a number in this live session; None: there is no such session."""
        found = await self._of_session(owner, session)
        return None if found is None else found[2] is not None

    async def approve(
        self, table: Table, owner: str, session: str, number: str, replay: Replay | None = None,
    ) -> Entered | OtherBody | None:
        """The customer enters the number that he was read. None: there is no such live session."""
        found = await self._of_session(owner, session)
        if found is None:
            return None
        name, _, case = found
        item = next((one for one in table.items.values() if one.verifies == "in-session"), None)
        if case is None or item is None:
            return Entered(Outcome.REFUSED, verified=False)
        return await self._enter(table, name, case, item, number, "", f"session:{session}", replay)

    async def _of_session(self, owner: str, session: str) -> tuple[str, str, Case | None] | None:
        """(case, subject, case) of the customer whose live session it is, where a number is out for him."""
        key = f"session:{session}"
        body = (await self._store.peek([key])).get(key)
        found = None if body is None else decode(body, Session)
        if found is None or found.owner != owner or not await self._lives(owner, session):
            return None
        now = await self._store.clock()
        for name, case in reversed(await self._cases.listed(found.subject)):
            if case.run is not None and await self._is_out(case.run, now):
                return name, found.subject, case
        return "", found.subject, None

    async def _lives(self, owner: str, session: str) -> bool:
        told = await self._sessions.session(owner, session)
        return told is not None and told.live

    async def _is_out(self, run: str, now: int) -> bool:
        body = (await self._store.peek([run])).get(run)
        found = None if body is None else decode(body, Procedure)
        return found is not None and found.state is State.OPEN and any(
            not one.address and one.consumed is None and now < one.until for one in found.challenges
        )


_NOT_REACHED = Denied("not-reached", "ring the number on file first and note that somebody answered; then ask for the word", conflict=True)
_NO_CASE = Denied("no-such-case", "there is no such case, or nobody is being verified in it", conflict=True)


def _is_reached(case: Case, now: int) -> bool:
    return case.reached is not None and now < case.reached + REACHED_S * SECOND


def _item(table: Table, name: str) -> Item:
    found = table.items.get(name)
    operation = table.operations.get(str(table.cases.get("verify")))
    if found is None or operation is None or name not in operation.rows:
        raise CallerError("the policy verifies no caller by such an item")
    return found


def _refused(answer: Answer) -> Denied:
    if answer.message in {answers.Message.NO_ADDRESS, answers.Message.NO_ADDRESS_BUT_PAPER}:
        return Denied("no-channel", "no number on file has been the same for long enough; take another way", conflict=True)
    return Denied("caller-locked", "this caller's failures have closed the verification for now; see the customer's locks", conflict=True)


__all__ = ["Begins", "Callers", "Entered"]
