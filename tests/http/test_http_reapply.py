"""Applying again online, applying for the first time, another mail address: what was entered counts when the run is done, and only
what its holder has confirmed."""

import re

import pytest
from bankside import DAY, Service, nobody, subject_of, told

from sekisho.errors import LedgerUnavailable
from sekisho.policy import reference

FIRST, SECOND, THIRD = "first-new", "second-new", "third-new"
"""Addresses that are not on file; every customer of these tests has others of these names."""
TO_REAPPLY = ("basic-data", "card-pin", "identity-confirmation")


@pytest.fixture
def hana(service):
    """A customer with a contract, a cash card and a telephone number of long standing."""
    return service.customer("basic-data", "card-pin", "token-otp", "app-passcode")


def to(customer, name):
    return name if "@" in name else f"{name}-{customer.number}@example.net"


def on_file(service, subject, kind="mail"):
    shown = service.view(subject, by="endo")["addresses"]
    return [re.sub(r"-new-\d{10}@example.net", "-new", one["address"]) for one in shown if one["kind"] == kind]


def at_addresses(verify, customer, *addresses, operation="reapply"):
    """A run in which the new addresses have just been entered."""
    run = verify.run(operation, customer)
    run.reach("new-addresses")
    assert run.proof("new-addresses", " ".join(to(customer, one) for one in addresses))["outcome"] == "right"
    return run


def confirm(service, run, name, item="address-otp"):
    """Have the code for one new address sent and enter it."""
    address = to(run.customer, name)
    shown = service.get(f"/v1/procedures/{run.id}/addresses").json()["addresses"]
    masked = next(one["id"] for one in shown if one["address"][0] == address[0])
    assert run.send(item, masked).status_code == 201
    return run.proof(item, service.code_at(address))


def logs_in(verify, customer, password):
    run = verify.run("login", customer)
    return run.proof("login-password", password)["outcome"] == "right"


def test_A9_the_code_goes_to_the_new_address_and_to_none_on_file(service, verify, hana):
    """With all old addresses dead it is the way back: nothing is sent to them."""
    run = at_addresses(verify, hana, FIRST)
    assert confirm(service, run, FIRST)["message"] == "next"
    assert run.proof("new-login-password", "quiet river 11")["message"] == "done"
    assert service.received(hana.mails[0]) == service.received(hana.mails[1]) == []
    assert on_file(service, hana.subject) == [FIRST]
    assert {one["state"] for one in service.view(hana.subject)["addresses"]} == {"confirmed"}
    assert logs_in(verify, hana, "quiet river 11")


def test_A9_each_of_three_addresses_is_confirmed_by_a_code_of_its_own(service, verify, hana):
    """In any order; until the last of them is, the run goes no further. One's code confirms no other."""
    run = at_addresses(verify, hana, FIRST, SECOND, THIRD)
    assert confirm(service, run, THIRD)["next"] == confirm(service, run, FIRST)["next"] == [
        {"item": "address-otp", "kind": "code"}, {"item": "new-addresses", "kind": "data"}]
    assert run.proof("address-otp", service.code_at(to(hana, FIRST)))["outcome"] != "right"
    assert confirm(service, run, SECOND)["next"] == [{"item": "new-login-password", "kind": "data"}]
    run.right("new-login-password")
    assert on_file(service, hana.subject) == [FIRST, SECOND, THIRD]


def test_A9_nothing_takes_effect_before_the_last_step(service, verify, hana):
    """Confirmed or not: until then the old password lets in, codes go to the old address, and no lock is lifted."""
    service.put(hana.subject, {"locks": [{"row": "Y-ABOLISHED-2"}]}, "login-password")
    run = at_addresses(verify, hana, FIRST)
    confirm(service, run, FIRST)
    assert run.asks() == ["new-login-password"]
    assert on_file(service, hana.subject) == list(hana.mails)
    assert logs_in(verify, hana, hana.password) and service.locks(hana.subject) == ["Y-ABOLISHED-2"]
    assert run.proof("new-login-password", "quiet river 11")["message"] == "done"
    assert service.locks(hana.subject) == []
    assert not logs_in(verify, hana, hana.password) and logs_in(verify, hana, "quiet river 11")


