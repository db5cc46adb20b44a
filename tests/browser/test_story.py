"""The story in a real browser, with real mail and a real desk: the code that never arrives, and everything that gets the customer in."""

import re
from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sekisho.bank.seeds import CUSTOMERS
from sekisho.catalogue import say

HANA, TARO, MIDORI, ICHIRO, _, KEN, SUMIRE = CUSTOMERS
QUICK = {"ja": TARO, "en": ICHIRO}
LONG = {"ja": HANA, "en": KEN}


class Customer:
    """A customer at the bank's pages."""

    def __init__(self, bank, tab, person):
        self.bank, self.tab, self.person = bank, tab, person
        self.read = Counter()
        """By address: how many messages with a code he has read."""

    @property
    def page(self):
        return self.tab.page

    def says(self, name, **facts):
        return say(self.tab.language, name, **facts) in self.tab.text

    def press(self, name, **facts):
        self.page.get_by_role("button", name=say(self.tab.language, name, **facts), exact=True).first.click()
        return self

    def follow(self, name):
        self.page.get_by_role("link", name=say(self.tab.language, name), exact=True).first.click()
        return self

    def fill(self, proof=None, **parts):
        """What is typed: the entry, or its parts by name."""
        fields = {"proof": proof, **{f"proof.{part.replace('_', '-')}": text for part, text in parts.items()}}
        for name, text in fields.items():
            if text is not None:
                self.page.locator(f'input[name="{name}"]').fill(text)
        return self

    def word(self, operation):
        return getattr(self.bank.table.operations[operation].text, self.tab.language)

    def sits(self, place):
        self.tab.go("/bank")
        self.page.locator(f"#place-{place}").check()
        return self.press("bank.sit")

    def logs_in(self, password=None):
        self.tab.go("/bank/go/login")
        self.page.locator('input[name="then.proof"]').fill(password or self.person.password)
        return self.fill(self.person.number).press("bank.go-on")

    def has_sent_to(self, n):
        """Choose an address and have the code sent."""
        self.page.locator(f"#to-{n}").check()
        return self.press("bank.send")

    def code(self, address, way="mail"):
        """The code in a message that he has not read yet. What tells of something done has a number too, which is none."""
        found = self.bank.until(lambda: self._codes(address, way)[:-self.read[address] or None])
        self.read[address] = len(self._codes(address, way))
        return re.search(r"\d[\d ]{4,12}\d", found[0].body)[0]

    def _codes(self, address, way):
        return [one for one in self.bank.received(address, way) if not re.search("心当たりがない|This was not me", one.body)]

    @property
    def inside(self):
        return self.tab.at == "bank/account"


def test_M_RISK_2_a_second_address_and_in_without_the_desk(bank, tab):
    """The other ending: abroad, the first address refuses the mail as a filter does; the second one brings the code."""
    person = QUICK[tab.language]
    first, second = person.mails
    bank.mail_is(first, "filtered")
    one = Customer(bank, tab, person).sits("abroad").logs_in()
    assert not one.inside and "bank/go/login" in tab.at
    tab.go("/bank/account")
    assert tab.at == "bank/go/login", "nothing shows until it is answered"
    tab.is_clean("1-which-address")
    one.has_sent_to(1)
    one.follow("bank.help")
    bank.until(lambda: bank.call("GET", "/health/ready").is_success and one.tab.page.reload() and one.says("delivery.failed-recipient-filter"))
    tab.is_clean("2-the-mail-does-not-arrive")
    one.page.locator('section[aria-labelledby="another"] button').first.click()
    one.fill(one.code(second)).press("bank.go-on")
    assert one.inside
    tab.is_clean("3-inside")
    one.press("customer.log-out")
    one.logs_in()
    assert one.inside, "the place is a usual one now"


class Officer:
    """An operator at her screen."""

    def __init__(self, bank, tab, name):
        self.bank, self.tab, self.page = bank, tab, tab.page
        tab.go("/desk")
        self.page.locator("#key").fill(bank.keys[name])
        self.page.locator('form[action="/desk/sign-in"] button').click()

    def says(self, name, **facts):
        return say(self.tab.language, name, **facts) in self.tab.text

    def looks_up(self, person):
        self.page.locator("#number").fill(person.number)
        self.page.locator('form[action="/desk/customer"] button').click()
        return self

    def send(self, act, typed=None, **hidden):
        """Press the button of the form for an act; `hidden` says which of them, `typed` goes into its field."""
        which = "".join(f':has(input[name="{name}"][value="{value}"])' for name, value in hidden.items())
        form = self.page.locator(f'form[action="/desk/{act}"]{which}').first
        if typed is not None:
            form.locator("input:not([type=hidden]):not([type=radio])").first.fill(typed)
        form.locator("button").first.click()
        return self

    def opens_case(self):
        self.page.locator("#matter").fill("no code by mail arrives")
        self.page.locator('form[action="/desk/open"] button').click()
        self.case = "/" + self.tab.at
        return self


