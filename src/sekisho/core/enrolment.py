"""An enrolment of the bank's app: what its device signs, and how the code is written that begins one. docs/how/app.md"""

from __future__ import annotations

from collections.abc import Mapping

CODE_SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""No sign of it looks like another."""

CODE_LENGTH = 24
"""Signs of a code that begins an enrolment: 120 bits, so that nobody guesses one and no guess need be counted."""

DEVICE = "device"
"""Where the key is kept that an enrolment's device shows itself by."""

SIGNATURE, REPORT, SHOWN, KEY = "signature", "report", "shown.", "key."
"""Parts of what a device sends: its signature, what its sensor says, each text it has shown, each key of a sensor."""

VERIFIER = "passcode"

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
