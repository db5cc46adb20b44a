"""Carrying a form out: all that it brings about, in the commit in which the last person agrees."""

from __future__ import annotations

from collections.abc import Sequence

from sekisho.core import address as masks
from sekisho.core import paper, registering, release
from sekisho.core.paper import Effect
from sekisho.core.penalty import held
from sekisho.core.state import Address, Addresses, Guard
from sekisho.events import Event, EventKind
from sekisho.flows import letters
from sekisho.flows.addresses import addresses_key
from sekisho.flows.effects import secret_key
from sekisho.flows.letters import Letter
from sekisho.flows.papers import CarriedOut, Form, Paper
from sekisho.flows.telling import announce
from sekisho.policy.table import ReleasePath
from sekisho.ports import Codes, Tx
from sekisho.terms import AddressState, Reach, Way


class Carrying:
    """One form being carried out.

    Args:
        tx: the commit's view; it holds every row that is touched here.
        subject: for whom the form was entered.
        guards: the rows of those it works on.
        does: what it is to do.
        letters: made ready for all that it may give.
        codes: names addresses.
        operators: who answers for it, as it is recorded.
        last: the one of them who acts now.

    """

    def __init__(
        self, tx: Tx, subject: str, guards: dict[str, Guard], does: Effect, letters: Sequence[Letter], codes: Codes, operators: str, last: str,
    ) -> None:
        self._tx, self._subject, self._guards, self._does = tx, subject, guards, does
        self._letters, self._codes, self._operators, self._last = letters, codes, operators, last

    def out(self, form: Form) -> CarriedOut:
        """All of it."""
        tx, does, told, path = self._tx, self._does, form.paper, self._tx.table.paths[form.paper.form]
        if does.contract and told.customer is not None:
            self._enrol(told.customer)
        lifted = self._lift(path, told.reason)
        self._flag(path)
        written = self._write(told)
        if told.addresses:
            self._register(told)
        self._hold(path)
        for key, guard in self._guards.items():
            tx.put(key, guard)
        announce(tx, self._of(Reach.CUSTOMER) or self._subject, "desk-act", letter="letter" in path.tells)
        form.state, form.closed_by, form.closed_at = "done", self._last, tx.now
        form.lifted, form.letters, form.by_bank = lifted, written, [*(one for one in does.items if one not in written), *does.by_bank]
        tx.tell(Event(EventKind.FORM_DONE, self._subject, path=path.name, lock=told.lock, operator=self._operators, reason=told.reason))
        return CarriedOut(path.name, told.lock, lifted, list(written), form.by_bank)

    def _of(self, reach: Reach) -> str:
        """The row of a kind among those it works on; empty: there is none."""
        return next((key for key in self._guards if key.startswith(f"{reach}:")), "")

    def _enrol(self, customer: str) -> None:
        """The contract begins: the customer and what he applied for belong together."""
        own, kind = self._guards[self._subject], self._subject.partition(":")[0]
        for guard in self._guards.values():
            guard.links = {**guard.links, Reach.CUSTOMER.value: customer}
        links = {reach: name for reach, name in own.links.items() if reach != Reach.CUSTOMER}
        self._guards[customer] = Guard(known=True, links={**links, kind: self._subject})
        self._tx.tell(Event(EventKind.SUBJECT_ENROLLED, customer, operator=self._operators))

    def _lift(self, path: ReleasePath, reason: str) -> list[str]:
        """Every lock that names this form as a way out; and the counts they came from, wherever those stand."""
        tx, guards = self._tx, self._guards
        others = {str(lock.source) for _, lock in self._does.locks if release.is_row(lock.source)} - guards.keys()
        sources = {**guards, **{key: row for key in others if (row := tx.get(key, Guard)) is not None}}
        for key, lock in self._does.locks:
            release.lift(key, guards[key], lock, sources, tx.table, tx.tell, path=path.name, operator=self._operators, reason=reason)
        for key in sources.keys() - guards.keys():
            tx.put(key, sources[key])
        return [lock.row for _, lock in self._does.locks]

    def _flag(self, path: ReleasePath) -> None:
        table = self._tx.table
        marks = [(flag, paper.holder(flag, table)) for flag in path.sets]
        marks += [(f"exemption:{name}", paper.beneficiary(table.exemptions[name], table)) for name in self._does.exemptions]
        for flag, reach in marks:
            guard = self._guards.get(self._of(reach))
            if guard is not None:
                guard.flags = sorted({*guard.flags, flag})
        for guard in self._guards.values():
            guard.flags = [flag for flag in guard.flags if flag not in path.clears]

    def _hold(self, path: ReleasePath) -> None:
        """What the policy holds back for a time afterwards; and the customer is told, where it says so."""
        key = self._of(Reach.CUSTOMER) or self._subject
        lock = held(self._guards[key], path, self._tx.table, self._tx.now)
        if lock is not None:
            self._guards[key].locks.append(lock)
            self._tx.tell(Event(EventKind.LOCK_SET, key, row=lock.row, lock=lock.id, until=lock.until, operator=self._operators))
        if path.tells:
            self._tx.tell(Event(EventKind.NOTICE_DUE, key, path=path.name))

    def _write(self, told: Paper) -> dict[str, str]:
        """What the letters bring is in force; they wait for the printer."""
        written = {}
        for one in self._letters:
            key = self._of(self._tx.table.items[one.item].reach)
            if one.item not in self._does.items or not key:
                continue
            self._tx.put(secret_key(key, one.item), one.record)
            self._guards[key].flags = sorted({*self._guards[key].flags, f"set:{one.item}"})
            letters.post(self._tx, one, key, told.form, told.language)
            self._tx.tell(Event(EventKind.LETTER_MADE, key, item=one.item, path=told.form, operator=self._operators))
            written[one.item] = one.delivery
        return written

    def _register(self, told: Paper) -> None:
        """He has signed for them: they are on file as confirmed, in the place of the mail addresses before."""
        tx, customer = self._tx, self._of(Reach.CUSTOMER)
        typed = masks.entered(Way.MAIL, told.addresses, int(tx.table.mail["addresses"])) or []
        new = [Address(masks.id_of(self._codes.digest, customer, Way.MAIL, to), Way.MAIL, to, AddressState.CONFIRMED, tx.now) for to in typed]
        tx.put(addresses_key(customer), registering.on_file(tx.get(addresses_key(customer), Addresses) or Addresses(), new, tx.now))
        tx.tell(Event(EventKind.ADDRESSES_SET, customer, path=told.form, operator=self._operators))
