"""The bank's app in a customer's hand over HTTP, played by the reference client: enrolled, approving, told to, registered again."""

from bankside import Verify, told

from sekisho.bank.phone import Phone

PASSCODE, TRANSACTION_CODE, NEW_PASSCODE = "482916", "7391", "118822"
PAYEE = "1000 yen to 10000-1"
SENSORS = ("app-fingerprint", "app-face-id", "app-face")


def send(service, code, parts, name="telephone"):
    return service.post("/v1/apps", {"code": code, "name": name, "parts": parts})


def enrol(service, customer, phone=None, name="telephone", **set_codes):
    """A device of hers."""
    phone = phone or Phone(SENSORS)
    code = service.app_code(customer)
    answer = send(service, code, phone.enrolment(code, PASSCODE, **set_codes), name)
    assert answer.status_code == 201, answer.text
    phone.app = answer.json()["app"]
    return phone


def asked(run, item):
    """What the device is to sign, or why nothing."""
    answer = run.service.post(f"/v1/procedures/{run.id}/signatures", {"item": item})
    return answer.json()["sign"] if answer.status_code == 201 else told(answer)["message"]


def shown_in(operation, customer):
    """What is entered before the app is asked, and shown there word for word: (item, text)."""
    return {
        "mail-address": ("new-addresses", customer.new_mail), "web-application": ("new-addresses", customer.new_mail),
        "telephone-application": ("contact-address", customer.new_mail),
    }.get(operation, ("amount-and-payee", PAYEE))


def up_to_the_app(bank, operation, customer, session=None):
    """A run in which the app is asked next."""
    run = bank.run(operation, customer, session)
    if operation.endswith("application"):
        run.reach("address-otp")
    else:
        run.proof(*shown_in(operation, customer))
    return run


def by_passcode(run, phone, passcode=PASSCODE, shown=None):
    """One entry by passcode; the refusal to ask for one."""
    item, text = shown_in(run.operation, run.customer)
    sign = asked(run, "app-passcode")
    if sign == "register-again":
        return {"outcome": "refused", "message": sign}
    return run.proof("app-passcode", phone.with_passcode("app-passcode", sign, passcode, {item: text if shown is None else shown}))


def by_sensor(bank, customer, phone, item="app-fingerprint", report=None, signer=None):
    """A login by a sensor, or by what it reports."""
    run = bank.run("login", customer)
    run.reach(item)
    sign = asked(run, item)
    if sign == "register-again":
        return {"outcome": "refused", "message": sign}
    phone = signer or phone
    return run.proof(item, phone.with_sensor(item, sign) if report is None else phone.sensor_says(item, sign, report))


def registering(service, customer, app, operation="register-app"):
    """A run for one of her devices, up to what is registered anew."""
    begun = service.post("/v1/procedures", {"operation": operation, "subject": app})
    run = Verify(service).run("login", customer)
    run.id, run.operation, run.codes = begun.json()["procedure"], operation, {}
    assert run.now("login-password")["outcome"] == "right"
    assert run.now("mail-otp")["outcome"] == "right"
    return run


def registers_passcode(service, customer, phone, passcode=NEW_PASSCODE):
    """The way back after a passcode was erased."""
    run = registering(service, customer, phone.app)
    return run.proof("new-app-passcode", phone.register_again("new-app-passcode", asked(run, "new-app-passcode"), passcode))


def registers_face(service, customer, phone):
    """The way back after the face was erased."""
    run = registering(service, customer, phone.app, "register-face")
    return run.proof("new-app-face", phone.register_key("new-app-face", asked(run, "new-app-face"), "app-face"))


def rows_of(service, subject):
    """Every row whose key names a subject."""
    found, after = set(), ""
    while page := service.do(service.app.store.rows("", after, 1000)):
        found |= {key for key, _ in page if subject in key and not key.startswith(("idempotency", "replay"))}
        after = page[-1][0]
    return found
