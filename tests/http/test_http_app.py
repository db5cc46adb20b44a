"""The bank's app over HTTP, played by its reference client: enrolled, approving, guessed at, erased, enrolled again."""

import itertools
import json
from urllib.parse import quote

import pytest
from bankside import DAY, Verify, told
from telephones import (
    NEW_PASSCODE,
    PASSCODE,
    PAYEE,
    TRANSACTION_CODE,
    asked,
    by_passcode,
    by_sensor,
    enrol,
    registering,
    registers_face,
    rows_of,
    send,
    up_to_the_app,
)

from sekisho.bank.phone import Phone
from sekisho.core.state import Secret, decode

pytestmark = pytest.mark.usefixtures("quick_passcodes")


def approve(bank, customer, phone, passcode=PASSCODE, operation="transfer", shown=None, session=None):
    """A transfer of hers, approved by passcode on her telephone: the run, and what is told."""
    run = up_to_the_app(bank, operation, customer, session)
    return run, by_passcode(run, phone, passcode, shown)


def wrong(bank, customer, phone, times):
    return [approve(bank, customer, phone, "000000")[1] for _ in range(times)]


def test_one_count_for_the_passcode_over_every_operation(service, bank, hana):
    """Four wrong in two of them, and the fifth in a third."""
    phone = enrol(service, hana)
    session = service.session(hana)
    for operation in ("transfer", "payeasy"):
        assert [approve(bank, hana, phone, "000000", operation, session=session)[1]["message"] for _ in range(2)] == ["wrong", "wrong"]
    answer = approve(bank, hana, phone, "000000", "mail-address", session=session)[1]
    assert answer["message"] == "wrong-register-again" and service.locks(phone.app) == ["Y-MAIL-2"]


def sets_code(service, customer, phone, code):
    run = registering(service, customer, phone.app, "set-transaction-code")
    return run, phone.set_code("new-transaction-code", asked(run, "new-transaction-code"), "transaction-code", code)


def test_the_transaction_code_is_asked_only_where_it_is_set_and_then_it_is_changed(service, bank, hana):
    """By the device alone; what is not another one is wrong, and the old one is from then on."""
    phone = enrol(service, hana)
    assert approve(bank, hana, phone)[1]["state"] == "done"
    for code, before in ((TRANSACTION_CODE, None), ("2468", TRANSACTION_CODE)):
        run, proof = sets_code(service, hana, phone, code)
        if before is not None:
            same = phone.set_code("new-transaction-code", asked(run, "new-transaction-code"), "transaction-code", before)
            assert run.proof("new-transaction-code", same)["outcome"] == "wrong"
            proof = phone.set_code("new-transaction-code", asked(run, "new-transaction-code"), "transaction-code", code)
        assert run.proof("new-transaction-code", proof)["state"] == "done"
        run, answer = approve(bank, hana, phone)
        assert [one["item"] for one in answer["next"]] == ["transaction-code"]
        assert run.proof("transaction-code", before or "0000")["outcome"] == "wrong"
        assert run.proof("transaction-code", code)["state"] == "done"


def test_a_transaction_code_is_four_figures_that_the_device_has_signed(service, bank, hana):
    phone, other = enrol(service, hana), Phone(())
    other.app = phone.app
    run, proof = sets_code(service, hana, other, "2468")
    sign = asked(run, "new-transaction-code")
    signed = [phone.set_code("new-transaction-code", sign, "transaction-code", one) for one in ("", "123", "12345", "12a4", "１２３４")]
    for no_code in (*signed, "2468"):
        assert service.post(f"/v1/procedures/{run.id}/attempts", {"item": "new-transaction-code", "proof": no_code}).status_code == 422
    assert run.proof("new-transaction-code", proof)["message"] == "not-accepted"
    assert approve(bank, hana, phone)[1]["state"] == "done"


