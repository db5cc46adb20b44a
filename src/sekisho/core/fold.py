"""What people type, in the one form in which it is compared: width, spaces and hyphens forgiven where they mean nothing."""

from __future__ import annotations

import re
import unicodedata

from sekisho.terms import ItemKind

_SPACES_AND_HYPHENS = re.compile(r"[\s\-‐-―−ー〜]+")

_AS_TYPED = frozenset({ItemKind.PASSWORD, ItemKind.PASSCODE})
_DIGITS_ONLY = frozenset({ItemKind.CODE, ItemKind.TOTP, ItemKind.PIN, ItemKind.CONFIRMATION})


def fold(kind: ItemKind, entered: str) -> str:
    """The form that is compared.

    Codes, PINs: full-width digits, spaces and hyphens as people type them. Knowledge and identifiers: NFKC, outer spaces
    dropped. Passwords: NFC and nothing else (NIST SP 800-63B-4 section 3.1.1.2).
    """
    if kind in _AS_TYPED:
        return unicodedata.normalize("NFC", entered)
    folded = unicodedata.normalize("NFKC", entered).strip()
    return _SPACES_AND_HYPHENS.sub("", folded) if kind in _DIGITS_ONLY else folded
