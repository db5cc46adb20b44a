"""D1 on everything a customer of the bank sees: pages, help, what became of a message, recovery, mails and letters.

Two banks whose policies differ in figures alone, and one customer at each who does the same.
"""

import contextlib
import re
from itertools import zip_longest

import pytest
from bankclient import Client, codes_in
from figures import other_figures
from scale import FULL
from standing import Bank
from test_front import case_of, deleted

from sekisho.adapters import secrets
from sekisho.bank.seeds import CUSTOMERS
from sekisho.policy import reference

HANA, TARO, *_ = CUSTOMERS
BY_CHANCE = (
    (re.compile(r'(type="hidden" name="(?!operation|item|place)[\w.-]+" value=")[^"]*'), r"\1-"), (re.compile(r"\b\d{3,5} ?\d{3,5}\b(?!-)"), "code"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "the bank"), (re.compile(r'((?:value|id|for)="(?:to-)?)[0-9a-f]{12}"'), r'\1-"'),
    (re.compile(r"(?<![A-Za-z])[A-Z]{2}(?![A-Za-z])"), "label"), (re.compile(r"(?<![\w-])(?=[\w-]*[A-Z])[\w-]{24,}(?![\w-])"), "id"),
)
"""What each bank draws by itself, by its form."""


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    changed = tmp_path_factory.mktemp("figures") / "major-bank.yaml"
    changed.write_text(other_figures(reference("major-bank").read_text(), lambda wrong: 2 * wrong + 1, lambda length: 3 * length))
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setattr(secrets, "MEMORY_KIB", 64)
        banks = [Bank(tmp_path_factory.mktemp("bank"), policy) for policy in (reference("major-bank"), changed)]
        for bank in banks:
            stack.callback(bank.close)
            stack.enter_context(bank.stands_still(12, 0, 0))
        yield banks


def masked(text):
    for form, mask in BY_CHANCE:
        text = form.sub(mask, text)
    return text


class Pair:
    """The same customer at both banks."""

    def __init__(self, banks, language):
        self.banks, self.clients, self.alike = banks, [Client(bank, language) for bank in banks], 0

    def both(self, act, *each):
        """Do it at both; what is seen is the same but for what is drawn by chance. `each`: a value of its own for each bank."""
        for number, client in enumerate(self.clients):
            act(client, *(one[number] for one in each))
        mine, theirs = self.clients
        headers = [{name: value for name, value in one.answer.headers.items() if name not in {"date", "set-cookie", "content-length"}}
                   for one in self.clients]
        assert (mine.answer.status_code, mine.at, headers[0]) == (theirs.answer.status_code, theirs.at, headers[1])
        pages = [masked(one.html).splitlines() for one in self.clients]
        assert [pair for pair in zip_longest(*pages) if pair[0] != pair[1]] == []
        self.alike += 1

    def looks(self, *paths):
        for path in paths:
            self.both(lambda client, path=path: client.look(path))

    def code(self, address):
        return [bank.until(lambda bank=bank: codes_in(bank, address))[0] for bank in self.banks]

    def got(self, address, way="mail"):
        """What has reached an address, at both the same but for the codes."""
        mine, theirs = ([(message.subject if way == "mail" else "", masked(message.body)) for message in bank.received(address, way)] for bank in self.banks)
        assert mine == theirs and mine
        return mine


@pytest.mark.parametrize("language", ["ja", "en"] if FULL else ["ja"])
def test_D1_what_a_customer_sees_of_the_bank_is_the_same_under_other_figures(both, language):
    pair, person = Pair(both, language), {"ja": HANA, "en": TARO}[language]
    pair.looks("/bank", "/bank/help", "/bank/stop", "/bank/not-me", "/manual", "/manual/ways", "/bank/go/reset-password")
    pair.both(lambda client: client.logs_in(person, "not his password"))
    pair.both(lambda client: client.enters("login", proof="nor this"))
    pair.both(lambda client: client.enters("login", proof=person.password))
    pair.looks("/bank/account", "/bank/help")

    for bank in both:
        deleted(bank, verified(bank, pair.clients[both.index(bank)], person))
    pair.looks("/bank/account")
    pair.got(person.mail)
    codes = [re.findall(r"<code>(\d[\d ]{6,10}\d)</code>", client.html)[0] for client in pair.clients]
    pair.both(lambda client: client.enters("reset-password", **{"proof.account-number": person.account, "proof.customer-number": person.number}))
    pair.both(lambda client: client.enters("reset-password", proof=person.card_pin))
    pair.both(lambda client: client.enters("reset-password", proof="00000000"))
    pair.both(lambda client, code: client.enters("reset-password", proof=code), codes)
    pair.both(lambda client: client.enters("reset-password", proof=f"a new gate {language}"))
    new = f"new-{language}@example.net"
    pair.both(lambda client: client.enters("reset-password", **{"proof.1": new}))
    pair.both(lambda client: client.post("send", client.form("send")))
    pair.looks("/bank/help")
    codes = pair.code(new)
    pair.got(new)
    pair.both(lambda client: client.enters("reset-password", proof="0000 0000"))
    pair.both(lambda client, code: client.enters("reset-password", proof=code), codes)
    assert all(client.says("bank.done") for client in pair.clients) and pair.alike > 18, pair.alike
    pair.looks("/bank", "/bank/help")
    for client in pair.clients:
        client.http.close()


def verified(bank, client, person):
    """A case of a caller who has been verified in his live session."""
    case = case_of(bank, person)
    number = bank.call("POST", f"/v1/staff/cases/{case}/verifications", {"item": "caller-in-session"}, "aoki").json()["number"]
    client.look("/bank/account")
    assert client.post("number", client.form("number"), number=number).says("bank.number-right")
    return case