def test_what_the_device_has_not_signed_is_no_entry_and_counts_nothing(service, bank, hana):
    """A thief of the passcode without the telephone, and whoever has read an earlier entry."""
    phone, other = enrol(service, hana), Phone(("app-fingerprint", "app-face"))
    other.app = phone.app
    run = bank.run("transfer", hana)
    run.proof("amount-and-payee", PAYEE)
    sign = asked(run, "app-passcode")
    earlier = phone.with_passcode("app-passcode", sign, "000000", {"amount-and-payee": PAYEE})
    assert run.proof("app-passcode", earlier)["outcome"] == "wrong"
    for proof in (earlier, {**earlier, "passcode": phone.verifier(PASSCODE)}, other.with_passcode("app-passcode", sign, PASSCODE)):
        assert run.proof("app-passcode", proof)["message"] == "no-code"
        asked(run, "app-passcode")
        assert run.proof("app-passcode", proof)["message"] == "not-accepted"
    assert by_sensor(bank, hana, phone, signer=other)["outcome"] == "refused"
    assert by_sensor(bank, hana, phone, "app-face", "no-match", signer=other)["outcome"] == "refused"
    assert service.counts(phone.app) == {"app-passcode-in-a-row": 1}


@pytest.mark.parametrize("shown", ["9000 yen to 66666-6", "1000 yen to 10000-1 ", ""])
def test_what_is_approved_is_what_was_shown(service, bank, hana, shown):
    """Any change voids it, and is no guess."""
    phone = enrol(service, hana)
    assert approve(bank, hana, phone, shown=shown)[1]["message"] == "not-accepted"
    assert service.counts(phone.app) == {}


def test_a_plain_passcode_is_not_taken_from_an_enrolled_device(service, bank, hana):
    phone = enrol(service, hana)
    run = bank.run("transfer", hana)
    run.proof("amount-and-payee", PAYEE)
    answer = service.post(f"/v1/procedures/{run.id}/attempts", {"item": "app-passcode", "proof": phone.verifier(PASSCODE)})
    assert answer.status_code == 422 and service.counts(phone.app) == {}


NO_NEW_FACE = {
    "no key": lambda parts, _: {"signature": parts["signature"]},
    "another sensor's": lambda parts, _: {"signature": parts["signature"], "key.app-fingerprint": parts["key.app-face"]},
    "a key that is none": lambda parts, _: {**parts, "key.app-face": "AAAA"},
    "a word": lambda *_: "shown to the app",
}
NOT_SIGNED = {
    "another key than was signed": lambda parts, other: {**parts, "key.app-face": other["key.app-face"]},
    "by another device": lambda _, other: other,
    "by nobody": lambda parts, _: {**parts, "signature": ""},
}


def test_what_registers_nothing_anew_is_refused_and_lifts_nothing(service, bank, hana):
    """And what the device then says itself is taken."""
    phone, other = enrol(service, hana), Phone(("app-face",))
    other.app = phone.app
    service.put(phone.app, {"counts": {"app-face-in-a-row": 4}}, "app-face")
    by_sensor(bank, hana, phone, "app-face", "no-match")
    run = registering(service, hana, phone.app, "register-face")

    def sent(change):
        sign = asked(run, "new-app-face")
        proof = change(*(one.register_key("new-app-face", sign, "app-face") for one in (phone, other)))
        return service.post(f"/v1/procedures/{run.id}/attempts", {"item": "new-app-face", "proof": proof})

    assert {name: sent(change).status_code for name, change in NO_NEW_FACE.items()} == dict.fromkeys(NO_NEW_FACE, 422)
    assert {name: told(sent(change))["message"] for name, change in NOT_SIGNED.items()} == dict.fromkeys(NOT_SIGNED, "not-accepted")
    assert service.locks(phone.app) == ["Y-LOGIN-6"] and service.counts(phone.app) == {"app-face-in-a-row": 5}
    assert registers_face(service, hana, phone)["state"] == "done" and by_sensor(bank, hana, phone, "app-face")["state"] == "done"


