"""A shadow beside a bank: it counts what the real service counts, records what that would refuse, and refuses nothing."""

import random

import msgspec
import pytest
from bankside import DAY, MINUTE, Service, person

from sekisho.adapters.memory import MemoryStore
from sekisho.adapters.sqlite import wall_clock
from sekisho.core.state import IN_FORCE
from sekisho.errors import CallerError
from sekisho.flows.shadow import agree_on_mode, exported
from sekisho.ports import Change

ENTRIES = 40
ROW = "Y-LOGIN-3"


@pytest.fixture(scope="module")
def shadow(tmp_path_factory, cheap_hashes):
    """A shadow; the bank tells it of every entry."""
    made = Service(tmp_path_factory.mktemp("shadow"), shadow=True)
    yield made
    made.close()


def enrolled(service, customer):
    for subject, body in customer.enrolments():
        service.put(subject, body)
    return customer


def reserve(service, customer, operation="login", item="login-password", **more):
    return service.post("/v1/reservations", {"operation": operation, "item": item, "subject": customer.subject, **more})


def entry(service, customer, verdict, **more):
    """One entry as a channel hears it: (was it granted, answer to the verdict)."""
    held = reserve(service, customer, **more).json()
    if held["outcome"] == "refused":
        return False, held
    return True, service.post(f"/v1/reservations/{held['reservation']}/verdict", {"verdict": verdict}).json()


def refused(service):
    """By row, as monitoring sees it."""
    lines = service.do(service.metrics.get("/metrics")).text.splitlines()
    told = [line.removeprefix("sekisho_shadow_refused_total{row=") for line in lines if line.startswith("sekisho_shadow_refused_total{")]
    return {line.split('"')[1]: int(line.split()[-1]) for line in told}


@pytest.mark.parametrize("seed", range(3))
def test_a_shadow_counts_and_locks_as_the_real_service_does_and_records_what_that_refuses(service, shadow, seed):
    """The real service is the auditor: entry for entry, the same counts, the same locks, and each of its refusals on record."""
    chance, customers = random.Random(seed), [person() for _ in range(2)]
    for customer in customers:
        enrolled(service, customer), enrolled(shadow, customer)
    before, refusals = sum(refused(shadow).values()), 0
    for _ in range(ENTRIES):
        customer, verdict = chance.choice(customers), chance.choices(["wrong", "right", "unread"], [30, 1, 2])[0]
        granted, _ = entry(service, customer, verdict)
        assert entry(shadow, customer, verdict)[0]
        refusals += not granted
        assert shadow.counts(customer.subject) == service.counts(customer.subject)
        assert shadow.locks(customer.subject) == service.locks(customer.subject)
    assert refusals
    assert sum(refused(shadow).values()) - before == refusals


def test_a_channel_hears_the_same_before_and_after_a_lock(shadow):
    hana = enrolled(shadow, person())
    heard = {verdict: [entry(shadow, hana, verdict) for _ in range(15)] for verdict in ("wrong", "right", "unread")}
    assert shadow.locks(hana.subject) == [ROW]
    for answers in heard.values():
        assert all(answer == answers[0] for answer in answers)
    assert [answers[0][1]["outcome"] for answers in heard.values()] == ["wrong", "right", "refused"]
    assert not any("session" in answer for answers in heard.values() for _, answer in answers)


def test_a_reservation_of_a_shadow_looks_granted_whatever_stands(shadow):
    hana = enrolled(shadow, person())
    first = reserve(shadow, hana)
    shadow.put(hana.subject, {"locks": [{"row": ROW}]}, "login-password")
    second = reserve(shadow, hana)
    assert (first.status_code, second.status_code) == (201, 201)
    assert [set(answer.json()) for answer in (first, second)] == [{"outcome", "reservation"}] * 2


def test_staff_and_metrics_see_what_would_have_been_refused_and_by_which_row(shadow):
    hana, before = enrolled(shadow, person()), refused(shadow).get(ROW, 0)
    for _ in range(13):
        entry(shadow, hana, "wrong")
    assert refused(shadow)[ROW] - before == 3
    told = [(event["row"], event["operation"]) for event in shadow.view(hana.subject)["events"] if event["kind"] == "shadow-refused"]
    assert told == [(ROW, "login")] * 3
    assert hana.subject not in shadow.do(shadow.metrics.get("/metrics")).text


def test_channels_hear_of_no_lock_of_a_shadow(shadow):
    hana = enrolled(shadow, person())
    for _ in range(10):
        entry(shadow, hana, "wrong", session="the bank's own")
    assert shadow.locks(hana.subject) == [ROW]
    assert shadow.events(0) == {"events": [], "next": 0}


def test_a_lock_that_falls_while_the_bank_compares_is_on_record_and_not_told(shadow):
    hana, before = enrolled(shadow, person()), sum(refused(shadow).values())
    held = reserve(shadow, hana).json()["reservation"]
    shadow.put(hana.subject, {"locks": [{"row": ROW}]}, "login-password")
    assert shadow.post(f"/v1/reservations/{held}/verdict", {"verdict": "right"}).json()["outcome"] == "right"
    assert sum(refused(shadow).values()) - before == 1


