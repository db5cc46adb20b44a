"""What staff do about the bank's app: a lost device is removed, and a code for a new one goes out by letter that nobody at the bank reads."""

import re
from urllib.parse import quote

import pytest
from bankside import Verify, told
from test_http_desk_pages import Screen

from sekisho.bank import phone as phone_of_the_bank
from sekisho.bank.phone import Phone

PASSCODE, PAYEE = "482916", "1000 yen to 10000-1"
DAY_S = 24 * 3600


@pytest.fixture(autouse=True)
def quick_passcodes(monkeypatch):
    monkeypatch.setattr(phone_of_the_bank, "ROUNDS", 10)


@pytest.fixture
def hana(service):
    return service.customer()


def of(customer, *more):
    return "/".join([f"/v1/staff/subjects/{quote(customer.subject, safe='')}", *(quote(part, safe="") for part in more)])


def posts(service, customer, by="endo", **headers):
    return service.post(of(customer, "app-codes"), {"reason": "asked for on paper", "language": "en"}, by, **headers)


def loses(service, customer, app, by="chiba", **headers):
    return service.post(of(customer, "apps", app, "loss"), {"reason": "left on a train"}, by, **headers)


def code_in(service, customer):
    """The code in the newest letter."""
    return re.search(r"[A-Z2-9]{4}(?:-[A-Z2-9]{4}){5}", service.received(customer.subject, "letter")[0].body)[0]


def enrols(service, code, phone=None):
    phone = phone or Phone()
    answer = service.post("/v1/apps", {"code": code, "name": "telephone", "parts": phone.enrolment(code, PASSCODE)})
    phone.app = answer.json().get("app", "")
    return answer, phone


def approves(service, customer, phone):
    run = Verify(service).run("transfer", customer)
    run.proof("amount-and-payee", PAYEE)
    asked = service.post(f"/v1/procedures/{run.id}/signatures", {"item": "app-passcode"})
    if asked.status_code != 201:
        return told(asked)["message"]
    proof = phone.with_passcode("app-passcode", asked.json()["sign"], PASSCODE, {"amount-and-payee": PAYEE})
    return run.proof("app-passcode", proof)["message"]


def mails(service, customer):
    for _ in range(3):
        # One thing is told in each turn.
        service.do(service.app.turn())
    return [[one.body for one in service.received(to)] for to in customer.mails]


def test_a_code_by_letter_enrols_one_device_whose_customer_is_told_twice(service, hana):
    """When it is on its way and when it is used, on every address; the answer to the operator and the record hold no code."""
    answer = posts(service, hana)
    assert answer.status_code == 202 and set(answer.json()) == {"letter"}
    code = code_in(service, hana)
    seen = service.view(hana.subject)
    assert code not in answer.text + str(seen) and code.replace("-", "") not in str(seen)
    assert ("letter-made", "endo") in {(event["kind"], event.get("operator")) for event in seen["events"]}
    enrolled, phone = enrols(service, code)
    assert enrolled.json()["customer"] == hana.subject
    assert approves(service, hana, phone) == "done"
    assert enrols(service, code)[0].status_code == 409
    for box in mails(service, hana):
        assert any("on its way" in body for body in box) and any("set up on a device" in body for body in box)


@pytest.mark.parametrize(("days", "status"), [(20, 201), (21, 409)])
def test_it_lives_three_weeks(service, hana, days, status):
    posts(service, hana)
    code = code_in(service, hana)
    service.passes(days * DAY_S)
    assert enrols(service, code)[0].status_code == status


def test_a_letter_asked_for_twice_under_one_key_is_one_letter(service, hana):
    first, second = (posts(service, hana, idempotency_key="letter-1") for _ in range(2))
    assert first.json() == second.json() and len(service.received(hana.subject, "letter")) == 1