def test_no_passcode_is_registered_that_no_app_would_send(service, hana):
    phone = enrol(service, hana)
    run = registering(service, hana, phone.app)
    parts = phone.register_again("new-app-passcode", asked(run, "new-app-passcode"), NEW_PASSCODE)
    without = {name: value for name, value in parts.items() if name != "passcode"}
    for proof in (without, *({**parts, "passcode": one} for one in ("", "118822", "A" * 40))):
        assert service.post(f"/v1/procedures/{run.id}/attempts", {"item": "new-app-passcode", "proof": proof}).status_code == 422
    assert run.proof("new-app-passcode", parts)["state"] == "done"


def test_neither_a_stolen_telephone_nor_a_stolen_database_can_be_tried(service, bank, hana):
    """The telephone keeps nothing that a passcode could be held against; the record follows from a salt that only it has."""
    phone = enrol(service, hana, transaction_code=TRANSACTION_CODE)
    kept = b"".join(service.do(service.app.store.peek(sorted(rows_of(service, phone.app)))).values())
    for secret in (PASSCODE, TRANSACTION_CODE, phone.verifier(PASSCODE), phone.verifier(PASSCODE)[:20]):
        assert secret.encode() not in kept
    known = decode(service.do(service.app.store.peek([f"secret:{phone.app}/app-passcode"]))[f"secret:{phone.app}/app-passcode"], Secret)
    same = Phone()
    assert service.app.secrets.matches(known, "passcode", phone.verifier(PASSCODE))
    assert not service.app.secrets.matches(known, "passcode", same.verifier(PASSCODE))
    assert PASSCODE.encode() not in json.dumps([str(value) for value in vars(phone).values()]).encode()


def test_a_code_enrols_once_within_ten_minutes(service, bank, hana):
    session = service.session(hana)
    code = service.app_code(hana, session)
    first, second = Phone(), Phone()
    assert send(service, code, first.enrolment(code, PASSCODE)).status_code == 201
    assert send(service, code, second.enrolment(code, PASSCODE)).status_code == 409
    for seconds, status in ((599, 201), (600, 409)):
        code = service.app_code(hana)
        service.passes(seconds)
        assert send(service, code, Phone().enrolment(code.lower().replace("-", " "), PASSCODE)).status_code == status


ENDS = {
    "an emergency stop": lambda service, hana, _: service.post("/v1/stops", {"subject": hana.subject, "known_by": "number-on-file"}),
    "all sessions ended": lambda service, _, session: service.call("DELETE", f"/v1/sessions/{session}/all"),
}


@pytest.mark.parametrize("ends", ENDS)
def test_what_ends_every_session_ends_the_codes_that_they_have_shown(service, hana, ends):
    """Whoever had taken a session over keeps nothing that lasts."""
    session = service.session(hana)
    code = service.app_code(hana, session)
    assert ENDS[ends](service, hana, session).status_code == 200
    assert send(service, code, Phone().enrolment(code, PASSCODE)).status_code == 409
    assert rows_of(service, "apps:" + hana.subject) == set()


def test_a_device_that_is_removed_while_the_bank_compares_opens_nothing(service, bank, hana):
    phone, session = enrol(service, hana), service.session(hana)
    run = bank.run("login", hana)
    held = service.post("/v1/reservations", {"operation": "login", "item": "app-fingerprint", "subject": hana.subject, "procedure": run.id})
    assert held.status_code == 201, held.text
    assert service.call("DELETE", f"/v1/sessions/{session}/apps/{phone.app}").status_code == 200
    answer = run.verdict(held.json()["reservation"], "right")
    assert (answer["outcome"], answer["state"]) == ("refused", "ended") and "session" not in answer


AGREES = {"mail-otp": "by a code", "token-otp": "by her token"}


