"""Each row of the table whose item is held, end to end where sekisho compares: a token out of the inventory, an app on a device.

Wrong ones up to the last, what they cost, what the customer reads and what staff see; then each way back, until the same goes through.
"""

import pytest
from bankside import MINUTE
from scale import times
from telephones import (
    NEW_PASSCODE,
    PASSCODE,
    PAYEE,
    TRANSACTION_CODE,
    asked,
    by_passcode,
    by_sensor,
    enrol,
    registers_face,
    registers_passcode,
    rows_of,
    up_to_the_app,
)
from test_http_inventory import bind, end, shown, stocked

from sekisho.core import otp

pytestmark = pytest.mark.usefixtures("quick_passcodes")


def seen(service, subject):
    """The one lock that staff see: its row, its stage, and the ways out."""
    [lock] = service.view(subject)["locks"]
    return lock["row"], lock["stage"], [path["path"] for path in lock["release"]]


# -- sensors that the device locks itself


LOCKED_BY_DEVICE = {
    "Y_LOGIN_4": ("app-fingerprint", ("On Android, the fingerprint sensor works again after a short while", "Unlock the device by its own")),
    "Y_LOGIN_5": ("app-face-id", ("Unlock the device by its own",)),
}


@pytest.mark.parametrize(("item", "ways"), LOCKED_BY_DEVICE.values(), ids=LOCKED_BY_DEVICE)
def test_a_sensor_that_its_device_has_locked_is_told_as_that_and_counted_nowhere(service, bank, hana, item, ways):
    phone = enrol(service, hana)
    answers = [by_sensor(bank, hana, phone, item, "locked") for _ in range(6)]
    assert {(one["outcome"], one["state"], one["message"]) for one in answers} == {("refused", "open", "sensor-locked")}
    assert service.counts(phone.app) == service.counts(hana.subject) == {} and service.locks(phone.app) == []
    assert [event["item"] for event in service.view(phone.app)["events"] if event["kind"] == "sensor-locked"] == [item] * 6
    page = service.get("/manual/operation/login").text
    assert all(way in page for way in ways)
    assert service.session(hana)
    assert by_sensor(bank, hana, phone, item)["state"] == "done"


def test_Y_LOGIN_6_a_face_that_is_not_known_five_times_is_erased_and_registered_again(service, bank, hana):
    """Nothing else of the app is touched, and the key of the face that was erased is good for nothing any more."""
    phone = enrol(service, hana)
    said = [by_sensor(bank, hana, phone, "app-face", "no-match")["message"] for _ in range(5)]
    assert said == ["wrong"] * 4 + ["wrong-register-again"]
    assert seen(service, phone.app) == ("Y-LOGIN-6", 5, ["register-face-again", "register-again"])
    assert service.count(phone.app, "app-face-in-a-row") == 5 and f"secret:{phone.app}/app-face" not in rows_of(service, phone.app)
    assert by_sensor(bank, hana, phone, "app-face")["message"] == "register-again"
    assert by_sensor(bank, hana, phone)["state"] == by_passcode(up_to_the_app(bank, "transfer", hana), phone)["state"] == "done"
    old = phone._sensors["app-face"]
    assert registers_face(service, hana, phone)["state"] == "done"
    assert (service.locks(phone.app), service.count(phone.app, "app-face-in-a-row")) == ([], 0)
    for _ in range(3):
        # One thing is told in each turn.
        service.do(service.app.turn())
    assert all("registered anew" in service.received(to)[0].body for to in hana.mails)
    new, phone._sensors["app-face"] = phone._sensors["app-face"], old
    assert by_sensor(bank, hana, phone, "app-face")["message"] == "not-accepted"
    phone._sensors["app-face"] = new
    assert by_sensor(bank, hana, phone, "app-face")["state"] == by_sensor(bank, hana, phone)["state"] == "done"


def test_a_face_erased_before_the_passcode_comes_back_with_all_the_rest(service, bank, hana):
    """Y-LOGIN-6, then Y-TRANSFER-3: one registration of everything ends both, and the face is looked at again."""
    phone = enrol(service, hana)
    for _ in range(5):
        by_sensor(bank, hana, phone, "app-face", "no-match")
    run = up_to_the_app(bank, "transfer", hana)
    for _ in range(5):
        by_passcode(run, phone, "000000")
    assert service.locks(phone.app) == ["Y-LOGIN-6", "Y-TRANSFER-3"]
    assert registers_passcode(service, hana, phone)["state"] == "done"
    assert service.locks(phone.app) == [] and service.counts(phone.app) == {}
    assert by_sensor(bank, hana, phone, "app-face")["state"] == by_sensor(bank, hana, phone)["state"] == "done"


