"""Paper: a form that has come in is entered by one operator, approved by another, and carried out by the approval itself.

What it brings about is read from the policy. What it gives goes out in a letter that is made when it is handed to the
printer: no operator, no record and no answer ever holds what stands in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sekisho.core import address as masks
from sekisho.core import paper, release
from sekisho.core.paper import Effect
from sekisho.core.state import Guard, decode
from sekisho.errors import LedgerUnavailable
from sekisho.events import Event, EventKind
from sekisho.flows import approvals, letters
from sekisho.flows.acts import Awaits, Denied, Moved, Operator, once
from sekisho.flows.addresses import addresses_key
from sekisho.flows.approvals import Approval
from sekisho.flows.carrying import Carrying
from sekisho.flows.effects import secret_key
from sekisho.flows.letters import Letter
from sekisho.flows.names import checked_subject
from sekisho.flows.outbox import Outbox, outbox_key
from sekisho.flows.papers import SHOWN, CarriedOut, Form, Forms, Paper, forms_key
from sekisho.flows.replay import InFlight, OtherBody, Repeated, Replay
from sekisho.flows.telling import announcements_key
from sekisho.policy.table import ReleasePath, Table
from sekisho.ports import Codes, Ledger, Secrets, Store, Tx
from sekisho.terms import PathKind, Reach, Way

MAY = "enter-forms"
"""What the policy's desk calls it."""


class Around(NamedTuple):
    """The subjects that a form works on, by kind, and further rows that its locks came from."""

    subjects: Mapping[str, str]
    sources: Sequence[str]


Told = CarriedOut | Awaits | Denied | Repeated | OtherBody | InFlight


class _Act:
    """What entering and approving share: the rows a form works on, whether it may, and carrying it out."""

    def __init__(
        self, id_: str, subject: str, around: Around, letters: Sequence[Letter], codes: Codes, operator: Operator, replay: Replay | None, *,
        customer: str | None,
    ) -> None:
        self._id, self._subject, self._around, self._operator, self._replay = id_, subject, around, operator, replay
        self._letters, self._codes = letters, codes
        rows = dict.fromkeys([*around.subjects.values(), *around.sources, *([customer] if customer else [])])
        customers = [key for key in rows if key.startswith(f"{Reach.CUSTOMER}:")]
        self.keys: Sequence[str] = [
            approvals.key_of(id_), approvals.LIST, forms_key(subject), *rows, *(announcements_key(key) for key in rows),
            *(addresses_key(key) for key in customers),
            *(secret_key(key, one.item) for one in letters for key in rows), *(outbox_key(one.delivery) for one in letters),
            *([replay.key] if replay else []),
        ]

    def guards(self, tx: Tx) -> dict[str, Guard] | Moved | Denied:
        """The rows of those it works on, if they are still the ones that were read."""
        found = {key: tx.get(key, Guard) for key in self._around.subjects.values()}
        own = found.get(self._subject)
        if own is None or not own.known:
            return Denied("not-enrolled", "nobody of this name is enrolled", conflict=True)
        if {self._subject, *own.links.values()} != set(found):
            return Moved()
        known = {key: guard for key, guard in found.items() if guard is not None and guard.known}
        sources = {lock.source for guard in known.values() for lock in guard.locks if release.is_row(lock.source)}
        return known if sources <= {*self.keys} else Moved()

    def refusal(self, tx: Tx, guards: Mapping[str, Guard], told: Paper) -> Denied | Effect:
        """Why it may not be entered or carried out; else what it would do."""
        path = tx.table.paths.get(told.form)
        if path is None or path.kind is not PathKind.FORM:
            return Denied("no-such-form", "the policy in force has no such form", conflict=True)
        wrong = _wrong_lock(guards.get(self._subject), told, tx.now) or _may_not(tx.table, path, self._operator)
        if wrong is not None:
            return wrong
        does = paper.effect(tx.table, path, guards, tx.now)
        return _wrong_holder(tx.table, does, guards) or _wrong_contract(tx, does, told) or _wrong_addresses(tx.table, does, told) or does

    def carrying(self, tx: Tx, guards: dict[str, Guard], does: Effect, operators: str) -> Carrying:
        """What carries it out."""
        return Carrying(tx, self._subject, guards, does, self._letters, self._codes, operators, self._operator.name)


