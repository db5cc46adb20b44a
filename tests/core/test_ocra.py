"""Challenge, response and signature: the vectors of RFC 6287 appendix C, and what is refused."""

import hashlib

import pytest

from sekisho.core import ocra
from sekisho.errors import CallerError

KEYS = {"SHA1": b"12345678901234567890", "SHA256": b"12345678901234567890123456789012", "SHA512": (b"1234567890" * 7)[:64]}
PIN = hashlib.sha1(b"1234").digest()
TIME_S = 0x132D0B6 * 60
TENFOLD = [str(digit) * 8 for digit in range(10)]

# (suite, questions, inputs, codes). C.1 one-way, C.2 mutual (server, then client), C.3 signature.
VECTORS = [
    ("OCRA-1:HOTP-SHA1-6:QN08", TENFOLD, {}, "237653 243178 653583 740991 608993 388898 816933 224598 750600 294470"),
    ("OCRA-1:HOTP-SHA256-8:C-QN08-PSHA1", ["12345678"] * 10, {"counter": range(10), "pin_hash": PIN},
     "65347737 86775851 78192410 71565254 10104329 65983500 70069104 91771096 75011558 08522129"),
    ("OCRA-1:HOTP-SHA256-8:QN08-PSHA1", TENFOLD[:5], {"pin_hash": PIN}, "83238735 01501458 17957585 86776967 86807031"),
    ("OCRA-1:HOTP-SHA512-8:C-QN08", TENFOLD, {"counter": range(10)},
     "07016083 63947962 70123924 25341727 33203315 34205738 44343969 51946085 20403879 31409299"),
    ("OCRA-1:HOTP-SHA512-8:QN08-T1M", TENFOLD[:5], {"now_s": TIME_S}, "95209754 55907591 22048402 24218844 36209546"),
    ("OCRA-1:HOTP-SHA256-8:QA08", [f"CLI2222{n}SRV1111{n}" for n in range(5)], {}, "28247970 01984843 65387857 03351211 83412541"),
    ("OCRA-1:HOTP-SHA256-8:QA08", [f"SRV1111{n}CLI2222{n}" for n in range(5)], {}, "15510767 90175646 33777207 95285278 28934924"),
    ("OCRA-1:HOTP-SHA512-8:QA08", [f"CLI2222{n}SRV1111{n}" for n in range(5)], {}, "79496648 76831980 12250499 90856481 12761449"),
    ("OCRA-1:HOTP-SHA512-8:QA08-PSHA1", [f"SRV1111{n}CLI2222{n}" for n in range(5)], {"pin_hash": PIN},
     "18806276 70020315 01600026 18951020 32528969"),
    ("OCRA-1:HOTP-SHA256-8:QA08", [f"SIG1{n}000" for n in range(5)], {}, "53095496 04110475 31331128 76028668 46554205"),
    ("OCRA-1:HOTP-SHA512-8:QA10-T1M", [f"SIG1{n}00000" for n in range(5)], {"now_s": TIME_S}, "77537423 31970405 10235557 95213541 65360607"),
]


@pytest.mark.parametrize(("suite", "questions", "inputs", "codes"), VECTORS)
def test_RFC_6287_appendix_C(suite, questions, inputs, codes):
    made_by = ocra.suite(suite)
    key = KEYS[suite.split("-")[2]]
    found = [
        ocra.response(made_by, key, question, **{name: value[n] if isinstance(value, range) else value for name, value in inputs.items()})
        for n, question in enumerate(questions)
    ]
    assert found == codes.split()


def test_any_change_of_what_is_signed_is_another_code():
    made_by = ocra.suite("OCRA-1:HOTP-SHA256-10:QH64-S064")
    signed = {
        ocra.response(made_by, KEYS["SHA256"], hashlib.sha256(said).hexdigest(), session=session)
        for said in (b"50000 to 1", b"50001 to 1", b"50000 to 2") for session in (b"a", b"b")
    }
    assert len(signed) == 6


def test_without_digits_the_whole_mac_is_told():
    assert len(ocra.response(ocra.suite("OCRA-1:HOTP-SHA512-0:QN08"), KEYS["SHA512"], "12345678")) == 128


@pytest.mark.parametrize("text", [
    "", "OCRA-2:HOTP-SHA1-6:QN08", "OCRA-1:HOTP-MD5-6:QN08", "OCRA-1:HOTP-SHA1-3:QN08", "OCRA-1:HOTP-SHA1-6:QN03", "OCRA-1:HOTP-SHA1-6:QN65",
    "OCRA-1:HOTP-SHA1-6:C", "OCRA-1:HOTP-SHA1-6:QX08", "OCRA-1:HOTP-SHA1-6:QN08-PMD5", "OCRA-1:HOTP-SHA1-6:QN08-T60M", "OCRA-1:HOTP-SHA1-6:QN08-T49H",
    "OCRA-1:HOTP-SHA1-6:QN08-S64", "OCRA-1:HOTP-SHA1-6:QN08\n", "OCRA-1:HOTP-SHA1-6:QN08-T1M-PSHA1",
])
def test_what_is_no_suite(text):
    with pytest.raises(CallerError):
        ocra.suite(text)


@pytest.mark.parametrize(("suite", "question", "inputs"), [
    ("QN08", "123456789012345678", {}), ("QN08", "12a45678", {}), ("QN08", "123", {}), ("QN08", "１２３４５６７８", {}), ("QA08", "tab\there", {}),
    ("QH08", "xyz12345", {}), ("QN08", "12345678", {"counter": 1}), ("C-QN08", "12345678", {}), ("QN08-PSHA1", "12345678", {}),
    ("QN08-PSHA1", "12345678", {"pin_hash": b"short"}), ("QN08-S008", "12345678", {"session": b"123456789"}), ("QN08-T1M", "12345678", {}),
    ("QN08", "12345678", {"now_s": 1}),
])
def test_what_does_not_fit_the_suite_makes_no_code(suite, question, inputs):
    with pytest.raises(CallerError):
        ocra.response(ocra.suite(f"OCRA-1:HOTP-SHA1-6:{suite}"), KEYS["SHA1"], question, **inputs)
