"""The bank's app over HTTP, played by its reference client: enrolled, approving, guessed at, erased, enrolled again."""

import itertools
import json

import pytest
from bankside import DAY, Verify, told

from sekisho.bank import phone as phone_of_the_bank
from sekisho.bank.phone import Phone
from sekisho.core.state import Secret, decode

PASSCODE, TRANSACTION_CODE, PAYEE = "482916", "7391", "1000 yen to 10000-1"


@pytest.fixture(autouse=True)
def quick_passcodes(monkeypatch):
    """What a passcode costs the device is its own affair, and not what is looked at here."""
    monkeypatch.setattr(phone_of_the_bank, "ROUNDS", 10)


@pytest.fixture
def bank(service):
    return Verify(service)


@pytest.fixture
def hana(service):
    """A customer without an app."""
    return service.customer()


def send(service, code, parts, name="telephone"):
    return service.post("/v1/apps", {"code": code, "name": name, "parts": parts})


def enrol(service, customer, phone=None, name="telephone", **set_codes):
    """A device of hers."""
    phone = phone or Phone(("app-fingerprint", "app-face-id", "app-face"))
    code = service.app_code(customer)
    answer = send(service, code, phone.enrolment(code, PASSCODE, **set_codes), name)
    assert answer.status_code == 201, answer.text
    phone.app = answer.json()["app"]
    return phone


def asked(run, item):
    answer = run.service.post(f"/v1/procedures/{run.id}/signatures", {"item": item})
    return answer.json()["sign"] if answer.status_code == 201 else told(answer)["message"]


def approve(bank, customer, phone, passcode=PASSCODE, operation="transfer", entered=PAYEE, shown=PAYEE, session=None, item="app-passcode"):
    """A transfer of hers, approved by passcode on her telephone: the run, and what is told."""
    run = bank.run(operation, customer, session)
    first = "new-addresses" if operation == "mail-address" else "amount-and-payee"
    run.proof(first, entered)
    return run, run.proof(item, phone.with_passcode(item, asked(run, item), passcode, {first: shown}))


def wrong(bank, customer, phone, times):
    return [approve(bank, customer, phone, "000000")[1] for _ in range(times)]


def test_Y_TRANSFER_3_five_wrong_passcodes_erase_and_both_are_registered_again(service, bank, hana):
    phone = enrol(service, hana)
    assert approve(bank, hana, phone)[1]["state"] == "done"
    assert [one["message"] for one in wrong(bank, hana, phone, 5)] == ["wrong"] * 4 + ["wrong-register-again"]
    run, answer = approve(bank, hana, phone)[0], None
    assert asked(run, "app-passcode") == "register-again"
    login = bank.run("login", hana)
    login.reach("app-fingerprint")
    assert asked(login, "app-fingerprint") == "register-again"
    run = registering(service, hana, phone.app)
    answer = run.proof("new-app-passcode", phone.register_again("new-app-passcode", asked(run, "new-app-passcode"), "118822"))
    assert answer["state"] == "done" and service.locks(phone.app) == []
    assert approve(bank, hana, phone)[1]["outcome"] == "wrong"
    assert approve(bank, hana, phone, "118822")[1]["state"] == "done"
    assert by_sensor(bank, hana, phone)["state"] == "done"


def registering(service, customer, app):
    """A run of `register-app` for one of her devices, up to the new passcode."""
    begun = service.post("/v1/procedures", {"operation": "register-app", "subject": app})
    run = Verify(service).run("login", customer)
    run.id, run.operation, run.codes = begun.json()["procedure"], "register-app", {}
    assert run.now("login-password")["outcome"] == "right"
    assert run.now("mail-otp")["outcome"] == "right"
    return run


def by_sensor(bank, customer, phone, item="app-fingerprint", report=None, signer=None):
    run = bank.run("login", customer)
    run.reach(item)
    sign = asked(run, item)
    phone = signer or phone
    return run.proof(item, phone.with_sensor(item, sign) if report is None else phone.sensor_says(item, sign, report))


@pytest.mark.parametrize(("row", "operation"), [
    ("Y-TRANSFER-3", "transfer"), ("Y-PAYEASY-3", "payeasy"), ("Y-MAIL-2", "mail-address"),
])
def test_one_count_for_the_passcode_over_every_operation(service, bank, hana, row, operation):
    """Four wrong at transfers, and the fifth anywhere."""
    phone = enrol(service, hana)
    wrong(bank, hana, phone, 4)
    entered = hana.new_mail if operation == "mail-address" else PAYEE
    answer = approve(bank, hana, phone, "000000", operation, entered, entered)[1]
    assert answer["message"] == "wrong-register-again" and service.locks(phone.app) == [row]


