"""What the pages of this bank show besides what staff of any bank see: its customers, and the customer's half, which names no figure (D1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sekisho.bank.holdings import Holding
from sekisho.bank.service import Operator
from sekisho.policy.table import Row
from sekisho.web.sights import Sights


class Choice(NamedTuple):
    """One option of a list."""

    value: str
    text: str
    chosen: bool = False


class Shown(Sights):
    """The policy's and the state's words in one language."""

    def officer(self, one: Operator) -> str:
        """A person at the bank."""
        return self.operator(one.name, one.role)

    def person(self, holding: Holding) -> str:
        """A made-up customer."""
        return holding.customer.ja if self.language == "ja" else holding.customer.en

    # -- what can be chosen --------------------------------------------------------------------------------------------

    def customers(self, holdings: Iterable[Holding], account: str) -> list[Choice]:
        """All made-up customers, with what is special about each."""
        return [Choice(one.customer.account, self._customer(one), one.customer.account == account) for one in holdings]

    def _customer(self, holding: Holding) -> str:
        notes = [note for note in holding.customer.notes if note != "no-contract" or not holding.contract]
        words = self.join(self.say(f"customer.{note}") for note in notes)
        return self.say("customer.noted", name=self.person(holding), note=words) if words else self.person(holding)

    def operations(self, chosen: str | None, *, session: bool) -> list[Choice]:
        """The operations that need a session, or those that need none."""
        return [
            Choice(one.name, self.text(one.text), one.name == chosen) for one in self._table.operations.values() if one.session is session
        ]

    # -- the customer's half -------------------------------------------------------------------------------------------

    def ways_back(self, operation: str) -> list[tuple[str, str | None]]:
        """Help: how this operation opens again, whatever closed it. The same for everybody; the operation that does it, if one does."""
        names = dict.fromkeys(
            name for rows in self._table.operations[operation].rows.values() for row in rows for name in self._undo(row)
        )
        paths = [self._table.paths[name] for name in names if name in self._table.paths]
        return [(self.text(path.text), path.operation if path.operation != operation else None) for path in paths]

    @staticmethod
    def _undo(row: Row) -> list[str]:
        return [*row.undo, *(name for gauge in row.gauges for stage in gauge.counter.stages for name in stage.undo)]
