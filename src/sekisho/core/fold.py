"""What people type, in the one form in which it is compared: width, spaces, hyphens and kana forgiven where they mean nothing."""

from __future__ import annotations

import re
import unicodedata

from sekisho.terms import ItemKind

_HYPHEN = r"\-‐-―−ー〜"
"""All that stands for a hyphen on some keyboard, the long vowel mark included."""

_HYPHENS = re.compile(f"[{_HYPHEN}]")
_SPACES = re.compile(r"[^\S\x1f]+")
"""Not the mark that keeps the parts of a proof apart."""

_SPACES_AND_HYPHENS = re.compile(rf"[\s{_HYPHEN}]+")

_KATAKANA = {hiragana: hiragana + 0x60 for hiragana in range(0x3041, 0x3097)}

_AS_TYPED = frozenset({ItemKind.PASSWORD, ItemKind.PASSCODE})
_DIGITS_ONLY = frozenset({ItemKind.CODE, ItemKind.TOTP, ItemKind.OCRA, ItemKind.PIN, ItemKind.CONFIRMATION})
_NAMING = frozenset({ItemKind.IDENTIFIER, ItemKind.PAIR})


def fold(kind: ItemKind, entered: str) -> str:
    """The form that is compared.

    Codes, PINs: full-width digits, spaces and hyphens as people type them. Identifiers: the same, with each hyphen as one sign, since a number
    may have one. Knowledge: besides, hiragana as katakana, capitals as small letters, and no commas in a balance. Data: width, outer spaces.
    Passwords: NFC and nothing else (NIST SP 800-63B-4 section 3.1.1.2).
    """
    if kind in _DIGITS_ONLY and entered.isascii() and entered.isdecimal():
        return entered
    if kind in _AS_TYPED:
        return unicodedata.normalize("NFC", entered)
    folded = unicodedata.normalize("NFKC", entered).strip()
    if kind in _DIGITS_ONLY:
        return _SPACES_AND_HYPHENS.sub("", folded)
    if kind in _NAMING:
        return _HYPHENS.sub("-", _SPACES.sub("", folded))
    if kind is ItemKind.KNOWLEDGE:
        return _HYPHENS.sub("-", _SPACES.sub("", folded)).replace(",", "").translate(_KATAKANA).casefold()
    return folded
