"""What a customer is never told (D1), and what staff see instead (D2)."""

import re

import pytest
from bankside import MINUTE, Service, nobody, right_proof, subject_of, wrong_proof

from sekisho.policy import reference

IDS = re.compile(rb'"(procedure|reservation|session)":"[^"]*"')
FIGURES = re.compile(rb"\d")
HEADERS = {"content-type", "cache-control", "content-length"}

# operation, item: entered wrongly until the penalty falls and some times after it
ATTACKS = (
    ("login", "login-password"),
    ("number-inquiry", "login-password"),
    ("reset-password", "number-pair"),
    ("telephone-service", "telephone-user-number"),
    ("web-application", "basic-data"),
)


def heard(answer):
    """All that a channel receives of an answer: status, headers, body; ids masked."""
    body = IDS.sub(rb'"\1":"-"', answer.content)
    # The length is that of the masked body: ids are of one length, but what is compared need not rest on it.
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return answer.status_code, headers, body


def attack(service, customer, operation, item, times, language="en"):
    """Enter it wrongly so often, in a new run whenever one is over; what the channel receives."""
    received, procedure = [], None
    for _ in range(times):
        if procedure is None:
            body = {"operation": operation, "subject": subject_of(operation, customer), "context": {"device": customer.number}}
            if item == "number-pair":
                del body["subject"]
            begun = service.post("/v1/procedures", body, accept_language=language)
            received.append(heard(begun))
            procedure = begun.json()["procedure"]
        proof = {"item": item, "proof": wrong_proof(service, customer, item)}
        answer = service.post(f"/v1/procedures/{procedure}/attempts", proof, accept_language=language)
        standing = service.get(f"/v1/procedures/{procedure}", accept_language=language)
        received += [heard(answer), heard(standing)]
        if answer.json()["state"] != "open":
            procedure = None
    return received


def hold(service, customer, operation, item, times):
    """The same in count mode."""
    received = []
    for n in range(times):
        body = {"operation": operation, "item": item, "subject": subject_of(operation, customer), "session": f"{customer.number}/{n // 2}"}
        if item == "number-pair":
            body["about"] = customer.account_subject
        held = service.post("/v1/reservations", body)
        received.append(heard(held))
        if held.status_code == 201:
            received.append(heard(service.post(f"/v1/reservations/{held.json()['reservation']}/verdict", {"verdict": "wrong"})))
    return received


@pytest.mark.parametrize(("operation", "item"), ATTACKS)
@pytest.mark.parametrize("by", [attack, hold], ids=["verify", "count"])
def test_D1_known_and_unknown_subjects_hear_the_same(service, by, operation, item):
    """Byte for byte, up to the penalty, at it, and after it."""
    known = service.customer("telephone-user-number", "basic-data", "card-pin")
    assert by(service, known, operation, item, 12) == by(service, nobody(), operation, item, 12)


def test_D1_the_feed_tells_of_known_and_unknown_subjects_alike(service):
    """Each by the name it was entered under."""
    told = []
    for one in (service.customer(), nobody()):
        after = service.now_in_feed()
        hold(service, one, "login", "login-password", 10)
        told.append([(kind, subject.replace(one.number, "-")) for kind, subject in service.told_since(after)])
    assert told[0] == told[1] == [("lock-set", "customer:-"), ("session-ended", "customer:-"), ("notice-due", "customer:-")]


@pytest.mark.parametrize(("operation", "item"), ATTACKS)
def test_D1_with_a_contract_or_without_one_an_application_hears_the_same(service, operation, item):
    """An account that has no contract is answered like one that has."""
    if operation not in {"number-inquiry", "web-application"}:
        operation, item = "web-application", "card-pin"
    assert hold(service, service.customer(), operation, item, 12) == hold(service, service.account(), operation, item, 12)


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize(("operation", "item"), ATTACKS)
def test_D1_no_figure_no_row_and_no_retry_after_reaches_a_channel(service, operation, item, language):
    """Bodies hold no digit beside ids; headers are the same three and never Retry-After; no word is a row's or a counter's."""
    names = [name.encode() for name in service.app.table.counters] + [b"Y-", b"O-", b"Retry", b"retry"]
    for status, headers, body in attack(service, service.customer(), operation, item, 12, language):
        assert status in {200, 201}
        assert set(headers) <= HEADERS
        assert not FIGURES.search(body), body
        assert not [name for name in names if name in body]


@pytest.mark.parametrize(("language", "words"), [("ja", "しばらく"), ("en", "a while")])
def test_D1_a_timed_lock_is_after_a_while(service, language, words):
    """How long it lasts is not told."""
    hana = service.customer()
    attack(service, hana, "number-inquiry", "login-password", 10)
    received = attack(service, hana, "number-inquiry", "login-password", 1, language)
    assert words in received[1][2].decode()


