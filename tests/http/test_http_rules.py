"""The rules over the whole table, and how its gaps are read, over HTTP."""

import re

import pytest
from bankside import DAY, MINUTE, MODES, Service, Verify

from sekisho.policy import reference

# -- the rules


def test_Y_RULE_1_a_right_entry_zeroes_a_count_in_a_row(service, mode):
    """Nine wrong, one right, nine wrong: login is still open."""
    hana = service.customer()
    for _ in range(2):
        run = mode.run("login", hana)
        assert run.outcomes("login-password", "wrong", 9) == ["wrong"] * 9
        assert run.right("login-password")["outcome"] == "right"
        assert service.count(hana.subject, "login-password-in-a-row") == 0
    assert service.locks(hana.subject) == []


def test_Y_RULE_1_a_count_that_led_to_a_timed_lock_is_zero_when_it_ends(service, mode):
    """After the hour nine more wrong entries lock nothing, and the tenth does."""
    hana = service.customer()
    for round_ in range(2):
        for _ in range(9):
            assert mode.run("number-inquiry", hana).wrong("login-password")["message"] == "wrong"
        assert mode.run("number-inquiry", hana).wrong("login-password")["message"] == "wrong-locked-for-a-while", round_
        service.passes(60 * MINUTE)


def test_Y_RULE_1_A20_counts_of_a_run_begin_anew_with_the_run(service, mode):
    """Two wrong in each of four runs end none of them; within a run a right entry takes nothing back from the three."""
    hana = service.customer()
    for _ in range(4):
        run = mode.run("reset-password", hana, named=False)
        assert [run.wrong("number-pair")["message"] for _ in range(2)] == ["wrong", "wrong"]


def test_Y_RULE_2_a_right_entry_takes_back_only_its_own_items_wrong_ones(service, mode):
    """Two wrong balances stand after a right card PIN; two wrong PINs more close the account."""
    hana, yuki = service.customer(), service.account()
    run = mode.run("register-account", hana, about=yuki)
    assert run.wrong("last-balance", times=2)["message"] == "wrong"
    assert mode.run("web-application", yuki).wrong("card-pin")["message"] == "wrong"
    assert mode.run("web-application", yuki).right("card-pin")["outcome"] == "right"
    assert service.count(yuki.account_subject, "card-in-a-row") == 2
    assert mode.run("web-application", yuki).wrong("card-pin", times=2)["message"] == "wrong-locked"


def test_Y_RULE_3_the_one_who_typed_is_not_the_one_who_is_locked(service, mode):
    """Counts and lock stand on the account that was typed about; nothing stands on whoever typed."""
    hana, taro = service.customer(), service.customer()
    mode.run("register-account", hana, about=taro).wrong("login-password", times=10)
    assert (service.counts(hana.subject), service.locks(hana.subject)) == ({}, [])
    assert len(service.locks(taro.subject)) == 1


def test_Y_RULE_4_three_in_the_session_and_ninety_nine_over_all_of_them(service, mode):
    """Each session ends at its third; the long count goes on over sessions and operations, and another token keeps it."""
    hana = service.customer("token-otp")
    for operation in ("transfer", "payeasy"):
        run = mode.run(operation, hana)
        assert run.wrong("token-otp", times=3)["message"] == "wrong-start-over"
    assert service.count(hana.subject, "token-in-a-row") == 6
    service.put(hana.subject, {"secret": "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"}, "token-otp")
    assert service.count(hana.subject, "token-in-a-row") == 6
    new = hana._replace(token_seed="KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU")
    assert mode.run("transfer", new).right("token-otp")["outcome"] == "right"
    assert service.count(hana.subject, "token-in-a-row") == 0


