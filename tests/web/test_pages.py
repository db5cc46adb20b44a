"""What holds for every page: its headers, its markup, its forms, its two languages."""

import httpx
import pytest
from visitor import HOST, Page, Visitor

from sekisho.catalogue import say

PAGES = ("/", "/try")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_in_both_languages(visitor, path):
    page = visitor.look(path)
    assert page.faults == []
    assert f'<html lang="{visitor.language}">' in page.html
    assert page.answer.headers["content-language"] == visitor.language


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_but_its_own(visitor, path):
    headers = visitor.look(path).answer.headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "://" not in visitor.page.html


@pytest.mark.parametrize(("name", "media_type"), [("sekisho.css", "text/css; charset=utf-8"), ("gate.svg", "image/svg+xml")])
def test_what_a_page_loads_is_there(visitor, name, media_type):
    answer = visitor.get(f"/assets/{name}")
    assert answer.status_code == httpx.codes.OK
    assert answer.headers["content-type"] == media_type


def test_the_start_page_leads_to_the_demonstration(visitor):
    assert 'href="/try"' in visitor.look("/").html
    assert say(visitor.language, "start.title") in visitor.page.text


def test_a_chosen_language_is_remembered(visitor):
    visitor.look("/try?lang=en")
    assert '<html lang="en">' in visitor.look("/").html
    visitor.look("/?lang=ja")
    assert '<html lang="ja">' in visitor.look().html
    assert '<html lang="ja">' in visitor.look("/try?lang=xx").html


def test_cookies_are_kept_from_scripts_and_other_sites(demonstration):
    fresh = Visitor(demonstration)
    cookie = fresh.page.answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/try" in cookie
    fresh.close()


ACTS = ("customer", "begin", "enter", "repeat", "code", "logout", "release", "approve", "set")


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("token", ["", "stolen", "é"])
def test_a_form_that_the_page_did_not_give_does_nothing(visitor, act, token):
    answer = visitor.post(f"/try/{act}", {"token": token, "operation": "login"})
    assert answer.status_code == httpx.codes.FORBIDDEN
    assert say(visitor.language, "stale.title") in answer.text
    assert visitor.look().asked == []


def test_a_form_of_another_visitor_does_nothing(demonstration, visitor):
    other = Visitor(demonstration)
    answer = visitor.post("/try/begin", {"token": other.page.values["token"], "operation": "login"})
    assert answer.status_code == httpx.codes.FORBIDDEN
    other.close()


@pytest.mark.parametrize(("body", "kind"), [
    (b"{}", "application/json"), (b"\xff=1", "application/x-www-form-urlencoded"), (b"a=" + b"x" * 20_000, "application/x-www-form-urlencoded"),
    (b"&".join(b"a=1" for _ in range(99)), "application/x-www-form-urlencoded"), (b"", ""),
])
def test_what_is_no_form_is_turned_away_politely(visitor, body, kind):
    answer = visitor.demonstration.do(visitor.client.post("/try/begin", content=body, headers={"content-type": kind}))
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert say(visitor.language, "stale.title") in answer.text


@pytest.mark.parametrize("proof", ["", " ", "<script>alert(1)</script>", "x" * 5000, "\x00", "\ud800".encode("utf-8", "surrogatepass"), "関所", "{name}"])
def test_whatever_is_typed_the_page_stands(visitor, proof):
    visitor.begin("login", customer="10000-45678901")
    page = visitor.enter("customer-number", "typed", proof=proof)
    assert page.faults == []
    assert "<script" not in page.html


@pytest.mark.parametrize(("act", "fields"), [
    ("begin", {"operation": "nothing"}), ("begin", {}), ("customer", {"customer": "nobody"}), ("customer", {}), ("enter", {"item": "nothing"}),
    ("enter", {"item": "card-pin", "proof": "1"}), ("repeat", {"item": "card-pin", "times": "x"}), ("repeat", {"item": "card-pin", "times": "²"}),
    ("repeat", {"item": "customer-number", "times": "0"}), ("code", {"item": "nothing"}), ("code", {}), ("release", {}),
    ("release", {"subject": "customer:none", "lock": "x", "path": "y", "operator": "endo", "reason": "z"}), ("approve", {}),
    ("approve", {"approval": "x", "operator": "endo"}), ("set", {}), ("logout", {}),
])
def test_a_form_with_fields_of_ones_own_does_no_harm(visitor, act, fields):
    assert visitor.send(act, **fields).faults == []


def test_when_the_service_is_gone_the_page_says_so(demonstration, visitor):
    visitor.begin("login", customer="10000-45678901")
    demonstration.down = True
    try:
        page = visitor.enter("customer-number", "typed", proof="0045678901")
    finally:
        demonstration.down = False
    assert say(visitor.language, "problem.unavailable") in page.customer
    assert page.faults == []


def test_the_first_page_can_be_had_without_any_cookie(demonstration):
    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(demonstration.asgi), base_url=HOST) as client:
            return await client.get("/try", headers={"accept-language": "fr"})

    assert Page(demonstration.do(ask())).faults == []
