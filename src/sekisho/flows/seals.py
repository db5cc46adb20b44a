"""Sealing and verifying: every minute the heads of all chains are bound together, and the seal goes outside the database.

Whoever can write the database cannot make a link that holds, since the key is not in it. Whoever cuts off the newest
links, or puts an older copy in place, leaves a seal outside that names them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import msgspec

from sekisho.core import chain
from sekisho.core.chain import GENESIS, Head, Seal
from sekisho.core.state import IN_FORCE, SECOND
from sekisho.errors import StoreIsOlder
from sekisho.ports import Link, Store

PAGE = 500


def seal_name(number: int) -> str:
    """The name of a seal among the store's documents: names are in the order of the numbers."""
    return f"{number:012d}"


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
        self.aged: dict[int, Head] = {}
        """By writer: up to and with which link its chain is kept no more."""
        self.aged_seal = 0
        """The newest seal from before that: its copy in the store is kept no more either."""
        self.outside_file = outside
        self._store = store
        self._keys = keys
        self._read_to = 0
        self._aged_to = 0
        self.last: Seal | None = None
        """The newest seal outside the store that was looked at."""
        self._heads: dict[int, Head] = {}
        self._newest: tuple[Head, ...] = ()
        """What the last seal that names any head says must be there."""

    async def seal(self, keep_since: int = 0) -> Seal | None:
        """Seal the heads as they are; None when nothing has happened since the last seal, or another node is sealing.

        Args:
            keep_since: links that were sealed before this time need be kept no more; the seal says so.

        Raises:
            StoreIsOlder: the store lacks what was sealed before. Nothing is sealed then.

        """
        with self._alone() as out:
            if out is None:
                return None
            complaint = await self.complaint()
            if complaint is not None:
                raise StoreIsOlder(complaint)
            aged, aged_seal, read_to = self._sealed_before(keep_since)
            made = await self._put(out, tuple([head async for head in self._moved()]), aged, ())
            self.aged_seal, self._aged_to = aged_seal, read_to
            return made

    async def accept(self) -> Seal | None:
        """Seal the heads of a restored copy: whatever earlier seals name and the copy lacks is lost, and known to be."""
        with self._alone() as out:
            if out is None:
                return None
            if not self.outside():
                await self._write_again(out)
            self._catch_up()
            ends = await self._ends()
            self._heads.update((head.writer, head) for head in ends)
            return await self._put(out, tuple([head async for head in self._moved()]), (), ends)

    async def complaint(self) -> str | None:
        """What the store lacks of what was sealed outside it, as a sentence; None: nothing."""
        self._catch_up()
        if self.last is None:
            if self._store.clock_is_ours and await self._store.documents("seal"):
                return f"the store was sealed before, and {self.outside_file} is not there: put it back, beside the key file"
            return None
        lacking = [head for head in self._newest if not await self.stands(head)]
        if not lacking:
            return None
        when = datetime.fromtimestamp(self.last.at / SECOND, UTC).isoformat(timespec="seconds")
        return f"the store is older than its last seal (number {self.last.number}, of {when}): it lacks events of {len(lacking)} writer(s)"

    async def stands(self, head: Head) -> bool:
        """Whether the store has this link, or has let it age out."""
        if self._is_aged(head):
            return True
        link = await self._store.link(head.writer, head.sequence)
        return link is not None and link.mac == head.mac

    def _is_aged(self, head: Head) -> bool:
        aged = self.aged.get(head.writer)
        return aged is not None and head.sequence <= aged.sequence

    @contextlib.contextmanager
    def _alone(self) -> Iterator[BinaryIO | None]:
        """The file of seals, to write at its end; None while another node holds it."""
        opened = os.open(self.outside_file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(opened, "ab") as out:
            try:
                fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
            else:
                yield out

    async def _put(self, out: BinaryIO, heads: tuple[Head, ...], aged: tuple[Head, ...], ends: tuple[Head, ...]) -> Seal | None:
        if not heads and not aged and not ends:
            return None
        last = self.last
        in_force = (await self._store.peek([IN_FORCE])).get(IN_FORCE, b"")
        made = chain.seal(
            self._keys.secret("audit"), 1 if last is None else last.number + 1, await self._store.clock(), heads, in_force.hex(),
            GENESIS if last is None else last.mac, aged=aged, ends=ends,
        )
        await self._store.keep_document("seal", seal_name(made.number), msgspec.msgpack.encode(made))
        _write(out, made)
        self._take(made)
        self._read_to = self.outside_file.stat().st_size
        return made

    async def _moved(self) -> AsyncIterator[Head]:
        for writer in await self._store.writers():
            known = self._heads.get(writer)
            head = known
            async for link in links_of(self._store, writer, known.sequence if known else 0):
                head = Head(writer, link.first, link.mac)
            if head is not None and head is not known:
                yield head

    async def _ends(self) -> tuple[Head, ...]:
        """Where the chains end of which the store lacks anything that was ever sealed."""
        named: dict[int, Head] = {}
        for seal in self.outside():
            named.update((head.writer, head) for head in seal.heads if head.sequence >= named.get(head.writer, head).sequence)
        ends = []
        for writer, head in sorted(named.items()):
            if not await self.stands(head):
                ends.append(await self._end_of(writer))
        return tuple(ends)

    async def _end_of(self, writer: int) -> Head:
        end = self.aged.get(writer, Head(writer, 0, GENESIS))
        async for link in links_of(self._store, writer, end.sequence):
            end = Head(writer, link.first, link.mac)
        return end

    async def _write_again(self, out: BinaryIO) -> None:
        """The file outside is gone: begin it with the copies that the store keeps."""
        for name in await self._store.documents("seal"):
            body = await self._store.document("seal", name)
            if body is not None:
                _write(out, msgspec.msgpack.decode(body, type=Seal))

    def _sealed_before(self, time: int) -> tuple[tuple[Head, ...], int, int]:
        """Heads sealed before a time and not said to be aged yet; the last of those seals, and where it ends in the file."""
        found: dict[int, Head] = {}
        number, place = self.aged_seal, self._aged_to
        for seal, end in self._lines(place):
            if seal.at >= time:
                break
            number, place = seal.number, end
            found.update((head.writer, head) for head in seal.heads)
        return tuple(head for head in found.values() if not self._is_aged(head)), number, place

    def _catch_up(self) -> None:
        """Take in the seals that were added outside since this was last asked: every node seals into the same file."""
        for found, end in self._lines(self._read_to):
            self._take(found)
            self._read_to = end

    def _take(self, found: Seal) -> None:
        self.last = found
        for known, heads in ((self.aged, found.aged), (self._heads, found.ends), (self._heads, found.heads)):
            known.update((head.writer, head) for head in heads)
        self._newest = found.heads or self._newest

    def outside(self) -> list[Seal]:
        """The seals outside the database, oldest first."""
        return [seal for seal, _ in self._lines(0)]

    def _lines(self, start: int) -> Iterator[tuple[Seal, int]]:
        """Seals from a place in the file on, each with the place where its line ends. Half a line is left for later."""
        if not self.outside_file.exists():
            return
        with self.outside_file.open("rb") as lines:
            lines.seek(start)
            for line in lines:
                start += len(line)
                seal = _seal_of(line) if line.endswith(b"\n") else None
                if seal is not None:
                    yield seal, start

    async def verify(self, progress: Callable[[int], None] = lambda _links: None) -> Verified:
        """Follow every chain from its beginning, or from where it has aged out, and hold it against every seal."""
        # The seals first: one made while the chains are followed would name what was not there yet.
        seals = self.outside()
        self._catch_up()
        broken = await self._missing_seals(seals)
        macs: dict[tuple[int, int], bytes] = {}
        events = 0
        for writer in await self._store.writers():
            aged = self.aged.get(writer)
            more, fault = await self._follow(writer, aged, macs, progress)
            self._catch_up()
            if fault is not None and self.aged.get(writer) != aged:
                # It has aged meanwhile: what is missing may be what was deleted.
                more, fault = await self._follow(writer, self.aged[writer], macs, progress)
            events += more
            broken += [] if fault is None else [fault]
        broken += self._seal_faults(seals, macs)
        return Verified(len(macs), events, len(seals), tuple(broken))

    async def _follow(
        self, writer: int, aged: Head | None, macs: dict[tuple[int, int], bytes], progress: Callable[[int], None],
    ) -> tuple[int, Broken | None]:
        """Follow one chain from where it has aged out: how many events it has, and where it breaks."""
        previous, expected = (GENESIS, 1) if aged is None else (aged.mac, None)
        events = 0
        async for link in links_of(self._store, writer, 0 if aged is None else aged.sequence):
            events += link.number
            fault = self._fault(link, previous, expected)
            if fault is not None:
                return events, fault
            previous, expected = link.mac, link.first + link.number
            macs[writer, link.first] = link.mac
            progress(len(macs))
        return events, None

    async def _missing_seals(self, seals: list[Seal]) -> list[Broken]:
        """The store keeps a copy of every seal: what it has and the file outside has not was taken away there."""
        outside = {seal.number for seal in seals}
        kept = [int(name) for name in await self._store.documents("seal")]
        newest = max(outside, default=0)
        return [Broken(0, number, "this seal is missing outside the database") for number in kept if number not in outside and (
            number < newest or not outside
        )]

    def _fault(self, link: Link, previous: bytes, expected: int | None) -> Broken | None:
        """What is wrong with a link. `expected` is not known of the first after what has aged out: its digest alone binds it."""
        if expected is not None and link.first != expected:
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
        lost = _lost(seals)
        for found in seals:
            if not any(chain.holds(key, found, previous) for key in self._versions()):
                broken.append(Broken(0, found.number, "a seal outside the database was changed"))
            previous = found.mac
            broken.extend(
                Broken(head.writer, head.sequence, f"the tail was cut: seal {found.number} names events that are not there")
                for head in (*found.heads, *found.ends)
                if head.sequence and macs.get((head.writer, head.sequence)) != head.mac and not self._is_aged(head)
                and not _is_lost(found, head, lost)
            )
        return broken


def _lost(seals: Iterable[Seal]) -> dict[int, tuple[int, Head]]:
    """By writer: the last seal that says where its chain ends since a restored copy was accepted, and that end."""
    return {head.writer: (seal.number, head) for seal in seals for head in seal.ends}


def _is_lost(found: Seal, head: Head, lost: dict[int, tuple[int, Head]]) -> bool:
    number, end = lost.get(head.writer, (0, head))
    return found.number < number and head.sequence > end.sequence


def _write(out: BinaryIO, made: Seal) -> None:
    # A power cut may have left half a line: begin a new one, and leave that to be found.
    out.write(b"\n" + msgspec.msgpack.encode(made).hex().encode() + b"\n")
    out.flush()
    os.fsync(out.fileno())


def _seal_of(line: bytes) -> Seal | None:
    try:
        return msgspec.msgpack.decode(bytes.fromhex(line.decode()), type=Seal) if line.strip() else None
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