def test_Y_RULE_5_A10_who_suspends_his_own_use_can_log_in_and_lift_it(service, verify):
    """Suspended from the session: login works, everything but lifting is refused; a code by mail lifts it."""
    hana = service.customer("token-otp")
    session = service.session(hana)
    assert verify.run("suspend", hana, session).right("consent")["message"] == "done"
    assert [service.lock(hana.subject)[field] for field in ("row", "kind")] == ["Y-RULE-5", "suspend"]
    assert verify.run("transfer", hana, session).right("amount-and-payee")["message"] == "locked"
    session = service.session(hana)
    assert verify.run("lift-suspension", hana, session).right("mail-otp")["message"] == "done"
    assert service.locks(hana.subject) == []
    assert verify.run("transfer", hana, session).right("amount-and-payee")["outcome"] == "right"


# -- the readings


def test_A3_telephone_counts_stand_on_the_account_the_caller_named(service, mode):
    """Five wrong PINs on Hana's account, whoever calls: her telephone service closes, her login does not, and Taro's account is untouched."""
    hana, taro = service.customer("telephone-pin"), service.customer("telephone-pin")
    assert mode.run("telephone-service", hana).wrong("telephone-pin", times=5)["message"] == "wrong-locked"
    assert service.lock(hana.account_subject)["operations"] == ["telephone-service"]
    assert mode.run("login", hana).right("login-password")["outcome"] == "right"
    assert (service.counts(taro.account_subject), service.locks(taro.account_subject)) == ({}, [])


def test_A4_only_the_session_of_the_entry_ends(service, mode):
    """Fifteen wrong codes at the address change end that session; the other one lives and its runs go on."""
    hana = service.customer("token-otp")
    here, there = service.session(hana), service.session(hana)
    beside = mode.run("transfer", hana, there)
    beside.right("amount-and-payee")
    mode.run("mail-address", hana, here).wrong("mail-otp", times=15)
    assert (service.live(here), service.live(there)) == (False, True)
    assert beside.right("token-otp")["outcome"] == "right"


def test_A6_entries_while_a_lock_stands_count_nothing(service, mode):
    """Twenty wrong ones during the lock: no count moves, the lock ends when it would have."""
    hana = service.customer()
    for _ in range(10):
        mode.run("number-inquiry", hana).wrong("login-password")
    counts, lock = service.counts(hana.account_subject) | service.counts(hana.subject), service.lock(hana.account_subject)
    for _ in range(20):
        assert mode.run("number-inquiry", hana).wrong("login-password")["message"] == "locked-for-a-while"
    service.passes(1)
    assert service.counts(hana.account_subject) | service.counts(hana.subject) == counts
    after = service.lock(hana.account_subject)
    assert (after["since"], after["until"]) == (lock["since"], lock["until"])
    assert after["refused"]["number"] == 20


def test_A7_the_count_of_codes_belongs_to_the_run(service, mode):
    """Fourteen wrong codes end nothing, in this run or the next; the fifteenth of one run does."""
    hana = service.customer()
    first, second = mode.run("mail-address", hana), mode.run("mail-address", hana)
    assert first.outcomes("mail-otp", "wrong", 14) == second.outcomes("mail-otp", "wrong", 14) == ["wrong"] * 14
    assert second.wrong("mail-otp")["message"] == "wrong-start-over"
    assert first.right("mail-otp")["outcome"] == "right"


CEILINGS = (
    # counter, item, whose; one more wrong entry at; what is refused then
    ("login-password-a-year", "login-password", "subject", ("login", "login-password"), ("login", "login-password")),
    ("login-password-a-year", "login-password", "subject", ("number-inquiry", "login-password"), ("login", "login-password")),
    ("token-codes-a-year", "token-otp", "subject", ("transfer", "token-otp"), ("login", "login-password")),
    ("mail-codes-a-year", "mail-otp", "subject", ("number-inquiry", "mail-otp"), ("mail-address", "mail-otp")),
    ("identity-confirmations-a-year", "identity-confirmation", "account_subject", ("web-application", "identity-confirmation"),
     ("telephone-application", "basic-data")),
)


