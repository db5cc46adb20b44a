"""The story in a real browser, with real mail and a real desk: the code that never arrives, and everything that gets the customer in."""

import re

from sekisho.bank.seeds import CUSTOMERS
from sekisho.catalogue import say

HANA, TARO, MIDORI, ICHIRO, _, KEN, SUMIRE = CUSTOMERS
QUICK = {"ja": TARO, "en": ICHIRO}
LONG = {"ja": HANA, "en": KEN}


class Customer:
    """A customer at the bank's pages."""

    def __init__(self, bank, tab, person):
        self.bank, self.tab, self.person = bank, tab, person

    @property
    def page(self):
        return self.tab.page

    def says(self, name, **facts):
        return say(self.tab.language, name, **facts) in self.tab.text

    def press(self, name, **facts):
        self.page.get_by_role("button", name=say(self.tab.language, name, **facts), exact=True).click()
        return self

    def follow(self, name):
        self.page.get_by_role("link", name=say(self.tab.language, name), exact=True).first.click()
        return self

    def fill(self, **fields):
        """What is typed, by the name of the field."""
        for name, text in fields.items():
            self.page.locator(f'input[name="{name.replace("__", ".").replace("_", ".")}"]').fill(text)
        return self

    def sits(self, place):
        self.tab.go("/bank")
        self.page.locator(f"#place-{place}").check()
        return self.press("bank.sit")

    def logs_in(self, password=None):
        self.tab.go("/bank/go/login")
        return self.fill(proof=self.person.number, then_proof=password or self.person.password).press("bank.go-on")

    def has_sent_to(self, n):
        """Choose an address and have the code sent."""
        self.page.locator(f"#to-{n}").check()
        return self.press("bank.send")

    def code(self, address, way="mail"):
        found = self.bank.until(lambda: self.bank.received(address, way))
        return re.search(r"\d[\d ]{4,12}\d", found[0].body)[0]

    @property
    def inside(self):
        return self.tab.at == "bank/account"


def addresses(person):
    return person.mails


def test_M_RISK_2_a_second_address_and_in_without_the_desk(bank, tab):
    """The other ending: abroad, the first address refuses the mail as a filter does; the second one brings the code."""
    person = QUICK[tab.language]
    first, second = addresses(person)
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
    one.fill(proof=one.code(second)).press("bank.go-on")
    assert one.inside
    tab.is_clean("3-inside")
    one.press("customer.log-out")
    one.logs_in()
    assert one.inside, "the place is a usual one now"
