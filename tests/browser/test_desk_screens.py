"""The desk in a real browser, in both languages: every page in every state, clean under axe-core, and worked by the keyboard alone."""

import re

from standing import PHONE

from sekisho.bank.seeds import CUSTOMERS
from sekisho.catalogue import say

REMEDIES = ("receive-list", "spam-folder", "security-software", "other-address")
TARO = CUSTOMERS[1]
THEIRS = {"ja": TARO, "en": CUSTOMERS[6]}
"""Whose matter it is, by the language: what was done for the one stands in nobody's way."""


def signs_in(tab, bank, operator):
    """By her key and the return key: the door waits for nothing else."""
    tab.context.clear_cookies()
    tab.go("/desk")
    tab.page.wait_for_selector("#key:focus")
    tab.page.keyboard.type(bank.keys[operator])
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_selector("#number")
    return tab


def says(tab, name, **facts):
    return say(tab.language, name, **facts) in tab.text


def press(tab, name, within="main", **facts):
    tab.page.locator(within).get_by_role("button", name=say(tab.language, name, **facts), exact=True).first.click()


def opens_case(bank, customer):
    """A customer who has mistyped his password, and telephones."""
    bank.at(12)
    run = bank.call("POST", "/v1/procedures", {"operation": "login", "subject": customer.subject}).json()["procedure"]
    for proof in ("wrong", "wrong again"):
        bank.call("POST", f"/v1/procedures/{run}/attempts", {"item": "login-password", "proof": proof})
    opened = bank.call("POST", "/v1/staff/cases", {"subject": customer.subject, "matter": "コードが届かない / no code arrives", "how": "telephone"}, "aoki")
    return opened.json()["case"]


def test_M_DESK_1_every_page_of_the_desk_is_clean(tab, bank):
    """Door, overview, customer, case, a refusal and its reason: nothing wrong for whoever cannot see or point."""
    case = opens_case(bank, TARO)
    tab.go("/desk")
    tab.is_clean("desk-door")
    signs_in(tab, bank, "aoki").is_clean("desk-overview")
    tab.go(f"/desk/customer?number={TARO.number}")
    tab.is_clean("desk-customer")
    tab.go(f"/desk/case?id={case}")
    for n, _ in enumerate(REMEDIES):
        tab.page.locator("section[aria-labelledby=remedies] button").first.click()
        tab.page.wait_for_function(f"document.querySelectorAll('section[aria-labelledby=remedies] .tag').length == {n + 1}")
    press(tab, "desk.ask-sent")
    tab.is_clean("desk-case")
    tab.go("/desk/case?id=none")
    tab.page.wait_for_selector(".message.trouble")
    tab.is_clean("desk-refused")


def test_the_pages_of_the_desk_fit_a_small_screen(opened, bank):
    case = opens_case(bank, TARO)
    tab = signs_in(opened("ja", PHONE), bank, "aoki")
    for page in ("/desk", f"/desk/customer?number={TARO.number}", f"/desk/case?id={case}"):
        tab.go(page)
        tab.is_clean()


def test_M_DESK_2_two_of_second_line_delete_by_the_keyboard_alone(tab, bank):
    """From a key to the approval no pointer is needed; outside the hours the page says so and the case waits with a call-back."""
    customer = THEIRS[tab.language]
    case = opens_case(bank, customer)
    for remedy in REMEDIES:
        bank.call("POST", f"/v1/staff/cases/{case}/notes", {"what": "remedy", "text": remedy}, "aoki")
    bank.call("POST", f"/v1/staff/cases/{case}/verifications", {"item": "caller-code"}, "aoki")
    proof = re.search(r"(?<!\d)\d{6}(?!\d)", bank.received(customer.telephone, "telephone")[0].body)[0]
    heard = bank.call("POST", f"/v1/staff/cases/{case}/verifications/entries", {"item": "caller-code", "proof": proof}, "aoki")
    assert heard.json()["verified"], heard.text
    asks_at(tab, bank, case, 21)
    assert says(tab, "problem.outside-hours")
    tab.is_clean("desk-outside-hours")
    asks_at(tab, bank, case, 9)
    assert says(tab, "desk.said-asked")
    doi = signs_in(tab, bank, "doi")
    doi.page.locator("form[action='/desk/approve'] button").first.focus()
    doi.page.keyboard.press("Enter")
    doi.page.wait_for_selector(".message.right")
    assert says(doi, "desk.said-done")
    doi.is_clean("desk-done")


def asks_at(tab, bank, case, hour):
    bank.at(hour)
    signs_in(tab, bank, "chiba").go(f"/desk/case?id={case}")
    tab.page.locator("form[action='/desk/ask'] input[name=reason]").first.focus()
    tab.page.keyboard.type("no code arrives")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_selector(".message")
