"""M-BULK-1 over HTTP: locks by the bank's own fault are one incident; two persons release them together, and only them."""

from datetime import UTC, datetime, timedelta

import pytest
from bankside import DAY, MINUTE, MODES, Service, nobody

from sekisho.errors import LedgerUnavailable
from sekisho.flows import incidents as flow
from sekisho.policy import reference

ROW = "Y-LOGIN-3"


def at(service, seconds=0):
    """A time by the service's clock."""
    return (datetime.fromtimestamp(service.clock() / 1_000_000, UTC) + timedelta(seconds=seconds)).isoformat()


def locked(service, customer=None):
    """A customer whose login the wrong entries of a broken relay have blocked."""
    one = customer or service.customer()
    for _ in range(10):
        MODES["verify"](service).run("login", one).wrong("login-password")
    return one


def opened(service, since, by="chiba", rows=(ROW,), until=None):
    service.passes(1)
    body = {"reason": "the relay was down", "rows": list(rows), "since": since, "until": until or at(service, -0.5)}
    return service.post("/v1/staff/incidents", body, by)


def incident(service, since, **how):
    answer = opened(service, since, **how)
    assert answer.status_code == 201, answer.text
    return answer.json()["incident"]


def listed(service, name, by="aoki"):
    """All its locks, page by page: (subject, row)."""
    found, after = [], ""
    while after is not None:
        page = service.get(f"/v1/staff/incidents/{name}/locks?after={after}", by).json()
        found += [(lock["subject"], lock["row"]) for lock in page["locks"]]
        after = page["next"]
    return found


def asked(service, name, by="chiba"):
    return service.post(f"/v1/staff/incidents/{name}/releases", None, by)


def go_on(service, steps=50):
    for _ in range(steps):
        service.do(service.app.incidents.go_on())


def released(service, name):
    assert service.approve(asked(service, name), by="doi").status_code == 200
    go_on(service)


def stands(service, name):
    return service.get(f"/v1/staff/incidents/{name}", "goto").json()


def test_M_BULK_1_the_locks_of_an_incident_are_found_by_row_and_time(service):
    before = locked(service)
    service.passes(MINUTE)
    since = at(service)
    hana, yuki = locked(service), locked(service)
    stopped = service.customer()
    service.post("/v1/stops", {"subject": stopped.subject, "known_by": "known-device"})
    name = incident(service, since)
    after = locked(service)
    found = listed(service, name)
    assert sorted(found) == sorted([(hana.subject, ROW), (yuki.subject, ROW)])
    assert not {before.subject, after.subject, stopped.subject} & {subject for subject, _ in found}


def test_M_BULK_1_two_persons_release_them_together_and_everybody_is_back_in(service):
    since = at(service)
    customers = [locked(service) for _ in range(3)]
    name = incident(service, since)
    asking = asked(service, name)
    assert asking.status_code == 202
    assert service.approve(asking, by="chiba").json()["type"] == "/problems/same-person"
    go_on(service)
    assert [service.locks(one.subject) for one in customers] == [[ROW]] * 3
    assert service.approve(asking, by="doi").json() == {"lock": name, "path": "incident"}
    go_on(service)
    assert (stands(service, name)["state"], stands(service, name)["released"]) == ("done", 3)
    for one in customers:
        assert (service.locks(one.subject), service.count(one.subject, "login-password-in-a-row")) == ([], 0)
        assert MODES["verify"](service).run("login", one).right("login-password")["outcome"] == "right"


def test_M_BULK_1_every_release_is_told_by_itself_and_names_both(service):
    since, feed = at(service), service.now_in_feed()
    hana = locked(service)
    released(service, incident(service, since))
    lifted = next(event for event in service.view(hana.subject)["events"] if event["kind"] == "lock-lifted")
    assert (lifted["operator"], lifted["path"], lifted["reason"]) == ("chiba, doi", "incident", "the relay was down")
    assert ("lock-lifted", hana.subject) in service.told_since(feed)


def test_M_BULK_1_what_is_not_of_the_incident_stands(service):
    before = locked(service)
    service.passes(MINUTE)
    since = at(service)
    hana = locked(service)
    service.post("/v1/stops", {"subject": hana.subject, "known_by": "known-device"})
    name = incident(service, since)
    after = locked(service)
    released(service, name)
    assert [service.locks(one.subject) for one in (before, hana, after)] == [[ROW], ["M-STOP-1"], [ROW]]


def test_M_BULK_1_strangers_locks_are_released_too(service):
    since, stranger = at(service), nobody()
    locked(service, stranger)
    name = incident(service, since)
    assert [subject.startswith("~customer:") for subject, _ in listed(service, name)] == [True]
    released(service, name)
    assert service.locks(stranger.subject) == []


