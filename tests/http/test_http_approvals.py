"""Releases that wait for a second person: staff find them without being told an id."""

import pytest
from bankside import DAY, MODES, Service, Verify

from sekisho.flows import approvals
from sekisho.flows.approvals import Waiting
from sekisho.policy import reference


def locked(service):
    """A customer whose login is blocked."""
    hana = service.customer()
    Verify(service).run("login", hana).wrong("login-password", times=10)
    return hana


def waiting(service, *customers, by="fujii"):
    """What waits for these customers, in the order it is listed."""
    answer = service.get("/v1/staff/approvals", by)
    assert answer.status_code == 200
    subjects = {customer.subject for customer in customers}
    return [one for one in answer.json()["approvals"] if one["subject"] in subjects]


def test_what_waits_says_who_asked_for_what_and_why(service):
    """In the list of all, and beside the customer's state."""
    hana = locked(service)
    asked = service.release(hana.subject, "form-1-1", by="endo")
    [found] = waiting(service, hana)
    lock = service.lock(hana.subject)
    assert found.pop("asked_at") < found.pop("lapses")
    assert found == {
        "approval": asked.json()["approval"], "subject": hana.subject, "lock": lock["id"], "row": "Y-LOGIN-3", "path": "form-1-1",
        "reason": "form on file", "evidence": None, "asked_by": "endo",
    }
    assert [one["approval"] for one in service.view(hana.subject)["approvals"]] == [asked.json()["approval"]]


def test_the_one_that_lapses_soonest_comes_first(service):
    """Whoever was asked for first has waited longest."""
    hana, taro = locked(service), locked(service)
    for one in (taro, hana):
        service.release(one.subject, "form-1-1", by="endo")
        service.passes(60)
    assert [one["subject"] for one in waiting(service, hana, taro)] == [taro.subject, hana.subject]


def test_what_was_carried_out_waits_no_more(service):
    """And what the first person may not approve waits on."""
    hana = locked(service)
    asked = service.release(hana.subject, "form-1-1", by="endo")
    assert service.approve(asked, by="endo").status_code == 403
    assert len(waiting(service, hana)) == 1
    assert service.approve(asked, by="fujii").status_code == 200
    assert waiting(service, hana) == service.view(hana.subject)["approvals"] == []


def test_what_was_asked_for_twice_under_one_key_waits_once(service):
    """A request sent twice is one request."""
    hana = locked(service)
    body = {"lock": service.lock(hana.subject)["id"], "path": "form-1-1", "reason": "form"}
    for _ in range(2):
        assert service.post(f"/v1/staff/subjects/{hana.subject}/releases", body, "endo", idempotency_key=hana.number).status_code == 202
    assert len(waiting(service, hana)) == 1


def test_what_nobody_approves_in_three_days_lapses_and_leaves_the_list(service):
    """It is not shown, cannot be carried out, and is gone from the row with the next change."""
    hana, taro = locked(service), locked(service)
    asked = service.release(hana.subject, "form-1-1", by="endo")
    service.passes(3 * DAY + 1)
    assert waiting(service, hana) == []
    assert service.approve(asked, by="fujii").status_code == 409
    service.release(taro.subject, "form-1-1", by="endo")
    body = service.do(service.app.store.peek([approvals.LIST]))[approvals.LIST]
    assert [approval for _, approval in approvals.decode(body, Waiting).approvals] == [one["approval"] for one in waiting(service, taro)]


def test_what_has_nothing_left_to_lift_leaves_the_list_when_that_is_found_out(service):
    """The customer was quicker: he has registered his password again."""
    hana = locked(service)
    asked = service.release(hana.subject, "form-1-1", by="endo")
    run = Verify(service).run("reset-password", hana)
    assert [run.right(item)["message"] for item in ("number-pair", "mail-otp", "new-login-password")][-1] == "done"
    assert service.approve(asked, by="fujii").json()["type"] == "/problems/no-such-lock"
    assert waiting(service, hana) == []


@pytest.mark.parametrize("by", ["aoki", "chiba", "endo", "goto", "ito"])
def test_every_role_of_staff_may_see_what_waits(service, by):
    hana = locked(service)
    service.release(hana.subject, "form-1-1", by="fujii")
    assert len(waiting(service, hana, by=by)) == 1


@pytest.fixture(scope="module")
def major(tmp_path_factory, cheap_hashes):
    """A service under the policy of the bank whose desk has hours."""
    made = Service(tmp_path_factory.mktemp("major"), reference("major-bank"))
    yield made
    made.close()


def at_tokyo(service, hour):
    """Let time pass until it is that hour in Tokyo."""
    now_s = service.clock() // 1_000_000 + 9 * 3600
    service.passes((hour * 3600 - now_s) % DAY)


def test_D2_staff_see_the_hours_of_the_desk_and_are_held_to_them(major):
    """From nine to nine, Tokyo time, when the act is done; within them it takes a case, for it rests on a verified caller."""
    hana = major.customer(flags=("identity-demanded",))
    major.put(hana.subject, {"counts": {"mail-codes-a-year": 99}}, "risk-code")
    MODES["count"](major).run("login", hana).wrong("risk-code")
    desk, form = major.lock(hana.subject)["release"]
    assert (desk["path"], desk["hours"]) == ("delete-addresses", {"from": "09:00", "until": "21:00", "every": "day", "zone": "Asia/Tokyo"})
    assert form["hours"] is None
    for hour, why in ((8, "outside-hours"), (9, "needs-case"), (20, "needs-case"), (21, "outside-hours"), (3, "outside-hours")):
        at_tokyo(major, hour)
        assert major.release(hana.subject, "delete-addresses", by="chiba").json()["type"] == f"/problems/{why}", hour


def test_a_channel_may_not(service):
    assert service.get("/v1/staff/approvals", "bank").status_code == 403
