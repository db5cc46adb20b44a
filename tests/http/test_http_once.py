"""Once means once: repeated requests, reservations and their verdicts, and many at the same moment."""

import asyncio

import pytest
from bankside import DAY, Verify, nobody


def begun(service, customer, operation="login", **headers):
    return service.post("/v1/procedures", {"operation": operation, "subject": customer.subject}, **headers)


def entry(service, run, proof, item="login-password", by="bank", **headers):
    return service.post(f"/v1/procedures/{run.id}/attempts", {"item": item, "proof": proof}, by, **headers)


def held(service, customer, item="login-password", operation="login", by="bank", **headers):
    body = {"operation": operation, "item": item, "subject": customer.subject}
    return service.post("/v1/reservations", body, by, **headers)


def judged(service, reservation, verdict, by="bank", **headers):
    return service.post(f"/v1/reservations/{reservation}/verdict", {"verdict": verdict}, by, **headers)


# -- Idempotency-Key


@pytest.mark.parametrize("proof", ["wrong", "right"])
def test_the_same_key_and_body_are_answered_alike_and_count_once(service, verify, proof):
    """Three times the same request: one answer, one entry on record."""
    hana = service.customer()
    run = verify.run("login", hana)
    typed = hana.password if proof == "right" else "not this one"
    answers = [entry(service, run, typed, idempotency_key=f"once-{hana.number}") for _ in range(3)]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].json()["outcome"] == proof
    assert service.count(hana.subject, "login-password-a-year") == (proof == "wrong")


def test_a_repeated_right_grants_nothing_new(service, verify):
    """One session was opened, and once it has ended the repeat opens no other."""
    hana = service.customer()
    run, after = verify.run("login", hana), service.now_in_feed()
    first = entry(service, run, hana.password, idempotency_key="right").json()
    service.call("DELETE", f"/v1/sessions/{first['session']}")
    again = entry(service, run, hana.password, idempotency_key="right").json()
    assert again == first
    assert service.live(first["session"]) is False
    assert [kind for kind, subject in service.told_since(after) if subject == hana.subject].count("session-opened") == 1


def test_the_same_key_with_another_body_is_a_conflict(service, verify):
    """409, and the other entry is not looked at."""
    hana = service.customer()
    run = verify.run("login", hana)
    entry(service, run, "not this one", idempotency_key="reused")
    answer = entry(service, run, hana.password, idempotency_key="reused")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/key-reused")
    assert service.count(hana.subject, "login-password-in-a-row") == 1
    assert run.look()["state"] == "open"


def test_the_key_is_scoped_to_path_and_api_key(service, verify):
    """The same key in another run, or from another channel, is another request."""
    hana = service.customer()
    one, two = verify.run("login", hana), verify.run("login", hana)
    for run in (one, two):
        assert entry(service, run, "not this one", idempotency_key="scoped").json()["outcome"] == "wrong"
    assert service.count(hana.subject, "login-password-in-a-row") == 2
    for by in ("bank", "other bank"):
        assert held(service, hana, by=by, idempotency_key="scoped-2").status_code == 201


def test_refusals_are_not_kept(service, verify):
    """A refused entry may be made again under its key once the lock is gone."""
    hana = service.customer()
    begun_before = verify.run("number-inquiry", hana)
    for times in (3, 3, 3, 1):
        Verify(service).run("number-inquiry", hana).wrong("login-password", times)
    refused = entry(service, begun_before, hana.password, idempotency_key="later")
    assert refused.json()["outcome"] == "refused"
    service.passes(3601)
    again = Verify(service).run("number-inquiry", hana)
    assert entry(service, again, hana.password, idempotency_key="later").json()["outcome"] == "right"


def test_a_refusal_is_decided_anew_each_time(service, count):
    """The same reservation, same key: refused while locked, granted after the release."""
    hana = service.customer()
    count.run("login", hana).wrong("login-password", times=10)
    assert held(service, hana, idempotency_key=f"anew-{hana.number}").json()["outcome"] == "refused"
    service.released(hana.subject, "form-1-1")
    assert held(service, hana, idempotency_key=f"anew-{hana.number}").json()["outcome"] == "granted"


