"""What a session rests on: of which factors is what was proved in it, and could a false page have had it from the customer."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sekisho.policy.table import Item
from sekisho.terms import ItemKind, Reach


class Factor(StrEnum):
    """What proves somebody (Regulation (EU) 2018/389, articles 6 to 8; NIST SP 800-63B-4 section 2)."""

    KNOWLEDGE = "knowledge"
    POSSESSION = "possession"
    INHERENCE = "inherence"


_OF = {
    ItemKind.PASSWORD: {Factor.KNOWLEDGE}, ItemKind.PIN: {Factor.KNOWLEDGE}, ItemKind.KNOWLEDGE: {Factor.KNOWLEDGE},
    ItemKind.PASSCODE: {Factor.KNOWLEDGE}, ItemKind.TOTP: {Factor.POSSESSION}, ItemKind.CONFIRMATION: {Factor.POSSESSION},
    ItemKind.BIOMETRIC: {Factor.INHERENCE}, ItemKind.DEVICE_BIOMETRIC: {Factor.INHERENCE},
    # The device asks for its own code, finger or face first: that is one of two, and nobody here sees which.
    ItemKind.PASSKEY: {Factor.POSSESSION},
}
"""A code by mail is none: it goes to whoever reads the mail (NIST SP 800-63B-4 section 3.1.3). Data and names prove nobody."""


def factors(items: Iterable[Item]) -> set[Factor]:
    """The factors of what was proved. What is entered in an app that is enrolled shows the device that it was enrolled on, too."""
    found: set[Factor] = set()
    for item in items:
        of = _OF.get(item.kind, set())
        found |= of | ({Factor.POSSESSION} if of and item.reach is Reach.APP else set())
    return found


def resists_phishing(items: Iterable[Item]) -> bool:
    """Whether something was proved that is signed for this bank's own pages only (NIST SP 800-63B-4 section 3.2.5)."""
    return any(item.kind is ItemKind.PASSKEY for item in items)


__all__ = ["Factor", "factors", "resists_phishing"]
