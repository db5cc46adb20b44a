"""What stands beside the calls: the feed for channels, health, metrics."""

import re

import pytest
from bankside import Verify, nobody

from sekisho.errors import LedgerUnavailable

FIELDS = {"kind", "at", "subject", "session", "lock"}


def feed(service, after):
    return service.events(after)["events"]


def test_channels_are_told_of_sessions_and_locks(service, count):
    """Opened and ended, set and lifted, and the one notice that is due; all about this customer, in order."""
    hana, after = service.customer(), service.now_in_feed()
    session = service.session(hana)
    count.run("login", hana).wrong("login-password", times=10)
    service.released(hana.subject, "form-1-1")
    told = feed(service, after)
    assert [event["kind"] for event in told] == ["session-opened", "lock-set", "session-ended", "notice-due", "lock-lifted"]
    assert {event["subject"] for event in told} == {hana.subject}
    assert told[0]["session"] == session
    lock = told[1]["lock"]
    assert [event["lock"] for event in told] == [None, lock, lock, lock, lock]


def test_channels_are_told_no_count_no_row_and_no_end_of_a_lock(service, count):
    """D1: five fields, and nothing else in them."""
    hana, after = service.customer(), service.now_in_feed()
    for _ in range(10):
        count.run("number-inquiry", hana).wrong("login-password")
    service.passes(3600)
    told = feed(service, after)
    assert {event["kind"] for event in told} >= {"lock-set", "notice-due"}
    assert {field for event in told for field in event} == FIELDS
    assert not re.search(r"Y-|wrong|until|number-inquiry", str(told))


def test_a_session_ended_by_a_wrong_entry_is_told_by_its_name(service, mode):
    """The channel knows which one it was."""
    hana = service.customer("token-otp")
    session, after = service.session(hana), service.now_in_feed()
    mode.run("transfer", hana, session).wrong("token-otp", times=3)
    assert [(event["kind"], event["session"]) for event in feed(service, after)] == [("session-ended", session)]


def test_a_session_that_the_customer_ends_is_told_once(service):
    """Ended twice, told once."""
    hana = service.customer()
    session, after = service.session(hana), service.now_in_feed()
    for _ in range(2):
        service.call("DELETE", f"/v1/sessions/{session}")
    assert [event["kind"] for event in feed(service, after)] == ["session-ended"]


def test_a_lasting_lock_makes_one_notice(service, count):
    """M_NOTICE_1: however often the lock refuses afterwards."""
    hana, after = service.customer(), service.now_in_feed()
    count.run("login", hana).wrong("login-password", times=10)
    for _ in range(5):
        count.run("login", hana).wrong("login-password")
    assert [event["kind"] for event in feed(service, after)].count("notice-due") == 1


def test_the_feed_goes_on_where_it_was_left(service, count):
    """`next` of one answer is `after` of the following; nothing is told twice, nothing left out."""
    first = service.events(0)
    for _ in range(3):
        service.session(service.customer())
    seen, after = [], first["next"]
    while page := service.events(after)["events"]:
        seen += page
        after = service.events(after)["next"]
    assert [event["kind"] for event in seen[-3:]] == ["session-opened"] * 3
    assert service.events(after) == {"events": [], "next": after}


@pytest.mark.parametrize("by", ["endo", "goto", None])
def test_the_feed_is_for_channels(service, by):
    assert service.get("/v1/events", by).status_code in {401, 403}


def test_a_session_says_what_was_proved_in_it(service):
    """The items and when; nothing of the proofs."""
    hana = service.customer("token-otp")
    session = service.session(hana)
    Verify(service).run("transfer", hana, session).right("token-otp")
    found = service.get(f"/v1/sessions/{session}").json()
    assert found["live"] is True
    assert [one["item"] for one in found["proved"]] == ["login-password", "amount-and-payee", "token-otp"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["at"]) for one in found["proved"])


