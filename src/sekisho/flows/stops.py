"""The emergency stop: find whom it is about and who calls, decide, record. It asks for less than anything else."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sekisho.core.devices import place_of
from sekisho.core.state import Guard, Session, decode
from sekisho.core.stop import Stopped, stop
from sekisho.errors import CallerError
from sekisho.flows import recovery
from sekisho.flows.attempt import FOREIGN, touch_bucket
from sekisho.flows.effects import recovery_key
from sekisho.flows.names import checked_caller, checked_subject
from sekisho.flows.replay import InFlight, OtherBody, Repeated, Replay, remember, remembered
from sekisho.flows.sessions import is_live
from sekisho.flows.subjects import NOBODY, Subjects
from sekisho.ports import Ledger, Store, Tx
from sekisho.terms import Reach

STOPPED = frozenset({Reach.CUSTOMER.value, Reach.ACCOUNT.value})
"""Kinds of subjects that may be named; an account stands for the customer it belongs to."""


class Done(msgspec.Struct):
    """What came of asking for a stop."""

    outcome: Stopped


class _Stop:
    """Stop one customer."""

    def __init__(
        self, subjects: Subjects, subject: str, caller: str | None, session: str | None, owner: str, *,
        known: bool, device: str, operator: str | None, reason: str | None, replay: Replay | None,
    ) -> None:
        self._device = device
        self._subject, self._bucket = subject, subjects.bucket(subject)
        self._caller = None if caller is None else subjects.bucket(caller)
        self._session, self._owner = session, owner
        self._known, self._operator, self._reason, self._replay = known, operator, reason, replay
        others = [key for key in (self._caller, session, None if replay is None else replay.key) if key is not None]
        self.keys: Sequence[str] = [subject, self._bucket, recovery_key(subject), *others]

    def decide(self, tx: Tx) -> Done | Repeated | OtherBody | InFlight:
        """Stop him, or not; a request sent twice is one request. Whether he is enrolled makes no difference."""
        told = remembered(tx, self._replay)
        if told is not None:
            return told
        key, guard = self._row(tx)
        known = self._known or self._in_session(tx) or self._on_known_device(tx, guard)
        caller = None if known or self._caller is None else tx.get(self._caller, Guard) or Guard()
        outcome, events = stop(key, guard, caller, tx.table, tx.now, known=known, operator=self._operator, reason=self._reason)
        if guard.stopped == tx.now:
            recovery.lapse(tx, self._subject)
        self._keep(tx, key, guard)
        if caller is not None and self._caller is not None:
            touch_bucket(tx, self._caller, caller)
        for event in events:
            tx.tell(event, self._subject if key != self._subject else None)
        done = Done(outcome)
        remember(tx, self._replay, done)
        return done

    def _row(self, tx: Tx) -> tuple[str, Guard]:
        known, stranger = tx.get(self._subject, Guard), tx.get(self._bucket, Guard)
        if known is not None and known.known:
            return self._subject, known
        return self._bucket, stranger or Guard()

    def _in_session(self, tx: Tx) -> bool:
        """Whether he calls out of a live session of his own."""
        session = None if self._session is None else tx.get(self._session, Session)
        if self._session is None or session is None or session.owner != self._owner or session.subject != self._subject:
            return False
        return is_live(tx, self._session, self._subject)

    def _on_known_device(self, tx: Tx, guard: Guard) -> bool:
        """Whether he calls from a device that he has proved himself from."""
        rules = tx.table.devices
        return rules is not None and bool(self._device) and place_of(guard, self._device, rules, tx.now) > 0

    def _keep(self, tx: Tx, key: str, guard: Guard) -> None:
        if key == self._bucket:
            touch_bucket(tx, key, guard)
        else:
            tx.put(key, guard)


class Stops:
    """Emergency stops."""

    def __init__(self, ledger: Ledger, store: Store, subjects: Subjects) -> None:
        self._ledger = ledger
        self._store = store
        self._subjects = subjects

    async def stop(
        self, owner: str, subject: str, *, actor: str = NOBODY, caller: str | None = None, session: str | None = None,
        known: bool = False, device: str = "", operator: str | None = None, reason: str | None = None, replay: Replay | None = None,
    ) -> Done | Repeated | OtherBody | InFlight:
        """Stop a customer's operations.

        Args:
            owner: the API key that asks; a session counts only where it was opened with this key.
            subject: the customer, or an account of his.
            actor: who types.
            caller: who telephones, where the channel says; counted instead of the actor.
            session: out of which it is asked for.
            known: the channel or the operator knows him: by the device, the number on file, or as verified.
            device: from which it is asked for, as a keyed digest; it may be one that he has proved himself from.
            operator: who of the staff asks.
            reason: for the record.
            replay: the request's claim to be the same as an earlier one.

        Raises:
            CallerError: not a customer or an account, or no caller.

        """
        if checked_subject(subject).partition(":")[0] not in STOPPED:
            raise CallerError("a stop names a customer or an account: customer:… or account:…")
        whose = await self._customer_of(subject)
        counted = checked_caller(caller) if caller is not None else None if actor == NOBODY else actor
        key = None if session is None or f"session:{session}".startswith(FOREIGN) else f"session:{session}"
        return await self._ledger.run(_Stop(
            self._subjects, whose, counted, key, owner, known=known, device=device, operator=operator, reason=reason,
            replay=replay,
        ))

    async def _customer_of(self, subject: str) -> str:
        body = (await self._store.peek([subject])).get(subject)
        return subject if body is None else decode(body, Guard).links.get(Reach.CUSTOMER, subject)
