"""The slow lane: a password is compared on a worker between two batches, and a request sent twice is still one request."""

import pytest


def enter(service, run, proof, key):
    return service.send("POST", f"/v1/procedures/{run.id}/attempts", {"item": "login-password", "proof": proof}, idempotency_key=key)


@pytest.mark.parametrize("at_once", [1, 5])
def test_a_password_sent_again_under_its_key_counts_once(service, verify, at_once):
    hana = service.customer()
    run = verify.run("login", hana)
    answers = []
    for _ in range(2):
        answers += service.together(*[enter(service, run, "wrong", "the-same") for _ in range(at_once)])
    assert len({answer.content for answer in answers}) == 1
    assert service.count(hana.subject, "login-password-in-a-row") == 1


def test_a_right_password_sent_again_opens_one_session(service, verify):
    hana = service.customer()
    run = verify.run("login", hana)
    answers = service.together(*[enter(service, run, hana.password, "the-same") for _ in range(3)])
    assert len({answer.json()["session"] for answer in answers}) == 1
