"""Whatever is bound to a customer, taken from him or recovered is told on every channel on file; so is a wrong second item after his password."""

import itertools

import pytest
from bankside import DAY, MINUTE, Verify, told

from sekisho.catalogue import texts

SAID = {name.removeprefix("notice."): text.partition("\n")[0] for name, text in texts("ja").items() if name.startswith("notice.")}
_serials = itertools.count(1)


@pytest.fixture
def bank(service):
    return Verify(service)


@pytest.fixture
def hana(service):
    return service.customer("token-otp", "app-passcode", "basic-data", "card-pin")


def channels(customer):
    """Every way to him that is on file, or was before."""
    return [*((to, "mail") for to in customer.mails), (customer.telephone, "telephone")]


def heard(service, customer, to, way):
    """What a channel was told of what happened, oldest first."""
    while any([service.do(service.app.recoveries.go_on()), service.do(service.app.outbox.deliver())]):
        pass
    bodies = [one.body for one in reversed(service.received(to, way))]
    return [name for body in bodies for name, said in SAID.items() if said in body]


def done(bank, customer, operation, *items, session=None):
    run = bank.run(operation, customer, session)
    assert [run.enter(item)["outcome"] for item in items] == ["right"] * len(items)
    assert run.look()["state"] == "done"


def set_by_staff(service, customer, item="login-password", secret="another password 9"):
    subject, _ = customer.secrets()[item]
    service.put(subject, {"secret": secret}, item)


def new_token(service, customer):
    serial = f"TOLD-{next(_serials)}"
    made = service.post("/v1/staff/tokens", {"file": f"serial,type,seed_hex\n{serial},totp,{b'a seed of twenty byte'.hex()}\n"}, "endo")
    assert made.status_code == 201, made.text
    bound = service.post(f"/v1/staff/tokens/{serial}/assignment", {"subject": customer.subject, "item": "token-otp"}, "endo")
    assert bound.is_success, bound.text
    return serial


def software_token(service, customer):
    path = f"/v1/staff/subjects/{customer.subject}/items/token-otp/software-token"
    assert service.post(path, {"replace": True}, "endo").status_code in {200, 201}


def enter_form(service, customer):
    asked = service.post(f"/v1/staff/subjects/{customer.subject}/forms", {"form": "form-1-1", "reason": "form of 22 November"}, "endo")
    assert service.approve(asked, "fujii").is_success


def new_addresses(service, customer):
    on_file = {"kind": "mail", "state": "confirmed"}
    service.put(customer.subject, {**customer.enrolments()[0][1], "addresses": [{**on_file, "to": customer.new_mail}]})


def another_device(service, customer):
    for device in (customer.number, f"another of {customer.number}"):
        body = {"operation": "login", "subject": customer.subject, "context": {"device": device}}
        run = service.post("/v1/procedures", body).json()["procedure"]
        assert told(service.post(f"/v1/procedures/{run}/attempts", {"item": "login-password", "proof": customer.password}))["state"] == "done"


EVENTS = {
    "password registered again": (lambda _, bank, hana: done(bank, hana, "reset-password", "number-pair", "mail-otp", "new-login-password"), ["password-set"]),
    "password changed": (lambda _, bank, hana: done(bank, hana, "change-password", "login-password", "new-login-password"), ["password-set"]),
    "password set by staff": (lambda service, _, hana: set_by_staff(service, hana), ["password-set"]),
    "PIN set by staff": (lambda service, _, hana: set_by_staff(service, hana, "card-pin", "9081"), ["secret-set"]),
    "passcode set by staff": (lambda service, _, hana: set_by_staff(service, hana, "app-passcode", "918273"), ["secret-set"]),
    "passcode registered": (
        lambda _, bank, hana: done(bank, hana, "register-app", "login-password", "mail-otp", "new-app-passcode"), ["secret-set"]),
    "a software token": (lambda service, _, hana: software_token(service, hana), ["token-bound"]),
    "addresses changed": (
        lambda _, bank, hana: done(bank, hana, "mail-address", "new-addresses", "app-passcode", "address-otp"), ["addresses-changed"]),
    "addresses set by staff": (lambda service, _, hana: new_addresses(service, hana), ["addresses-changed"]),
    "a paper form": (lambda service, _, hana: enter_form(service, hana), ["desk-act"]),
    "another device": (lambda service, _, hana: another_device(service, hana), ["device-known"]),
}


@pytest.mark.parametrize(("event", "said"), EVENTS.values(), ids=EVENTS)
def test_each_is_told_once_on_every_channel(service, bank, hana, event, said):
    """Addresses that were on file until then included: whoever took them off may be the thief."""
    event(service, bank, hana)
    assert {channel: heard(service, hana, *channel) for channel in channels(hana)} == dict.fromkeys(channels(hana), said)


def test_a_token_given_and_taken(service):
    yuki = service.customer()
    serial = new_token(service, yuki)
    assert service.post(f"/v1/staff/tokens/{serial}/end", {"why": "lost"}, "endo").is_success
    assert {tuple(heard(service, yuki, *channel)) for channel in channels(yuki)} == {("token-bound", "token-removed")}


def test_what_is_enrolled_for_the_first_time_or_set_as_it_was_is_no_news(service, bank, hana):
    """And neither is the first device, since there is nothing to compare it with."""
    service.session(hana)
    set_by_staff(service, hana, "token-otp", hana.token_seed)
    assert {tuple(heard(service, hana, *channel)) for channel in channels(hana)} == {()}


def test_a_wrong_second_item_after_the_right_password_is_told_once_a_day(service, bank, hana):
    session = service.session(hana)
    for _ in range(2):
        run = bank.run("transfer", hana, session)
        assert run.wrong("token-otp")["message"] == "wrong"
    assert {tuple(heard(service, hana, *channel)) for channel in channels(hana)} == {("second-wrong",)}
    service.passes(DAY + MINUTE)
    bank.run("transfer", hana, service.session(hana)).wrong("token-otp")
    assert {tuple(heard(service, hana, *channel)) for channel in channels(hana)} == {("second-wrong",) * 2}


def test_so_it_is_inside_one_run_and_where_the_bank_compares(service, bank, hana):
    bank.run("register-app", hana).wrong("mail-otp")
    yuki = service.customer("token-otp")

    def verdict(operation, item, said):
        held = service.post("/v1/reservations", {"operation": operation, "item": item, "subject": yuki.subject, "session": f"theirs {yuki.number}"})
        service.post(f"/v1/reservations/{held.json()['reservation']}/verdict", {"verdict": said})

    verdict("login", "login-password", "right")
    verdict("transfer", "token-otp", "wrong")
    assert [heard(service, who, who.mails[0], "mail") for who in (hana, yuki)] == [["second-wrong"]] * 2


def test_a_wrong_password_alone_is_told_nobody(service, bank, hana):
    """Anybody can mistype a password for anybody."""
    bank.run("login", hana).wrong("login-password", 3)
    bank.run("change-password", hana).wrong("login-password", 2)
    bank.run("mail-address", hana).wrong("new-addresses")
    assert heard(service, hana, *channels(hana)[0]) == []


def test_what_is_told_of_it_holds_no_figure(service):
    for language in ("ja", "en"):
        assert not any(sign.isdigit() for sign in texts(language)["notice.second-wrong"])
