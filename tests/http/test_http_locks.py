"""One story for each mechanism of the table, over HTTP, from the first wrong entry to the way back in."""

import pytest
from bankside import MINUTE, Verify, nobody

# -- no lock


def test_Y_LOGIN_1_malformed_numbers_end_the_run_and_lock_nothing(service, verify):
    """Fifteen malformed numbers end the run (A16). The next run begins at once and takes the right one."""
    hana = service.customer()
    run = verify.run("login", hana, named=False)
    assert run.outcomes("customer-number", "wrong", 15) == ["wrong"] * 15
    assert run.look() == {"state": "ended", "next": [], "message": "start-over"}
    again = verify.run("login", hana, named=False)
    assert again.right("customer-number")["outcome"] == again.right("login-password")["outcome"] == "right"
    assert service.locks(hana.subject) == []


# -- a lock until it is released


def test_Y_LOGIN_3_ten_wrong_passwords_block_login_whatever_comes_after(service, mode):
    """After the tenth wrong password the right one is refused unread, and counts nothing (A6)."""
    hana = service.customer()
    run = mode.run("login", hana)
    said = [run.wrong("login-password")["message"] for _ in range(10)]
    assert said == ["wrong"] * 9 + ["wrong-locked"]
    for verdict in ("right", "wrong", "right"):
        assert mode.run("login", hana).enter("login-password", verdict)["message"] == "locked"
    assert service.counts(hana.subject) == {"login-password-in-a-row": 10, "login-password-a-year": 10}
    assert service.lock(hana.subject)["until"] is None


def test_Y_LOGIN_3_A17_running_sessions_end_when_login_is_blocked(service, mode):
    """A session opened before the block may do nothing more; channels are told that it ended."""
    hana = service.customer("token-otp")
    session, after = service.session(hana), service.now_in_feed()
    transfer = mode.run("transfer", hana, session)
    assert transfer.right("amount-and-payee")["outcome"] == "right"
    mode.run("login", hana).wrong("login-password", times=10)
    assert service.live(session) is False
    assert transfer.right("token-otp")["message"] == "start-over"
    assert ("session-ended", hana.subject) in service.told_since(after)


def test_Y_LOGIN_3_staff_see_row_count_lock_and_ways_out(service, mode):
    """D2: the exact count, its threshold, the lock with its row, and every way out of it."""
    hana = service.customer()
    mode.run("login", hana).wrong("login-password", times=10)
    view = service.view(hana.subject)
    in_a_row = next(count for count in view["counts"] if count["counter"] == "login-password-in-a-row")
    assert (in_a_row["wrong"], in_a_row["by_item"]) == (10, {"login-password": 10})
    assert in_a_row["stages"] == [{"wrong": 10, "row": "Y-LOGIN-3", "fired": True}]
    lock = service.lock(hana.subject)
    assert (lock["row"], lock["stage"], lock["operations"]) == ("Y-LOGIN-3", 10, ["login"])
    assert [(path["path"], path["kind"]) for path in lock["release"]] == [
        ("reset-password", "procedure"), ("reapply", "procedure"), ("form-1-1", "form"),
    ]


def test_Y_LOGIN_3_form_1_1_lets_him_back_in_when_two_persons_say_so(service, mode):
    """The first operator asks, a second one carries it out; a new password opens login, the old one does not."""
    hana = service.customer()
    mode.run("login", hana).wrong("login-password", times=10)
    asked = service.release(hana.subject, "form-1-1", by="endo")
    assert asked.status_code == 202
    assert service.approve(asked, by="endo").status_code == 403
    assert service.locks(hana.subject) == ["Y-LOGIN-3"]
    assert service.approve(asked, by="fujii").status_code == 200
    assert service.locks(hana.subject) == []
    assert service.count(hana.subject, "login-password-in-a-row") == 0

    service.put(hana.subject, {"secret": "by letter 1", "first_time": True}, "login-password")
    old, new = hana, hana._replace(password="by letter 1")
    assert mode.run("login", new).right("login-password")["outcome"] == "right"
    if mode.name == "verify":
        assert mode.run("login", old).right("login-password")["outcome"] == "wrong"
        assert service.count(hana.subject, "first-login-password-in-a-row") == 1