def test_M_BULK_1_the_path_of_an_incident_lifts_nothing_else(service):
    hana = locked(service)
    assert service.release(hana.subject, "incident", by="chiba").json()["type"] == "/problems/path-does-not-lift"


@pytest.mark.parametrize("rows", [["M-STOP-1"], ["Y-ABOLISHED-1"], ["Y-RULE-5"], [ROW, "Y-NOTHING-1"], ["Y-LOGIN-1"]])
def test_M_BULK_1_only_locks_that_wrong_entries_set_can_be_one(service, rows):
    assert opened(service, at(service, -MINUTE), rows=rows).json()["type"] == "/problems/row-sets-no-lock"


@pytest.mark.parametrize(("since", "until"), [(-MINUTE, DAY), (MINUTE, 2 * MINUTE), (-MINUTE, -2 * MINUTE)])
def test_M_BULK_1_an_incident_lies_in_the_past(service, since, until):
    assert opened(service, at(service, since), until=at(service, until)).json()["type"] == "/problems/no-such-time"


@pytest.mark.parametrize(("by", "status"), [("bank", 403), ("aoki", 403), ("goto", 403), ("ito", 403), ("endo", 201), ("chiba", 201)])
def test_M_BULK_1_only_who_may_release_locks_may_open_one(service, by, status):
    assert opened(service, at(service, -MINUTE), by=by).status_code == status


def test_M_BULK_1_a_first_line_operator_is_no_second_person(service):
    since = at(service)
    hana = locked(service)
    asking = asked(service, incident(service, since))
    assert service.approve(asking, by="aoki").json()["type"] == "/problems/may-not-release"
    go_on(service)
    assert service.locks(hana.subject) == [ROW]


def test_M_BULK_1_a_release_is_carried_out_once(service):
    since = at(service)
    hana = locked(service)
    name = incident(service, since)
    asking = asked(service, name)
    assert service.approve(asking, by="doi").status_code == 200
    go_on(service)
    assert service.approve(asking, by="endo").json()["type"] == "/problems/carried-out-already"
    locked(service, hana)
    assert asked(service, name).status_code == 200, "it has been released; asking again says so and does nothing"
    go_on(service)
    assert service.locks(hana.subject) == [ROW]


@pytest.mark.parametrize("at_step", [1, 2, 4, 7])
def test_M_BULK_1_a_release_that_was_interrupted_goes_on_and_lifts_each_lock_once(service, monkeypatch, at_step):
    monkeypatch.setattr(flow, "PAGE", 2)
    since = at(service)
    customers = [locked(service) for _ in range(5)]
    name = incident(service, since)
    assert service.approve(asked(service, name), by="doi").status_code == 200
    real, made = flow._Release.decide, []

    def dies(work, tx):
        made.append(work)
        if len(made) == at_step:
            raise LedgerUnavailable("the machine is gone")
        return real(work, tx)

    monkeypatch.setattr(flow._Release, "decide", dies)
    for _ in range(200):
        try:
            service.do(service.app.incidents.go_on())
        except LedgerUnavailable:
            continue
    assert (stands(service, name)["state"], stands(service, name)["released"]) == ("done", 5)
    assert [service.locks(one.subject) for one in customers] == [[]] * 5
    lifted = [event for one in customers for event in service.view(one.subject)["events"] if event["kind"] == "lock-lifted"]
    assert len(lifted) == 5


def test_M_BULK_1_what_waits_for_a_second_person_is_listed_with_the_other_releases(service):
    since = at(service)
    locked(service)
    name = incident(service, since)
    asked(service, name)
    waiting = next(one for one in service.get("/v1/staff/approvals", "doi").json()["approvals"] if one["lock"] == name)
    assert (waiting["subject"], waiting["path"], waiting["row"], waiting["asked_by"]) == (f"incident:{name}", "incident", ROW, "chiba")
    assert name in {one["incident"] for one in service.get("/v1/staff/incidents", "goto").json()["incidents"]}


def test_M_BULK_1_a_policy_without_incidents_releases_nothing_together(tmp_path, cheap_hashes):
    text = reference("postal-bank").read_text(encoding="utf-8")
    policy = tmp_path / "without.yaml"
    policy.write_text("\n".join(line for line in text.split("\n") if not line.startswith("incidents:")), encoding="utf-8")
    service = Service(tmp_path, policy)
    try:
        assert opened(service, at(service, -MINUTE)).json()["type"] == "/problems/no-incidents"
    finally:
        service.close()


@pytest.mark.parametrize("call", ["", "/locks"])
def test_M_BULK_1_one_that_nobody_opened_is_not_there(service, call):
    assert service.get(f"/v1/staff/incidents/none{call}", "aoki").status_code == 404
    assert asked(service, "none").json()["type"] == "/problems/no-such-incident"
