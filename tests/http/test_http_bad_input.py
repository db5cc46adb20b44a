"""What nobody should send: a clear answer that repeats none of it, nothing counted, nobody else touched."""

import json
import logging

import pytest

CANARY = "canary5ecret"
LONG = CANARY * 900
DEEP = b'{"item":' + b"[" * 20_000 + CANARY.encode() + b"]" * 20_000 + b"}"


class Given(str):
    """Marks the place of what the test makes first: a run, a reservation, a session, a customer."""

    __slots__ = ()


RUN, RESERVATION, HANA, ACCOUNT = Given("{run}"), Given("{reservation}"), Given("{hana}"), Given("{account}")
ENTRY = f"/v1/procedures/{RUN}/attempts"
VERDICT = f"/v1/reservations/{RESERVATION}/verdict"
BEGIN = "/v1/procedures"
HOLD = "/v1/reservations"
STAFF = f"/v1/staff/subjects/{HANA}"
ITEM = f"{STAFF}/items/login-password"
RELEASE = f"{STAFF}/releases"

ASKED = {"operation": "login", "item": "login-password", "subject": HANA}


def text(value):
    return json.dumps(value).encode()


# what it is, by whom, method, path, body, status
BAD = (
    # not JSON
    ("malformed", "bank", "POST", ENTRY, b'{"item":"login-password","proof":"' + CANARY.encode(), 400),
    ("bare word", "bank", "POST", ENTRY, CANARY.encode(), 400),
    ("not UTF-8", "bank", "POST", ENTRY, b'{"item":"login-password","proof":"' + CANARY.encode() + b'\xff\xfe"}', 400),
    ("NaN", "bank", "POST", ENTRY, b'{"item":"login-password","proof":NaN,"x":"' + CANARY.encode() + b'"}', 400),
    ("deep nesting", "bank", "POST", ENTRY, DEEP, (400, 422)),
    ("deep objects", "bank", "POST", ENTRY, b'{"a":' * 10_000 + text(CANARY) + b"}" * 10_000, (400, 422)),
    ("two bodies", "bank", "POST", ENTRY, text({"item": "login-password", "proof": "x"}) + text(CANARY), 400),
    # wrong types
    ("a list", "bank", "POST", ENTRY, text([CANARY]), 422),
    ("a string", "bank", "POST", ENTRY, text(CANARY), 422),
    ("null", "bank", "POST", ENTRY, b"null", 422),
    ("proof is a number", "bank", "POST", ENTRY, text({"item": "login-password", "proof": 12345678}), 422),
    ("proof is a list", "bank", "POST", ENTRY, text({"item": "login-password", "proof": [CANARY]}), 422),
    ("proof holds a number", "bank", "POST", ENTRY, text({"item": "login-password", "proof": {CANARY: 1}}), 422),
    ("proof holds an object", "bank", "POST", ENTRY, text({"item": "login-password", "proof": {CANARY: {CANARY: CANARY}}}), 422),
    ("item is a number", "bank", "POST", ENTRY, text({"item": 5, "proof": CANARY}), 422),
    ("operation is null", "bank", "POST", BEGIN, text({"operation": None, "subject": CANARY}), 422),
    ("context is a string", "bank", "POST", BEGIN, text({"operation": "login", "context": CANARY}), 422),
    ("language unknown", "bank", "POST", BEGIN, text({"operation": "login", "language": CANARY}), 422),
    ("verdict unknown", "bank", "POST", VERDICT, text({"verdict": CANARY}), 422),
    ("verdict missing", "bank", "POST", VERDICT, text({}), 422),
    # unknown names
    ("unknown operation", "bank", "POST", BEGIN, text({"operation": CANARY, "subject": HANA}), 422),
    ("unknown operation, count mode", "bank", "POST", HOLD, text({**ASKED, "operation": CANARY}), 422),
    ("unknown item", "bank", "POST", ENTRY, text({"item": CANARY, "proof": CANARY}), 422),
    ("unknown item, count mode", "bank", "POST", HOLD, text({**ASKED, "item": CANARY}), 422),
    ("item of another operation", "bank", "POST", ENTRY, text({"item": "token-otp", "proof": CANARY}), 422),
    ("item of another operation, count mode", "bank", "POST", HOLD, text({**ASKED, "item": "token-otp"}), 422),
    ("unknown field", "bank", "POST", ENTRY, text({"item": "login-password", "proof": "x", CANARY: CANARY}), 422),
    ("unknown field, count mode", "bank", "POST", HOLD, text({**ASKED, CANARY: CANARY}), 422),
    ("unknown field in context", "bank", "POST", HOLD, text({**ASKED, "context": {CANARY: CANARY}}), 422),
    ("unknown run", "bank", "POST", f"/v1/procedures/{CANARY}/attempts", text({"item": "login-password", "proof": CANARY}), 404),
    ("unknown run to look at", "bank", "GET", f"/v1/procedures/{CANARY}", None, 404),
    ("unknown run, count mode", "bank", "POST", HOLD, text({**ASKED, "procedure": CANARY}), 404),
    ("unknown reservation", "bank", "POST", f"/v1/reservations/{CANARY}/verdict", text({"verdict": "wrong"}), 404),
    ("unknown session", "bank", "GET", f"/v1/sessions/{CANARY}", None, 404),
    ("unknown session to end", "bank", "DELETE", f"/v1/sessions/{CANARY}", None, 404),
    ("unknown session to begin in", "bank", "POST", BEGIN, text({"operation": "transfer", "subject": HANA, "session": CANARY}), 409),
    ("unknown address", "bank", "GET", f"/v1/{CANARY}?{CANARY}={CANARY}", None, 404),
    ("unknown address, slash", "bank", "GET", f"/v1/sessions/{CANARY}/", None, 404),
    ("unknown method", "bank", "PATCH", BEGIN, text({"operation": CANARY}), 405),
    ("a place in the feed that is none", "bank", "GET", f"/v1/events?after={CANARY}", None, 422),
    # subjects
    *((f"subject {subject!r}"[:40], "bank", "POST", HOLD, text({**ASKED, "subject": subject}), 422) for subject in (
        "", " ", "customer:", "customer: ", "customer:\u3000", ":1", "0012345678", f"{CANARY}:1", f"customer:{LONG}"[:300],
        f"customer:{CANARY}\n", f"customer:{CANARY}\x00", f"customer:{CANARY}\u202e", f"customer:{CANARY}\x7f", f"session:{CANARY}",
        f"procedure:{CANARY}", f"bank:{CANARY}", f"secret:{CANARY}", f"~customer:{CANARY}", "policy",
    )),
    ("blank subject to begin with", "bank", "POST", BEGIN, text({"operation": "login", "subject": "customer: "}), 422),
    ("blank about", "bank", "POST", BEGIN, text({"operation": "login", "subject": HANA, "about": "account: "}), 422),
    ("odd about, count mode", "bank", "POST", HOLD, text({**ASKED, "about": f"{CANARY}:1"}), 422),
    ("surrogate in subject", "bank", "POST", HOLD, b'{"operation":"login","item":"login-password","subject":"customer:\\ud800"}', (400, 422)),
    # proofs
    ("10,000 characters", "bank", "POST", ENTRY, text({"item": "login-password", "proof": LONG[:10_000]}), 422),
    ("10,000 characters in a part", "bank", "POST", ENTRY, text({"item": "login-password", "proof": {"a": LONG[:10_000]}}), 422),
    ("control characters", "bank", "POST", ENTRY, text({"item": "login-password", "proof": f"{CANARY}\x00\x1b[31m"}), 422),
    ("a line break", "bank", "POST", ENTRY, text({"item": "login-password", "proof": f"{CANARY}\r\n"}), 422),
    ("a lone surrogate", "bank", "POST", ENTRY, b'{"item":"login-password","proof":"\\ud800' + CANARY.encode() + b'"}', (400, 422)),
    ("a pair where there is one part", "bank", "POST", ENTRY, text({"item": "login-password", "proof": {}}), 422),
    ("65 KiB", "bank", "POST", ENTRY, text({"item": "login-password", "proof": CANARY * 6000}), 413),
    ("65 KiB of nothing", "bank", "POST", ENTRY, b" " * 66_560, 413),
    # surrogates and control characters in names
    ("surrogate in operation", "bank", "POST", BEGIN, b'{"operation":"\\ud800"}', (400, 422)),
    ("surrogate in session", "bank", "POST", HOLD, text(ASKED)[:-1] + b',"session":"\\ud800"}', (400, 422)),
    ("surrogate in procedure", "bank", "POST", HOLD, text(ASKED)[:-1] + b',"procedure":"\\ud800"}', (400, 404, 422)),
    ("surrogate in device", "bank", "POST", BEGIN, b'{"operation":"login","context":{"device":"\\ud800"}}', (400, 422)),
    ("control character in caller", "bank", "POST", HOLD, text({**ASKED, "context": {"caller": f"{CANARY}\x00"}}), 422),
    ("a customer for a caller", "bank", "POST", HOLD, text({**ASKED, "context": {"caller": f"customer:{CANARY}"}}), 422),
    ("a customer for the caller of a run", "bank", "POST", "/v1/procedures", text({"operation": "login", "context": {"caller": f"customer:{CANARY}"}}), 422),
    ("a customer for the caller of a stop", "bank", "POST", "/v1/stops", text({"subject": "customer:1", "context": {"caller": f"customer:{CANARY}"}}), 422),
    ("surrogate in a release", "endo", "POST", RELEASE, b'{"lock":"\\udfff","path":"form-1-1","reason":"x"}', (400, 409, 422)),
    # keys
    ("no key", None, "POST", HOLD, text({**ASKED, "subject": CANARY}), 401),
    ("wrong key", f"sk_channel_{CANARY}", "POST", HOLD, text(ASKED), 401),
    ("a demonstration key", f"demo_channel_{CANARY}", "POST", HOLD, text(ASKED), 401),
    ("staff as a channel", "endo", "POST", HOLD, text({**ASKED, "subject": CANARY}), 403),
    ("a channel as staff", "bank", "PUT", STAFF, text({"links": {}}), 403),
    ("a channel looks at staff's", "bank", "GET", STAFF, None, 403),
    ("an auditor enrols", "goto", "PUT", STAFF, text({"links": {CANARY: CANARY}}), 403),
    ("first line sets an item", "aoki", "PUT", ITEM, text({"secret": CANARY}), 403),
    ("an auditor releases", "goto", "POST", RELEASE, text({"lock": CANARY, "path": CANARY, "reason": CANARY}), 403),
    # what staff send
    ("a lock that is not there", "endo", "POST", RELEASE, text({"lock": CANARY, "path": "form-1-1", "reason": CANARY}), 409),
    ("an approval that is not there", "endo", "POST", f"/v1/staff/approvals/{CANARY}", b"", 409),
    ("no reason", "endo", "POST", RELEASE, text({"lock": CANARY, "path": "form-1-1", "reason": ""}), 422),
    ("unknown item to set", "endo", "PUT", f"{STAFF}/items/{CANARY}", text({"secret": CANARY}), 422),
    ("unknown counter", "endo", "PUT", ITEM, text({"counts": {CANARY: 3}}), (409, 422)),
    ("unknown row", "endo", "PUT", ITEM, text({"locks": [{"row": CANARY}]}), (409, 422)),
    ("negative count", "endo", "PUT", ITEM, text({"counts": {"login-password-in-a-row": -1}}), (409, 422)),
    ("a count beyond all counting", "endo", "PUT", ITEM, text({"counts": {"login-password-in-a-row": 10**30}}), (409, 422)),
    ("a large count", "endo", "PUT", ITEM, text({"counts": {"login-password-in-a-row": 2**63}}), (409, 422)),
    ("a link to no subject", "endo", "PUT", STAFF, text({"links": {"account": CANARY}}), 422),
    ("a link of no kind", "endo", "PUT", STAFF, text({"links": {CANARY: f"{CANARY}:1"}}), 422),
    ("a subject of no kind", "endo", "PUT", f"/v1/staff/subjects/{CANARY}:1", text({}), 422),
    ("a session as a subject", "aoki", "GET", f"/v1/staff/subjects/session:{CANARY}", None, 422),
    ("a secret that is no seed", "endo", "PUT", f"{STAFF}/items/token-otp", text({"secret": f"{CANARY}!!"}), 422),
    ("a surrogate as a secret", "endo", "PUT", ITEM, b'{"secret":"\\ud800"}', (400, 422)),
    ("a date that is none", "endo", "PUT", ITEM, text({"locks": [{"row": "Y-LOGIN-3", "since": CANARY}]}), 422),
    ("a NUL in the address", "aoki", "GET", f"/v1/staff/subjects/customer:%00{CANARY}", None, 422),
    ("no UTF-8 in the address of a run", "bank", "GET", f"/v1/procedures/%ed%a0%80{CANARY}", None, 404),
)


