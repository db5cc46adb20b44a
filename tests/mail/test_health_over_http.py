"""M-DEAD-1 and M-ADDRESS-1: what is wrong with an address is found out, by staff and by its owner, while he can still get in."""

from urllib.parse import quote

import pytest
from bankside import MINUTE
from post import fault

from sekisho.catalogue import say


@pytest.fixture
def hana(office):
    return office.customer("basic-data", "card-pin")


def news(office, customer, outcome, reply="", to=None):
    return office.post("/v1/addresses/news", {"subject": customer.subject, "to": to or customer.mails[0], "outcome": outcome, "reply": reply})


def lose_a_code(office, verify, customer):
    """One that the recipient's filter refuses."""
    office.sink.faults[customer.mails[0]] = fault("filtered")
    run = verify.run("mail-address", customer)
    run.reach("mail-otp")
    office.settled(run.send("mail-otp").json()["delivery"], "not-sent")


def advice(office, session):
    return [(one["code"], one["address"]) for one in office.get(f"/v1/sessions/{session}").json().get("advice", [])]


def test_M_DEAD_1_an_address_that_takes_other_mail_but_not_codes_is_found_out(office, verify, hana):
    lose_a_code(office, verify, hana)
    first, second = office.view(hana.subject)["addresses"]
    assert first["health"]["codes"] == "suspect" and first["health"]["loses_codes_only"] is False and second["health"]["codes"] == "unknown"
    assert news(office, hana, "taken").json() == {"taken_in": True}
    first, _ = office.view(hana.subject)["addresses"]
    assert first["health"]["loses_codes_only"] is True and first["health"]["last_heard"]["stream"] == "other"
    masked = first["address"]
    assert ("codes-do-not-arrive", masked) in advice(office, office.session(hana))


def test_M_DEAD_1_a_bounce_of_other_mail_shows_that_it_is_the_address(office, verify, hana):
    lose_a_code(office, verify, hana)
    news(office, hana, "failed", "550 5.1.1 User unknown")
    assert office.view(hana.subject)["addresses"][0]["health"] == {
        "codes": "suspect", "other_mail": "suspect", "loses_codes_only": False, "last_heard": {**office.view(hana.subject)["addresses"][0]["health"]["last_heard"], "what": "dead", "stream": "other"},
    }


def test_whoever_reports_other_mail_is_told_nothing_of_whose_it_is(office, hana):
    answers = {news(office, hana, "taken", to=to).text for to in (hana.mails[0], hana.mails[0].upper(), "nobody@example.com")}
    answers.add(office.post("/v1/addresses/news", {"subject": "customer:0000000000", "to": "x@y.example", "outcome": "taken"}).text)
    assert len(answers) == 1
    assert office.post("/v1/addresses/news", {"subject": hana.subject, "to": "x@y.example", "outcome": "taken"}, by="aoki").status_code == 403


def test_M_ADDRESS_1_one_usable_address_is_too_few(office, hana):
    session = office.session(hana)
    assert advice(office, session) == []
    subject, body = hana.enrolments()[0]
    office.put(subject, {**body, "addresses": hana.addresses(subject)[:1]})
    assert advice(office, session) == [("second-address", None)]
    (told,) = office.get(f"/v1/sessions/{session}").json()["advice"]
    assert told["message"] == say("en", "advice.second-address")
    assert "advice" not in office.call("DELETE", f"/v1/sessions/{session}").json()


def test_M_TRACE_1_staff_see_every_step_and_the_first_line_no_address(office, verify, hana):
    lose_a_code(office, verify, hana)
    path = f"/v1/staff/subjects/{quote(hana.subject, safe='')}/deliveries"
    for who, whole in (("aoki", False), ("chiba", True)):
        (one,) = office.get(path, by=who).json()["deliveries"]
        assert one["course"] == "not-sent" and [hop["what"] for hop in one["hops"]] == ["tried", "refused"]
        assert (one["hops"][1]["group"], one["hops"][1]["stage"]) == ("recipient-filter", "end-of-data") and one["hops"][1]["by"]
        assert (hana.mails[0] in str(one)) is whole
    assert office.get(path, by="bank").status_code == 403


def test_a_code_that_another_address_answered_is_held_against_the_silent_one(office, verify, hana):
    office.sink.faults[hana.mails[0]] = fault("dropped")
    run = verify.run("mail-address", hana)
    run.reach("mail-otp")
    ids = [one["id"] for one in office.get(f"/v1/procedures/{run.id}/addresses").json()["addresses"]]
    silent = run.send("mail-otp", ids[0]).json()["delivery"]
    office.settled(silent, "handed-over")
    office.passes(MINUTE)
    read = run.send("mail-otp", ids[1]).json()["delivery"]
    office.settled(read, "delivered")
    body = office.sink.received(hana.mails[1])[0].body
    assert run.proof("mail-otp", next(line.strip() for line in body.splitlines() if line.startswith("    ")))["outcome"] == "right"
    office.settled(read, "used")
    office.until(lambda: office.hops(silent)[-1].what == "unused")
    heard = [(one["health"]["last_heard"]["what"], one["health"]["codes"]) for one in office.view(hana.subject)["addresses"]]
    assert heard == [("unused", "unknown"), ("used", "ok")]
