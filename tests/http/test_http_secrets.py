"""A secret that no entry could ever be right against is not taken in; who sets it hears of it at once, and not from the customer."""

import pytest


def problem(answer):
    return answer.json()["type"].rpartition("/")[2]


def sets(service, subject, item, secret):
    return service.call("PUT", f"/v1/staff/subjects/{subject}/items/{item}", {"secret": secret}, "endo")


@pytest.mark.parametrize(("item", "secret", "said"), [
    ("customer-number", "0012345678", "compared with no secret"),
    ("new-login-password", "correct horse 8", "set login-password"),
    ("amount-and-payee", "1", "compared with no secret"),
    ("card-pin", "4812", "this item is the account's: account:…"),
    ("login-password", "", "the secret is empty"),
    ("telephone-pin", "4812", "this item is the account's"),
])
def test_what_could_not_be_entered_rightly_is_not_set(service, item, secret, said):
    hana = service.customer()
    no = sets(service, hana.subject, item, secret)
    assert (no.status_code, problem(no)) == (422, "not-in-policy") and said in no.json()["detail"]
    assert {one["item"] for one in service.view(hana.subject)["authenticators"]} == {"login-password"}


def test_a_pin_of_nothing_but_blanks_is_empty(service):
    hana = service.customer("card-pin")
    assert "the secret is empty" in sets(service, hana.account_subject, "card-pin", " -　").json()["detail"]


def test_a_second_token_is_told_how_it_takes_the_place_of_the_first(service):
    path = f"/v1/staff/subjects/{service.customer().subject}/items/token-otp/software-token"
    assert service.post(path, {}, "endo").status_code == 201
    no = service.post(path, {}, "endo")
    assert problem(no) == "has-token" and "with `replace` this one takes its place" in no.json()["detail"]