def loosened(text):
    """The same policy with other thresholds and other lengths of locks, and nothing else."""
    text = re.sub(r"wrong: (\d+)", lambda found: f"wrong: {int(found[1]) + 2}", text)
    return text.replace("for: 60m", "for: 45m")


@pytest.fixture(scope="module")
def other_figures(tmp_path_factory):
    """A service under a policy that differs in figures alone."""
    folder = tmp_path_factory.mktemp("other")
    file = folder / "postal-bank.yaml"
    file.write_text(loosened(reference("postal-bank").read_text()))
    made = Service(folder, file)
    yield made
    made.close()


@pytest.mark.parametrize("by", [attack, hold], ids=["verify", "count"])
def test_D1_policies_that_differ_in_figures_alone_sound_alike(service, other_figures, by):
    """Byte for byte up to the entry at which a penalty falls, and the penalty itself sounds the same."""
    for operation, item in ATTACKS:
        strict = by(service, service.customer("basic-data"), operation, item, 2)
        loose = by(other_figures, other_figures.customer("basic-data"), operation, item, 2)
        assert strict == loose
    last = [
        by(one, one.customer(), "login", "login-password", times)[-3:] for one, times in ((service, 10), (other_figures, 12))
    ]
    assert last[0] == last[1]


def test_D1_a_customer_cannot_ask_staff_questions(service):
    """A channel key reads no staff view."""
    hana = service.customer()
    answer = service.get(f"/v1/staff/subjects/{hana.subject}", by="bank")
    assert answer.status_code == 403
    assert "login-password" not in answer.text


@pytest.mark.parametrize("by", ["aoki", "chiba", "endo", "goto", "ito"])
def test_D2_every_role_of_staff_sees_the_state_of_one_customer(service, count, by):
    """Counts with thresholds, locks with row, since, until and ways out, authenticators, recent events."""
    hana = service.customer("token-otp")
    count.run("login", hana).wrong("login-password", times=3)
    view = service.view(hana.subject, by)
    assert {"counts", "locks", "authenticators", "events", "flags", "links"} <= set(view)
    assert [one["item"] for one in view["authenticators"]] == ["login-password", "token-otp"]
    stood = next(one for one in view["counts"] if one["counter"] == "login-password-in-a-row")
    assert (stood["wrong"], stood["in_flight"], [stage["wrong"] for stage in stood["stages"]]) == (3, 0, [10])
    assert {event["kind"] for event in view["events"]} >= {"entry-wrong", "guess-reserved", "item-set"}


def test_D2_staff_see_when_a_timed_lock_ends(service, count):
    """To the second, and which row set it."""
    hana = service.customer()
    for _ in range(10):
        count.run("number-inquiry", hana).wrong("login-password")
    lock = service.lock(hana.account_subject)
    assert lock["since"] < lock["until"]
    service.passes(60 * MINUTE)
    assert service.locks(hana.account_subject) == []


def test_D2_staff_see_what_was_tried_on_a_number_nobody_has(service, count):
    """Known: no; its counts and locks are there all the same."""
    ghost = nobody()
    count.run("login", ghost).wrong("login-password", times=10)
    view = service.view(ghost.subject)
    assert view["known"] is False
    assert [lock["row"] for lock in view["locks"]] == ["Y-LOGIN-3"]


def test_a_newly_enrolled_customer_starts_clean(service, mode):
    """Whatever was tried on his number before."""
    hana = nobody()
    mode.run("login", hana).wrong("login-password", times=10)
    for subject, body in hana.enrolments():
        service.put(subject, body)
    service.put(hana.subject, {"secret": hana.password}, "login-password")
    assert (service.counts(hana.subject), service.locks(hana.subject)) == ({}, [])
    assert mode.run("login", hana).right("login-password")["outcome"] == "right"


def test_every_staff_act_names_its_operator(service, count):
    """Who enrolled, who set an item, who asked and who approved."""
    hana = service.customer()
    count.run("login", hana).wrong("login-password", times=10)
    service.released(hana.subject, "form-1-1")
    acts = {event["kind"]: event.get("operator") for event in service.view(hana.subject)["events"]}
    assert acts["form-entered"] == "endo"
    assert acts["form-done"] == acts["lock-lifted"] == acts["letter-made"] == "endo, fujii"


def test_right_proofs_are_right(service, verify):
    """What these tests enter is what is on record: else a refusal would prove nothing."""
    hana = service.customer("basic-data", "card-pin", "telephone-pin", "telephone-user-number")
    assert right_proof(service, hana, "basic-data") == hana.basic_data
    run = verify.run("telephone-service", hana)
    assert [run.now(item)["message"] for item in ("telephone-user-number", "telephone-pin")] == ["next", "done"]
