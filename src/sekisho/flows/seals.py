"""Sealing and verifying: every minute the heads of all chains are bound together, and the seal goes outside the database.

Whoever can write the database cannot make a link that holds, since the key is not in it. Whoever cuts off the newest
links leaves a seal outside that names them.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from sekisho.core import chain
from sekisho.core.chain import GENESIS, Head, Seal
from sekisho.core.state import IN_FORCE
from sekisho.ports import Link, Store

PAGE = 500


class AuditKeys(Protocol):
    """Keys of the chains, by version."""

    def secret(self, purpose: Literal["audit"], version: int | None = None) -> bytes:
        """The key of that version, or the newest."""

    def newest(self, purpose: Literal["audit"]) -> int:
        """The version in use."""


class Broken(msgspec.Struct, frozen=True):
    """Where a chain no longer holds."""

    writer: int
    sequence: int
    text: str


class Verified(msgspec.Struct, frozen=True):
    """What was looked at, and what was found broken."""

    links: int
    events: int
    seals: int
    broken: tuple[Broken, ...]


class Sealer:
    """Seals, and keeps each seal in the store and in a file outside it. A seal names the heads that moved since the last."""

    def __init__(self, store: Store, keys: AuditKeys, outside: Path) -> None:
        self._store = store
        self._keys = keys
        self._outside = outside
        self._read_to = 0
        self._last: Seal | None = None
        self._heads: dict[int, Head] = {}

    async def seal(self) -> Seal | None:
        """Seal the heads as they are; None when nothing has happened since the last seal, or another node is sealing."""
        opened = os.open(self._outside, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(opened, "ab") as out:
            try:
                fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            self._catch_up()
            made = await self._made()
            if made is not None:
                await self._store.keep_document("seal", f"{made.number:012d}", msgspec.msgpack.encode(made))
                # A power cut may have left half a line: begin a new one, and leave that to be found.
                out.write(b"\n" + msgspec.msgpack.encode(made).hex().encode() + b"\n")
                out.flush()
                os.fsync(out.fileno())
            return made

    async def _made(self) -> Seal | None:
        moved = tuple([head async for head in self._moved()])
        if not moved:
            return None
        last = self._last
        in_force = (await self._store.peek([IN_FORCE])).get(IN_FORCE, b"")
        return chain.seal(
            self._keys.secret("audit"), 1 if last is None else last.number + 1, await self._store.clock(), moved, in_force.hex(),
            GENESIS if last is None else last.mac,
        )

    async def _moved(self) -> AsyncIterator[Head]:
        for writer in await self._store.writers():
            known = self._heads.get(writer)
            head = known
            async for link in links_of(self._store, writer, known.sequence if known else 0):
                head = Head(writer, link.first, link.mac)
            if head is not None and head is not known:
                yield head

    def _catch_up(self) -> None:
        """Take in the seals that were added outside since this was last asked: every node seals into the same file."""
        for found in self.outside(self._read_to):
            self._last = found
            self._heads.update((head.writer, head) for head in found.heads)
        self._read_to = self._outside.stat().st_size

    def outside(self, start: int = 0) -> list[Seal]:
        """The seals outside the database, oldest first, from a place in the file on."""
        if not self._outside.exists():
            return []
        with self._outside.open("rb") as seals:
            seals.seek(start)
            return [seal for seal in map(_seal_of, seals.read().split()) if seal is not None]

    async def verify(self, progress: Callable[[int], None] = lambda _links: None) -> Verified:
        """Follow every chain from its beginning and hold it against every seal."""
        # The seals first: one made while the chains are followed would name what was not there yet.
        seals = self.outside()
        broken = await self._missing_seals(seals)
        macs: dict[tuple[int, int], bytes] = {}
        links = events = 0
        for writer in await self._store.writers():
            previous, expected = GENESIS, 1
            async for link in links_of(self._store, writer, 0):
                links, events = links + 1, events + link.number
                fault = self._fault(link, previous, expected)
                if fault is not None:
                    broken.append(fault)
                    break
                previous, expected = link.mac, link.first + link.number
                macs[writer, link.first] = link.mac
                progress(links)
        broken += self._seal_faults(seals, macs)
        return Verified(links, events, len(seals), tuple(broken))

    async def _missing_seals(self, seals: list[Seal]) -> list[Broken]:
        """The store keeps a copy of every seal: what it has and the file outside has not was taken away there."""
        outside = {seal.number for seal in seals}
        kept = [int(name) for name in await self._store.documents("seal")]
        newest = max(outside, default=0)
        return [Broken(0, number, "this seal is missing outside the database") for number in kept if number not in outside and (
            number < newest or not outside
        )]

    def _fault(self, link: Link, previous: bytes, expected: int) -> Broken | None:
        if link.first != expected:
            return Broken(link.writer, expected, f"events {expected} to {link.first - 1} are missing")
        made = [chain.link(key, previous, chain.place(link.writer, link.first) + link.body) for key in self._versions()]
        if link.mac not in made:
            return Broken(link.writer, link.first, "the events were changed, or the chain was cut before them")
        return None

    def _versions(self) -> list[bytes]:
        return [self._keys.secret("audit", version) for version in range(self._keys.newest("audit"), 0, -1)]

    def _seal_faults(self, seals: list[Seal], macs: dict[tuple[int, int], bytes]) -> list[Broken]:
        broken: list[Broken] = []
        previous = GENESIS
        for found in seals:
            if not any(chain.holds(key, found, previous) for key in self._versions()):
                broken.append(Broken(0, found.number, "a seal outside the database was changed"))
            previous = found.mac
            broken.extend(
                Broken(head.writer, head.sequence, f"the tail was cut: seal {found.number} names events that are not there")
                for head in found.heads if macs.get((head.writer, head.sequence)) != head.mac
            )
        return broken


def _seal_of(line: bytes) -> Seal | None:
    try:
        return msgspec.msgpack.decode(bytes.fromhex(line.decode()), type=Seal)
    except (ValueError, msgspec.MsgspecError):
        return None


async def links_of(store: Store, writer: int, after: int) -> AsyncIterator[Link]:
    """All links of a writer that begin after a sequence, in order."""
    while True:
        page = await store.chain(writer, after, PAGE)
        if not page:
            return
        for link in page:
            yield link
        after = page[-1].first