def test_health_says_live_and_ready(service):
    """Without a key; to staff ready names the policy in force by the beginning of its digest."""
    assert service.get("/health/live", None).json() == {"live": True}
    for by in (None, "bank"):
        ready = service.get("/health/ready", by)
        assert (ready.status_code, ready.json()) == (200, {"ready": True})
    assert service.get("/health/ready", "goto").json() == {"ready": True, "policy": service.app.table.version[:12]}


def test_a_ledger_that_cannot_be_asked_makes_it_unready_and_every_answer_a_no(service):
    """503 from readiness and from every call; live stays live; afterwards it goes on and nothing was counted."""
    hana = service.customer()
    run = Verify(service).run("login", hana)

    async def unavailable(keys):
        raise LedgerUnavailable

    store = service.app.store
    begin, peek, store.begin, store.peek = store.begin, store.peek, unavailable, unavailable
    try:
        answers = [
            service.post(f"/v1/procedures/{run.id}/attempts", {"item": "login-password", "proof": "not this one"}),
            service.post("/v1/reservations", {"operation": "login", "item": "login-password", "subject": hana.subject}),
            service.get(f"/v1/staff/subjects/{hana.subject}", "aoki"),
        ]
        assert [(answer.status_code, answer.json()["type"]) for answer in answers] == [(503, "/problems/unavailable")] * 3
        assert service.get("/health/ready", None).status_code == 503
        assert service.get("/health/live", None).status_code == 200
    finally:
        store.begin, store.peek = begin, peek
    assert service.counts(hana.subject) == {}
    assert run.right("login-password")["outcome"] == "right"


def test_metrics_are_on_a_port_of_their_own_and_name_nobody(service, count):
    """In the Prometheus text format; the interface itself has none."""
    hana, ghost = service.customer(), nobody()
    for one in (hana, ghost):
        count.run("login", one).wrong("login-password")
    page = service.do(service.metrics.get("/metrics"))
    assert (page.status_code, page.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    lines = page.text.splitlines()
    assert all(line.startswith("#") or re.fullmatch(r"[a-z_]+(\{[^}]*\})? [0-9.e+-]+", line) for line in lines)
    assert {"sekisho_batches_total", "sekisho_decisions_total"} <= {line.split()[0] for line in lines if not line.startswith("#")}
    assert hana.number not in page.text
    assert ghost.number not in page.text
    assert service.get("/metrics").status_code == 404


def test_while_the_clock_is_doubted_nothing_is_granted_and_an_administrator_agrees(service):
    """The ledger's clock jumps by an hour and this machine's own does not: no, not ready, and on the page for monitoring."""
    hana = service.customer()

    def enter():
        run = service.post("/v1/procedures", {"operation": "login", "subject": hana.subject}).json()["procedure"]
        return service.post(f"/v1/procedures/{run}/attempts", {"item": "login-password", "proof": "not the password"})

    assert enter().json()["outcome"] == "wrong"
    run = service.post("/v1/procedures", {"operation": "login", "subject": hana.subject}).json()["procedure"]
    service.jumped_us = 3600 * 1_000_000
    service.offset_us += service.jumped_us
    answer = service.post(f"/v1/procedures/{run}/attempts", {"item": "login-password", "proof": "not the password"})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable") and "clock" not in answer.text
    assert service.get("/health/ready", None).json() == {"ready": False, "clock": "doubted"}
    assert "sekisho_clock_doubted 1\n" in service.do(service.metrics.get("/metrics")).text
    service.do(service.app.turn())
    assert list(service.get("/v1/staff/clock", "aoki").json()["doubts"].values()) == [3600]
    assert service.post("/v1/staff/clock", {"reason": "asked the time office"}, "aoki").status_code == 403
    assert service.post("/v1/staff/clock", {"reason": "asked the time office"}, "ito").json()["doubts"] == {}
    assert enter().json()["outcome"] == "wrong"
    assert service.get("/health/ready", None).status_code == 200
