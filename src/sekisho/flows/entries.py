"""One entry in a run, in verify mode: sekisho holds the secret and compares. Counted, compared, settled, answered."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets as chance
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeGuard

from sekisho.core.attempt import Why
from sekisho.core.enrolment import LOCKED, REPORT
from sekisho.core.fold import fold
from sekisho.core.state import Procedure, Reservation, Secret, decode
from sekisho.errors import CallerError, LedgerUnavailable, UnknownFate
from sekisho.flows import effects, held, signed
from sekisho.flows.addresses import by_desk, offered, sends
from sekisho.flows.answers import Answer, Message, Refused
from sekisho.flows.attempt import (
    Compare,
    FastAttempt,
    Live,
    Missing,
    Reserve,
    Reserved,
    Settle,
    Stale,
    Told,
    Twice,
    kept_under,
    secret_for,
    secret_keys,
)
from sekisho.flows.ceilings import Ceilings
from sekisho.flows.compare import (
    ELSEWHERE,
    NAMING,
    SENT,
    SLOW,
    Proof,
    any_released,
    any_sent,
    comparer,
    named,
    parts_of,
    release_code,
    text_of,
    well_formed,
)
from sekisho.flows.names import item_named
from sekisho.flows.news import answered_key
from sekisho.flows.renewing import Renew
from sekisho.flows.replay import InFlight, Replay
from sekisho.flows.runs import Runs
from sekisho.flows.signed import Signer, Unwrap, Verified
from sekisho.flows.slots import Slots
from sekisho.flows.subjects import Facts, Subjects
from sekisho.flows.waiting import WAIT_S, Waiting
from sekisho.policy.table import Item, Table
from sekisho.ports import Codes, Ledger, Passkeys, Secrets, Store, Tx
from sekisho.terms import ItemKind, Outcome, State, Verdict

INSTITUTION = "institution"
"""The part of an entry that says to which institution something goes."""


class Entries:
    """All entries that are compared here.

    Args:
        runs: the runs they are made in.
        ledger: where guesses are counted.
        store: the same ledger's store, for facts that never change.
        secrets: compares proofs.
        codes: makes what was sent once more, to compare with.
        signer: tells what the devices of the bank's app have signed.
        passkeys: tells whether one has signed; None: the bank compares passkeys itself.
        breached: whether a password is known from a breach; None: nobody knows here.
        workers: threads that compare slow proofs.

    """

    def __init__(
        self, runs: Runs, ledger: Ledger, store: Store, secrets: Secrets, codes: Codes, *, signer: Signer, passkeys: Passkeys | None = None,
        breached: Callable[[str], bool] | None = None, workers: int = 2,
    ) -> None:
        self.waiting = Waiting()
        self.ceilings = Ceilings(ledger, store, runs.subjects)
        self.refusals: dict[tuple[str, str], list[int]] = {}
        self._runs = runs
        self._ledger = ledger
        self._store = store
        self._secrets = secrets
        self._codes = codes
        self._passkeys = passkeys
        self._signer = signer
        self._breached = breached
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="compare", initializer=_after_others)
        self._slots = Slots()
        self._comparing: dict[str, asyncio.Task[Told]] = {}

    def close(self) -> None:
        """Let the workers go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def enter(
        self, table: Table, owner: str, procedure: str, item_name: str, proof: Proof, *, replay: Replay | None = None,
    ) -> Told:
        """One entry in a run: counted, compared, settled, answered.

        Raises:
            CallerError: the item is not one of the operation's, is compared by the bank, or the proof is not of its shape.

        """
        facts = await self._runs.facts(procedure)
        if facts is None or facts.owner != owner:
            return Missing()
        item = item_named(table, facts.operation, item_name)
        by_app = held.is_by_app(table, item) and await self._is_by_app(facts, item, proof)
        signs = by_app or (self._passkeys is not None and held.is_passkey(table, item))
        if not signs and (item.kind in ELSEWHERE or held.is_passkey(table, item) or (
            item.kind in SENT and not _is_made_here(table, facts.operation, item)
        )):
            detail = f"{item.name} is compared by the bank: take a reservation and give its verdict"
            raise CallerError(detail)
        if held.is_typed(item):
            signed.well_typed(proof)
        elif by_app and isinstance(proof, Mapping):
            signed.well_formed(proof)
            self._signer.well_registered(table, item, proof)
        else:
            (held.well_formed if signs else well_formed)(item, proof)
        for _ in range(3):
            at = await self._runs.named_facts(table, facts, named(item, proof)) if item.kind in NAMING else facts
            answer = await self._enter_once(table, at, item, proof, owner, replay)
            if not isinstance(answer, Stale):
                return answer
            self._runs.forget(facts)
            facts = await self._runs.facts(procedure) or facts
        raise LedgerUnavailable

    async def _enter_once(self, table: Table, facts: Facts, item: Item, proof: Proof, owner: str, replay: Replay | None) -> Told:
        kept = table.items[item.kept_as]
        if kept.kind in SLOW and held.is_by_app(table, item) and isinstance(proof, Mapping):
            found = await self._ledger.run(Unwrap(self._runs.subjects, facts, item.name, owner, proof, self._signer, replay))
            if not isinstance(found, Verified):
                return self.told(found)
            proof = found.said
        if kept.kind in SLOW:
            answer = await self._slowly(table, facts, item, kept, proof, owner, replay)
        else:
            opens = table.operations[facts.operation].gives_session or (table.devices and facts.operation in table.devices.known_by)
            session = chance.token_urlsafe(24) if opens else ""
            compare, live = self._comparer(table, item, proof)
            if item.name in by_desk(table):
                released = effects.recovery_key(facts.subjects[item.reach])
                compare, live = release_code(self._codes, released, proof), any_released(released)
            looked_at = [answered_key(facts.key)] if item.kind in SENT else secret_keys(facts, kept)
            if held.is_by_app(table, item):
                looked_at = [*looked_at, *signed.device_keys(facts)]
            ends = [*effects.keys(table, facts), *await effects.sources(self._store, table, facts)]
            work = FastAttempt(
                self._runs.subjects, facts, item.name, owner, session, compare, secrets=[*looked_at, *ends],
                naming=item.kind in NAMING, replay=replay, live=live,
            )
            if held.is_by_app(table, item) and isinstance(proof, Mapping) and proof.get(REPORT) == LOCKED:
                work.unread = Why.SENSOR
            if item.kind is ItemKind.DATA:
                work.entered = self._codes.digest("data", item.name, text_of(proof))
                work.institution = self._institution(table, item, proof)
                work.offered = offered(table, facts, item, parts_of(proof), self._codes)
            answer = _no_reservation(await self.patiently(table, work))
        if item.kind in NAMING and isinstance(answer, Answer) and answer.outcome is Outcome.RIGHT:
            self._runs.forget(facts)
        if isinstance(answer, Twice):
            # Comparing took longer than a reservation lives: it has counted as wrong, and nothing more is known.
            raise UnknownFate
        return self.told(answer)

    async def _is_by_app(self, facts: Facts, item: Item, proof: Proof) -> bool:
        """Whether an entry is one that a device has signed. An enrolment with a device takes no other of a passcode."""
        if isinstance(proof, Mapping):
            return True
        if item.kind not in ELSEWHERE and await self._store.peek(signed.device_keys(facts)):
            raise CallerError(f"{item.name} is signed by the device that is enrolled")
        return False

    def _comparer(self, table: Table, item: Item, proof: Proof) -> tuple[Compare, Live | None]:
        """How it is compared in the batch; and for what answers something, whether there is anything to answer."""
        if held.is_typed(item) and isinstance(proof, Mapping):
            return self._signer.typed(proof), held.any_asked(item.name)
        if held.is_by_app(table, item) and isinstance(proof, Mapping):
            return (self._signer.registered if item.renews else self._signer.sensor)(proof), held.any_asked(item.name)
        if self._passkeys is not None and isinstance(proof, Mapping) and held.is_passkey(table, item):
            compare = held.made(self._passkeys, proof) if item.renews else held.signed(self._passkeys, self._codes, proof)
            return compare, held.any_asked(item.name)
        return comparer(self._secrets, self._codes, item, proof), any_sent(item.name) if item.kind in SENT else None

    def _institution(self, table: Table, item: Item, proof: Proof) -> str:
        """Which institution an entry names, where the policy tells them apart; without a part of that name the whole entry does."""
        if table.risk is None or all(signal.item != item.name for signal in table.risk.signals):
            return ""
        named = proof.get(INSTITUTION, "") if isinstance(proof, Mapping) else ""
        return self._codes.digest("institution", fold(item.kind, named or text_of(proof))).hex()


    async def patiently(self, table: Table, work: FastAttempt | Reserve) -> Reserved | Told:
        """Run a work; where only guesses in flight stand in its way, wait for them a little."""
        answer = await self.ceilings.run(table, work)
        if not _is_busy(answer):
            return answer
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT_S
        while _is_busy(answer) and loop.time() < until and self.waiting.admit(answer.waits_for):
            await self.waiting.for_any(answer.waits_for)
            answer = await self.ceilings.run(table, work)
        return answer

    async def _slowly(self, table: Table, facts: Facts, item: Item, kept: Item, proof: Proof, owner: str, replay: Replay | None) -> Told:
        """Take a worker slot, then the guess; compare on the worker; settle."""
        subject = facts.subjects[table.operations[facts.operation].subject]
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT_S
        while True:
            if not self._slots.take(subject, facts.source):
                return Refused(Answer(Outcome.REFUSED, State.OPEN, message=Message.TRY_AGAIN, again=True), Why.BUSY)
            try:
                answer = await self._slowly_in_slot(table, facts, item, kept, proof, owner, replay)
            finally:
                self._slots.give_back(subject, facts.source)
            # Whoever waits for others to be compared holds no slot meanwhile.
            if not _is_busy(answer) or loop.time() >= until or not self.waiting.admit(answer.waits_for):
                return answer
            await self.waiting.for_any(answer.waits_for)

    async def _slowly_in_slot(
        self, table: Table, facts: Facts, item: Item, kept: Item, proof: Proof, owner: str, replay: Replay | None,
    ) -> Told:
        work = Reserve(
            self._runs.subjects, facts, item.name, owner, chance.token_urlsafe(18), secrets=secret_keys(facts, kept), replay=replay,
            ends=[*effects.keys(table, facts), *await effects.sources(self._store, table, facts)],
        )
        taken = await self.ceilings.run(table, work)
        if isinstance(taken, Reserved):
            return await self._finish(taken, item, kept, proof, owner, replay)
        if not isinstance(taken, InFlight):
            return taken
        answer = await self._resume(taken.reservation, item, kept, proof, owner, replay)
        # Another request under the same key was first to settle: its answer is on record now.
        return _no_reservation(await self._ledger.run(work)) if isinstance(answer, Twice) else answer

    async def _finish(self, taken: Reserved, item: Item, kept: Item, proof: Proof, owner: str, replay: Replay | None) -> Told:
        """Compare and settle, whoever still waits for it: a guess that was looked at gets its verdict."""
        work = asyncio.create_task(self._compare_and_settle(taken, item, kept, proof, owner, replay))
        self._comparing[taken.reservation] = work
        work.add_done_callback(lambda _: self._comparing.pop(taken.reservation, None))
        return await asyncio.shield(work)

    async def _compare_and_settle(
        self, taken: Reserved, item: Item, kept: Item, proof: Proof, owner: str, replay: Replay | None,
    ) -> Told:
        verdict, renewed, breached, tag = Verdict.UNREAD, None, False, b""
        try:
            folded = fold(kept.kind, text_of(proof))
            on_worker = partial(asyncio.get_running_loop().run_in_executor, self._pool)
            if item.repeats is None:
                verdict, renewed, breached = await on_worker(self._look_at, taken.secret, kept.kind.value, folded, item.renews is not None)
            else:
                same, tag = await on_worker(self._secrets.compared, taken.secret, kept.kind.value, folded, taken.whose)
                verdict = Verdict.RIGHT if same else Verdict.WRONG
        finally:
            # Whoever knows that he did not compare gives the guess back, even on the way out.
            answer = await self.settle(taken.reservation, verdict, owner, replay, renewed, breached=breached, tag=tag)
        if isinstance(answer, Answer) and answer.outcome is Outcome.RIGHT and item.renews is None and self._secrets.is_adopted(taken.secret):
            await self._renew(taken, kept.kind.value, folded, item, kept)
        return answer

    async def _renew(self, taken: Reserved, kind: str, folded: str, item: Item, kept: Item) -> None:
        """The customer has just shown the secret of a hash that another system made: from now on it is one of ours."""
        with contextlib.suppress(LedgerUnavailable, UnknownFate):
            body = (await self._store.peek([f"reservation:{taken.reservation}"]))[f"reservation:{taken.reservation}"]
            kept_as = decode(body, Reservation)
            facts = Facts(kept_as.procedure, kept_as.operation, kept_as.subjects, kept_as.session, kept_as.owner)
            made = await asyncio.get_running_loop().run_in_executor(self._pool, self._secrets.make, kind, folded)
            await asyncio.gather(*(self._ledger.run(Renew(key, item.name, taken.secret, made)) for key in secret_keys(facts, kept)))

    def _look_at(self, secret: Secret | None, kind: str, folded: str, is_new: bool) -> tuple[Verdict, Secret | None, bool]:  # noqa: FBT001
        """On a worker: is it the one on record? A new secret must not be, and is made ready to be kept. And whether breaches have shown it.

        What is known is told so whether or not it is the present one: else the words would say which.
        """
        same = self._secrets.matches(secret, kind, folded)
        if is_new and kind == ItemKind.PASSWORD and self._breached is not None and self._breached(folded):
            return Verdict.WRONG, None, True
        made = self._secrets.make(kind, folded) if is_new and not same else None
        return (Verdict.RIGHT if same != is_new else Verdict.WRONG), made, False

    async def _resume(self, reservation: str, item: Item, kept: Item, proof: Proof, owner: str, replay: Replay | None) -> Told:
        """A repeat of a request whose guess is in flight: wait for it here, or finish what a dead node began.

        The body is the same, so the same proof is compared: twice tells no more than once.
        """
        here = self._comparing.get(reservation)
        if here is not None:
            return await asyncio.shield(here)
        body = (await self._store.peek([f"reservation:{reservation}"])).get(f"reservation:{reservation}")
        if body is None:
            return Missing()
        secret, whose = await self._secret_of(decode(body, Reservation), item, kept)
        return await self._finish(Reserved(reservation, secret, whose), item, kept, proof, owner, replay)

    async def _secret_of(self, taken: Reservation, item: Item, kept: Item) -> tuple[Secret | None, str]:
        facts = Facts(taken.procedure, taken.operation, taken.subjects, taken.session, taken.owner)
        return await self._ledger.run(_ReadSecret(self._runs.subjects, facts, item.name, secret_keys(facts, kept)))

    async def settle(
        self, reservation: str, verdict: Verdict, owner: str, replay: Replay | None, renewed: Secret | None = None, *, breached: bool = False,
        tag: bytes = b"",
    ) -> Told:
        body = (await self._store.peek([f"reservation:{reservation}"])).get(f"reservation:{reservation}")
        if body is None:
            return Missing()
        taken = decode(body, Reservation)
        work = Settle(
            self._runs.subjects, reservation, taken, verdict, owner, chance.token_urlsafe(24), replay=replay, renewed=renewed, breached=breached,
            tag=tag,
        )
        answer = await self._ledger.run(work)
        if taken.bank and work.settled is not None:
            self.ceilings.settled(reservation, taken.bank, wrong=work.settled is Verdict.WRONG)
        self.waiting.settled(f"{note.key}/{note.counter}" for note in taken.notes)
        return answer

    def told(self, answer: Told) -> Told:
        """Note a refusal by a lock, for staff: folded, written later."""
        return self.noted(answer) if isinstance(answer, Refused) else answer

    def noted(self, refused: Refused) -> Refused:
        """Note a refusal by a lock, whatever it refused."""
        if refused.lock is not None:
            self.refusals.setdefault(refused.lock, [0])[0] += 1
        return refused


