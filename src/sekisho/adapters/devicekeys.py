"""Keys that a customer's own device keeps for the bank's app: on P-256, and signatures as the web's cryptography writes them."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

KEY_BYTES = 91
"""A point on P-256 as a SubjectPublicKeyInfo (RFC 5480), uncompressed: always as long."""

HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
"""What stands before the point: always the same. So no key has a second spelling, and nothing of another kind is parsed."""


class DeviceKeys:
    """Reads such keys, and tells what they have signed."""

    def is_key(self, key: bytes) -> bool:
        """Whether this is a public key that a device may have."""
        return _read(key) is not None

    def is_signed_by(self, key: bytes, signature: bytes, message: bytes) -> bool:
        """Whether the signature (r and s, 32 bytes each) is by the key."""
        found = _read(key)
        if found is None or len(signature) != 64:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            found.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


def _read(key: bytes) -> ec.EllipticCurvePublicKey | None:
    if len(key) != KEY_BYTES or not key.startswith(HEAD):
        return None
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key[len(HEAD):])
    except ValueError:
        return None
