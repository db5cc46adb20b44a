"""How proofs are kept and compared: slow and salted where a thief could guess them, keyed everywhere.

Passwords and PINs: Argon2id (RFC 9106; m = 19 MiB, t = 2, p = 1), then an HMAC under the pepper, which stands outside the
database. Other knowledge: HMAC-SHA-256 under a key of its own. Token seeds: sealed (`adapters.seeds`).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets as chance
import time
from collections.abc import Mapping

import msgspec
from argon2.low_level import Type, hash_secret_raw

from sekisho.adapters.encoded import decoded
from sekisho.adapters.seeds import Seeds
from sekisho.core import base64url, ocra, otp
from sekisho.core.enrolment import SHARED_BYTES, SUITE
from sekisho.core.state import Cost, Secret, Token
from sekisho.errors import CallerError

MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
"""Argon2id's cost (OWASP Password Storage: at least 19 MiB, two passes)."""

SLOW = frozenset({"password", "pin", "passcode"})
"""Kinds short enough to be guessed from a stolen record: they are compared on a worker."""

TAG = 16
"""Bytes of an entry's tag: two different entries do not have the same."""

TRIES = 3
"""Comparisons of which the quickest says how long one takes."""

_SUITE = ocra.suite(SUITE)

FAST = frozenset({"knowledge", "totp", "ocra"})
"""Kinds compared inside the batch."""


class KeyedSecrets:
    """Makes and compares records.

    Args:
        pepper: wraps every digest; without it a stolen database cannot be guessed against.
        seeds: the keys of token seeds, by version; none: no token can be kept.

    """

    def __init__(self, pepper: bytes, seeds: Mapping[int, bytes] | None = None) -> None:
        self._pepper = pepper
        self._seeds = Seeds(seeds or {})
        self._no_token = Token()
        # Its salt is the same on every node and after every start: an entry of a stranger's is known again as anybody's.
        self._dummy = Secret(kind="password", salt=hmac.digest(pepper, b"nobody's password", "sha256")[:16], digest=chance.token_bytes(32))
        self._nothing = Secret(kind="knowledge", salt=chance.token_bytes(16), digest=chance.token_bytes(32))

    def make(self, kind: str, secret: str) -> Secret:
        """Record a new secret. Of a token it is the seed in base 32 (RFC 4648 section 6); of transaction signatures the key, in base64url."""
        salt = chance.token_bytes(16)
        if kind == "totp":
            seed, (least, most) = otp.seed_of(secret), otp.SEED_BYTES
            if not least <= len(seed) <= most:
                raise CallerError(f"a token's seed has {least} to {most} bytes")
            return self.keep_token(seed, Token())
        if kind == "ocra":
            key = base64url.read(secret)
            if len(key) != SHARED_BYTES:
                raise CallerError(f"the key of transaction signatures is {SHARED_BYTES} bytes, in base64url")
            return self._seeds.seal(key, Token(), 0, kind)
        return Secret(kind=kind, salt=salt, digest=self._digest(kind, salt, secret))

    def adopt(self, kind: str, encoded: str) -> Secret:
        """Record a hash that another system made. The pepper is put around it, so that it is kept nowhere as it came."""
        cost, salt, digest = decoded(encoded)
        return Secret(kind=kind, salt=salt, digest=hmac.digest(self._pepper, salt + digest, "sha256"), cost=cost)

    def is_adopted(self, record: Secret | None) -> bool:
        """Whether another system made it."""
        return record is not None and record.cost is not None

    def matches(self, record: Secret | None, kind: str, proof: str) -> bool:
        """Whether the proof is the one on record. Where nothing is on record it takes as long, and says no."""
        return self._compare(record, kind, proof)[0]

    def compared(self, record: Secret | None, kind: str, proof: str, whose: str) -> tuple[bool, bytes]:
        """The same, and a tag of the entry. It is made of the slow digest, so it is as dear to guess as the secret itself."""
        same, digest = self._compare(record, kind, proof)
        return same, hmac.digest(self._pepper, b"entered\0" + whose.encode() + b"\0" + digest, "sha256")[:TAG]

    def _compare(self, record: Secret | None, kind: str, proof: str) -> tuple[bool, bytes]:
        known = record if record is not None else (self._dummy if kind in SLOW else self._nothing)
        digest = self._digest(known.kind, known.salt, proof, known.cost)
        return hmac.compare_digest(digest, known.digest) and record is not None, digest

    def keep_token(self, seed: bytes, token: Token, last: int | None = None) -> Secret:
        """Record a token by its seed."""
        if last is None:
            last = 0 if token.step_s else -1
        return self._seeds.seal(seed, token, last)

    def same_seed(self, one: Secret, other: Secret) -> bool:
        """Whether two records are of the same token."""
        seeds = self._seed(one), self._seed(other)
        return None not in seeds and seeds[0] == seeds[1]

    def used(self, record: Secret | None, code: str, now_s: int, *, resync: bool = False) -> Secret | None:
        """The record as it is once this code of the token was accepted; None: the code is not accepted."""
        seed = None if record is None else self._seed(record)
        token = (record.token if record is not None else None) or self._no_token
        last = 0 if record is None else record.last_step
        match = otp.resynced if resync else otp.accepted
        factor = match(seed or self._nothing.digest, token, last, code, now_s)
        if record is None or seed is None or factor is None:
            return None
        token = otp.learnt(token, factor, now_s, sure=resync)
        if self._seeds.is_old(record):
            return self._seeds.seal(seed, token, factor)
        return msgspec.structs.replace(record, last_step=factor, token=token)

    def signs(self, record: Secret | None, question: str, typed: str) -> bool:
        """Whether that is the transaction signature over a question. Where there is no key it takes as long, and says no."""
        key = None if record is None else self._seed(record)
        made = ocra.response(_SUITE, key or self._nothing.digest, question)
        return hmac.compare_digest(made.encode(), typed.encode("utf-8", "replace")) and key is not None

    def resealed(self, record: Secret) -> Secret | None:
        """The record under the newest key; None: it is, or it cannot be opened."""
        seed = self._seed(record) if self._seeds.is_old(record) else None
        return None if seed is None else self._seeds.seal(seed, record.token or self._no_token, record.last_step, record.kind)

    def _seed(self, record: Secret) -> bytes | None:
        return self._mask(record.digest, record.salt) if record.token is None else self._seeds.open(record)

    def _digest(self, kind: str, salt: bytes, proof: str, cost: Cost | None = None) -> bytes:
        entered = proof.encode()
        if kind in SLOW:
            paid = cost or Cost(MEMORY_KIB, PASSES, LANES, 32)
            entered = hash_secret_raw(entered, salt, paid.passes, paid.memory_kib, paid.lanes, paid.length, Type.ID)
        return hmac.digest(self._pepper, salt + entered, "sha256")

    def _mask(self, seed: bytes, salt: bytes) -> bytes:
        """A seed under a pad made from the pepper and its salt, as a release before kept it."""
        pad = hashlib.shake_256(self._pepper + b"token-seed" + salt).digest(len(seed))
        return bytes(a ^ b for a, b in zip(seed, pad, strict=True))


def comparison_ms() -> float:
    """What one slow comparison takes of a processor on this machine, whatever else keeps it busy; of several the least. Milliseconds."""
    secrets, took = KeyedSecrets(bytes(32)), []
    for _ in range(TRIES):
        began = time.thread_time()
        secrets.matches(None, "password", "not this one")
        took.append(time.thread_time() - began)
    return min(took) * 1000