def test_A9_customer_number_app_and_token_stay(service, verify, hana):
    """What he enters from now on is another password; all else is as it was, his telephone number too."""
    before = service.view(hana.subject)
    run = at_addresses(verify, hana, FIRST)
    confirm(service, run, FIRST)
    run.proof("new-login-password", "quiet river 11")
    after = service.view(hana.subject)
    assert [after[what] == before[what] for what in ("subject", "links", "accounts", "authenticators")] == [True] * 4
    assert on_file(service, hana.account_subject, "telephone") == [hana.telephone]
    session = told(service.post(
        f"/v1/procedures/{verify.run('login', hana).id}/attempts", {"item": "login-password", "proof": "quiet river 11"}))["session"]
    assert verify.run("transfer", hana, session).right("app-passcode")["outcome"] == "right"


def test_A9_it_replaces_a_first_password_for_good(service, verify):
    """Y-LOGIN-2's way back too; from then on Y-LOGIN-3 applies."""
    hana = service.customer("basic-data", "card-pin", first_time=True)
    verify.run("login", hana).wrong("login-password", times=10)
    assert service.locks(hana.subject) == ["Y-LOGIN-2"]
    run = at_addresses(verify, hana, FIRST)
    confirm(service, run, FIRST)
    run.proof("new-login-password", "quiet river 11")
    assert service.locks(hana.subject) == [] and "first-time:login-password" not in service.view(hana.subject)["flags"]
    verify.run("login", hana).wrong("login-password", times=10)
    assert service.locks(hana.subject) == ["Y-LOGIN-3"]


@pytest.mark.parametrize(("item", "times", "message"), [
    ("basic-data", 15, "wrong-start-over"), ("card-pin", 4, "wrong-locked"), ("address-otp", 15, "wrong-start-over"),
    ("identity-confirmation", 10, "wrong-locked-for-a-while"),
], ids=["Y_APPLY_1", "Y_APPLY_2", "Y_APPLY_3", "Y_APPLY_5"])
def test_A9_has_the_counts_of_the_application(service, verify, hana, item, times, message):
    """As many wrong entries and no more, with the same penalty; addresses and password are what they were."""
    run = verify.run("reapply", hana)
    assert run.outcomes(item, "wrong", times - 1) == ["wrong"] * (times - 1)
    assert run.wrong(item)["message"] == message
    assert on_file(service, hana.subject) == list(hana.mails) and logs_in(verify, hana, hana.password)


def test_A9_a_locked_card_pin_closes_it_up_to_the_last_step(service, verify, hana):
    """A run that has everything but the new password is refused once the card is locked elsewhere; then there is paper."""
    run = at_addresses(verify, hana, FIRST)
    confirm(service, run, FIRST)
    verify.run("web-application", hana).wrong("card-pin", times=4)
    assert run.proof("new-login-password", "quiet river 11")["message"] == "locked"
    assert on_file(service, hana.subject) == list(hana.mails) and logs_in(verify, hana, hana.password)
    assert [path["path"] for path in service.lock(hana.account_subject)["release"]] == ["no-release"]
    assert verify.run("reapply", hana).right("basic-data")["message"] == "locked"


def test_A9_without_a_number_of_thirty_days_there_is_paper_and_it_is_said(service, verify, hana):
    """The confirmation by telephone is never left out, whatever else is entered."""
    new = {"kind": "telephone", "to": "080-7654-3210", "state": "confirmed"}
    service.put(hana.account_subject, {**dict(hana.enrolments())[hana.account_subject], "addresses": [new]})
    run = verify.run("reapply", hana)
    run.reach("identity-confirmation")
    assert told(run.send("identity-confirmation"))["message"] == "no-address-but-paper"
    assert run.asks() == ["identity-confirmation"]
    for item in ("new-addresses", "address-otp", "new-login-password"):
        assert run.now(item)["message"] in {"not-accepted", "no-code"}
    service.passes(30 * DAY)
    again = verify.run("reapply", hana)
    again.reach("identity-confirmation")
    again.send("identity-confirmation")
    assert again.proof("identity-confirmation", service.code_at(new["to"], "telephone"))["outcome"] == "right"