class _Enter(_Act):
    """Put a form before a second person, or carry it out where the policy asks for one alone."""

    def __init__(self, told: Paper, *act: Any) -> None:
        super().__init__(*act, customer=told.customer)
        self._told = told

    def decide(self, tx: Tx) -> Told | Moved:
        """Enter it, or say why not; a request sent twice is one form."""
        return once(tx, self._replay, self._enter)

    def _enter(self, tx: Tx) -> CarriedOut | Awaits | Denied | Moved:
        guards = self.guards(tx)
        if not isinstance(guards, dict):
            return guards
        does = self.refusal(tx, guards, self._told)
        if isinstance(does, Denied):
            return does
        told, row = self._told, tx.get(forms_key(self._subject), Forms) or Forms()
        if any(one.paper.form == told.form and one.stands(tx.now) == "waiting" for one in row.forms):
            return Denied("waits-already", "this form has been entered for this subject and waits for its second person", conflict=True)
        form = Form(self._id, told, self._operator.name, tx.now, approvals.lapses_at(tx.now))
        tx.tell(Event(
            EventKind.FORM_ENTERED, self._subject, path=told.form, lock=told.lock, operator=self._operator.name, reason=told.reason,
        ))
        done: CarriedOut | Awaits = Awaits(self._id)
        if tx.table.paths[told.form].second_person:
            approvals.put_down(tx, self._id, self._approval(guards, form))
        else:
            done = self.carrying(tx, guards, does, self._operator.name).out(form)
        tx.put(forms_key(self._subject), Forms(forms=[form, *row.forms][:SHOWN]))
        return done

    def _approval(self, guards: Mapping[str, Guard], form: Form) -> Approval:
        told = form.paper
        row = next((lock.row for lock in guards[self._subject].locks if lock.id == told.lock), "")
        return Approval(
            subject=self._subject, lock=told.lock or "", row=row, path=told.form, reason=told.reason, evidence=told.evidence,
            asked_by=form.entered_by, asked_at=form.entered_at, expires=form.lapses, paper=True,
        )


class _Approve(_Act):
    """The second person agrees: the form is carried out."""

    def decide(self, tx: Tx) -> Told | Moved:
        """Carry it out, or say why not."""
        return once(tx, self._replay, self._approve)

    def _approve(self, tx: Tx) -> CarriedOut | Denied | Moved:
        found = approvals.for_second(tx, self._id, self._operator)
        if isinstance(found, Denied):
            return found
        guards = self.guards(tx)
        if not isinstance(guards, dict):
            return guards
        row = tx.get(forms_key(self._subject), Forms) or Forms()
        form = next((one for one in row.forms if one.id == self._id), None)
        if form is None:
            return Denied("no-such-approval", "there is no such form any more", conflict=True)
        does = self.refusal(tx, guards, form.paper)
        if isinstance(does, Denied):
            return self._overtaken(tx, row, form, does)
        approvals.carried_out(tx, self._id, found, self._operator)
        done = self.carrying(tx, guards, does, f"{found.asked_by}, {self._operator.name}").out(form)
        tx.put(forms_key(self._subject), row)
        return done


    def _overtaken(self, tx: Tx, row: Forms, form: Form, no: Denied) -> Denied:
        """What it was about has gone by another way: it waits no more."""
        if no.code in {"no-such-lock", "nothing-to-do"}:
            approvals.take_off(tx, self._id)
            form.state = "overtaken"
            tx.put(forms_key(self._subject), row)
        return no