@pytest.fixture(scope="module")
def given(service):
    """A customer with a run and a reservation, two wrong entries on record; and another one beside him."""
    hana, taro = service.customer("token-otp"), service.customer()
    for one in (hana, taro):
        for _ in range(2):
            held = service.post(HOLD, {**ASKED, "subject": one.subject}).json()
            service.post(f"/v1/reservations/{held['reservation']}/verdict", {"verdict": "wrong"})
    run = service.post(BEGIN, {"operation": "login", "subject": hana.subject}).json()["procedure"]
    return {"hana": hana, "taro": taro, "run": run}


def standing(service, given):
    """All that could be changed."""
    views = [service.view(subject) for one in (given["hana"], given["taro"]) for subject in (one.subject, one.account_subject)]
    counted = [{**view, "counts": [(count["counter"], count["wrong"]) for count in view["counts"]], "events": None} for view in views]
    return counted, service.get(f"/v1/procedures/{given['run']}").json()


def filled(given, reservation, value):
    """The places of run, reservation and customer taken by what they stand for."""
    names = {"run": given["run"], "reservation": reservation, "hana": given["hana"].subject, "account": given["hana"].account_subject}
    for name, found in names.items():
        value = value.replace(f"{{{name}}}".encode() if isinstance(value, bytes) else f"{{{name}}}", found.encode() if isinstance(value, bytes) else found)
    return value


