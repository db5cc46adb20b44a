"""One-time codes from a shared seed: HOTP (RFC 4226) and TOTP (RFC 6238)."""

from __future__ import annotations

import base64
import binascii
import hmac

from sekisho.errors import CallerError

STEP_S = 30
"""Length of a time step (RFC 6238 section 5.2)."""

DRIFT = 1
"""Steps before and after the present one that are accepted: at most one for delay (RFC 6238 section 5.2)."""


def hotp(seed: bytes, counter: int, digits: int = 6) -> str:
    """The code of one counter value (RFC 4226 section 5.3)."""
    mac = hmac.digest(seed, counter.to_bytes(8, "big"), "sha1")
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset:offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def matching_step(seed: bytes, code: str, now_s: int, digits: int = 6) -> int | None:
    """The newest step around now whose code this is; None if it is none of them. Every step is compared."""
    found = None
    for step in range(now_s // STEP_S - DRIFT, now_s // STEP_S + DRIFT + 1):
        if hmac.compare_digest(hotp(seed, step, digits).encode(), code.encode()):
            found = step
    return found


def seed_of(text: str) -> bytes:
    """A seed from its base-32 text (RFC 4648 section 6), padding and case forgiven."""
    bare = text.replace(" ", "").upper().rstrip("=")
    try:
        return base64.b32decode(bare + "=" * (-len(bare) % 8))
    except (binascii.Error, ValueError) as no:
        detail = "a token's seed is base 32: the letters A to Z and the digits 2 to 7"
        raise CallerError(detail) from no
