"""A hostile customer at the bank's door: he gets no guess more, skips no step, acts for nobody else and learns of nobody else."""

import pytest
from bankside import nobody


def post_together(service, path, body, times):
    answers = service.together(*[service.send("POST", path, body) for _ in range(times)])
    return [answer.json() for answer in answers]


def enter_together(service, run, item, proof, times=4):
    """The same entry several times at once: (outcome, code) of each, sorted."""
    answers = post_together(service, f"/v1/procedures/{run.id}/attempts", {"item": item, "proof": proof}, times)
    return sorted((one["outcome"], one["code"]) for one in answers)


def at_noon(service):
    """Noon in Tokyo, when the desk is there."""
    service.passes((3 * 3600 - service.clock() // 1_000_000) % 86_400)


def test_a_right_entry_made_several_times_at_once_takes_one_step(service, verify):
    """One of them is right; the others are told that this is not asked for any more, not that the service is closed to them."""
    hana = service.customer()
    run = verify.run("number-inquiry", hana)
    told = enter_together(service, run, "login-password", hana.password)
    assert told == [("refused", "not-accepted")] * 3 + [("right", "next")]
    assert run.asks() == ["mail-otp"]
    assert service.counts(hana.account_subject) == service.counts(hana.subject) == {}


def test_the_last_step_made_several_times_at_once_opens_one_session(service, verify):
    hana = service.customer()
    run = verify.run("login", hana)
    answers = post_together(service, f"/v1/procedures/{run.id}/attempts", {"item": "login-password", "proof": hana.password}, 4)
    assert [one["outcome"] for one in answers].count("right") == 1
    assert len([one for one in answers if "session" in one]) == 1


@pytest.mark.parametrize("known", [True, False])
def test_a_stop_that_staff_see_is_one_they_can_lift(service, known):
    """Also on a number that nobody has enrolled: else the operator looks at a lock and is told that it is not there."""
    hana = service.customer() if known else nobody()
    service.post("/v1/stops", {"subject": hana.subject, "known_by": "number-on-file"})
    assert service.locks(hana.subject) == ["M-STOP-1"]
    at_noon(service)
    asked = service.release(hana.subject, "lift-stop", by="chiba")
    assert service.approve(asked, by="chiba").status_code == 403
    assert service.approve(asked, by="doi").status_code == 200
    assert service.locks(hana.subject) == []


# -- nothing is skipped, nobody else is acted for


def attempt(service, run, item, proof, by="bank"):
    return service.post(f"/v1/procedures/{run.id}/attempts", {"item": item, "proof": proof}, by)


def test_a_code_is_good_in_its_own_run_only(service, verify):
    """Not in another run of the same customer's, not for another operation, not for another customer."""
    hana, taro = service.customer(), service.customer()
    first, second, other = (verify.run("reset-password", one) for one in (hana, hana, taro))
    for run in (first, second, other):
        run.right("number-pair")
    code = first.code("mail-otp")
    for run in (second, other):
        run.send("mail-otp")
        assert run.proof("mail-otp", code)["outcome"] == "wrong"
    assert first.proof("mail-otp", code)["outcome"] == "right"
    assert first.proof("mail-otp", code)["message"] == "not-accepted"


def test_a_token_code_is_good_once_in_any_operation(service, verify):
    """The code that paid one transfer pays no other, in this session or in another."""
    hana = service.customer("token-otp")
    one, other = verify.run("transfer", hana), verify.run("payeasy", hana)
    for run in (one, other):
        run.right("amount-and-payee")
    code = service.token(hana)
    assert [run.proof("token-otp", code)["outcome"] for run in (one, other)] == ["right", "wrong"]


def test_a_run_is_nobody_else_s(service, verify):
    """With another key it cannot be looked at, gone on with or taken a guess in; the answer is that of a run that does not exist."""
    hana = service.customer()
    run = verify.run("login", hana)
    body = {"operation": "login", "item": "login-password", "subject": hana.subject, "procedure": run.id}
    told = [
        service.get(f"/v1/procedures/{run.id}", "other bank"), attempt(service, run, "login-password", hana.password, "other bank"),
        service.post("/v1/reservations", body, "other bank"), service.get("/v1/procedures/none", "other bank"),
    ]
    assert {answer.status_code for answer in told} == {404} and len({answer.text for answer in told}) == 1
    assert run.look()["state"] == "open" and service.counts(hana.subject) == {}


def test_about_whom_it_is_cannot_be_changed_half_way(service, verify, count):
    """Neither in an entry nor by a guess taken in the run: the account that was named first is the one that is counted on."""
    hana, taro, yuki = service.customer(), service.customer(), service.account()
    run = verify.run("register-account", hana, about=yuki)
    swapped = {"item": "card-pin", "proof": "0000", "about": taro.account_subject}
    assert service.post(f"/v1/procedures/{run.id}/attempts", swapped).status_code == 422
    taken = {"operation": "register-account", "item": "card-pin", "subject": hana.subject, "about": taro.account_subject, "procedure": run.id}
    assert service.post("/v1/reservations", taken).status_code == 422
    assert run.wrong("card-pin")["outcome"] == "wrong"
    assert (service.count(yuki.account_subject, "card-in-a-row"), service.counts(taro.account_subject)) == (1, {})


def test_a_finished_run_takes_nothing_more(service, verify):
    """Neither its last step again nor an earlier one; no second session, nothing counted."""
    hana = service.customer()
    run = verify.run("login", hana)
    assert "session" in run.right("login-password")
    for proof in (hana.password, "wrong"):
        told = run.proof("login-password", proof)
        assert (told["outcome"], told["message"], told.get("session")) == ("refused", "start-over", None)
    assert service.counts(hana.subject) == {}


@pytest.mark.parametrize("typed", ["as it came", "full-width", "spaced", "hyphenated"])
def test_a_code_is_taken_as_people_type_it(service, verify, typed):
    hana = service.customer()
    run = verify.run("number-inquiry", hana)
    run.right("login-password")
    code = run.code("mail-otp")
    wide = code.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})
    forms = {"as it came": code, "full-width": wide, "spaced": f" {code[:4]}\u3000{code[4:]} ", "hyphenated": f"{wide[:4]}ー{code[4:]}"}
    assert run.proof("mail-otp", forms[typed])["outcome"] == "right"


