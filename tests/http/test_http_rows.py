"""Every row of the table over HTTP: so many wrong entries, what they cost, and what comes after."""

import pytest

HELD = {
    "token-otp", "app-passcode", "transaction-code", "card-pin", "last-balance", "basic-data", "telephone-pin", "telephone-user-number",
}
NAMING = ("customer-number", "account-number")

# row, operation, item, wrong entries, what the last of them costs
ROWS = (
    ("Y_LOGIN_1", "login", "customer-number", 15, "start over"),
    ("Y_LOGIN_3", "login", "login-password", 10, "locked"),
    ("Y_LOGIN_6", "login", "app-face", 5, "register again"),
    ("Y_NUMBER_1", "number-inquiry", "account-number", 15, "start over"),
    ("Y_NUMBER_2", "number-inquiry", "login-password", 3, "start over"),
    ("Y_NUMBER_3", "number-inquiry", "mail-otp", 15, "start over"),
    ("Y_RESET_2", "reset-password", "number-pair", 3, "start over"),
    ("Y_RESET_3", "reset-password", "mail-otp", 15, "start over"),
    ("Y_TRANSFER_2", "transfer", "token-otp", 3, "start over"),
    ("Y_TRANSFER_3", "transfer", "app-passcode", 5, "register again"),
    ("Y_TRANSFER_4", "transfer", "transaction-code", 5, "register again"),
    ("Y_PAYEASY_2", "payeasy", "token-otp", 3, "start over"),
    ("Y_PAYEASY_3", "payeasy", "app-passcode", 5, "register again"),
    ("Y_PAYEASY_4", "payeasy", "transaction-code", 5, "register again"),
    ("Y_MAIL_1", "mail-address", "mail-otp", 15, "start over"),
    ("Y_MAIL_2", "mail-address", "app-passcode", 5, "register again"),
    ("Y_MAIL_3", "mail-address", "transaction-code", 5, "register again"),
    ("Y_APPLY_1", "web-application", "basic-data", 15, "start over"),
    ("Y_APPLY_2", "web-application", "card-pin", 4, "locked"),
    ("Y_APPLY_3", "web-application", "address-otp", 15, "start over"),
    ("Y_APPLY_4", "web-application", "app-passcode", 5, "register again"),
    ("Y_APPLY_5", "web-application", "identity-confirmation", 10, "locked for a while"),
    ("Y_PHONE_1", "telephone-service", "telephone-pin", 5, "locked"),
    ("Y_PHONE_2", "telephone-service", "telephone-user-number", 5, "locked"),
    ("Y_OTHER_1", "suspend", "consent", 15, "start over"),
)

# what it costs: the text at the last wrong entry, and what the next run's right entry meets
COSTS = {
    "start over": ("wrong-start-over", "looked at"),
    "locked": ("wrong-locked", "locked"),
    "locked for a while": ("wrong-locked-for-a-while", "locked-for-a-while"),
    "register again": ("wrong-register-again", "register-again"),
}


@pytest.mark.parametrize(("operation", "item", "number", "cost"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_row(service, mode, operation, item, number, cost):
    """Up to the last wrong entry one text; at the last the penalty; after it the lock, or a new start."""
    hana = service.customer(*HELD & service.app.table.operations[operation].rows.keys())
    run = mode.run(operation, hana, named=item not in NAMING)
    said = [run.wrong(item)["message"] for _ in range(number)]
    assert said == ["wrong"] * (number - 1) + [COSTS[cost][0]]

    service.passes(60)
    again = mode.run(operation, hana, named=item not in NAMING).right(item)
    assert (again["message"] if again["outcome"] == "refused" else "looked at") == COSTS[cost][1]


def test_Y_LOGIN_2_ten_wrong_first_passwords_block_login(service, mode):
    """The password the bank issued has a count of its own, and re-registration does not lift its lock."""
    midori = service.customer(first_time=True)
    run = mode.run("login", midori)
    assert run.outcomes("login-password", "wrong", 10) == ["wrong"] * 10
    lock = service.lock(midori.subject)
    assert lock["row"] == "Y-LOGIN-2"
    assert [path["path"] for path in lock["release"]] == ["reapply", "form-1-1"]
    assert service.count(midori.subject, "login-password-in-a-row") == 0


@pytest.mark.parametrize("item", ["app-fingerprint", "app-face-id"], ids=["Y_LOGIN_4", "Y_LOGIN_5"])
def test_A14_what_the_device_locks_itself_is_counted_nowhere(service, count, item):
    """The device reports its own lock; here any number of wrong ones changes nothing."""
    hana = service.customer()
    run = count.run("login", hana)
    assert set(run.outcomes(item, "wrong", 30)) == {"wrong"}
    assert service.counts(hana.subject) == service.counts(hana.app_subject) == {}


@pytest.mark.parametrize("operation", ["transfer", "payeasy"], ids=["Y_TRANSFER_1", "Y_PAYEASY_1"])
def test_Y_ABOLISHED_3_codes_by_mail_only_with_form_4_on_file(service, mode, operation):
    """Abolished: nobody is asked for a code by mail here but customers with impaired sight, and their third wrong one ends it."""
    hana, ichiro = service.customer(), service.customer(flags=("exemption:impaired-sight",))
    run = mode.run(operation, hana)
    run.reach("token-otp")
    assert run.now("mail-otp", "wrong")["message"] == "not-accepted"
    assert service.counts(hana.subject) == {}
    run = mode.run(operation, ichiro)
    assert [run.wrong("mail-otp")["message"] for _ in range(3)] == ["wrong", "wrong", "wrong-start-over"]


def test_Y_UNSUSPEND_1_fifteen_wrong_codes_end_the_session(service, mode):
    """Void and logged out; the customer logs in again and begins anew."""
    hana = service.customer()
    session = mode.session(hana)
    mode.run("suspend", hana, session).right("consent")
    run = mode.run("lift-suspension", hana, session)
    assert run.outcomes("mail-otp", "wrong", 15) == ["wrong"] * 15
    assert run.right("mail-otp")["message"] == "start-over"
    assert mode.run("lift-suspension", hana).right("mail-otp")["outcome"] == "right"


@pytest.mark.parametrize("item", ["card-pin", "last-balance"])
def test_Y_ACCOUNT_2_four_wrong_close_all_applications(service, mode, item):
    """For an account without a contract: both items and both applications are closed for good."""
    hana, yuki = service.customer(), service.account()
    run = mode.run("register-account", hana, about=yuki)
    said = [run.wrong(item)["message"] for _ in range(4)]
    assert said == ["wrong", "wrong", "wrong", "wrong-locked"]
    assert {lock["row"] for lock in service.view(yuki.account_subject)["locks"]} == {"Y-ACCOUNT-2"}
    assert mode.run("web-application", yuki).right("basic-data")["message"] == "locked"


def test_Y_ACCOUNT_1_fifteen_wrong_codes_end_the_session(service, mode):
    """Void and logged out."""
    hana, yuki = service.customer(), service.account()
    run = mode.run("register-account", hana, about=yuki)
    assert run.outcomes("mail-otp", "wrong", 15) == ["wrong"] * 15
    assert run.right("mail-otp")["message"] == "start-over"
