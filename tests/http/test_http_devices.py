"""Known devices over HTTP: each has its own budget, strangers share another, and together they have what the row says."""

import itertools
import json
import random
import re

import pytest
from bankside import DAY, Service, nobody, right_proof, told, wrong_proof
from scale import times

from sekisho.flows.devices import SIGNED
from sekisho.policy import reference

_devices = itertools.count(1)

FIGURE, EACH, REMEMBERED = 7, 2, 2
STRANGERS = FIGURE - REMEMBERED * EACH


def device():
    """One that nobody has used before."""
    return f"device {next(_devices)}"


def shared(each=EACH, figure=FIGURE):
    """The bank, if it kept something of what a login password may cost for known devices; and asked fewer pairs before it asks for more."""
    text = reference("postal-bank").read_text(encoding="utf-8").replace("remembered: 5", f"remembered: {REMEMBERED}")
    text, number = re.subn(r"wrong: 10\n( +)count: login-password-in-a-row\n", rf"wrong: {figure}\n\1count: login-password-in-a-row\n\1known_device: {each}\n", text)
    assert number > 1
    text, number = re.subn(r"(items: \[number-pair\]\n    wrong: )100", r"\g<1>5", text)
    assert number == 2
    text, number = re.subn(r"(items: \[number-pair\]\n    devices: known\n    wrong: )20", r"\g<1>3", text)
    return text


@pytest.fixture(scope="module")
def service(tmp_path_factory, cheap_hashes):
    folder = tmp_path_factory.mktemp("devices")
    (folder / "policy.yaml").write_text(shared(), encoding="utf-8")
    made = Service(folder, folder / "policy.yaml")
    yield made
    made.close()


class At:
    """Somebody at one device, or at none that the channel speaks of."""

    def __init__(self, service, customer, device=None, operation="login"):
        self.service, self.customer, self.operation = service, customer, operation
        self.context = {} if device is None else {"context": {"device": device}}
        self.run = None

    def begin(self, **more):
        subject = self.customer.subject if "subject" not in more else more.pop("subject")
        begun = self.service.post("/v1/procedures", {"operation": self.operation, "subject": subject, **self.context, **more})
        assert begun.status_code == 201, begun.text
        self.run = begun.json()["procedure"]
        return self

    def asks(self):
        return [one["item"] for one in self.service.get(f"/v1/procedures/{self.run}").json()["next"]]

    def proof(self, item, proof):
        return told(self.service.post(f"/v1/procedures/{self.run}/attempts", {"item": item, "proof": proof}))

    def enter(self, verdict, item="login-password"):
        """In a run of its own, begun where the last one has ended."""
        if self.run is None or not self.asks():
            self.begin()
        entered = (right_proof if verdict == "right" else wrong_proof)(self.service, self.customer, item)
        return self.proof(item, entered)

    def outcomes(self, verdict, times, item="login-password"):
        return [self.enter(verdict, item)["outcome"] for _ in range(times)]


def logged_in(service, customer, device):
    """A device that the customer has logged in from; his session."""
    answer = At(service, customer, device).enter("right")
    assert answer["outcome"] == "right", answer
    return answer["session"]


def hana_at_home(service, **changes):
    hana, home = service.customer("token-otp", **changes), device()
    session = logged_in(service, hana, home)
    return hana, home, session


def test_strangers_lock_strangers_and_not_a_known_device(service):
    hana, home, session = hana_at_home(service)
    stranger = At(service, hana, device())
    assert stranger.outcomes("wrong", STRANGERS) == ["wrong"] * STRANGERS
    assert stranger.enter("right")["message"] == "locked"
    assert At(service, hana).enter("right")["message"] == "locked"  # nor from nowhere
    assert service.live(session)
    assert At(service, hana, home).enter("right")["outcome"] == "right"
    assert [(lock["row"], lock["devices"]) for lock in service.view(hana.subject)["locks"]] == [("Y-LOGIN-3", "unknown")]


def test_a_known_device_locks_itself_and_not_strangers(service):
    hana, home, session = hana_at_home(service)
    assert At(service, hana, home).outcomes("wrong", EACH) == ["wrong"] * EACH
    assert At(service, hana, home).enter("right")["message"] == "locked"
    assert not service.live(session)  # what was blocked ends, as with every block
    elsewhere = At(service, hana, device())
    assert elsewhere.outcomes("wrong", STRANGERS - 1) == ["wrong"] * (STRANGERS - 1)
    assert elsewhere.enter("right")["outcome"] == "right"


def test_two_known_devices_do_not_lock_one_another(service):
    hana, home, _ = hana_at_home(service)
    office = device()
    session = logged_in(service, hana, office)
    At(service, hana, home).outcomes("wrong", EACH)
    assert service.live(session)
    assert At(service, hana, office).outcomes("wrong", EACH - 1) == ["wrong"] * (EACH - 1)
    assert At(service, hana, office).enter("right")["outcome"] == "right"


