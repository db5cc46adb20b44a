"""Sessions: what they rest on, how long they last, and their end: one, all, and at once on every node where a penalty falls."""

from datetime import datetime

import pytest
from bankside import Service, Verify, told

from sekisho.adapters.keyring import Keyring
from sekisho.app import open_store


@pytest.fixture
def bank(service):
    return Verify(service)


@pytest.fixture
def hana(service):
    return service.customer("token-otp", "app-passcode")


def view(service, session):
    answer = service.get(f"/v1/sessions/{session}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def at(text):
    return datetime.fromisoformat(text).timestamp()


def test_a_bank_reads_what_was_proved_by_what_and_when(service, bank, hana):
    session = service.session(hana)
    first = view(service, session)
    assert [(one["item"], one["kind"]) for one in first["proved"]] == [("login-password", "password")]
    assert (first["live"], first["factors"], first.get("resists_phishing", False)) == (True, ["knowledge"], False)
    service.passes(60)
    run = bank.run("transfer", hana, session)
    assert run.right("token-otp")["outcome"] == "right"
    later = view(service, session)
    assert [(one["item"], one["kind"]) for one in later["proved"]][-1] == ("token-otp", "totp")
    assert later["factors"] == ["knowledge", "possession"]
    assert at(later["proved"][-1]["at"]) - at(later["proved"][0]["at"]) >= 60
    assert later["started"] == first["started"] and at(later["used"]) > at(first["used"])


def limits(service):
    timing = service.app.table.timing
    return timing.session_idle_s, timing.session_total_s


def test_it_says_when_it_is_over(service, hana):
    idle, total = limits(service)
    seen = view(service, service.session(hana))
    assert (at(seen["idle_until"]) - at(seen["used"]), at(seen["until"]) - at(seen["started"])) == (pytest.approx(idle), pytest.approx(total))


@pytest.mark.parametrize(("seconds", "live"), [(-5, True), (5, False)])
def test_unused_it_is_over_after_its_idle_time(service, bank, hana, seconds, live):
    session = service.session(hana)
    service.passes(limits(service)[0] + seconds)
    assert service.live(session) is live
    answer = service.post("/v1/procedures", {"operation": "transfer", "subject": hana.subject, "session": session})
    assert answer.status_code == (201 if live else 409)


def test_used_it_lasts_its_whole_time_and_no_longer(service, bank, hana):
    session = service.session(hana)
    idle, total = limits(service)
    passed = 0
    while passed + idle - 10 < total:
        bank.run("transfer", hana, session).reach("token-otp")
        service.passes(idle - 10)
        passed += idle - 10
        assert service.live(session)
    service.passes(total - passed)
    assert service.get(f"/v1/sessions/{session}").status_code == 404, "it is forgotten by now"


def test_one_is_ended_and_the_others_stay(service, bank, hana):
    one, other = service.session(hana), service.session(hana)
    run = bank.run("transfer", hana, one)
    assert service.call("DELETE", f"/v1/sessions/{one}").json()["live"] is False
    assert [service.live(session) for session in (one, other)] == [False, True]
    assert run.proof("amount-and-payee", "1000 yen to 10000-1")["outcome"] == "refused"


def test_an_account_that_is_his_no_more_ends_what_was_begun_about_it(service, hana):
    """Another beside it ends nothing, nor does the same told once more."""
    links = {"account": hana.account_subject}
    session, begun = service.session(hana), Verify(service).run("login", hana)
    for accounts in (["account:12340-1"], ["account:12340-1"], ["account:12340-1", "account:12340-2"]):
        service.put(hana.subject, {"links": links, "accounts": accounts})
        assert service.live(session)
    service.put(hana.subject, {"links": links, "accounts": ["account:12340-2"]})
    assert not service.live(session) and begun.right("login-password")["outcome"] == "refused"
    another = service.session(hana)
    service.put(hana.subject, {"links": {"account": "account:12340-2"}})
    assert not service.live(another)


def test_all_are_ended_with_what_was_begun_in_them_and_nobody_elses(service, bank, hana):
    yuki = service.customer()
    mine, other, his = service.session(hana), service.session(hana), service.session(yuki)
    open_login, run = bank.run("login", hana), bank.run("transfer", hana, other)
    assert service.call("DELETE", f"/v1/sessions/{his}/all", by="other bank").status_code == 404
    after = service.now_in_feed()
    assert service.call("DELETE", f"/v1/sessions/{mine}/all").status_code == 200
    assert [service.live(session) for session in (mine, other, his)] == [False, False, True]
    assert ("session-ended", hana.subject) in service.told_since(after)
    assert run.proof("amount-and-payee", "1000 yen to 10000-1")["state"] == "ended"
    assert open_login.proof("login-password", hana.password)["state"] == "ended"
    assert service.call("DELETE", f"/v1/sessions/{mine}/all").status_code == 404
    assert service.live(service.session(hana))


class Node(Service):
    """One of several nodes over one store, with the keys of the first."""

    def __init__(self, folder, place, first=None):
        self.place, self.first = place, first
        super().__init__(folder)

    def make_runner(self):
        """All run in one loop: else one could stand still with rows locked, and the others wait for it."""
        return super().make_runner() if self.first is None else self.first.runner

    def make_keys(self):
        if self.first is None:
            return super().make_keys()
        self.keys = self.first.keys
        return Keyring.open(self.folder / "keys.json")

    def ahead_us(self):
        """Their clock is the database's."""
        return 0

    def store(self):
        return open_store(self.place, make=self.first is None)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def nodes(request, tmp_path_factory, cheap_hashes):
    """Two nodes over one store."""
    folder = tmp_path_factory.mktemp("nodes")
    place = f"sqlite:///{folder / 'sekisho.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres").database()
    one = Node(folder, place)
    other = Node(folder, place, one)
    yield one, other
    other.leave()
    one.close()


def test_a_penalty_ends_the_sessions_it_names_at_once_on_every_node(nodes):
    """Ten wrong passwords at one node; the other asks nobody and waits for nothing."""
    one, other = nodes
    hana, yuki = one.customer("token-otp"), one.customer()
    sessions = [one.session(hana), other.session(hana), one.session(yuki)]
    run = Verify(one).run("transfer", hana, sessions[0])
    login = Verify(other).run("login", hana)
    assert login.wrong("login-password", 10)["message"] == "wrong-locked"
    assert [[node.live(session) for session in sessions] for node in nodes] == [[False, False, True]] * 2
    assert run.proof("amount-and-payee", "1000 yen to 10000-1")["state"] == "ended"
    begun = one.post("/v1/procedures", {"operation": "transfer", "subject": hana.subject, "session": sessions[1]})
    assert begun.status_code == 409


def test_a_forced_logout_ends_one_session_on_every_node_and_the_others_stay(nodes):
    one, other = nodes
    hana = one.customer("token-otp")
    mine, others = one.session(hana), other.session(hana)
    run = Verify(one).run("transfer", hana, mine)
    run.wrong("token-otp", 2)
    last = Verify(other).run("transfer", hana, mine)
    last.reach("token-otp")
    assert last.wrong("token-otp")["state"] == "ended"
    assert [(node.live(mine), node.live(others)) for node in nodes] == [(False, True)] * 2
    assert told(one.post(f"/v1/procedures/{run.id}/attempts", {"item": "token-otp", "proof": one.token(hana)}))["outcome"] == "refused"
