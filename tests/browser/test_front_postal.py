"""The customers' pages of the other bank, whose policy has another login, other ways back and no desk that opens cases: all of them work."""

import re

import pytest
from bankclient import Client
from standing import Bank

from sekisho.adapters import secrets
from sekisho.bank.seeds import CUSTOMERS

A_NAME = re.compile(r"\b[a-z]+-[a-z]+(-[a-z]+)*\b")
"""As the policy file names things; nobody reads such words."""

HANA = CUSTOMERS[0]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "MEMORY_KIB", 64)
        made = Bank(tmp_path_factory.mktemp("postal"), "postal-bank")
        yield made
        made.close()


@pytest.fixture(params=["ja", "en"])
def client(bank, request):
    made = Client(bank, request.param)
    yield made
    made.http.close()


def seen(client):
    """What stands on the page, without its head, its form's names and the addresses of links."""
    return " ".join(re.sub(r"<(head|style)\b.*?</\1>|<[^>]+>", " ", client.html, flags=re.DOTALL).split())


def test_every_operation_can_be_begun_and_is_named_in_words(bank, client):
    """What needs a session sends to the login."""
    client.look("/bank")
    offered = re.findall(r'href="(/bank/go/[\w-]+)"', client.html)
    assert len(offered) >= 3
    for address in offered:
        assert client.look(address).answer.status_code == 200
        raw = {found[0] for found in A_NAME.finditer(seen(client))} if client.language == "ja" else set()
        assert not raw & (bank.table.items.keys() | bank.table.operations.keys()), (address, raw)


def test_somebody_logs_in_does_something_and_leaves(client):
    client.look("/bank")
    client.logs_in(HANA)
    assert client.at == "/bank/account", seen(client)
    for name in re.findall(r'name="operation" value="([\w-]+)"', client.html):
        client.begins(name)
        assert client.answer.status_code == 200 and client.at in {f"/bank/go/{name}", "/bank/account"}, name
    client.look("/bank/account")
    client.post("logout", client.form("logout"))
    assert client.says("bank.logged-out")


def test_the_tenth_wrong_password_closes_the_login_and_the_next_step_is_told(bank, client):
    person = CUSTOMERS[{"ja": 1, "en": 2}[client.language]]
    if not person.contract:
        pytest.fail("this customer has no contract to try")
    nine = {"counts": {"first-login-password-in-a-row" if person.first_time else "login-password-in-a-row": 9}}
    assert bank.call("PUT", f"/v1/staff/subjects/{person.subject}/items/login-password", nine, "endo").is_success
    client.look("/bank")
    client.logs_in(person, "not this one")
    assert client.says("answer.wrong-locked") and 'href="/manual/operation/login"' in client.html
    client.look("/bank").logs_in(person)
    assert client.says("answer.locked") and client.at == "/bank/go/login"
    assert client.look(re.search(r'href="(/manual/[^"]+)"', client.html)[1]).answer.status_code == 200


def test_the_help_page_says_who_answers_the_telephone_as_this_policy_has_it(bank, client):
    client.look("/bank/help")
    assert client.answer.status_code == 200
    for desk in bank.table.desk.values():
        for number in desk.get("telephone", ()):
            assert number in client.html


def test_the_register_again_page_tells_everybody_the_same(client):
    """It asks for both numbers by their names, and speaks of no desk that deletes addresses where the policy has none."""
    client.look("/bank/go/reset-password")
    assert not client.says("bank.reset-first")
    assert re.search({"ja": "お客さま番号", "en": "(?i)customer number"}[client.language], seen(client))
    assert client.form("enter")["item"] == "number-pair"