@pytest.mark.parametrize("operation", ["web-application", "telephone-application"])
def test_Y_APPLY_4_the_passcode_agrees_to_an_application_on_the_same_count(service, bank, operation):
    hana = service.customer("basic-data", "card-pin")
    phone, entered = enrol(service, hana), "contact-address" if operation == "telephone-application" else "new-addresses"
    wrong(bank, hana, phone, 4)

    def enter(passcode):
        run = bank.run(operation, hana)
        run.reach("address-otp")
        return run.proof("app-passcode", phone.with_passcode("app-passcode", asked(run, "app-passcode"), passcode, {entered: hana.new_mail}))

    assert enter(PASSCODE)["outcome"] == "right"
    assert [enter("000000")["message"] for _ in range(5)][-1] == "wrong-register-again" and service.locks(phone.app) == ["Y-APPLY-4"]


@pytest.mark.parametrize(("row", "operation"), [("Y-TRANSFER-4", "transfer"), ("Y-PAYEASY-4", "payeasy"), ("Y-MAIL-3", "mail-address")])
def test_five_wrong_transaction_codes_take_the_account_off_the_device(service, bank, hana, row, operation):
    """And it is added again, as another enrolment; of the old one nothing is left."""
    phone = enrol(service, hana, transaction_code=TRANSACTION_CODE)
    entered = hana.new_mail if operation == "mail-address" else PAYEE
    run, answer = approve(bank, hana, phone, operation=operation, entered=entered, shown=entered)
    assert [one["item"] for one in answer["next"]] == ["transaction-code"]
    assert [run.proof("transaction-code", "0000")["message"] for _ in range(5)] == ["wrong"] * 4 + ["wrong-register-again"]
    assert service.locks(phone.app) == [row]
    assert rows_of(service, phone.app) == {phone.app}
    again = enrol(service, hana, transaction_code=TRANSACTION_CODE)
    run, answer = approve(bank, hana, again)
    assert run.proof("transaction-code", TRANSACTION_CODE)["state"] == "done"


def test_the_transaction_code_is_asked_only_where_it_is_set(service, bank, hana):
    assert approve(bank, hana, enrol(service, hana))[1]["state"] == "done"


@pytest.mark.parametrize(("item", "row"), [("app-fingerprint", "Y_LOGIN_4"), ("app-face-id", "Y_LOGIN_5")])
def test_a_sensor_that_has_locked_itself_is_told_as_that_and_counted_nowhere(service, bank, hana, item, row):
    phone = enrol(service, hana)
    answers = [by_sensor(bank, hana, phone, item, "locked") for _ in range(6)]
    assert {(one["outcome"], one["message"]) for one in answers} == {("refused", "sensor-locked")}, row
    assert service.counts(phone.app) == {} and "sensor-locked" in [event["kind"] for event in service.view(phone.app)["events"]]
    assert by_sensor(bank, hana, phone, item)["state"] == "done"


def test_Y_LOGIN_6_a_face_that_is_not_known_five_times_is_erased(service, bank, hana):
    phone = enrol(service, hana)
    assert by_sensor(bank, hana, phone, "app-face")["state"] == "done"
    assert [by_sensor(bank, hana, phone, "app-face", "no-match")["outcome"] for _ in range(5)] == ["wrong"] * 5
    assert service.locks(phone.app) == ["Y-LOGIN-6"]
    assert decode(service.do(service.app.store.peek([f"secret:{phone.app}/app-passcode"]))[f"secret:{phone.app}/app-passcode"], Secret).kind == "passcode"
    assert by_sensor(bank, hana, phone)["state"] == "done"


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


def rows_of(service, subject):
    """Every row whose key names a subject."""
    found, after = set(), ""
    while page := service.do(service.app.store.rows("", after, 1000)):
        found |= {key for key, _ in page if subject in key and not key.startswith(("idempotency", "replay"))}
        after = page[-1][0]
    return found


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


@pytest.mark.parametrize("change", HALF.values(), ids=HALF)
def test_nothing_is_half_enrolled(service, hana, change):
    code, phone = service.app_code(hana), Phone()
    before = rows_of(service, "app:")
    assert send(service, code, change(phone.enrolment(code, PASSCODE))).status_code in {409, 422}
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


@pytest.mark.parametrize("proof", HOSTILE)
@pytest.mark.parametrize("item", ["app-passcode", "app-fingerprint"])
def test_whatever_a_channel_sends_is_refused_and_counted_nowhere(service, bank, hana, proof, item):
    phone = enrol(service, hana)
    run = bank.run("transfer" if item == "app-passcode" else "login", hana)
    run.reach(item)
    asked(run, item)
    answer = service.post(f"/v1/procedures/{run.id}/attempts", {"item": item, "proof": proof})
    assert answer.status_code == 422 or told(answer)["outcome"] == "refused"
    assert service.counts(phone.app) == {}
