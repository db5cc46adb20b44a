"""M-TRACE-1 with a real relay: what Postfix does with a code, and what it reports, stands on the message's record."""

import pytest
from bankside import MODES
from post import PostOffice, fault
from postfix import WANTING, Postfix

from sekisho.adapters import secrets

# Only root can start a mail server that changes users; where `run.py test` is root on Debian it installs one.
pytestmark = pytest.mark.skipif(WANTING is not None, reason=str(WANTING))  # nothing else than the real one would show what it reports

# address, what is wrong with it, where its message comes to stand, why, said at which point, by whom
COURSES = (
    ("taken@mbox.test", "arrives", "relayed", "", "", "relay.bank.test"),
    ("box@inbox.test", "arrives", "delivered", "", "", "relay.bank.test"),
    ("forward@inbox.test", "arrives", "expanded", "", "", "relay.bank.test"),
    ("gone@mbox.test", "unknown", "bounced", "dead", "rcpt", "relay.bank.test"),
    ("full@mbox.test", "full", "bounced", "dormant", "rcpt", "relay.bank.test"),
    ("filter@mbox.test", "filtered", "bounced", "recipient-filter", "end-of-data", "relay.bank.test"),
    ("nowhere@box.inbox.test", "arrives", "not-sent", "dead", "rcpt", "127.0.0.1:"),
    ("slow@mbox.test", "greylisted", "delayed", "transient", "rcpt", "relay.bank.test"),
)


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "MEMORY_KIB", 64)
        folder = tmp_path_factory.mktemp("postfix")
        made = PostOffice(folder, relay=lambda sink, bounces: Postfix(folder / "postfix", sink, bounces))
        yield made
        made.close()


@pytest.fixture(scope="module")
def sent(office):
    """One code to each address, all on their way at once; the messages' names."""
    office.sink._waits = office.sink._waits._replace(grey_s=600.0)
    names = {}
    for to, what, *_ in COURSES:
        office.sink.faults[to] = fault(what)
        customer = office.customer("basic-data", "card-pin")
        subject, body = customer.enrolments()[0]
        office.put(subject, {**body, "addresses": [{"kind": "mail", "to": to, "state": "confirmed"}]})
        run = MODES["verify"](office).run("mail-address", customer)
        run.reach("mail-otp")
        names[to] = run.send("mail-otp").json()["delivery"]
    return names


@pytest.mark.parametrize(("to", "what", "course", "why", "stage", "by"), COURSES, ids=[f"{row[1]}-{row[2]}" for row in COURSES])
def test_M_TRACE_1_what_postfix_reports_is_on_record(office, sent, to, what, course, why, stage, by):
    office.until(lambda: office.course(sent[to]) == course, within_s=40)
    hops = office.hops(sent[to])
    last = hops[-1]
    assert last.by.startswith(by) and (last.group, last.stage) == (why, stage)
    if course != "not-sent":
        handed = next(hop for hop in hops if hop.what == "accepted")
        assert handed.queue and handed.by.startswith("127.0.0.1:")
    assert to not in str(hops)


def test_no_report_of_postfix_holds_the_code(office, sent):
    """Headers alone come back, as was asked for, and the subject says nothing."""
    body = office.sink.received("taken@mbox.test")[0].body
    code = next(line.strip() for line in body.splitlines() if line.startswith("    ")).replace(" ", "")
    assert code not in "".join(str(office.hops(name)) for name in sent.values()).replace(" ", "")
