"""A hostile customer at the bank's door: he gets no guess more, skips no step, acts for nobody else and learns of nobody else."""

import pytest
from bankside import nobody


def post_together(service, path, body, times):
    answers = service.together(*[service.send("POST", path, body) for _ in range(times)])
    return [answer.json() for answer in answers]


def enter_together(service, run, item, proof, times=4):
    """The same entry several times at once: (outcome, code) of each, sorted."""
    answers = post_together(service, f"/v1/procedures/{run.id}/attempts", {"item": item, "proof": proof}, times)
    return sorted((one["outcome"], one["code"]) for one in answers)


def at_noon(service):
    """Noon in Tokyo, when the desk is there."""
    service.passes((3 * 3600 - service.clock() // 1_000_000) % 86_400)


def test_a_right_entry_made_several_times_at_once_takes_one_step(service, verify):
    """One of them is right; the others are told that this is not asked for any more, not that the service is closed to them."""
    hana = service.customer()
    run = verify.run("number-inquiry", hana)
    told = enter_together(service, run, "login-password", hana.password)
    assert told == [("refused", "not-accepted")] * 3 + [("right", "next")]
    assert run.asks() == ["mail-otp"]
    assert service.counts(hana.account_subject) == service.counts(hana.subject) == {}


def test_the_last_step_made_several_times_at_once_opens_one_session(service, verify):
    hana = service.customer()
    run = verify.run("login", hana)
    answers = post_together(service, f"/v1/procedures/{run.id}/attempts", {"item": "login-password", "proof": hana.password}, 4)
    assert [one["outcome"] for one in answers].count("right") == 1
    assert len([one for one in answers if "session" in one]) == 1


@pytest.mark.parametrize("known", [True, False])
def test_a_stop_that_staff_see_is_one_they_can_lift(service, known):
    """Also on a number that nobody has enrolled: else the operator looks at a lock and is told that it is not there."""
    hana = service.customer() if known else nobody()
    service.post("/v1/stops", {"subject": hana.subject, "known_by": "number-on-file"})
    assert service.locks(hana.subject) == ["M-STOP-1"]
    at_noon(service)
    asked = service.release(hana.subject, "lift-stop", by="chiba")
    assert service.approve(asked, by="chiba").status_code == 403
    assert service.approve(asked, by="doi").status_code == 200
    assert service.locks(hana.subject) == []