RELEASES = (
    # path, by whom, the answer
    ("form-1-1", "aoki", 403),
    ("form-1-1", "chiba", 403),
    ("form-1-1", "goto", 403),
    ("form-1-1", "bank", 403),
    ("reset-password", "endo", 409),
    ("form-3", "endo", 409),
    ("no-such-path", "endo", 409),
)


@pytest.mark.parametrize(("path", "by", "status"), RELEASES)
def test_Y_LOGIN_3_nobody_else_and_nothing_else_lifts_the_lock(service, count, path, by, status):
    """Not another role, not a path of another lock, not staff in the customer's stead."""
    hana = service.customer()
    count.run("login", hana).wrong("login-password", times=10)
    assert service.release(hana.subject, path, by).status_code == status
    assert service.locks(hana.subject) == ["Y-LOGIN-3"]


def test_Y_LOGIN_3_reset_password_lifts_it(service, mode):
    """The customer registers his password again, without logging in; the new one lets him in, the old one does not."""
    hana = service.customer()
    mode.run("login", hana).wrong("login-password", times=10)
    run = Verify(service).run("reset-password", hana)
    assert [run.right(item)["message"] for item in ("number-pair", "mail-otp")] == ["next", "next"]
    assert run.proof("new-login-password", "quiet river 11")["message"] == "done"
    assert (service.locks(hana.subject), service.count(hana.subject, "login-password-in-a-row")) == ([], 0)
    assert Verify(service).run("login", hana._replace(password="quiet river 11")).right("login-password")["outcome"] == "right"
    assert Verify(service).run("login", hana).right("login-password")["outcome"] == "wrong"


def test_Y_LOGIN_3_the_new_password_must_not_be_the_present_one(service, verify):
    """M_RESET_1: the present one is wrong there, and the lock stands until another is given."""
    hana = service.customer()
    verify.run("login", hana).wrong("login-password", times=10)
    run = verify.run("reset-password", hana)
    assert [run.right(item)["message"] for item in ("number-pair", "mail-otp")] == ["next", "next"]
    assert run.proof("new-login-password", hana.password)["outcome"] == "wrong"
    assert service.locks(hana.subject) == ["Y-LOGIN-3"]
    assert run.proof("new-login-password", "quiet river 11")["message"] == "done"


def test_Y_LOGIN_3_A9_reapply_lifts_it(service, mode):
    """Applying again online (A9) needs the cash card and a confirmation, and ends the old contract's locks."""
    hana = service.customer("basic-data", "card-pin")
    mode.run("login", hana).wrong("login-password", times=10)
    items = ("basic-data", "card-pin", "identity-confirmation", "new-addresses", "address-otp", "new-login-password")
    run = Verify(service).run("reapply", hana)
    assert [run.right(item)["message"] for item in items] == ["next"] * 5 + ["done"]
    assert service.locks(hana.subject) == []


# -- two stages, and a lock that time ends


def test_Y_NUMBER_2_three_end_the_run_and_ten_over_several_runs_lock_for_an_hour(service, mode):
    """Three wrong end the run, the tenth locks this function alone; after sixty minutes it opens with a count of zero."""
    hana = service.customer()
    said = []
    for times in (3, 3, 3, 1):
        run = mode.run("number-inquiry", hana)
        said += [run.wrong("login-password")["message"] for _ in range(times)]
    assert said == ["wrong", "wrong", "wrong-start-over"] * 3 + ["wrong-locked-for-a-while"]

    lock = service.lock(hana.account_subject)
    assert (lock["row"], lock["stage"], lock["operations"]) == ("Y-NUMBER-2", 10, ["number-inquiry"])
    assert service.locks(hana.subject) == []
    assert mode.run("login", hana).right("login-password")["outcome"] == "right"

    service.passes(59 * MINUTE)
    assert mode.run("number-inquiry", hana).right("login-password")["message"] == "locked-for-a-while"
    service.passes(2 * MINUTE)
    assert service.locks(hana.account_subject) == []
    assert service.count(hana.account_subject, "number-inquiry-password") == 0
    assert mode.run("number-inquiry", hana).right("login-password")["outcome"] == "right"