# -- the token


def wrong_code(service):
    """A code that the token shows nowhere near now."""
    return shown_at(service, 1000)


def shown_at(service, step):
    return otp.hotp(b"12345678901234567890", service.clock() // 1_000_000 // 30 + step)


def up_to_the_token(bank, operation, customer, session=None):
    run = bank.run(operation, customer, session)
    run.proof("amount-and-payee", PAYEE)
    return run


def guesses(service, bank, operation, customer, session=None):
    """Three in one session, wrong ones: what is told of each."""
    run = up_to_the_token(bank, operation, customer, session)
    return run, [run.proof("token-otp", wrong_code(service))["message"] for _ in range(3)]


TOKEN = {"Y_TRANSFER_2": ("transfer", "payeasy"), "Y_PAYEASY_2": ("payeasy", "transfer")}


@pytest.mark.parametrize(("operation", "other"), TOKEN.values(), ids=TOKEN)
def test_three_wrong_codes_of_a_token_end_that_session_alone(service, bank, hana, operation, other):
    """Nothing is resumed: he logs in and begins again, and in the session that stayed the count is another's."""
    bind(service, stocked(service), hana)
    here, there = service.session(hana), service.session(hana)
    run, said = guesses(service, bank, operation, hana, here)
    assert said == ["wrong", "wrong", "wrong-start-over"]
    assert (service.live(here), service.live(there), run.look()["state"]) == (False, True, "ended")
    assert run.proof("token-otp", shown(service))["message"] == "start-over"
    begun = service.post("/v1/procedures", {"operation": operation, "subject": hana.subject, "session": here})
    assert begun.status_code == 409 and service.locks(hana.subject) == []
    assert service.counts(hana.subject) == {"token-in-a-row": 3, "token-codes-a-year": 3}
    assert up_to_the_token(bank, other, hana, there).proof("token-otp", wrong_code(service))["message"] == "wrong"
    assert up_to_the_token(bank, operation, hana).proof("token-otp", shown(service))["state"] == "done"
    assert service.counts(hana.subject) == {"token-codes-a-year": 4}


def resynchronised(service, hana, serial):
    """The same token, two codes one after the other."""
    assert service.count(hana.subject, "token-in-a-row") == 99
    return serial


def replaced(service, hana, serial):
    """Another token: the count is about whoever guesses (Y-RULE-4), so that by itself it lifts nothing."""
    end(service, serial, "lost")
    other = stocked(service)
    assert bind(service, other, hana).status_code == 200
    assert service.count(hana.subject, "token-in-a-row") == 99 and len(service.locks(hana.subject)) == 1
    return other


NINETY_NINE = {row: (*operations, back) for (row, operations), back in zip(TOKEN.items(), (resynchronised, replaced), strict=True)}


@pytest.mark.parametrize(("operation", "other", "back"), NINETY_NINE.values(), ids=NINETY_NINE)
def test_ninety_nine_wrong_codes_in_a_row_over_both_block_login(service, bank, hana, operation, other, back):
    """By the last three in one of the two; undone by a token check and a new password, with the token he has or another."""
    serial, own = stocked(service), times(9, 99)
    bind(service, serial, hana)
    service.put(hana.subject, {"counts": {"token-in-a-row": 99 - own}}, "token-otp")
    stays, after = service.session(hana), service.now_in_feed()
    said = [one for n in range(own // 3) for one in guesses(service, bank, operation if n == own // 3 - 1 else other, hana)[1]]
    assert said == ["wrong", "wrong", "wrong-start-over"] * (own // 3 - 1) + ["wrong", "wrong", "wrong-locked"]
    assert seen(service, hana.subject) == (f"Y-{operation.upper()}-2", 99, ["reset-password-and-token-check"])
    assert not service.live(stays) and ("notice-due", hana.subject) in service.told_since(after)
    assert bank.run("login", hana).right("login-password")["message"] == "locked"
    assert back(service, hana, serial)
    run = bank.run("token-check", hana)
    assert [run.right(item)["message"] for item in ("number-pair", "mail-otp")] == ["next", "next"]
    assert run.proof("token-resync", f"{shown_at(service, 0)} {shown_at(service, 1)}")["message"] == "next"
    assert run.proof("new-login-password", "quiet river 11")["message"] == "done"
    assert (service.locks(hana.subject), service.count(hana.subject, "token-in-a-row")) == ([], 0)
    service.passes(2 * MINUTE)
    hana = hana._replace(password="quiet river 11")
    assert up_to_the_token(bank, operation, hana).proof("token-otp", shown(service))["state"] == "done"


# -- the app's passcode


PASSCODES = {
    "Y_TRANSFER_3": "transfer", "Y_PAYEASY_3": "payeasy", "Y_MAIL_2": "mail-address", "Y_APPLY_4": "web-application",
    "Y_APPLY_4_telephone_service": "telephone-application",
}


@pytest.mark.parametrize(("row", "operation"), PASSCODES.items(), ids=PASSCODES)
def test_five_wrong_passcodes_erase_and_both_are_registered_again(service, bank, row, operation):
    """The sensors with it; until then nothing of the app is looked at."""
    hana = service.customer("basic-data", "card-pin")
    phone = enrol(service, hana)
    run = up_to_the_app(bank, operation, hana)
    assert [by_passcode(run, phone, "000000")["message"] for _ in range(5)] == ["wrong"] * 4 + ["wrong-register-again"]
    assert seen(service, phone.app) == ("-".join(row.split("_")[:3]), 5, ["register-again"])
    assert service.lock(phone.app)["items"] == ["app-passcode", "app-fingerprint", "app-face-id", "app-face"]
    assert rows_of(service, phone.app) == {phone.app, f"secret:{phone.app}/device"}
    assert by_passcode(run, phone)["message"] == by_sensor(bank, hana, phone)["message"] == "register-again"
    assert registers_passcode(service, hana, phone)["state"] == "done"
    assert service.locks(phone.app) == [] and service.counts(phone.app) == {}
    service.passes(3600)  # messages to one address are few in an hour
    run = up_to_the_app(bank, operation, hana)
    assert [by_passcode(run, phone, one)["outcome"] for one in (PASSCODE, NEW_PASSCODE)] == ["wrong", "right"]
    assert by_sensor(bank, hana, phone)["state"] == by_sensor(bank, hana, phone, "app-face")["state"] == "done"


# -- the transaction code


CODES = {"Y_TRANSFER_4": "transfer", "Y_PAYEASY_4": "payeasy", "Y_MAIL_3": "mail-address"}


@pytest.mark.parametrize(("row", "operation"), CODES.items(), ids=CODES)
def test_five_wrong_transaction_codes_take_the_account_off_the_device_and_it_is_added_again(service, bank, hana, row, operation):
    """As another enrolment, in the place of the old one; of that nothing is left but the lock that staff see."""
    phone = enrol(service, hana, transaction_code=TRANSACTION_CODE)
    run = up_to_the_app(bank, operation, hana)
    assert [one["item"] for one in by_passcode(run, phone)["next"]] == ["transaction-code"]
    assert [run.proof("transaction-code", "0000")["message"] for _ in range(5)] == ["wrong"] * 4 + ["wrong-register-again"]
    assert seen(service, phone.app) == (row.replace("_", "-"), 5, ["add-account-again"])
    assert rows_of(service, phone.app) == {phone.app}
    assert asked(up_to_the_app(bank, operation, hana), "app-passcode") == "register-again"
    again = enrol(service, hana, transaction_code="2468")
    assert [one["app"] for one in service.get(f"/v1/sessions/{service.session(hana)}/apps").json()["apps"]] == [again.app]
    run = up_to_the_app(bank, operation, hana)
    assert by_passcode(run, phone)["message"] == "not-accepted"
    assert by_passcode(run, again)["outcome"] == "right"
    assert [run.proof("transaction-code", one)["outcome"] for one in (TRANSACTION_CODE, "2468")] == ["wrong", "right"]
    assert run.look()["state"] == ("open" if operation == "mail-address" else "done")


def test_every_row_with_a_held_item_is_here(service):
    """Whatever the table asks of a token, of an app or of a device."""
    table = service.app.table
    rows = [row for one in table.operations.values() for rows in one.rows.values() for row in rows if row.id.startswith("Y-")]
    held = {row.id for row in rows if table.items[row.item].reach == "app" or table.items[row.item].kind == "totp"}
    shown_here = {"Y_LOGIN_6", *LOCKED_BY_DEVICE, *TOKEN, *PASSCODES, *CODES} - {"Y_APPLY_4_telephone_service"}
    assert held == {row.replace("_", "-") for row in shown_here}