class _Withdraw:
    """A form that was entered is not to be carried out after all."""

    def __init__(self, id_: str, subject: str, reason: str, operator: Operator, replay: Replay | None) -> None:
        self.keys: Sequence[str] = [approvals.key_of(id_), approvals.LIST, forms_key(subject), subject, *([replay.key] if replay else [])]
        self._id, self._subject, self._reason, self._operator, self._replay = id_, subject, reason, operator, replay

    def decide(self, tx: Tx) -> Form | Denied | Repeated | OtherBody | InFlight:
        """Withdraw it, or say why not."""
        return once(tx, self._replay, self._withdraw)

    def _withdraw(self, tx: Tx) -> Form | Denied:
        found = approvals.standing(tx, self._id)
        if isinstance(found, Denied):
            return found
        path = tx.table.paths.get(found.path)
        denied = None if path is None else _may_not(tx.table, path, self._operator)
        if denied is not None:
            return denied
        found.withdrawn_by = self._operator.name
        tx.put(self.keys[0], found)
        approvals.take_off(tx, self._id)
        row = tx.get(forms_key(self._subject), Forms) or Forms()
        form = next((one for one in row.forms if one.id == self._id), None)
        if form is None:
            return Denied("no-such-approval", "there is no such form any more", conflict=True)
        form.state, form.closed_by, form.closed_at, form.note = "withdrawn", self._operator.name, tx.now, self._reason
        tx.put(forms_key(self._subject), row)
        # The subject's row is looked at so that the event joins its history.
        tx.get(self._subject, Guard)
        tx.tell(Event(EventKind.FORM_WITHDRAWN, self._subject, path=found.path, operator=self._operator.name, reason=self._reason))
        return form


def _wrong_lock(guard: Guard | None, told: Paper, now: int) -> Denied | None:
    """The lock that the form is said to be about must stand, and be one that it lifts."""
    if told.lock is None:
        return None
    lock = next((one for one in guard.locks if one.id == told.lock and one.stands(now)), None) if guard else None
    if lock is None:
        return Denied("no-such-lock", "there is no such lock any more", conflict=True)
    if told.form not in lock.undo:
        return Denied("path-does-not-lift", f"that path does not lift a lock of row {lock.row}; what does: {', '.join(lock.undo)}", conflict=True)
    return None


def _may_not(table: Table, path: ReleasePath, operator: Operator) -> Denied | None:
    if not path.roles:
        return Denied("nobody-may", f"{path.text.en}: nobody carries this form out", conflict=True)
    if operator.role not in path.roles:
        return Denied("needs-role", f"this needs the role {' or '.join(path.roles)}")
    if MAY not in table.desk.get(operator.role, {}).get("may", ()):
        return Denied("may-not-enter-forms", f"this needs a role that may `{MAY}`")
    return None


def _wrong_holder(table: Table, does: Effect, guards: Mapping[str, Guard]) -> Denied | None:
    """It must bring something about, and each thing it gives must have somebody to go to."""
    if does.nothing:
        return Denied("nothing-to-do", "this form lifts no lock that stands here, and gives nothing", conflict=True)
    reaches = {table.items[name].reach.value for name in does.items}
    reaches |= {paper.beneficiary(table.exemptions[name], table).value for name in does.exemptions}
    new = {Reach.CUSTOMER.value} if does.contract else set()
    lacking = sorted(reaches - {key.partition(":")[0] for key in guards} - new)
    if lacking:
        return Denied("no-holder", f"what this form gives belongs to: {', '.join(lacking)}; this subject has none", conflict=True)
    return None


def _wrong_addresses(table: Table, does: Effect, told: Paper) -> Denied | None:
    if told.addresses and not does.addresses:
        return Denied("takes-no-addresses", "this form takes no mail addresses", conflict=True)
    if told.addresses and masks.entered(Way.MAIL, told.addresses, int(table.mail["addresses"])) is None:
        return Denied("no-addresses", "these are more mail addresses than one customer may have, or one is none", conflict=True)
    return None


def _wrong_contract(tx: Tx, does: Effect, told: Paper) -> Denied | None:
    """A new contract needs a customer's name that is free; no other form names one."""
    if not does.contract:
        return None if told.customer is None else Denied("contract-stands", "a customer is named where no contract is new", conflict=True)
    if told.customer is None or not told.customer.startswith(f"{Reach.CUSTOMER}:"):
        return Denied("needs-customer", "this form begins a contract; say for which new customer: customer:…", conflict=True)
    taken = tx.get(told.customer, Guard)
    if taken is not None and taken.known:
        return Denied("customer-taken", "a customer of this name is enrolled already", conflict=True)
    return None


