"""Tokens over HTTP: one use of a code in all operations, clocks and counts that are off, two codes in a row."""

from sekisho.core import otp

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


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


def test_one_seed_told_twice_is_one_token(service, verify):
    """By whichever of its items: what was used stays used."""
    hana, code = service.customer("token-otp"), shows(service)(0)
    assert transfer(service, verify, hana, code) == "right"
    for item in ("token-otp", "token-resync"):
        service.put(hana.subject, {"secret": SEED}, item)
    assert transfer(service, verify, hana, code) == "wrong"
    assert [one["item"] for one in service.view(hana.subject)["authenticators"]] == ["login-password", "token-otp"]
