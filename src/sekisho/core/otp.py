"""One-time codes of a token: by its uses (HOTP, RFC 4226) or by the time (TOTP, RFC 6238).

A code belongs to one moving factor: how often the token was used, or the number of a time step. One that was accepted, and
every one before it, is never accepted again (RFC 4226 section 7.2, RFC 6238 section 5.2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable

import msgspec

from sekisho.core.state import Token
from sekisho.errors import CallerError

STEP_S = 30
"""Length of a time step where nothing else is said (RFC 6238 section 5.2)."""

DRIFT = 1
"""Steps before and after the expected one that are accepted: at most one for delay (RFC 6238 section 5.2)."""

AHEAD = 3
"""Uses from the next one on that are accepted: as many codes are right at once as of a token that goes by the time, so that one guess is
worth the same at every token (RFC 4226 section 7.4 asks for few). docs/why/tokens.md"""

RESYNC_STEPS = 40
"""How far a token's clock may be off that two codes in a row set right: twenty minutes of steps of thirty seconds."""

RESYNC_USES = 100
"""How many uses a token may be ahead that two codes in a row set right (RFC 4226 section 7.4)."""

BEHIND = 3
"""Codes in a row one step late before the token's clock is taken to be slow: one late code is a slow customer."""

ALGORITHMS = ("sha1", "sha256", "sha512")
DIGITS = (6, 8)
"""Fewest and most digits of a code (RFC 4226 section 5.3)."""
SEED_BYTES = (10, 128)
"""Shortest and longest seed. RFC 4226 section 4 asks for 16 bytes; tokens with 10 are in use."""
STEPS_S = (10, 300)
"""Shortest and longest time step, seconds."""


def truncated(key: bytes, message: bytes, algorithm: str, digits: int) -> str:
    """The code of a message (RFC 4226 section 5.3); with 0 digits the whole MAC in hexadecimal (RFC 6287 section 5.2)."""
    return _shortened(hmac.digest(key, message, algorithm), digits)


def _shortened(mac: bytes, digits: int) -> str:
    return f"{_number(mac, 10**digits):0{digits}d}" if digits else mac.hex()


def _number(mac: bytes, below: int) -> int:
    """What a MAC is shortened to: a number below a power of ten."""
    offset = mac[-1] & 0x0F
    return (int.from_bytes(mac[offset:offset + 4], "big") & 0x7FFF_FFFF) % below


def hotp(seed: bytes, factor: int, digits: int = 6, algorithm: str = "sha1") -> str:
    """The code of one moving factor (RFC 4226 section 5.3; RFC 6238 section 1.2 for other hashes)."""
    return truncated(seed, factor.to_bytes(8, "big"), algorithm, digits)


def accepted(seed: bytes, token: Token, last: int, code: str, now_s: int) -> int | None:
    """The newest moving factor around the expected one whose code this is; None: it is none of them, or was used. Every one is compared."""
    return _newest(seed, token, (code,), _near(token, last, now_s), last)


def resynced(seed: bytes, token: Token, last: int, codes: str, now_s: int) -> int | None:
    """The moving factor of the second of two codes that follow one another, looked for further away; None: there are none.

    Args:
        seed: the token's.
        token: what is known of it.
        last: the newest moving factor that was accepted.
        codes: both, one written after the other.
        now_s: seconds since the epoch.

    """
    if len(codes) != 2 * token.digits:
        return None
    pair = codes[:token.digits], codes[token.digits:]
    return _newest(seed, token, pair, _far(token, last, now_s), last)


def _near(token: Token, last: int, now_s: int) -> Iterable[int]:
    if not token.step_s:
        return range(last + 1, last + 1 + AHEAD)
    expected = now_s // token.step_s + token.drift
    return range(max(expected - DRIFT, 0), expected + DRIFT + 1)


def _far(token: Token, last: int, now_s: int) -> Iterable[int]:
    if not token.step_s:
        return range(last + 1, last + 1 + RESYNC_USES)
    now = now_s // token.step_s
    return range(max(now - RESYNC_STEPS, 0), now + RESYNC_STEPS)


