"""The bank's pages against whoever means harm, or only clicks twice: without a browser, so that nothing is made good by one."""

import re

import httpx
import pytest
from bankclient import Client

from sekisho.bank.guests import COOKIE
from sekisho.bank.seeds import CUSTOMERS

HANA, TARO, MIDORI, ICHIRO, _, KEN, SUMIRE = CUSTOMERS
ACTS = ["begin", "enter", "send", "logout", "stop", "not-me", "number", "place"]


@pytest.fixture
def client(bank):
    made = Client(bank)
    yield made
    made.http.close()


@pytest.fixture
def other(bank):
    made = Client(bank)
    yield made
    made.http.close()


def wrong(bank, person):
    seen = bank.call("GET", f"/v1/staff/subjects/{person.subject}", by="aoki").json()
    return next((one["wrong"] for one in seen["counts"] if one["counter"] == "login-password-in-a-row"), 0)


def sessions(bank, person):
    """How many sessions were opened, as staff see it."""
    seen = bank.call("GET", f"/v1/staff/subjects/{person.subject}", by="aoki").json()
    return sum(one["kind"] == "session-opened" for one in seen["events"])


def test_a_form_that_the_page_did_not_give_does_nothing(client, bank):
    """Cross-site request forgery: whatever another site sends has no token, and the browser sends no cookie with it."""
    client.logs_in(HANA)
    fields = {"number": HANA.number, "operation": "login", "place": "abroad", "item": "login-password", "proof": "x"}
    for act in ACTS:
        for token in ("", "stolen", "é"):
            assert client.post(act, {**fields, "token": token}).answer.status_code == 403, act
    assert client.look("/bank/account").at == "/bank/account"
    assert bank.call("GET", f"/v1/staff/subjects/{HANA.subject}", by="aoki").json()["locks"] == []


def test_the_cookie_goes_nowhere_else_and_no_script_reads_it(client):
    cookie = client.http.get("/bank", headers={"cookie": ""}).headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/bank"))


def test_a_name_that_was_laid_out_is_worth_nothing_after_the_login(client, bank):
    """Session fixation: whoever gave the customer his cookie, or read it before, is not in."""
    client.look("/bank")
    laid_out = client.http.cookies.get(COOKIE)
    assert client.logs_in(TARO).at == "/bank/account"
    assert client.http.cookies.get(COOKIE) != laid_out
    thief = httpx.Client(base_url=bank.base, cookies={COOKIE: laid_out})
    assert thief.get("/bank/account").status_code == 303
    thief.close()


def test_a_name_made_up_is_none(bank):
    stranger = httpx.Client(base_url=bank.base, cookies={COOKIE: "made up by me"})
    given = stranger.get("/bank").headers["set-cookie"]
    assert "made up" not in given
    stranger.close()


def test_a_double_click_on_the_login_is_one_login(client, bank):
    """The browser of somebody who clicks twice throws the first answer away: it is the same session for the second."""
    client.look("/bank/go/login")
    form, before = client.form("enter"), sessions(bank, MIDORI)
    was = client.http.cookies.get(COOKIE)
    assert client.post("enter", form, **client.typed(MIDORI)).at == "/bank/account"
    client.http.cookies.clear()
    client.http.cookies.set(COOKIE, was, domain="127.0.0.1", path="/bank")
    assert client.post("enter", form, **client.typed(MIDORI)).at == "/bank/account"
    assert sessions(bank, MIDORI) == before + 1


def test_a_double_click_on_a_wrong_password_counts_once(client, bank):
    client.look("/bank/go/login")
    form, before = client.form("enter"), wrong(bank, ICHIRO)
    for _ in range(3):
        client.post("enter", form, **client.typed(ICHIRO, "not this one"))
    assert wrong(bank, ICHIRO) == before + 1


def test_a_double_click_sends_one_mail(client, bank):
    client.sits("abroad").logs_in(SUMIRE)
    form = client.form("send")
    for _ in range(3):
        client.post("send", form)
    bank.until(lambda: bank.received(SUMIRE.mails[0]))
    assert len(bank.received(SUMIRE.mails[0])) == 1 and client.says("bank.send-again")


def test_back_and_another_tab_enter_nothing_old(client, bank):
    """A page that is left over from another run enters nothing, and shows how it stands."""
    client.look("/bank/go/login")
    client.post("enter", client.form("enter"), **client.typed(KEN, "not this one"))
    old = client.form("enter")
    client.post("begin", client.form("begin", operation="login"))
    client.post("enter", client.form("enter"), **client.typed(KEN, "not that one"))
    before = wrong(bank, KEN)
    assert client.post("enter", old, proof=KEN.password).says("bank.gone-on")
    assert (wrong(bank, KEN), client.at) == (before, "/bank/go/login")


def test_two_tabs_go_on_with_the_same_run(client, bank):
    client.logs_in(HANA)
    client.begins("transfer")
    first = client.form("enter")
    client.look("/bank/go/transfer")
    second = client.form("enter")
    typed = {"proof.institution": "0001", "proof.payee": "Taro", "proof.amount": "1"}
    assert client.post("enter", second, **typed).answer.status_code == 200
    # The other tab is a step behind: what it sends is refused, and it sees the step of now.
    client.post("enter", first, **typed)
    assert "token-otp" in client.html and client.at == "/bank/go/transfer"


