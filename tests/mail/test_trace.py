"""M-TRACE-1: whatever becomes of a message is on record, with who said so; and the customer is told what is known of it."""

import pytest
from bankside import MINUTE, nobody
from post import PostOffice, fault

from sekisho.catalogue import say
from sekisho.policy import reference

# what goes wrong, what happened in order, why, at which point, what the customer is told
FAULTS = (
    ("arrives", ["tried", "accepted", "delivered"], "", "", "delivery.delivered"),
    ("slow", ["tried", "accepted", "delivered"], "", "", "delivery.delivered"),
    ("greylisted", ["tried", "put-off", "tried", "accepted", "delivered"], "transient", "rcpt", "delivery.delivered"),
    ("filtered", ["tried", "refused"], "recipient-filter", "end-of-data", "delivery.failed-recipient-filter"),
    ("unknown", ["tried", "refused"], "dead", "rcpt", "delivery.failed-dead"),
    ("full", ["tried", "refused"], "dormant", "rcpt", "delivery.failed-dormant"),
    ("dropped", ["tried", "accepted"], "", "", "delivery.handed-over"),
    ("bounced-later", ["tried", "accepted", "bounced"], "dormant", "", "delivery.failed-dormant"),
)


def asked_for(office, verify, n=0):
    """A run that asked for a code at its customer's address; the message's name."""
    customer = office.customer("basic-data", "card-pin")
    run = verify.run("mail-address", customer)
    run.reach("mail-otp")
    ids = [one["id"] for one in office.get(f"/v1/procedures/{run.id}/addresses").json()["addresses"]]
    return customer, run, lambda which=n: run.send("mail-otp", ids[which]).json()["delivery"]


def told(office, run):
    return office.get(f"/v1/procedures/{run.id}/deliveries").json()["deliveries"]


@pytest.mark.parametrize(("what", "happened", "why", "stage", "words"), FAULTS, ids=[row[0] for row in FAULTS])
def test_M_TRACE_1_the_course_of_every_message_is_on_record(office, verify, what, happened, why, stage, words):
    customer, run, send = asked_for(office, verify)
    office.sink.faults[customer.mails[0]] = fault("greylisted" if what == "greylisted" else what)
    office.sink._waits = office.sink._waits._replace(grey_s=60.0)
    name = send()
    if what == "greylisted":
        office.until(lambda: [hop.what for hop in office.hops(name)] == ["tried", "put-off"])
        office.sink._waits = office.sink._waits._replace(grey_s=0.0)
        office.passes(16)
    office.until(lambda: [hop.what for hop in office.hops(name)] == happened)
    hops = office.hops(name)
    assert {hop.group for hop in hops if hop.group} == ({why} if why else set())
    assert [hop.stage for hop in hops if hop.group] == ([stage] if why else [])
    assert all(hop.by for hop in hops if hop.what != "tried")
    (shown,) = told(office, run)
    assert shown["message"] == say("en", words)
    assert shown["another"] is (words.startswith("delivery.failed"))
    assert shown["address"].startswith("f•••@")


def test_M_TRACE_1_a_code_that_is_used_is_known_to_have_arrived(office, verify):
    customer, run, send = asked_for(office, verify)
    name = send()
    office.settled(name, "delivered")
    code = office.sink.received(customer.mails[0])[0].body
    digits = next(line.strip() for line in code.splitlines() if line.startswith("    "))
    assert run.proof("mail-otp", digits)["outcome"] == "right"
    office.settled(name, "used")
    assert told(office, run)[0]["message"] == say("en", "delivery.used")


def test_M_TRACE_1_a_code_that_is_never_used_is_on_record_as_that(office, verify):
    customer, _, send = asked_for(office, verify)
    office.sink.faults[customer.mails[0]] = fault("dropped")
    name = send()
    office.settled(name, "handed-over")
    office.passes(11 * MINUTE)
    office.until(lambda: [hop.what for hop in office.hops(name)] == ["tried", "accepted", "unused"])


def test_M_HELP_1_the_remedies_are_those_that_fit_what_is_known(office, verify):
    customer, run, send = asked_for(office, verify)
    office.sink.faults[customer.mails[0]] = fault("full")
    office.settled(send(), "not-sent")
    assert [remedy["name"] for remedy in told(office, run)[0]["remedies"]] == ["other-address", "make-room", "apply-again"]


def test_silence_offers_another_address_after_a_while(office, verify):
    customer, run, send = asked_for(office, verify)
    office.sink.faults[customer.mails[0]] = fault("dropped")
    office.settled(send(), "handed-over")
    assert told(office, run)[0]["another"] is False
    office.passes(46)
    assert told(office, run)[0]["another"] is True
    assert [remedy["name"] for remedy in told(office, run)[0]["remedies"]] == ["other-address", "spam-folder", "receive-list"]


@pytest.fixture
def open_doors(tmp_path):
    """A service whose policy sends a code before anything is proved."""
    file, steps = tmp_path / "postal-bank.yaml", "steps: [account-number, login-password, mail-otp]"
    text = reference("postal-bank").read_text()
    assert steps in text
    file.write_text(text.replace(steps, "steps: [account-number, mail-otp, login-password]"))
    made = PostOffice(tmp_path, policy=file)
    yield made
    made.close()


def test_whoever_has_proved_nothing_is_told_nothing_of_the_message(open_doors):
    """Else it would tell whether there is such a customer: what has failed for one sounds like what went nowhere for nobody."""
    heard = []
    for one in (open_doors.customer(), nobody()):
        open_doors.sink.faults[one.mails[0]] = fault("unknown")
        begun = open_doors.post("/v1/procedures", {"operation": "number-inquiry", "subject": one.account_subject}).json()
        path = f"/v1/procedures/{begun['procedure']}"
        name = open_doors.post(f"{path}/challenges", {"item": "mail-otp"}).json()["delivery"]
        open_doors.until(lambda name=name: open_doors.course(name) in {"not-sent", "handed-over"})
        (shown,) = open_doors.get(f"{path}/deliveries").json()["deliveries"]
        heard.append({field: value for field, value in shown.items() if field not in {"delivery", "challenge", "label", "at"}})
    assert heard[0] == heard[1] and heard[0]["code"] == "asked-for"
