"""Reports on messages: tied by the MAC in their return address. Forged, repeated or hostile ones change nothing."""

import asyncio
import smtplib

import pytest
from bankside import MINUTE
from post import fault

from sekisho.core import health
from sekisho.core.state import Addresses, decode


def report(action="failed", status="5.1.1", reply="550 5.1.1 User unknown", to="hana@example.com", by="mx.example.com"):
    """A delivery report as RFC 3464 has it."""
    return (
        f"From: MAILER-DAEMON@{by}\nTo: codes@bounce.bank.example\nSubject: Delivery report\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\nContent-Type: text/plain\n\nWords.\n\n'
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; {by}\n\nFinal-Recipient: rfc822; {to}\nAction: {action}\n"
        f"Status: {status}\nDiagnostic-Code: smtp; {reply}\n\n--b--\n"
    )


@pytest.fixture
def sent(office, verify):
    """A message that was handed over and of which nothing was heard; and whose it is."""
    customer = office.customer("basic-data", "card-pin")
    office.sink.faults[customer.mails[0]] = fault("dropped")
    run = verify.run("mail-address", customer)
    run.reach("mail-otp")
    name = run.send("mail-otp").json()["delivery"]
    office.settled(name, "handed-over")
    return name, customer


def bring(office, to, content):
    """As the relay brings it: what the server answered."""
    async def talk():
        return await asyncio.get_running_loop().run_in_executor(None, _talk, office.bounces_at, to, content)
    return office.do(talk())


def _talk(at, to, content):
    with smtplib.SMTP(*at) as smtp:
        smtp.ehlo("relay.example")
        smtp.mail("<>")
        code, _ = smtp.rcpt(to)
        if code != 250:
            return code
        code, _ = smtp.data(content if isinstance(content, bytes) else content.replace("\n", "\r\n").encode())
        return code


def heard(office, customer):
    book = decode(office.do(office.app.store.peek([f"addresses:{customer.subject}"]))[f"addresses:{customer.subject}"], Addresses)
    return [one.what for one in book.heard.get(book.known[0].id, [])]


def test_a_report_is_tied_to_its_message_whatever_case_the_address_comes_in(office, sent):
    name, customer = sent
    assert bring(office, office.envelopes.address(name).upper(), report()) == 250
    assert office.course(name) == "bounced" and heard(office, customer) == ["dead"]
    hop = office.hops(name)[-1]
    assert (hop.by, hop.group, hop.status) == ("mx.example.com", "dead", "5.1.1") and "hana@" not in hop.said


def test_a_report_that_comes_again_changes_nothing(office, sent):
    name, customer = sent
    for _ in range(3):
        assert bring(office, office.envelopes.address(name), report()) == 250
    assert [hop.what for hop in office.hops(name)] == ["tried", "accepted", "bounced"] and heard(office, customer) == ["dead"]


def test_forged_reports_are_refused_before_anything_is_read(office, sent):
    name, _ = sent
    good = office.envelopes.token(name)
    local = office.envelopes.local
    forged = [
        *(f"{local}+{good[:-1]}{sign}@bounce.bank.example" for sign in "abcdefghijklmnopqrstuvwxyz234567" if sign != good[-1]), f"{local}+{good[::-1]}@bounce.bank.example", f"{local}@bounce.bank.example",
        f"other+{good}@bounce.bank.example", f"{local}+{good}@elsewhere.example", f"{local}+{'a' * 45}@bounce.bank.example", "postmaster@bounce.bank.example",
    ]
    assert [bring(office, one, report()) for one in forged] == [550] * len(forged)
    assert [hop.what for hop in office.hops(name)] == ["tried", "accepted"]


def test_a_message_takes_so_many_reports_and_no_more(office, sent):
    name, _ = sent
    for n in range(25):
        bring(office, office.envelopes.address(name), report("delayed", "4.4.1", f"451 4.4.1 try {n}"))
    assert len(office.hops(name)) == 2 + 20