def test_a_verdict_is_given_once_by_its_owner_whether_the_guess_was_counted_or_not(shadow):
    hana = enrolled(shadow, person())
    for lock in ([], [{"row": ROW}]):
        shadow.put(hana.subject, {"locks": lock}, "login-password")
        held = reserve(shadow, hana).json()["reservation"]
        other = shadow.post(f"/v1/reservations/{held}/verdict", {"verdict": "wrong"}, by="other bank")
        answers = [shadow.post(f"/v1/reservations/{held}/verdict", {"verdict": "wrong"}).status_code for _ in range(2)]
        assert (other.status_code, answers) == (404, [200, 409])


def test_a_request_sent_twice_is_one_refusal_too(shadow):
    hana, before = enrolled(shadow, person()), refused(shadow).get(ROW, 0)
    shadow.put(hana.subject, {"locks": [{"row": ROW}]}, "login-password")
    body = {"operation": "login", "item": "login-password", "subject": hana.subject}
    answers = [shadow.post("/v1/reservations", body, idempotency_key="shadow-1").json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert refused(shadow)[ROW] - before == 1


def test_what_a_shadow_keeps_of_a_refusal_is_forgotten_in_time(shadow):
    hana = enrolled(shadow, person())
    shadow.put(hana.subject, {"locks": [{"row": ROW}]}, "login-password")
    held = reserve(shadow, hana).json()["reservation"]
    shadow.passes(DAY + MINUTE)
    assert shadow.post(f"/v1/reservations/{held}/verdict", {"verdict": "wrong"}).status_code == 404


@pytest.mark.parametrize(("path", "body"), [
    ("/v1/procedures", {"operation": "login", "subject": "customer:1"}), ("/v1/stops", {"subject": "customer:1"}),
    ("/v1/procedures/none/attempts", {"item": "login-password", "proof": "x"}),
])
def test_a_shadow_neither_compares_nor_stops(shadow, path, body):
    assert shadow.post(path, body).json()["type"] == "/problems/in-shadow"


def test_staff_alone_are_told_that_it_is_a_shadow(service, shadow):
    assert "shadow" not in shadow.get("/health/ready", None).json()
    assert "shadow" not in shadow.get("/health/ready", "bank").json()
    assert shadow.get("/health/ready", "aoki").json()["shadow"] is True
    assert "shadow" not in service.get("/health/ready", "aoki").json()
    assert "shadow" not in service.do(service.metrics.get("/metrics")).text


# -- taken over


def test_what_a_shadow_counted_is_taken_over_by_an_import_and_by_nothing_else(service, shadow):
    """The real service begins clean; whoever wants the counts brings them as those of any other system."""
    hana, yuki = (enrolled(shadow, person()) for _ in range(2))
    for customer, times in ((hana, 12), (yuki, 4)):
        enrolled(service, customer)
        for _ in range(times):
            entry(shadow, customer, "wrong")
    assert [service.counts(customer.subject) for customer in (hana, yuki)] == [{}, {}]
    service.passes(max(0, shadow.offset_us - service.offset_us) // 1_000_000 + 1)
    written = shadow.do(export(shadow))
    ours = [line for line in written if line.subject in {hana.subject, yuki.subject}]
    body = {"id": "from-the-shadow", "lines": [msgspec.to_builtins(line) for line in ours]}
    assert service.post("/v1/staff/imports", body, "ito").json()["state"] == "done"
    for customer in (hana, yuki):
        assert service.counts(customer.subject) == shadow.counts(customer.subject)
        assert service.locks(customer.subject) == shadow.locks(customer.subject)
    entry(service, yuki, "right")
    assert service.count(yuki.subject, "login-password-in-a-row") == 0


async def export(shadow):
    return [line async for line in exported(shadow.app.store, shadow.app.table)]


# -- a store is for one of the two


class Kept:
    """A store that remembers what it is for."""

    def __init__(self, service):
        self.store = MemoryStore(wall_clock)
        self.do = service.do

    def agrees(self, *, shadow):
        try:
            self.do(agree_on_mode(self.store, shadow=shadow))
        except CallerError:
            return False
        return True

    def takes_a_policy(self):
        self.do(self.store.commit(Change([(IN_FORCE, b"", None)], None, [])))


def test_no_node_counts_for_real_over_a_shadows_store(service):
    kept = Kept(service)
    assert kept.agrees(shadow=True)
    kept.takes_a_policy()
    assert kept.agrees(shadow=True)
    assert not kept.agrees(shadow=False)


def test_no_shadow_writes_into_a_store_that_counts(service):
    kept = Kept(service)
    assert kept.agrees(shadow=False)
    kept.takes_a_policy()
    assert not kept.agrees(shadow=True)
    assert kept.agrees(shadow=False)
