"""Codes by mail and by telephone, sent and compared here: from the address to the entry."""

import logging
import re

import pytest
from bankside import DAY, MINUTE, SENT, Service, nobody, told

from sekisho.adapters.codes import KeyedCodes
from sekisho.adapters.keyring import Keyring
from sekisho.core.state import Outgoing, Procedure, decode
from sekisho.policy import reference

IDS = re.compile(rb'"(procedure|challenge|delivery|label|id|address|at|again_at)":"[^"]*"')

# row, operation, item, wrong codes until the run ends
ROWS = (
    ("Y_NUMBER_3", "number-inquiry", "mail-otp", 15), ("Y_RESET_3", "reset-password", "mail-otp", 15),
    ("Y_UNSUSPEND_1", "lift-suspension", "mail-otp", 15), ("Y_MAIL_1", "mail-address", "mail-otp", 15),
    ("Y_APPLY_3", "web-application", "address-otp", 15), ("Y_APPLY_5", "web-application", "identity-confirmation", 10),
)


@pytest.fixture
def hana(service):
    """A customer with two mail addresses, and a telephone number of long standing."""
    return service.customer("basic-data", "card-pin")


@pytest.fixture
def run(verify, hana):
    """A run of hers that asks for a code by mail."""
    return at_code(verify, hana)


def at_code(verify, customer, operation="mail-address", item="mail-otp"):
    run = verify.run(operation, customer, named=operation != "reset-password")
    run.reach(item)
    assert item in run.asks()
    return run


def sent(run, item="mail-otp", address=None, **headers):
    """Have a code sent; the answer's name, and its body."""
    answer = run.send(item, address, **headers)
    body = answer.json()
    return ("sent" if answer.status_code == 201 else body["code"]), body


def addresses(run):
    answer = run.service.get(f"/v1/procedures/{run.id}/addresses")
    assert answer.status_code == 200
    return answer.json()


def deliveries(run):
    return run.service.get(f"/v1/procedures/{run.id}/deliveries").json()["deliveries"]


