"""Hashes as other systems write them: the encoded form of Argon2id, and only costs that can be paid here at any time."""

from __future__ import annotations

import base64
import binascii
import re

from sekisho.core.state import Cost
from sekisho.errors import CallerError

MEMORY_KIB = (1024, 64 * 1024)
"""From what nobody should use any more to what every worker can have at once. KiB."""
PASSES = (1, 16)
LANES = (1, 8)
SALT = (8, 64)
"""Bytes; RFC 9106 section 3.1 takes no shorter one."""
LENGTH = (16, 64)
"""Bytes of the hash."""

_ENCODED = re.compile(r"\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,4})\$([A-Za-z0-9+/]{1,100})\$([A-Za-z0-9+/]{1,100})")


def decoded(encoded: str) -> tuple[Cost, bytes, bytes]:
    """Cost, salt and hash of an encoded form (as the reference implementation of RFC 9106 writes it).

    Raises:
        CallerError: another kind, or a cost that is not paid here. The text holds nothing of it.

    """
    found = _ENCODED.fullmatch(encoded)
    if found is None:
        raise CallerError("only Argon2id of version 19 can be taken over: $argon2id$v=19$m=…,t=…,p=…$SALT$HASH, base 64 without padding")
    memory, passes, lanes = (int(figure) for figure in found.groups()[:3])
    salt, digest = (_bytes(text) for text in found.groups()[3:])
    for figure, (least, most), what in (
        (memory, MEMORY_KIB, "KiB of memory"), (passes, PASSES, "passes"), (lanes, LANES, "lanes"),
        (len(salt), SALT, "bytes of salt"), (len(digest), LENGTH, "bytes of hash"),
    ):
        if not least <= figure <= most:
            raise CallerError(f"only {least} to {most} {what} can be taken over")
    if memory < 8 * lanes:
        raise CallerError("Argon2id needs at least 8 KiB of memory for each lane")
    return Cost(memory, passes, lanes, len(digest)), salt, digest


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise CallerError("salt and hash are written in base 64 without padding") from None
