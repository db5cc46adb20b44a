"""Passkeys over HTTP, from being registered to being removed: asked for by the ledger, answered once, counted like any entry."""

import re

import pytest
from authenticator import ORIGIN, PARTY, Passkey, b64, cbor
from bankside import DAY, MINUTE, Service, Verify, nobody, told

from sekisho.adapters.webauthn import RelyingParty

OURS = RelyingParty(PARTY, "Sekisho Bank", (ORIGIN, "https://bank.co.jp.example"), f"{ORIGIN}/passkeys", f"{ORIGIN}/password")
MASKED = re.compile(rb'"(procedure|challenge|sign|until)":"[^"]*"')


@pytest.fixture(scope="module")
def service(tmp_path_factory, cheap_hashes):
    made = Service(tmp_path_factory.mktemp("passkeys"), passkeys=OURS)
    yield made
    made.close()


def asked(run, item="passkey"):
    """What her browser is handed."""
    answer = run.service.post(f"/v1/procedures/{run.id}/signatures", {"item": item})
    assert answer.status_code == 201, answer.text
    assert answer.json()["options"]["challenge"] == answer.json()["sign"]
    return answer.json()["options"]


def register(bank, customer, held=None, name="", session=None):
    """A new passkey of hers, registered."""
    held = held or Passkey()
    run = bank.run("register-passkey", customer, session)
    assert run.right("mail-otp")["outcome"] == "right"
    answer = run.proof("new-passkey", {**held.make(asked(run, "new-passkey")), "name": name})
    assert (answer["outcome"], answer["state"]) == ("right", "done")
    return held


def at_login(bank, customer):
    run = bank.run("login", customer)
    run.reach("passkey")
    return run


def log_in(bank, customer, held, **change):
    run = at_login(bank, customer)
    return run.proof("passkey", held.sign(asked(run), **change))


def listed(service, session):
    answer = service.get(f"/v1/sessions/{session}/passkeys")
    assert answer.status_code == 200, answer.text
    return answer.json()["passkeys"]


def test_registered_it_logs_in_and_steps_up_in_every_operation_that_takes_it(service, bank, hana):
    held = register(bank, hana)
    answer = log_in(bank, hana, held)
    assert answer["state"] == "done" and service.live(answer["session"])
    for operation in ("transfer", "payeasy", "mail-address"):
        run = bank.run(operation, hana, answer["session"])
        run.reach("passkey") if operation == "mail-address" else run.right("amount-and-payee")
        assert run.proof("passkey", held.sign(asked(run)))["outcome"] == "right"


def test_one_passkey_agrees_to_the_next(bank, hana):
    """No code by mail is needed once there is a passkey."""
    first = register(bank, hana)
    run = bank.run("register-passkey", hana)
    assert run.proof("passkey", first.sign(asked(run)))["outcome"] == "right"
    second = Passkey("EdDSA")
    assert run.proof("new-passkey", second.make(asked(run, "new-passkey")))["state"] == "done"
    assert {log_in(bank, hana, one)["outcome"] for one in (first, second)} == {"right"}


def test_each_has_a_name_and_can_be_removed(service, bank, hana):
    telephone, key = register(bank, hana, name="電話"), register(bank, hana, Passkey("RS256"), name="key")
    session = log_in(bank, hana, telephone)["session"]
    found = listed(service, session)
    assert [(one["name"], one["backed_up"]) for one in found] == [("電話", True), ("key", True)]
    path = f"/v1/sessions/{session}/passkeys/{found[0]['id']}"
    assert service.call("PUT", path, {"name": "old telephone"}).json()["passkeys"][0]["name"] == "old telephone"
    assert [one["name"] for one in service.call("DELETE", path).json()["passkeys"]] == ["key"]
    assert service.call("DELETE", path).status_code == 404
    assert log_in(bank, hana, telephone)["outcome"] == "wrong"
    assert log_in(bank, hana, key)["outcome"] == "right"
    service.do(service.app.recoveries.go_on())
    assert [one.body.count("passkey") for one in service.received(hana.mails[0])[:3]] == [1, 1, 1]


def test_nobody_elses_session_sees_or_removes_them(service, bank, hana):
    register(bank, hana)
    other = service.customer()
    hers, his = service.session(hana), service.session(other)
    which = listed(service, hers)[0]["id"]
    assert listed(service, his) == []
    assert service.call("DELETE", f"/v1/sessions/{his}/passkeys/{which}").status_code == 404
    assert service.call("DELETE", f"/v1/sessions/{hers}/passkeys/{which}", by="other bank").status_code == 404
    service.call("DELETE", f"/v1/sessions/{hers}")
    assert service.call("DELETE", f"/v1/sessions/{hers}/passkeys/{which}").status_code == 404
    assert len(listed(service, service.session(hana))) == 1


