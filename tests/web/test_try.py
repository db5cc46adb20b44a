"""A visitor of the demonstration is customer and staff by turns."""

import html
import re

import pytest
from visitor import Visitor

from sekisho.bank.seeds import CUSTOMERS
from sekisho.catalogue import say, texts

HANA, TARO, MIDORI, ICHIRO, YUKI, KEN, SUMIRE = CUSTOMERS
OWN = {"ja": HANA, "en": TARO}
"""Each language locks out a customer of its own: the two walk through one demonstration."""


def said(visitor, name):
    return say(visitor.language, f"answer.{name}")


def locked_out(visitor):
    visitor.begin("login", customer=OWN[visitor.language].account)
    visitor.enter("customer-number")
    return visitor.repeat("login-password", 20)


def let_back_in(visitor, customer):
    """Staff lift whatever paper lifts."""
    for lock in visitor.send("customer", customer=customer.account).locks:
        page = visitor.release(lock, "form-1-1", "endo")
        visitor.send("approve", approval=page.approvals[0], operator="fujii")


def test_locked_out_and_let_back_in_by_the_customer_himself(visitor):
    page = locked_out(visitor)
    assert said(visitor, "wrong-locked") in page.customer
    assert [lock["row"] for lock in page.locks] == ["Y-LOGIN-3"]
    assert "10 / 10" in page.staff
    visitor.begin("login")
    assert said(visitor, "locked") in visitor.enter("customer-number").customer
    visitor.begin("reset-password")
    for item in ("number-pair", "mail-otp", "new-login-password"):
        assert visitor.page.asked == [item]
        visitor.enter(item)
    assert said(visitor, "done") in visitor.page.customer
    assert visitor.page.locks == []
    visitor.begin("login")
    visitor.enter("customer-number")
    page = visitor.enter("login-password")
    assert said(visitor, "done") in page.customer
    assert say(visitor.language, "customer.log-out") in page.customer


def test_locked_out_and_let_back_in_by_two_of_the_staff(visitor):
    page = locked_out(visitor)
    page = visitor.release(page.locks[0], "form-1-1", "endo")
    assert page.approvals
    page = visitor.send("approve", approval=page.approvals[0], operator="endo")
    assert say(visitor.language, "problem.same-person") in page.staff
    assert page.locks
    page = visitor.send("approve", approval=page.approvals[0], operator="fujii")
    assert page.locks == [] == page.approvals
    assert say(visitor.language, "received.letter") in page.text
    visitor.begin("login")
    visitor.enter("customer-number")
    assert said(visitor, "done") in visitor.enter("login-password").customer


@pytest.mark.parametrize(("path", "operator", "problem"), [
    ("reapply", "endo", "customer-himself"), ("form-1-1", "aoki", "needs-role"), ("form-1-5", "endo", "path-does-not-lift"), ("", "endo", "incomplete"),
    ("form-1-1", "nobody", "incomplete"),
])
def test_staff_are_told_why_they_may_not(visitor, path, operator, problem):
    page = locked_out(visitor)
    page = visitor.release(page.locks[0], path, operator)
    assert say(visitor.language, f"problem.{problem}") in page.staff
    assert page.locks


def test_a_release_needs_a_reason(visitor):
    page = visitor.release(locked_out(visitor).locks[0], "form-1-1", "endo", reason=" ")
    assert say(visitor.language, "problem.incomplete") in page.staff


def test_an_operation_in_a_session_asks_for_the_login_first(visitor):
    visitor.begin("transfer", customer=ICHIRO.account)
    assert visitor.page.asked == ["customer-number"]
    visitor.enter("customer-number")
    page = visitor.enter("login-password")
    assert page.asked == ["amount-and-payee"]
    assert visitor.enter("amount-and-payee").asked == ["token-otp", "app-passcode", "mail-otp"]
    assert visitor.send("logout").asked == []


def codes_received(page):
    return re.findall(r"\b\d{4} \d{4}\b", page.html)


def test_a_code_is_sent_where_the_customer_wants_it(demonstration, visitor):
    demonstration.passes(3600)
    visitor.begin("reset-password", customer=ICHIRO.account)
    page = visitor.enter("number-pair")
    before = len(codes_received(page))
    chosen = re.findall(r'<option value="(\w{12})"[^>]*>(i•••@\w•••\.\w+)', page.html)
    assert [masked for _, masked in chosen] == ["i•••@e•••.com", "i•••@m•••.jp"]
    page = visitor.send("code", item="mail-otp", address=chosen[1][0])
    assert texts(visitor.language)["delivery.handed-over"] in page.customer
    assert say(visitor.language, "received.mail", address=ICHIRO.mails[1]) in page.text
    code = codes_received(page)
    assert len(code) == before + 1
    page = visitor.send("code", item="mail-otp", address=chosen[1][0])
    assert said(visitor, "sent-just-now") in page.customer and len(codes_received(page)) == before + 1
    assert said(visitor, "wrong") in visitor.enter("mail-otp", "typed", proof="00000000").customer
    demonstration.passes(31)
    again = codes_received(visitor.send("code", item="mail-otp", address=chosen[1][0]))
    assert len(again) == before + 2 and len(set(again) - set(code)) == 0
    assert visitor.enter("mail-otp", "right").asked == ["new-login-password"]


