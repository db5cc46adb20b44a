"""Codes of tokens: the vectors of the standards, which codes are taken, what is learnt of a token's clock."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.core import otp
from sekisho.core.state import Token

SEED = b"12345678901234567890"
BY_USES = Token(step_s=0)
DIGITS = b"1234567890"

# RFC 4226 appendix D.
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]

# RFC 6238 appendix B: (seconds, SHA-1, SHA-256, SHA-512).
TOTP = [
    (59, "94287082", "46119246", "90693936"), (1111111109, "07081804", "68084774", "25091201"), (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"), (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
]


def test_RFC_4226_appendix_D():
    assert [otp.hotp(SEED, use) for use in range(10)] == HOTP


@pytest.mark.parametrize(("now_s", "sha1", "sha256", "sha512"), TOTP)
def test_RFC_6238_appendix_B(now_s, sha1, sha256, sha512):
    for algorithm, length, code in (("sha1", 20, sha1), ("sha256", 32, sha256), ("sha512", 64, sha512)):
        seed = (DIGITS * 7)[:length]
        assert otp.hotp(seed, now_s // 30, 8, algorithm) == code
        assert otp.accepted(seed, Token(algorithm=algorithm, digits=8), 0, code, now_s) == now_s // 30


NOW_S = int(dt.datetime(2026, 11, 22, tzinfo=dt.UTC).timestamp())
STEP = NOW_S // 30


def shown(step, number=1):
    return "".join(otp.hotp(SEED, step + n) for n in range(number))


@pytest.mark.parametrize(("off", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_before_and_after_is_taken(off, taken):
    assert (otp.accepted(SEED, Token(), 0, shown(STEP + off), NOW_S) == STEP + off) is taken


@pytest.mark.parametrize(("ahead", "taken"), [(-1, False), (0, True), (1, True), (2, True), (3, False)])
def test_a_token_that_counts_its_uses_may_be_ahead_by_two(ahead, taken):
    assert (otp.accepted(SEED, BY_USES, 6, otp.hotp(SEED, 7 + ahead), NOW_S) == 7 + ahead) is taken


@pytest.mark.parametrize(("last", "taken"), [(-1, True), (STEP - 1, True), (STEP, False), (STEP + 1, False)])
def test_a_code_is_taken_once_and_none_before_it_afterwards(last, taken):
    assert (otp.accepted(SEED, Token(), last, shown(STEP), NOW_S) is not None) is taken


@pytest.mark.parametrize("code", ["", "1", "75522", "7552244", "x" * 6, "７５５２２４", "\ud800" * 6, shown(STEP, 2)])
def test_what_is_no_code_is_not_taken(code):
    assert otp.accepted(SEED, Token(), 0, code, NOW_S) is None


@pytest.mark.parametrize("off", [-40, -20, -2, 0, 2, 20, 38])
def test_two_codes_in_a_row_set_a_clock_right(off):
    found = otp.resynced(SEED, Token(), 0, shown(STEP + off, 2), NOW_S)
    assert found == STEP + off + 1
    right = otp.learnt(Token(), found, NOW_S, sure=True)
    assert otp.accepted(SEED, right, found, shown(STEP + off + 2), NOW_S + 30) == STEP + off + 2


@pytest.mark.parametrize(("codes", "why"), [
    (shown(STEP + 41, 2), "too far ahead"), (shown(STEP - 42, 2), "too far behind"), (shown(STEP + 10**6, 2), "years off"),
    (shown(STEP) + shown(STEP + 2), "not in a row"), (shown(STEP + 1) + shown(STEP), "the wrong way round"), (shown(STEP) * 2, "one code twice"),
    (shown(STEP), "one code"), (shown(STEP, 3), "three"),
])
def test_other_codes_set_nothing_right(codes, why):
    assert otp.resynced(SEED, Token(), 0, codes, NOW_S) is None, why


def test_two_codes_set_a_count_right_only_forwards_and_not_too_far():
    def both(use):
        return otp.hotp(SEED, use) + otp.hotp(SEED, use + 1)

    found = [otp.resynced(SEED, BY_USES, 9, both(use), NOW_S) for use in (8, 9, 10, 60, 109, 110)]
    assert found == [None, None, 11, 61, 110, None]


def test_used_codes_set_nothing_right():
    """Whoever saw two codes that the customer has used gets nothing by them, also where the second is new."""
    assert otp.resynced(SEED, Token(), STEP, shown(STEP, 2), NOW_S) is None
    assert otp.resynced(SEED, Token(), STEP - 1, shown(STEP, 2), NOW_S) == STEP + 1


def after(token, *offs):
    """What is known of the clock after codes that were so many steps off."""
    for off in offs:
        found = otp.accepted(SEED, token, 0, shown(STEP + off), NOW_S)
        token = token if found is None else otp.learnt(token, found, NOW_S, sure=False)
    return token.drift


@pytest.mark.parametrize(("offs", "drift", "why"), [
    ((1,), 1, "a code from ahead proves it"), ((1, 2, 3), 3, "step by step"), ((-1, -1), 0, "a slow customer"), ((-1, -1, -1), -1, "a slow clock"),
    ((-1, -1, 0, -1, -1), 0, "in a row only"), ((-1, -1, -1, 0), 0, "he was slow after all"), ((2,), 0, "nothing is learnt of what is not taken"),
])
def test_what_is_learnt_of_a_clock(offs, drift, why):
    assert after(Token(), *offs) == drift, why


@given(offs=st.lists(st.integers(-60, 60), max_size=200))
def test_a_clock_is_never_believed_further_off_than_two_codes_could_set_right(offs):
    assert abs(after(Token(), *offs)) <= otp.RESYNC_STEPS


@given(codes=st.lists(st.integers(0, 40), max_size=60), token=st.sampled_from([Token(), BY_USES]))
def test_no_code_is_ever_taken_twice(codes, token):
    last, taken = -1, []
    for factor in codes:
        found = otp.accepted(SEED, token, last, otp.hotp(SEED, factor), 20 * 30)
        if found is not None:
            taken.append(found)
            last, token = found, otp.learnt(token, found, 20 * 30, sure=False)
    assert taken == sorted(set(taken))