def registers_again(one, person, release_code, new, password):
    """Without logging in: who he is, the release code, a new password, new addresses, each confirmed."""
    tab = one.tab
    tab.go("/bank/go/reset-password")
    assert one.says("bank.reset-first"), "everybody is told that addresses change only after the desk has deleted them"
    tab.is_clean("6-registering-again")
    one.fill(account_number=person.account, customer_number=person.number).press("bank.go-on")
    one.fill(person.card_pin).press("bank.go-on")
    one.fill(release_code).press("bank.go-on")
    one.fill(password).press("bank.go-on")
    tab.is_clean("7-new-addresses")
    one.fill(**{"1": new[0], "2": new[1]}).press("bank.go-on")
    for address in new:
        one.has_sent_to(1)
        one.fill(one.code(address)).press("bank.go-on")


def nothing_arrives(bank, one):
    """The first address refuses, the second is silent; the help page says so, and who answers the telephone (M-HELP-1, M-HELP-2)."""
    tab, another = one.tab, one.page.locator('section[aria-labelledby="another"]')
    one.has_sent_to(1)
    one.follow("bank.help")
    bank.until(lambda: one.page.reload() and one.says("delivery.failed-recipient-filter"))
    another.locator("button").first.click()
    one.follow("bank.help")
    assert another.count() == 0, "of the second nothing is known yet"
    bank.passes(46)
    one.page.reload()
    assert another.count() == 1, "after three quarters of a minute of silence"
    assert all(number in tab.text for number in ("0120-000-000", "050-0000-0000")) and one.says("bank.free") and one.says("bank.can-delete")
    assert one.says("bank.line-open", until="21:00")
    bank.at(21)
    one.page.reload()
    assert one.says("bank.line-closed", at=tomorrow(bank))
    tab.is_clean("4-who-answers-the-telephone")


def tomorrow(bank):
    return datetime.fromtimestamp(bank.seconds() + 86400, UTC).astimezone(ZoneInfo("Asia/Tokyo")).strftime("%m-%d 09:00")


def first_line_opens_a_case(bank, opened, one):
    """At night too: what was tried is noted, and the caller verified by a code to his number on file."""
    aoki = Officer(bank, opened(one.tab.language), "aoki").looks_up(one.person).opens_case()
    for remedy in ("receive-list", "spam-folder", "security-software", "other-address"):
        aoki.send("note", what="remedy", text=remedy)
    aoki.send("verify", item="caller-code")
    aoki.send("heard", one.code(one.person.telephone, "telephone"), item="caller-code")
    assert aoki.says("desk.said-verified")
    return aoki


def second_line_deletes(bank, opened, aoki):
    """Not a second before its hours or after; in them by two of it. Those who have seen the case."""
    def at_case(name):
        officer = Officer(bank, opened(aoki.tab.language), name)
        officer.tab.go(aoki.case)
        return officer

    asks = {"typed": "no code arrives", "path": "delete-addresses"}
    assert at_case("chiba").send("ask", **asks).says("problem.outside-hours"), "21:00:00 is too late"
    with bank.stands_still(8, 59, 59):
        assert at_case("chiba").send("ask", **asks).says("problem.outside-hours"), "08:59:59 is too early"
    with bank.stands_still(20, 59, 59):
        chiba = at_case("chiba").send("ask", **asks)
        assert chiba.says("desk.said-asked")
        doi = at_case("doi").send("approve")
        assert doi.says("desk.said-done"), "20:59:59 is in time"
    doi.tab.is_clean("5-deleted-by-two")
    return aoki, chiba, doi


def test_M_DONE_1_the_whole_story(bank, tab, opened):
    """No code ever arrives; at night first line, next day second line; then he registers again and is in with a new address."""
    person = LONG[tab.language]
    password, new = f"a new gate {tab.language}", [f"new-{tab.language}@example.net", f"other-{tab.language}@example.org"]
    bank.mail_is(person.mails[0], "filtered")
    bank.mail_is(person.mails[1], "dropped")
    bank.at(20, 50)
    one = Customer(bank, tab, person).sits("abroad").logs_in()
    nothing_arrives(bank, one)
    officers = second_line_deletes(bank, opened, first_line_opens_a_case(bank, opened, one))
    bank.do(bank.app.turn())
    code = bank.until(lambda: [said for said in codes_said(bank, person) if len(said) == 8])[0]
    assert bank.until(lambda: bank.received(person.subject, "letter")), "told by letter too"
    assert not any(code in officer.page.content().replace(" ", "") for officer in officers), "unseen by any operator"
    one.logs_in()
    (closed,) = bank.table.operations["login"].closed
    assert getattr(closed.text, tab.language) in tab.text, "after a right password he is told the next step"
    registers_again(one, person, code, new, password)
    assert one.says("bank.done") and one.says("bank.held", operation=one.word("transfer"))
    tab.is_clean("8-registered")
    one.logs_in(password)
    assert not one.inside, "the new password does not lift the demand"
    one.has_sent_to(1)
    one.fill(one.code(new[0])).press("bank.go-on")
    assert one.inside
    tab.is_clean("9-in-again")
    one.page.get_by_role("button", name=one.word("transfer"), exact=True).click()
    one.fill(institution="0001", payee="Taro", amount="1000").press("bank.go-on")
    assert one.says("answer.locked-for-a-while"), "transfers are held"


def codes_said(bank, person):
    """Every code that the machine has said on his telephone, newest first."""
    bodies = [message.body for message in bank.received(person.telephone, "telephone")]
    return [found.replace(" ", "") for body in bodies for found in re.findall(r"\d[\d ]{4,12}\d", body)]
