"""Public keys as authenticators write them (COSE, RFC 9052 section 7 and RFC 9053), and whether a signature is by one of them."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

from sekisho.adapters import cbor
from sekisho.errors import CallerError

ES256, EDDSA, RS256, ES384, ES512, ED448 = -7, -8, -257, -35, -36, -53

ALGORITHMS = (EDDSA, ES256, RS256, ES384, ES512, ED448)
"""What new passkeys may sign with (IANA COSE Algorithms), the one liked best first."""

RSA_BITS_MIN, RSA_BITS_MAX = 2048, 8192
"""Shorter is weak; longer only keeps the processor busy."""

_CURVES: dict[int, tuple[int, ec.EllipticCurve, hashes.HashAlgorithm]] = {
    ES256: (1, ec.SECP256R1(), hashes.SHA256()), ES384: (2, ec.SECP384R1(), hashes.SHA384()), ES512: (3, ec.SECP521R1(), hashes.SHA512()),
}

Verify = Callable[[bytes, bytes], None]
"""Takes signature and message; raises `InvalidSignature`."""


class NoKey(CallerError):
    """Not a public key that a passkey may have."""


def verifier(key: bytes) -> Verify:
    """What tells whether a signature is by this key.

    Raises:
        CallerError: it is not a key that a passkey may have.

    """
    told = cbor.read(key)
    if not isinstance(told, dict):
        raise NoKey
    try:
        return _verifier(told)
    except (ValueError, TypeError) as no:
        # A point that is not on its curve, an exponent that is even.
        raise NoKey from no


def is_signed_by(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is by the key. False for what is no key."""
    try:
        verifier(key)(signature, message)
    except (InvalidSignature, CallerError):
        return False
    return True


def _verifier(told: dict[cbor.Value, cbor.Value]) -> Verify:
    kind, algorithm = told.get(1), told.get(3)
    if kind == 2 and isinstance(algorithm, int) and algorithm in _CURVES:
        return _on_curve(algorithm, told)
    if kind == 1 and algorithm == EDDSA and told.get(-1) == 6:
        return ed25519.Ed25519PublicKey.from_public_bytes(_bytes(told, -2)).verify
    if kind == 1 and algorithm == ED448 and told.get(-1) == 7:
        return ed448.Ed448PublicKey.from_public_bytes(_bytes(told, -2)).verify
    if kind == 3 and algorithm == RS256:
        return _rsa(told)
    raise NoKey


def _on_curve(algorithm: int, told: dict[cbor.Value, cbor.Value]) -> Verify:
    number, curve, digest = _CURVES[algorithm]
    x, y = _bytes(told, -2), _bytes(told, -3)
    size = (curve.key_size + 7) // 8
    if told.get(-1) != number or len(x) != size or len(y) != size:
        raise NoKey
    key = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve).public_key()
    return lambda signature, message: key.verify(signature, message, ec.ECDSA(digest))


def _rsa(told: dict[cbor.Value, cbor.Value]) -> Verify:
    modulus, exponent = int.from_bytes(_bytes(told, -1), "big"), int.from_bytes(_bytes(told, -2), "big")
    if not RSA_BITS_MIN <= modulus.bit_length() <= RSA_BITS_MAX or not modulus % 2 or exponent.bit_length() > 32:
        raise NoKey
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    return lambda signature, message: key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())


def _bytes(told: dict[cbor.Value, cbor.Value], name: int) -> bytes:
    value = told.get(name)
    if not isinstance(value, bytes):
        raise NoKey
    return value
