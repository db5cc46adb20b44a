"""What an authenticator answers: examples of the W3C's text, each of them changed, and CBOR as nobody honest would write it."""

import contextlib
import hashlib
import json
import random
import time
from pathlib import Path

import pytest
from authenticator import EXTENDED, KEYS, ORIGIN, PARTY, PRESENT, VERIFIED, Passkey, b64, cbor, unb64
from scale import times

from sekisho.adapters import cbor as reader
from sekisho.adapters import webauthn
from sekisho.adapters.secrets import KeyedSecrets
from sekisho.adapters.webauthn import Passkeys, RelyingParty, authenticator_data
from sekisho.core.base64url import read, spell
from sekisho.errors import CallerError

EXAMPLES = {name: one for name, one in json.loads((Path(__file__).parent / "webauthn-examples.json").read_text()).items() if name != "from"}
BANK = Passkeys(RelyingParty(PARTY, "The bank", (ORIGIN,)))
W3C = Passkeys(RelyingParty("example.org", "The examples", ("https://example.org",)))
FRAMED = ("none.ES256.crossOrigin", "none.ES256.topOrigin")
"""Made and used within another page's frame."""
ASKED, USER = bytes(range(32)), bytes(32)


def browser(example):
    """Challenge and answer, as a browser sends them."""
    told = {name: bytes.fromhex(value) for name, value in example.items()}
    return told.pop("challenge"), {name: b64(value) for name, value in told.items()}


def answered(example):
    """What is made of an example: the new passkey, or None; and what it has signed, or None."""
    asked, answer = browser(example["made"])
    made = W3C.made(answer, asked, 1)
    asked, answer = browser(example["signed"])
    return made, made and W3C.asserted([made], {**answer, "id": b64(made.id)}, asked, USER)


def is_verified(raw):
    """Whether authenticator data say that somebody entered a PIN or showed a finger: a flag right behind the party's digest."""
    return raw[raw.index(hashlib.sha256(b"example.org").digest()) + 32] & VERIFIED != 0


@pytest.fixture
def unverified(monkeypatch):
    """In most of the text's examples nobody entered a PIN or showed a finger: that alone they lack."""
    monkeypatch.setattr(webauthn, "USER_VERIFIED", 0)


@pytest.fixture
def in_frames(monkeypatch):
    """Two of them come out of a frame."""
    monkeypatch.setattr(webauthn, "is_framed", lambda _client: False)


@pytest.fixture
def anyhow(unverified, in_frames):
    """Then the product would take all of them."""


def enrolled(passkey):
    options = BANK.to_make(ASKED, USER, "somebody", [])
    return options, BANK.made(passkey.make(options), ASKED, 1)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_text_are_taken(anyhow, name):
    made, signed = answered(EXAMPLES[name])
    assert signed.id == made.id and len(made.id) == (1023 if name.endswith("long-credential-id") else 32)


@pytest.mark.parametrize("name", EXAMPLES)
def test_out_of_a_frame_they_are_not(unverified, name):
    """Neither the new passkey nor what it has signed."""
    made, signed = answered(EXAMPLES[name])
    assert (made is None, signed is None) == (name in FRAMED, name in FRAMED)


