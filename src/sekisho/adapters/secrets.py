"""How proofs are kept and compared: slow and salted where a thief could guess them, keyed everywhere.

Passwords and PINs: Argon2id (RFC 9106; m = 19 MiB, t = 2, p = 1), then an HMAC under the pepper, which stands outside the
database. Other knowledge: HMAC-SHA-256 under a key of its own. Token seeds: sealed by the key file's own key.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets as chance
import time

from argon2.low_level import Type, hash_secret_raw

from sekisho.adapters.encoded import decoded
from sekisho.core import otp
from sekisho.core.state import Cost, Secret

MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
"""Argon2id's cost (OWASP Password Storage: at least 19 MiB, two passes)."""

SLOW = frozenset({"password", "pin", "passcode"})
"""Kinds short enough to be guessed from a stolen record: they are compared on a worker."""

TRIES = 3
"""Comparisons of which the quickest says how long one takes."""

FAST = frozenset({"knowledge", "totp"})
"""Kinds compared inside the batch."""


class KeyedSecrets:
    """Makes and compares records.

    Args:
        pepper: wraps every digest; without it a stolen database cannot be guessed against.

    """

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper
        self._dummy = self.make("password", chance.token_urlsafe(24))
        self._nothing = Secret(kind="knowledge", salt=chance.token_bytes(16), digest=chance.token_bytes(32))

    def make(self, kind: str, secret: str) -> Secret:
        """Record a new secret. For a token: `secret` is its seed in base 32 (RFC 4648 section 6)."""
        salt = chance.token_bytes(16)
        if kind == "totp":
            seed = otp.seed_of(secret)
            return Secret(kind=kind, salt=salt, digest=self._mask(seed, salt))
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
        known = record if record is not None else (self._dummy if kind in SLOW else self._nothing)
        same = hmac.compare_digest(self._digest(known.kind, known.salt, proof, known.cost), known.digest)
        return same and record is not None

    def step_of(self, record: Secret | None, code: str, now_s: int) -> int | None:
        """The time step whose code this is, if it is newer than the last accepted; None otherwise."""
        known = record or self._nothing
        step = otp.matching_step(self._mask(known.digest, known.salt), code, now_s)
        return step if record is not None and step is not None and step > known.last_step else None

    def _digest(self, kind: str, salt: bytes, proof: str, cost: Cost | None = None) -> bytes:
        entered = proof.encode()
        if kind in SLOW:
            paid = cost or Cost(MEMORY_KIB, PASSES, LANES, 32)
            entered = hash_secret_raw(entered, salt, paid.passes, paid.memory_kib, paid.lanes, paid.length, Type.ID)
        return hmac.digest(self._pepper, salt + entered, "sha256")

    def _mask(self, seed: bytes, salt: bytes) -> bytes:
        """A seed under a one-time pad made from the pepper and its salt; the same call opens it."""
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