@pytest.mark.parametrize(("operation", "item"), [row[1:3] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_code_that_was_sent_is_right(verify, hana, operation, item):
    """Sent, handed over, read, entered; and with spaces, hyphens and full-width digits as people type them."""
    run = at_code(verify, hana, operation, item)
    code = run.code(item)
    assert run.proof(item, code.translate(str.maketrans("0123456789 ", "0123456789-")))["outcome"] == "right"


@pytest.mark.parametrize(("operation", "item", "number"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_A7_a_new_code_brings_no_new_guess(service, verify, hana, operation, item, number):
    """Whatever is sent in between, the last wrong code ends the run; then none is sent any more."""
    run = at_code(verify, hana, operation, item)
    for n in range(number):
        if n % 4 == 0:
            service.passes(MINUTE)
            assert sent(run, item)[0] == "sent"
        answer = run.proof(item, "12345678")
        assert answer["message"] == ("wrong" if n < number - 1 else answer["message"])
    assert answer["state"] == "ended"
    assert sent(run, item)[0] != "sent"


def test_A8_after_a_hundred_wrong_codes_none_is_sent(service, verify, hana):
    """It is told plainly, instead of a code that would be good for nothing."""
    service.put(hana.subject, {"counts": {"mail-codes-a-year": 99}}, "mail-otp")
    run = at_code(verify, hana)
    assert sent(run)[0] == "sent"
    assert run.proof("mail-otp", "12345678")["message"] == "wrong-locked"
    assert sent(run)[0] in {"locked", "start-over"}
    again = verify.run("mail-address", hana)
    again.right("new-addresses")
    assert sent(again)[0] == "locked"
    assert service.lock(hana.subject)["refused"]["number"] >= 1


def test_sending_again_repeats_the_code(service, run, hana):
    """Another message with the same code, after the wait that the policy asks for; the first is in force still."""
    first, code = sent(run)[1], service.code(hana)
    word, body = sent(run)
    assert word == "sent-just-now" and body["again_at"] == first["again_at"]
    service.passes(30)
    word, again = sent(run)
    assert word == "sent" and (again["challenge"], again["label"]) == (first["challenge"], first["label"])
    assert again["delivery"] != first["delivery"] and service.code(hana) == code
    assert run.proof("mail-otp", code)["outcome"] == "right"


def test_a_code_lives_from_the_start_of_its_challenge(service, run, hana):
    """Sent again in its last minute it is the same, and dead with the first; what is entered then costs no guess."""
    sent(run)
    service.passes(9 * MINUTE + 30)
    assert sent(run)[0] == "sent"
    code = service.code(hana)
    service.passes(31)
    late = run.proof("mail-otp", code)
    assert (late["outcome"], late["message"]) == ("refused", "no-code")
    assert service.counts(hana.subject) == {}
    assert sent(run)[0] == "sent"
    assert run.proof("mail-otp", code)["outcome"] == "wrong"
    assert run.proof("mail-otp", service.code(hana))["outcome"] == "right"


def test_a_challenge_is_sent_so_often_and_no_more(service, run):
    """The next is told plainly, with the time from when there is another; nothing is sent that would be dead."""
    for _ in range(5):
        assert sent(run)[0] == "sent"
        service.passes(31)
    word, body = sent(run)
    assert word == "sent-enough" and body["again_at"]
    assert len(deliveries(run)) == 5


def test_messages_to_one_address_are_few_in_an_hour(service, verify, hana):
    """Whatever runs ask for them."""
    words = []
    for _ in range(12):
        words.append(sent(at_code(verify, hana, "number-inquiry"))[0])
        service.passes(31)
    assert words == ["sent"] * 10 + ["sent-enough"] * 2
    service.passes(62 * MINUTE)
    assert sent(at_code(verify, hana, "number-inquiry"))[0] == "sent"


def test_before_a_code_is_sent_no_entry_is_looked_at(service, run, hana):
    """There is nothing that it could hit."""
    answer = run.proof("mail-otp", "12345678")
    assert (answer["outcome"], answer["message"], answer["state"]) == ("refused", "no-code", "open")
    assert service.counts(hana.subject) == {}


def test_each_address_has_its_own_code_and_all_are_good(service, run, hana):
    """The customer chooses; what came to the first counts still (M-CHOOSE-1)."""
    first, second = addresses(run)["addresses"]
    assert (first["address"], second["address"]) == ("f•••@e•••.com", "s•••@e•••.jp")
    assert sent(run, address=first["id"])[0] == sent(run, address=second["id"])[0] == "sent"
    codes = [service.code(hana, n=n) for n in (0, 1)]
    assert codes[0] != codes[1]
    assert run.proof("mail-otp", codes[0])["outcome"] == "right"


def test_a_code_is_used_once(service, verify, hana):
    """Not again in its run, and not in another."""
    run = at_code(verify, hana)
    code = run.code("mail-otp")
    assert run.proof("mail-otp", code)["outcome"] == "right"
    assert run.proof("mail-otp", code)["outcome"] == "refused"
    other = at_code(verify, hana)
    other.send("mail-otp")
    assert other.proof("mail-otp", code)["outcome"] == "wrong"


def test_only_the_customers_own_addresses_can_be_chosen(service, verify, run):
    """An id of another's, or none, is none of those to choose from."""
    other = addresses(at_code(verify, service.customer()))["addresses"][0]["id"]
    for name in (other, "first", "0" * 12):
        answer = run.send("mail-otp", name)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/no-such-address")
    assert deliveries(run) == []


@pytest.mark.parametrize("on_file", [
    [], [{"kind": "telephone", "to": "090-1234-5678", "state": "confirmed"}],
    [{"kind": "mail", "to": "new@example.com", "state": "unconfirmed"}],
], ids=["none", "of another kind", "not confirmed"])
def test_without_an_address_the_customer_is_told_so(service, verify, hana, on_file):
    """And nothing is counted and nothing sent."""
    service.put(hana.subject, {**dict(hana.enrolments())[hana.subject], "addresses": on_file})
    run = at_code(verify, hana)
    assert (addresses(run)["addresses"], addresses(run)["code"]) == ([], "no-address")
    assert sent(run)[0] == "no-address"
    assert deliveries(run) == []


def test_A9_no_identity_code_to_a_number_that_is_new(service, verify, hana):
    """A telephone number gets one when it has not changed for 30 days."""
    telephone = {"kind": "telephone", "to": "080-7654-3210", "state": "confirmed"}
    service.put(hana.account_subject, {**dict(hana.enrolments())[hana.account_subject], "addresses": [telephone]})
    answer = sent(at_code(verify, hana, "web-application", "identity-confirmation"), "identity-confirmation")
    assert answer[0] == "no-address-but-paper" and "on paper" in answer[1]["message"]
    service.passes(30 * DAY)
    assert sent(at_code(verify, hana, "web-application", "identity-confirmation"), "identity-confirmation")[0] == "sent"


def test_before_it_is_asked_for_no_code_is_sent_and_no_address_told(service, verify, hana):
    """Neither at the first step, nor when the run is over."""
    run = verify.run("number-inquiry", hana)
    assert addresses(run)["addresses"] == []
    assert sent(run)[0] == "not-accepted"
    run = at_code(verify, hana, "number-inquiry")
    run.right("mail-otp")
    assert addresses(run)["addresses"] == [] and sent(run)[0] == "start-over"


@pytest.mark.parametrize(("item", "status"), [("login-password", 422), ("new-addresses", 422), ("none", 422), ("token-otp", 422)])
def test_only_codes_are_sent(run, item, status):
    assert run.send(item).status_code == status


def test_nobody_elses_key_sends_or_looks(service, run):
    """404, as for a procedure that is not there."""
    path = f"/v1/procedures/{run.id}"
    answers = [service.post(f"{path}/challenges", {"item": "mail-otp"}, by="other bank")]
    answers += [service.get(f"{path}/{what}", by="other bank") for what in ("addresses", "deliveries")]
    assert {answer.status_code for answer in answers} == {404}
    assert service.get(f"{path}/addresses", by="aoki").status_code == 403


def test_a_request_sent_twice_sends_once(service, run, hana):
    """The same answer, one message; with another body it is a mistake."""
    first, again = (sent(run, idempotency_key="press-1")[1] for _ in range(2))
    assert first == again
    assert len(deliveries(run)) == 1
    assert run.send("mail-otp", "other", idempotency_key="press-1").status_code == 409


def test_what_is_known_of_a_message_is_told_in_words(service, run, hana):
    """Queued, then handed over, in the language of whoever looks."""
    sent(run)
    service.do(service.app.outbox.deliver())
    (one,) = deliveries(run)
    assert (one["code"], one["kind"], one["item"]) == ("handed-over", "mail", "mail-otp")
    japanese = service.get(f"/v1/procedures/{run.id}/deliveries", accept_language="ja").json()["deliveries"][0]["message"]
    assert "送信しました" in japanese and "sent" in one["message"]


@pytest.mark.parametrize(("language", "words"), [("ja", "当行の担当者がコードをお尋ねすることはありません"), ("en", "Nobody at the bank will ever ask")])
def test_a_mail_says_what_it_is_for_and_its_subject_says_nothing(service, run, hana, language, words):
    """Operation, label and how long it is good; no link; in the subject neither code nor label."""
    body = sent(run, accept_language=language)[1]
    code = service.code(hana)
    mail = service.boxes["mail"].received(hana.mails[0])[0]
    operation = service.app.table.operations["mail-address"].text
    for part in (words, body["label"], code, operation.ja if language == "ja" else operation.en, "10"):
        assert part in mail.body
    assert not re.search(r"\d", mail.subject) and body["label"] not in mail.subject
    assert "http" not in mail.body


@pytest.mark.parametrize(("by", "whole"), [("aoki", False), ("goto", False), ("chiba", True), ("endo", True), ("ito", True)])
def test_the_first_line_sees_addresses_behind_their_masks(service, hana, by, whole):
    """Whoever is on the telephone with anybody; the second line works with them."""
    shown = service.view(hana.subject, by)["addresses"]
    assert [one["address"] for one in shown] == (list(hana.mails) if whole else ["f•••@e•••.com", "s•••@e•••.jp"])
    assert {(one["kind"], one["state"], one["since"]) for one in shown} == {("mail", "confirmed", "2020-01-01T00:00:00.000Z")}


def test_an_address_keeps_its_id_and_its_time(service, hana):
    """When the same is told once more; and what an enrolment leaves out stays."""
    before = service.view(hana.subject)["addresses"]
    service.put(hana.subject, {**dict(hana.enrolments())[hana.subject], "addresses": [
        {"kind": "mail", "to": to, "state": "confirmed"} for to in hana.mails]})
    service.put(hana.subject, dict(hana.enrolments())[hana.subject])
    assert service.view(hana.subject)["addresses"] == before


@pytest.mark.parametrize("on_file", [
    [{"kind": "mail", "to": f"{n}@example.com", "state": "confirmed"} for n in range(4)],
    [{"kind": "mail", "to": "a@example.com", "state": "confirmed"}] * 2,
    [{"kind": "mail", "to": "nobody", "state": "confirmed"}], [{"kind": "mail", "to": "a@b\r\nBcc: c@d", "state": "confirmed"}],
    [{"kind": "mail", "to": "a@example.com,b@example.com", "state": "confirmed"}], [{"kind": "telephone", "to": "call me", "state": "confirmed"}],
], ids=["too many", "twice", "none", "two lines", "two of them", "no number"])
def test_what_is_no_address_is_refused(service, hana, on_file):
    """One address is one, and none is repeated in the answer."""
    answer = service.call("PUT", f"/v1/staff/subjects/{hana.subject}", {"addresses": on_file}, "endo")
    assert answer.status_code == 422
    assert on_file[0]["to"] not in answer.text


def test_no_code_is_in_the_store_a_log_an_event_or_a_metric(service, verify, hana, caplog):
    """Searched as it is read and as it is entered, after two codes were sent and used."""
    caplog.set_level(logging.DEBUG)
    run = at_code(verify, hana, "web-application", "identity-confirmation")
    codes = [run.code("identity-confirmation")]
    run.right("identity-confirmation")
    run.reach("address-otp")
    codes.append(run.code("address-otp"))
    run.right("address-otp")
    files = b"".join(path.read_bytes() for path in service.folder.iterdir() if path.is_file())
    heard = "".join(service.get(path).text for path in (f"/v1/procedures/{run.id}", f"/v1/procedures/{run.id}/deliveries"))
    seen = "".join(str(service.view(one)) for one in (hana.subject, hana.account_subject)) + str(service.events())
    metrics = service.do(service.metrics.get("/metrics")).text
    for code in [*codes, *(code.replace(" ", "") for code in codes)]:
        assert code.encode() not in files
        assert code not in heard + seen + metrics + caplog.text


def test_a_code_outlives_the_rotation_of_its_key(tmp_path, service, run):
    """What was sent with the old version is right with the new ring; what is sent from then on is made with the new one."""
    sent(run)
    ring = Keyring.open(service.folder / "keys.json")
    before = KeyedCodes(ring)
    ring.path = tmp_path / "keys.json"
    ring.rotate("codes")
    after = KeyedCodes(ring)
    challenge = service.do(one_challenge(service, run))
    assert after.version == before.version + 1 and after.code(challenge) == before.code(challenge) is not None
    challenge.version = 99
    assert after.code(challenge) is None


async def one_challenge(service, run):
    key = f"procedure:{run.id}"
    return decode((await service.app.store.peek([key]))[key], Procedure).challenges[0]


# -- strangers

CODE_FIRST = "steps: [account-number, mail-otp, login-password]"


@pytest.fixture(scope="module")
def open_doors(tmp_path_factory):
    """A service whose policy sends a code before anything is proved."""
    folder = tmp_path_factory.mktemp("open")
    file = folder / "postal-bank.yaml"
    text = reference("postal-bank").read_text()
    assert "steps: [account-number, login-password, mail-otp]" in text
    file.write_text(text.replace("steps: [account-number, login-password, mail-otp]", CODE_FIRST))
    made = Service(folder, file)
    yield made
    made.close()


def visit(service, customer):
    """All that a channel hears of a procedure that begins with a code: ids, times and masked addresses alike for all."""
    begun = service.post("/v1/procedures", {"operation": "number-inquiry", "subject": customer.account_subject, "context": {"device": "d"}})
    heard, path = [], f"/v1/procedures/{begun.json()['procedure']}"

    def hear(answer):
        heard.append((answer.status_code, dict(answer.headers) | {"content-length": ""}, IDS.sub(rb'"\1":"-"', answer.content)))
        return answer

    found = hear(service.get(f"{path}/addresses")).json()["addresses"]
    heard[-1] = heard[-1][0], bool(found)
    for seconds in (0, 1, 31, 31, 31, 31, 31):
        service.passes(seconds)
        hear(service.post(f"{path}/challenges", {"item": "mail-otp", "address": found[0]["id"]}))
        service.do(service.app.outbox.deliver())
        hear(service.get(f"{path}/deliveries"))
        hear(service.post(f"{path}/attempts", {"item": "mail-otp", "proof": "12345678"}))
    hear(service.post(f"{path}/challenges", {"item": "mail-otp", "address": "000000000000"}))
    service.passes(11 * MINUTE)
    hear(service.post(f"{path}/attempts", {"item": "mail-otp", "proof": "12345678"}))
    return heard


def test_D1_a_strangers_codes_sound_like_anybodys(open_doors):
    """Byte for byte; and what was sent to him went nowhere."""
    assert visit(open_doors, open_doors.customer()) == visit(open_doors, nobody())


def test_D1_a_strangers_addresses_are_always_the_same(open_doors):
    """They look like anybody's, and another stranger's are others."""
    ghosts = [nobody() for _ in range(20)]
    seen = []
    for ghost in ghosts * 2:
        begun = open_doors.post("/v1/procedures", {"operation": "number-inquiry", "subject": ghost.account_subject, "context": {"device": ghost.number}})
        seen.append(open_doors.get(f"/v1/procedures/{begun.json()['procedure']}/addresses").json()["addresses"])
    assert seen[:20] == seen[20:]
    assert all(re.fullmatch(r"[a-z]•••@[a-z]•••\.[a-z]+", one["address"]) for found in seen for one in found)
    assert len({str(found) for found in seen}) == 20


def test_D1_a_stranger_leaves_as_many_messages(open_doors):
    """Counted in the store; each of them has been through the same, and nothing has come anywhere."""
    written = []
    for one in (open_doors.customer(), nobody()):
        before = open_doors.do(messages(open_doors))
        visit(open_doors, one)
        open_doors.do(open_doors.app.outbox.deliver())
        written.append(sorted(course for key, course in open_doors.do(messages(open_doors)).items() if key not in before))
    assert written[0] == written[1] == [["tried", "accepted", "unused"]] * 5


async def messages(service):
    found = await service.app.store.rows("outbox:", "", 10_000)
    return {key: [hop.what for hop in decode(body, Outgoing).trace] for key, body in found}


def test_these_tests_send_what_the_policy_sends(service):
    """Every item of a kind that is sent is one that they know."""
    items = service.app.table.items.values()
    assert {item.name for item in items if item.kind in {"code", "confirmation"}} <= set(SENT)


def test_count_mode_goes_on_beside_it(service, count, hana):
    """A bank that compares itself needs no challenge."""
    run = count.run("number-inquiry", hana)
    assert run.wrong("mail-otp")["outcome"] == "wrong"
    held = service.post("/v1/reservations", run.body("mail-otp"))
    assert told(service.post(f"/v1/reservations/{held.json()['reservation']}/verdict", {"verdict": "right"}))["outcome"] == "right"
