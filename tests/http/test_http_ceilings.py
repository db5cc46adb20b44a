"""The bank's own ceiling over HTTP: a sweep over all customers is noticed and slowed, and whoever is known passes."""

import re

import pytest
from bankside import Service, nobody, told
from scale import times
from test_http_devices import At, device, hana_at_home, logged_in

from sekisho.core.state import THE_BANK
from sekisho.flows.ceilings import IDLE_TURNS
from sekisho.policy import reference

pytestmark = pytest.mark.timeout(times(120, full=3_600))

SWEPT = times(160, full=100_000)
"""Customers of whom nobody has more than one wrong entry."""

LIMIT = times(40, full=20_000)
HOUR = 3600


@pytest.fixture(scope="module")
def service(tmp_path_factory, cheap_hashes):
    folder = tmp_path_factory.mktemp("ceilings")
    text, number = re.subn("wrong: 20000\n", f"wrong: {LIMIT}\n", reference("postal-bank").read_text(encoding="utf-8"))
    assert number == 1
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    made = Service(folder, folder / "policy.yaml")
    yield made
    made.close()


@pytest.fixture(autouse=True)
def quiet(service):
    """Each test begins on a day of its own."""
    yield
    service.passes(2 * 24 * HOUR)
    service.do(turns(service))


async def turns(service, number=IDLE_TURNS + 1):
    for _ in range(number):
        await service.app.ceilings.mind(service.app.table, service.clock())


def at_the_bank(service):
    return service.view(THE_BANK)


def standing(service):
    service.do(turns(service))
    return next((count["wrong"] for count in at_the_bank(service)["counts"]), 0)


async def one_wrong_login(service, subject):
    body = {"operation": "login", "item": "login-password", "subject": subject}
    held = await service.send("POST", "/v1/reservations", body)
    if held.status_code == 201:
        await service.send("POST", f"/v1/reservations/{held.json()['reservation']}/verdict", {"verdict": "wrong"})
        return "wrong"
    return "again" if held.json().get("again") else held.json()["code"]


def sweep(service, customers, at_once=25):
    said = []
    for n in range(0, customers, at_once):
        names = [nobody().subject for _ in range(min(at_once, customers - n))]
        said += service.together(*(one_wrong_login(service, name) for name in names))
    return said


def sweep_to_the_limit(service):
    """Until more is asked of whoever is not known: what was said."""
    said = []
    while "more-first" not in said:
        said += sweep(service, 25)
        service.do(turns(service, 1))
    return said


def test_a_sweep_of_one_guess_for_each_customer_is_noticed_and_slowed_while_known_devices_pass(service):
    hana, home, _ = hana_at_home(service)
    after = service.now_in_feed()
    said = sweep_to_the_limit(service)
    assert "ceiling-reached" in {event["kind"] for event in at_the_bank(service)["events"]}
    said += sweep(service, SWEPT - len(said))
    assert said.count("wrong") == LIMIT < len(said) == SWEPT
    assert set(said) <= {"wrong", "again", "more-first"}
    service.do(turns(service))
    seen = at_the_bank(service)
    (lock,) = seen["locks"]
    assert (lock["row"], lock["kind"], lock["devices"], lock["first"]) == ("passwords-of-a-sweep", "ask-more", "unknown", "mail-otp")
    assert ("lock-set", THE_BANK) in service.told_since(after)
    figures = service.do(service.metrics.get("/metrics")).text
    assert f'sekisho_ceiling_wrong{{ceiling="passwords-of-a-sweep"}} {LIMIT}' in figures
    assert 'sekisho_ceiling_asking{ceiling="passwords-of-a-sweep"} 1' in figures
    assert logged_in(service, hana, home)
    assert At(service, hana, home).enter("wrong")["outcome"] == "wrong"


