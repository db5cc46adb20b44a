"""Tokens over HTTP: one use of a code in all operations, clocks and counts that are off, two codes in a row."""

import pytest
from bankside import DAY, Service, Verify

from sekisho.core import otp

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
YEARS_US = 3 * 365 * DAY * 1_000_000


def shows(service):
    """What a token shows whose clock is so many steps ahead: of now, however long the test takes."""
    now = service.clock() // 1_000_000 // otp.STEP_S
    return lambda *offs: " ".join(otp.hotp(otp.seed_of(SEED), now + off) for off in offs)


def check(verify, hana):
    """A token check up to its two codes."""
    run = verify.run("token-check", hana)
    for item in ("number-pair", "mail-otp"):
        assert run.now(item, "right")["outcome"] == "right"
    return run


def transfer(service, verify, hana, code):
    """Enter one code of the token in a new transfer."""
    run = verify.run("transfer", hana)
    run.reach("token-otp")
    return run.proof("token-otp", code)["outcome"]


def test_a_code_used_in_a_transfer_is_no_half_of_two(service, verify):
    hana, codes = service.customer("token-otp"), shows(service)
    assert transfer(service, verify, hana, codes(0)) == "right"
    run = check(verify, hana)
    assert [run.proof("token-resync", codes(*two))["outcome"] for two in ((-1, 0), (0, 1), (1, 2))] == ["wrong", "wrong", "right"]
    assert transfer(service, verify, hana, codes(1)) == "wrong"


def test_a_clock_that_is_off_is_set_right_by_two_codes(service, verify):
    hana, codes = service.customer("token-otp"), shows(service)
    assert transfer(service, verify, hana, codes(9)) == "wrong"
    run = check(verify, hana)
    assert [run.proof("token-resync", said)["outcome"] for said in (codes(9), codes(9, 11))] == ["wrong", "wrong"]
    assert run.proof("token-resync", codes(9, 10))["outcome"] == "right"
    assert transfer(service, verify, hana, codes(0)) == "wrong"
    assert transfer(service, verify, hana, codes(11)) == "right"


@pytest.mark.parametrize("years", [-3, 30])
def test_a_clock_that_is_off_by_years_is_not_set_right(service, verify, years):
    """Two codes in a row show it for minutes, not for years: otherwise an old list of codes would. What is known of the clock stays."""
    hana, codes, off = service.customer("token-otp"), shows(service), years * 365 * DAY // otp.STEP_S
    assert transfer(service, verify, hana, codes(off)) == "wrong"
    run = check(verify, hana)
    assert [run.proof("token-resync", codes(*two))["outcome"] for two in ((off, off + 1), (0, off), (off, 0))] == ["wrong"] * 3
    assert transfer(service, verify, hana, codes(0)) == "right"


def test_a_clock_of_the_bank_that_jumps_by_years_makes_no_code_good_twice(tmp_path, cheap_hashes):
    """There, back and there again, and agreed to by whoever could: what was accepted once never is again, nor anything before it."""
    service = Service(tmp_path)
    try:
        verify, hana = Verify(service), service.customer("token-otp")
        before = shows(service)
        assert transfer(service, verify, hana, before(0)) == "right"
        service.offset_us += YEARS_US
        there = shows(service)
        assert [transfer(service, verify, hana, code) for code in (before(0), before(1), there(0), there(0))] == ["wrong", "wrong", "right", "wrong"]
        service.offset_us -= YEARS_US
        back = shows(service)
        assert [transfer(service, verify, hana, code) for code in (there(0), before(0), before(1), back(0), back(2))] == ["wrong"] * 5
        assert check(verify, hana).proof("token-resync", back(0, 1))["outcome"] == "wrong"
        service.offset_us += YEARS_US + 600_000_000
        assert [transfer(service, verify, hana, code) for code in (there(0), shows(service)(0))] == ["wrong", "right"]
    finally:
        service.close()


def test_a_seed_that_could_be_guessed_is_none(service, verify):
    """And the token that she has stays as it was."""
    hana, codes = service.customer("token-otp"), shows(service)
    for seed in ("A", "AA", "=", "JBSWY3DPEHPK3P", "A" * 400, "not base 32"):
        assert service.call("PUT", f"/v1/staff/subjects/{hana.subject}/items/token-otp", {"secret": seed}, "endo").status_code == 422
    assert transfer(service, verify, hana, codes(0)) == "right"


def test_one_seed_told_twice_is_one_token(service, verify):
    """By whichever of its items: what was used stays used."""
    hana, code = service.customer("token-otp"), shows(service)(0)
    assert transfer(service, verify, hana, code) == "right"
    for item in ("token-otp", "token-resync"):
        service.put(hana.subject, {"secret": SEED}, item)
    assert transfer(service, verify, hana, code) == "wrong"
    assert [one["item"] for one in service.view(hana.subject)["authenticators"]] == ["login-password", "token-otp"]
