"""Operators' seats at the pages of the desk: how long they last, on which nodes, and whose form is taken."""

import httpx
import pytest
from bankside import HOST, MINUTE, Service
from test_http_desk_pages import Screen
from trail import told_in

from sekisho.adapters.keyring import Keyring
from sekisho.api.server import application
from sekisho.app import App
from sekisho.policy import reference
from sekisho.web.seating import COOKIE, SAID_COOKIE

DOOR = 'action="/desk/sign-in"'


@pytest.fixture(scope="module")
def service(tmp_path_factory, cheap_hashes):
    made = Service(tmp_path_factory.mktemp("seats"), reference("major-bank"))
    yield made
    made.close()


@pytest.fixture
def aoki(service):
    return Screen(service, "aoki")


def at_door(screen):
    return DOOR in screen.look("/desk").html


def test_whoever_leaves_her_screen_is_signed_out(service, aoki):
    service.passes(14 * MINUTE)
    assert not at_door(aoki)
    service.passes(17 * MINUTE)
    assert at_door(aoki)


def test_whoever_stays_is_signed_out_when_the_shift_is_over(service, aoki):
    for _ in range(47):
        service.passes(15 * MINUTE)
        assert not at_door(aoki)
    service.passes(15 * MINUTE)
    assert at_door(aoki)


def test_another_node_knows_the_seat_and_signing_out_ends_it_on_both(service, aoki):
    """Nothing of it is in one process."""
    other = Service.__new__(Service)
    other.__dict__.update(service.__dict__)
    app = App(service.app.settings, service.app.store, service.app.keyring, service.app.tables, service.app.in_force, {})
    app.ledger = app.seats._ledger = service.app.ledger
    other.asgi = application(app)
    beside = Screen(other)
    beside.client.cookies.set(COOKIE, aoki.client.cookies.get(COOKIE), domain="127.0.0.1", path="/desk")
    assert not at_door(beside)
    aoki.send("sign-out")
    assert at_door(beside)


def test_a_seat_ends_with_its_key(service):
    """At once, on a node that runs."""
    path, aoki = service.app.keyring.path, Screen(service, "aoki")
    before, ring = path.read_bytes(), Keyring.open(path)
    ring.retire(next(key.id for key in ring.file.api if key.operator == "aoki"))
    try:
        assert at_door(aoki)
    finally:
        path.write_bytes(before)


def test_signing_in_again_ends_the_seat_before(service, aoki):
    before = aoki.client.cookies.get(COOKIE)
    aoki.post("/desk/sign-in", key=service.keys["chiba"])
    stale = Screen(service)
    stale.client.cookies.set(COOKIE, before, domain="127.0.0.1", path="/desk")
    assert at_door(stale) and not at_door(aoki)


def test_the_name_of_a_seat_is_not_in_the_database(service, aoki):
    name = aoki.client.cookies.get(COOKIE)
    rows = service.do(service.app.store.rows("seat:", "", 100))
    assert rows and all(name.encode() not in key.encode() + body for key, body in rows)


def test_who_signed_in_and_out_is_on_record(service, aoki):
    aoki.send("sign-out")
    told = sorted((event for event in _recorded(service) if event.kind in {"signed-in", "signed-out"}), key=lambda event: event.at)
    assert [(one.kind, one.operator) for one in told[-2:]] == [("signed-in", "aoki"), ("signed-out", "aoki")]


def _recorded(service):
    store = service.app.store
    return [event for writer in service.do(store.writers()) for link in service.do(store.chain(writer, 0, 1_000_000)) for event in told_in(link)]


@pytest.mark.parametrize(("site", "status"), [("same-origin", 200), ("none", 200), ("same-site", 400), ("cross-site", 400), ("", 400)])
def test_a_form_of_another_site_signs_nobody_in(service, site, status):
    stranger = Screen(service)
    answer = service.do(stranger.client.post("/desk/sign-in", data={"key": service.keys["aoki"]}, headers={"sec-fetch-site": site}))
    assert (answer.status_code, COOKIE in stranger.client.cookies) == (status, status == 200)


def test_under_a_name_of_the_bank_cookies_go_over_tls_alone(service):
    """A plain connection there keeps nobody signed in."""
    named = application(service.app, hosts=frozenset({"desk.bank.example"}))
    for host, secure in ((HOST, False), ("http://desk.bank.example", True)):
        client = httpx.AsyncClient(transport=httpx.ASGITransport(named if secure else service.asgi), base_url=host)
        answer = service.do(client.post("/desk/sign-in", data={"key": service.keys["aoki"]}))
        assert ("; secure" in answer.headers["set-cookie"].lower()) is secure


@pytest.mark.parametrize("value", ["", ".", "e30=.x", "é.x", "eyJzYWlkIjpbImRlc2suc2FpZC1kb25lIix7fV19.0000"])
def test_nobody_else_puts_words_on_her_page(service, aoki, value):
    aoki.client.cookies.set(SAID_COOKIE, value.encode().decode("latin-1") if value.isascii() else "x.y", domain="127.0.0.1", path="/desk")
    assert not aoki.look("/desk").says("desk.said-done") and aoki.answer.status_code == 200


def test_without_a_policy_that_can_be_read_the_door_says_so(service, aoki):
    service.app.ledger.withheld = "the store is older"
    try:
        assert aoki.look("/desk").answer.status_code == 503 and DOOR in aoki.html and aoki.says("problem.unavailable")
    finally:
        service.app.ledger.withheld = None
