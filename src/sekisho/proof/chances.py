"""What a number of guesses is worth: the chance to hit one customer's secret, and how many of a million are hit.

Codes and tokens are uniform. What people choose is not: the chance of the likeliest guesses is counted from leaked lists.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

from sekisho.core import ocra
from sekisho.core.enrolment import SUITE
from sekisho.core.otp import RESYNC_STEPS, RESYNC_USES
from sekisho.policy.table import Table
from sekisho.proof.guesses import Bound
from sekisho.terms import ItemKind

TOKEN_DIGITS = 6
"""Digits of a token's code (RFC 6238); the policy does not say."""
TOKEN_WINDOW = 3
"""Codes of a token that are valid at once: the present one and its neighbours."""
SIGNATURE_DIGITS = ocra.suite(SUITE).digits
"""Of a transaction signature. One question is asked at a time."""
RESYNC_WINDOW = max(2 * RESYNC_STEPS, RESYNC_USES)
"""Pairs of codes that set a token right."""
MILLION = 1_000_000

PASSWORDS_ALL = 32_603_388
"""All passwords of the leaked list; the file holds the commonest."""

CHOSEN = {ItemKind.PASSWORD: ("rockyou_password_counts.txt", PASSWORDS_ALL), ItemKind.PIN: ("rockyou4_pin_counts.txt", None),
          ItemKind.PASSCODE: ("rockyou4_pin_counts.txt", None)}


class Chance(msgspec.Struct, frozen=True):
    """How likely it is that a year of guesses hits."""

    per_year: float | None
    """None: nobody knows how such a thing is chosen."""
    victims: float | None
    """Of a million customers, each guessed at as often."""
    by: str
    """What it was counted by."""


def chance(table: Table, bound: Bound) -> Chance:
    """The chance that somebody who makes all the guesses of a year hits."""
    item = table.items[bound.item]
    if item.kind in {ItemKind.CODE, ItemKind.CONFIRMATION}:
        digits = item.digits or int(table.mail["code_digits"])
        live = int(table.mail["addresses"]) if item.kind is ItemKind.CODE else 1
        return _of(uniform(bound.per_year, digits, live), f"{digits} digits, {live} live at once")
    if item.resyncs is not None:
        return _of(uniform(bound.per_year, 2 * TOKEN_DIGITS, RESYNC_WINDOW), f"two times {TOKEN_DIGITS} digits, {RESYNC_WINDOW} pairs valid at once")
    if item.kind is ItemKind.TOTP:
        return _of(uniform(bound.per_year, TOKEN_DIGITS, TOKEN_WINDOW), f"{TOKEN_DIGITS} digits, {TOKEN_WINDOW} valid at once")
    if item.kind is ItemKind.OCRA:
        return _of(uniform(bound.per_year, SIGNATURE_DIGITS), f"{SIGNATURE_DIGITS} digits, one valid at once")
    if item.kind in CHOSEN:
        name, everybody = CHOSEN[item.kind]
        return _of(likeliest(name, bound.per_year, everybody), name)
    return Chance(None, None, "")


def _of(found: float, by: str) -> Chance:
    return Chance(found, round(found * MILLION, 3), by)


def uniform(guesses: int | None, digits: int, live: int = 1) -> float:
    """The chance to hit one of `live` codes of so many digits that change; None guesses: as many as one likes."""
    return 1.0 if guesses is None else 1 - (1 - live / 10**digits) ** guesses


def likeliest(name: str, guesses: int | None, everybody: int | None = None) -> float:
    """The part of people who chose one of the so many likeliest, by a list of counts."""
    counts = _counts(name)
    most = len(counts) - 1 if guesses is None else min(guesses, len(counts) - 1)
    return counts[most] / (everybody or counts[-1])


@cache
def _counts(name: str) -> tuple[int, ...]:
    """How many chose one of the n likeliest, for each n."""
    total, sums = 0, [0]
    with (resources.files("sekisho.proof") / "data" / name).open() as lines:
        for line in lines:
            total += int(line)
            sums.append(total)
    return tuple(sums)
