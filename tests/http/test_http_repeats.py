"""Repeats of a wrong password over HTTP, where a policy says that they count once: nobody hears of it, and nothing is forgiven that was not paid for."""

import pytest
from bankside import DAY, MODES, OnPostgres, Service, nobody
from scale import times

from sekisho.adapters.keyring import Keyring
from sekisho.adapters.secrets import KeyedSecrets
from sekisho.core.state import Guard, Secret, decode
from sekisho.policy import reference
from sekisho.policy.model import seconds

KEPT, FOR, FIGURE = 3, "36h", 10
IN_A_ROW, A_YEAR = "login-password-in-a-row", "login-password-a-year"
SHORT = "one wrong password"


def remembering():
    """The bank, if it counted repeats of a login password once."""
    text = reference("postal-bank").read_text(encoding="utf-8")
    begins = "login-password: {kind: password,"
    assert text.count(begins) == 1
    return text.replace(begins, f"{begins} repeats: {{kept: {KEPT}, for: {FOR}}},")


def opened(folder, kind=Service):
    (folder / "policy.yaml").write_text(remembering(), encoding="utf-8")
    return kind(folder, folder / "policy.yaml")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def service(request, tmp_path_factory, cheap_hashes):
    kind = Service
    if request.param == "postgres":
        kind, OnPostgres.place = OnPostgres, request.getfixturevalue("postgres").database()
    made = opened(tmp_path_factory.mktemp("repeats"), kind)
    yield made
    made.close()


def login(service, customer, password):
    """One entry in a run of its own, as it is told."""
    begun = service.post("/v1/procedures", {"operation": "login", "subject": customer.subject})
    return service.post(f"/v1/procedures/{begun.json()['procedure']}/attempts", {"item": "login-password", "proof": password})


def standing(service, customer):
    return [service.count(customer.subject, counter) for counter in (IN_A_ROW, A_YEAR)]


def kinds(service, customer):
    return [event["kind"] for event in service.view(customer.subject)["events"]]


def test_a_program_that_goes_on_with_an_old_password_locks_nobody_out(service):
    hana = service.customer()
    for _ in range(times(15, full=288)):
        assert login(service, hana, SHORT).json()["code"] == "wrong"
    assert standing(service, hana) == [1, 1] and service.locks(hana.subject) == []
    assert "entry-repeated" in kinds(service, hana)
    assert login(service, hana, hana.password).json()["outcome"] == "right"


def test_known_or_not_a_lock_falls_at_the_same_different_entry_and_reads_alike(service):
    """Every third comes once more."""
    told = []
    for customer in (service.customer(), nobody()):
        entered = [f"wrong {n}" for n in range(FIGURE) for _ in range(1 + (n % 3 == 0))]
        told.append([(answer.status_code, answer.content) for answer in (login(service, customer, one) for one in entered)])
    assert told[0] == told[1]
    fell = next(number for number, (_, content) in enumerate(told[0]) if b'"wrong-locked"' in content)
    assert fell == entered.index(f"wrong {FIGURE - 1}"), "the tenth different one, and neither sooner nor later"


def test_a_repeat_reads_like_any_wrong_entry(service):
    hana = service.customer()
    first, again, other = (login(service, hana, one) for one in (SHORT, SHORT, "another"))
    assert first.content == again.content == other.content
    shown = [[(name, value) for name, value in one.headers.items() if name != "date"] for one in (first, again, other)]
    assert shown[0] == shown[1] == shown[2]


def test_of_the_same_one_many_times_at_once_exactly_one_counts(service):
    hana = service.customer()
    begun = [service.post("/v1/procedures", {"operation": "login", "subject": hana.subject}).json()["procedure"] for _ in range(6)]
    body = {"item": "login-password", "proof": SHORT}
    answers = service.together(*(service.send("POST", f"/v1/procedures/{run}/attempts", body) for run in begun))
    assert {one.json()["code"] for one in answers} == {"wrong"} and standing(service, hana) == [1, 1]


def test_another_operation_that_asks_for_it_counts_it_once_too_and_by_itself(service):
    hana = service.customer()
    login(service, hana, SHORT)
    for _ in range(3):
        run = MODES["verify"](service).run("number-inquiry", hana)
        assert run.reach("login-password") is None and run.proof("login-password", SHORT)["outcome"] == "wrong"
    assert standing(service, hana) == [1, 2]


def test_a_new_password_forgets_what_was_wrong_for_the_old_one(service):
    hana = service.customer()
    login(service, hana, "what comes next")
    service.put(hana.subject, {"secret": "what comes next"}, "login-password")
    assert login(service, hana, "what comes next").json()["outcome"] == "right"
    login(service, hana, SHORT)
    service.put(hana.subject, {"secret": "still another one"}, "login-password")
    login(service, hana, SHORT)
    assert standing(service, hana)[0] == 2


def test_the_bank_s_own_verdicts_count_each(service):
    """In count mode nobody here knows what was entered."""
    hana = service.customer()
    for _ in range(3):
        MODES["count"](service).run("login", hana).wrong("login-password")
    assert standing(service, hana)[0] == 3


@pytest.mark.parametrize("service", ["sqlite"], indirect=True)
def test_it_is_remembered_as_long_as_the_policy_says(service):
    hana = service.customer()
    login(service, hana, SHORT)
    service.passes(seconds(FOR) - 60)
    login(service, hana, SHORT)
    assert standing(service, hana) == [1, 1]
    service.passes(DAY)
    login(service, hana, SHORT)
    assert standing(service, hana) == [2, 2]


def test_a_copy_without_the_keys_does_not_tell_what_was_entered(service):
    """Tags of one entry for two customers have nothing alike, and under other keys none is found again."""
    hana, kenji = service.customer(), service.customer()
    for one in (hana, kenji):
        login(service, one, SHORT)
    found = service.do(service.app.store.peek([hana.subject, kenji.subject, f"secret:{hana.subject}/login-password"]))
    tags = [{tag for count in decode(found[one.subject], Guard).counts.values() for tag, _ in count.tags} for one in (hana, kenji)]
    assert [len(one) for one in tags] == [1, 1] and tags[0] != tags[1]
    assert all(SHORT.encode() not in body for body in found.values())
    key = f"secret:{hana.subject}/login-password"
    record, pepper = decode(found[key], Secret), Keyring.open(service.folder / "keys.json").secret("pepper")
    assert {KeyedSecrets(pepper).compared(record, "password", SHORT, key)[1]} == tags[0]
    assert {KeyedSecrets(b"x" * 32).compared(record, "password", SHORT, key)[1]} != tags[0]
    assert {KeyedSecrets(pepper).compared(record, "password", SHORT + "r", key)[1]} != tags[0]


def test_a_stranger_s_entry_is_known_again_on_every_node(cheap_hashes):
    """Else he would be told from a customer by when the lock falls."""
    one, other = KeyedSecrets(b"p" * 32), KeyedSecrets(b"p" * 32)
    assert one.compared(None, "password", SHORT, "secret:~customer:1/x") == other.compared(None, "password", SHORT, "secret:~customer:1/x")