def test_Y_NUMBER_2_A5_the_lock_is_sixty_minutes_long(service, count):
    """A lock \"for a while\" is an hour, and entries made meanwhile do not lengthen it (A6)."""
    hana = service.customer()
    for times in (3, 3, 3, 1):
        count.run("number-inquiry", hana).wrong("login-password", times)
    before = service.lock(hana.account_subject)
    service.passes(30 * MINUTE)
    assert count.run("number-inquiry", hana).wrong("login-password")["outcome"] == "refused"
    assert service.lock(hana.account_subject)["until"] == before["until"]
    service.passes(30 * MINUTE)
    assert count.run("number-inquiry", hana).wrong("login-password")["outcome"] == "wrong"


# -- a pair


class Pairs:
    """Runs of re-registration with halves of one's choice."""

    def __init__(self, mode):
        self.mode = mode

    def wrong(self, account, customer, times=1):
        """Wrong pairs in runs of their own; what the last is answered."""
        answer = None
        for _ in range(times):
            typed = customer._replace(account=account.account)
            run = self.mode.run("reset-password", typed, named=False)
            if self.mode.name == "count":
                answer = run.wrong("number-pair")
            else:
                answer = run.proof("number-pair", {"account-number": account.account, "customer-number": customer.number})
        return answer


@pytest.mark.parametrize("known", ["both", "account", "customer", "neither"])
def test_Y_RESET_2_A1_a_wrong_pair_counts_once_on_each_typed_half(service, mode, known):
    """Known or not, and the answer is the same."""
    account = service.customer() if known in {"both", "account"} else nobody()
    customer = service.customer() if known in {"both", "customer"} else nobody()
    answer = Pairs(mode).wrong(account, customer, times=2)
    assert (answer["outcome"], answer["message"]) == ("wrong", "wrong")
    assert service.count(account.account_subject, "reset-by-account") == 2
    assert service.count(customer.subject, "reset-by-customer") == 2
    assert service.count(customer.account_subject, "reset-by-account") == service.count(account.subject, "reset-by-customer") == 0


def test_Y_RESET_2_the_third_wrong_pair_ends_the_run(service, mode):
    """And a new one begins at once."""
    hana, taro = service.customer(), service.customer()
    run = mode.run("reset-password", hana._replace(account=taro.account), named=False)
    pair = {"account-number": taro.account, "customer-number": hana.number}
    enter = (lambda: run.wrong("number-pair")) if mode.name == "count" else (lambda: run.proof("number-pair", pair))
    assert [enter()["message"] for _ in range(3)] == ["wrong", "wrong", "wrong-start-over"]
    assert mode.run("reset-password", hana, named=False).right("number-pair")["outcome"] == "right"


@pytest.mark.parametrize("half", ["account", "customer"], ids=["Y_RESET_1", "Y_RESET_2"])
def test_A2_either_half_reaching_ten_locks_re_registration(service, mode, half):
    """Ten wrong pairs with one half the same: the right pair with that half is refused for an hour; login is not touched."""
    hana = service.customer()
    pairs = Pairs(mode)
    for _ in range(10):
        answer = pairs.wrong(hana, nobody()) if half == "account" else pairs.wrong(nobody(), hana)
    assert answer["message"] == "wrong-locked-for-a-while"
    locked = hana.account_subject if half == "account" else hana.subject
    assert service.lock(locked)["operations"] == ["reset-password"]
    assert mode.run("reset-password", hana, named=False).right("number-pair")["message"] == "locked-for-a-while"
    assert mode.run("login", hana).right("login-password")["outcome"] == "right"
    service.passes(61 * MINUTE)
    assert mode.run("reset-password", hana, named=False).right("number-pair")["outcome"] == "right"


