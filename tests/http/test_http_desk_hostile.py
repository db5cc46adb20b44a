"""An operator who tries each forbidden act, and two operators at once on one case: who may do what stands here once more, row by row."""

import pytest
from bankside import STAFF, Service
from test_http_desk import Case, at, goes_on, mails

from sekisho.policy import reference

FIRST, SECOND, BACK, ADMIN = {"aoki"}, {"chiba", "doi"}, {"endo", "fujii"}, {"ito"}
LOOKS_ONLY = {"goto"}

ACTS = {
    "enrol": ("PUT", "/v1/staff/subjects/{subject}", {"links": {}, "addresses": []}, BACK | ADMIN),
    "set a password": ("PUT", "/v1/staff/subjects/{subject}/items/login-password", {"secret": "of my own choosing"}, BACK | ADMIN),
    "take over": ("POST", "/v1/staff/imports", {"id": "mine", "csv": "what,subject\nsubject,{subject}\n"}, BACK | ADMIN),
    "enter a form": ("POST", "/v1/staff/subjects/{subject}/forms", {"form": "form-password", "reason": "because"}, BACK),
    "lift a lock": ("POST", "/v1/staff/subjects/{subject}/releases", {"lock": "{lock}", "path": "form-password", "reason": "because"}, BACK),
    "lift the stop": ("POST", "/v1/staff/subjects/{subject}/releases", {"lock": "{lock}", "path": "lift-stop", "reason": "because"}, set()),
    "delete without anything": ("POST", "/v1/staff/cases/{case}/acts", {"path": "delete-addresses", "reason": "because"}, set()),
    "approve what nobody asked for": ("POST", "/v1/staff/approvals/made-up", None, set()),
    "open a case": ("POST", "/v1/staff/cases", {"subject": "{subject}", "matter": "his", "how": "telephone"}, FIRST | SECOND),
    "note": ("POST", "/v1/staff/cases/{case}/notes", {"what": "remark", "text": "his"}, FIRST | SECOND),
    "verify": ("POST", "/v1/staff/cases/{case}/verifications", {"item": "caller-code"}, FIRST | SECOND),
    "say what he said": ("POST", "/v1/staff/cases/{case}/verifications/entries", {"item": "caller-code", "proof": "000000"}, FIRST | SECOND),
    "stop": ("POST", "/v1/staff/subjects/{subject}/stops", {"reason": "because"}, FIRST | SECOND),
    "agree to the clock": ("POST", "/v1/staff/clock", {"reason": "because"}, ADMIN),
    "enter his number for him": ("POST", "/v1/sessions/any/approvals", {"number": "000000"}, set()),
    "read his release code": ("GET", "/v1/sessions/any/release-code", None, set()),
    "enter his code for him": ("POST", "/v1/procedures/any/attempts", {"item": "release-code", "proof": "00000000"}, set()),
    "send a code": ("POST", "/v1/procedures/any/challenges", {"item": "mail-otp"}, set()),
    "say that it was not he": ("POST", "/v1/disavowals", {"subject": "{subject}", "code": "0000000000"}, set()),
}
"""What it is, how it is asked for, and who may."""


@pytest.fixture(scope="module")
def service(tmp_path_factory, cheap_hashes):
    made = Service(tmp_path_factory.mktemp("hostile"), reference("major-bank"))
    yield made
    made.close()


@pytest.fixture
def hana(service):
    at(service, 12 * 3600)
    return service.customer("card-pin", flags=("identity-demanded",))


def put_in(body, facts):
    if isinstance(body, dict):
        return {name: put_in(value, facts) for name, value in body.items()}
    for name, value in facts.items():
        body = body.replace(f"{{{name}}}", value) if isinstance(body, str) else body
    return body


def on_record(service, customer):
    """Every row about a customer."""
    names = (customer.number, customer.account)
    return {key: body for key, body in service.do(service.app.store.rows("", "", 100_000)) if any(name in key for name in names)}


@pytest.mark.parametrize("act", ACTS)
def test_M_DESK_1_whoever_may_not_is_refused_and_nothing_of_the_customers_changes(service, hana, act):
    method, path, body, who = ACTS[act]
    service.post("/v1/stops", {"subject": hana.subject, "known_by": "known-device"})
    facts = {"subject": hana.subject, "case": Case(service, hana).id, "lock": service.view(hana.subject)["locks"][0]["id"]}
    before = on_record(service, hana)
    assert before
    for operator in sorted(STAFF.keys() - who):
        answer = service.call(method, put_in(path, facts), put_in(body, facts) if body else None, operator)
        assert answer.status_code in {403, 409}, (operator, answer.text)
        assert on_record(service, hana) == before, operator


def test_two_operators_on_one_case_do_it_once(service, hana):
    """Both ask at once, and each approves the other's at once: one deletion, one code, each person in another's part."""
    case = Case(service, hana).tried().verified()
    ask = {"path": "delete-addresses", "reason": "no code arrives"}
    asked = service.together(*(service.send("POST", f"/v1/staff/cases/{case.id}/acts", ask, by) for by in ("chiba", "doi")))
    assert {one.status_code for one in asked} == {202}
    approvals = [one.json()["approval"] for one in asked]
    agreed = service.together(*(
        service.send("POST", f"/v1/staff/approvals/{one}", None, by) for one, by in zip(approvals, ("doi", "chiba"), strict=True)))
    assert sorted(one.status_code for one in agreed) == [200, 409]
    goes_on(service)
    assert mails(service, hana) == [] and case.state == "with-customer"
    assert [note["what"] for note in case.look()["notes"]].count("delete-addresses") == 1
    assert len(service.received(hana.mails[0])) == 1
