"""Passwords that are known from breaches: a file of sorted beginnings of their hashes, looked into where it lies.

SHA-1, since the public lists come in it; nothing rests on its strength here, for what is in the file is public. Eight bytes of each hash are
kept: among a thousand million of them a password that is in no list is taken for one once in some ten thousand million times.
"""

from __future__ import annotations

import hashlib
import heapq
import mmap
import re
import tempfile
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import BinaryIO, overload

from sekisho.errors import CallerError

MAGIC = b"sekisho breach 1\n"
WIDTH = 8
"""Bytes kept of each hash."""
AT_ONCE = 1_000_000
"""Passwords sorted in memory at once; runs of so many are merged."""

_HASH = re.compile(rb"([0-9A-Fa-f]{40})(?::([0-9]{1,12}))?")


def beginning(password: str) -> bytes:
    """What is kept of a password: folded as it is when it is compared."""
    return hashlib.sha1(unicodedata.normalize("NFC", password).encode("utf-8", "replace"), usedforsecurity=False).digest()[:WIDTH]


class Breached(Sequence[bytes]):
    """A file that `build` has made; it is mapped, not read.

    Raises:
        CallerError: it is not such a file, or it was cut.

    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as opened:
                self._map = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            raise CallerError(f"{path} cannot be read; make it with: sekisho breach build") from None
        if self._map[:len(MAGIC)] != MAGIC or (len(self._map) - len(MAGIC)) % WIDTH:
            raise CallerError(f"{path} is no file of breached passwords, or it was cut; make it with: sekisho breach build")

    def __len__(self) -> int:
        """How many passwords it holds."""
        return (len(self._map) - len(MAGIC)) // WIDTH

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> list[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | list[bytes]:
        """The beginning of a hash by its place."""
        if isinstance(at, slice):
            return [self[n] for n in range(*at.indices(len(self)))]
        if not 0 <= at < len(self):
            raise IndexError(at)
        begins = len(MAGIC) + at * WIDTH
        return self._map[begins:begins + WIDTH]

    def knows(self, password: str) -> bool:
        """Whether a password is in it."""
        wanted = beginning(password)
        at = bisect_left(self, wanted)
        return at < len(self) and self[at] == wanted


def build(sources: Iterable[Path], out: Path, *, at_least: int = 1, progress: Callable[[int], None] = lambda _lines: None) -> int:
    """Make a file from lists; how many passwords it holds. It is there whole or not at all.

    Args:
        sources: lists, each line a password, or its SHA-1 in hexadecimal with or without `:` and how often it was seen.
        out: the file to make.
        at_least: hashes that were seen less often are left out.
        progress: told the number of lines that were read.

    """
    beside, number = out.with_suffix(".new"), 0
    with ExitStack() as open_ones, beside.open("wb") as made:
        runs = [_reread(run) for run in _runs(sources, at_least, open_ones, progress)]
        made.write(MAGIC)
        last = b""
        for one in heapq.merge(*runs):
            if one != last:
                made.write(one)
                number, last = number + 1, one
    if not number:
        beside.unlink()
        raise CallerError("there is no password in these lists")
    beside.replace(out)
    return number


def _runs(sources: Iterable[Path], at_least: int, open_ones: ExitStack, progress: Callable[[int], None]) -> Iterator[BinaryIO]:
    lines = _lines(sources, at_least)
    read = 0
    while some := sorted(islice(lines, AT_ONCE)):
        run = open_ones.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  the stack closes it
        run.write(b"".join(some))
        run.seek(0)
        read += len(some)
        progress(read)
        yield run


def _lines(sources: Iterable[Path], at_least: int) -> Iterator[bytes]:
    for source in sources:
        with source.open("rb") as opened:
            for line in opened:
                bare = line.rstrip(b"\r\n")
                hashed = _HASH.fullmatch(bare)
                if hashed is None and bare:
                    yield beginning(bare.decode("utf-8", "replace"))
                elif hashed is not None and int(hashed[2] or at_least) >= at_least:
                    yield bytes.fromhex(hashed[1].decode())[:WIDTH]


def _reread(run: BinaryIO) -> Iterator[bytes]:
    while one := run.read(WIDTH):
        yield one


__all__ = ["Breached", "build"]
