"""Reads the part of CBOR (RFC 8949) that authenticators write: the canonical form of CTAP2, section 8.

Whoever sends it may be hostile: nothing is set aside for a length that is only claimed, nesting has a bottom, and what the form does
not allow (endless strings, tags, floats, a key twice, lengths written longer than they need be) is no CBOR here.
"""

from __future__ import annotations

from sekisho.errors import CallerError

DEPTH_MAX = 8
"""CTAP2 nests four deep; a statement with certificates a little more."""

Value = int | bytes | str | bool | None | list["Value"] | dict["Value", "Value"]
Key = int | str | bytes


class NotCbor(CallerError):
    """Not CBOR as an authenticator writes it."""


def read(raw: bytes) -> Value:
    """The one value that these bytes are, and nothing after it.

    Raises:
        NotCbor: they are not.

    """
    value, end = read_first(raw)
    if end != len(raw):
        raise NotCbor("something follows the value")
    return value


def read_first(raw: bytes, start: int = 0) -> tuple[Value, int]:
    """The value that begins here, and where it ends.

    Raises:
        NotCbor: none begins here.

    """
    return _Reader(raw).value(start, 0)


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def value(self, at: int, depth: int) -> tuple[Value, int]:
        if depth > DEPTH_MAX:
            raise NotCbor("it nests too deep")
        major, number, at = self._head(at)
        if major == 0:
            return number, at
        if major == 1:
            return -1 - number, at
        if major in {2, 3}:
            return self._text(number, at, is_text=major == 3)
        if major == 4:
            return self._list(number, at, depth)
        if major == 5:
            return self._map(number, at, depth)
        return self._simple(major, number), at

    def _head(self, at: int) -> tuple[int, int, int]:
        """Major type, argument, and where the rest begins."""
        first = self._take(at, 1)[0]
        major, short = first >> 5, first & 0x1F
        at += 1
        if short < 24 or major == 7:
            return major, short, at
        if short > 27:
            raise NotCbor("a length is open or reserved")
        size = 1 << (short - 24)
        number = int.from_bytes(self._take(at, size), "big")
        if number < (24 if size == 1 else 1 << (size * 4)):
            raise NotCbor("a number is written longer than it need be")
        return major, number, at + size

    def _take(self, at: int, size: int) -> bytes:
        if size > len(self._raw) - at:
            raise NotCbor("it ends too soon")
        return self._raw[at:at + size]

    def _text(self, size: int, at: int, *, is_text: bool) -> tuple[Value, int]:
        taken = self._take(at, size)
        try:
            return (taken.decode() if is_text else taken), at + size
        except UnicodeDecodeError as no:
            raise NotCbor("a text is not UTF-8") from no

    def _list(self, size: int, at: int, depth: int) -> tuple[Value, int]:
        self._take(at, size)  # each entry has a byte at the least
        found: list[Value] = []
        for _ in range(size):
            one, at = self.value(at, depth + 1)
            found.append(one)
        return found, at

    def _map(self, size: int, at: int, depth: int) -> tuple[Value, int]:
        self._take(at, size * 2)
        found: dict[Value, Value] = {}
        for _ in range(size):
            key, at = self.value(at, depth + 1)
            if not isinstance(key, int | str | bytes) or isinstance(key, bool) or key in found:
                raise NotCbor("a key is none, or stands twice")
            found[key], at = self.value(at, depth + 1)
        return found, at

    @staticmethod
    def _simple(major: int, number: int) -> Value:
        if major != 7 or number not in {20, 21, 22}:
            raise NotCbor("a tag, a float or a sign that authenticators do not write")
        return {20: False, 21: True, 22: None}[number]