@pytest.mark.parametrize("seed", range(times(2, full=50)))
def test_all_devices_together_have_no_guess_more_than_the_row_says(service, seed):
    """Known and unknown devices in any order, in parallel, by both ways of entering."""
    hana, home, _ = hana_at_home(service)
    devices = [home, device(), None, *(device() for _ in range(4))]
    logged_in(service, hana, devices[1])
    chance = random.Random(seed)
    before = service.count(hana.subject, "login-password-a-year")
    body = {"operation": "login", "item": "login-password", "subject": hana.subject}

    async def guess(name):
        context = {} if name is None else {"context": {"device": name}}
        held = await service.send("POST", "/v1/reservations", {**body, **context})
        if held.status_code == 201:
            await service.send("POST", f"/v1/reservations/{held.json()['reservation']}/verdict", {"verdict": "wrong"})
        return held.status_code == 201

    granted = service.together(*(guess(chance.choice(devices)) for _ in range(40)))
    granted += [service.do(guess(name)) for name in devices for _ in range(FIGURE)]
    assert sum(granted) == FIGURE
    assert service.count(hana.subject, "login-password-a-year") - before == FIGURE


def test_a_release_gives_back_the_row_s_figure_once_to_all_together(service):
    hana, home, _ = hana_at_home(service)
    At(service, hana, home).outcomes("wrong", EACH)
    At(service, hana, device()).outcomes("wrong", STRANGERS)
    assert len(service.locks(hana.subject)) == 2
    service.released(hana.subject, "form-1-1")
    assert service.locks(hana.subject) == []
    assert not {name for name, wrong in service.counts(hana.subject).items() if name.startswith("login-password-in-a-row")}
    service.put(hana.subject, {"secret": "a letter's 4711", "first_time": False}, "login-password")
    again = At(service, hana, home).outcomes("wrong", FIGURE) + At(service, hana, device()).outcomes("wrong", FIGURE)
    assert again.count("wrong") == EACH + STRANGERS


def test_staff_see_every_budget(service):
    hana, home, _ = hana_at_home(service)
    At(service, hana, device()).enter("wrong")
    seen = service.view(hana.subject)
    counts = {count["counter"]: (count["wrong"], [stage["wrong"] for stage in count["stages"]]) for count in seen["counts"]}
    assert counts["login-password-in-a-row"] == (1, [STRANGERS])
    assert counts["login-password-in-a-row/device-1"] == (0, [EACH])
    (known,) = seen["devices"]
    assert known["device"] == "device-1" and known["last_used"] == known["since"]
    assert home not in json.dumps(seen)


def test_a_device_that_another_customer_is_known_by_is_unknown_here(service):
    hana, home, _ = hana_at_home(service)
    yuki, _, _ = hana_at_home(service)
    At(service, yuki, device()).outcomes("wrong", STRANGERS)
    assert At(service, yuki, home).enter("right")["message"] == "locked"
    logged_in(service, hana, home)


def test_a_device_may_be_known_to_two_customers_and_has_a_budget_of_each(service):
    hana, home, _ = hana_at_home(service)
    yuki = service.customer()
    logged_in(service, yuki, home)
    At(service, hana, home).outcomes("wrong", EACH)
    At(service, yuki, device()).outcomes("wrong", STRANGERS)
    assert At(service, yuki, home).enter("right")["outcome"] == "right"
    assert At(service, hana, home).enter("right")["message"] == "locked"


def test_a_device_becomes_known_while_a_run_goes_on(service):
    """What the run has entered so far stays the strangers'; what it enters from now on is the device's."""
    hana, phone = service.customer(), device()
    open_run = At(service, hana, phone).begin()
    open_run.enter("wrong")
    logged_in(service, hana, phone)
    open_run.enter("wrong")
    assert service.counts(hana.subject)["login-password-in-a-row/device-1"] == 1
    assert "login-password-in-a-row" not in service.counts(hana.subject)  # cleared by the right entry


def test_a_guess_is_settled_where_it_was_taken(service):
    """Reserved by a stranger, settled when the device has become known."""
    hana, phone = service.customer(), device()
    body = {"operation": "login", "item": "login-password", "subject": hana.subject, "context": {"device": phone}}
    held = service.post("/v1/reservations", body).json()["reservation"]
    logged_in(service, hana, phone)
    service.post(f"/v1/reservations/{held}/verdict", {"verdict": "wrong"})
    assert service.counts(hana.subject)["login-password-in-a-row"] == 1


