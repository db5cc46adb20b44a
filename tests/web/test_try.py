"""A visitor of the demonstration is customer and staff by turns."""

import html
import re

import pytest
from visitor import Demonstration, Visitor

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
    assert visitor.enter("amount-and-payee").asked == ["token-otp", "app-passcode", "mail-otp", "passkey"]
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
    "register-app", "register-face", "set-transaction-code", "transfer", "payeasy", "mail-address", "register-account", "change-password",
    "add-device",
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


# -- what staff do besides releases


def test_a_paper_form_is_entered_approved_and_carried_out(demonstration, visitor):
    """F4 for one customer, entered by one and approved by another; the code by mail is then an entry of his transfer."""
    customer = MIDORI if visitor.language == "ja" else SUMIRE
    visitor.send("customer", customer=customer.account)
    page = visitor.send("form", form="form-4", subject=customer.subject, operator="endo", reason="came by post")
    assert page.approvals and say(visitor.language, "form.waiting") in page.staff
    page = visitor.send("withdraw", approval=page.approvals[0], operator="fujii")
    assert page.approvals == [] and say(visitor.language, "form.withdrawn") in page.staff
    page = visitor.send("form", form="form-4", subject=customer.subject, operator="endo", reason="came by post")
    page = visitor.send("approve", approval=page.approvals[0], operator="fujii")
    assert page.approvals == [] and say(visitor.language, "form.done") in page.staff
    page = visitor.send("form", form="form-4", subject=customer.subject, operator="aoki", reason="came by post")
    assert say(visitor.language, "problem.needs-role") in page.staff
    assert say(visitor.language, "problem.incomplete") in visitor.send("form", form="none", subject=customer.subject, operator="endo", reason="x").staff


def test_an_emergency_stop_by_the_customer_and_its_release_on_paper(demonstration, visitor):
    """Out of no session, from his own device; the desk cannot undo it by itself, form F1 number 5 does."""
    visitor.send("customer", customer=KEN.account)
    page = visitor.send("stop", known="known-device")
    assert said(visitor, "stopped") in page.customer
    assert "M-STOP-1" in [lock["row"] for lock in page.locks]
    visitor.begin("login")
    assert said(visitor, "locked") in visitor.enter("customer-number").customer
    page = visitor.send("form", form="form-1-5", subject=KEN.subject, operator="endo", reason="came by post")
    page = visitor.send("approve", approval=page.approvals[0], operator="fujii")
    assert page.locks == []


def test_an_emergency_stop_by_telephone(visitor):
    """First line may, the back office may not; a stranger's call is taken once."""
    customer = OWN[visitor.language]
    visitor.send("customer", customer=customer.account)
    page = visitor.send("stop-for", subject=customer.subject, operator="endo", known="verified", reason="called")
    assert say(visitor.language, "problem.may-not-stop") in page.staff
    page = visitor.send("stop-for", subject=customer.subject, operator="aoki", known="", reason="called")
    assert "M-STOP-1" in [lock["row"] for lock in page.locks] or say(visitor.language, "staff.stop-refused") in page.staff
    page = visitor.send("stop-for", subject=customer.subject, operator="aoki", known="verified", reason="called back")
    assert say(visitor.language, "staff.stopped") in page.staff
    page = visitor.send("form", form="form-1-5", subject=customer.subject, operator="endo", reason="came by post")
    page = visitor.send("approve", approval=page.approvals[0], operator="fujii")
    assert "M-STOP-1" not in [lock["row"] for lock in page.locks]


@pytest.mark.parametrize("visitor", ["en"], indirect=True)
def test_locks_by_the_banks_own_fault_are_released_together(demonstration, visitor):
    """Chosen by row and time, asked for by one, agreed to by another."""
    visitor.begin("telephone-service", customer=ICHIRO.account)
    page = visitor.repeat("telephone-user-number", 6)
    assert [lock["row"] for lock in page.locks] == ["Y-PHONE-2"]
    demonstration.passes(1)
    page = visitor.send("incident", row="Y-PHONE-2", minutes="10", operator="endo", reason="bad release")
    assert say(visitor.language, "staff.incident-opened", row="Y-PHONE-2") in page.staff
    (incident,) = [form["incident"] for form in page.forms if form["action"] == "/try/release-incident"]
    page = visitor.send("release-incident", incident=incident, rows="Y-PHONE-2", operator="endo")
    page = visitor.send("approve", approval=page.approvals[0], operator="fujii")
    demonstration.do(demonstration.app.incidents.go_on())
    demonstration.do(demonstration.app.incidents.go_on())
    assert visitor.look().locks == []
    assert say(visitor.language, "problem.incomplete") in visitor.send("incident", row="none", minutes="10", operator="endo", reason="x").staff


@pytest.mark.parametrize("visitor", ["ja"], indirect=True)
def test_lines_of_another_system_are_taken_over_or_told_why_not(visitor):
    """All of them, or none with a line for every fault."""
    customer = MIDORI if visitor.language == "ja" else SUMIRE
    visitor.send("customer", customer=customer.account)
    head = "what,subject,name,value,item\r\n"
    page = visitor.send("import", csv=f"{head}count,{customer.subject},login-password-a-year,3,\r\n", operator="ito")
    assert say(visitor.language, "staff.imported", lines="1", subjects="1") in page.staff
    page = visitor.send("import", csv=f"{head}count,{customer.subject},no-such-count,3,", operator="ito")
    assert say(visitor.language, "problem.import-faults") in page.staff and "2: " in page.staff
    assert say(visitor.language, "problem.incomplete") in visitor.send("import", csv=" ", operator="ito").staff


def test_a_contract_begins_on_paper(tmp_path):
    """F3 with a new customer number and a mail address: the letter's password lets in, and only once there is a contract."""
    demonstration = Demonstration(tmp_path)
    visitor = Visitor(demonstration, "en")
    visitor.send("customer", customer=YUKI.account)
    told = {"form": "form-3", "subject": YUKI.account_subject, "addresses": YUKI.mail, "operator": "endo", "reason": "came by post"}
    assert say("en", "problem.needs-customer") in visitor.send("form", **told).staff
    page = visitor.send("form", **told, number=YUKI.number)
    page = visitor.send("approve", approval=page.approvals[0], operator="fujii")
    assert say("en", "received.letter") in page.text
    visitor.begin("login")
    visitor.enter("customer-number")
    assert said(visitor, "done") in visitor.enter("login-password").customer
    assert say("en", "problem.contract-stands") in visitor.send("form", **told, number="0099999999").staff
    visitor.close()
    demonstration.close()


@pytest.mark.parametrize("visitor", ["ja"], indirect=True)
def test_a_visitor_may_sit_at_another_device(visitor):
    """The choice stays for what is begun next."""
    page = visitor.begin("login", customer=ICHIRO.account, device="other")
    assert '<option value="other" selected>' in page.html
    assert '<option value="usual" selected>' in visitor.begin("login", device="usual").html