@pytest.mark.parametrize("name", FRAMED)
def test_what_was_made_elsewhere_signs_nothing_in_a_frame(unverified, name, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(webauthn, "is_framed", lambda _client: False)
        made, signed = answered(EXAMPLES[name])
        assert signed is not None
    asked, answer = browser(EXAMPLES[name]["signed"])
    assert W3C.asserted([made], {**answer, "id": b64(made.id)}, asked, USER) is None


@pytest.mark.parametrize("name", EXAMPLES)
def test_where_nobody_was_verified_they_are_not(in_frames, name):
    """Those whose user was verified both times are taken as they stand."""
    when_made = is_verified(bytes.fromhex(EXAMPLES[name]["made"]["attestationObject"]))
    when_signed = is_verified(bytes.fromhex(EXAMPLES[name]["signed"]["authenticatorData"]))
    made, signed = answered(EXAMPLES[name])
    assert (made is not None, signed is not None) == (when_made, when_made and when_signed)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_for_another_challenge_is_not(anyhow, name):
    asked, answer = browser(EXAMPLES[name]["made"])
    assert W3C.made(answer, asked[:-1], 1) is W3C.made(answer, bytes(len(asked)), 1) is None


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_that_is_cut_off_or_goes_on_is_not(anyhow, name):
    """Wherever it ends: within a length, a key, a certificate."""
    asked, right = browser(EXAMPLES[name]["made"])
    whole = unb64(right["attestationObject"])
    for end in {*range(0, len(whole), times(17, 1)), len(whole) - 1}:
        assert W3C.made({**right, "attestationObject": b64(whole[:end])}, asked, 1) is None, end
    assert W3C.made({**right, "attestationObject": b64(whole + bytes(1))}, asked, 1) is None


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_with_any_byte_changed_is_not(anyhow, name):
    """Of an assertion every byte counts. What it does not reach is refused by the next: the key that was changed signs nothing."""
    asked, right = browser(EXAMPLES[name]["made"])
    made = W3C.made(right, asked, 1)
    asked, right = browser(EXAMPLES[name]["signed"])
    chance = random.Random(3)
    for part, text in right.items():
        raw = unb64(text)
        for place in chance.sample(range(len(raw)), min(len(raw), times(12, 4096))):
            changed = raw[:place] + bytes([raw[place] ^ 1 << chance.randrange(8)]) + raw[place + 1:]
            assert W3C.asserted([made], {**right, part: b64(changed), "id": b64(made.id)}, asked, USER) is None, (part, place)


@pytest.mark.parametrize("algorithm", KEYS)
def test_every_kind_of_key_that_is_asked_for_signs(algorithm):
    held = Passkey(algorithm)
    _, known = enrolled(held)
    assert BANK.asserted([known], held.sign(BANK.to_sign(ASKED, [known])), ASKED, USER).counter == 2


MADE_WRONG = {
    "another page": {"origin": "https://bank.example.evil.example"}, "no TLS": {"origin": "http://bank.example"},
    "another party": {"party": "evil.example"}, "nobody there": {"flags": VERIFIED}, "nobody verified": {"flags": PRESENT},
    "backed up though it cannot be": {"flags": PRESENT | VERIFIED | 0x10}, "a signature for a new one": {"kind": "webauthn.get"},
    "almost the page": {"origin": "https://bank.example/"}, "another port": {"origin": "https://bank.example:443"},
    "another spelling": {"origin": "https://BANK.example"}, "no page": {"origin": "null"}, "somebody at it": {"origin": "https://bank.example@evil.example"},
    "extensions that are not there": {"flags": PRESENT | VERIFIED | EXTENDED},
    "in a frame": {"crossOrigin": True}, "in another's frame": {"topOrigin": "https://evil.example"}, "no credential": {"data": bytes(37)},
}


@pytest.mark.parametrize("change", MADE_WRONG.values(), ids=MADE_WRONG)
def test_a_new_passkey_must_be_what_was_asked_for(change):
    options = BANK.to_make(ASKED, USER, "somebody", [])
    assert BANK.made(Passkey().make(options, **change), ASKED, 1) is None


SIGNED_WRONG = {
    **{name: change for name, change in MADE_WRONG.items() if "data" not in change and change.get("kind") is None},
    "a new one for a signature": {"kind": "webauthn.create"}, "somebody else's": {"user": b64(b"x" * 32)},
    "no longer able to be backed up": {"flags": PRESENT | VERIFIED}, "unknown": {"identity": b"another"},
}


@pytest.mark.parametrize("change", SIGNED_WRONG.values(), ids=SIGNED_WRONG)
def test_a_signature_must_be_what_was_asked_for(change):
    held = Passkey()
    _, known = enrolled(held)
    assert BANK.asserted([known], held.sign(BANK.to_sign(ASKED, [known]), **change), ASKED, USER) is None


PARTS = {"fmt": "none", "attStmt": {}, "authData": b""}


@pytest.mark.parametrize("change", [
    {"fmt": 7}, {"fmt": b"none"}, {"attStmt": []}, {"attStmt": b""}, {"authData": "x"}, {"authData": None}, *({name: ...} for name in PARTS),
], ids=str)
def test_an_attestation_object_has_its_three_parts(change):
    held = Passkey()
    answer = held.make(BANK.to_make(ASKED, USER, "somebody", []))
    right = reader.read(unb64(answer["attestationObject"]))
    wrong = {name: value for name, value in (right | change).items() if value is not ...}
    assert BANK.made(answer, ASKED, 1) and BANK.made({**answer, "attestationObject": b64(cbor(wrong))}, ASKED, 1) is None


@pytest.mark.parametrize(("extensions", "taken"), [({}, True), ({"credProtect": 2}, True), ([], False), (1, False), ("x", False), (None, False)])
def test_extensions_are_a_map(extensions, taken):
    held = Passkey()
    _, known = enrolled(held)
    client = unb64(held.sign(BANK.to_sign(ASKED, [known]))["clientDataJSON"])
    data = held._data(held.flags | EXTENDED, PARTY, 3, extensions=cbor(extensions))
    signed = {"id": b64(held.id), "clientDataJSON": b64(client), "authenticatorData": b64(data)}
    signature = b64(held._sign(data + hashlib.sha256(client).digest()))
    assert (BANK.asserted([known], {**signed, "signature": signature}, ASKED, USER) is not None) is taken


def test_a_challenge_of_before_is_no_challenge():
    held = Passkey()
    _, known = enrolled(held)
    assert BANK.asserted([known], held.sign(BANK.to_sign(bytes(32), [known])), ASKED, USER) is None


@pytest.mark.parametrize(("before", "now", "copied"), [(0, 0, False), (1, 2, False), (2, 2, True), (5, 3, True), (5, 0, True), (0, 1, False)])
def test_a_counter_that_does_not_grow_is_a_copys(before, now, copied):
    held = Passkey(counter=before)
    _, known = enrolled(held)
    assert BANK.asserted([known], held.sign(BANK.to_sign(ASKED, [known]), counter=now), ASKED, USER).copied is copied


RSA = {1: 3, 3: -257, -1: ((2**1279 - 1) * (2**2203 - 1)).to_bytes(436, "big"), -2: b"\x01\x00\x01"}
P256, ED25519 = KEYS["ES256"]()[0], KEYS["EdDSA"]()[0]

WEAK = {
    "short": RSA | {-1: (1 << 1023 | 1).to_bytes(128, "big")}, "endless": RSA | {-1: b"\xff" * 1025}, "an even modulus": RSA | {-1: b"\xff" * 255 + b"\xfe"},
    "an endless exponent": RSA | {-2: b"\xff" * 64}, "an exponent of one": RSA | {-2: b"\x01"}, "an even exponent": RSA | {-2: b"\x02"},
    "no exponent": RSA | {-2: b""}, "a number for bytes": RSA | {-1: 2**63},
    "off its curve": P256 | {-3: bytes(31) + b"\x01"}, "nowhere": P256 | {-2: bytes(32), -3: bytes(32)}, "half a point": P256 | {-3: True},
    "a longer point": P256 | {-2: bytes(1) + P256[-2]}, "another curve": P256 | {-1: 2}, "another algorithm": P256 | {3: -999},
    "another's algorithm": P256 | {3: -8}, "of another kind": P256 | {1: 1}, "a secret one": {1: 4, 3: 5, -1: bytes(32)},
    "too short a point": ED25519 | {-2: bytes(31)}, "no point": ED25519 | {-2: "x" * 32}, "no key": {},
}


def test_a_strong_one_is_taken():
    held = Passkey()
    for held.key in (RSA, P256, ED25519):
        assert enrolled(held)[1]


@pytest.mark.parametrize(("size", "taken"), [(0, False), (1, True), (1023, True), (1024, False), (65_535, False)])
def test_a_passkey_is_called_by_up_to_1023_bytes(size, taken):
    held = Passkey()
    held.id = bytes(size)
    assert (enrolled(held)[1] is not None) is taken


@pytest.mark.parametrize("key", WEAK.values(), ids=WEAK)
def test_a_weak_key_is_none(key):
    held = Passkey()
    held.key = key
    assert enrolled(held)[1] is None


HOSTILE = {
    "nothing": b"", "an open string": b"\x5f\x41a\xff", "an open map": b"\xbf\xff", "a length of terabytes": b"\x5b" + b"\xff" * 8 + b"x",
    "a map of terabytes": b"\xbb\x00\x00\x00\xff" + b"\xff" * 4, "a list of lists of lists": b"\x81" * 60_000 + b"\x01",
    "the same key twice": b"\xa2\x01\x02\x01\x03", "a tag": b"\xc2\x41\x01", "a float": b"\xfb" + bytes(8), "a long one": b"\x18\x01",
    "a list of terabytes": b"\x9b\x00\x00\x00\xff" + b"\xff" * 4 + b"\x01" * 60_000, "maps within maps": b"\xa1\x01" * 30_000 + b"\x01",
    "a key that is a list": b"\xa1\x80\x01", "not UTF-8": b"\x61\xff", "two values": b"\x01\x01", "true as a key": b"\xa1\xf5\x01", "break": b"\xff",
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_hostile_cbor_is_refused(raw):
    with pytest.raises(CallerError):
        reader.read(raw)
    assert BANK.made({"clientDataJSON": b64(b"{}"), "attestationObject": b64(raw)}, ASKED, 1) is None


def test_what_is_written_is_read():
    value = {"fmt": "none", "attStmt": {}, 1: -7, -257: [1, 23, 24, 255, 256, 65535, 65536, 1 << 40, True, False, None, b"x" * 300, "道"]}
    assert reader.read(cbor(value)) == value


def test_nothing_that_is_cut_or_mixed_up_is_more_than_refused():
    """Whatever a browser sends: a passkey, or none, and never a fault."""
    held, chance = Passkey(), random.Random(11)
    options = BANK.to_make(ASKED, USER, "somebody", [])
    whole = unb64(held.make(options)["attestationObject"])
    for _ in range(times(1500, 100_000)):
        raw = bytearray(whole[:chance.randrange(len(whole) + 1)])
        for _ in range(chance.randrange(4)):
            if raw:
                raw[chance.randrange(len(raw))] = chance.randrange(256)
        BANK.made({**held.make(options), "attestationObject": b64(bytes(raw))}, ASKED, 1)
        with contextlib.suppress(CallerError):
            authenticator_data(bytes(raw))


@pytest.mark.parametrize("client", [b"", b"[]", b"{", b'{"type":1}', b"[" * 50_000, b'{"type":' * 50_000, b'{"type":"webauthn.get","challenge":"\xff"}', b"null"])
def test_hostile_client_data_is_refused(client):
    held = Passkey()
    _, known = enrolled(held)
    assert BANK.asserted([known], {**held.sign(BANK.to_sign(ASKED, [])), "clientDataJSON": b64(client)}, ASKED, USER) is None


@pytest.mark.parametrize("text", ["=", "A", "AA=", "A A", "AB", "é", "A/+A", "AAA\n"])
def test_base64url_has_one_spelling(text):
    with pytest.raises(CallerError):
        read(text)
    assert read(spell(b"\xfb\xff")) == b"\xfb\xff"


def test_an_assertion_costs_less_than_a_tenth_of_a_password(monkeypatch):
    """Both on this machine, in processor time: a password takes some twenty milliseconds, so this is under two."""
    # Other tests hash with less memory; here it is what a service takes.
    monkeypatch.setattr("sekisho.adapters.secrets.MEMORY_KIB", 19 * 1024)
    held, secrets = Passkey(), KeyedSecrets(bytes(32))
    _, known = enrolled(held)
    answer = held.sign(BANK.to_sign(ASKED, [known]))

    def least(act, tries=5):
        found = []
        for _ in range(tries):
            began = time.thread_time()
            act()
            found.append(time.thread_time() - began)
        return min(found)

    assert least(lambda: BANK.asserted([known], answer, ASKED, USER), 20) < least(lambda: secrets.matches(None, "password", "no")) / 10