def test_a_second_request_in_flight_waits_for_the_first(service, verify):
    """Eight copies at the same moment: one comparison, eight times the same answer."""
    hana = service.customer()
    run = verify.run("login", hana)
    body = {"item": "login-password", "proof": "not this one"}
    answers = service.together(*(
        service.send("POST", f"/v1/procedures/{run.id}/attempts", body, idempotency_key="eightfold") for _ in range(8)
    ))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert service.count(hana.subject, "login-password-in-a-row") == 1


def test_a_repeat_resumes_the_reservation_of_the_first(service, count):
    """Count mode: the same key gives the same reservation, before its verdict and after."""
    hana = service.customer()
    first = held(service, hana, idempotency_key=f"resume-{hana.number}").json()
    assert held(service, hana, idempotency_key=f"resume-{hana.number}").json() == first
    assert judged(service, first["reservation"], "wrong").status_code == 200
    assert held(service, hana, idempotency_key=f"resume-{hana.number}").json() == first
    assert service.count(hana.subject, "login-password-in-a-row") == 1


def test_begin_verdict_release_and_approval_are_answered_once(service, count):
    """Every POST takes the key."""
    hana = service.customer()
    first, again = (begun(service, hana, idempotency_key=f"begin-{hana.number}") for _ in range(2))
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert begun(service, hana, "number-inquiry", idempotency_key=f"begin-{hana.number}").status_code == 409

    reservation = held(service, hana).json()["reservation"]
    verdicts = [judged(service, reservation, "wrong", idempotency_key="verdict") for _ in range(2)]
    assert [one.status_code for one in verdicts] == [200, 200]
    assert verdicts[0].content == verdicts[1].content
    assert judged(service, reservation, "right", idempotency_key="verdict").status_code == 409

    count.run("login", hana).wrong("login-password", times=9)
    body = {"lock": service.lock(hana.subject)["id"], "path": "form-1-1", "reason": "form on file"}
    asked = [service.post(f"/v1/staff/subjects/{hana.subject}/releases", body, "endo", idempotency_key="ask") for _ in range(2)]
    assert (asked[0].status_code, asked[0].content) == (asked[1].status_code, asked[1].content) == (202, asked[0].content)
    path = f"/v1/staff/approvals/{asked[0].json()['approval']}"
    done = [service.post(path, None, "fujii", idempotency_key="approve") for _ in range(2)]
    assert [(one.status_code, one.json()["path"]) for one in done] == [(200, "form-1-1")] * 2


def test_the_key_is_forgotten_after_a_day(service, verify):
    """Kept for twenty-four hours; after that it is a new request."""
    hana = service.customer()
    body = f"day-{hana.number}"
    first = held(service, hana, idempotency_key=body).json()["reservation"]
    judged(service, first, "wrong")
    service.passes(DAY - 60)
    assert held(service, hana, idempotency_key=body).json()["reservation"] == first
    service.passes(120)
    assert held(service, hana, idempotency_key=body).json()["reservation"] != first


@pytest.mark.parametrize("key", ["", " ", "with space", "x" * 201, "tab\there"])
def test_a_malformed_key_is_refused_and_counts_nothing(service, verify, key):
    """1 to 200 visible ASCII characters; else 400 and the entry is not looked at."""
    hana = service.customer()
    answer = entry(service, verify.run("login", hana), "not this one", idempotency_key=key)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-idempotency-key")
    assert service.counts(hana.subject) == {}


# -- reservations


@pytest.mark.parametrize(("verdict", "outcome", "stands"), [("right", "right", 0), ("wrong", "wrong", 4), ("unread", "refused", 3)])
def test_a_verdict_settles_its_reservation_once(service, count, verdict, outcome, stands):
    """Right clears the count, wrong adds one, unread gives the guess back; a second verdict is a conflict."""
    hana = service.customer()
    count.run("login", hana).wrong("login-password", times=3)
    reservation = held(service, hana).json()["reservation"]
    assert judged(service, reservation, verdict).json()["outcome"] == outcome
    for second in ("right", "wrong", "unread"):
        answer = judged(service, reservation, second)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/verdict-given")
    assert service.count(hana.subject, "login-password-in-a-row") == stands


