"""What went wrong elsewhere and had no test of its own here: asked over HTTP. The whole list is docs/known-failures.md."""

import pytest
from bankside import DAY, MODES, CountRun, nobody

from sekisho.adapters import secrets
from sekisho.flows.runs import STRANGER_RUNS

HOLD = "/v1/reservations"
BEGIN = "/v1/procedures"


def begin(service, customer, **more):
    return service.post(BEGIN, {"operation": "login", "subject": customer.subject, **more})


# -- names that nobody has


def test_a_name_that_nobody_has_costs_as_much_to_compare(service, verify, monkeypatch):
    """One slow hash for each entry, whether the customer exists or not (Cacti#7683)."""
    hashed = []
    slowly = secrets.hash_secret_raw

    def counting(*args):
        hashed.append(args)
        return slowly(*args)

    hana, ghost = service.customer(), nobody()
    monkeypatch.setattr(secrets, "hash_secret_raw", counting)
    for one in (hana, ghost):
        hashed.clear()
        assert verify.run("login", one).wrong("login-password", times=3)["message"] == "wrong"
        assert len(hashed) == 3


def test_names_that_nobody_has_leave_nothing_for_ever(service, count):
    """Runs, guesses and buckets of twenty made-up names are gone when the longest count has forgotten them (Cacti#7683)."""
    ghosts = [nobody() for _ in range(20)]
    for ghost in ghosts:
        assert count.run("login", ghost).wrong("login-password")["message"] == "wrong"
    buckets = [service.app.subjects.bucket(ghost.subject) for ghost in ghosts]
    assert len(service.do(service.app.store.peek(buckets))) == len(set(buckets))
    for _ in range(3):
        service.passes(200 * DAY)
    assert service.do(service.app.store.peek(buckets)) == {}


# -- refusals that judge no proof


def test_a_refusal_that_judges_no_proof_is_no_wrong_entry(service, verify):
    """No session, somebody else's, an item out of turn, an item of another run's: nothing is counted (keycloak#44474)."""
    hana, taro = service.customer("token-otp"), service.customer()
    transfer = {"operation": "transfer", "subject": hana.subject}
    for session in (None, "none", service.session(taro)):
        assert service.post(BEGIN, transfer | ({} if session is None else {"session": session})).status_code == 409
    run = verify.run("transfer", hana)
    assert run.now("token-otp", "wrong")["outcome"] == "refused"
    assert verify.run("login", hana).right("login-password")["outcome"] == "right"
    assert service.counts(hana.subject) == {}