def test_an_answer_is_taken_once(bank, hana):
    """Right or wrong: nothing that was asked for before is answered again, and no guess is spent on it."""
    held = register(bank, hana)
    run = at_login(bank, hana)
    signed = held.sign(asked(run))
    other = at_login(bank, hana)
    assert other.proof("passkey", signed)["message"] == "no-code"
    first = asked(other)
    second = asked(other)
    assert other.proof("passkey", held.sign(first))["outcome"] == "wrong"
    assert other.proof("passkey", held.sign(second))["message"] == "no-code"
    assert run.proof("passkey", signed)["outcome"] == "right"
    assert run.proof("passkey", signed)["outcome"] == "refused"


@pytest.mark.parametrize(("seconds", "said"), [(299, "right"), (301, "refused")])
def test_what_was_asked_is_answered_in_five_minutes(service, bank, hana, seconds, said):
    held = register(bank, hana)
    run = at_login(bank, hana)
    options = asked(run)
    service.passes(seconds)
    assert run.proof("passkey", held.sign(options))["outcome"] == said


def test_a_signature_is_for_the_payee_and_amount_that_were_entered(bank, hana):
    held = register(bank, hana)
    one, other = (bank.run("transfer", hana) for _ in range(2))
    one.proof("amount-and-payee", "1000 yen to 10000-1")
    other.proof("amount-and-payee", "9000 yen to 66666-6")
    asked(other)
    assert other.proof("passkey", held.sign(asked(one)))["outcome"] == "wrong"


def test_a_customer_who_has_none_is_asked_like_one_who_has(service, bank, hana):
    """And so is a number that nobody has: same bytes in, same bytes out."""
    register(bank, hana)
    seen = []
    for who in (hana, service.customer(), nobody()):
        run = at_login(bank, who)
        answer = service.post(f"/v1/procedures/{run.id}/signatures", {"item": "passkey"})
        wrong = service.post(f"/v1/procedures/{run.id}/attempts", {"item": "passkey", "proof": Passkey().sign(answer.json()["options"], user="")})
        seen.append((MASKED.sub(b"", answer.content).replace(answer.json()["sign"].encode(), b""), wrong.content))
    assert seen[0] == seen[1] == seen[2]


def test_only_in_a_session_is_it_told_which_there_are(bank, hana):
    held = register(bank, hana)
    assert asked(at_login(bank, hana))["allowCredentials"] == []
    run = bank.run("transfer", hana)
    run.right("amount-and-payee")
    assert asked(run)["allowCredentials"] == [{"type": "public-key", "id": b64(held.id)}]


def test_fifteen_wrong_ones_end_the_run_and_no_row_is_locked(service, bank, hana):
    """The general fifteen: a signature cannot be guessed, and whoever cannot give it starts over."""
    register(bank, hana)
    run = at_login(bank, hana)
    answers = [run.proof("passkey", Passkey().sign(asked(run), user="")) for _ in range(15)]
    assert [one["state"] for one in answers] == ["open"] * 14 + ["ended"]
    assert service.locks(hana.subject) == []


def test_a_locked_login_asks_for_no_signature(service, bank, hana):
    held = register(bank, hana)
    run = at_login(bank, hana)
    options = asked(run)
    at_login(bank, hana).wrong("login-password", 10)
    assert run.proof("passkey", held.sign(options))["outcome"] == "refused"
    new = at_login(bank, hana)
    answer = service.post(f"/v1/procedures/{new.id}/signatures", {"item": "passkey"})
    assert told(answer)["message"] == "locked"


def test_a_copy_is_noticed_and_not_taken(service, bank, hana):
    held = register(bank, hana)
    log_in(bank, hana, held)
    assert log_in(bank, hana, held, counter=held.counter)["outcome"] == "wrong"
    assert "passkey-doubted" in [event["kind"] for event in service.view(hana.subject)["events"]]


def test_a_passkey_counts_only_from_the_end_of_its_run(service, bank, hana):
    """Nothing is half registered: a run that ends before takes what was made in it along."""
    run = bank.run("register-passkey", hana)
    run.right("mail-otp")
    held, options = Passkey(), asked(run, "new-passkey")
    assert run.proof("new-passkey", held.make(options, origin="https://evil.example"))["outcome"] == "wrong"
    assert listed(service, run.session) == []
    assert run.proof("new-passkey", held.make(options))["message"] == "no-code"
    assert log_in(bank, hana, held)["outcome"] == "wrong"


def test_a_passkey_with_the_longest_name_that_there_is_works_like_any_other(service, bank, hana):
    held = Passkey("RS256")
    held.id = b"\xff" * 1023
    register(bank, hana, held)
    session = log_in(bank, hana, held)["session"]
    assert service.call("DELETE", f"/v1/sessions/{session}/passkeys/{listed(service, session)[0]['id']}").json()["passkeys"] == []


