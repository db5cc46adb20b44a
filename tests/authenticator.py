"""An authenticator in software, with a CBOR writer of its own: what a browser and a telephone would answer, and what a forger would."""

import base64
import hashlib
import json
import secrets as chance

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

ORIGIN, PARTY = "https://bank.example", "bank.example"
PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, HAS_KEY, EXTENDED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def head(major, number):
    """The first bytes of a CBOR value, as short as they can be."""
    for size, code in ((0, 24), (1, 0x100), (2, 0x10000), (4, 1 << 32)):
        if number < code:
            return bytes([major << 5 | number]) if not size else bytes([major << 5 | 23 + size.bit_length()]) + number.to_bytes(size, "big")
    return bytes([major << 5 | 27]) + number.to_bytes(8, "big")


def cbor(value):
    match value:
        case bool() | None:
            return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
        case int():
            return head(0, value) if value >= 0 else head(1, -1 - value)
        case bytes():
            return head(2, len(value)) + value
        case str():
            return head(3, len(value.encode())) + value.encode()
        case list():
            return head(4, len(value)) + b"".join(map(cbor, value))
        case dict():
            return head(5, len(value)) + b"".join(cbor(one) for pair in value.items() for one in pair)
    raise TypeError(value)


def _point(number, algorithm, curve, digest):
    key = ec.generate_private_key(curve)
    at, size = key.public_key().public_numbers(), (curve.key_size + 7) // 8
    told = {1: 2, 3: algorithm, -1: number, -2: at.x.to_bytes(size, "big"), -3: at.y.to_bytes(size, "big")}
    return told, lambda message: key.sign(message, ec.ECDSA(digest))


def _edwards(number, algorithm, kind):
    key = kind.generate()
    return {1: 1, 3: algorithm, -1: number, -2: key.public_key().public_bytes_raw()}, key.sign


def _rsa(bits=2048):
    key = rsa.generate_private_key(65537, bits)
    told = key.public_key().public_numbers()
    return ({1: 3, 3: -257, -1: told.n.to_bytes(bits // 8, "big"), -2: b"\x01\x00\x01"},
            lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA256()))


KEYS = {
    "ES256": lambda: _point(1, -7, ec.SECP256R1(), hashes.SHA256()), "ES384": lambda: _point(2, -35, ec.SECP384R1(), hashes.SHA384()),
    "ES512": lambda: _point(3, -36, ec.SECP521R1(), hashes.SHA512()), "RS256": _rsa,
    "EdDSA": lambda: _edwards(6, -8, ed25519.Ed25519PrivateKey), "Ed448": lambda: _edwards(7, -53, ed448.Ed448PrivateKey),
}


class Passkey:
    """One passkey on one device. Every argument of `make` and `sign` is something that a forger would change."""

    def __init__(self, algorithm="ES256", counter=1, flags=PRESENT | VERIFIED | ELIGIBLE | BACKED_UP):
        self.id = chance.token_bytes(32)
        self.key, self._sign = KEYS[algorithm]()
        self.counter = counter
        self.flags = flags
        self.user = ""

    def _client(self, kind, options, origin, **more):
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": origin, "crossOrigin": False, **more}).encode()

    def _data(self, flags, party, counter, attested=b"", extensions=b""):
        return hashlib.sha256(party.encode()).digest() + bytes([flags]) + counter.to_bytes(4, "big") + attested + extensions

    def make(self, options, *, origin=ORIGIN, party=PARTY, flags=None, kind="webauthn.create", form="none", data=None, **more):
        """The answer to `navigator.credentials.create`."""
        flags = (self.flags if flags is None else flags) | HAS_KEY
        self.user = options["user"]["id"]
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor(self.key)
        data = self._data(flags, party, self.counter, attested) if data is None else data
        statement = cbor({"fmt": form, "attStmt": {}, "authData": data})
        return {"clientDataJSON": b64(self._client(kind, options, origin, **more)), "attestationObject": b64(statement)}

    def sign(self, options, *, origin=ORIGIN, party=PARTY, flags=None, kind="webauthn.get", counter=None, user=None, identity=None, **more):
        """The answer to `navigator.credentials.get`."""
        if counter is None and self.counter:
            self.counter += 1
        client = self._client(kind, options, origin, **more)
        data = self._data(self.flags if flags is None else flags, party, self.counter if counter is None else counter)
        signature = self._sign(data + hashlib.sha256(client).digest())
        return {
            "id": b64(identity or self.id), "clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature),
            "userHandle": self.user if user is None else user,
        }
