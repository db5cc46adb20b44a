"""Count mode: the bank holds the secrets and compares; sekisho counts. Reserve, compare, give the verdict."""

from __future__ import annotations

import hashlib
import secrets as chance
from collections.abc import Mapping

import msgspec

from sekisho.core.state import Procedure, Session, decode
from sekisho.errors import CallerError, LedgerUnavailable
from sekisho.flows import effects
from sekisho.flows.attempt import FOREIGN, Missing, Reserve, Reserved, Stale, Told
from sekisho.flows.compare import NAMING
from sekisho.flows.devices import NOWHERE, Place
from sekisho.flows.entries import Entries
from sekisho.flows.names import checked_caller, checked_subject, item_named, operation_named
from sekisho.flows.replay import InFlight, Replay
from sekisho.flows.runs import Runs
from sekisho.flows.subjects import NOBODY, Facts
from sekisho.policy.table import Operation, Table
from sekisho.ports import Store
from sekisho.terms import Verdict


class Held(msgspec.Struct):
    """Count mode: the guess is taken."""

    reservation: str


class CountMode:
    """What a bank calls that compares by itself."""

    def __init__(self, runs: Runs, entries: Entries, store: Store) -> None:
        self._runs = runs
        self._entries = entries
        self._store = store

    async def hold(
        self, table: Table, owner: str, operation: str, item: str, subject: str, *, about: str | None = None, session: str | None = None,
        procedure: str | None = None, actor: str = NOBODY, caller: str | None = None, device: str = "", place: Place = NOWHERE,
        replay: Replay | None = None,
    ) -> Held | Told:
        """Count mode: take a guess; the bank compares and gives the verdict.

        Raises:
            CallerError: the policy does not know the operation, the item or the subject, or the caller is none.

        """
        found = operation_named(table, operation)
        kind = item_named(table, operation, item).kind
        checked_subject(subject)
        if caller is not None:
            checked_caller(caller)
        for _ in range(3):
            begin = bank_session = None
            if procedure is None:
                facts, begin, bank_session = await self._led(table, found, owner, subject, about, session, actor, caller, device, place)
            else:
                known = await self._runs.facts(procedure)
                if known is None or known.owner != owner or known.operation != operation:
                    return Missing()
                facts = await self._in_run(table, known, subject, about, session, names=kind in NAMING)
                if device and device != facts.device:
                    # The bank says of each entry from where it comes.
                    facts = Facts(facts.key, facts.operation, facts.subjects, facts.session, facts.owner, facts.language, device)
            ends = effects.told_keys(table, facts) if procedure is None else [
                *effects.keys(table, facts), *await effects.sources(self._store, table, facts),
            ]
            work = Reserve(
                self._runs.subjects, facts, item, owner, chance.token_urlsafe(18), replay=replay, begin=begin, session=bank_session,
                naming=kind in NAMING, ends=ends,
            )
            taken = await self._entries.patiently(table, work)
            if isinstance(taken, Stale):
                self._runs.forget(facts)
                continue
            if isinstance(taken, Reserved | InFlight):
                return Held(taken.reservation)
            return self._entries.told(taken)
        raise LedgerUnavailable

    async def _in_run(self, table: Table, facts: Facts, subject: str, about: str | None, session: str | None, *, names: bool) -> Facts:
        """The facts of a run that the bank names: they must be those of the entry it speaks of.

        Raises:
            CallerError: the run is another subject's, or belongs to another session.

        """
        named = [name for name in (subject, about) if name is not None]
        if names:
            return await self._runs.named_facts(table, facts, dict.fromkeys(named))
        own = set(facts.subjects.values())
        if any(name not in own for name in named) or (session is not None and facts.session != f"session:{session}"):
            raise CallerError("the procedure is not one of this subject, of what the entry is about, or of this session")
        return facts

    async def _led(
        self, table: Table, operation: Operation, owner: str, subject: str, about: str | None, session: str | None, actor: str, caller: str | None,
        device: str, place: Place,
    ) -> tuple[Facts, Procedure, Session | None]:
        """The bank's own run: one for each of its sessions and operations, or a run for this one entry."""
        subjects = await self._runs.resolve(table, operation, subject, about, actor, caller)
        if about is not None and not any(row.about for rows in operation.rows.values() for row in rows):
            subjects[about.partition(":")[0]] = about
        if session is None:
            key = f"procedure:{chance.token_urlsafe(18)}"
        else:
            name = f"{owner}\x00{session}\x00{operation.name}\x00{subject}\x00{about}"
            key = "procedure:~" + hashlib.sha256(name.encode()).hexdigest()[:32]
        session_key = None if session is None else await self._session_key(owner, session, subjects)
        on_record = (await self._store.peek([key])).get(key)
        if on_record is not None:
            # What a run concerns was fixed when it began, whatever has been linked since.
            subjects = decode(on_record, Procedure).subjects
        facts = Facts(key, operation.name, subjects, session_key, owner, device=device)
        run = Procedure(operation=operation.name, subjects=subjects, owner=owner, session=session_key, led=True, device=device,
                        network=place.network, country=place.country)
        foreign = None if session_key is None else Session(subject=subject, owner=owner, foreign=True, name=session)
        return facts, run, foreign

    async def _session_key(self, owner: str, session: str, subjects: Mapping[str, str]) -> str:
        """This key's and this customer's session, if we have one of that name; else the bank's own, kept apart by its API key."""
        ours = f"session:{session}"
        body = (await self._store.peek([ours])).get(ours)
        found = None if body is None or ours.startswith(FOREIGN) else decode(body, Session)
        if found is not None and found.owner == owner and found.subject in subjects.values():
            return ours
        return FOREIGN + hashlib.sha256(f"{owner}\x00{session}".encode()).hexdigest()[:32]

    async def verdict(
        self, owner: str, reservation: str, verdict: Verdict, *, replay: Replay | None = None,
    ) -> Told:
        """The bank's verdict on a guess it holds."""
        return await self._entries.settle(reservation, verdict, owner, replay)
