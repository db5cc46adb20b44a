"""The bank's app as a page, in a browser: added, approving, guessed at, erased, registered again. Its keys never leave it.

Its sensors lock themselves; a face is erased; it holds several accounts, and codes that are asked for where they are set.
"""

import re

import httpx
import pytest
from bankclient import Client
from scale import FULL, times
from signing_bank import ITEM, signing_bank
from standing import PHONE, Bank

from sekisho.adapters import secrets
from sekisho.bank import phone as reference_phone
from sekisho.bank.seeds import CUSTOMERS
from sekisho.catalogue import say

HANA, TARO = CUSTOMERS[:2]
PASSCODE, CODE, OTHER_CODE = "730519", "6412", "9753"
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

    def __init__(self, bank, opened, customer, language, telephone=None):
        self.bank, self.customer, self.language = bank, customer, language
        self.browser, self.telephone = opened(language), telephone or opened(language, PHONE)
        self.phone = self.telephone.page if telephone else self.telephone.go("/phone")

    @property
    def requests(self):
        """Where on the telephone it stands what waits for him."""
        return f"#requests section:has(.who:text-is('{self.say('phone.for')} {self.customer.number}'))"

    @property
    def account(self):
        """Where his account stands there."""
        return f"#accounts section:has(h3:has-text('{self.customer.number}'))"

    def item(self, name):
        """An item of the policy's as he reads it."""
        return getattr(self.bank.table.items[name].text, self.language)

    def operation(self, name):
        return getattr(self.bank.table.operations[name].text, self.language)

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
        sent = self.code_after(lambda: page.click("form[action='/bank/send'] button"))
        page.wait_for_selector("form[action='/bank/send'] button.second")
        page.fill("section:has([value='mail-otp']) [name=proof]", sent)
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

    def code_after(self, act):
        """The code that reaches his first address when this was done."""
        before = len(self._codes())
        act()
        return self.bank.until(lambda: self._codes()[:len(self._codes()) - before])[0]

    def _codes(self):
        """All codes that have come, newest first. What tells of something done has a number too, which is none."""
        bodies = [one.body for one in self.bank.received(self.customer.mails[0]) if not re.search("心当たりがない|This was not me", one.body)]
        return [found[0] for body in bodies if (found := re.search(r"\d[\d ]{4,12}\d", body))]

    def transfers(self, text=PAYEE):
        """Up to where the bank waits for the telephone."""
        page = self.browser.go("/bank/account")
        page.click("form:has([value='transfer']) button")
        page.fill("[name=proof]", text)
        page.click("form[action='/bank/enter'] button")
        page.wait_for_selector("#in-app")
        self.looks()
        self.phone.wait_for_selector(f"{self.requests} dd:text-is('{text}')")
        return page

    def comes_with_the_app(self):
        """A login without a password: up to where the bank waits for the telephone."""
        page = self.browser.go("/bank/go/login")
        page.fill("[name=proof]", self.customer.number)
        page.click("form[action='/bank/enter'] button")
        page.wait_for_selector("#in-app")
        self.looks()
        self.phone.wait_for_selector(f"{self.requests} button")
        return self

    def is_let_in(self):
        self.browser.page.click("#in-app ~ p a.button")
        assert self.browser.at == "bank/account"
        return self

    def looks(self):
        """He takes the telephone in his hand. What waits for it now, by enrolment."""
        with self.phone.expect_response("**/phone/requests") as told:
            self.phone.evaluate("window.dispatchEvent(new Event('focus'))")
        return told.value.json()["requests"]

    def _waits(self):
        """The page has told what came of the last thing, and shows what comes next."""
        self.phone.wait_for_selector("body:not([aria-busy])")
        self.phone.evaluate("document.getElementById('told').replaceChildren()")

    def types(self, text):
        self._waits()
        self.phone.fill(f"{self.requests} input", text)
        self.phone.click(f"{self.requests} form button")
        self.phone.wait_for_selector("#told p")
        return self

    def presses(self, text, at="body"):
        self._waits()
        self.phone.click(f"{at} button:text-is('{text}')")
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
    proves_himself(hana.presses(hana.say("phone.register")))
    hana.types("118822").hears("answer.done")
    hana.transfers("1,200 → 10000-2")
    hana.types("118822").hears("answer.done")
    kept = kept_by(hana.phone)
    assert kept and not [secret for secret in (PASSCODE, "118822", code.replace("-", "")) if secret in kept]


