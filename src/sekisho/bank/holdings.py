"""What each made-up customer holds at present and what has reached him: passwords, PINs, a token, mails, calls and letters.

A real bank knows almost none of this. The demonstration does, so that a visitor can be right or wrong at will.
"""

from __future__ import annotations

import re
import secrets as chance
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sekisho.bank import totp
from sekisho.bank.seeds import CUSTOMERS, Customer
from sekisho.policy import Table
from sekisho.policy.table import Item

SENT = frozenset({"code", "confirmation"})
"""Made and compared by sekisho, and sent to the customer."""

JUDGED = frozenset({"biometric", "device-biometric", "passkey"})
"""Judged by the customer's own device, which tells the bank yes or no: the bank takes a reservation and gives its verdict."""

ASIDE = SENT | JUDGED
"""What nobody knows by heart: sent when it is needed, or seen by a device."""

RECOGNISED, NOT_RECOGNISED = "recognised", "not-recognised"
"""What the device tells."""

Proof = str | dict[str, str]


@dataclass
class Holding:
    """One customer's pockets and letter box."""

    customer: Customer
    secrets: dict[str, str]
    mails: tuple[str, ...]
    contract: bool
    token_step: int = 0
    """The newest step whose code was used; the same code is never taken twice (RFC 6238 section 5.2)."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """All that is enrolled of him by now."""
        return self.customer._replace(contract=self.contract).subjects

    def subject_of(self, reach: str) -> str:
        """His subject of one kind."""
        one = self.customer
        return {"account": one.account_subject, "app": one.app_subject}.get(reach, one.subject)


class Holdings:
    """All made-up customers as they are now.

    Args:
        table: the policy, for the kinds of its items.

    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._of = {one.account: Holding(one, one.secrets, one.mails, one.contract) for one in (each.at(table) for each in CUSTOMERS)}

    def __iter__(self) -> Iterator[Holding]:
        return iter(self._of.values())

    def of(self, account: str) -> Holding | None:
        """The customer with this account."""
        return self._of.get(account)

    def named(self, proof: Proof) -> Holding | None:
        """The customer whom an entry names by his number or his account's; None: it names nobody we know."""
        said = set(proof.values() if isinstance(proof, Mapping) else [proof])
        return next((one for one in self if said & {one.customer.number, one.customer.account}), None)


def right_entry(item: Item, holding: Holding, now_s: float, code: str | None) -> Proof | None:
    """What the customer would enter; `code` is what was sent to him. None: he has nothing to enter here."""
    one = holding.customer
    if item.kind in SENT:
        return code
    if item.kind in JUDGED:
        return RECOGNISED
    if item.kind == "totp":
        return next_code(holding, item.name, now_s) if item.resyncs is None else two_codes(holding, item.resyncs, now_s)
    if item.kind == "pair":
        return {name: _number(one, reach) for name, reach in item.parts}
    if item.kind == "identifier" and item.names is not None:
        return _number(one, item.names)
    return _data(item, holding) if item.kind == "data" else holding.secrets.get(item.name)


def _number(one: Customer, reach: str) -> str:
    return one.account if reach == "account" else one.number


def next_code(holding: Holding, item: str, now_s: float) -> str | None:
    """The code his token shows; when that was used already the next one, which the clock's drift allows. None: he must wait."""
    seed = holding.secrets.get(item)
    step = max(totp.step_at(now_s), holding.token_step + 1)
    if not seed or step > totp.step_at(now_s) + 1:
        return None
    return totp.code_of(seed, step)


def two_codes(holding: Holding, item: str, now_s: float) -> str | None:
    """The code his token shows and the one before it; when that was used already None: he must wait."""
    seed, now = holding.secrets.get(item), totp.step_at(now_s)
    if not seed or holding.token_step >= now - 1:
        return None
    return f"{totp.code_of(seed, now - 1)} {totp.code_of(seed, now)}"


def note_code_used(holding: Holding, item: str, code: str, now_s: float) -> None:
    """Remember the step of a code that was right."""
    now = totp.step_at(now_s)
    for step in range(now - 1, now + 2):
        if code.endswith(totp.code_of(holding.secrets[item], step)):
            holding.token_step = max(holding.token_step, step)


def _data(item: Item, holding: Holding) -> str:
    if item.renews is not None:
        return new_secret(holding.secrets.get(item.renews, ""))
    if item.registers is not None:
        return f"new-{holding.mails[0].removeprefix('new-')}"
    samples = {"consent": "yes", "amount-and-payee": "50,000 → 箱根 太郎"}
    return samples.get(item.name, "ok")


def new_secret(present: str) -> str:
    """Another secret that looks like the present one: as many digits, or some words."""
    return new_digits(len(present)) if present.isdigit() else f"quiet gate {chance.randbelow(900) + 100}"


def wrong_entry(item: Item, right: Proof | None, holding: Holding) -> Proof | None:
    """Something close to the right entry that is not it. None: nothing entered here can be wrong."""
    if item.kind in JUDGED:
        return NOT_RECOGNISED
    if item.renews is not None:
        # What is new must differ from what it replaces (M-RESET-1).
        return holding.secrets.get(item.renews)
    if item.kind == "data":
        return None if item.pattern is None and item.registers is None else "no"
    if item.kind == "identifier":
        return "?"
    if isinstance(right, Mapping):
        # The half that names the customer stays right, so that the count falls on him.
        return {name: _shifted(part) if name.startswith("account") else part for name, part in right.items()}
    return _shifted(right or "00000000")


_SHIFT = str.maketrans("0123456789", "5678901234")


def _shifted(text: str) -> str:
    """Every digit moved by five; a text without digits gets a letter more."""
    moved = text.translate(_SHIFT)
    return moved if moved != text else f"{text}x"


def code_in(text: str) -> str | None:
    """The code that a message carries, as a person finds it: figures in two groups, or in one."""
    found = re.search(r"\b\d{2,6} \d{2,6}\b|\b\d{4,12}\b", text)
    return found and found[0]


def new_digits(digits: int) -> str:
    """That many figures."""
    return f"{chance.randbelow(10**digits):0{digits}d}"
