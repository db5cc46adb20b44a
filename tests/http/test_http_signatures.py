"""Transaction signatures (RFC 6287): digits that the app makes over payee and amount, typed by the customer, good for that and once."""

import pytest
from bankside import Service, Verify
from signing_bank import ITEM, signing_bank
from telephones import PASSCODE, PAYEE, by_sensor, registering, registers_passcode, send
from telephones import asked as asked_for

from sekisho.adapters import secrets
from sekisho.bank.phone import Phone
from sekisho.core.state import Secret, decode

pytestmark = pytest.mark.usefixtures("quick_passcodes")


def by_one_key(policy):
    """The same bank, where any single key of the app is registered anew by itself."""
    text = policy.read_text(encoding="utf-8")
    for before, after in (
        ("  new-app-face:", "".join(f"  new-{one}: {{kind: data, renews: {one}, ja: 新しい鍵, en: New key}}\n" for one in KEYS) + "  new-app-face:"),
        ("mail-otp, new-app-face]", f"mail-otp, [new-app-face, {', '.join(f'new-{one}' for one in KEYS)}]]"),
    ):
        assert before in text
        text = text.replace(before, after, 1)
    policy.write_text(text, encoding="utf-8")
    return policy


KEYS = ("app-fingerprint", ITEM)


@pytest.fixture(scope="module")
def service(tmp_path_factory, cheap_hashes):
    folder = tmp_path_factory.mktemp("signing")
    made = Service(folder, by_one_key(signing_bank(folder)))
    yield made
    made.close()


@pytest.fixture
def hana(service):
    return service.customer()


@pytest.fixture
def phone(service, hana):
    """Hers, with the app."""
    return enrolled(service, hana)


def enrolled(service, customer):
    phone = Phone(signs=(ITEM,))
    code = service.app_code(customer)
    answer = send(service, code, phone.enrolment(code, PASSCODE))
    assert answer.status_code == 201, answer.text
    assert answer.json()["customer"] == customer.subject
    phone.app = answer.json()["app"]
    return phone


def asked(run):
    return asked_for(run, ITEM)


def transfer(service, customer, entered=PAYEE, session=None):
    run = Verify(service).run("transfer", customer, session)
    run.proof("amount-and-payee", entered)
    return run


def typed(run, digits, entered=PAYEE, **options):
    """What the bank's page passes on: the digits, and what it has of the transfer."""
    return run.proof(ITEM, {"response": digits, "shown.amount-and-payee": entered}, **options)


def signature(phone, sign, shown=PAYEE):
    return phone.transaction_signature(ITEM, sign, {"amount-and-payee": shown})


SPELT = {
    "as shown": str, "in two groups": lambda digits: f"{digits[:4]} {digits[4:]}",
    "wide": lambda digits: digits.translate(str.maketrans("0123456789", "０１２３４５６７８９")),
}


@pytest.mark.parametrize("spelt", SPELT.values(), ids=SPELT)
def test_what_was_shown_and_entered_is_signed_and_carried_out(service, hana, phone, spelt):
    run = transfer(service, hana)
    assert typed(run, spelt(signature(phone, asked(run))))["state"] == "done"


@pytest.mark.parametrize("shown", ["1000 yen to 66666-6", "9000 yen to 10000-1", "1000 yen to 10000-1 ", ""])
def test_a_signature_over_anything_else_is_wrong_and_counted(service, hana, phone, shown):
    """Another payee or amount on the telephone: the digits are others."""
    run = transfer(service, hana)
    assert typed(run, signature(phone, asked(run), shown))["outcome"] == "wrong"
    assert service.count(phone.app, "transfer-signature-in-a-row") == 1


@pytest.mark.parametrize("passed_on", ["1000 yen to 66666-6", "9000 yen to 10000-1", ""])
def test_a_page_that_passes_on_another_text_than_was_entered_gets_nowhere_and_costs_nothing(service, hana, phone, passed_on):
    run = transfer(service, hana)
    digits = signature(phone, asked(run), passed_on)
    assert typed(run, digits, passed_on)["message"] == "not-accepted"
    assert service.counts(phone.app) == {}


def test_it_is_good_once_and_in_its_own_run_alone(service, hana, phone):
    """Replayed, in another run of the same session, in another session, after another question: never."""
    session = service.session(hana)
    first, second, elsewhere = (transfer(service, hana, session=one) for one in (session, session, service.session(hana)))
    digits = signature(phone, asked(first))
    assert typed(second, digits)["message"] == "no-code"
    for run in (second, elsewhere):
        asked(run)
        assert typed(run, digits)["outcome"] == "wrong"
    assert typed(first, digits)["state"] == "done"
    assert typed(first, digits)["outcome"] == "refused"
    late = transfer(service, hana)
    digits = signature(phone, asked(late))
    asked(late)
    assert typed(late, digits)["outcome"] == "wrong"