HOSTILE = {
    "nothing": b"", "no end": b"\xbf", "terabytes": b"\xbb\x00\x00\x00\xff" + b"\xff" * 4, "depth": b"\x81" * 9_000 + b"\x01", "no map": b"\x80",
    "no data": cbor({"fmt": "none", "attStmt": {}}), "data of another sort": cbor({"fmt": "none", "attStmt": {}, "authData": "x" * 37}),
    "a key twice": b"\xa2\x63fmt\x64none\x63fmt\x64none",
}


def test_hostile_answers_register_nothing(service, bank, hana):
    """And what is right afterwards is taken as ever."""
    run, held = bank.run("register-passkey", hana), Passkey()
    run.right("mail-otp")
    for name, statement in HOSTILE.items():
        answer = run.proof("new-passkey", {**held.make(asked(run, "new-passkey")), "attestationObject": b64(statement)})
        assert (answer["outcome"], answer["state"]) == ("wrong", "open"), name
    assert listed(service, run.session) == []
    assert run.proof("new-passkey", held.make(asked(run, "new-passkey")))["state"] == "done"
    assert len(listed(service, run.session)) == 1


def test_the_same_passkey_is_not_registered_twice_and_no_more_than_ten_are(service, bank, hana):
    held = register(bank, hana)
    run = bank.run("register-passkey", hana)
    run.proof("passkey", held.sign(asked(run)))
    assert run.proof("new-passkey", held.make(asked(run, "new-passkey")))["outcome"] == "wrong"
    session = service.session(hana)
    for _ in range(9):
        run = bank.run("register-passkey", hana, session)
        run.proof("passkey", held.sign(asked(run)))
        assert run.proof("new-passkey", Passkey("EdDSA").make(asked(run, "new-passkey")))["state"] == "done"
    run = bank.run("register-passkey", hana, session)
    run.proof("passkey", held.sign(asked(run)))
    answer = service.post(f"/v1/procedures/{run.id}/signatures", {"item": "new-passkey"})
    assert (answer.status_code, told(answer)["message"]) == (200, "not-accepted")


@pytest.mark.parametrize("proof", [
    "text", {}, {"id": "AA"}, {"id": "", "clientDataJSON": "x" * 20_000, "authenticatorData": "", "signature": ""},
    {"id": "AA", "clientDataJSON": "AA", "authenticatorData": "AA", "signature": "AA", "name": "\u0007"},
])
def test_what_no_browser_sends_is_refused_and_repeated_nowhere(service, bank, hana, proof):
    run = at_login(bank, hana)
    asked(run)
    answer = service.post(f"/v1/procedures/{run.id}/attempts", {"item": "passkey", "proof": proof})
    assert answer.status_code == 422 and "xxx" not in answer.text
    assert service.counts(hana.subject) == {}


def test_a_clock_that_is_years_off_makes_no_difference(service, bank, hana):
    """Neither a browser's time nor an authenticator's is in anything that is signed; a passkey does not age."""
    held = register(bank, hana)
    service.passes(3 * 365 * DAY)
    assert log_in(bank, hana, held)["outcome"] == "right"


def test_a_request_sent_twice_asks_once(service, bank, hana):
    run = at_login(bank, hana)
    path = f"/v1/procedures/{run.id}/signatures"
    first, again = (service.post(path, {"item": "passkey"}, idempotency_key="ask-1") for _ in range(2))
    assert first.content == again.content
    assert service.post(path, {"item": "passkey"}).json()["sign"] != first.json()["sign"]


def test_browsers_find_out_about_them(service):
    assert service.get("/.well-known/webauthn", by=None).json() == {"origins": [ORIGIN, "https://bank.co.jp.example"]}
    assert service.get("/.well-known/passkey-endpoints", by=None).json() == {"enroll": f"{ORIGIN}/passkeys", "manage": f"{ORIGIN}/passkeys"}
    answer = service.get("/.well-known/change-password", by=None)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{ORIGIN}/password")


def test_a_related_page_may_ask_too_and_no_other(bank, hana):
    held = register(bank, hana)
    assert log_in(bank, hana, held, origin="https://bank.co.jp.example")["outcome"] == "right"
    assert log_in(bank, hana, held, origin="https://other.example")["outcome"] == "wrong"


def test_where_the_bank_compares_passkeys_itself_none_is_asked_for_here(tmp_path, cheap_hashes):
    made = Service(tmp_path)
    try:
        run = at_login(Verify(made), made.customer())
        for path, body in (("signatures", {"item": "passkey"}), ("attempts", {"item": "passkey", "proof": "x"})):
            assert made.post(f"/v1/procedures/{run.id}/{path}", body).status_code == 422
        assert made.get("/.well-known/webauthn", by=None).status_code == 404
    finally:
        made.close()


def test_staff_see_that_there_is_one_and_nothing_of_it(service, bank, hana):
    held = register(bank, hana)
    service.passes(MINUTE)
    seen = str(service.view(hana.subject))
    assert "set:passkey" in seen and b64(held.id) not in seen