def test_later_news_overtakes_and_what_is_strongest_stays(office, sent):
    name, _ = sent
    for what, status, stands in (
        ("delayed", "4.4.1", "delayed"), ("relayed", "2.0.0", "relayed"), ("delayed", "4.4.7", "relayed"), ("delivered", "2.1.5", "delivered"),
        ("failed", "5.2.2", "bounced"), ("delivered", "2.0.0", "bounced"),
    ):
        bring(office, office.envelopes.address(name), report(what, status, f"x {status}"))
        assert office.course(name) == stands


def test_a_bounce_after_the_code_was_used_is_on_record_and_changes_nothing_else(office, verify):
    customer = office.customer("basic-data", "card-pin")
    run = verify.run("mail-address", customer)
    run.reach("mail-otp")
    name = run.send("mail-otp").json()["delivery"]
    office.settled(name, "delivered")
    body = office.sink.received(customer.mails[0])[0].body
    run.proof("mail-otp", next(line.strip() for line in body.splitlines() if line.startswith("    ")))
    office.settled(name, "used")
    bring(office, office.envelopes.address(name), report())
    assert office.course(name) == "used" and office.hops(name)[-1].what == "bounced"


def test_a_complaint_finds_its_message_inside(office, sent):
    """A provider's feedback loop sends to one address for all."""
    name, _ = sent
    complaint = (
        'From: loop@provider.example\nSubject: complaint\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nA complaint.\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n"
        f"User-Agent: Loop/1\nOriginal-Mail-From: <{office.envelopes.address(name)}>\n\n--b\nContent-Type: message/rfc822\n\nTo: x@y.example\nSubject: s\n\nbody\n--b--\n"
    )
    assert bring(office, "complaints@bounce.bank.example", complaint) == 250
    assert office.course(name) == "complained"
    assert bring(office, "complaints@bounce.bank.example", complaint.replace("codes+", "codes+a")) == 250


def test_an_automatic_answer_shows_that_something_arrived(office, sent):
    name, customer = sent
    answer = "From: Hana <hana@example.com>\nTo: codes\nSubject: Out of office\nAuto-Submitted: auto-replied\n\nI am away.\n"
    assert bring(office, office.envelopes.address(name), answer) == 250
    assert [hop.what for hop in office.hops(name)] == ["tried", "accepted", "answered"] and heard(office, customer) == ["arrived"]


@pytest.mark.parametrize("content", [
    b"", b"\x00" * 1000, b"Subject: hello\r\n\r\nnot a report at all\r\n", b"From: MAILER-DAEMON\r\n\r\n" + b"x@y.example " * 20000,
    report().replace("Action: failed", "Action: " + "x" * 5000).encode().replace(b"\n", b"\r\n"), report("failed", "9.9.9", "\udcff".encode("utf-8", "replace").decode()).encode(),
], ids=["empty", "zeros", "a mail", "long", "odd action", "odd status"])
def test_whatever_comes_to_a_good_address_is_answered(office, sent, content):
    name, _ = sent
    assert bring(office, office.envelopes.address(name), content) in {250, 500, 501}
    assert office.course(name) in {"handed-over", "bounced"}


def test_no_report_keeps_a_code_from_being_sent(office, verify, sent):
    """An address that is dead by all accounts is offered last, and written to when its owner asks."""
    name, customer = sent
    for day in range(3):
        bring(office, office.envelopes.address(name), report(status=f"5.1.{day}", reply=f"550 User unknown {day}"))
        office.passes(25 * 60 * MINUTE)
    run = verify.run("mail-address", customer)
    run.reach("mail-otp")
    shown = office.get(f"/v1/procedures/{run.id}/addresses").json()["addresses"]
    assert len(shown) == 2
    assert run.send("mail-otp", shown[1]["id"]).status_code == 201


def test_an_address_is_offered_by_what_was_heard_of_it(office, verify, sent):
    name, customer = sent
    before = office.get(f"/v1/procedures/{run_at_code(office, verify, customer)}/addresses").json()["addresses"]
    bring(office, office.envelopes.address(name), report())
    after = office.get(f"/v1/procedures/{run_at_code(office, verify, customer)}/addresses").json()["addresses"]
    assert [one["id"] for one in after] == [one["id"] for one in reversed(before)]
    assert health.WEIGHTS["dead"] < 0


def run_at_code(office, verify, customer):
    run = verify.run("mail-address", customer)
    run.reach("mail-otp")
    return run.id
