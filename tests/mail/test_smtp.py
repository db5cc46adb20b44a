"""One code over SMTP: what is asked of the relay, what the mail looks like, and what each of its answers comes to."""

import asyncio
import email
import email.policy
import hashlib
import re

import msgspec
import pytest
from dialogue import CERTIFICATE, Dialogue

from sekisho.adapters import smtp
from sekisho.adapters.letter import Recipient, Unwritable, compose, sender_of
from sekisho.adapters.smtp import SmtpChannel, relay_of
from sekisho.catalogue import say
from sekisho.errors import CallerError
from sekisho.ports import Message

DELIVERY = "AbCdEfGhIjKlMnOpQrStUvWx"
CODE = "1234 5678"


class Codes:
    """Digests under one key."""

    def digest(self, *parts):
        return hashlib.sha256("/".join(parts).encode()).digest()


def message(to="hana@example.com", language="en", body=None):
    body = body or say(language, "mail.code", operation="Transfer", code=CODE, label="AB", minutes=10)
    return Message(DELIVERY, to, say(language, "mail.subject"), body, language)


def handed(relay, sent=None, url="smtp://127.0.0.1:{}", again=0, **options):
    """What came of handing a message over, and then as many more."""
    channel = SmtpChannel(relay_of(url.format(relay.port), "Bank <codes@bank.example>", "codes@bounce.bank.example", **options), Codes())
    try:
        for _ in range(again):
            asyncio.run(channel.send(sent or message()))
        return asyncio.run(channel.send(sent or message()))
    finally:
        channel.close()


# -- what is asked of the relay

def test_headers_alone_are_to_come_back_and_everything_is_to_be_reported():
    with Dialogue() as relay:
        told = handed(relay)
    assert told.accepted and told.queue == "4XyZabc123" and told.status == "2.0.0" and told.by == f"127.0.0.1:{relay.port}"
    mail, rcpt = relay.lines[1:3]
    token = re.fullmatch(r"MAIL FROM:<codes\+([a-z2-7]{45})@bounce\.bank\.example> RET=HDRS ENVID=\1", mail)
    assert token, mail
    assert rcpt == "RCPT TO:<hana@example.com> ORCPT=rfc822;hana@example.com NOTIFY=SUCCESS,FAILURE,DELAY"


def test_a_relay_without_dsn_gets_the_mail_without():
    with Dialogue(offers=["8BITMIME"]) as relay:
        assert handed(relay).accepted
    assert [line.split()[-1] for line in relay.lines[1:3]] == [relay.lines[1].split()[-1], "TO:<hana@example.com>"]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_mail_says_that_a_machine_sent_it_and_nothing_secret_stands_in_its_headers(language):
    with Dialogue() as relay:
        handed(relay, message(language=language))
    (raw,) = relay.mails
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert mail.defects == [] and mail["auto-submitted"] == "auto-generated" and mail["content-language"] == language
    assert mail["date"].datetime and mail["from"].addresses[0].addr_spec == "codes@bank.example" and mail["subject"] == say(language, "mail.subject")
    assert len(mail["message-id"].strip("<>").partition("@")[0]) <= 39
    assert {"list-unsubscribe", "precedence", "reply-to"}.isdisjoint(name.lower() for name in mail)
    assert CODE in mail.get_content() and not re.search(r"1234|5678", str([value for name, value in mail.items() if name != "Date"]))
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998 and b"\n" not in raw.replace(b"\r\n", b"")


def test_a_line_that_is_a_dot_arrives_as_one():
    with Dialogue() as relay:
        handed(relay, message(body="first\n.\n.second\n"))
    assert email.message_from_bytes(relay.mails[0], policy=email.policy.default).get_content().splitlines() == ["first", ".", ".second"]