@pytest.mark.parametrize("path", ["/bank", "/bank/go/login", "/bank/go/reset-password", "/bank/help", "/bank/stop", "/bank/not-me"])
def test_no_page_can_be_framed_or_run_a_script(client, path):
    headers = client.look(path).answer.headers
    assert headers["x-frame-options"] == "DENY" and "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none';") and "script" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store" and "<script" not in client.html and "style=" not in client.html
    assert len(client.html) < 60_000


TYPED = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "a@example.com\r\nBcc: thief@example.com", "関所&<b>", "x" * 199]


@pytest.mark.parametrize("typed", TYPED)
def test_whatever_is_typed_stands_nowhere(client, typed):
    """In any field of any form before a login: refused or wrong, and no part of it comes back."""
    client.look("/bank/go/login")
    client.post("enter", client.form("enter"), **{"proof": typed, "then.proof": typed})
    assert client.answer.status_code == 200 and typed not in client.html and "<img" not in client.html
    for act in ("stop", "not-me"):
        client.look(f"/bank/{act}")
        client.post(act, client.form(act), number=typed, proof=typed)
        assert client.answer.status_code == 200 and typed not in client.html and "<img" not in client.html


@pytest.mark.parametrize("typed", ["a@example.com\r\nBcc: thief@example.com", "a@example.com\nSubject: hello", "<a@example.com>", "a@b@c", "a@example.com,,x"])
def test_an_address_cannot_carry_a_header(client, bank, typed):
    client.logs_in(TARO)
    client.begins("mail-address")
    client.post("enter", client.form("enter"), **{"proof.1": typed})
    assert "address-code" not in client.html and not bank.received("thief@example.com")


@pytest.mark.parametrize("fields", [
    {"operation": "//evil.example"}, {"operation": "../../evil"}, {"operation": "identify-caller"}, {"item": "//evil.example", "operation": "login"},
    {"operation": "login", "address": "https://evil.example", "item": "risk-code", "walk": "new"},
])
def test_no_form_leads_to_another_site(client, fields):
    client.look("/bank")
    token = client.form("place")["token"]
    for act in ACTS:
        client.post(act, {"token": token, **fields})
        assert client.answer.url.host == "127.0.0.1" and client.at.startswith("/bank")


@pytest.mark.parametrize("path", ["/bank/go/identify-caller", "/bank/go/nothing", "/bank/go/..%2f..%2fdesk", "/bank/go/login%00"])
def test_what_only_the_desk_begins_has_no_page(client, path):
    assert client.look(path).answer.status_code == 404


def test_an_address_of_somebody_else_gets_no_code(client, other, bank):
    """Ids in forms are those of the customer's own addresses, in his own run."""
    client.sits("abroad").logs_in(KEN)
    other.sits("abroad").logs_in(ICHIRO)
    theirs = re.search(r'name="address" value="([^"]+)"', other.html)[1]
    before = len(bank.received(ICHIRO.mails[0]))
    client.post("send", client.form("send"), address=theirs)
    assert client.says("problem.no-such-address")
    bank.do(bank.app.outbox.deliver())
    assert len(bank.received(ICHIRO.mails[0])) == before


def test_a_run_of_somebody_else_cannot_be_entered_into(client, other):
    client.sits("abroad").logs_in(SUMIRE)
    theirs = client.form("enter")
    mine = other.look("/bank/go/login").form("enter")
    other.post("enter", {**theirs, "token": mine["token"]}, proof="00000000")
    assert other.says("bank.gone-on")
    other.look("/bank/help?at=login")
    assert "•••" not in other.html


def test_nothing_inside_without_a_session(client):
    for path in ("/bank/account", "/bank/go/balance", "/bank/go/transfer", "/bank/go/mail-address"):
        assert client.look(path).at == "/bank/go/login", path
    client.look("/bank")
    token = client.form("place")["token"]
    client.post("begin", {"token": token, "operation": "balance"})
    assert "123,456" not in client.html and client.at == "/bank/go/login"


def test_logged_out_is_logged_out(client):
    client.logs_in(HANA)
    cookie = client.http.cookies.get(COOKIE)
    client.post("logout", client.form("logout"))
    assert client.look("/bank/account").at == "/bank/go/login"
    assert httpx.get(f"{client.bank.base}/bank/account", cookies={COOKIE: cookie}).status_code == 303


def test_a_body_that_is_no_form_is_refused_without_being_repeated(client):
    client.look("/bank")
    for body, kind in ((b"{}", "application/json"), (b"x" * 20_000, "application/x-www-form-urlencoded"), (b"\xff", "application/x-www-form-urlencoded")):
        answer = client.http.post("/bank/enter", content=body, headers={"content-type": kind})
        assert answer.status_code == 400 and "xxxx" not in answer.text
