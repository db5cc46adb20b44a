"""Bytes as text in the way of the web: base64url without padding (RFC 4648 section 5), one spelling for each."""

from __future__ import annotations

import base64
import binascii
import re

from sekisho.errors import CallerError

_SIGNS = re.compile(r"[A-Za-z0-9_-]*")


class NotBase64Url(CallerError):
    """Not base64url as it is written here."""


def spell(raw: bytes) -> str:
    """The text of some bytes."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read(text: str) -> bytes:
    """The bytes of a text.

    Raises:
        NotBase64Url: it is not spelt as we would.

    """
    if _SIGNS.fullmatch(text) is None:
        raise NotBase64Url
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as no:
        raise NotBase64Url from no
    if spell(raw) != text:
        raise NotBase64Url
    return raw
