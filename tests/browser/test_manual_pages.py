"""The manual in a real browser: from a locked customer to the sentence to say, and pages that everybody can read and print."""

import pytest
from scale import FULL
from standing import PHONE

from sekisho.catalogue import say

CUSTOMER = "customer:0012345678"
ARTICLES = ["/manual", "/manual/operation/login", "/desk/manual", "/desk/manual/operation/login", "/desk/manual/limits", "/desk/manual/ways", "/desk/manual/check"]


@pytest.fixture(scope="module")
def locked(bank):
    """A customer whose login is locked."""
    run = bank.call("POST", "/v1/procedures", {"operation": "login", "subject": CUSTOMER}).json()["procedure"]
    told = [bank.call("POST", f"/v1/procedures/{run}/attempts", {"item": "login-password", "proof": "no"}).json() for _ in range(10)]
    assert told[-1]["state"] == "ended", told[-1]
    return CUSTOMER


def signed_in(tab, bank, operator="aoki"):
    tab.go("/desk")
    tab.page.fill("#key", bank.keys[operator])
    tab.page.locator('form[action="/desk/sign-in"] button').click()
    return tab


def go(tab, address):
    """The article in the tab's language, wherever the address has it."""
    base, _, rest = address.partition("manual")
    base, rest = f"{base}manual", rest.removeprefix("/")
    tab.go(f"{base}/{tab.language}" + (f"/{rest}" if rest else ""))


def test_K1_from_a_locked_customer_to_the_sentence_to_say_is_one_click(tab, bank, locked):
    signed_in(tab, bank).go(f"/desk/customer?number={locked}")
    tab.page.get_by_role("link", name=say(tab.language, "desk.what-to-say")).first.click()
    sentence = tab.page.locator("#article .say").first
    assert sentence.is_visible() and {"ja": "ログインはお取り扱いできません", "en": "Login: not available"}[tab.language] in sentence.inner_text()
    assert {"ja": "お伝えしないこと", "en": "What not to say"}[tab.language] in tab.page.locator("#article .not-say").first.inner_text()
    assert tab.page.locator("#locks").is_visible()
    tab.is_clean("desk-with-the-article")


def test_K1_the_whole_article_is_one_click_further_at_its_row(tab, bank, locked):
    signed_in(tab, bank).go(f"/desk/customer?number={locked}")
    tab.page.get_by_role("link", name=say(tab.language, "desk.what-to-say")).first.click()
    tab.page.get_by_role("link", name=say(tab.language, "desk.whole-article")).click()
    assert f"/desk/manual/{tab.language}/operation/login#" in tab.page.url
    row = tab.page.url.partition("#")[2]
    assert tab.page.locator(f'[id="{row}"] .say').first.is_visible()


def test_K1_K2_pages_of_the_manual_are_clean(tab, bank):
    signed_in(tab, bank)
    for address in ARTICLES if FULL else ARTICLES[1:4]:
        go(tab, address)
        tab.is_clean("manual" + address.replace("/", "-"))


def test_K1_K2_pages_of_the_manual_fit_a_small_telephone(opened, bank):
    tab = signed_in(opened("ja", PHONE), bank)
    for address in ARTICLES if FULL else [*ARTICLES[:3], ARTICLES[-1]]:
        go(tab, address)
        tab.is_clean()


def test_K1_search_and_did_this_help_work_without_javascript(opened, bank):
    tab = signed_in(opened("en", javascript=False), bank)
    tab.go("/desk/manual/en")
    tab.page.fill("#q", "I cannot log in")
    tab.page.locator('form[role="search"] button').click()
    tab.page.locator("main ol a").first.click()
    assert "/desk/manual/en/operation/" in tab.page.url
    tab.page.fill("#note", "more about tokens")
    tab.page.locator('button[name="helped"][value="no"]').click()
    assert say("en", "manual.thanks") in tab.text
    told = bank.call("GET", "/v1/manual/answers", by="goto").json()
    assert [(one["by"], one["helped"], one["note"]) for one in told["newest"]] == [("aoki", False, "more about tokens")]