def test_whoever_mistyped_an_address_enters_his_addresses_again(service, verify, hana):
    """What was sent to the first ones is good for nothing any more, and they are not on file in the end."""
    run = at_addresses(verify, hana, FIRST, SECOND)
    confirm(service, run, FIRST)
    assert run.proof("new-addresses", to(hana, THIRD))["next"] == [{"item": "address-otp", "kind": "code"}, {"item": "new-addresses", "kind": "data"}]
    assert run.proof("address-otp", service.code_at(to(hana, FIRST)))["outcome"] != "right"
    assert confirm(service, run, THIRD)["message"] == "next"
    run.right("new-login-password")
    assert on_file(service, hana.subject) == [THIRD]


@pytest.mark.parametrize("typed", [
    "nobody", "a@example.com b@example.com c@example.com d@example.com", "a@example.com A@example.com", "a@b@", "a@example.com <b@example.com>",
], ids=["none", "too many", "twice", "half", "with a name"])
def test_what_can_be_nobodys_addresses_is_wrong(service, verify, hana, typed):
    run = verify.run("reapply", hana)
    run.reach("new-addresses")
    assert run.proof("new-addresses", typed)["outcome"] == "wrong"
    assert run.asks() == ["new-addresses"]


@pytest.mark.parametrize("typed", ["x@example.com,y@example.com", "x@example.com、y@example.com", "x@example.com y@example.com",
                                   {"one": "x@example.com", "two": "y@example.com"}])
def test_several_addresses_are_entered_as_people_type_them(service, verify, hana, typed):
    run = verify.run("mail-address", hana)
    assert run.proof("new-addresses", typed)["outcome"] == "right"
    run.right("app-passcode")
    for to in ("x@example.com", "y@example.com"):
        answer = confirm(service, run, to)
    assert answer["message"] == "done" and on_file(service, hana.subject) == ["x@example.com", "y@example.com"]


def test_Y_MAIL_1_the_code_goes_to_a_registered_address_and_then_each_new_one_is_confirmed(service, verify, hana):
    """First a code to one on file; then one to each that is new, which counts only when all of them are confirmed."""
    run = at_addresses(verify, hana, FIRST, SECOND, operation="mail-address")
    assert run.right("mail-otp")["next"][0]["item"] == "address-otp"
    assert service.received(to(hana, FIRST)) == [] and len(service.received(hana.mails[0])) == 1
    confirm(service, run, FIRST)
    assert on_file(service, hana.subject) == list(hana.mails)
    assert confirm(service, run, SECOND)["message"] == "done"
    assert on_file(service, hana.subject) == [FIRST, SECOND]


def test_Y_MAIL_1_an_address_kept_beside_a_new_one_keeps_its_time(service, verify, hana):
    """The old one is entered again with the new one, and confirmed like it."""
    run = at_addresses(verify, hana, hana.mails[1], THIRD, operation="mail-address")
    run.right("app-passcode")
    confirm(service, run, hana.mails[1])
    assert confirm(service, run, THIRD)["message"] == "done"
    since = [(one["address"], one["since"] < "2021") for one in service.view(hana.subject, by="endo")["addresses"]]
    assert since == [(hana.mails[1], True), (to(hana, THIRD), False)]


def test_Y_MAIL_1_a_lock_that_falls_meanwhile_keeps_the_old_addresses(service, verify, hana):
    """It is asked at the last step too."""
    run = at_addresses(verify, hana, FIRST, operation="mail-address")
    run.right("app-passcode")
    verify.run("login", hana).wrong("login-password", times=10)
    assert confirm_refused(service, run)
    assert on_file(service, hana.subject) == list(hana.mails)


def confirm_refused(service, run):
    return not run.send("address-otp").is_success or run.proof("address-otp", "12345678")["outcome"] == "refused"


def test_Y_APPLY_3_what_was_chosen_waits_for_the_contract(service, verify):
    """Who applies is no customer yet: password and confirmed addresses count from the enrolment on, once."""
    yuki = service.account()
    run = at_addresses(verify, yuki, FIRST, operation="web-application")
    confirm(service, run, FIRST)
    assert run.proof("new-login-password", "quiet river 11")["message"] == "done"
    assert not service.view(yuki.subject)["known"]
    for subject, body in yuki._replace(contract=True).enrolments():
        service.put(subject, body)
    assert on_file(service, yuki.subject) == [FIRST]
    assert service.view(yuki.subject)["flags"] == ["set:login-password"]
    assert logs_in(verify, yuki, "quiet river 11")