@pytest.mark.parametrize(("by", "method", "path", "body", "status"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_input_is_answered_plainly(service, given, caplog, capfd, by, method, path, body, status):
    """One problem answer of the right status; the canary is in no answer, header or log; nothing has changed."""
    caplog.set_level(logging.DEBUG)
    reservation = service.post(HOLD, {**ASKED, "subject": given["hana"].subject}).json()["reservation"]
    before = standing(service, given)
    logs = len(caplog.text)
    body = None if body is None else filled(given, reservation, body)
    answer = service.call(method, filled(given, reservation, path), body, by)

    assert answer.status_code in (status if isinstance(status, tuple) else (status,)), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) <= {"type", "title", "status", "detail"}
    assert problem["status"] == answer.status_code
    assert problem["title"]
    out = capfd.readouterr()
    said = (answer.text, str(answer.headers), caplog.text[logs:].replace(_line(method, answer), ""), out.out, out.err)
    assert not [part for part in said if CANARY in part]
    assert standing(service, given) == before
    service.post(f"/v1/reservations/{reservation}/verdict", {"verdict": "unread"})


def _line(method, answer):
    """What the test's own client logs of the request it sends."""
    return f'HTTP Request: {method} {answer.request.url} "'


@pytest.mark.parametrize("host", ["evil.example", f"{CANARY}.example:8080", "127.0.0.1.evil.example", "localhost@evil", "", "127.0.0.1:8080:1"])
def test_a_foreign_host_is_refused(service, given, host):
    """DNS rebinding: 400, whatever is asked for, and nothing is counted."""
    before = standing(service, given)
    for path in (HOLD, "/health/live", "/openapi.json"):
        answer = service.post(path, {**ASKED, "subject": given["hana"].subject}, host=host)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/foreign-host")
        assert CANARY not in answer.text + str(answer.headers)
    assert standing(service, given) == before


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "LOCALHOST", "[::1]:9000", "localhost"])
def test_our_own_names_are_answered(service, host):
    assert service.get("/health/live", None, host=host).status_code == 200


