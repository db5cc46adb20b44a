"""Passkeys made and used by Chromium's own virtual authenticator, from being registered to being removed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from bankside import Service, Verify

from sekisho.adapters import secrets
from sekisho.adapters.webauthn import RelyingParty

PAGE = "http://localhost/"
MAKE = """async options => {
  const made = await navigator.credentials.create({publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options)});
  const {clientDataJSON, attestationObject} = made.toJSON().response;
  return {clientDataJSON, attestationObject};
}"""
SIGN = """async options => {
  const signed = await navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options)});
  const {id, response: {clientDataJSON, authenticatorData, signature, userHandle}} = signed.toJSON();
  return {id, clientDataJSON, authenticatorData, signature, userHandle};
}"""
AUTHENTICATOR = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def inside(tmp_path):
    """Does something in the service's own thread: the browser's side holds the test's."""
    with ThreadPoolExecutor(1) as thread, pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "MEMORY_KIB", 64)
        made = thread.submit(Service, tmp_path, passkeys=RelyingParty("localhost", "Sekisho Bank", ("http://localhost",))).result()
        yield lambda act, *given: thread.submit(act, made, *given).result()
        thread.submit(made.close).result()


@pytest.fixture
def page(chromium):
    """A page of the bank's, in a browser with an authenticator of its own."""
    context = chromium.new_context()
    found = context.new_page()
    found.route("**/*", lambda route: route.fulfill(body="<!doctype html><title>The bank</title>", content_type="text/html"))
    found.goto(PAGE)
    devtools = context.new_cdp_session(found)
    devtools.send("WebAuthn.enable")
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    yield found
    context.close()


def options(service, run, item):
    return service.post(f"/v1/procedures/{run.id}/signatures", {"item": item}).json()["options"]


def begin_registering(service, customer):
    run = Verify(service).run("register-passkey", customer)
    run.right("mail-otp")
    return run, options(service, run, "new-passkey")


def begin_login(service, customer):
    run = Verify(service).run("login", customer)
    run.reach("passkey")
    return run, options(service, run, "passkey")


def prove(_service, run, item, proof):
    return run.proof(item, proof)


def test_registered_used_and_removed(inside, page):
    """Found by the domain alone; what the browser signs is what was asked, and after removal it opens nothing."""
    hana = inside(lambda service: service.customer())
    run, asked = inside(begin_registering, hana)
    assert inside(prove, run, "new-passkey", {**page.evaluate(MAKE, asked), "name": "Chromium"})["state"] == "done"
    run, asked = inside(begin_login, hana)
    assert asked["allowCredentials"] == []
    answer = inside(prove, run, "passkey", page.evaluate(SIGN, asked))
    assert answer["state"] == "done"
    where = f"/v1/sessions/{answer['session']}/passkeys"
    one, = inside(lambda service: service.get(where).json()["passkeys"])
    assert one["name"] == "Chromium"
    assert inside(lambda service: service.call("DELETE", f"{where}/{one['id']}").json()) == {"passkeys": []}
    run, asked = inside(begin_login, hana)
    assert inside(prove, run, "passkey", page.evaluate(SIGN, asked))["outcome"] == "wrong"