@pytest.mark.parametrize("changes", [
    {"to": "a@b.example\r\nBcc: c@d.example"}, {"to": "a@b.example> NOTIFY=NEVER"}, {"to": "a b@c.example"}, {"to": "@c.example"}, {"to": "a@"},
    {"to": "a@xn--\u0000.example"}, {"subject": "x\r\nBcc: c@d.example"}, {"subject": "x\nBcc: c"}, {"language": "en\r\nBcc: c"}, {"delivery": "x\r\nBcc: c"},
    {"delivery": "short"},
])
def test_no_text_adds_a_line_to_the_headers_or_a_word_to_a_command(changes):
    sent = msgspec.structs.replace(message(), **changes)
    with Dialogue() as relay:
        told = handed(relay, sent)
    assert not told.accepted and not told.again
    assert relay.lines == [] and relay.mails == []


@pytest.mark.parametrize(("to", "on_wire", "in_header"), [
    ("hana@example.com", "hana@example.com", "hana@example.com"),
    ("hana..sekimori.@docomo.example", "hana..sekimori.@docomo.example", '"hana..sekimori."@docomo.example'),
    ("hana@銀行.example", "hana@xn--jn2ax2s.example", "hana@xn--jn2ax2s.example"),
    ("o'hara+codes@example.com", "o'hara+codes@example.com", "o'hara+codes@example.com"),
])
def test_addresses_go_as_their_owners_have_them(to, on_wire, in_header):
    with Dialogue() as relay:
        assert handed(relay, message(to)).accepted
    assert relay.lines[2].startswith(f"RCPT TO:<{on_wire}>")
    assert f"To: {in_header}\r\n".encode() in relay.mails[0]


def test_a_local_part_outside_ascii_goes_where_the_relay_offers_it_and_nowhere_else():
    with Dialogue(offers=["SMTPUTF8", "8BITMIME"]) as relay:
        assert handed(relay, message("関守@example.com")).accepted
    assert "SMTPUTF8" in relay.lines[1] and relay.lines[2] == "RCPT TO:<関守@example.com>"
    with Dialogue() as relay:
        told = handed(relay, message("関守@example.com"))
    assert not told.accepted and told.stage == "mail" and "SMTPUTF8" in told.said and relay.mails == []


# -- its answers

ANSWERS = (  # verb, answer, again, group, stage
    ("RCPT", "550 5.1.1 No such user here", False, "dead", "rcpt"),
    ("RCPT", "451 4.7.1 Greylisted, try again later", True, "transient", "rcpt"),
    ("RCPT", "452 4.2.2 Mailbox full", True, "dormant", "rcpt"),
    ("RCPT", "554 5.7.1 Relay access denied", False, "our-identity", "rcpt"),
    ("RCPT", "550 5.1.1 recipient is on our suppression list", False, "suppressed", "rcpt"),
    (".", "550 Unknown user hana@example.com", False, "recipient-filter", "end-of-data"),
    (".", "554 5.7.1 Message rejected as spam", False, "content-policy", "end-of-data"),
    (".", "421 4.7.28 Unusual rate of mail from your domain", True, "rate", "end-of-data"),
    ("MAIL", "550 5.7.1 Your IP is listed by a block list", False, "our-identity", "mail"),
    ("DATA", "451 4.3.0 queue file write error", True, "transient", "data"),
)


@pytest.mark.parametrize(("verb", "answer", "again", "group", "stage"), ANSWERS, ids=[f"{row[3]} at {row[4]} {row[1][:3]}" for row in ANSWERS])
def test_what_a_refusal_comes_to(verb, answer, again, group, stage):
    with Dialogue({verb: answer}) as relay:
        told = handed(relay)
    assert (told.accepted, told.again, told.group, told.stage) == (False, again, group, stage)
    assert told.said.startswith(answer[:9]) and "hana@" not in told.said


def test_a_refused_recipient_leaves_the_connection_for_the_next():
    with Dialogue({"RCPT": ["550 5.1.1 no such user", "250 yes"]}) as relay:
        assert handed(relay, again=1).accepted
    assert relay.lines.count("rset") == 1


