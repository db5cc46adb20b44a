"""M-STOP-1 and M-NOTICE-1 over HTTP: who may stop whom for how long, how it ends, and who is told of a lock how often."""

import itertools

import pytest
from bankside import DAY, MINUTE, MODES, nobody

HOUR = 60 * MINUTE
_devices = itertools.count(1)


def device():
    """Somebody at a device that nobody has used before."""
    return {"device": f"device {next(_devices)}"}


def stop(service, customer, by="bank", **how):
    return service.post("/v1/stops", {"subject": customer.subject, "context": device(), **how}, by)


def outcome(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["outcome"]


def by_staff(service, customer, by="aoki", **how):
    return service.post(f"/v1/staff/subjects/{customer.subject}/stops", {"reason": "he telephoned", **how}, by)


def login(service, customer):
    return MODES["verify"](service).run("login", customer).right("login-password")


def stands(service, customer):
    return "M-STOP-1" in service.locks(customer.subject)


# -- who, and for how long


@pytest.mark.parametrize("known_by", ["known-device", "number-on-file"])
def test_M_STOP_1_somebody_known_stops_until_it_is_lifted(service, known_by):
    hana = service.customer()
    assert outcome(stop(service, hana, known_by=known_by)) == "stopped"
    assert service.lock(hana.subject)["until"] is None
    service.passes(30 * DAY)
    assert stands(service, hana)
    assert login(service, hana)["outcome"] == "refused"


def test_M_STOP_1_out_of_a_session_it_holds_until_it_is_lifted_and_ends_the_session(service):
    hana = service.customer()
    session, another = service.session(hana), service.session(hana)
    assert outcome(stop(service, hana, session=session)) == "stopped"
    assert service.lock(hana.subject)["until"] is None
    assert not service.live(session) and not service.live(another)


def test_M_STOP_1_a_session_of_another_customer_or_one_that_has_ended_makes_nobody_known(service):
    hana, yuki = service.customer(), service.customer()
    others, ended = service.session(yuki), service.session(hana)
    service.call("DELETE", f"/v1/sessions/{ended}")
    for session in (others, ended, "none", "~foreign"):
        assert outcome(stop(service, hana, session=session)) == "stopped"
    assert service.lock(hana.subject)["until"] is not None


def test_M_STOP_1_a_stranger_stops_for_a_day_at_most(service):
    hana = service.customer()
    assert outcome(stop(service, hana)) == "stopped"
    service.passes(DAY - MINUTE)
    assert login(service, hana)["outcome"] == "refused"
    service.passes(2 * MINUTE)
    assert login(service, hana)["outcome"] == "right"


def test_M_STOP_1_strangers_stop_a_customer_once_in_seven_days(service):
    """Whoever they are; and what they ask for while he is stopped prolongs nothing."""
    hana = service.customer()
    until = [outcome(stop(service, hana)) and service.lock(hana.subject)["until"] for _ in range(3)]
    assert len(set(until)) == 1
    for _ in range(5):
        service.passes(DAY + HOUR)
        assert outcome(stop(service, hana)) == "refused"
    assert login(service, hana)["outcome"] == "right"
    service.passes(3 * DAY)
    assert outcome(stop(service, hana)) == "stopped"


def test_M_STOP_1_a_stranger_is_counted_and_stops_one_customer_in_seven_days(service):
    hana, yuki, caller = service.customer(), service.customer(), {"device": "a sweeper's"}
    assert outcome(stop(service, hana, context=caller)) == "stopped"
    assert outcome(stop(service, yuki, context=caller)) == "refused"
    assert not stands(service, yuki)
    service.passes(8 * DAY)
    assert outcome(stop(service, yuki, context=caller)) == "stopped"


def test_M_STOP_1_whoever_telephones_is_counted_by_his_number(service):
    number = f"caller:{next(_devices)}"
    for customer in (service.customer(), service.customer()):
        stop(service, customer, context={**device(), "caller": number})
    assert service.counts(number) == {"emergency-stops": 2}


def test_M_STOP_1_the_customer_himself_makes_lasting_what_a_stranger_began(service):
    hana = service.customer()
    stop(service, hana)
    assert outcome(stop(service, hana, known_by="number-on-file")) == "stopped"
    assert [lock["until"] for lock in service.view(hana.subject)["locks"]] == [None]
    assert outcome(stop(service, hana)) == "stopped", "a stranger makes nothing less of it"
    assert service.lock(hana.subject)["until"] is None


def test_M_STOP_1_is_not_told_apart_for_somebody_nobody_has_enrolled(service):
    hana, stranger = service.customer(), nobody()
    answers = [[stop(service, one).json() for _ in range(2)] for one in (hana, stranger)]
    service.passes(DAY + HOUR)
    answers = [[*seen, stop(service, one).json()] for seen, one in zip(answers, (hana, stranger), strict=True)]
    assert answers[0] == answers[1]
    assert [one["outcome"] for one in answers[0]] == ["stopped", "stopped", "refused"]


def test_M_STOP_1_an_account_stands_for_its_customer(service):
    hana = service.customer()
    assert outcome(service.post("/v1/stops", {"subject": hana.account_subject, "known_by": "number-on-file"})) == "stopped"
    assert stands(service, hana)


# -- what it closes


def test_M_STOP_1_login_and_transfers_are_refused_and_what_was_begun_is_over(service):
    hana = service.customer("token-otp")
    session = service.session(hana)
    transfer = MODES["verify"](service).run("transfer", hana, session=session)
    transfer.right("amount-and-payee")
    begun = MODES["verify"](service).run("login", hana)
    stop(service, hana, session=session)
    assert begun.right("login-password")["outcome"] == "refused"
    assert (transfer.look()["state"], begun.look()["state"]) == ("ended", "ended")
    assert login(service, hana)["outcome"] == "refused"


def test_M_STOP_1_a_right_answer_on_its_way_opens_nothing(service):
    """Count mode: the guess was taken before, its verdict comes after."""
    hana = service.customer()
    body = {"operation": "login", "item": "login-password", "subject": hana.subject}
    held = service.post("/v1/reservations", body).json()["reservation"]
    stop(service, hana, known_by="known-device")
    assert service.post(f"/v1/reservations/{held}/verdict", {"verdict": "right"}).json()["outcome"] == "refused"


def test_M_STOP_1_costs_no_guess_and_gives_none_back(service):
    hana = service.customer()
    MODES["verify"](service).run("login", hana).wrong("login-password", times=3)
    before = service.count(hana.subject, "login-password-in-a-row")
    stop(service, hana, known_by="known-device")
    service.released(hana.subject, "form-1-5")
    assert (before, service.count(hana.subject, "login-password-in-a-row")) == (3, 3)


# -- the desk


@pytest.mark.parametrize("by", ["aoki", "chiba"])
@pytest.mark.parametrize("hour", [0, 8, 12, 21])
def test_M_STOP_1_first_and_second_line_stop_at_any_hour(service, by, hour):
    hana = service.customer()
    now_s = service.clock() // 1_000_000 + 9 * 3600
    service.passes((hour * 3600 - now_s) % DAY)
    assert outcome(by_staff(service, hana, by, known_by="number-on-file")) == "stopped"
    assert stands(service, hana)


@pytest.mark.parametrize("by", ["endo", "goto", "ito"])
def test_M_STOP_1_others_may_not(service, by):
    hana = service.customer()
    assert by_staff(service, hana, by).json()["type"] == "/problems/may-not-stop"
    assert not stands(service, hana)


def test_M_STOP_1_a_stranger_on_the_telephone_is_bounded_like_any_other(service):
    hana = service.customer()
    assert outcome(by_staff(service, hana, caller=f"caller:{next(_devices)}")) == "stopped"
    assert service.lock(hana.subject)["until"] is not None
    service.passes(DAY + HOUR)
    assert outcome(by_staff(service, hana)) == "refused"


def test_M_STOP_1_the_act_names_its_operator_and_the_refusal_too(service):
    hana = service.customer()
    by_staff(service, hana)
    service.passes(DAY + HOUR)
    by_staff(service, hana, by="chiba")
    told = [(event["kind"], event["operator"]) for event in service.view(hana.subject)["events"] if event["kind"].startswith("stop")]
    assert told == [("stop-refused", "chiba"), ("stopped", "aoki")]


# -- how it ends


def test_M_STOP_1_second_line_lifts_it_by_two_persons(service):
    hana = service.customer()
    stop(service, hana, known_by="known-device")
    now_s = service.clock() // 1_000_000 + 9 * 3600
    service.passes((12 * 3600 - now_s) % DAY)
    asked = service.release(hana.subject, "lift-stop", by="chiba")
    assert asked.status_code == 202
    assert service.approve(asked, by="chiba").status_code == 403
    assert service.release(hana.subject, "lift-stop", by="aoki").status_code == 403
    assert login(service, hana)["outcome"] == "refused"
    assert service.approve(asked, by="doi").status_code == 200
    assert login(service, hana)["outcome"] == "right"


def test_M_STOP_1_form_1_5_lifts_it(service):
    hana = service.customer()
    stop(service, hana, known_by="known-device")
    service.released(hana.subject, "form-1-5")
    assert login(service, hana)["outcome"] == "right"


@pytest.mark.parametrize("path", ["reset-password", "reapply", "lift-suspension", "form-1-1"])
def test_M_STOP_1_nothing_else_lifts_it(service, path):
    hana = service.customer()
    stop(service, hana, known_by="known-device")
    assert service.release(hana.subject, path).json()["type"] == "/problems/path-does-not-lift"


def test_M_STOP_1_a_request_sent_twice_is_one(service):
    hana, body = service.customer(), {"context": {"device": "one device"}}
    for _ in range(2):
        answer = service.post("/v1/stops", {"subject": hana.subject, **body}, idempotency_key="stop-1")
        assert outcome(answer) == "stopped"
    other = service.post("/v1/stops", {"subject": nobody().subject, **body}, idempotency_key="stop-1")
    assert other.json()["type"] == "/problems/key-reused"


def test_M_STOP_1_the_customer_reads_no_figure_in_either_language(service):
    hana = service.customer()
    for language in ("ja", "en"):
        said = stop(service, hana, language=language).json()["message"]
        assert said and not any(figure.isdigit() for figure in said)


@pytest.mark.parametrize("subject", ["app:1", "caller:1", "actor:1", "somebody"])
def test_M_STOP_1_names_a_customer_or_an_account(service, subject):
    assert service.post("/v1/stops", {"subject": subject}).status_code == 422


# -- notices


def notices(service, since, customer):
    return [subject for kind, subject in service.told_since(since) if kind == "notice-due" and subject == customer.subject]


def test_M_NOTICE_1_a_lock_is_told_once_on_the_customers_channels_without_a_count(service):
    hana, since = service.customer(), service.now_in_feed()
    run = MODES["verify"](service)
    for _ in range(10):
        run.run("login", hana).wrong("login-password")
    login(service, hana)
    assert notices(service, since, hana) == [hana.subject]
    told = next(event for event in service.events(since)["events"] if event["kind"] == "notice-due")
    assert set(told) == {"kind", "at", "subject", "session", "lock"}


def test_M_NOTICE_1_entries_that_only_end_a_session_are_not_told(service):
    hana, since = service.customer("token-otp"), service.now_in_feed()
    run = MODES["verify"](service).run("transfer", hana, session=service.session(hana))
    run.wrong("token-otp", times=3)
    assert run.look()["state"] == "ended"
    assert notices(service, since, hana) == []


def test_M_NOTICE_1_an_emergency_stop_is_told(service):
    hana, since = service.customer(), service.now_in_feed()
    stop(service, hana)
    assert notices(service, since, hana) == [hana.subject]


def test_M_NOTICE_1_a_storm_of_locks_makes_one_notice(service):
    hana, since = service.customer(), service.now_in_feed()
    stop(service, hana)
    stop(service, hana, known_by="known-device")
    service.put(hana.subject, {"counts": {"login-password-in-a-row": 10}}, "login-password")
    service.passes(10 * MINUTE)
    login(service, hana)
    assert notices(service, since, hana) == [hana.subject]


def test_M_NOTICE_1_a_lock_after_one_was_lifted_is_told_again(service):
    hana, since = service.customer(), service.now_in_feed()
    for _ in range(2):
        stop(service, hana, known_by="known-device")
        service.released(hana.subject, "form-1-5")
    assert notices(service, since, hana) == [hana.subject] * 2


def test_M_NOTICE_1_a_lock_that_comes_later_is_told_too(service):
    hana, since = service.customer(), service.now_in_feed()
    stop(service, hana)
    service.passes(2 * HOUR)
    stop(service, hana, known_by="known-device")
    assert notices(service, since, hana) == [hana.subject] * 2


def test_Y_ACCOUNT_3_the_holder_of_the_account_is_told_not_the_one_who_typed(service):
    hana, yuki, since = service.customer(), service.customer(), service.now_in_feed()
    for _ in range(10):
        run = MODES["verify"](service).run("register-account", hana, session=service.session(hana), about=yuki)
        run.wrong("login-password")
    assert (notices(service, since, hana), notices(service, since, yuki)) == ([], [yuki.subject])