@pytest.mark.parametrize("item", AGREES)
def test_a_stolen_password_adds_no_device(service, item):
    """A session alone gets no code: what she agrees with opens one, in that session, once, for ten minutes."""
    hana = service.customer("token-otp")
    session, other = service.session(hana), service.session(hana)

    def ask(where=session):
        answer = service.post(f"/v1/sessions/{where}/app-codes", None)
        return answer.status_code, answer.json().get("type", "").rpartition("/")[2]

    def agree():
        return Verify(service).run("add-device", hana, session)

    assert ask() == (403, "not-agreed-device")
    run = agree()
    assert (run.wrong(item)["outcome"], ask()[0]) == ("wrong", 403)
    assert (run.right(item)["state"], ask(other)[0], ask()[0], ask()[0]) == ("done", 403, 201, 403)
    for seconds, status in ((599, 201), (600, 403)):
        service.passes(60)
        assert agree().right(item)["state"] == "done"
        service.passes(300)
        Verify(service).run("transfer", hana, session).right("amount-and-payee")
        service.passes(seconds - 300)
        assert ask()[0] == status


def test_another_operation_with_the_same_item_agrees_to_no_device(service, hana):
    session = service.session(hana)
    assert Verify(service).run("register-passkey", hana, session).right("mail-otp")["outcome"] == "right"
    assert service.post(f"/v1/sessions/{session}/app-codes", None).status_code == 403


HALF = {
    "no passcode": lambda parts: {name: value for name, value in parts.items() if name != "passcode"},
    "no key": lambda parts: {**parts, "device": ""},
    "another's key": lambda parts: {**parts, "device": Phone().enrolment("", PASSCODE)["device"]},
    "a passcode in the clear": lambda parts: {**parts, "passcode": PASSCODE},
    "not signed": lambda parts: {**parts, "signature": ""},
    "another passcode": lambda parts: {**parts, "passcode": Phone().verifier(PASSCODE)},
    "an item that no app has": lambda parts: {**parts, "login-password": "x"},
    "a key that is none": lambda parts: {**parts, "key.app-fingerprint": "AAAA"},
    "a key on a curve that nobody knows": lambda parts: {**parts, "device": parts["device"].replace("KoZIzj0DAQcD", "KoZIzj0DAQ8D")},
    "five figures": lambda parts: {**parts, "transaction-code": "12345"},
    "hostile": lambda parts: {**parts, "signature": "=" * 2000},
}


def test_nothing_is_half_enrolled(service, hana):
    code, phone = service.app_code(hana), Phone()
    before = rows_of(service, "app:")
    told_of = {name: send(service, code, change(phone.enrolment(code, PASSCODE))).status_code for name, change in HALF.items()}
    assert set(told_of.values()) == {409, 422}, told_of
    assert rows_of(service, "app:") == before
    assert send(service, code, phone.enrolment(code, PASSCODE)).status_code == 201


def test_several_devices_each_count_for_themselves_and_one_is_removed(service, bank, hana):
    """One is lost: it is good for nothing any more, and the other goes on."""
    one, other = enrol(service, hana, name="old"), enrol(service, hana, name="new")
    wrong(bank, hana, other, 2)
    assert (service.count(one.app, "app-passcode-in-a-row"), service.count(other.app, "app-passcode-in-a-row")) == (0, 2)
    session = service.session(hana)
    assert [found["name"] for found in service.get(f"/v1/sessions/{session}/apps").json()["apps"]] == ["old", "new"]
    mine = begun_about(service, hana, one, session)
    assert mine.proof("app-passcode", one.with_passcode("app-passcode", asked(mine, "app-passcode"), PASSCODE, {"amount-and-payee": PAYEE}))["state"] == "done"
    left = service.call("DELETE", f"/v1/sessions/{session}/apps/{other.app}").json()["apps"]
    assert [found["name"] for found in left] == ["old"] and rows_of(service, other.app) == set()
    assert approve(bank, hana, one)[1]["state"] == "done"
    assert approve(bank, hana, other)[1]["message"] == "not-accepted"


