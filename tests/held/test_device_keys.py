"""Keys that devices say are theirs: a point on P-256, spelt in one way, and nothing that only looks like one."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from scale import times

from sekisho.adapters.devicekeys import KEY_BYTES, DeviceKeys

OURS = DeviceKeys()
HELD = ec.derive_private_key(8_008, ec.SECP256R1())


def spelt(key, form=PublicFormat.SubjectPublicKeyInfo):
    return key.public_key().public_bytes(Encoding.DER if form is PublicFormat.SubjectPublicKeyInfo else Encoding.X962, form)


def signed(message, key=HELD):
    return b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256()))))


def test_a_key_is_one_and_its_signature_is_its_own():
    assert OURS.is_key(spelt(HELD)) and OURS.is_signed_by(spelt(HELD), signed(b"this"), b"this")
    assert not OURS.is_signed_by(spelt(HELD), signed(b"that"), b"this")


OTHERS = {
    "nothing": b"", "noughts": bytes(KEY_BYTES), "another curve": spelt(ec.derive_private_key(8, ec.SECP384R1())),
    "another curve of that size": spelt(ec.derive_private_key(8, ec.SECP256K1())), "Ed25519": spelt(ed25519.Ed25519PrivateKey.generate()),
    "RSA": spelt(rsa.generate_private_key(65537, 2048)), "a bare point": spelt(HELD, PublicFormat.UncompressedPoint),
    "a short point": spelt(HELD, PublicFormat.CompressedPoint), "more than a key": spelt(HELD) + b"\x00", "less": spelt(HELD)[:-1],
    "both forms of a point": spelt(HELD)[:26] + bytes([6 | spelt(HELD)[-1] & 1]) + spelt(HELD)[27:], "no point": spelt(HELD)[:-64] + bytes(64), "off the curve": spelt(HELD)[:-1] + bytes([spelt(HELD)[-1] ^ 1]),
}


@pytest.mark.parametrize("key", OTHERS.values(), ids=OTHERS)
def test_no_other_key_is_taken(key):
    assert not OURS.is_key(key) and not OURS.is_signed_by(key, signed(b"this"), b"this")


def test_a_key_with_any_bit_changed_signs_nothing_of_what_was_signed():
    """Most are no keys: curves that nobody knows, points that are nowhere."""
    right, signature = spelt(HELD), signed(b"this")
    for bit in range(0, 8 * len(right), times(3, 1)):
        changed = bytearray(right)
        changed[bit // 8] ^= 1 << bit % 8
        assert not OURS.is_signed_by(bytes(changed), signature, b"this"), bit


NO_SIGNATURE = {
    "nothing": b"", "noughts": bytes(64), "too large": b"\xff" * 64, "short": bytes(63), "long": bytes(65),
    "one byte more": signed(b"this") + b"\x00", "half of one": bytes(32) + signed(b"this")[32:],
}


@pytest.mark.parametrize("signature", NO_SIGNATURE.values(), ids=NO_SIGNATURE)
def test_no_signature_is_none(signature):
    assert not OURS.is_signed_by(spelt(HELD), signature, b"this")