@pytest.mark.parametrize(("counter", "item", "whose", "entry", "then"), CEILINGS)
def test_A8_a_hundred_in_a_year_over_all_operations(service, mode, counter, item, whose, entry, then):
    """Ninety-nine taken over; the hundredth locks, whichever operation it is entered in."""
    hana = service.customer("token-otp", "app-passcode", "basic-data", "card-pin")
    service.put(getattr(hana, whose), {"counts": {counter: 99}}, item)
    assert mode.run(entry[0], hana).wrong(entry[1])["message"] == "wrong-locked"
    assert mode.run(then[0], hana).right(then[1])["message"] == "locked"
    assert service.lock(getattr(hana, whose))["counter"] == counter


def test_A8_no_success_and_no_timed_lock_clears_the_year(service, mode):
    """Ten an hour through number inquiry: the count in a row falls to zero each time, the year's goes on."""
    hana = service.customer()
    for hour in range(2):
        for _ in range(10):
            mode.run("number-inquiry", hana).wrong("login-password")
        service.passes(61 * MINUTE)
        assert service.count(hana.subject, "login-password-a-year") == 10 * (hour + 1)
    assert mode.run("login", hana).right("login-password")["outcome"] == "right"
    assert service.count(hana.subject, "login-password-a-year") == 20


def test_A8_a_year_later_the_old_ones_are_forgotten(service, count):
    """Not before 365 days, and at most a thirty-second of a year after."""
    hana = service.customer()
    count.run("login", hana).wrong("login-password", times=9)
    service.passes(364 * DAY)
    assert service.count(hana.subject, "login-password-a-year") == 9
    service.passes(14 * DAY)
    assert service.count(hana.subject, "login-password-a-year") == 0
    assert service.count(hana.subject, "login-password-in-a-row") == 9


def test_A8_a_release_zeroes_the_count_its_lock_came_from(service, count):
    """And only that: what stands elsewhere goes on. What one stage set at once is lifted at once."""
    hana = service.customer()
    service.put(hana.subject, {"counts": {"login-password-a-year": 99, "token-in-a-row": 7}}, "login-password")
    count.run("login", hana).wrong("login-password")
    assert set(service.locks(hana.subject)) == {"login-password-a-year"}
    service.released(hana.subject, "form-1-1")
    assert service.locks(hana.subject) == []
    assert service.counts(hana.subject) == {"login-password-in-a-row": 1, "token-in-a-row": 7}


def test_A9_a_locked_card_pin_closes_applying_again(service, mode):
    """Then paper is the way: the block of login stands."""
    hana = service.customer("basic-data", "card-pin")
    mode.run("login", hana).wrong("login-password", times=10)
    assert mode.run("reapply", hana).wrong("card-pin", times=4)["message"] == "wrong-locked"
    assert mode.run("reapply", hana).right("basic-data")["message"] == "locked"
    assert service.locks(hana.subject) == ["Y-LOGIN-3"]


@pytest.mark.parametrize("operation", ["number-inquiry", "reset-password", "lift-suspension"])
def test_A12_the_one_time_password_there_is_a_code_by_mail_with_fifteen(service, mode, operation):
    """Fourteen wrong ones end nothing; the fifteenth ends the run, and locks nobody."""
    hana = service.customer()
    run = mode.run(operation, hana)
    assert run.wrong("mail-otp", times=14)["message"] == "wrong"
    assert run.wrong("mail-otp")["message"] == "wrong-start-over"
    assert service.locks(hana.subject) == service.locks(hana.account_subject) == []


def test_A15_ten_wrong_confirmation_codes_close_applications_for_an_hour(service, mode):
    """Both of them, for that account; then one may wait and start over."""
    yuki = service.account()
    assert mode.run("web-application", yuki).wrong("identity-confirmation", times=10)["message"] == "wrong-locked-for-a-while"
    for operation in ("web-application", "telephone-application"):
        assert mode.run(operation, yuki).right("basic-data")["message"] == "locked-for-a-while"
    service.passes(61 * MINUTE)
    assert mode.run("web-application", yuki).right("basic-data")["outcome"] == "right"


def test_A16_the_identifier_ends_its_run_at_fifteen_without_a_lock(service, verify):
    """Both hold: no lock, and the run is over."""
    for operation, item in (("login", "customer-number"), ("number-inquiry", "account-number")):
        run = verify.run(operation, service.customer(), named=False)
        assert run.wrong(item, times=14)["state"] == "open"
        assert run.wrong(item)["state"] == "ended"