def test_Y_APPLY_4_the_app_confirms_no_address(service, verify, hana):
    """Its passcode takes the application on; the addresses on file stay."""
    run = at_addresses(verify, hana, FIRST, operation="web-application")
    assert run.right("app-passcode")["outcome"] == "right"
    assert run.right("new-login-password")["message"] == "done"
    assert on_file(service, hana.subject) == list(hana.mails)


def test_the_telephone_application_confirms_an_address_of_the_account(service, verify, hana):
    """The mail addresses of the contract are none of its business."""
    run = verify.run("telephone-application", hana)
    assert [run.right(item)["outcome"] for item in (*TO_REAPPLY, "contact-address", "address-otp")] == ["right"] * 5
    assert on_file(service, hana.account_subject) == [hana.new_mail] and on_file(service, hana.subject) == list(hana.mails)


def test_A9_a_store_that_fails_at_the_last_step_changes_nothing(service, verify, hana, monkeypatch):
    """Password, addresses and locks are one commit: it is made whole, or the step is made again."""
    run = at_addresses(verify, hana, FIRST)
    confirm(service, run, FIRST)
    commit = service.app.store.commit

    async def fails(change):
        if any(key.startswith("addresses:customer") for key, _, _ in change.rows):
            await service.app.store.rollback()
            raise LedgerUnavailable
        await commit(change)

    with monkeypatch.context() as patch:
        patch.setattr(service.app.store, "commit", fails)
        failed = service.post(f"/v1/procedures/{run.id}/attempts", {"item": "new-login-password", "proof": "quiet river 11"})
    assert failed.status_code == 503
    assert on_file(service, hana.subject) == list(hana.mails) and logs_in(verify, hana, hana.password)
    service.passes(60)
    again = at_addresses(verify, hana, FIRST)
    confirm(service, again, FIRST)
    assert again.proof("new-login-password", "quiet river 12")["message"] == "done"
    assert on_file(service, hana.subject) == [FIRST] and logs_in(verify, hana, "quiet river 12")


@pytest.fixture(scope="module")
def addresses_first(tmp_path_factory, cheap_hashes):
    """A bank that asks for the new addresses before anything else."""
    text = reference("postal-bank").read_text()
    steps = "steps: [basic-data, card-pin, identity-confirmation, new-addresses, address-otp, new-login-password]"
    assert steps in text
    policy = tmp_path_factory.mktemp("policy") / "addresses-first.yaml"
    policy.write_text(text.replace(steps, "steps: [new-addresses, address-otp, basic-data, card-pin, identity-confirmation, new-login-password]"))
    made = Service(tmp_path_factory.mktemp("addresses-first"), policy)
    yield made
    made.close()


def test_nobody_is_written_to_for_a_stranger(addresses_first):
    """A procedure of a subject that nobody has enrolled looks the same, and what it sends goes nowhere."""
    seen = {}
    for name, customer in (("known", addresses_first.customer("basic-data")), ("unknown", nobody())):
        begun = addresses_first.post("/v1/procedures", {"operation": "reapply", "subject": subject_of("reapply", customer)}).json()
        path = f"/v1/procedures/{begun['procedure']}"
        entered = addresses_first.post(f"{path}/attempts", {"item": "new-addresses", "proof": customer.new_mail}).json()
        sent = addresses_first.post(f"{path}/challenges", {"item": "address-otp"})
        received = addresses_first.received(customer.new_mail)
        shown = addresses_first.get(f"{path}/deliveries").json()["deliveries"][0]
        seen[name] = (entered, sent.status_code, sorted(sent.json()), shown["code"])
        assert len(received) == (name == "known")
    assert seen["known"] == seen["unknown"]


def test_in_count_mode_the_banks_verdicts_confirm_one_address_each(service, verify, hana):
    """A bank that sends its codes itself speaks of one address after the other."""
    run = at_addresses(verify, hana, FIRST, SECOND)
    assert run._by_bank("address-otp", "right")["next"][0]["item"] == "address-otp"
    assert run._by_bank("address-otp", "right")["next"][0]["item"] == "new-login-password"
    run.right("new-login-password")
    assert on_file(service, hana.subject) == [FIRST, SECOND]