def test_it_lives_five_minutes(service, hana, phone):
    run = transfer(service, hana)
    digits = signature(phone, asked(run))
    service.passes(300)
    assert typed(run, digits)["message"] == "no-code"


def test_another_customers_telephone_signs_nothing_here(service, hana, phone):
    run, taro = transfer(service, hana), service.customer()
    other = enrolled(service, taro)
    other.app = phone.app
    assert typed(run, signature(other, asked(run)))["outcome"] == "wrong"


def test_five_wrong_ones_erase_its_key_and_nothing_else(service, hana, phone):
    """Three end the session, as with a token; what comes back after five was registered anew."""
    for wrong in (3, 2):
        run = transfer(service, hana)
        asked(run)
        answers = [typed(run, "00000000")["message"] for _ in range(wrong)]
    assert answers[-1] == "wrong-register-again" and service.locks(phone.app) == ["O-SIGN-1"]
    assert asked(transfer(service, hana)) == "register-again"
    old = dict(phone._shared)
    assert registers_passcode(service, hana, phone)["state"] == "done" and service.locks(phone.app) == []
    run = transfer(service, hana)
    sign = asked(run)
    new, phone._shared = phone._shared, old
    assert typed(run, signature(phone, sign))["outcome"] == "wrong"
    phone._shared = new
    assert typed(run, signature(phone, sign))["state"] == "done"


@pytest.mark.parametrize("item", KEYS)
def test_one_key_alone_is_registered_anew(service, hana, phone, item):
    """The one before it is good for nothing from then on; the other keys are as they were."""
    kept = {name: dict(getattr(phone, name)) for name in ("_sensors", "_shared")}

    def enters():
        run = transfer(service, hana)
        return by_sensor(Verify(service), hana, phone)["outcome"], typed(run, signature(phone, asked(run)))["outcome"]

    run = registering(service, hana, phone.app, "register-face")
    proof = phone.register_key(f"new-{item}", asked_for(run, f"new-{item}"), item)
    assert enters()[KEYS.index(item)] in {"refused", "wrong"}
    assert run.proof(f"new-{item}", proof)["state"] == "done" and enters() == ("right", "right")
    phone._sensors, phone._shared = kept["_sensors"], kept["_shared"]
    assert [outcome == "right" for outcome in enters()] == [item != one for one in KEYS]


def test_a_request_sent_twice_is_one_guess(service, hana, phone):
    run = transfer(service, hana)
    asked(run)
    answers = [typed(run, "00000000", idempotency_key="entry-1") for _ in range(2)]
    assert answers[0] == answers[1] and service.count(phone.app, "transfer-signature-in-a-row") == 1


HOSTILE = ["12345678", {}, {"response": "12345678", "signature": "AA"}, {"response": "1" * 3000}, {"shown.amount-and-payee": PAYEE},
           {"response": "12345678", **{f"shown.{n}": "" for n in range(20)}}]


@pytest.mark.parametrize("proof", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_else_a_channel_sends_is_counted_nowhere(service, hana, phone, proof):
    run = transfer(service, hana)
    asked(run)
    assert service.post(f"/v1/procedures/{run.id}/attempts", {"item": ITEM, "proof": proof}).status_code == 422
    assert service.counts(phone.app) == {}


@pytest.mark.parametrize("key", ["", "AA", "A" * 44, "=" * 43])
def test_a_key_that_is_none_enrols_nothing(service, hana, key):
    phone = Phone(signs=(ITEM,))
    code = service.app_code(hana)
    phone._registered = lambda _: {"passcode": phone.verifier(PASSCODE), f"key.{ITEM}": key}
    assert send(service, code, phone.enrolment(code, PASSCODE)).status_code == 422


def test_a_copied_database_without_the_keys_signs_nothing(service, hana, phone):
    """The key that the app shares is sealed under one outside it, bound to what it is for."""
    body = service.do(service.app.store.peek([f"secret:{phone.app}/{ITEM}"]))[f"secret:{phone.app}/{ITEM}"]
    shared, record = phone._shared[ITEM], decode(body, Secret)
    assert shared not in body
    ours, theirs = service.app.secrets, secrets.KeyedSecrets(b"x" * 32, {1: b"x" * 32})
    assert (ours._seed(record), theirs._seed(record)) == (shared, None)
    record.kind = "totp"
    assert ours._seed(record) is None