def test_an_unread_guess_may_be_taken_again(service, count):
    """Thirty of them in a row leave all ten guesses."""
    hana = service.customer()
    assert [count.run("login", hana).enter("login-password", "unread")["again"] for _ in range(30)] == [True] * 30
    assert count.run("login", hana).outcomes("login-password", "wrong", 10) == ["wrong"] * 10


def test_no_verdict_in_time_counts_as_wrong(service):
    """After the policy's thirty seconds; a verdict that comes later is a conflict, even a right one."""
    hana = service.customer()
    reservation = held(service, hana).json()["reservation"]
    service.passes(29)
    assert service.count(hana.subject, "login-password-in-a-row") == 0
    service.passes(2)
    assert service.count(hana.subject, "login-password-in-a-row") == 1
    assert judged(service, reservation, "right").status_code == 409
    assert service.count(hana.subject, "login-password-in-a-row") == 1


def test_ten_reservations_without_a_verdict_block_login(service):
    """Nobody gets an eleventh guess by keeping silent."""
    hana = service.customer()
    assert {held(service, hana).json()["outcome"] for _ in range(10)} == {"granted"}
    service.passes(31)
    assert service.locks(hana.subject) == ["Y-LOGIN-3"]
    assert held(service, hana).json()["outcome"] == "refused"


def test_a_lock_set_while_a_right_answer_is_on_its_way_stands(service, count):
    """The right verdict is void: refused, and nothing is cleared."""
    hana = service.customer()
    service.put(hana.subject, {"counts": {"login-password-a-year": 99}}, "login-password")
    first = held(service, hana).json()
    assert held(service, nobody()).json()["outcome"] == "granted"
    service.put(hana.subject, {"locks": [{"row": "Y-LOGIN-3"}]}, "login-password")
    answer = judged(service, first["reservation"], "right").json()
    assert (answer["outcome"], answer.get("session")) == ("refused", None)
    assert service.locks(hana.subject) == ["Y-LOGIN-3"]
    assert service.count(hana.subject, "login-password-a-year") == 99


def test_another_channels_key_knows_neither_run_nor_reservation_nor_session(service, verify):
    """404 for all of them, as for what does not exist; nothing is counted, nothing ends."""
    hana = service.customer("token-otp")
    run, session = verify.run("login", hana), service.session(hana)
    reservation = held(service, hana).json()["reservation"]
    other = "other bank"
    answers = [
        service.get(f"/v1/procedures/{run.id}", other),
        entry(service, run, "not this one", by=other),
        service.get(f"/v1/sessions/{session}", other),
        service.call("DELETE", f"/v1/sessions/{session}", by=other),
        judged(service, reservation, "wrong", by=other),
        service.post("/v1/reservations", {
            "operation": "login", "item": "login-password", "subject": hana.subject, "procedure": run.id,
        }, other),
    ]
    nothing = service.get("/v1/procedures/does-not-exist", other)
    assert [(answer.status_code, answer.content) for answer in answers] == [(404, nothing.content)] * 6
    assert service.counts(hana.subject) == {}
    assert service.live(session) is True
    assert judged(service, reservation, "right").json()["outcome"] == "right"


def test_another_channels_session_is_not_touched_in_count_mode(service):
    """A session name of one channel means nothing under the key of another."""
    hana = service.customer("token-otp")
    session = service.session(hana)
    body = {"operation": "transfer", "item": "token-otp", "subject": hana.subject, "session": session}
    for _ in range(3):
        taken = service.post("/v1/reservations", body, "other bank").json()
        if "reservation" in taken:
            judged(service, taken["reservation"], "wrong", "other bank")
    assert service.live(session) is True