def proves_himself(person):
    """By password and a code, in the app's own run."""
    person.types(person.customer.password).hears("answer.next")
    to = person.phone.wait_for_selector(f"{person.requests} p.buttons button:has-text('{person.say('phone.send')}')").inner_text()
    person.types(person.code_after(lambda: person.presses(to).hears("phone.sent"))).hears("answer.next")


@in_languages
def test_sensors_lock_themselves_and_a_face_is_erased_and_registered_again(bank, opened, language):
    """Y-LOGIN-4, -5 and -6: the finger waits, the device's face is unlocked, and the app's own face is the bank's to count."""
    taro = Person(bank, opened, TARO, language)
    taro.phone.clock.install()
    taro.logs_in()
    taro.adds_this_telephone()
    finger, device_face, face = (taro.item(name) for name in ("app-fingerprint", "app-face-id", "app-face"))
    taro.comes_with_the_app().phone.check("#stranger")
    for sensor in (finger, device_face):
        for n in range(5):
            taro.presses(sensor).hears("phone.not-recognised" if n < 4 else "answer.sensor-locked")
    assert taro.phone.inner_text("#locked .which") == f"{finger} · {device_face}"
    taro.telephone.is_clean()
    taro.phone.reload()
    taro.phone.check("#owner")
    taro.presses(finger).hears("answer.sensor-locked")
    taro.phone.clock.fast_forward(31_000)
    taro.presses(device_face).hears("answer.sensor-locked")
    taro.presses(finger).hears("answer.done").is_let_in()
    taro.comes_with_the_app().presses(device_face).hears("answer.sensor-locked")
    taro.presses(taro.say("phone.unlock")).hears("phone.unlocked")
    taro.presses(device_face).hears("answer.done").is_let_in()
    taro.comes_with_the_app().phone.check("#stranger")
    for n in range(5):
        taro.presses(face).hears("answer.wrong" if n < 4 else "answer.wrong-register-again")
    assert taro.phone.is_hidden("#locked")
    taro.phone.wait_for_selector(f"#accounts .erased:has-text('{face}')")
    taro.phone.check("#owner")
    proves_himself(taro.presses(f"{taro.say('phone.register')}: {face}"))
    taro.presses(f"{taro.say('phone.register-now')} {taro.item('new-app-face')}").hears("answer.done")
    taro.presses(face).hears("answer.done").is_let_in()