@pytest.mark.parametrize("name", ["セキモリ ハナ", "ｾｷﾓﾘ ﾊﾅ", "せきもり はな", "セキモリハナ"])
def test_a_name_is_taken_in_any_kana(service, verify, name):
    yuki = service.customer("basic-data", contract=False, name="セキモリ\u3000ハナ")
    told = verify.run("web-application", yuki).proof("basic-data", f"{yuki.account} {name} １９８０‐０４‐０１")
    assert told["outcome"] == "right"


def test_numbers_are_taken_as_people_type_them(service, verify):
    """The pair with a long hyphen and full-width digits counts on the right account and customer, and is right."""
    hana = service.customer()
    account = hana.account.replace("-", "ー").translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})
    run = verify.run("reset-password", hana, named=False)
    assert run.proof("number-pair", {"account-number": account, "customer-number": f"{hana.number[:4]} {hana.number[4:]}"})["outcome"] == "right"


def test_a_name_of_ten_megabytes_is_not_read(service, verify):
    """413 by its length alone, and where it hides its length after the first 64 KiB."""
    run = verify.run("web-application", service.account())
    sent = []

    async def chunks():
        for _ in range(160):
            sent.append(1)
            yield b'{"item":"basic-data","proof":"' + "ハ".encode() * 21_000

    async def stream():
        headers = {"authorization": f"Bearer {service.keys['bank']}"}
        return await service.client.post(f"/v1/procedures/{run.id}/attempts", content=chunks(), headers=headers)

    assert attempt(service, run, "basic-data", "ハ" * 3_500_000).status_code == 413
    assert service.do(stream()).status_code == 413
    assert len(sent) < 5
    assert run.look()["state"] == "open"


def test_what_was_proved_before_a_lock_is_worth_nothing_after_it(service, verify):
    """Card PIN and last balance were right; then both are closed elsewhere: the registration is not finished on them (Y-ACCOUNT-2)."""
    hana, yuki = service.customer(), service.account()
    run = verify.run("register-account", hana, about=yuki)
    assert [run.right(item)["message"] for item in ("card-pin", "last-balance")] == ["next", "next"]
    verify.run("web-application", yuki).wrong("card-pin", times=4)
    told = run.now("mail-otp")
    assert (told["outcome"], told["message"]) == ("refused", "locked")


def test_a_passcode_that_is_erased_meanwhile_finishes_no_transfer(service, verify):
    """Entered rightly in one run, erased by wrong ones in another: what is left of the first is refused."""
    hana = service.customer("app-passcode", "transaction-code")
    session = service.session(hana)
    run = verify.run("transfer", hana, session)
    assert run.right("app-passcode")["message"] == "next"
    verify.run("payeasy", hana, session).wrong("app-passcode", times=5)
    assert run.right("transaction-code")["message"] == "register-again"
