"""The return address of one message (VERP): it names the message, and a MAC keeps anybody from making one up.

Some servers fold an address to lower case, so the token is base 32 (RFC 4648 section 6), which forgives that.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re

from sekisho.ports import Codes

NAME_BYTES = 18
"""Bytes behind a message's name: 24 signs of base 64."""

MAC_BYTES = 10
"""With 80 bits nobody guesses one: every guess is an RCPT that is answered 550."""

TOKEN = re.compile(r"[a-z2-7]{45}")


class Envelopes:
    """Makes and reads return addresses.

    Args:
        codes: makes the MACs, with a key outside the database.
        base: where bounces go, as `codes@bounce.bank.example`.

    """

    def __init__(self, codes: Codes, base: str) -> None:
        self._codes = codes
        self.local, _, self.domain = base.rpartition("@")

    def token(self, delivery: str) -> str:
        """The token of a message.

        Raises:
            ValueError: no message is named so.

        """
        name = base64.urlsafe_b64decode(delivery.encode("ascii"))
        if len(name) != NAME_BYTES or _name(name) != delivery:
            raise ValueError("not the name of a message")
        return _spelt(name + self._mac(name))

    def address(self, delivery: str) -> str:
        """The return address of a message."""
        return f"{self.local}+{self.token(delivery)}@{self.domain}"

    def delivery_at(self, address: str) -> str | None:
        """Which message a return address is of; None: of none, or it was made up."""
        local, _, domain = address.strip("<> ").lower().rpartition("@")
        prefix, plus, token = local.rpartition("+")
        return self.delivery_of(token) if plus and prefix == self.local.lower() and domain == self.domain.lower() else None

    def delivery_of(self, token: str) -> str | None:
        """Which message a token is of; None: of none, or it was made up."""
        if TOKEN.fullmatch(token) is None:
            return None
        try:
            raw = base64.b32decode(token.upper() + "===")
        except binascii.Error:
            return None
        name, mac = raw[:NAME_BYTES], raw[NAME_BYTES:]
        # The last sign has a bit to spare: only the spelling that we write is an address of ours (RFC 4648 section 3.5).
        return _name(name) if hmac.compare_digest(mac, self._mac(name)) and _spelt(raw) == token else None

    def found_in(self, text: str) -> str | None:
        """The first message whose return address stands in a text."""
        found = (self.delivery_of(token) for token in TOKEN.findall(text.lower()))
        return next((name for name in found if name is not None), None)

    def _mac(self, name: bytes) -> bytes:
        return self._codes.digest("return address", _name(name))[:MAC_BYTES]


def _spelt(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _name(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