def test_so_many_devices_are_remembered_and_none_of_them_brings_a_guess(service):
    """The one unused for the longest time gives way; the newcomer takes its place with what was counted there."""
    hana, home, _ = hana_at_home(service)
    service.passes(3600)
    logged_in(service, hana, device())
    At(service, hana, home).enter("wrong")
    service.passes(3600)
    newest = device()
    logged_in(service, hana, newest)
    assert len(service.view(hana.subject)["devices"]) == REMEMBERED
    assert At(service, hana, newest).outcomes("wrong", EACH) == ["wrong", "refused"]  # one of its two was used by the first
    assert service.view(hana.subject)["locks"][0]["devices"] == "device-1"
    assert At(service, hana, home).enter("right")["outcome"] == "right"  # a stranger now, and known again by this


def test_a_place_that_is_locked_goes_to_nobody_else(service):
    hana, home, _ = hana_at_home(service)
    At(service, hana, home).outcomes("wrong", EACH)
    for _ in range(REMEMBERED + 1):
        phone = device()
        logged_in(service, hana, phone)
        assert At(service, hana, phone).enter("right")["outcome"] == "right"
    assert At(service, hana, home).enter("right")["message"] == "locked"


def test_a_device_that_was_not_used_for_long_is_unknown_again(service):
    hana, home, _ = hana_at_home(service)
    service.passes(364 * DAY)
    assert len(service.view(hana.subject)["devices"]) == 1
    service.passes(2 * DAY)
    assert service.view(hana.subject)["devices"] == []
    At(service, hana, device()).outcomes("wrong", STRANGERS)
    assert At(service, hana, home).enter("right")["message"] == "locked"


def test_a_channel_without_names_for_devices_is_given_one(service):
    hana = service.customer()
    first = At(service, hana).enter("right")
    name = first["device"]
    assert name.startswith(SIGNED) and len(name) < 200
    assert "device" not in At(service, hana, name).enter("right")
    At(service, hana, device()).outcomes("wrong", STRANGERS)
    assert At(service, hana).enter("right")["message"] == "locked"
    assert At(service, hana, name).enter("right")["outcome"] == "right"


FORGERIES = {
    "its end changed": lambda name: name[:-1] + ("A" if name[-1] != "A" else "B"),
    "longer": lambda name: name + "x",
    "nothing in it": lambda name: SIGNED,
    "not ASCII": lambda name: SIGNED + "é.é",
    "another's signature": lambda name: SIGNED + "x" * 24 + name[name.rindex("."):],
}


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forged_name_is_no_device(service, how):
    """It is unknown, does not become known, and is told a name of its own when it is right."""
    forge = FORGERIES[how]
    hana = service.customer()
    name = At(service, hana).enter("right")["device"]
    told_now = At(service, hana, forge(name)).enter("right")
    assert told_now["outcome"] == "right" and told_now["device"] not in {name, forge(name)}
    At(service, hana, device()).outcomes("wrong", STRANGERS)
    assert At(service, hana, forge(name)).enter("right")["message"] == "locked"


def test_whoever_makes_up_names_is_one_actor(service):
    """Forged names do not make somebody else of him each time: his address counts."""
    for n in range(6):
        ghost = nobody()
        context = {"context": {"device": f"{SIGNED}forged-{n}", "ip": "192.0.2.1"}}
        pair = right_proof(service, ghost, "number-pair")
        begun = service.post("/v1/procedures", {"operation": "reset-password", **context}).json()["procedure"]
        answer = told(service.post(f"/v1/procedures/{begun}/attempts", {"item": "number-pair", "proof": pair}))
    assert answer["message"] == "unknown-device"


def test_right_in_count_mode_makes_a_device_known_too(service):
    """The bank leads: what it compares of a login has been right, from this device."""
    hana, phone = service.customer(), device()
    body = {"operation": "login", "item": "login-password", "subject": hana.subject, "session": "one of the bank's"}
    held = service.post("/v1/reservations", {**body, "context": {"device": phone}}).json()["reservation"]
    service.post(f"/v1/reservations/{held}/verdict", {"verdict": "right"})
    At(service, hana, device()).outcomes("wrong", STRANGERS)
    assert service.post("/v1/reservations", {**body, "context": {"device": phone}}).status_code == 201
    assert service.post("/v1/reservations", {**body, "context": {"device": device()}}).json()["outcome"] == "refused"


# What is asked of unknown devices only.


def pair(service, customer, device=None, verdict="wrong", other=None):
    """One entry of account and customer number, in a run of its own. `other`: whose customer number is given in place of his own."""
    at = At(service, customer, device, "reset-password").begin(subject=None)
    proof = right_proof(service, customer, "number-pair")
    if verdict == "wrong":
        proof = wrong_proof(service, customer, "number-pair")
    return at.proof("number-pair", {**proof, **({} if other is None else {"customer-number": other.number})})


def counted(service, customer, wrong, counter="number-pairs-a-year"):
    service.put(customer.account_subject, {"counts": {counter: wrong}}, "basic-data")


