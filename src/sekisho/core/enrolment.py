"""An enrolment of the bank's app: what its device signs, and how the code is written that begins one. docs/how/app.md"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sekisho.terms import ItemKind

CODE_SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""No sign of it looks like another."""

CODE_LENGTH = 24
"""Signs of a code that begins an enrolment: 120 bits, so that nobody guesses one and no guess need be counted."""

AGREED_S = 600
"""How long a session may ask for a code after what the policy asks for it was proved there: as long as a code lives. Seconds."""

DEVICE = "device"
"""Where the key is kept that an enrolment's device shows itself by."""

SIGNATURE, REPORT, SHOWN, KEY = "signature", "report", "shown.", "key."
"""Parts of what a device sends: its signature, what its sensor says, each text it has shown, each key of a sensor."""

VERIFIER = "passcode"

KEYED = frozenset({ItemKind.BIOMETRIC, ItemKind.DEVICE_BIOMETRIC, ItemKind.OCRA})
"""What an app enters by a key: one that a sensor opens, or one of transaction signatures."""

RESPONSE = "response"
"""A transaction signature, as it was typed from the app."""

SHARED_BYTES = 32
"""Length of the key of transaction signatures, which an app shares with the bank."""

SUITE = "OCRA-1:HOTP-SHA256-8:QH64"
"""How they are made (RFC 6287 section 6): eight digits of SHA-256 over a question of 64 hexadecimal digits."""

NO_MATCH, LOCKED = "no-match", "locked"
"""What a sensor says when it does not say yes."""


def spoken(code: bytes) -> str:
    """A code from random bytes, in groups as it is read and typed."""
    signs = "".join(CODE_SIGNS[byte % len(CODE_SIGNS)] for byte in code[:CODE_LENGTH])
    return "-".join(signs[at:at + 4] for at in range(0, CODE_LENGTH, 4))


def heard(code: str) -> str:
    """The same, as typed: without what stands between the groups, and in capitals."""
    return "".join(sign for sign in code.upper() if sign in CODE_SIGNS)


def message(purpose: str, asked: bytes, parts: Mapping[str, str]) -> bytes:
    """What a device signs: what for (the enrolment and the item), what it was asked with, and every part that it sends but the signature."""
    told = [b"sekisho app 1", purpose.encode(), asked]
    told += [text.encode() for name, value in sorted(parts.items()) if name != SIGNATURE for text in (name, value)]
    return b"".join(len(one).to_bytes(4, "big") + one for one in told)


def question(purpose: str, asked: bytes, shown: Mapping[str, str]) -> str:
    """What a transaction signature answers, in hexadecimal digits: a digest of what for, what was asked with, and every text that is shown."""
    return hashlib.sha256(message(purpose, asked, shown)).hexdigest()
