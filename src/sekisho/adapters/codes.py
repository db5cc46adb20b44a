"""Codes and digests made with the keys of the key file. An old version of the key still makes what was sent with it."""

from __future__ import annotations

import hmac

from sekisho.adapters.keyring import Keyring
from sekisho.core import challenge
from sekisho.core.state import Challenge


class KeyedCodes:
    """Makes codes.

    Args:
        keyring: with keys for `codes`, and for `subjects`, with which digests are made.

    Raises:
        CallerError: it has no keys for codes.

    """

    def __init__(self, keyring: Keyring) -> None:
        self._keys = keyring.versions("codes")
        self._digests = keyring.secret("subjects")
        self.version = keyring.newest("codes")

    def code(self, sent: Challenge) -> str | None:
        """The code of a challenge; None where its key is gone."""
        key = self._keys.get(sent.version)
        return None if key is None else challenge.code_of(key, sent)

    def digest(self, *parts: str) -> bytes:
        """32 bytes that follow from the parts."""
        told = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in ("digest", *parts))
        return hmac.digest(self._digests, told, "sha256")