if FULL:

    @in_languages
    def test_two_accounts_on_one_telephone_and_a_code_that_one_of_them_asks_for(bank, opened, language):
        """Y-TRANSFER-4: set, asked for, wrong, the account removed, added again with another; then a device that its owner removes."""
        hana = Person(bank, opened, HANA, language)
        taro = Person(bank, opened, TARO, language, hana.telephone)
        hana.logs_in()
        hana.adds_this_telephone()
        taro.logs_in()
        taro.adds_this_telephone(**{"set-transaction-code": CODE})
        hana.transfers("1,000 → 10000-1")
        taro.transfers("2,000 → 10000-2")
        taro.telephone.is_clean()
        taro.types(PASSCODE).hears("answer.next")
        taro.types("0000").hears("answer.wrong").types(CODE).hears("answer.done")
        assert hana.phone.inner_text(f"{hana.requests} dd") == "1,000 → 10000-1"
        hana.types(PASSCODE).hears("answer.done")
        taro.transfers("2,100 → 10000-2")
        taro.types(PASSCODE).hears("answer.next")
        for n in range(5):
            taro.types("0000").hears("answer.wrong" if n < 4 else "answer.wrong-register-again")
        taro.phone.wait_for_selector(taro.account, state="detached")
        hana.transfers("1,100 → 10000-1")
        hana.types(PASSCODE).hears("answer.done")
        taro.adds_this_telephone(**{"set-transaction-code": OTHER_CODE})
        taro.transfers("2,200 → 10000-2")
        taro.types(PASSCODE).hears("answer.next")
        taro.types(CODE).hears("answer.wrong").types(OTHER_CODE).hears("answer.done")
        proves_himself(taro.presses(taro.operation("set-transaction-code"), taro.account))
        taro.types("8642").hears("answer.done")
        taro.transfers("2,250 → 10000-2")
        taro.types(PASSCODE).hears("answer.next").types(OTHER_CODE).hears("answer.wrong").types("8642").hears("answer.done")
        removes_the_device(hana)
        assert set(map(len, hana.looks().values())) == {0}
        hana.presses(hana.say("phone.remove"), hana.account).hears("phone.removed")
        taro.transfers("2,300 → 10000-2")
        taro.types(PASSCODE).hears("answer.next").types("8642").hears("answer.done")
        assert not [code for code in (CODE, OTHER_CODE, "8642") if code in kept_by(taro.phone)]
        assert taro.phone.locator("#accounts section").count() == 1


def removes_the_device(person):
    """At the bank, where he has lost it or not; what he begins there afterwards is not shown on it."""
    page = person.browser.go("/bank/apps")
    page.locator("form[action='/bank/remove-app'] button").last.click()
    assert person.say("bank.app-removed") in person.browser.text
    page = person.browser.go("/bank/account")
    page.click("form:has([value='transfer']) button")
    page.fill("[name=proof]", "9,000 → 10000-9")
    page.click("form[action='/bank/enter'] button")


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
    assert httpx.post(f"{bank.base}/phone/requests", json={"tickets": tickets}).json() == {"requests": {}, "removed": []}


def test_a_device_that_was_removed_is_shown_nothing_any_more(bank, monkeypatch):
    """Neither that its customer logs in nor anything of what he does; it is told that it was removed, and enters nothing."""
    monkeypatch.setattr(reference_phone, "ROUNDS", 10)
    kenji = next(one for one in CUSTOMERS[2:] if one.contract)
    device, ticket = by_letter(bank, kenji)
    client = Client(bank)
    client.look("/bank/go/login")
    client.post("enter", client.form("enter"), proof=kenji.number)
    client.http.close()

    def asks(call, **body):
        return httpx.post(f"{bank.base}/phone/{call}", json=body).json()

    [waits] = asks("requests", tickets=[ticket])["requests"][device.app]
    assert waits["next"] and asks("requests", tickets=[ticket])["removed"] == []
    path = f"/v1/staff/subjects/{kenji.subject}/apps/{device.app}/loss"
    assert bank.call("POST", path, {"reason": "left on a train"}, "chiba").status_code == 200
    assert asks("requests", tickets=[ticket]) == {"requests": {device.app: []}, "removed": [device.app]}
    item = waits["next"][0]["item"]
    for call in ("sign", "enter", "send", "register"):
        told = asks(call, ticket=ticket, walk=waits["walk"], item=item, proof={}, operation="register-app")
        assert told["kind"] == "not-found"


def by_letter(bank, customer):
    """A device of his, set up with a code that came by letter; and its ticket."""
    bank.call("POST", f"/v1/staff/subjects/{customer.subject}/app-codes", {"reason": "asked for on paper", "language": "en"}, "endo")
    code = re.search(r"[A-Z2-9]{4}(?:-[A-Z2-9]{4}){5}", bank.received(customer.subject, "letter")[0].body)[0]
    device = reference_phone.Phone()
    told = httpx.post(f"{bank.base}/phone/accounts", json={"code": code, "name": "telephone", "parts": device.enrolment(code, PASSCODE)}).json()
    device.app = told["app"]
    return device, told["ticket"]


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
