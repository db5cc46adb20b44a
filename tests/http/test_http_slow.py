"""The slow lane: a password is compared on a worker between two batches, and a request sent twice is still one request."""

import collections

import pytest

from sekisho.flows.slots import OF_ONE_SOURCE, OF_ONE_SUBJECT, ROOM, Slots


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


def test_one_subject_may_have_a_quarter_and_one_source_half():
    slots = Slots()
    assert sum(slots.take("customer:1", "") for _ in range(ROOM)) == OF_ONE_SUBJECT == 32
    assert sum(slots.take(f"customer:a{n}", "one") for n in range(ROOM)) == OF_ONE_SOURCE == 64
    assert sum(slots.take(f"customer:b{n}", "two") for n in range(ROOM)) == ROOM - OF_ONE_SOURCE - OF_ONE_SUBJECT
    assert not slots.take("customer:3", "three")


def test_what_is_given_back_may_be_taken_again_and_nothing_is_kept_of_it():
    slots = Slots()
    for number in range(1_000):
        assert slots.take(f"customer:{number}", f"source {number % 7}")
        slots.give_back(f"customer:{number}", f"source {number % 7}")
    assert not slots._subjects and not slots._sources


def test_a_source_that_fills_its_half_is_told_to_try_again_uncounted_and_others_get_in(service, verify):
    """Two hundred wrong passwords from one address at once, one for each customer; from another address one customer's own."""
    del verify
    names = [service.customer() for _ in range(20)]
    hana = service.customer()

    def begun(customer, ip):
        body = {"operation": "login", "subject": customer.subject, "context": {"ip": ip}}
        return service.post("/v1/procedures", body).json()["procedure"]

    runs = [(name, begun(name, "192.0.2.1")) for name in names for _ in range(8)]
    hers = begun(hana, "198.51.100.7")

    def enter(run, proof):
        return service.send("POST", f"/v1/procedures/{run}/attempts", {"item": "login-password", "proof": proof})

    *theirs, her_own = [answer.json() for answer in service.together(*[enter(run, "wrong") for _, run in runs], enter(hers, hana.password))]
    assert her_own["outcome"] == "right"
    told = collections.Counter(one["outcome"] for one in theirs)
    assert told["wrong"] >= OF_ONE_SOURCE and told["refused"] and told["wrong"] + told["refused"] == len(runs)
    assert all(one["again"] for one in theirs if one["outcome"] == "refused")
    assert sum(service.count(name.subject, "login-password-in-a-row") for name in names) == told["wrong"]