def test_a_password_that_is_not_new_is_refused(visitor):
    visitor.begin("reset-password", customer=ICHIRO.account)
    visitor.enter("number-pair")
    visitor.enter("mail-otp")
    assert said(visitor, "wrong") in visitor.enter("new-login-password", "wrong").customer


def test_what_was_erased_can_be_registered_again(demonstration, visitor):
    visitor.begin("transfer", customer=ICHIRO.account)
    for item in ("customer-number", "login-password", "amount-and-payee"):
        visitor.enter(item)
    page = visitor.repeat("app-passcode", 5)
    assert said(visitor, "wrong-register-again") in page.customer
    assert [lock["row"] for lock in page.locks] == ["Y-TRANSFER-3"]
    visitor.begin("register-app")
    for item in ("login-password", "mail-otp", "new-app-passcode"):
        page = visitor.enter(item)
    assert page.locks == []
    visitor.begin("transfer")
    visitor.enter("amount-and-payee")
    assert visitor.enter("app-passcode").asked == ["transaction-code"]


def test_staff_set_a_secret_again(visitor):
    visitor.send("customer", customer=ICHIRO.account)
    page = visitor.send("set", item="login-password", value="a new river 99", operator="endo")
    assert say(visitor.language, "staff.set", item=page_item(visitor, "login-password")) in page.staff
    visitor.begin("login")
    visitor.enter("customer-number")
    assert said(visitor, "done") in visitor.enter("login-password", "typed", proof="a new river 99").customer
    visitor.send("logout")
    assert say(visitor.language, "problem.incomplete") in visitor.send("set", item="nothing", operator="endo").staff
    visitor.send("set", item="login-password", value="", operator="ito")


def page_item(visitor, item):
    return {"login-password": {"ja": "ログインパスワード", "en": "Login password"}}[item][visitor.language]


def test_locks_that_an_older_system_left_stand_from_the_first_day(visitor):
    for customer, row in ((KEN, "Y-ABOLISHED-1"), (SUMIRE, "Y-ABOLISHED-2")):
        assert [lock["row"] for lock in visitor.send("customer", customer=customer.account).locks] == [row]


def test_a_penalty_falls_on_the_account_that_is_registered(demonstration, visitor):
    about = OWN[visitor.language]
    let_back_in(visitor, about)
    visitor.begin("register-account", customer=ICHIRO.account, about=about.account)
    visitor.enter("customer-number")
    visitor.enter("login-password")
    page = visitor.repeat("login-password", 20)
    assert [lock["subject"] for lock in page.locks] == [about.subject]
    let_back_in(visitor, about)


def walk_to_the_end(demonstration, visitor):
    """Right entries only, the first item of each step."""
    for _ in range(12):
        if not visitor.page.asked:
            return
        demonstration.passes(31)
        visitor.enter(visitor.page.asked[0])
        assert visitor.page.faults == []


OPERATIONS = [
    "login", "number-inquiry", "reset-password", "web-application", "telephone-application", "reapply", "telephone-service", "token-check",
    "register-app", "register-face", "transfer", "payeasy", "mail-address", "register-account", "change-password",
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_can_be_walked_to_its_end(demonstration, visitor, operation):
    demonstration.passes(3 * 3600)  # messages to one address are few in an hour, and few to one customer in a day
    visitor.begin(operation, customer=MIDORI.account, about=YUKI.account)
    walk_to_the_end(demonstration, visitor)
    assert said(visitor, "done") in visitor.page.customer


def test_who_suspends_himself_can_lift_it(demonstration, visitor):
    for operation in ("suspend", "lift-suspension"):
        visitor.begin(operation, customer=MIDORI.account)
        walk_to_the_end(demonstration, visitor)
        assert said(visitor, "done") in visitor.page.customer
    assert visitor.page.locks == []


def test_who_had_no_contract_can_log_in_after_applying(demonstration):
    visitor = Visitor(demonstration, "ja")
    for operation in ("web-application", "login"):
        visitor.begin(operation, customer=YUKI.account)
        walk_to_the_end(demonstration, visitor)
        assert said(visitor, "done") in visitor.page.customer
    visitor.close()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_customers_screen_names_no_figure(demonstration, visitor, operation):
    """D1. What is marked as the demonstration's own tool is not the customer's."""
    visitor.begin(operation, customer=MIDORI.account, about=ICHIRO.account)
    for item in visitor.page.asked:
        visitor.enter(item, "wrong")
    own = re.sub(r'<(p|form) class="[a-z ]*demo".*?</\1>', "", visitor.page.html, flags=re.DOTALL)
    screen = re.search(r'<div class="screen">(.*?)<div class="box"', own, re.DOTALL)[1]
    assert re.findall(r"\d+", html.unescape(re.sub(r"<[^>]*>", "", screen))) == []


def test_an_answer_is_shown_in_the_language_of_the_page(visitor):
    other = "en" if visitor.language == "ja" else "ja"
    visitor.begin("login", customer=ICHIRO.account)
    visitor.enter("customer-number", "wrong")
    assert said(visitor, "wrong") in visitor.page.customer
    assert texts(other)["answer.wrong"] in visitor.look(f"/try?lang={other}").customer
    assert texts(other)["answer.wrong"] in visitor.look().customer