def test_A8_at_its_limit_more_is_asked_of_unknown_devices_and_of_nobody_else(service):
    hana, home, _ = hana_at_home(service)
    counted(service, hana, 4)
    assert pair(service, hana, device())["outcome"] == "wrong"
    refused = pair(service, hana, device(), "right")
    assert (refused["outcome"], refused["message"]) == ("refused", "unknown-device")
    assert pair(service, hana, None, "right")["outcome"] == "refused"
    assert pair(service, hana, home, "right")["outcome"] == "right"
    (lock,) = service.view(hana.account_subject)["locks"]
    assert (lock["kind"], lock["devices"], lock["counter"]) == ("ask-more", "unknown", "number-pairs-a-year")


def test_known_devices_have_a_limit_of_their_own_that_closes_nobody_else(service):
    hana, home, _ = hana_at_home(service)
    assert [pair(service, hana, home)["outcome"] for _ in range(4)] == ["wrong", "wrong", "wrong", "refused"]
    assert "number-pairs-a-year" not in service.counts(hana.account_subject)
    assert pair(service, hana, device(), "right")["outcome"] == "right"


def test_another_customer_s_number_lends_no_device_to_an_account(service):
    """Whoever is known as himself is unknown to the account he guesses at."""
    hana, _, _ = hana_at_home(service)
    mallory, his, _ = hana_at_home(service)
    for _ in range(5):
        assert pair(service, hana, his, "right", other=mallory)["outcome"] == "wrong"
    assert pair(service, hana, his, "right", other=mallory)["message"] == "unknown-device"
    assert service.counts(hana.account_subject)["number-pairs-a-year"] == 5


def test_strangers_names_are_closed_alike(service):
    """Nobody enrolled this one: the same words after the same entries."""
    hana, ghost = service.customer(), nobody()
    said = [[pair(service, one, device()) for _ in range(6)] for one in (hana, ghost)]
    assert said[0] == said[1] and said[0][-1]["message"] == "unknown-device"


def test_one_actor_is_asked_more_wherever_he_types_and_nobody_else_is(service):
    hana, home, _ = hana_at_home(service)
    sweeper = device()
    assert [pair(service, nobody(), sweeper)["outcome"] for _ in range(5)] == ["wrong"] * 5
    assert pair(service, hana, sweeper, "right")["message"] == "unknown-device"
    assert pair(service, hana, device(), "right")["outcome"] == "right"
    assert pair(service, hana, home, "right")["outcome"] == "right"


def test_a_sweeper_s_device_that_a_customer_knows_is_his(service):
    """Whoever types is asked more of everybody he is not known to."""
    hana, home, _ = hana_at_home(service)
    for _ in range(5):
        pair(service, nobody(), home)
    assert pair(service, nobody(), home)["message"] == "unknown-device"
    assert pair(service, hana, home, "right")["outcome"] == "right"


def test_a_stop_from_a_known_device_holds_until_it_is_lifted(service):
    hana, home, _ = hana_at_home(service)
    service.post("/v1/stops", {"subject": hana.subject, "context": {"device": device()}})
    assert service.lock(hana.subject)["until"] is not None
    service.post("/v1/stops", {"subject": hana.subject, "context": {"device": home}})
    assert service.lock(hana.subject)["until"] is None


@pytest.mark.parametrize("locked", [True, False])
def test_a_session_that_the_lock_of_its_device_has_ended_makes_nobody_known_to_a_stop(service, locked):
    """Nor is anybody known by it who names another device: the stop ends by itself, as a stranger's does."""
    hana, home, session = hana_at_home(service)
    At(service, hana, home).outcomes("wrong", EACH if locked else EACH - 1)
    assert service.live(session) is not locked
    stopped = service.post("/v1/stops", {"subject": hana.subject, "session": session, "context": {"device": device()}})
    assert stopped.json()["outcome"] == "stopped"
    until = next(lock["until"] for lock in service.view(hana.subject)["locks"] if lock["row"] == "M-STOP-1")
    assert (until is not None) is locked


def test_no_answer_tells_how_a_figure_is_shared_out(service, tmp_path_factory, cheap_hashes):
    """Two banks that differ only in that say the same until a penalty falls (D1)."""
    folder = tmp_path_factory.mktemp("otherwise")
    (folder / "policy.yaml").write_text(shared(each=3, figure=20), encoding="utf-8")
    other = Service(folder, folder / "policy.yaml")
    try:
        assert _said(service) == _said(other)
    finally:
        other.close()


def _said(service):
    hana, home, _ = hana_at_home(service)
    said = [At(service, one, name).enter("wrong") for one in (hana, nobody()) for name in (home, None)]
    said += [{name: value for name, value in At(service, hana, home).enter("right").items() if name != "session"}]
    return said