def test_A17_every_session_of_the_blocked_customer_ends_and_no_other(service, count):
    """His two, not his neighbour's; a session opened after the release lives."""
    hana, taro = service.customer(), service.customer()
    his = [service.session(hana), service.session(hana)]
    neighbour = service.session(taro)
    count.run("login", hana).wrong("login-password", times=10)
    assert [service.live(session) for session in (*his, neighbour)] == [False, False, True]
    service.released(hana.subject, "form-1-1")
    service.put(hana.subject, {"secret": hana.password}, "login-password")
    assert service.live(service.session(hana)) is True
    assert [service.live(session) for session in his] == [False, False]


def test_A17_a_run_begun_before_the_lock_cannot_be_finished_after_it(service, verify):
    """Every path asks the locks at its last step too (the flow begun before the lock)."""
    hana = service.customer()
    begun = verify.run("login", hana)
    Verify(service).run("login", hana).wrong("login-password", times=10)
    answer = begun.now("login-password")
    assert (answer["outcome"], answer.get("session")) == ("refused", None)


def test_A17_a_run_without_a_session_ends_with_a_block_too(service, verify):
    """It is its own session: the block ends it whatever it is for; begun again after the block it goes through."""
    hana = service.customer()
    begun = verify.run("reset-password", hana)
    assert begun.right("number-pair")["outcome"] == "right"
    blocking = verify.run("login", hana)
    blocking.wrong("login-password", times=9)
    assert blocking.wrong("login-password") == {"outcome": "wrong", "state": "ended", "next": [], "message": "wrong-locked", "article": "/manual/operation/login"}
    assert begun.look() == {"state": "ended", "next": [], "message": "start-over"}
    assert begun.now("mail-otp")["message"] == "start-over"
    again = verify.run("reset-password", hana)
    assert [again.right(item)["message"] for item in ("number-pair", "mail-otp", "new-login-password")] == ["next", "next", "done"]


def test_A17_an_entry_that_is_a_run_of_its_own_ends_in_count_mode_too(service, count):
    """A right token code that the bank was comparing while login was blocked opens nothing; one after the block is counted again."""
    hana = service.customer("token-otp")
    body = {"operation": "transfer", "item": "token-otp", "subject": hana.subject}
    held = service.post("/v1/reservations", body).json()["reservation"]
    assert count.run("login", hana).wrong("login-password", times=10)["state"] == "ended"
    assert count.run("transfer", hana).verdict(held, "right")["outcome"] == "refused"
    assert service.post("/v1/reservations", body).json()["outcome"] == "granted"


def test_A18_what_is_abolished_is_so_from_its_day_on(service):
    """21 April 2019, 6 May 2021 and 4 July 2023, Tokyo time."""
    table = service.app.table
    assert table.zone == "Asia/Tokyo"
    assert [table.abolished[row].since for row in ("Y-ABOLISHED-1", "Y-ABOLISHED-2")] == ["2019-04-21", "2021-05-06"]
    mails = [row for name in ("transfer", "payeasy") for row in table.operations[name].rows["mail-otp"]]
    assert {row.abolished for row in mails} == {"2023-07-04"}


@pytest.fixture(scope="module")
def major(tmp_path_factory, cheap_hashes):
    """A service under the other bank's policy."""
    made = Service(tmp_path_factory.mktemp("major"), reference("major-bank"))
    yield made
    made.close()


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_A21_the_other_bank_blocks_login_at_ten_and_ends_the_session_at_five_codes(major, mode):
    """A code asked because of risk costs the run, not the login; the tenth wrong password costs the login."""
    hana, taro = major.customer(flags=("identity-demanded",)), major.customer()
    assert mode(major).run("login", hana).wrong("risk-code", times=4)["message"] == "wrong"
    run = mode(major).run("login", hana)
    assert [run.wrong("risk-code")["message"] for _ in range(5)] == ["wrong"] * 4 + ["wrong-start-over"]
    assert major.locks(hana.subject) == []
    assert [mode(major).run("login", taro).wrong("login-password")["message"] for _ in range(10)] == ["wrong"] * 9 + ["wrong-locked"]


