"""The bank's app on one device, as a reference for whoever writes one: the protocol of docs/how/app.md, and nothing of sekisho's own code.

What it keeps is what a real device keeps in its key store: a key of the device, a key behind each sensor, and a salt. The passcode is
kept nowhere, and neither is anything that a passcode could be tried against.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets as chance
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ROUNDS = 100_000
"""Of PBKDF2 (RFC 8018) over the passcode: what it costs a thief who has the device and the bank's database with its keys."""

SUITE = b"OCRA-1:HOTP-SHA256-8:QH64"
"""Of transaction signatures (RFC 6287 section 6)."""


def spelt(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def message(purpose: str, asked: bytes, parts: Mapping[str, str]) -> bytes:
    """What is signed: each piece after its length, four bytes."""
    told = [b"sekisho app 1", purpose.encode(), asked, *(text.encode() for pair in sorted(parts.items()) for text in pair)]
    return b"".join(len(one).to_bytes(4, "big") + one for one in told)


class Phone:
    """One device in one customer's hand, with the sensors that it has."""

    def __init__(self, sensors: tuple[str, ...] = ("app-fingerprint",), signs: tuple[str, ...] = ()) -> None:
        self._device = ec.generate_private_key(ec.SECP256R1())
        self._sensors = {item: ec.generate_private_key(ec.SECP256R1()) for item in sensors}
        self._shared = {item: chance.token_bytes(32) for item in signs}
        self._salt = chance.token_bytes(32)
        self.app = ""
        """The enrolment, as the bank has named it."""

    def verifier(self, passcode: str) -> str:
        """What the bank is told of a passcode: worth nothing without this device's salt."""
        return spelt(hashlib.pbkdf2_hmac("sha256", passcode.encode(), self._salt, ROUNDS))

    def enrolment(self, code: str, passcode: str, **set_codes: str) -> dict[str, str]:
        """The parts for `POST /v1/apps`. `set_codes`: further codes that the customer sets, by item, `_` for `-`."""
        chosen = {name.replace("_", "-"): value for name, value in set_codes.items()}
        parts = {"device": _public(self._device), **self._registered(passcode), **chosen}
        heard = "".join(sign for sign in code.upper() if sign.isalnum())
        return {**parts, "signature": _sign(self._device, message("enrol", heard.encode(), parts))}

    def register_again(self, item: str, asked: str, passcode: str) -> dict[str, str]:
        """A new passcode, and the sensors anew, after they were erased."""
        self._sensors = {name: ec.generate_private_key(ec.SECP256R1()) for name in self._sensors}
        self._shared = {name: chance.token_bytes(32) for name in self._shared}
        return self._answer(item, asked, self._registered(passcode), {})

    def register_key(self, item: str, asked: str, which: str) -> dict[str, str]:
        """One key anew: behind a sensor, or of transaction signatures."""
        if which in self._shared:
            self._shared = {**self._shared, which: chance.token_bytes(32)}
            return self._answer(item, asked, {f"key.{which}": spelt(self._shared[which])}, {})
        self._sensors = {**self._sensors, which: ec.generate_private_key(ec.SECP256R1())}
        return self._answer(item, asked, {f"key.{which}": _public(self._sensors[which])}, {})

    def set_code(self, item: str, asked: str, which: str, code: str) -> dict[str, str]:
        """A code that the customer sets, or changes."""
        return self._answer(item, asked, {which: code}, {})

    def with_passcode(self, item: str, asked: str, passcode: str, shown: Mapping[str, str] | None = None) -> dict[str, str]:
        """The proof of an entry by passcode. `shown`: by item, what the customer was shown, word for word as it was entered."""
        return self._answer(item, asked, {"passcode": self.verifier(passcode)}, shown or {})

    def with_sensor(self, item: str, asked: str, shown: Mapping[str, str] | None = None) -> dict[str, str]:
        """The proof of an entry by a sensor that said yes."""
        return self._answer(item, asked, {}, shown or {}, self._sensors[item])

    def sensor_says(self, item: str, asked: str, report: str, shown: Mapping[str, str] | None = None) -> dict[str, str]:
        """What the app tells where a sensor said `no-match`, or has locked itself: `locked`."""
        return self._answer(item, asked, {"report": report}, shown or {})

    def transaction_signature(self, item: str, asked: str, shown: Mapping[str, str]) -> str:
        """Eight digits over what was shown, for the customer to type (RFC 6287, suite OCRA-1:HOTP-SHA256-8:QH64)."""
        told = {f"shown.{name}": text for name, text in shown.items()}
        question = hashlib.sha256(message(f"{self.app} {item}", _read(asked), told)).digest()
        mac = hmac.digest(self._shared[item], SUITE + b"\0" + question.ljust(128, b"\0"), "sha256")
        at = mac[-1] & 0x0F
        return f"{(int.from_bytes(mac[at:at + 4], 'big') & 0x7FFF_FFFF) % 10**8:08d}"

    def _registered(self, passcode: str) -> dict[str, str]:
        keys = {item: _public(key) for item, key in self._sensors.items()} | {item: spelt(key) for item, key in self._shared.items()}
        return {"passcode": self.verifier(passcode), **{f"key.{item}": key for item, key in keys.items()}}

    def _answer(
        self, item: str, asked: str, parts: Mapping[str, str], shown: Mapping[str, str], key: ec.EllipticCurvePrivateKey | None = None,
    ) -> dict[str, str]:
        told = {**parts, **{f"shown.{name}": text for name, text in shown.items()}}
        return {**told, "signature": _sign(key or self._device, message(f"{self.app} {item}", _read(asked), told))}


def _read(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _public(key: ec.EllipticCurvePrivateKey) -> str:
    return spelt(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _sign(key: ec.EllipticCurvePrivateKey, told: bytes) -> str:
    r, s = decode_dss_signature(key.sign(told, ec.ECDSA(hashes.SHA256())))
    return spelt(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