@pytest.mark.parametrize("header", [{"authorization": "Bearer"}, {"authorization": "Basic Y2FuYXJ5"}, {"authorization": f"Bearer  {CANARY}"}])
def test_a_malformed_authorization_is_no_key(service, header):
    answer = service.post(HOLD, {**ASKED, "subject": "customer:1"}, by=None, **header)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/no-key")


ALLOWED = (("PATCH", "/v1/procedures", "POST"), ("POST", "/v1/staff/subjects/customer:1", "GET, HEAD, PUT"), ("PUT", "/v1/sessions/1", "DELETE, GET, HEAD"))


@pytest.mark.parametrize(("method", "path", "allowed"), ALLOWED)
def test_another_method_is_told_which_there_are(service, method, path, allowed):
    """405 with Allow, without a key too."""
    answer = service.call(method, path, {CANARY: CANARY}, by=None)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_a_body_that_lies_about_its_length_is_cut_off(service, given):
    """64 KiB is the end, whatever Content-Length says."""
    async def chunks():
        for _ in range(80):
            yield b" " * 1024

    async def send():
        headers = {"authorization": f"Bearer {service.keys['bank']}"}
        return await service.client.post(f"/v1/procedures/{given['run']}/attempts", content=chunks(), headers=headers)

    assert service.do(send()).status_code == 413


