"""Codes that are sent: made from a key and a challenge whenever they are needed, and kept nowhere.

A challenge belongs to one run and one item, to one address and to the data entered in the run. Its code lives from the
challenge's start for as long as the policy says: sending it again repeats the code and does not extend it. What is
counted belongs to the run and not to the challenge, so that a new code brings no new guesses (A7, A8).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

import msgspec

from sekisho.core.state import SECOND, Challenge, Procedure

LABEL = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Signs of a label: letters, since figures beside a code would be taken for one, and none that looks like a figure."""


class Limits(msgspec.Struct, frozen=True):
    """How often and how long, by policy."""

    addresses: int
    """Addresses that may hold a live code at once."""
    sends: int
    """How often the code of one challenge may be sent."""
    wait_s: int
    """The least time between two sends of it."""
    valid_s: int


class Later(msgspec.Struct, frozen=True):
    """Nothing is sent now."""

    until: int
    """From when it may be asked for again."""
    spent: bool
    """As many codes are out as may be; else only the wait between two sends is not over. What was sent stays valid."""


def bound_to(key: str, run: Procedure) -> bytes:
    """What a code is for: this run, whom it concerns, and the data entered in it (payee, amount)."""
    parts = [key, run.operation, *(text for pair in sorted(run.subjects.items()) for text in pair)]
    data = [part for item, digest in sorted(run.entered.items()) for part in (item.encode(), digest)]
    return hashlib.sha256(_joined([*(part.encode() for part in parts), *data])).digest()


def code_of(key: bytes, challenge: Challenge) -> str:
    """The code of a challenge: a truncated HMAC (in the manner of RFC 4226 section 5.3, of more bits for more digits)."""
    told = [challenge.id, challenge.item, challenge.address, str(challenge.version), str(challenge.digits)]
    mac = hmac.digest(key, _joined([*(part.encode() for part in told), challenge.bound]), "sha256")
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset:offset + 8], "big") & 0x7FFF_FFFF_FFFF_FFFF
    return f"{number % 10**challenge.digits:0{challenge.digits}d}"


def _joined(parts: Iterable[bytes]) -> bytes:
    """Parts as one text that no other parts make."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def label_of(challenge: Challenge) -> str:
    """Two signs that stand on the screen and in the message, so that the customer sees which message is the one. No secret."""
    first, second = hashlib.sha256(challenge.id.encode()).digest()[:2]
    return LABEL[first % len(LABEL)] + LABEL[second % len(LABEL)]


def live(run: Procedure, item: str, bound: bytes, now: int) -> list[Challenge]:
    """The challenges that an entry may answer now. Data that was changed since leaves none of them."""
    return [
        one for one in run.challenges
        if one.item == item and one.consumed is None and now < one.until and hmac.compare_digest(one.bound, bound)
    ]


def send(run: Procedure, fresh: Challenge, limits: Limits, now: int) -> Challenge | Later:
    """Send a code: that of the live challenge for this address once more, or a fresh one.

    Args:
        run: what the challenge belongs to.
        fresh: the challenge that begins where none is live; its id was drawn for it.
        limits: by policy.
        now: microseconds.

    """
    standing = live(run, fresh.item, fresh.bound, now)
    same = next((one for one in standing if one.address == fresh.address), None)
    if same is None:
        if len(standing) >= limits.addresses:
            return Later(min(one.until for one in standing), spent=True)
        same = msgspec.structs.replace(fresh, started=now, until=now + limits.valid_s * SECOND, deliveries=[])
        run.challenges = [*run.challenges, same]
    elif same.sends >= limits.sends:
        return Later(same.until, spent=True)
    elif now < same.last_sent + limits.wait_s * SECOND:
        return Later(same.last_sent + limits.wait_s * SECOND, spent=False)
    same.sends += 1
    same.last_sent = now
    return same


def ask(run: Procedure, fresh: Challenge, valid_s: int, now: int) -> Challenge:
    """Ask for a signature. What was asked for this item before is asked no more: of several one would be as good as another."""
    asked = msgspec.structs.replace(fresh, started=now, until=now + valid_s * SECOND, deliveries=[])
    run.challenges = [*(one for one in run.challenges if one.item != fresh.item), asked]
    return asked


def to_sign(challenge: Challenge) -> bytes:
    """What is signed: 32 bytes that nobody can know before, for this run and the data entered in it, and for nothing else."""
    return hashlib.sha256(_joined([b"to be signed", challenge.id.encode(), challenge.item.encode(), challenge.bound])).digest()


def consume(run: Procedure, item: str, now: int, *, only: str | None = None) -> None:
    """One of them was answered: no code that was sent for this item is good for anything any more, or not to this address."""
    for one in run.challenges:
        if one.item == item and one.consumed is None and only in {None, one.address}:
            one.consumed = now
