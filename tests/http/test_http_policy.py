"""A policy comes into force at its time, at every node at once, and what it lowers falls before anything is looked at."""

import msgspec
import pytest
from bankside import MODES, Service

from sekisho.events import Event
from sekisho.flows.policies import AHEAD_S, propose, read
from sekisho.policy import reference

STRICTER = reference("postal-bank").read_bytes().replace(
    b"- wrong: 10\n              count: login-password-in-a-row", b"- wrong: 5\n              count: login-password-in-a-row")


@pytest.fixture
def service(tmp_path):
    made = Service(tmp_path)
    made.app.clock = made.clock
    yield made
    made.close()


def accept(service, source=STRICTER, **when):
    table = read(source, "stricter.yaml")
    return service.do(propose(service.app.store, source, table.version, when.get("at"), "ito"))


def follow(service):
    service.do(service.app.follow_policy())


def test_a_policy_decides_from_its_time_on_and_not_before(service):
    hana = service.customer()
    accept(service, at=service.clock() + 3600 * 1_000_000)
    follow(service)
    assert [MODES["verify"](service).run("login", hana).wrong("login-password")["message"] for _ in range(6)] == ["wrong"] * 6
    service.passes(3601)
    follow(service)
    assert MODES["verify"](service).run("login", hana).right("login-password")["outcome"] == "refused"


def test_a_lowered_threshold_fires_before_the_entry_is_looked_at(service):
    """Seven stand where five are now the most: the lock falls at the next entry, right or wrong, and that one is not compared."""
    hana = service.customer()
    MODES["verify"](service).run("login", hana).wrong("login-password", times=7)
    accept(service)
    service.passes(AHEAD_S + 1)
    follow(service)
    refused = MODES["verify"](service).run("login", hana).right("login-password")
    assert (refused["outcome"], service.lock(hana.subject)["stage"]) == ("refused", 5)
    assert service.count(hana.subject, "login-password-in-a-row") == 7


def test_a_run_of_a_changed_operation_starts_over_uncounted(service):
    hana = service.customer()
    begun = MODES["verify"](service).run("login", hana)
    accept(service)
    service.passes(AHEAD_S + 1)
    follow(service)
    answer = begun.wrong("login-password")
    assert (answer["outcome"], answer["message"], answer["state"]) == ("refused", "start-over", "ended")
    assert service.counts(hana.subject) == {}


def test_a_node_without_the_policy_in_force_answers_no(service):
    """It has not looked since the policy was accepted: it must not decide by the old one, and says so by 503."""
    hana = service.customer()
    begun = MODES["verify"](service).run("login", hana)
    accept(service)
    service.offset_us += (AHEAD_S + 1) * 1_000_000
    service.app.in_force.versions.append((service.clock() - 1, "unknown"))
    answer = service.post(f"/v1/procedures/{begun.id}/attempts", {"item": "login-password", "proof": "wrong"})
    assert answer.status_code == 503
    assert service.get("/health/ready").status_code == 503
    follow(service)
    assert service.counts(hana.subject) == {}


def test_no_policy_comes_into_force_within_ten_seconds(service):
    now = service.clock()
    assert accept(service, at=now) >= now + AHEAD_S * 1_000_000


def test_who_put_which_policy_in_force_is_on_record_once(service):
    accept(service)
    follow(service)
    follow(service)
    links = service.do(service.app.store.chain(service.app.ledger.writer, 0, 100))
    told = [event for link in links for event in msgspec.msgpack.decode(link.body, type=list[Event])]
    assert [(one.operator, one.reason) for one in told if one.kind == "policy-proposed" and one.operator] == [
        ("ito", read(STRICTER, "stricter.yaml").version)]