class FormsDesk:
    """All forms.

    Args:
        ledger: where they are put on record.
        store: the same ledger's store.
        secrets: makes the records of what the letters bring.
        codes: makes what stands in the letters.
        outbox: carries the letters.

    """

    def __init__(self, ledger: Ledger, store: Store, secrets: Secrets, codes: Codes, outbox: Outbox) -> None:
        self._ledger, self._store, self._secrets, self._codes, self._outbox = ledger, store, secrets, codes, outbox

    async def enter(self, table: Table, subject: str, told: Paper, operator: Operator, id_: str, replay: Replay | None = None) -> Told:
        """A form has come in.

        Raises:
            CallerError: a name that can be no subject's.

        """
        for name in (subject, *([told.customer] if told.customer else [])):
            checked_subject(name)
        path = table.paths.get(told.form)
        # Only what is carried out at once needs its letters now.
        at_once = path is not None and not path.second_person
        return await self._settled(
            lambda around, letters: _Enter(told, id_, subject, around, letters, self._codes, operator, replay), table, subject, told, letters=at_once,
        )

    async def asked(self, approval: str) -> Approval | None:
        """The form that an approval is about; None: it is about none."""
        key = approvals.key_of(approval)
        body = (await self._store.peek([key])).get(key)
        found = None if body is None else decode(body, Approval)
        return found if found is not None and found.paper else None

    async def approve(self, table: Table, approval: str, subject: str, operator: Operator, replay: Replay | None = None) -> Told:
        """The second person agrees."""
        body = (await self._store.peek([forms_key(subject)])).get(forms_key(subject))
        forms = [] if body is None else decode(body, Forms).forms
        told = next((one.paper for one in forms if one.id == approval), Paper("", ""))
        return await self._settled(
            lambda around, letters: _Approve(approval, subject, around, letters, self._codes, operator, replay, customer=told.customer),
            table, subject, told, letters=True,
        )

    async def _settled(self, work: Any, table: Table, subject: str, told: Paper, *, letters: bool) -> Told:
        made = await self._letters(table, told, subject) if letters else []
        for _ in range(3):
            done: Told | Moved = await self._ledger.run(work(await self._around(subject), made))
            if not isinstance(done, Moved):
                self._outbox.wake.set()
                return done
        raise LedgerUnavailable

    async def withdraw(
        self, approval: str, reason: str, operator: Operator, replay: Replay | None = None,
    ) -> Form | Denied | Repeated | OtherBody | InFlight:
        """A form is not to be carried out after all."""
        found = await self.asked(approval)
        if found is None:
            return Denied("no-such-approval", "there is no such form, or it has lapsed", conflict=True)
        return await self._ledger.run(_Withdraw(approval, found.subject, reason, operator, replay))

    async def _around(self, subject: str) -> Around:
        """Whom it works on, and the rows that their locks came from."""
        own = (await self._store.peek([subject])).get(subject)
        linked = {} if own is None else decode(own, Guard).links
        subjects = {subject.partition(":")[0]: subject, **linked}
        rows = await self._store.peek(sorted(set(subjects.values())))
        sources = {lock.source for body in rows.values() for lock in decode(body, Guard).locks if release.is_row(lock.source)}
        return Around(subjects, sorted(str(source) for source in sources - set(subjects.values())))

    async def _letters(self, table: Table, told: Paper, subject: str) -> list[Letter]:
        """Every letter that the form may want; what stands in them is made, recorded and forgotten."""
        path = table.paths.get(told.form)
        if path is None or path.kind is not PathKind.FORM or not self._outbox.carries(Way.LETTER):
            return []
        items = [table.items[name] for name in paper.ever_given(path, table)]
        return await asyncio.to_thread(lambda: [letters.ready(item, subject, self._secrets, self._codes) for item in items])
