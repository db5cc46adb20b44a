"""Passkeys on the bank's own pages, made and used by Chromium's virtual authenticator: from being registered to being removed."""

import re

import httpx
import pytest
from bankclient import Client, codes_in
from scale import times
from standing import Bank

from sekisho.adapters import secrets
from sekisho.bank.seeds import CUSTOMERS
from sekisho.catalogue import say

HANA, TARO = CUSTOMERS[:2]
AUTHENTICATOR = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """`postal-bank`, whose customers can have passkeys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "MEMORY_KIB", 64)
        made = Bank(tmp_path_factory.mktemp("bank"), "postal-bank")
        yield made
        made.close()


class Person:
    """A customer before a browser whose device makes passkeys."""

    def __init__(self, bank, tab, customer):
        self.bank, self.tab, self.page, self.customer = bank, tab, tab.page, customer
        self.devtools = tab.context.new_cdp_session(tab.page)
        self.devtools.send("WebAuthn.enable")
        self.device = self.devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})["authenticatorId"]

    def go(self, path):
        self.page.goto(self.bank.by_name + path)
        return self

    def sees(self, name, **facts):
        self.page.wait_for_selector(f"text={say(self.tab.language, name, **facts)}")
        return self

    def says_who_he_is(self, password=""):
        self.go("/bank/go/login").page.fill("[name=proof]", self.customer.number)
        self.page.fill("[name='then.proof']", password)
        self.page.click("form[action='/bank/enter'] button")
        return self

    def uses_the_passkey(self):
        self.page.click("form[data-passkey] button")
        return self

    def makes_one(self, name):
        self.go("/bank/passkeys").page.click("form[action='/bank/begin'] button")
        self.page.click("section:has([value='mail-otp']) form[action='/bank/send'] button")
        self.page.wait_for_selector("section:has([value='mail-otp']) form[action='/bank/send'] button.second")
        code = self.bank.until(lambda: codes_in(self.bank, self.customer.mails[0]))[0]
        self.page.fill("section:has([value='mail-otp']) [name=proof]", code)
        self.page.click("section:has([value='mail-otp']) form[action='/bank/enter'] button")
        self.page.fill("[name='proof.name']", name)
        return self.uses_the_passkey().sees("bank.passkey-added")

    def presents(self, is_present):
        """Whether somebody whom the device knows sits before it."""
        self.devtools.send("WebAuthn.setUserVerified", {"authenticatorId": self.device, "isUserVerified": is_present})
        return self


@pytest.mark.parametrize("language", times(["ja"], ["ja", "en"]))
def test_registered_used_named_and_removed(bank, opened, language):
    """Found by the domain alone. After its removal the device still signs, and that opens nothing."""
    hana = Person(bank, opened(language), HANA).says_who_he_is(HANA.password).sees("bank.passkeys")
    hana.makes_one("Chromium")
    hana.page.fill("[name=name]", "白い電話")
    hana.page.click("form[action='/bank/name-passkey'] button")
    hana.sees("bank.passkey-named").tab.is_clean("passkeys")
    hana.go("/bank/account").page.click("form[action='/bank/logout'] button")
    hana.says_who_he_is().presents(False).uses_the_passkey().sees("bank.passkey-failed").tab.is_clean()
    hana.presents(True).uses_the_passkey().page.wait_for_url("**/bank/account")
    hana.page.click("form:has([value='transfer']) button")
    hana.page.fill("[name=proof]", "50,000 → 10000-23456781")
    hana.page.click("form[action='/bank/enter'] button")
    hana.uses_the_passkey().page.fill("[name=proof]", HANA.transaction_code)
    hana.page.click("form[action='/bank/enter'] button")
    hana.sees("bank.done")
    hana.go("/bank/passkeys").page.click("form[action='/bank/remove-passkey'] button")
    hana.sees("bank.passkey-removed").sees("bank.passkeys-none")
    hana.go("/bank/account").page.click("form[action='/bank/logout'] button")
    hana.says_who_he_is().uses_the_passkey().sees("answer.wrong")
    told = [one.subject for one in bank.received(HANA.mails[0])]
    assert len(told) >= 3, told


@pytest.fixture
def client(bank):
    made = Client(bank)
    made.http.base_url = bank.by_name
    yield made
    made.http.close()


def says_who_he_is(client):
    """And leaves the password empty."""
    client.look("/bank/go/login")
    return client.post("enter", client.form("enter"), proof=TARO.number, **{"then.proof": ""})


def test_by_another_address_of_the_bank_it_says_where_passkeys_work(bank, client):
    client.http.base_url = bank.base
    says_who_he_is(client)
    assert client.says("bank.passkey-elsewhere") and f'href="{bank.by_name}/bank"' in client.html and "data-passkey" not in client.html


def test_only_the_page_that_needs_it_may_run_the_script(client):
    client.look("/bank/go/login")
    assert "script-src" not in client.answer.headers["content-security-policy"] and "<script" not in client.html
    says_who_he_is(client)
    assert "script-src 'self'" in client.answer.headers["content-security-policy"]
    assert re.findall(r"<script[^>]*>", client.html) == ['<script type="module" src="/assets/passkey.js">'] and not re.search(r"\son\w+=", client.html)
    assert client.says("bank.passkey-no-script")


def test_without_a_script_an_empty_form_is_no_guess(client):
    says_who_he_is(client)
    client.post("enter", client.form("enter", item="passkey"))
    assert client.says("problem.incomplete")
    assert client.enters("login", proof=TARO.password).at == "/bank/account"


def test_whoever_has_none_is_not_asked_for_one_inside(client):
    client.logs_in(TARO)
    client.begins("transfer")
    client.enters("transfer", proof="1 → 10000-1")
    assert "data-passkey" not in client.html
    assert client.look("/bank/passkeys").says("bank.passkeys-none")


HOSTILE = {"nobody's form": {"token": "x"}, "another run": {"walk": "x"}, "not asked for": {"item": "token-otp"}, "no item": {"item": ""}, "no operation": {"operation": "x"}}


@pytest.mark.parametrize("changed", HOSTILE.values(), ids=HOSTILE)
def test_only_a_form_of_this_page_is_told_what_to_sign(client, changed):
    says_who_he_is(client)
    fields = client.form("enter", item="passkey")
    answer = client.http.post("/bank/passkey-options", data=fields)
    assert answer.json()["options"]["rpId"] == "localhost" and answer.json()["options"]["allowCredentials"] == []
    answer = client.http.post("/bank/passkey-options", data={**fields, **changed})
    assert (answer.status_code, answer.json()) == (400, {"kind": "not-found"})


def test_without_a_session_the_page_of_passkeys_asks_for_a_login(bank):
    answer = httpx.get(f"{bank.by_name}/bank/passkeys")
    assert answer.is_redirect and answer.headers["location"] == "/bank/account"