# -- two reaches


def test_Y_TRANSFER_2_three_wrong_token_codes_end_this_session_alone(service, mode):
    """The session he typed in ends; the customer's other session stays (A4)."""
    hana = service.customer("token-otp")
    here, there = service.session(hana), service.session(hana)
    run = mode.run("transfer", hana, here)
    assert [run.wrong("token-otp")["message"] for _ in range(3)] == ["wrong", "wrong", "wrong-start-over"]
    assert (service.live(here), service.live(there)) == (False, True)
    assert mode.run("transfer", hana, there).right("token-otp")["outcome"] == "right"


def test_Y_TRANSFER_2_Y_PAYEASY_2_ninety_nine_in_a_row_over_both_block_login(service, mode):
    """Ninety-six taken over, two wrong in a transfer, one in another session's Pay-easy: login is blocked, both sessions end."""
    hana = service.customer("token-otp")
    service.put(hana.subject, {"counts": {"token-in-a-row": 96}}, "token-otp")
    one, other = service.session(hana), service.session(hana)
    assert mode.run("transfer", hana, one).wrong("token-otp", times=2)["message"] == "wrong"
    assert mode.run("payeasy", hana, other).wrong("token-otp")["message"] == "wrong-locked"
    assert service.lock(hana.subject)["row"] in {"Y-TRANSFER-2", "Y-PAYEASY-2"}
    assert service.count(hana.subject, "token-in-a-row") == 99
    assert (service.live(one), service.live(other)) == (False, False)
    assert mode.run("login", hana).right("login-password")["message"] == "locked"


def test_A19_the_ninety_nine_is_lifted_with_a_token_check_and_not_without(service, mode):
    """Re-registration alone leaves it; re-registration with a check of the token lifts it and zeroes the count."""
    hana = service.customer("token-otp")
    service.put(hana.subject, {"counts": {"token-in-a-row": 98}}, "token-otp")
    mode.run("transfer", hana).wrong("token-otp")
    assert [path["path"] for path in service.lock(hana.subject)["release"]] == ["reset-password-and-token-check"]

    plain = Verify(service).run("reset-password", hana)
    assert [plain.right(item)["message"] for item in ("number-pair", "mail-otp", "new-login-password")] == ["next", "next", "done"]
    assert len(service.locks(hana.subject)) == 1

    checked = Verify(service).run("token-check", hana)
    items = ("number-pair", "mail-otp", "token-resync", "new-login-password")
    assert [checked.right(item)["message"] for item in items] == ["next"] * 3 + ["done"]
    assert service.locks(hana.subject) == []
    assert service.count(hana.subject, "token-in-a-row") == 0


# -- an erased authenticator


def test_Y_TRANSFER_3_A3_five_wrong_passcodes_over_all_operations_erase_it(service, mode):
    """One count per enrolment: two wrong in a transfer, two in Pay-easy, one at the addresses; then it is gone."""
    hana = service.customer("app-passcode")
    session = service.session(hana)
    mode.run("transfer", hana, session).wrong("app-passcode", times=2)
    mode.run("payeasy", hana, session).wrong("app-passcode", times=2)
    assert mode.run("mail-address", hana, session).wrong("app-passcode")["message"] == "wrong-register-again"
    for operation in ("transfer", "payeasy", "mail-address"):
        assert mode.run(operation, hana, session).right("app-passcode")["message"] == "register-again"
    assert service.lock(hana.app_subject)["items"] == ["app-passcode", "app-fingerprint", "app-face-id", "app-face"]
    assert service.view(hana.app_subject)["authenticators"] == []