class _ReadSecret:
    def __init__(self, subjects: Subjects, facts: Facts, item: str, secrets: list[str]) -> None:
        self._subjects = subjects
        self._facts = facts
        self._item = item
        self.keys = [*subjects.keys(facts), *secrets]

    def decide(self, tx: Tx) -> tuple[Secret | None, str]:
        operation = tx.table.operations[self._facts.operation]
        scene = self._subjects.scene(tx, self._facts, operation, tx.get(self._facts.key, Procedure) or Procedure())
        return secret_for(tx, scene, self._item), kept_under(scene, self._item)


def _is_made_here(table: Table, operation: str, item: Item) -> bool:
    """Whether what is compared with such an entry is made here: sent, shown at the desk or released by it."""
    at_desk = item.name in by_desk(table) or item.verifies is not None
    return sends(table, operation, item) or (at_desk and table.cases.get("verify") is not None)


WORKERS_NICE = 10
"""How far a worker stands back: while it compares, every other customer waits for the one thread that answers."""


def _after_others() -> None:
    """Let this thread alone stand back; only Linux keeps a priority for each thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), WORKERS_NICE)


def _is_busy(answer: Reserved | Told) -> TypeGuard[Refused]:
    """Whether it is worth waiting here: where other nodes hold what is left, nothing that happens here would help."""
    return isinstance(answer, Refused) and answer.why is Why.BUSY and bool(answer.waits_for)


def _no_reservation(answer: Reserved | Told) -> Told:
    assert not isinstance(answer, Reserved), "the fast lane settles what it reserves"
    return answer