def test_a_connection_that_the_relay_has_closed_costs_nothing():
    """One that was kept turns out to be closing: the next message goes over a fresh one."""
    with Dialogue({"MAIL": ["250 yes", "421 4.4.2 idle too long", "250 yes"]}) as relay:
        channel = SmtpChannel(relay_of(f"smtp://127.0.0.1:{relay.port}", "codes@bank.example", "codes@bounce.bank.example"), Codes())
        channel._pool._max_workers = 1
        assert [asyncio.run(channel.send(message())).accepted for _ in range(2)] == [True, True]
        channel.close()
    assert relay.connections == 2 and len(relay.mails) == 2


@pytest.mark.parametrize("end", ["close", None], ids=["closed", "silent"])
def test_a_message_whose_answer_never_comes_is_told_as_lost(end, monkeypatch):
    monkeypatch.setattr(smtp, "COMMAND_S", 0.3)
    with Dialogue({".": end}) as relay:
        told = handed(relay)
    assert told.lost and not told.accepted and told.stage == "end-of-data" and len(relay.mails) == 1


def test_before_the_message_was_sent_nothing_is_lost():
    with Dialogue({"DATA": "421 4.3.2 shutting down"}) as relay:
        told = handed(relay)
    assert told.again and not told.lost and relay.mails == []


def test_a_relay_that_is_not_there_is_tried_again():
    with Dialogue() as relay:
        port = relay
    told = handed(port)
    assert told.again and told.stage == "connect" and "ConnectionRefusedError" in told.said


def test_nothing_of_the_message_is_in_what_is_kept_of_an_answer():
    with Dialogue({".": "554 5.7.1 rejected: your code is 1234 5678 (12345678) for hana@example.com 1234-5678"}) as relay:
        told = handed(relay)
    assert not re.search(r"1234|5678|hana@", told.said) and told.said.count("•••") >= 4


# -- in the clear, never where it should not be

def test_with_starttls_nothing_is_sent_before_it():
    with Dialogue(offers=["STARTTLS", "DSN"]) as relay:
        assert handed(relay, url="smtp+starttls://localhost:{}", ca_file=CERTIFICATE).accepted
    assert relay.lines[1] == "STARTTLS" and relay.lines[2].startswith("ehlo") and relay.lines[3].startswith("MAIL")


@pytest.mark.parametrize("offers", [["STARTTLS", "DSN"], ["DSN"]], ids=["unknown certificate", "not offered"])
def test_a_relay_that_cannot_be_trusted_gets_nothing(offers):
    with Dialogue(offers=offers) as relay:
        told = handed(relay, url="smtp+starttls://localhost:{}")
    assert told.again and not told.accepted and relay.mails == [] and not any(line.startswith("MAIL") for line in relay.lines)


def test_a_user_is_let_in_or_nothing_is_sent(tmp_path):
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    with Dialogue({"AUTH": "535 5.7.8 no"}, offers=["AUTH PLAIN", "DSN"]) as relay:
        told = handed(relay, url="smtp://bank@127.0.0.1:{}", password_file=password)
    assert not told.accepted and told.stage == "login" and "sesame" not in str(told) and relay.mails == []


@pytest.mark.parametrize(("url", "sender", "bounces", "says"), [
    ("smtp://relay.example", "a@b.example", "c@d.example", "in the clear"), ("http://127.0.0.1", "a@b.example", "c@d.example", "is named"),
    ("smtp://user:secret@127.0.0.1", "a@b.example", "c@d.example", "is named"), ("smtps://user@h.example", "a@b.example", "c@d.example", "password"),
    ("smtp://127.0.0.1", "nobody", "c@d.example", "sender"), ("smtp://127.0.0.1", "a@b.example\r\nBcc: x@y", "c@d.example", "sender"),
    ("smtp://127.0.0.1", "a@b.example", "c+d@e.example", "bounces"), ("smtp://127.0.0.1", "a@b.example", "averylongname-for-it@e.example", "bounces"),
])
def test_settings_that_cannot_be_are_refused(url, sender, bounces, says):
    with pytest.raises(CallerError, match=says) as no:
        relay_of(url, sender, bounces)
    assert "secret" not in str(no.value)


def test_what_cannot_be_written_is_not_composed():
    with pytest.raises(Unwritable):
        compose(message(), sender_of("a@b.example")._replace(header="a\r\nb"), Recipient("x@y.example"), 0)