def test_Y_TRANSFER_3_a_count_taken_over_at_five_erases_it_before_the_next_entry_is_looked_at(service, mode):
    """What is owed falls first, and with it goes what is on record."""
    hana = service.customer("app-passcode")
    service.put(hana.app_subject, {"counts": {"app-passcode-in-a-row": 5}}, "app-passcode")
    assert mode.run("transfer", hana).right("app-passcode")["message"] == "register-again"
    assert service.view(hana.app_subject)["authenticators"] == []
    assert service.count(hana.app_subject, "app-passcode-in-a-row") == 5


def test_Y_TRANSFER_3_setting_the_passcode_again_lifts_it(service, mode):
    """The new passcode is taken, the old one is wrong, and the count begins at zero; the biometrics stay erased."""
    hana = service.customer("app-passcode")
    mode.run("transfer", hana).wrong("app-passcode", times=5)
    service.put(hana.app_subject, {"secret": "111222"}, "app-passcode")
    if mode.name == "verify":
        assert mode.run("transfer", hana).right("app-passcode")["outcome"] == "wrong"
    new = hana._replace(passcode="111222")
    assert mode.run("transfer", new).right("app-passcode")["outcome"] == "right"
    assert service.count(hana.app_subject, "app-passcode-in-a-row") == 0
    assert mode.run("login", hana).right("app-face")["message"] == "register-again"


def test_Y_TRANSFER_4_a_removed_account_must_be_added_again(service, mode):
    """Five wrong transaction codes remove the account from the app with all that was kept there; adding it again brings it back."""
    hana = service.customer("app-passcode", "transaction-code")
    mode.run("transfer", hana).wrong("transaction-code", times=5)
    assert mode.run("transfer", hana).right("app-passcode")["message"] == "register-again"
    assert service.view(hana.app_subject)["authenticators"] == []
    run = Verify(service).run("add-account", hana)
    assert [run.right(item)["message"] for item in ("login-password", "mail-otp", "new-app-passcode")] == ["next", "next", "done"]
    assert service.locks(hana.app_subject) == []


# -- a count shared over operations


def test_A13_Y_ACCOUNT_2_Y_APPLY_2_four_wrong_in_any_mix_close_them_all(service, mode):
    """Card PIN and last balance, in registration and in both applications: one count (A13)."""
    hana, yuki = service.customer(), service.account()
    said = [
        mode.run("register-account", hana, about=yuki).wrong("last-balance"),
        mode.run("web-application", yuki).wrong("card-pin"),
        mode.run("telephone-application", yuki).wrong("card-pin"),
        mode.run("register-account", hana, about=yuki).wrong("card-pin"),
    ]
    assert [answer["message"] for answer in said] == ["wrong", "wrong", "wrong", "wrong-locked"]
    for operation in ("web-application", "telephone-application", "reapply"):
        assert mode.run(operation, yuki).right("basic-data")["message"] == "locked"
    for item in ("card-pin", "last-balance"):
        assert mode.run("register-account", hana, about=yuki).right(item)["message"] == "locked"
    assert service.counts(hana.subject) == {}
    assert mode.run("login", hana).right("login-password")["outcome"] == "right"


def test_Y_ACCOUNT_2_nobody_can_release_it(service, count):
    """No operator, no path: the way round is on paper (F3)."""
    hana, yuki = service.customer(), service.account()
    count.run("register-account", hana, about=yuki).wrong("card-pin", times=4)
    for lock in service.view(yuki.account_subject)["locks"]:
        assert [path["path"] for path in lock["release"]] == ["no-release"]
        for path in ("no-release", "form-3", "form-1-5"):
            assert service.release(yuki.account_subject, path, "endo", lock["id"]).status_code == 409


# -- a lock on another