def _newest(seed: bytes, token: Token, codes: tuple[str, ...], factors: Iterable[int], last: int) -> int | None:
    """The last of the newest factors in a row whose codes these are."""
    typed, mac, below, found = [_typed(code, token.digits) for code in codes], _keyed(seed, token.algorithm), 10**token.digits, None
    for factor in factors:
        apart = 0
        for number, code in enumerate(typed, factor):
            # Numbers of one machine word: neither operation takes longer for some of them than for others.
            apart |= _number(mac(number.to_bytes(8, "big")), below) ^ code
        if not apart and factor > last:
            found = factor + len(codes) - 1
    return found


def _typed(code: str, digits: int) -> int:
    """A code as a number; what is no code is a number that no code has."""
    return int(code) if len(code) == digits and code.isascii() and code.isdecimal() else -1


def _keyed(key: bytes, algorithm: str) -> Callable[[bytes], bytes]:
    """HMAC under one key, which is taken in once (RFC 2104 section 4): of several codes of one seed each costs half as much."""
    new, block = _HASHES[algorithm]
    key = (key if len(key) <= block else new(key).digest()).ljust(block, b"\0")
    inner, outer = new(key.translate(_INNER)), new(key.translate(_OUTER))

    def mac(message: bytes) -> bytes:
        one, two = inner.copy(), outer.copy()
        one.update(message)
        two.update(one.digest())
        return two.digest()

    return mac


_HASHES = {"sha1": (hashlib.sha1, 64), "sha256": (hashlib.sha256, 64), "sha512": (hashlib.sha512, 128)}
"""By name, with the bytes of a block (FIPS 180-4 section 1)."""
_INNER, _OUTER = (bytes(one ^ pad for one in range(256)) for pad in (0x36, 0x5C))


def learnt(token: Token, factor: int, now_s: int, *, sure: bool) -> Token:
    """What is known of a token's clock after a code of it was accepted (RFC 6238 section 6).

    A code from ahead shows that the clock is at least that fast. One from behind may have been typed slowly: only several of them in a row
    show that it is slow. No more than one step is learnt from one code, so that whoever is right once moves it little.

    Args:
        token: what was known.
        factor: the time step whose code it was.
        now_s: seconds since the epoch.
        sure: two codes in a row have shown it.

    """
    if not token.step_s:
        return token
    off = factor - now_s // token.step_s
    if sure or off > token.drift:
        return msgspec.structs.replace(token, drift=_bounded(off), behind=0)
    if off == token.drift:
        return token if not token.behind else msgspec.structs.replace(token, behind=0)
    if token.behind + 1 < BEHIND:
        return msgspec.structs.replace(token, behind=token.behind + 1)
    return msgspec.structs.replace(token, drift=_bounded(off), behind=0)


def spent(token: Token, now_s: int) -> int:
    """The newest moving factor that may have been accepted by now. Nobody knows how often a token was used: its next code settles that."""
    return now_s // token.step_s + token.drift + DRIFT if token.step_s else -1


def _bounded(drift: int) -> int:
    return max(-RESYNC_STEPS, min(RESYNC_STEPS, drift))


def seed_of(text: str) -> bytes:
    """A seed from its base-32 text (RFC 4648 section 6), padding and case forgiven."""
    bare = text.replace(" ", "").upper().rstrip("=")
    try:
        return base64.b32decode(bare + "=" * (-len(bare) % 8))
    except (binascii.Error, ValueError) as no:
        detail = "a token's seed is base 32: the letters A to Z and the digits 2 to 7"
        raise CallerError(detail) from no


def uri(seed: bytes, token: Token, issuer: str, account: str) -> str:
    """A token as authenticator applications read it from a picture: the key URI format, with which all of them begin."""
    moves = f"period={token.step_s}" if token.step_s else "counter=0"
    secret = base64.b32encode(seed).decode().rstrip("=")
    return (
        f"otpauth://{'totp' if token.step_s else 'hotp'}/{quoted(issuer)}:{quoted(account)}?secret={secret}&issuer={quoted(issuer)}"
        f"&algorithm={token.algorithm.upper()}&digits={token.digits}&{moves}"
    )


def quoted(text: str) -> str:
    """A text within a URI (RFC 3986 section 2.1)."""
    return "".join(chr(one) if chr(one) in _UNRESERVED else f"%{one:02X}" for one in text.encode())


_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