@pytest.mark.parametrize("right_before", [False, True])
def test_A11_the_release_code_has_five_tries_in_all_and_then_the_desk_must_give_another(major, right_before):
    """Over all runs, and no right entry gives one back; then it is refused, and only deleting the addresses anew opens it."""
    hana = major.customer(flags=("addresses-deleted",))
    mode = MODES["count"](major)
    said = [mode.run("reset-password", hana).wrong("release-code")["message"] for _ in range(4)]
    if right_before:
        assert mode.run("reset-password", hana).right("release-code")["outcome"] == "right"
    said.append(mode.run("reset-password", hana).wrong("release-code")["message"])
    assert said == ["wrong"] * 4 + ["wrong-locked"]
    assert mode.run("reset-password", hana).right("release-code")["message"] == "locked"
    assert major.count(hana.subject, "release-code-in-total") == 5
    assert [path["path"] for path in major.lock(hana.subject)["release"]] == ["delete-addresses"]


def test_A22_a_stranger_who_knows_the_numbers_closes_every_way_but_paper(service, verify):
    """Login, re-registration and applying again; the form lifts the first two, and its letter lets her in."""
    hana = service.customer("basic-data", "card-pin")
    verify.run("login", hana).wrong("login-password", times=10)
    for _ in range(10):
        verify.run("reset-password", hana, named=False).wrong("number-pair")
    MODES["count"](service).run("reapply", hana).wrong("card-pin", times=4)
    closed = {"login": "login-password", "reset-password": "number-pair", "reapply": "basic-data"}
    assert {verify.run(name, hana).right(item)["outcome"] for name, item in closed.items()} == {"refused"}
    assert {row for paper in service.app.table.paper for row in paper.rows} >= {"Y-LOGIN-3", "Y-RESET-2", "Y-APPLY-2"}
    service.released(hana.subject, "form-1-1")
    (letter, *_) = service.received(hana.subject, "letter")
    password = re.search(r"\d{12}", letter.body)[0]
    assert verify.run("login", hana).proof("login-password", password)["outcome"] == "right"


# -- sessions of the customer's own


def test_a_session_ends_when_it_is_ended_or_left_alone(service, verify):
    """Logged out, idle for ten minutes, or eight hours old: its runs are refused and no new one begins."""
    hana = service.customer("token-otp")
    out, idle = service.session(hana), service.session(hana)
    run = verify.run("transfer", hana, out)
    assert service.call("DELETE", f"/v1/sessions/{out}").status_code == 200
    assert run.right("amount-and-payee")["message"] == "start-over"
    service.passes(11 * MINUTE)
    assert service.live(idle) is False
    body = {"operation": "transfer", "subject": hana.subject, "session": idle}
    assert service.post("/v1/procedures", body).status_code == 409


@pytest.mark.parametrize("session", [None, "not-a-session", "of Taro"])
def test_what_needs_a_session_does_not_begin_without_one_of_this_customer(service, session):
    """No session, none of that name, or somebody else's: 409, and nothing is begun."""
    hana, taro = service.customer(), service.customer()
    body = {"operation": "transfer", "subject": hana.subject}
    if session is not None:
        body["session"] = service.session(taro) if session == "of Taro" else session
    assert service.post("/v1/procedures", body).status_code == 409


def test_an_item_out_of_turn_is_not_accepted_and_counts_nothing(service, verify):
    """The steps are taken in order; skipping to a later one gives nothing."""
    hana = service.customer("basic-data", "card-pin")
    run = verify.run("web-application", hana)
    assert run.now("card-pin", "wrong")["message"] == "not-accepted"
    assert run.now("new-login-password")["message"] == "not-accepted"
    assert service.counts(hana.account_subject) == {}
    assert run.asks() == ["basic-data"]
