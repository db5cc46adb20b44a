"""The customer's token: codes that change with time (RFC 6238)."""

from __future__ import annotations

import base64
import hmac

STEP_S = 30
"""Length of a time step (RFC 6238 section 5.2)."""


def code_of(seed: str, step: int, digits: int = 6) -> str:
    """What the token shows in that time step (RFC 4226 section 5.3)."""
    mac = hmac.digest(base64.b32decode(seed), step.to_bytes(8, "big"), "sha1")
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset:offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"


def step_at(now_s: float) -> int:
    """The time step of a moment, in seconds since the epoch."""
    return int(now_s) // STEP_S