def test_who_begins_too_many_runs_is_turned_away_and_nobody_else_is(service):
    """The limit is on whoever types: no entry is counted, no customer closed, and no header says when to come back (keycloak#44474)."""
    hana = service.customer()
    context = {"context": {"device": f"flood of {hana.number}"}}
    for _ in range(STRANGER_RUNS // 100):
        begun = service.together(*(service.send("POST", BEGIN, {"operation": "login", "subject": hana.subject} | context) for _ in range(100)))
        assert {answer.status_code for answer in begun} == {201}
    refused = begin(service, hana, **context)
    assert refused.status_code == 429
    assert "retry-after" not in refused.headers
    assert (service.counts(hana.subject), service.locks(hana.subject)) == ({}, [])
    assert begin(service, hana, context={"device": hana.number}).status_code == 201


# -- every door asks


def doors(service, hana, before, session):
    """Every way to offer the right password."""
    ours = {"operation": "login", "item": "login-password", "subject": hana.subject}
    return {
        "a run begun before": lambda: before.now("login-password"),
        "a new run": lambda: MODES["verify"](service).run("login", hana).now("login-password"),
        "count mode, on its own": lambda: service.post(HOLD, ours).json(),
        "count mode, in our run": lambda: service.post(HOLD, ours | {"procedure": begin(service, hana).json()["procedure"]}).json(),
        "count mode, in a session of the bank's": lambda: CountRun(service, "login", hana).right("login-password"),
        "count mode, in a session of ours": lambda: service.post(HOLD, ours | {"session": session}).json(),
    }


DOORS = (
    "a run begun before", "a new run", "count mode, on its own", "count mode, in our run", "count mode, in a session of the bank's",
    "count mode, in a session of ours",
)


@pytest.mark.parametrize("door", DOORS)
def test_every_door_asks_the_lock(service, verify, count, door):
    """There is no back channel to a login that is blocked (CVE-2026-9798, CVE-2026-88770, CVE-2026-16103)."""
    hana = service.customer()
    before, session = verify.run("login", hana), service.session(hana)
    count.run("login", hana).wrong("login-password", times=10)
    told = doors(service, hana, before, session)[door]()
    assert (told["outcome"], told.get("session")) == ("refused", None)


def test_every_operation_that_tests_a_secret_counts_it(service, mode):
    """No door where it can be tried for nothing (email-otp-authenticator#85, product-is#16082)."""
    hana, taro = service.customer(), service.customer()
    mode.run("login", hana).wrong("login-password")
    mode.run("number-inquiry", hana).wrong("login-password")
    mode.run("register-account", taro, about=hana).wrong("login-password")
    assert service.count(hana.subject, "login-password-a-year") == 3


# -- several troubles at once


def test_suspended_blocked_and_given_a_first_password_he_gets_back_in(service, verify):
    """One way out must not be closed by the other trouble (authentication-frontend#1419, #1435)."""
    hana = service.customer("token-otp")
    assert verify.run("suspend", hana).right("consent")["message"] == "done"
    verify.run("login", hana).wrong("login-password", times=10)
    assert sorted(service.locks(hana.subject)) == ["Y-LOGIN-3", "Y-RULE-5"]
    blocked = next(lock["id"] for lock in service.view(hana.subject)["locks"] if lock["row"] == "Y-LOGIN-3")
    asked = service.release(hana.subject, "form-1-1", "endo", blocked)
    assert service.approve(asked, by="fujii").status_code == 200
    service.put(hana.subject, {"secret": "by letter 7", "first_time": True}, "login-password")
    hana = hana._replace(password="by letter 7")
    session = service.session(hana)
    assert verify.run("lift-suspension", hana, session).right("mail-otp")["message"] == "done"
    assert service.locks(hana.subject) == []
    assert verify.run("transfer", hana, session).right("amount-and-payee")["outcome"] == "right"


def test_locked_out_of_login_he_gets_the_code_of_the_way_back(service, mode):
    """The block closes login, not the re-registration that lifts it (okta-auth-js#1557)."""
    hana = service.customer()
    mode.run("login", hana).wrong("login-password", times=10)
    assert mode.run("reset-password", hana).right("number-pair")["outcome"] == "right"
    assert mode.run("reset-password", hana).right("mail-otp")["outcome"] == "right"


def test_no_step_of_a_way_back_is_skipped(service, verify):
    """A new password without the code by mail is not accepted (CVE-2026-18963)."""
    hana = service.customer()
    run = verify.run("reset-password", hana)
    assert run.right("number-pair")["outcome"] == "right"
    assert run.proof("new-login-password", "an intruder's 1")["message"] == "not-accepted"
    assert verify.run("login", hana).right("login-password")["outcome"] == "right"


# -- what is told


def test_every_refusal_of_an_entry_has_one_status(service, count):
    """Wrong, locked, locked for a while, unknown: 200, and no header beside the usual ones (logto#7740)."""
    hana = service.customer()
    for _ in range(10):
        count.run("number-inquiry", hana).wrong("login-password")
    heard = []
    for customer, operation in ((hana, "number-inquiry"), (service.customer(), "login"), (nobody(), "login")):
        run = MODES["verify"](service).run(operation, customer)
        run.reach("login-password")
        answer = service.post(f"/v1/procedures/{run.id}/attempts", {"item": "login-password", "proof": "no"})
        heard.append((answer.status_code, set(answer.headers)))
    assert heard == [(200, {"content-type", "content-length", "cache-control"})] * 3
