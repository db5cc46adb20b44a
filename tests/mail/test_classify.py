"""`sekisho mail classify`: every shape of bounce is understood, and none can stop it."""

import json
import random
import time

import pytest
from click.testing import CliRunner
from samples import SAMPLES, dsn

from sekisho.adapters.reports import MOST, read
from sekisho.cli import group
from sekisho.core.bounce import LONGEST, Said, Stage, group_of, parse
from sekisho.terms import MailGroup

KINDS = {"bounce", "delay", "delivered", "complaint", "auto-reply", "other"}
GROUPS = {"DEAD", "DORMANT", "RECIPIENT_FILTER", "CONTENT_POLICY", "OUR_IDENTITY", "RATE", "TRANSIENT", "COMPLAINT", "NOT_FAILURE", "UNKNOWN", "SUPPRESSED"}


@pytest.mark.parametrize("sample", SAMPLES, ids=[one.name for one in SAMPLES])
@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_what_came_back_is_understood(sample, ends):
    found = read(sample.text.replace("\n", ends).encode())
    assert (found.kind, [(one.address, one.group.name, one.stage) for one in found.recipients]) == (sample.kind, sample.recipients)


def test_one_line_of_json_for_each_file(tmp_path):
    files = []
    for sample in SAMPLES:
        files.append(tmp_path / f"{sample.name}.eml")
        files[-1].write_text(sample.text, encoding="utf-8")
    done = CliRunner().invoke(group, ["mail", "classify", *map(str, files)])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == list(map(str, files))
    assert all(line.keys() == {"file", "recipients", "kind"} and line["kind"] in KINDS for line in lines)
    recipients = [one for line in lines for one in line["recipients"]]
    assert all(one.keys() == {"address", "group", "status", "reply", "action", "stage"} and one["group"] in GROUPS for one in recipients)
    assert [line["kind"] for line in lines] == [sample.kind for sample in SAMPLES]


def test_a_file_that_is_not_there_is_a_sentence():
    done = CliRunner().invoke(group, ["mail", "classify", "nowhere.eml"])
    assert done.exit_code == 2 and "Traceback" not in done.output


# -- hostile input

def nested(depth):
    head = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth))
    return f"From: MAILER-DAEMON@x.example\nSubject: Undelivered\nMIME-Version: 1.0\n{head}Content-Type: text/plain\n\nx\n".encode()


HOSTILE = {
    "empty": b"", "zeros": b"\0" * 100_000, "one line": b"x" * 3_000_000, "one header": b"Subject: " + b"y" * 2_000_000 + b"\n\n", "nested": nested(20),
    "nested deep": nested(5000), "many parts": dsn("a@b.example", "failed", "5.1.1", "x").encode().replace(b"--=_1--", b"--=_1\n\nx\n" * 50_000),
    "many recipients": dsn("a@b.example", "failed", "5.1.1", "x").encode().replace(b"Status", b"\nFinal-Recipient: rfc822; a@b.example\nAction: failed\n" * 20_000 + b"Status"),
    "many addresses": b"From: MAILER-DAEMON\nSubject: failure notice\n\n" + b"".join(b"<a%d@b.example>:\nuser unknown\n\n" % n for n in range(30_000)),
    "message in message": b"From: MAILER-DAEMON\nSubject: failure\nContent-Type: message/rfc822\n\n" * 3000,
    "no charset": b"From: MAILER-DAEMON\nSubject: =?no-such?B?////?= failure\nContent-Type: text/plain; charset=no-such\n\n\xff\xfe a@b.example user unknown\n",
    "bad base64": b"From: MAILER-DAEMON\nSubject: failure\nContent-Transfer-Encoding: base64\n\n%%%%a@b.example\n", "bad codes": b"From: MAILER-DAEMON\nSubject: failure\n\na@b.example: 999 9.999.9999 550 5.1.999999\n",
    "words": b"From: MAILER-DAEMON\nSubject: failure\n\n<a@b.example>: " + b"user mailbox account is the not sender ip rejected " * 60_000,
    "spaces": b"From: MAILER-DAEMON\nSubject: failure\n\n<a@b.example>:" + b" " * 200_000 + b"x", "lf and cr": b"From: a\r\n\n\r\r\n\n\r" * 50_000, "odd header": b"\xff\xfe: \xff\n" * 50_000,
    "surrogates": "From: \ud800\nTo: \udfff\n\n\ud800".encode("utf-8", "surrogatepass"), "boundary of nothing": b'Content-Type: multipart/report; boundary=""\n\n--\n--\n----\n',
    "long address": b"From: MAILER-DAEMON\nSubject: failure\n\n" + b"a" * 500_000 + b"@" + b"b." * 200_000 + b"example user unknown",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_stops_it_and_nothing_takes_long(name):
    began = time.process_time()
    found = read(HOSTILE[name])
    assert found.kind in KINDS and len(found.recipients) <= 50
    assert time.process_time() - began < 8
    assert all(len(one.reply) <= 2000 for one in found.recipients)


def test_a_report_cut_anywhere_is_told_as_something():
    chance = random.Random(1)
    for sample in SAMPLES:
        raw = sample.text.encode()
        for at in [0, 1, *(chance.randrange(len(raw)) for _ in range(6))]:
            assert read(raw[:at]).kind in KINDS and read(raw[at:]).kind in KINDS


def test_a_report_with_bytes_changed_is_told_as_something():
    chance = random.Random(2)
    for sample in SAMPLES:
        raw = bytearray(sample.text.encode())
        for _ in range(6):
            for _ in range(20):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            assert read(bytes(raw)).kind in KINDS


def test_only_the_beginning_of_a_large_report_is_read():
    raw = SAMPLES[0].text.encode() + b"x" * (2 * MOST)
    assert read(raw).recipients[0].group is MailGroup.DEAD


def test_words_that_fit_everything_take_no_longer():
    chance = random.Random(3)
    words = ["user", "mailbox", "sender", "ip", "not", "is", "has", "been", "your", "the", "from", "rejected", "blocked", "unknown", "address", "account", "message", "mail", "full", "quota", "550", "5.1.1", "."]
    began = time.process_time()
    for _ in range(20):
        group_of(Said(" ".join(chance.choice(words) for _ in range(LONGEST // 4)), 550, "5.0.0", Stage.RCPT))
    assert time.process_time() - began < 10


@pytest.mark.parametrize(("text", "code", "status", "stage"), [
    ("550 5.1.1 no", 550, "5.1.1", ""), ("550-5.1.1 no 550 5.1.1 no", 550, "5.1.1", ""), ("said: 452 4.2.2 full (in reply to RCPT TO command)", 452, "4.2.2", "rcpt"),
    ("421 later", 421, "", ""), ("version 4.0.1-2 of 10.5.1.1", None, "", ""), ("no digits", None, "", ""), ("#5.7.1 smtp;550", 550, "5.7.1", ""),
])
def test_digits_and_stage_are_found_in_words(text, code, status, stage):
    said = parse(text)
    assert (said.code, said.status, said.stage) == (code, status, stage)
