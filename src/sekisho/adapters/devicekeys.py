"""Keys that a customer's own device keeps for the bank's app: on P-256, and signatures as the web's cryptography writes them."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

KEY_BYTES = 91
"""A point on P-256 as a SubjectPublicKeyInfo (RFC 5480), uncompressed: always as long."""


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
    if len(key) != KEY_BYTES:
        return None
    try:
        found = load_der_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        # No point of its curve; a curve or a kind of key that nobody knows.
        return None
    return found if isinstance(found, ec.EllipticCurvePublicKey) and isinstance(found.curve, ec.SECP256R1) else None
