"""`/inbox`: everybody's mail in the demonstration, and faults to switch on for each address."""

import asyncio
import html
import re

import httpx
import pytest
from starlette.applications import Starlette

from sekisho.bank.inbox import InboxPages
from sekisho.bank.seeds import CUSTOMERS
from sekisho.bank.sink import Fault, Sink
from sekisho.catalogue import say

HOST = "http://127.0.0.1:8080"
TO = CUSTOMERS[0].mails[0]


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def ask(sink):
    """One request; the answer."""
    transport = httpx.ASGITransport(Starlette(routes=list(InboxPages(sink).routes())))

    def do(method="GET", path="/inbox", language="en", **more):
        async def send():
            async with httpx.AsyncClient(transport=transport, base_url=HOST, headers={"accept-language": language}) as client:
                return await client.request(method, path, **more)

        return asyncio.run(send())

    return do


def token(ask):
    return re.search(r'name="token" value="([^"]+)"', ask().text)[1]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_mail_is_shown_as_text_whatever_is_in_it(sink, ask, language):
    sink._put(TO, b"Subject: <script>alert(1)</script>\r\nMessage-ID: <a@b>\r\n\r\n<img src=x> 1234 5678\r\n")
    page = ask(language=language).text
    assert "<script>" not in page and "&lt;script&gt;" in page and "&lt;img" in page and "1234 5678" in page
    assert say(language, "inbox.title") in html.unescape(page) and f'<html lang="{language}">' in page


def test_every_fault_has_its_words_and_can_be_chosen(sink, ask):
    for fault in Fault:
        assert say("en", f"inbox.{fault.value}") in ask().text
        answer = ask("POST", "/inbox/fault", data={"token": token(ask), "address": TO, "fault": fault.value})
        assert answer.status_code == 303 and sink.faults[TO] is fault


@pytest.mark.parametrize(("fields", "status"), [
    ({"token": "made up"}, 403), ({}, 403), ({"address": "nobody@elsewhere.example"}, 303), ({"fault": "explodes"}, 303),
])
def test_what_this_page_did_not_give_changes_nothing(sink, ask, fields, status):
    sent = {"token": token(ask), "address": TO, "fault": "dropped", **fields} if fields else {"address": TO, "fault": "dropped"}
    assert ask("POST", "/inbox/fault", data=sent).status_code == status
    assert sink.faults == {}


def test_what_is_no_form_is_refused(ask):
    assert ask("POST", "/inbox/fault", json={"fault": "dropped"}).status_code == 400


def test_the_same_message_twice_stands_there_once_and_old_ones_go(sink):
    for n in [0, 0, *range(1, 30)]:
        sink._put(TO, b"Subject: s\r\nMessage-ID: <%d@b>\r\n\r\nx\r\n" % n)
    assert [one.delivery for one in sink.received(TO.upper())] == [str(n) for n in range(29, 9, -1)]
