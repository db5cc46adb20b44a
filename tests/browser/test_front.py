"""What a customer does on the bank's pages besides the story: the number from the desk, "this was not me", the stop, a new password."""

import html
import re

import pytest
from bankclient import Client, codes_in

from sekisho.bank.seeds import CUSTOMERS

HANA, TARO, MIDORI, ICHIRO, _, KEN, SUMIRE = CUSTOMERS
REMEDIES = ("receive-list", "spam-folder", "security-software", "other-address")
USUAL = {"device": "the usual device of this demonstration", "ip": "203.0.113.10", "country": "JP"}


@pytest.fixture(params=["ja", "en"])
def client(bank, request):
    bank.at(12)
    made = Client(bank, request.param)
    yield made
    made.http.close()


def case_of(bank, person):
    """A case in which everything was tried."""
    body = {"subject": person.subject, "matter": "no code arrives", "how": "telephone"}
    case = bank.call("POST", "/v1/staff/cases", body, "aoki").json()["case"]
    for remedy in REMEDIES:
        bank.call("POST", f"/v1/staff/cases/{case}/notes", {"what": "remedy", "text": remedy}, "aoki")
    return case


def deleted(bank, case):
    """By two of second line."""
    asked = bank.call("POST", f"/v1/staff/cases/{case}/acts", {"path": "delete-addresses", "reason": "no code arrives"}, "chiba")
    done = bank.call("POST", f"/v1/staff/approvals/{asked.json()['approval']}", None, "doi")
    assert done.status_code == 200, done.text
    bank.do(bank.app.turn())


def test_M_DESK_5_the_number_that_is_read_to_him_and_the_code_that_nobody_else_sees(bank, client):
    """In his live session: he confirms the number, and later finds the release code there; it registers a password and new addresses."""
    person = {"ja": HANA, "en": TARO}[client.language]
    assert client.logs_in(person).at == "/bank/account"
    assert 'action="/bank/number"' not in client.html, "the desk waits for nothing"
    case = case_of(bank, person)
    number = bank.call("POST", f"/v1/staff/cases/{case}/verifications", {"item": "caller-in-session"}, "aoki").json()["number"]
    client.look("/bank/account")
    assert client.post("number", client.form("number"), number="000000").says("bank.number-wrong")
    assert client.post("number", client.form("number"), number=number).says("bank.number-right")
    deleted(bank, case)
    (code,) = re.findall(r"<code>(\d[\d ]{6,10}\d)</code>", client.look("/bank/account").html)
    client.enters("reset-password", **{"proof.account-number": person.account, "proof.customer-number": person.number})
    client.enters("reset-password", proof=person.card_pin)
    client.enters("reset-password", proof=code)
    client.enters("reset-password", proof=f"a new gate {client.language}")
    new = f"new-{client.language}@example.net"
    client.enters("reset-password", **{"proof.1": new})
    client.post("send", client.form("send"))
    client.enters("reset-password", proof=bank.until(lambda: codes_in(bank, new))[0])
    assert client.says("bank.done")
    assert [one["address"] for one in bank.call("GET", f"/v1/staff/subjects/{person.subject}", by="chiba").json()["addresses"]] == [new]


def test_this_was_not_me(bank, client):
    """Told on the addresses that were deleted: the number in the notice stops everything, and puts them back."""
    person = {"ja": KEN, "en": SUMIRE}[client.language]
    session = client.logs_in(person)
    case = case_of(bank, person)
    sent = bank.call("POST", f"/v1/staff/cases/{case}/verifications", {"item": "caller-code"}, "aoki")
    assert sent.status_code == 201
    said = {"item": "caller-code", "proof": bank.until(lambda: codes_in(bank, person.telephone, "telephone"))[0]}
    assert bank.call("POST", f"/v1/staff/cases/{case}/verifications/entries", said, "aoki").json()["verified"]
    deleted(bank, case)
    (number, *_) = bank.until(lambda: [code for code in codes_in(bank, person.mails[1]) if len(code.replace(" ", "")) == 10])
    client.look("/bank/not-me")
    assert client.post("not-me", client.form("not-me"), number=person.number, proof="0000000000").says("answer.stop-refused")
    assert client.post("not-me", client.form("not-me"), number=person.number, proof=number).says("answer.stopped")
    seen = bank.call("GET", f"/v1/staff/subjects/{person.subject}", by="chiba").json()
    assert ([one["address"] for one in seen["addresses"]], [one["row"] for one in seen["locks"]]) == (list(person.mails), ["M-STOP-1"])
    assert session.look("/bank/account").at == "/bank/go/login", "his own session has ended too"


def test_M_STOP_1_the_customer_stops_everything_from_his_page(bank, client):
    person = {"ja": MIDORI, "en": ICHIRO}[client.language]
    client.logs_in(person)
    client.look("/bank/stop")
    assert client.post("stop", client.form("stop")).says("answer.stopped")
    assert client.look("/bank/account").at == "/bank/go/login"
    assert client.logs_in(person).at == "/bank/go/login"


def test_M_RESET_3_without_the_desk_a_new_password_and_the_same_addresses(bank, client):
    """The code goes to an address on file, and no new addresses are asked for."""
    person = {"ja": MIDORI, "en": ICHIRO}[client.language]
    assert client.look("/bank/go/reset-password").says("bank.reset-first")
    client.enters("reset-password", **{"proof.account-number": person.account, "proof.customer-number": person.number})
    client.enters("reset-password", proof=person.card_pin)
    client.post("send", client.form("send"))
    client.enters("reset-password", proof=bank.until(lambda: codes_in(bank, person.mails[0]))[0])
    client.enters("reset-password", proof=person.password)
    assert client.says("answer.wrong"), "the new one must differ from the present one"
    client.enters("reset-password", proof=f"quiet river {client.language}")
    assert client.says("bank.done") and "proof.1" not in client.html


def test_a_page_speaks_of_nobody_before_he_has_proved_who_he_is(bank, client):
    """Known or unknown, the steps before a proof look the same to the last byte, but for what is drawn by chance."""
    def seen(number, account):
        if 'action="/bank/begin"' in client.look("/bank/go/reset-password").html:
            client.post("begin", client.form("begin"))
        client.enters("reset-password", **{"proof.account-number": account, "proof.customer-number": number})
        return re.sub(r'value="[^"]*"', "", html.unescape(client.html))

    assert seen("0099999999", "10000-99999999") == seen(HANA.number, "10000-99999999")
