"""Secrets as customers have them, and guesses as attackers make them: drawn from leaked lists, or at random."""

from __future__ import annotations

import bisect
import itertools
import random
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Protocol

from sekisho.policy.table import Item, Table
from sekisho.proof.chances import CHOSEN, SIGNATURE_DIGITS, TOKEN_DIGITS, TOKEN_WINDOW, likeliest, uniform
from sekisho.terms import ItemKind


class Lottery(Protocol):
    """How secrets of one kind come about, and how they are guessed."""

    def secret(self, chance: random.Random) -> object:
        """One customer's."""

    def guesses(self, chance: random.Random) -> Iterator[object]:
        """What an attacker enters, one after the other."""

    def hits(self, secret: object, guess: object, chance: random.Random) -> bool:
        """Whether a guess is right now."""

    def expected(self, guesses: int) -> float:
        """The chance that so many guesses hit, by the closed form."""


class Chosen:
    """What people choose: by rank in a leaked list, likeliest first."""

    def __init__(self, name: str, everybody: int | None) -> None:
        self._name, self._everybody = name, everybody
        self._sums = _sums(name)

    def secret(self, chance: random.Random) -> object:
        """A rank; beyond the list where the list ends."""
        return bisect.bisect_right(self._sums, chance.randrange(self._everybody or self._sums[-1]))

    def guesses(self, chance: random.Random) -> Iterator[object]:
        """The ranks in their order."""
        del chance
        return itertools.count()

    def hits(self, secret: object, guess: object, chance: random.Random) -> bool:
        """The same rank."""
        del chance
        return secret == guess

    def expected(self, guesses: int) -> float:
        """The part of the list that so many ranks cover."""
        return likeliest(self._name, guesses, self._everybody)


class Drawn:
    """Codes that change all the time, of which some are valid at once."""

    def __init__(self, digits: int, live: int) -> None:
        self._digits, self._live = digits, live

    def secret(self, chance: random.Random) -> object:
        """Nothing that stays the same."""
        del chance
        return None

    def guesses(self, chance: random.Random) -> Iterator[object]:
        """Any codes."""
        while True:
            yield chance.randrange(10**self._digits)

    def hits(self, secret: object, guess: object, chance: random.Random) -> bool:
        """One of those that are valid now."""
        del secret
        return guess in set(itertools.islice(_distinct(chance, 10**self._digits), self._live))

    def expected(self, guesses: int) -> float:
        """1 - (1 - live / all)^guesses."""
        return uniform(guesses, self._digits, self._live)


def _distinct(chance: random.Random, among: int) -> Iterator[int]:
    seen: set[int] = set()
    while len(seen) < among:
        drawn = chance.randrange(among)
        if drawn not in seen:
            seen.add(drawn)
            yield drawn


def lottery(table: Table, item: Item, digits: int | None = None) -> Lottery | None:
    """How secrets of an item come about; None: nobody knows. `digits`: of codes, instead of the policy's."""
    if item.kind in CHOSEN:
        return Chosen(*CHOSEN[item.kind])
    if item.resyncs is not None:
        return None
    if item.kind is ItemKind.TOTP:
        return Drawn(digits or TOKEN_DIGITS, TOKEN_WINDOW)
    if item.kind is ItemKind.OCRA:
        return Drawn(digits or SIGNATURE_DIGITS, 1)
    if item.kind in {ItemKind.CODE, ItemKind.CONFIRMATION}:
        live = int(table.mail["addresses"]) if item.kind is ItemKind.CODE else 1
        return Drawn(digits or item.digits or int(table.mail["code_digits"]), live)
    return None


@cache
def _sums(name: str) -> list[int]:
    """How many chose one of the n likeliest, for each n."""
    with (resources.files("sekisho.proof") / "data" / name).open() as lines:
        return list(itertools.accumulate(int(line) for line in lines))