def test_a_proof_that_only_a_bank_can_compare_is_not_counted(service, verify):
    """A face is judged by the bank's app: 422 here, and the way is named."""
    hana = service.customer()
    run = verify.run("login", hana)
    answer = service.post(f"/v1/procedures/{run.id}/attempts", {"item": "app-face", "proof": CANARY})
    assert answer.status_code == 422
    assert "reservation" in answer.json()["detail"]
    assert CANARY not in answer.text
    assert service.counts(hana.app_subject) == {}


ODD_PROOFS = ("", " ", "　", "ｃｏｒｒｅｃｔ", "\u200b", "' OR 1=1 --", "a" * 1024, "🔑" * 256, "\u0301", "%s%s%n", "../../etc/passwd")


@pytest.mark.parametrize("proof", ODD_PROOFS)
def test_an_odd_proof_is_merely_wrong(service, verify, proof):
    """Whatever can be typed is compared, once, and is wrong."""
    hana = service.customer()
    run = verify.run("login", hana)
    assert run.proof("login-password", proof)["outcome"] == "wrong"
    assert service.count(hana.subject, "login-password-in-a-row") == 1


HALVES = (
    {"account-number": CANARY}, {"customer-number": CANARY}, {}, CANARY, {"account-number": "", "customer-number": CANARY},
    {"account-number": " ", "customer-number": " "}, {"account-number": CANARY, "customer-number": "1", "third": CANARY},
    {"account-number": "x" * 300, "customer-number": "1"},
)


@pytest.mark.parametrize("proof", HALVES)
def test_half_a_pair_is_no_pair(service, verify, proof):
    """Both halves, neither blank: else 422, and no count is kept under an empty name."""
    run = verify.run("reset-password", service.customer(), named=False)
    answer = service.post(f"/v1/procedures/{run.id}/attempts", {"item": "number-pair", "proof": proof})
    assert answer.status_code == 422
    assert CANARY not in answer.text
    assert run.look()["state"] == "open"


def test_a_flood_of_blank_names_locks_nobody(service):
    """Fifty blank subjects, and everybody gets in (the empty name that locks all)."""
    hana = service.customer()
    for blank in ("customer:", "customer: ", "customer:\u3000", "customer:\u00a0") * 13:
        service.post(HOLD, {**ASKED, "subject": blank})
    assert service.post(HOLD, {**ASKED, "subject": hana.subject}).status_code == 201


def test_a_fault_says_its_kind_and_no_more(service, capfd, caplog):
    """An error nobody thought of: 500 as a problem answer, its text in no log."""
    begin = service.app.runs.begin

    async def broken(*args, **named):
        raise ValueError(CANARY)

    service.app.runs.begin = broken
    try:
        answer = service.post(BEGIN, {"operation": "login", "subject": "customer:1"})
    finally:
        service.app.runs.begin = begin
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    out = capfd.readouterr()
    assert CANARY not in answer.text + out.out + out.err + caplog.text
    assert "ValueError" in caplog.text