def test_a_channel_is_told_whether_a_device_is_still_enrolled(service, bank, hana):
    """Until staff remove it, or she does, or a penalty; of what is no enrolment nothing is told."""

    def enrolled(app):
        answer = service.get(f"/v1/apps/{quote(app, safe='')}")
        return answer.status_code, answer.json()

    lost, removed = enrol(service, hana, Phone(()), "lost"), enrol(service, hana, Phone(()), "removed")
    service.passes(3600)  # messages to one address are few in an hour
    erased = enrol(service, hana, name="erased", transaction_code=TRANSACTION_CODE)
    assert [enrolled(one.app) for one in (lost, removed, erased)] == [(200, {"enrolled": True})] * 3
    loss = f"/v1/staff/subjects/{quote(hana.subject, safe='')}/apps/{quote(lost.app, safe='')}/loss"
    assert service.post(loss, {"reason": "left on a train"}, "chiba").status_code == 200
    assert service.call("DELETE", f"/v1/sessions/{service.session(hana)}/apps/{removed.app}").status_code == 200
    run = up_to_the_app(bank, "transfer", hana)
    by_passcode(run, erased)
    for _ in range(5):
        run.proof("transaction-code", "0000")
    assert service.locks(erased.app) == ["Y-TRANSFER-4"]
    for name in (lost.app, removed.app, erased.app, "app:nobody", hana.subject, hana.account_subject, "nonsense"):
        assert enrolled(name) == (200, {"enrolled": False})
    assert [enrolled("a" * length)[0] for length in (200, 201)] == [200, 422]


def begun_about(service, customer, phone, session):
    """A transfer for which the bank names one of several devices."""
    run = Verify(service).run("transfer", customer, session)
    run.id = service.post("/v1/procedures", {
        "operation": "transfer", "subject": customer.subject, "about": phone.app, "session": session}).json()["procedure"]
    run.proof("amount-and-payee", PAYEE)
    return run


def test_two_customers_on_one_telephone_are_two_enrolments(service, bank):
    customers = [service.customer(), service.customer()]
    apps = [enrol(service, one) for one in customers]
    assert [approve(bank, one, app)[1]["state"] for one, app in zip(customers, apps, strict=True)] == ["done", "done"]
    assert approve(bank, customers[0], apps[1])[1]["message"] == "not-accepted"


def test_a_device_whose_clock_is_years_off_is_like_any_other(service, bank, hana):
    """Nothing that is signed has a time in it."""
    phone = enrol(service, hana)
    service.passes(2 * 365 * DAY)
    assert approve(bank, hana, phone)[1]["state"] == "done"


def test_no_more_than_five_devices(service, hana):
    for number in range(5):
        enrol(service, hana, Phone(()), name=f"device {number}")
        service.passes(3600)  # messages to one address are few in an hour
    code = service.app_code(hana)
    assert send(service, code, Phone(()).enrolment(code, PASSCODE)).status_code == 409


def test_a_request_sent_twice_is_one_guess(service, bank, hana):
    phone = enrol(service, hana)
    run = bank.run("transfer", hana)
    run.proof("amount-and-payee", PAYEE)
    proof = phone.with_passcode("app-passcode", asked(run, "app-passcode"), "000000", {"amount-and-payee": PAYEE})
    answers = [run.proof("app-passcode", proof, idempotency_key="entry-1") for _ in range(2)]
    assert answers[0] == answers[1] and service.count(phone.app, "app-passcode-in-a-row") == 1


HOSTILE = [{}, {"signature": ""}, {"signature": "\u0000"}, {"signature": "A" * 3000}, {"signature": "AA", **{f"p{n}": "" for n in itertools.islice(itertools.count(), 20)}},
           {"signature": "A" * 86, "passcode": "", "report": "nonsense"}]


@pytest.mark.parametrize("item", ["app-passcode", "app-fingerprint"])
def test_whatever_a_channel_sends_is_refused_and_counted_nowhere(service, bank, hana, item):
    phone = enrol(service, hana)
    run = bank.run("transfer" if item == "app-passcode" else "login", hana)
    run.reach(item)
    for proof in HOSTILE:
        asked(run, item)
        answer = service.post(f"/v1/procedures/{run.id}/attempts", {"item": item, "proof": proof})
        assert answer.status_code == 422 or told(answer)["outcome"] == "refused", proof
    assert service.counts(phone.app) == {}