def test_Y_ACCOUNT_3_the_lock_falls_on_the_account_being_registered(service, mode):
    """Ten wrong passwords of Taro's, typed by Hana: Taro's login is blocked and he is told; Hana goes on."""
    hana, taro = service.customer(), service.customer()
    mine, his, after = service.session(hana), service.session(taro), service.now_in_feed()
    said = mode.run("register-account", hana, mine, about=taro).outcomes("login-password", "wrong", 10)
    assert said == ["wrong"] * 10
    assert service.locks(hana.subject) == []
    assert service.lock(taro.subject)["operations"] == ["login"]
    assert mode.run("login", taro).right("login-password")["message"] == "locked"
    assert mode.run("login", hana).right("login-password")["outcome"] == "right"
    assert (service.live(mine), service.live(his)) == (True, False)
    told = service.told_since(after)
    assert [kind for kind, subject in told if subject == taro.subject and kind in {"lock-set", "notice-due"}] == ["lock-set", "notice-due"]
    assert ("notice-due", hana.subject) not in told


def test_Y_ACCOUNT_3_the_count_is_that_of_his_own_login(service, mode):
    """Six wrong at his login and four in Hana's registration are ten."""
    hana, taro = service.customer(), service.customer()
    mode.run("login", taro).wrong("login-password", times=6)
    assert mode.run("register-account", hana, about=taro).wrong("login-password", times=4)["message"] == "wrong-locked"
    assert service.count(taro.subject, "login-password-in-a-row") == 10
    assert service.counts(hana.subject) == {}
    assert "form-1-1" in [path["path"] for path in service.lock(taro.subject)["release"]]


# -- locks that abolished items have left


def abolished(service, row):
    """A customer taken over with a suspension that an abolished item had caused."""
    hana = service.customer("token-otp", "basic-data", "card-pin")
    item = {"Y-ABOLISHED-1": "direct-pin", "Y-ABOLISHED-2": "secret-word"}[row]
    service.put(hana.subject, {"locks": [{"row": row, "since": "2018-05-01T00:00:00Z"}]}, item)
    return hana


def test_Y_ABOLISHED_1_login_works_and_everything_else_is_refused(service, mode):
    """The suspension stands though no one can enter the direct PIN any more."""
    hana = abolished(service, "Y-ABOLISHED-1")
    lock = service.lock(hana.subject)
    assert (lock["row"], lock["since"], lock["until"]) == ("Y-ABOLISHED-1", "2018-05-01T00:00:00.000Z", None)
    assert mode.run("login", hana).right("login-password")["outcome"] == "right"
    for operation, item in (("transfer", "token-otp"), ("lift-suspension", "mail-otp"), ("reset-password", "number-pair")):
        assert mode.run(operation, hana).right(item)["message"] == "locked"


@pytest.mark.parametrize("path", ["lift-suspension", "reapply", "form-1-1", "form-3"])
def test_Y_ABOLISHED_1_no_other_path_lifts_it(service, count, path):
    """Only form F1 number 5."""
    hana = abolished(service, "Y-ABOLISHED-1")
    assert [one["path"] for one in service.lock(hana.subject)["release"]] == ["form-1-5"]
    assert service.release(hana.subject, path).status_code == 409
    assert service.locks(hana.subject) == ["Y-ABOLISHED-1"]


def test_Y_ABOLISHED_1_form_1_5_lifts_it(service, mode):
    """By two persons; then a transfer goes through."""
    hana = abolished(service, "Y-ABOLISHED-1")
    service.released(hana.subject, "form-1-5")
    assert service.locks(hana.subject) == []
    assert mode.run("transfer", hana).right("token-otp")["outcome"] == "right"


def test_Y_ABOLISHED_2_applying_again_online_lifts_it(service, mode):
    """Or form F1 number 5."""
    hana, taro = abolished(service, "Y-ABOLISHED-2"), abolished(service, "Y-ABOLISHED-2")
    assert mode.run("transfer", hana).right("token-otp")["message"] == "locked"
    run = Verify(service).run("reapply", hana)
    for item in ("basic-data", "card-pin", "identity-confirmation", "new-addresses", "address-otp", "new-login-password"):
        assert run.right(item)["outcome"] == "right"
    assert service.locks(hana.subject) == []
    service.released(taro.subject, "form-1-5")
    assert service.locks(taro.subject) == []
