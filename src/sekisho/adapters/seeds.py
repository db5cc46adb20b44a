"""Token seeds as they are kept: sealed with the newest of the key file's keys for seeds (AES-256-GCM, NIST SP 800-38D).

A seed is bound to what its token is: nobody who writes into the database turns it into the seed of another sort of token.
"""

from __future__ import annotations

import secrets as chance
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sekisho.core.state import SEALED, Secret, Token
from sekisho.errors import CallerError

NONCE_BYTES = 12

SEEDED = frozenset({"totp", "ocra"})
"""Kinds whose record is a seed that must be read again to be of use."""


class Seeds:
    """Seals and opens seeds.

    Args:
        keys: by version, 32 bytes each; the highest version seals.

    """

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._keys = {version: AESGCM(key) for version, key in keys.items()}
        self.newest = max(keys, default=0)

    def seal(self, seed: bytes, token: Token, last: int, kind: str = "totp") -> Secret:
        """A record of a seed.

        Args:
            seed: the token's, or the key that an app shares with the bank.
            token: what it is.
            last: its newest moving factor that was accepted.
            kind: of the item that it is for.

        """
        if not self.newest:
            raise CallerError("there is no key that seeds are sealed with")
        token = msgspec.structs.replace(token, key=self.newest)
        nonce = chance.token_bytes(NONCE_BYTES)
        sealed = self._keys[self.newest].encrypt(nonce, seed, _bound(token, kind))
        return Secret(v=SEALED, kind=kind, salt=nonce, digest=sealed, last_step=last, token=token)

    def open(self, record: Secret) -> bytes | None:
        """The seed of a record; None: its key is gone, or it is not as it was sealed."""
        token = record.token
        key = None if token is None else self._keys.get(token.key)
        if key is None or token is None:
            return None
        try:
            return key.decrypt(record.salt, record.digest, _bound(token, record.kind))
        except InvalidTag:
            return None

    def is_old(self, record: Secret) -> bool:
        """Whether a newer key would seal it now."""
        return record.kind in SEEDED and (record.token is None or record.token.key != self.newest)


def _bound(token: Token, kind: str) -> bytes:
    """What never changes about a token, and what it is for."""
    told = (token.serial, token.algorithm, token.digits, token.step_s)
    return msgspec.msgpack.encode(told if kind == "totp" else (kind, *told))
