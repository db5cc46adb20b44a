"""A request sent twice is one request: its answer is kept in the commit of the attempt itself.

The key a client sends is scoped to its API key and the path, and both it and the body are kept only as keyed digests.
Refusals are not kept. A repeat of a request whose guess is reserved and not yet settled goes on with that reservation.
"""

from __future__ import annotations

import hmac

import msgspec

from sekisho.core.state import SECOND
from sekisho.ports import Tx

KEPT_S = 24 * 3600
"""How long an answer can be asked for again. Seconds."""


class Stored(msgspec.Struct, omit_defaults=True):
    """What is on record under one idempotency key."""

    v: int = 1
    body: bytes = b""
    answer: bytes | None = None
    reservation: str | None = None


class Repeated(msgspec.Struct):
    """This very request was decided before; this is what was answered."""

    answer: bytes


class OtherBody(msgspec.Struct):
    """The key was used for another request."""


class InFlight(msgspec.Struct):
    """The first request under this key holds a reservation that waits for its verdict."""

    reservation: str


class Replay:
    """One request's claim to be the same as an earlier one.

    Args:
        secret: the key of the digests, kept outside the database.
        scope: API key and path.
        sent: the client's `Idempotency-Key`.
        body: the request's bytes.

    """

    __slots__ = ("body", "key")

    def __init__(self, secret: bytes, scope: str, sent: str, body: bytes) -> None:
        self.key = "replay:" + hmac.digest(secret, f"{scope}\x00{sent}".encode(), "sha256").hex()[:40]
        self.body = hmac.digest(secret, body, "sha256")[:16]

    def pending(self, tx: Tx, reservation: str) -> None:
        """The guess is taken; a repeat goes on with it."""
        tx.put(self.key, Stored(body=self.body, reservation=reservation), due=tx.now + KEPT_S * SECOND)


def remembered(tx: Tx, replay: Replay | None) -> Repeated | OtherBody | InFlight | None:
    """What is on record for this request, if anything."""
    if replay is None:
        return None
    stored = tx.get(replay.key, Stored)
    if stored is None:
        return None
    if not hmac.compare_digest(stored.body, replay.body):
        return OtherBody()
    if stored.answer is not None:
        return Repeated(stored.answer)
    return InFlight(stored.reservation or "")


def remember(tx: Tx, replay: Replay | None, answer: msgspec.Struct) -> None:
    """Keep an answer with the commit that made it true. Only what was counted or changed is handed to this."""
    if replay is not None:
        stored = Stored(body=replay.body, answer=msgspec.msgpack.encode(answer))
        tx.put(replay.key, stored, due=tx.now + KEPT_S * SECOND)