def test_an_unknown_device_answers_a_code_first_and_is_in(service):
    hana = service.customer("token-otp")
    sweep_to_the_limit(service)
    phone = device()
    run = At(service, hana, phone).begin()
    assert run.asks() == ["mail-otp"]
    assert run.proof("login-password", hana.password)["outcome"] == "refused"
    assert service.post(f"/v1/procedures/{run.run}/challenges", {"item": "mail-otp"}).status_code == 201
    assert run.proof("mail-otp", service.code(hana))["next"][0]["item"] == "login-password"
    assert run.proof("login-password", hana.password)["state"] == "done"
    assert At(service, hana, phone).begin().asks()[0] == "login-password"  # known from now on


def test_a_stranger_s_name_is_asked_for_the_same_code(service):
    sweep_to_the_limit(service)
    hana, ghost = service.customer(), nobody()
    runs = [At(service, one, device()).begin() for one in (hana, ghost)]
    assert runs[0].asks() == runs[1].asks() == ["mail-otp"]
    sent = [service.post(f"/v1/procedures/{run.run}/challenges", {"item": "mail-otp"}).status_code for run in runs]
    assert sent == [201, 201]
    assert [run.proof("mail-otp", "12345678")["message"] for run in runs] == ["wrong", "wrong"]


def test_whoever_names_himself_on_the_way_does_so_first(service):
    """Before the run knows for whom it is, there is nobody to send a code to."""
    hana = service.customer()
    sweep_to_the_limit(service)
    run = At(service, hana, device()).begin(subject=None)
    assert run.asks() == ["customer-number"]
    assert [one["item"] for one in run.proof("customer-number", hana.number)["next"]] == ["mail-otp"]


def test_right_entries_cost_nothing(service):
    hana = service.customer()
    for _ in range(3):
        assert At(service, hana).enter("right")["outcome"] == "right"
    body = {"operation": "login", "item": "login-password", "subject": hana.subject}
    for verdict in ("right", "unread"):
        held = service.post("/v1/reservations", body).json()["reservation"]
        told(service.post(f"/v1/reservations/{held}/verdict", {"verdict": verdict}))
    assert standing(service) == 0
    assert At(service, hana).enter("wrong")["outcome"] == "wrong"
    assert standing(service) == 1


def test_known_devices_are_not_counted(service):
    hana, home, _ = hana_at_home(service)
    At(service, hana, home).outcomes("wrong", 3)
    assert standing(service) == 0


def test_a_sweep_over_others_accounts_from_one_s_own_device_is_counted_and_slowed(service):
    """Registering somebody's account asks for his password: he answers for the device, and not whoever sits at it."""
    hana, home, session = hana_at_home(service)

    def tries(other):
        return At(service, hana, home, "register-account").begin(session=session, about=other.account_subject)

    others = [service.customer() for _ in range(3)]
    assert [tries(one).proof("login-password", "a guess")["outcome"] for one in others] == ["wrong"] * 3
    assert standing(service) == 3
    sweep_to_the_limit(service)
    assert tries(service.customer()).asks() == ["mail-otp"]
    assert logged_in(service, hana, home)


def test_it_ends_with_its_time_and_begins_at_nothing(service):
    sweep_to_the_limit(service)
    service.passes(6 * HOUR)
    service.do(turns(service))
    assert At(service, nobody(), device()).enter("wrong")["outcome"] == "wrong"
    assert standing(service) == 1 and at_the_bank(service)["locks"] == []


def test_staff_may_end_it_sooner(service):
    # At noon in Tokyo the desk is open.
    service.passes((12 * HOUR - (service.clock() // 1_000_000 + 9 * HOUR)) % (24 * HOUR))
    sweep_to_the_limit(service)
    asked = service.release(THE_BANK, "end-of-sweep", by="chiba")
    assert asked.status_code == 202, asked.text
    assert service.approve(asked, by="doi").status_code == 200
    service.do(turns(service))
    assert sweep(service, 3) == ["wrong"] * 3
    assert standing(service) == 3


def test_a_customer_reads_no_figure_and_no_count_of_it(service):
    sweep_to_the_limit(service)
    said = service.post("/v1/reservations", {"operation": "login", "item": "login-password", "subject": nobody().subject})
    assert not re.search(r"\d", said.json()["message"]) and "passwords-of-a-sweep" not in said.text
    assert service.get(f"/v1/staff/subjects/{THE_BANK}", "bank").status_code == 403
