"""`sekisho doctor` about mail: out through a relay that says this or that, and back into an intake. No mail is sent in any of it."""

import asyncio
import threading

import pytest
from commands import Installation
from dialogue import CERTIFICATE, Dialogue

from sekisho.adapters.bounces import BounceServer
from sekisho.adapters.codes import KeyedCodes
from sekisho.adapters.envelope import Envelopes
from sekisho.adapters.sqlite import SqliteStore
from sekisho.app import Keyring, look_at_mail, relay_of
from sekisho.core.state import SECOND, Challenge, Outgoing, encode
from sekisho.ports import Change
from sekisho.serving import bind

BACK = "codes@bounce.bank.example"
OF_MAIL = {"mail relay", "delivery reports", "return address", "bounce intake"}


pytestmark = pytest.mark.usefixtures("no_comparison")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    return Installation(tmp_path_factory.mktemp("bank")).served_once()


def said(bank, *options, code):
    """What the command says, by check."""
    return {one["check"]: one for one in bank.tells("doctor", "--json", *options, code=code)["checks"]}


def looked(bank, port, scheme="smtp", intake=None, user="", **files):
    """What is said of the way of mail, by check; whatever is wrong says what to do."""
    relay = relay_of(f"{scheme}://{user}localhost:{port}", "Bank <codes@bank.example>", BACK, **files)
    found = {one.check: one for one in look_at_mail(relay, Keyring.open(bank.keys), intake)}
    assert all(one.do for one in found.values() if not one.ok)
    return found


class Intake:
    """What a worker listens with, on a thread of its own."""

    def __init__(self, keys):
        self._loop = asyncio.new_event_loop()
        self._sock = bind("127.0.0.1:0")
        self.where = f"127.0.0.1:{self._sock.getsockname()[1]}"
        self._server = BounceServer(Envelopes(KeyedCodes(Keyring.open(keys)), BACK), None)
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self):
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._server.start(self._sock), self._loop).result()
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def test_a_relay_that_takes_mail_and_an_intake_of_the_same_keys_are_well(served):
    with Dialogue() as there, Intake(served.keys) as intake:
        relay = ("--mail-relay", f"smtp://127.0.0.1:{there.port}", "--mail-from", "codes@bank.example", "--mail-bounces", BACK)
        found = said(served, *relay, "--bounces-listen", intake.where, code=0)
    assert found.keys() >= OF_MAIL and all(one["ok"] for one in found.values())
    assert there.mails == [] and not [line for line in there.lines if line.startswith("DATA")], "no mail is sent"
    back = next(line for line in there.lines if line.startswith("RCPT"))
    assert back.startswith("RCPT TO:<codes+") and back.endswith("@bounce.bank.example>")


RELAYS = {
    "no delivery reports": ({"offers": ["8BITMIME"]}, "delivery reports", "RFC 3461"),
    "it takes nothing for our return domain": (
        {"says": {"RCPT": "554 5.7.1 <codes+a@bounce.bank.example>: Relay access denied"}}, "return address", "--bounces-listen"),
    "it takes no mail from our return address": ({"says": {"MAIL": "553 5.7.1 not owned by you"}}, "mail relay", "--mail-bounces"),
    "it has no time": ({"greets": "421 4.3.2 not now"}, "mail relay", "runs"),
    "it hangs up": ({"greets": "554 go away"}, "mail relay", "runs"),
}


@pytest.mark.parametrize("what", RELAYS)
def test_a_relay_that_does_not_go_on_is_told_with_what_to_do(served, what):
    behaves, check, do = RELAYS[what]
    with Dialogue(**behaves) as there:
        found = looked(served, there.port)
    assert [name for name, one in found.items() if not one.ok] == [check]
    assert do in found[check].do
    assert "codes+" not in found[check].text, "a server's words are told without addresses"


def test_a_relay_that_is_not_there(served):
    free = bind("127.0.0.1:0")
    port = free.getsockname()[1]
    free.close()
    found = looked(served, port)
    assert found.keys() == {"mail relay"} and "ConnectionRefusedError" in found["mail relay"].text


def test_tls_is_offered_and_vouched_for_or_it_is_told(served):
    with Dialogue() as plain:
        assert "STARTTLS" in looked(served, plain.port, "smtp+starttls")["mail relay"].text
        assert not [line for line in plain.lines if line.startswith("MAIL")]
    with Dialogue(offers=["STARTTLS", "DSN"]) as there:
        unknown = looked(served, there.port, "smtp+starttls")["mail relay"]
        assert not unknown.ok and "--mail-ca-file" in unknown.do
        assert all(one.ok for one in looked(served, there.port, "smtp+starttls", ca_file=CERTIFICATE).values())


def test_a_user_who_is_not_let_in(served, tmp_path):
    files = {"password_file": tmp_path / "password", "ca_file": CERTIFICATE}
    files["password_file"].write_text("secret-4711")
    for offers in (["STARTTLS", "DSN", "AUTH PLAIN"], ["STARTTLS", "DSN"]):
        with Dialogue(says={"AUTH": "535 5.7.8 no"}, offers=offers) as there:
            found = looked(served, there.port, "smtp+starttls", user="ann@", **files)["mail relay"]
        assert not found.ok and "--mail-password-file" in found.do and "secret-4711" not in str(found)


def test_an_intake_of_other_keys_or_of_none(served, tmp_path):
    """It would refuse every report of ours; or take anybody's."""
    other = tmp_path / "other.json"
    Keyring.make(other)
    with Dialogue() as there, Intake(other) as strange, Dialogue() as anybody:
        for where, text in ((strange.where, "550"), (f"127.0.0.1:{anybody.port}", "nobody has sent"), ("nowhere", "HOST:PORT")):
            found = looked(served, there.port, intake=where)["bounce intake"]
            assert not found.ok and text in found.text


def test_messages_that_nobody_carries_are_told_with_their_age(served):
    async def leave(ago_s):
        store = SqliteStore(served.path)
        opened = await store.begin([])
        at = opened.now - ago_s * SECOND
        row = Outgoing(subject="customer:1", challenge=Challenge("c", "mail-otp", "a", b"", 1, 8, at, at + 600 * SECOND), made=at)
        await store.commit(Change([("outbox:left", encode(row), at)], None, [], opened.now))
        await store.close()

    asyncio.run(leave(10))
    assert said(served, code=0)["outbox"]["ok"]
    asyncio.run(leave(200))
    found = said(served, code=1)["outbox"]
    assert not found["ok"] and "1 message(s)" in found["text"] and "for 2" in found["text"] and "worker" in found["do"]
