"""Addresses as a customer may see them: enough to know one's own, of one width, and little for anybody else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

from sekisho.core.state import SECOND, Address
from sekisho.terms import AddressState, Way

HIDDEN = "•••"

LENGTH_MAX = 254
"""Longest address (RFC 5321 section 4.5.3.1.3, without its brackets)."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ENDINGS = ("com", "jp", "net")


def masked(way: Way, to: str) -> str:
    """An address behind a mask: first letters and ending of a mail address, the last two digits of a telephone number."""
    if way is Way.TELEPHONE:
        return HIDDEN + to[-2:]
    local, _, domain = to.rpartition("@")
    return f"{local[:1]}{HIDDEN}@{domain[:1]}{HIDDEN}.{domain.rpartition('.')[2]}"


def usable(known: list[Address], way: Way, unchanged_s: int, now: int) -> list[Address]:
    """Those to which a code may be sent: confirmed, and the same for as long as the policy asks."""
    return [
        one for one in known
        if one.way is way and one.state is AddressState.CONFIRMED and one.since + unchanged_s * SECOND <= now
    ]


def made_up(way: Way, digest: bytes) -> list[tuple[str, str]]:
    """(id, masked address) of a stranger's addresses: always the same ones for the same name, and like anybody's."""
    return [(_id(digest, n), masked(way, _address(way, digest[8 * n:]))) for n in range(1 + digest[0] % 2)]


def _address(way: Way, chance: bytes) -> str:
    if way is Way.TELEPHONE:
        return f"{chance[1] % 100:02d}"
    local, domain = (_LETTERS[byte % len(_LETTERS)] for byte in chance[1:3])
    return f"{local}@{domain}.{_ENDINGS[chance[3] % len(_ENDINGS)]}"


def _id(digest: bytes, number: int) -> str:
    return digest[16 + 6 * number:][:ID_BYTES].hex()


ID_BYTES = 6
"""Length of an address's id: it is looked up among one subject's addresses only."""

Digest = Callable[..., bytes]
"""A keyed digest of some texts."""


def id_of(digest: Digest, subject: str, way: Way, to: str) -> str:
    """The id of one of a subject's addresses."""
    return digest("address", subject, way, to)[:ID_BYTES].hex()


def is_address(way: Way, to: str) -> bool:
    """Whether a text can be an address at all."""
    if way is Way.LETTER or not to.isprintable() or to.strip() != to or not 2 <= len(to) <= LENGTH_MAX:
        return False
    if way is Way.TELEPHONE:
        return all(sign in "+-() 0123456789" for sign in to) and sum(sign.isdigit() for sign in to) > 4
    # Nothing more is asked of it: addresses with two dots in a row are refused by many and used by some.
    local, at, domain = to.rpartition("@")
    return bool(local and at and domain) and not any(sign in to for sign in '<>, ;"')


def entered(way: Way, texts: Iterable[str], number_max: int) -> list[str] | None:
    """The addresses that somebody has typed, one after the other or each by itself; None: they cannot be his addresses."""
    found = [to for text in texts for to in _BETWEEN.split(unicodedata.normalize("NFKC", text).strip()) if to]
    are = 0 < len(found) <= number_max and len({to.casefold() for to in found}) == len(found)
    return found if are and all(is_address(way, to) for to in found) else None


_BETWEEN = re.compile(r"[\s,;、。]+")
