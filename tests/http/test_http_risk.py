"""M-RISK-1 and M-RISK-2 over HTTP, on major-bank: what is unusual is asked about, after the password and before anything shows."""

import pytest
from bankside import DAY, MINUTE, Service, told

from sekisho.catalogue import say
from sekisho.policy import reference
from sekisho.terms import Way

HOME = {"device": "at home", "ip": "203.0.113.7", "country": "JP"}
ABROAD = {"device": "in a hotel", "ip": "198.51.100.9", "country": "FR"}


def changed(signals, trusts="90d", *, tells=True):
    """major-bank with other signals."""
    text = reference("major-bank").read_text()
    if not tells:
        text = text.replace("  trusts_device: 90d\n  tells: [all-channels]\n", "  trusts_device: 90d\n")
    begins, ends = text.index("  signals:\n"), text.index("  trusts_device: 90d")
    lines = "".join(f"    - {{{one}, ours: true}}\n" for one in signals)
    return text[:begins] + "  signals:\n" + lines + text[ends:].replace("trusts_device: 90d", f"trusts_device: {trusts}")


@pytest.fixture(scope="module")
def service(tmp_path_factory, cheap_hashes):
    made = Service(tmp_path_factory.mktemp("risk"), reference("major-bank"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory, cheap_hashes):
    """A service under other signals, once for each set of them."""
    kept = {}

    def make(*signals, trusts="90d", tells=True):
        bank = signals, trusts, tells
        if bank not in kept:
            folder = tmp_path_factory.mktemp("signals")
            (folder / "bank.yaml").write_text(changed(signals, trusts, tells=tells))
            kept[bank] = Service(folder, folder / "bank.yaml")
        return kept[bank]

    yield make
    for one in kept.values():
        one.close()


class Login:
    """One login, up to what comes after the password."""

    def __init__(self, service, customer, context=HOME, password=None):
        self.service, self.customer = service, customer
        body = {"operation": "login", "subject": customer.subject, **({"context": context} if context else {})}
        self.id = service.post("/v1/procedures", body).json()["procedure"]
        self.answer = self.enter("login-password", password or customer.password)
        self.asks = [one["item"] for one in self.answer["next"]]
        self.session = self.answer.get("session")

    def enter(self, item, proof):
        return told(self.service.post(f"/v1/procedures/{self.id}/attempts", {"item": item, "proof": proof}))

    def confirmed(self):
        assert self.service.post(f"/v1/procedures/{self.id}/challenges", {"item": "risk-code"}).status_code == 201
        self.answer = self.enter("risk-code", self.service.code(self.customer))
        self.session = self.answer["session"]
        return self


def demanded(service, customer):
    return "identity-demanded" in service.view(customer.subject)["flags"]


def test_M_RISK_1_another_country_is_asked_about_after_the_password(service):
    hana = service.customer()
    assert Login(service, hana).session
    abroad = Login(service, hana, ABROAD)
    assert (abroad.answer["outcome"], abroad.asks, abroad.session) == ("right", ["risk-code"], None)
    assert demanded(service, hana)


def test_M_RISK_1_enrolling_a_customer_again_lifts_no_demand(service):
    """As a bank does that tells every night who its customers are."""
    hana = service.customer()
    assert Login(service, hana).session and Login(service, hana, ABROAD).asks == ["risk-code"]
    service.put(hana.subject, {"links": {"account": hana.account_subject}})
    assert demanded(service, hana) and Login(service, hana).asks == ["risk-code"]


def test_M_RISK_1_a_wrong_password_raises_and_tells_nothing(service):
    """Whoever does not know it hears what he would hear at home, and brings nothing about."""
    hana = service.customer()
    assert Login(service, hana).session
    home, abroad = (Login(service, hana, place, "not this one").answer for place in (HOME, ABROAD))
    assert home == abroad
    assert not demanded(service, hana) and Login(service, hana).session


def test_M_RISK_1_the_first_login_of_all_lays_the_ground(service):
    """A country is new only where another is known."""
    hana = service.customer()
    assert Login(service, hana, ABROAD).session
    assert Login(service, hana, HOME).asks == ["risk-code"]


def test_M_RISK_1_unusual_devices_again_and_again(service):
    """The very first device of all was not known either."""
    hana = service.customer()
    assert Login(service, hana).session
    assert Login(service, hana, {**HOME, "device": "of a friend"}).session
    assert Login(service, hana, {**HOME, "device": "of another friend"}).asks == ["risk-code"]


def test_M_RISK_1_what_is_usual_is_never_asked_about(service):
    hana = service.customer()
    for _ in range(8):
        assert Login(service, hana).session


def test_M_RISK_2_nothing_opens_until_it_is_answered(service):
    """Not from the usual device either, nor in a session that was open before: no login, no balance, no transfer."""
    hana = service.customer("token-otp")
    before = Login(service, hana).session
    Login(service, hana, ABROAD)
    assert Login(service, hana, HOME).asks == ["risk-code"]
    for operation, item, proof in (("balance", "account-choice", hana.account), ("transfer", "token-otp", service.token(hana))):
        begun = service.post("/v1/procedures", {"operation": operation, "session": before}).json()
        assert [one["item"] for one in begun["next"]] == ["risk-code"]
        entered = service.post(f"/v1/procedures/{begun['procedure']}/attempts", {"item": item, "proof": proof}).json()
        assert (entered["outcome"], entered["next"]) == ("refused", begun["next"])


def test_M_CHOOSE_1_the_customer_chooses_behind_their_masks_which_address_receives_the_code(service):
    """The other one receives nothing, and nobody sees an address whole before he is in."""
    hana = service.customer()
    Login(service, hana)
    login = Login(service, hana, ABROAD)
    path = f"/v1/procedures/{login.id}"
    shown = service.get(f"{path}/addresses")
    assert not [mail for mail in hana.mails if mail in shown.text]
    chosen = shown.json()["addresses"][1]
    assert len(shown.json()["addresses"]) == len(hana.mails) and "•" in chosen["address"]
    before = list(service.received(hana.mails[0]))
    assert service.post(f"{path}/challenges", {"item": "risk-code", "address": chosen["id"]}).status_code == 201
    code = service.code(hana, n=1)
    assert list(service.received(hana.mails[0])) == before
    assert login.enter("risk-code", code)["session"]


def test_M_RISK_2_the_right_code_ends_it(service):
    hana = service.customer()
    assert Login(service, hana).session
    assert Login(service, hana, ABROAD).confirmed().session
    assert not demanded(service, hana)
    assert Login(service, hana, ABROAD).session, "the place is a usual one from now on"
    assert Login(service, hana).session


def test_M_RISK_2_a_way_round_by_another_procedure_is_none(service):
    """The demand stands on the customer: a run that was begun before it meets it too."""
    hana = service.customer()
    assert Login(service, hana).session
    early = service.post("/v1/procedures", {"operation": "login", "subject": hana.subject, "context": HOME}).json()["procedure"]
    Login(service, hana, ABROAD)
    entered = service.post(f"/v1/procedures/{early}/attempts", {"item": "login-password", "proof": hana.password}).json()
    assert [one["item"] for one in entered["next"]] == ["risk-code"] and "session" not in entered


@pytest.mark.parametrize(("signal", "usual", "other"), [
    ("new-network", {"ip": "203.0.113.7"}, {"ip": "203.0.114.7"}),
    ("new-network", {"ip": "2001:db8:1::7"}, {"ip": "2001:db8:2::7"}),
    ("new-country", {"country": "JP"}, {"country": "KR"}),
    ("unknown-device", {"device": "one"}, {"device": "two"}),
    ("unusual-environment", {"device": "one", "country": "JP"}, {"device": "one", "country": "KR"}),
])
def test_M_RISK_1_each_signal_by_itself(made, signal, usual, other):
    """Twice within a day; the first time counts and asks nothing."""
    service = made(f"signal: {signal}, times: 2, within: 1d")
    hana = service.customer()
    for _ in range(3):
        assert Login(service, hana, usual).session
    first = Login(service, hana, other)
    if not first.session:
        # For a device the very first login of all was from an unknown one.
        assert signal in {"unknown-device", "unusual-environment"} and first.asks == ["risk-code"]
        return
    service.passes(2 * DAY)
    another = {name: {"device": "three", "ip": "192.0.2.1", "country": "DE"}[name] for name in other}
    assert Login(service, hana, {**other, **another}).session, "the first was longer ago than a day"


@pytest.mark.parametrize(("usual", "same"), [
    ({"ip": "203.0.113.7"}, {"ip": "203.0.113.250"}), ({"ip": "2001:db8:1::7"}, {"ip": "2001:db8:1:ffff::9"}),
    ({"ip": "203.0.113.7"}, {"ip": "::ffff:203.0.113.9"}), ({"ip": "203.0.113.7"}, {"ip": "no address"}), ({"country": "JP"}, {}),
])
def test_M_RISK_1_the_same_network_under_another_address_is_none(made, usual, same):
    service = made("signal: new-network, times: 1, within: 1d", "signal: new-country, times: 1, within: 1d")
    hana = service.customer()
    assert Login(service, hana, usual).session and Login(service, hana, same).session


def test_M_RISK_1_many_logins_in_a_short_time(made):
    service = made("signal: many-logins, times: 4, within: 5m")
    hana, taro = service.customer(), service.customer()
    for _ in range(3):
        assert Login(service, hana).session
    assert Login(service, hana).asks == ["risk-code"]
    for _ in range(6):
        assert Login(service, taro).session
        service.passes(2 * MINUTE)


def test_a_place_is_usual_as_long_as_the_policy_says(made):
    service = made("signal: new-country, times: 1, within: 1d", "signal: unknown-device, times: 2, within: 1d", trusts="30d")
    hana = service.customer()
    assert Login(service, hana).session
    assert Login(service, hana, {**HOME, "country": "FR"}).confirmed().session
    service.passes(31 * DAY)
    assert Login(service, hana).session, "nothing is usual any more: this lays the ground anew"
    assert Login(service, hana, {**HOME, "country": "FR"}).asks == ["risk-code"]


def pays(service, session, institution):
    run = service.post("/v1/procedures", {"operation": "transfer", "session": session}).json()
    assert [one["item"] for one in run["next"]] == ["amount-and-payee"], run
    proof = {"amount": "1000", "payee": "Taro", "institution": institution}
    entered = service.post(f"/v1/procedures/{run['procedure']}/attempts", {"item": "amount-and-payee", "proof": proof}).json()
    return [one["item"] for one in entered["next"]]


def test_M_RISK_1_transfers_to_several_institutions_from_an_unusual_environment(service):
    hana = service.customer("token-otp")
    assert Login(service, hana).session
    session = Login(service, hana, {**HOME, "device": "of a friend"}).session
    assert pays(service, session, "0001") == ["token-otp"]
    assert pays(service, session, " 0001 ") == ["token-otp"], "the same institution is one"
    assert pays(service, session, "0005") == ["risk-code"], "asked about before the token, in the same run"
    assert demanded(service, hana)


def test_M_RISK_1_the_same_transfers_from_home_are_nobodys_concern(service):
    hana = service.customer("token-otp")
    assert Login(service, hana).session
    session = Login(service, hana).session
    assert [pays(service, session, f"000{n}") for n in range(4)] == [["token-otp"]] * 4


def test_M_RISK_2_a_bank_that_compares_is_told_too(service):
    """Count mode: after the password only what answers the demand may be entered, and the right verdict ends it."""
    hana = service.customer()
    assert Login(service, hana).session

    def hold(item, context=ABROAD, operation="login"):
        body = {"operation": operation, "item": item, "subject": hana.subject, "session": f"abroad-{operation}", "context": context}
        return service.post("/v1/reservations", body)

    def right(held):
        return service.post(f"/v1/reservations/{held.json()['reservation']}/verdict", {"verdict": "right"}).json()

    assert [one["item"] for one in right(hold("login-password"))["next"]] == ["risk-code"]
    assert hold("login-password").json()["outcome"] == "refused"
    assert hold("token-otp", operation="transfer").json()["outcome"] == "refused"
    right(hold("risk-code"))
    assert not demanded(service, hana)
    assert hold("token-otp", operation="transfer").json()["outcome"] == "granted"


def test_staff_see_what_brought_it_about(service):
    hana = service.customer()
    assert Login(service, hana).session
    Login(service, hana, ABROAD)
    told_of = [(one["kind"], one["reason"]) for one in service.view(hana.subject)["events"] if one["kind"] == "identity-demanded"]
    assert told_of == [("identity-demanded", "new-country")]


@pytest.mark.parametrize("country", ["jp", "JPN", "", "J1", "<b>"])
def test_a_country_that_is_none_is_refused_and_not_repeated(service, country):
    answer = service.post("/v1/procedures", {"operation": "login", "context": {"country": country}})
    assert answer.status_code == 422 and (not country or country not in answer.text)


def test_no_address_stands_in_the_ledger(service):
    """Of a network the ledger keeps a keyed digest."""
    hana = service.customer()
    Login(service, hana, {**HOME, "ip": "203.0.113.77"})
    assert b"203.0.113" not in b"".join(path.read_bytes() for path in service.folder.glob("sekisho.db*"))


# -- after it went through ---------------------------------------------------------------------------------------------------


def told_of_login(service, customer):
    """Every notice of a login that has reached him, by its way."""
    while any([service.do(service.app.recoveries.go_on()), service.do(service.app.outbox.deliver())]):
        pass
    wanted = say("ja", "notice.unusual-login", code="").partition("\n")[0]
    boxes = [(Way.MAIL, to) for to in customer.mails] + [(Way.TELEPHONE, customer.telephone)]
    return [(way, one.body) for way, to in boxes for one in service.boxes[way].received(to) if wanted in one.body]


def test_M_RISK_1_the_customer_is_told_of_a_login_from_elsewhere_once_it_is_through(service):
    """On every channel on file, and not before the code was right."""
    hana = service.customer()
    Login(service, hana)
    abroad = Login(service, hana, ABROAD)
    assert told_of_login(service, hana) == []
    abroad.confirmed()
    assert [way for way, _ in told_of_login(service, hana)] == [*[Way.MAIL] * len(hana.mails), Way.TELEPHONE]


def test_M_RISK_1_nobody_is_told_of_what_is_usual(service):
    """The first login of all, one from where he always is, and one from where he has been told of."""
    hana = service.customer()
    assert Login(service, hana, ABROAD).session and Login(service, hana, ABROAD).session
    assert told_of_login(service, hana) == []
    Login(service, hana, HOME).confirmed()
    number = len(told_of_login(service, hana))
    assert number and Login(service, hana, HOME).session
    assert len(told_of_login(service, hana)) == number


def test_M_RISK_1_whoever_was_told_and_knows_nothing_of_it_stops_everything(service):
    """The thief's session ends with the number out of the notice; the customer needs nothing else."""
    hana = service.customer()
    Login(service, hana)
    session = Login(service, hana, ABROAD).confirmed().session
    assert service.get(f"/v1/sessions/{session}").json()["live"]
    _, body = told_of_login(service, hana)[0]
    code = next(line.strip() for line in body.splitlines() if line.startswith("    "))
    assert told(service.post("/v1/disavowals", {"subject": hana.subject, "code": code}))["outcome"] == "stopped"
    assert not service.get(f"/v1/sessions/{session}").json()["live"]
    assert Login(service, hana).answer["outcome"] == "refused"


def test_M_RISK_1_a_policy_that_tells_of_no_login_tells_of_none(made):
    quiet = made("signal: many-logins, times: 100, within: 1d", trusts="90d", tells=False)
    hana = quiet.customer()
    assert Login(quiet, hana).session and Login(quiet, hana, ABROAD).session
    assert told_of_login(quiet, hana) == []
