"""The bank's app as a page, in a browser: added, approving, guessed at, erased, registered again. Its keys never leave it."""

import re

import httpx
import pytest
from bankclient import codes_in
from scale import times
from signing_bank import ITEM, signing_bank
from standing import PHONE, Bank

from sekisho.adapters import secrets
from sekisho.bank.seeds import CUSTOMERS
from sekisho.catalogue import say

HANA, TARO = CUSTOMERS[:2]
PASSCODE, CODE = "730519", "6412"
PAYEE = "50,000 → 10000-23456781"

in_languages = pytest.mark.parametrize("language", times(["ja"], ["ja", "en"]))


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """`postal-bank`, whose customers have an app, and transaction signatures in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "MEMORY_KIB", 64)
        folder = tmp_path_factory.mktemp("bank")
        made = Bank(folder, signing_bank(folder))
        yield made
        made.close()


class Person:
    """A customer: a browser at the bank, and a telephone in the other hand."""

    def __init__(self, bank, opened, customer, language):
        self.bank, self.customer, self.language = bank, customer, language
        self.browser, self.telephone = opened(language), opened(language, PHONE)
        self.phone = self.telephone.go("/phone")

    def say(self, name, **facts):
        return say(self.language, name, **facts)

    def logs_in(self):
        page = self.browser.go("/bank/go/login")
        page.fill("[name=proof]", self.customer.number)
        page.fill("[name='then.proof']", self.customer.password)
        page.click("form[action='/bank/enter'] button")
        assert self.browser.at == "bank/account"
        return page

    def adds_this_telephone(self, **filled):
        page = self.browser.go("/bank/apps")
        page.click("form:has([value='add-device']) button")
        page.click("form[action='/bank/send'] button")
        page.wait_for_selector("form[action='/bank/send'] button.second")
        page.fill("section:has([value='mail-otp']) [name=proof]", self.bank.until(lambda: codes_in(self.bank, self.customer.mails[0]))[0])
        page.click("section:has([value='mail-otp']) form[action='/bank/enter'] button")
        code = page.inner_text(".asked code")
        assert page.locator(".qr svg").count() == 1
        for name, value in {"code": code.lower(), "passcode": PASSCODE, **filled}.items():
            self.phone.fill(f"#{name}", value)
        for item in ("app-face-id", "app-face"):
            self.phone.check(f"#sensor-{item}")
        self.phone.click("#add button")
        self.hears("phone.added")
        return code

    def transfers(self, text=PAYEE):
        """Up to where the bank waits for the telephone."""
        page = self.browser.go("/bank/account")
        page.click("form:has([value='transfer']) button")
        page.fill("[name=proof]", text)
        page.click("form[action='/bank/enter'] button")
        page.wait_for_selector("#in-app")
        self.phone.evaluate("window.dispatchEvent(new Event('focus'))")
        self.phone.wait_for_selector(f"#requests dd:text-is('{text}')")
        return page

    def types(self, text, at="#requests"):
        self.phone.evaluate("document.getElementById('told').replaceChildren()")
        self.phone.fill(f"{at} input", text)
        self.phone.click(f"{at} form button")
        self.phone.wait_for_selector("#told p")
        return self

    def presses(self, text):
        self.phone.evaluate("document.getElementById('told').replaceChildren()")
        self.phone.click(f"button:text-is('{text}')")
        return self

    def hears_digits(self):
        self.phone.wait_for_selector(f"#told p:has-text('{self.say('phone.signature')}')")
        return self.phone.inner_text("#told p").removeprefix(self.say("phone.signature")).strip()

    def hears(self, name):
        self.phone.wait_for_selector(f"#told p:text-is('{self.say(name)}')")
        return self


@in_languages
def test_added_approving_guessed_at_erased_and_registered_again(bank, opened, language):
    """Y-TRANSFER-3, on a telephone of 320 pixels; what is approved stands there word for word."""
    hana = Person(bank, opened, HANA, language)
    hana.logs_in()
    code = hana.adds_this_telephone()
    page = hana.transfers()
    assert hana.phone.inner_text("#requests dd") == PAYEE
    hana.telephone.is_clean("phone")
    hana.types(PASSCODE).hears("answer.done")
    page.click("#in-app ~ p a.button")
    assert hana.say("bank.done") in hana.browser.text
    hana.transfers("900 → 10000-1")
    digits = hana.presses(hana.say("phone.show")).hears_digits()
    page.fill(f"section:has([value='{ITEM}']) [name=proof]", digits)
    page.click(f"section:has([value='{ITEM}']) button")
    assert hana.say("bank.done") in hana.browser.text
    hana.transfers("910 → 10000-1")
    for n in range(5):
        hana.types("000000").hears("answer.wrong" if n < 4 else "answer.wrong-register-again")
    hana.phone.wait_for_selector("#accounts .erased")
    hana.telephone.is_clean()
    hana.presses(hana.say("phone.register")).phone.wait_for_selector("#requests form")
    hana.types(hana.customer.password).hears("answer.next")
    hana.presses(f"{hana.say('phone.send')} {masked(hana)}").hears("phone.sent")
    hana.types(bank.until(lambda: codes_in(bank, hana.customer.mails[0]))[0]).hears("answer.next")
    hana.types("118822").hears("answer.done")
    hana.transfers("1,200 → 10000-2")
    hana.types("118822").hears("answer.done")
    kept = kept_by(hana.phone)
    assert kept and not [secret for secret in (PASSCODE, "118822", code.replace("-", "")) if secret in kept]


def masked(person):
    """The first address that a code may go to, as the telephone shows it."""
    person.phone.wait_for_selector("#requests p.buttons button")
    return person.phone.inner_text("#requests p.buttons button").rpartition(" ")[2]


def kept_by(page):
    """All that the page keeps, as far as it can itself be made to say it; nothing where a key can be read out."""
    return page.evaluate("""async () => {
      const found = await new Promise(done => { const asked = indexedDB.open('sekisho-phone'); asked.onsuccess = () => done(asked.result); });
      const store = found.transaction('accounts').objectStore('accounts');
      const all = await new Promise(done => { const asked = store.getAll(); asked.onsuccess = () => done(asked.result); });
      const keys = all.flatMap(one => [one.key.privateKey, ...Object.values(one.sensors).map(key => key.privateKey), ...Object.values(one.shared)]);
      const told = await Promise.all(keys.map(key => crypto.subtle.exportKey('jwk', key).then(() => true, () => key.extractable)));
      if (told.includes(true)) return null;
      return JSON.stringify(all) + JSON.stringify(localStorage) + document.cookie;
    }""")


HOSTILE = {
    "no ticket": {}, "a forged one": {"ticket": "app:x 0012345678 00"}, "a number": {"ticket": 7}, "signs": {"ticket": "é é é"},
    "parts": {"ticket": ["app:x"]}, "nested": {"ticket": {"ticket": {}}},
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("call", ["register", "sign", "send", "enter"])
def test_without_a_ticket_of_this_bank_nothing_is_shown_or_done(bank, call, body):
    answer = httpx.post(f"{bank.base}/phone/{call}", json={**body, "walk": "x", "item": "app-passcode", "proof": {}})
    assert (answer.status_code, answer.json()["kind"]) == (400, "not-found")


@pytest.mark.parametrize("tickets", [["app:x 0012345678 00"], [None], [], [{}]], ids=["forged", "none", "no one's", "an object"])
def test_what_waits_is_told_to_nobody_else(bank, tickets):
    assert httpx.post(f"{bank.base}/phone/requests", json={"tickets": tickets}).json() == {"requests": {}}


@pytest.mark.parametrize("sent", [b"", b"[]", b"{", b"[" * 10_000, b'{"a": "' + b"x" * 20_000 + b'"}', b"\xff"], ids=range(6))
def test_what_is_no_request_is_told_as_that(bank, sent):
    for call in ("accounts", "requests", "enter"):
        answer = httpx.post(f"{bank.base}/phone/{call}", content=sent, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["kind"]) == (400, "not-json")
    assert httpx.post(f"{bank.base}/phone/enter", content=b"{}", headers={"content-type": "text/plain"}).json()["kind"] == "not-json"


def test_the_page_may_run_its_own_script_and_nothing_else(bank):
    answer = httpx.get(f"{bank.base}/phone")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';") and "script-src 'self'" in policy and "unsafe" not in policy
    assert "<script>" not in answer.text and not re.search(r"\son\w+=", answer.text)
    told = httpx.get(f"{bank.base}/phone/app.webmanifest?lang=en")
    assert told.headers["content-type"].startswith("application/manifest+json") and told.json()["display"] == "standalone"
