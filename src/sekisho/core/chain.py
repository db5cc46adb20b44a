"""The audit chain: each writer's events, a link for each batch, each bound to the one before it by a keyed digest.

The key stays outside the database, so whoever can write the database still cannot rewrite what happened. Sealing binds
the heads of all chains together at a moment; a seal kept outside the database shows a tail that was cut off.
"""

from __future__ import annotations

import hmac

import msgspec

GENESIS = b"\x00" * 32
"""What the first event of a writer is bound to."""


def link(key: bytes, previous: bytes, body: bytes) -> bytes:
    """The digest of one link: HMAC-SHA-256 (RFC 2104) over the digest before it, its place and its events."""
    return hmac.digest(key, previous + body, "sha256")


def place(writer: int, first: int) -> bytes:
    """Where a link stands, as bytes: a link moved to another place no longer holds."""
    return writer.to_bytes(8, "big") + first.to_bytes(8, "big")


class Head(msgspec.Struct, frozen=True, array_like=True):
    """The newest link of one writer."""

    writer: int
    sequence: int
    mac: bytes


class Seal(msgspec.Struct, frozen=True, omit_defaults=True):
    """All heads at one moment, under one digest."""

    number: int
    at: int
    heads: tuple[Head, ...]
    policy: str
    mac: bytes
    aged: tuple[Head, ...] = ()
    """Chains are kept no more up to and with these links; each was sealed while it stood."""
    ends: tuple[Head, ...] = ()
    """Chains that end here since a restored copy was accepted: what earlier seals name after these is lost."""


def seal(
    key: bytes, number: int, at: int, heads: tuple[Head, ...], policy: str, previous: bytes, *, aged: tuple[Head, ...] = (),
    ends: tuple[Head, ...] = (),
) -> Seal:
    """Seal the heads, bound to the seal before."""
    sealed = (number, at, heads, policy) if not aged and not ends else (number, at, heads, policy, aged, ends)
    return Seal(number, at, heads, policy, link(key, previous, msgspec.msgpack.encode(sealed)), aged, ends)


def holds(key: bytes, found: Seal, previous: bytes) -> bool:
    """Whether a seal is the one that was made."""
    made = seal(key, found.number, found.at, found.heads, found.policy, previous, aged=found.aged, ends=found.ends)
    return hmac.compare_digest(made.mac, found.mac)