def test_a_lost_device_enters_nothing_any_more_and_the_customer_is_told_everywhere(service, hana):
    posts(service, hana)
    phone = enrols(service, code_in(service, hana))[1]
    assert [one["app"] for one in service.get(of(hana, "apps"), "aoki").json()["apps"]] == [phone.app]
    answer = loses(service, hana, phone.app, idempotency_key="loss-1")
    assert (answer.status_code, answer.json()) == (200, {"apps": []})
    assert loses(service, hana, phone.app, idempotency_key="loss-1").json() == {"apps": []}
    assert loses(service, hana, phone.app).status_code == 409
    assert approves(service, hana, phone) in {"not-accepted", "register-again"}
    event = next(event for event in service.view(hana.subject)["events"] if event["kind"] == "app-removed")
    assert (event["operator"], event["reason"]) == ("chiba", "left on a train")
    assert all(any("removed from a device" in body for body in box) for box in mails(service, hana))


def test_both_are_done_on_the_customers_page_at_the_desk(service, hana):
    """Second line does; first line sees the devices. A form sent twice is one act, and no page shows the code."""
    chiba = Screen(service, "chiba").look(f"/desk/customer?number={hana.number}")
    letter = {**chiba.forms("letter")[0], "reason": "asked for by telephone"}
    assert [chiba.post("/desk/letter", **letter).says("desk.said-letter") for _ in range(2)] == [True, True]
    assert len(service.received(hana.subject, "letter")) == 1
    code = code_in(service, hana)
    phone = enrols(service, code)[1]
    aoki = Screen(service, "aoki").look(f"/desk/customer?number={hana.number}")
    assert phone.app in aoki.text and not [*aoki.forms("lost"), *aoki.forms("letter")]
    assert aoki.says("problem.no-cases") and not aoki.forms("open")
    chiba.look(f"/desk/customer?number={hana.number}")
    assert code not in chiba.html + aoki.html
    assert chiba.send("lost", {"app": phone.app}, reason="left on a train").says("desk.said-lost")
    assert phone.app not in [found["app"] for found in chiba.forms("lost")] and approves(service, hana, phone) != "done"
    forged = {**chiba.forms("letter")[0], "token": "x", "reason": "forged"}
    assert chiba.post("/desk/letter", **forged).answer.status_code == 403 and len(service.received(hana.subject, "letter")) == 1


def test_enrolling_a_customer_again_takes_no_app_away_that_was_enrolled_here(service, hana):
    """The bank's books know no name of it; what was wrongly entered in it stays counted."""
    posts(service, hana)
    phone = enrols(service, code_in(service, hana))[1]
    service.put(hana.subject, {"links": {"account": hana.account_subject}})
    service.put(hana.account_subject, {"links": {"customer": hana.subject}})
    assert {service.view(one)["links"].get("app") for one in (hana.subject, hana.account_subject)} == {phone.app}
    assert approves(service, hana, phone) == "done"


@pytest.mark.parametrize("known", [True, False], ids=["by himself", "by somebody"])
def test_M_STOP_1_a_code_by_letter_is_good_for_nothing_once_the_customer_is_stopped(service, hana, known):
    """Whoever has taken the letter waits for the stop to end; the next letter enrols."""
    posts(service, hana)
    code = code_in(service, hana)
    service.post("/v1/stops", {"subject": hana.subject, "context": {"device": "borrowed"}, **({"known_by": "number-on-file"} if known else {})})
    assert enrols(service, code)[0].status_code == 409
    service.passes(2 * DAY_S)
    assert enrols(service, code)[0].status_code == 409
    posts(service, hana)
    assert enrols(service, code_in(service, hana))[0].is_success


@pytest.mark.parametrize("by", ["aoki", "goto"])
def test_first_line_and_auditors_do_neither(service, hana, by):
    assert {posts(service, hana, by).status_code, loses(service, hana, "app:x", by).status_code} == {403}


def test_nobody_gets_a_letter_who_is_not_a_customer(service):
    answer = service.post("/v1/staff/subjects/customer%3A0999999999/app-codes", {"reason": "asked for"}, "endo")
    assert answer.status_code == 409 and service.received("customer:0999999999", "letter") == []


def test_one_customers_device_is_not_lost_by_another(service, hana):
    posts(service, hana)
    phone = enrols(service, code_in(service, hana))[1]
    assert loses(service, service.customer(), phone.app).status_code == 409
    assert approves(service, hana, phone) == "done"