def test_one_customers_session_is_no_place_for_anothers_entries(service):
    """Count mode: Taro's wrong codes in Hana's session neither end it nor are they granted there."""
    hana, taro = service.customer("token-otp"), service.customer("token-otp")
    session = service.session(hana)
    body = {"operation": "transfer", "item": "token-otp", "subject": taro.subject, "session": session}
    for _ in range(3):
        taken = service.post("/v1/reservations", body)
        if taken.status_code == 201:
            judged(service, taken.json()["reservation"], "wrong")
    assert service.live(session) is True


def test_two_customers_under_one_session_name_do_not_end_each_other(service, count):
    """The bank names its sessions; Hana's block ends hers and leaves Taro's."""
    hana, taro = service.customer("token-otp"), service.customer("token-otp")
    his = count.run("transfer", taro, "the-same-name")
    hers = count.run("transfer", hana, "the-same-name")
    assert his.right("token-otp")["outcome"] == hers.right("token-otp")["outcome"] == "right"
    count.run("login", hana).wrong("login-password", times=10)
    assert hers.right("token-otp")["outcome"] == "refused"
    assert his.right("token-otp")["outcome"] == "right"


# -- at the same moment


async def parallel(service, customer, verdict, session):
    """Count mode, one entry: reserve, let others go first, give the verdict. The outcome."""
    body = {"operation": "login", "item": "login-password", "subject": customer.subject, "session": session}
    taken = (await service.send("POST", "/v1/reservations", body)).json()
    if taken["outcome"] != "granted":
        return taken["outcome"]
    await asyncio.sleep(0)
    answer = await service.send("POST", f"/v1/reservations/{taken['reservation']}/verdict", {"verdict": verdict})
    return answer.json()["outcome"]


def test_thirty_two_right_passwords_at_once_all_get_in(service):
    """Though only ten guesses may be in flight: the others wait a moment, none is refused."""
    hana = service.customer()
    outcomes = service.together(*(parallel(service, hana, "right", f"{hana.number}/{n}") for n in range(32)))
    assert outcomes == ["right"] * 32
    assert service.locks(hana.subject) == []


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_sixty_four_wrong_ones_at_once_get_exactly_ten_verdicts(service, known):
    """Not one more than the table allows; the lock falls at the tenth."""
    hana = service.customer() if known else nobody()
    outcomes = service.together(*(parallel(service, hana, "wrong", f"{hana.number}/{n}") for n in range(64)))
    assert sorted(outcomes) == ["refused"] * 54 + ["wrong"] * 10
    assert service.locks(hana.subject) == ["Y-LOGIN-3"]
    assert service.count(hana.subject, "login-password-in-a-row") == 10


def test_sixty_four_wrong_passwords_at_once_are_compared_ten_times(service, verify):
    """Verify mode, each in a run of its own: ten comparisons; the right one that comes after is refused."""
    hana = service.customer()
    compared = []
    matches = service.app.secrets.matches

    def counting(*args):
        compared.append(args)
        return matches(*args)

    runs = [verify.run("login", hana) for _ in range(64)]
    service.app.secrets.matches = counting
    try:
        answers = service.together(*(
            service.send("POST", f"/v1/procedures/{run.id}/attempts", {"item": "login-password", "proof": "not this one"}) for run in runs
        ))
    finally:
        service.app.secrets.matches = matches
    outcomes = [answer.json()["outcome"] for answer in answers]
    assert sorted(outcomes) == ["refused"] * 54 + ["wrong"] * 10
    assert len(compared) == 10
    assert verify.run("login", hana).right("login-password")["outcome"] == "refused"


def test_right_and_wrong_at_once_lose_no_failure(service):
    """Thirty-two wrong and thirty-two right ones together: no more than ten wrong ones since the last that cleared them."""
    hana = service.customer()
    verdicts = ["wrong", "right"] * 32
    outcomes = service.together(*(parallel(service, hana, verdict, f"{hana.number}/{n}") for n, verdict in enumerate(verdicts)))
    assert outcomes.count("wrong") == service.count(hana.subject, "login-password-a-year")
    if service.locks(hana.subject):
        assert Verify(service).run("login", hana).right("login-password")["outcome"] == "refused"
    else:
        assert service.count(hana.subject, "login-password-in-a-row") < 10
