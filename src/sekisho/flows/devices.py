"""What channels call a device, and what it is called here: a keyed digest, so that the store tells nobody how to pass for one."""

from __future__ import annotations

import base64
import hmac
import ipaddress
from typing import NamedTuple

SIGNED = "sekisho-device."
"""What the names begin with that are made here."""

_NONCE_LENGTH = 24
_MAC_LENGTH = 32


NETWORKS = {4: 24, 6: 48}
"""By version of the protocol: how many bits of an address name the network that somebody sits in."""


class Place(NamedTuple):
    """From where somebody types."""

    network: str
    """A keyed digest; empty where nothing was told."""
    country: str
    """ISO 3166-1 alpha-2; empty where nothing was told."""


NOWHERE = Place("", "")


class Devices:
    """Names of devices to digests, and new names for devices that have none.

    Args:
        key: secret, kept outside the database.

    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def named(self, seed: str) -> str:
        """A name for a device that has none, to be kept by it, as in a cookie. It follows from the seed, which nobody can guess."""
        nonce = _text(self._digest("new", seed), _NONCE_LENGTH)
        return f"{SIGNED}{nonce}.{self._mac(nonce)}"

    def read(self, sent: str | None) -> str:
        """What a device is called here; empty where nothing was sent, or a name that was not made here though it says so."""
        if not sent or not self.genuine(sent):
            return ""
        return self._digest("device", sent)[:16].hex()

    def place(self, ip: str | None, country: str | None) -> Place:
        """From where somebody types, as the channel tells it: an address that is none names no network."""
        try:
            address = ipaddress.ip_address(ip or "")
        except ValueError:
            return Place("", country or "")
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        network = ipaddress.ip_network((int(address), NETWORKS[address.version]), strict=False)
        return Place(self._digest("network", str(network))[:16].hex(), country or "")

    def genuine(self, sent: str) -> bool:
        """Whether a name is the channel's own, or one that was made here."""
        if not sent.startswith(SIGNED):
            return True
        nonce, _, mac = sent.removeprefix(SIGNED).partition(".")
        return hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(nonce).encode())

    def _mac(self, nonce: str) -> str:
        return _text(self._digest("name", nonce), _MAC_LENGTH)

    def _digest(self, what: str, of: str) -> bytes:
        return hmac.digest(self._key, f"{what}\0{of}".encode("utf-8", "replace"), "sha256")


def _text(digest: bytes, length: int) -> str:
    return base64.urlsafe_b64encode(digest).decode()[:length]
