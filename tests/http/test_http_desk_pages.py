"""The pages of the desk, on major-bank: forms as the page made them, under an operator's key."""

import html
import re

import httpx
import pytest
from bankside import HOST, Service
from test_http_desk import REMEDIES, at, goes_on, mails, registers_again
from test_http_desk import Case as CaseCalls

from sekisho.catalogue import say
from sekisho.core.state import SECOND
from sekisho.flows.sights import rfc3339
from sekisho.policy import reference
from sekisho.web.desk import CASES, _moment
from sekisho.web.seating import COOKIE


@pytest.fixture(scope="module")
def service(tmp_path_factory, cheap_hashes):
    made = Service(tmp_path_factory.mktemp("major-pages"), reference("major-bank"))
    yield made
    made.close()


@pytest.fixture
def hana(service):
    at(service, 12 * 3600)
    return service.customer("card-pin", "token-otp", flags=("identity-demanded",))


class Screen:
    """One operator at her screen."""

    def __init__(self, service, operator=None, language="en"):
        self.service, self.language, self.html, self.at = service, language, "", ""
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(service.asgi), base_url=HOST, headers={"accept-language": language}, follow_redirects=True)
        if operator is not None:
            self.post("/desk/sign-in", key=service.keys[operator])

    def _seen(self, answer):
        self.answer, self.html, self.at = answer, answer.text, answer.url.path
        return self

    def look(self, path):
        return self._seen(self.service.do(self.client.get(path)))

    def post(self, path, /, **fields):
        return self._seen(self.service.do(self.client.post(path, data=fields)))

    @property
    def text(self):
        return html.unescape(re.sub(r"<[^>]+>", " ", self.html))

    def forms(self, act, **wanted):
        """The hidden fields of every form for an act."""
        found = []
        for action, inner in re.findall(r'<form[^>]* action="/desk/([\w-]+)"[^>]*>(.*?)</form>', self.html, re.DOTALL):
            fields = {name: html.unescape(value) for name, value in re.findall(r'type="hidden" name="([\w-]+)" value="([^"]*)"', inner)}
            if action == act and wanted.items() <= fields.items():
                found.append(fields)
        return found

    def send(self, act, fields=None, **typed):
        """Send the first form for an act; `fields` says which."""
        return self.post(f"/desk/{act}", **self.forms(act, **(fields or {}))[0], **typed)

    def says(self, name, **facts):
        return say(self.language, name, **facts) in self.text


@pytest.fixture(params=["ja", "en"])
def aoki(service, request):
    return Screen(service, "aoki", request.param)


def opened(screen, customer):
    return screen.look(f"/desk/customer?number={customer.number}").send("open", matter="no code by mail arrives", how="telephone")


def test_M_DESK_2_the_whole_way_over_the_pages(service, hana, aoki):
    """First line walks through the remedies and verifies; two of second line delete; the customer registers again."""
    opened(aoki, hana)
    for remedy in REMEDIES:
        aoki.send("note", {"text": remedy})
    aoki.send("verify", {"item": "caller-code"})
    assert aoki.send("heard", {"item": "caller-code"}, proof=service.code(hana, "telephone")).says("desk.said-verified")
    case = aoki.answer.url.query.decode()
    chiba, doi = Screen(service, "chiba", aoki.language), Screen(service, "doi", aoki.language)
    chiba.look(f"/desk/case?{case}").send("ask", {"path": "delete-addresses"}, reason="no code arrives")
    assert chiba.says("desk.said-asked")
    assert chiba.send("approve").says("problem.same-person") and mails(service, hana)
    assert doi.look(f"/desk/case?{case}").send("approve").says("desk.said-done")
    goes_on(service)
    calls = CaseCalls.__new__(CaseCalls)
    calls.service, calls.customer, calls.id = service, hana, case.removeprefix("id=")
    code = calls.release_code()
    for screen in (aoki, chiba, doi):
        assert code not in screen.look(f"/desk/case?{case}").html + screen.look(f"/desk/customer?number={hana.number}").html
    registers_again(service, calls, "new")
    assert aoki.look(f"/desk/case?{case}").says("desk.state-recovered")


def test_M_DESK_1_first_line_is_told_why_it_may_not(service, hana, aoki):
    """The page offers no form for it, and one made by hand is refused and says why."""
    opened(aoki, hana)
    assert aoki.forms("ask") == [] and aoki.says("desk.not-yours")
    fields = {**aoki.forms("note", what="remark")[0], "path": "delete-addresses", "reason": "because"}
    assert aoki.post("/desk/ask", **fields).says("problem.needs-role")
    assert mails(service, hana) == list(hana.mails)


def test_M_DESK_1_counts_locks_addresses_and_the_course_of_messages_are_there(service, hana, aoki):
    service.put(hana.subject, {"counts": {"login-password-in-a-row": 7}}, "login-password")
    run = service.post("/v1/procedures", {"operation": "login", "subject": hana.subject}).json()["procedure"]
    service.post(f"/v1/procedures/{run}/attempts", {"item": "login-password", "proof": hana.password})
    service.post(f"/v1/procedures/{run}/challenges", {"item": "risk-code"})
    service.received(hana.mails[0])
    aoki.look(f"/desk/customer?number={hana.number}")
    assert "f•••@e•••.com" in aoki.text and hana.mails[0] not in aoki.text
    assert aoki.says("trace.handed-over") and aoki.says("trace.accepted") and re.search(r": 7 · 10", aoki.text)


def test_M_STOP_1_first_line_stops_over_the_page(service, hana, aoki):
    aoki.look(f"/desk/customer?number={hana.number}").send("stop", reason="he telephoned", known_by="number-on-file")
    assert aoki.says("desk.said-stopped") and service.locks(hana.subject) == ["M-STOP-1"]


def test_M_STOP_1_a_stop_that_is_refused_is_told_as_that(service, hana, aoki):
    """Somebody whom nobody knows stops a customer once in seven days."""
    for text in ("desk.said-stopped", "staff.stop-refused"):
        aoki.post("/desk/sign-in", key=service.keys["aoki"])
        assert aoki.look(f"/desk/customer?number={hana.number}").send("stop", reason="somebody telephoned", known_by="").says(text)
        service.passes(25 * 3600)


@pytest.mark.parametrize(("zone", "told"), [("Asia/Tokyo", "+09:00"), ("Europe/Berlin", "+02:00"), ("America/St_Johns", "-02:30")])
def test_M_CALL_1_a_call_back_is_planned_by_the_clock_of_the_desk(zone, told):
    assert _moment("2026-07-01T10:00", zone) == f"2026-07-01T10:00:00{told}"
    assert _moment("soon", zone) == "soon"


def test_a_double_click_counts_one_guess(service, hana):
    aoki = opened(Screen(service, "aoki"), hana)
    aoki.send("verify", {"item": "caller-code"})
    form = aoki.forms("heard", item="caller-code")[0]
    for _ in range(4):
        assert aoki.post("/desk/heard", **form, proof="000000").says("desk.said-wrong")
    assert service.count(hana.subject, "caller-in-a-row") == 1


def test_a_double_click_opens_one_case(service, hana):
    aoki = Screen(service, "aoki").look(f"/desk/customer?number={hana.number}")
    form = aoki.forms("open")[0]
    first, second = (aoki.post("/desk/open", **form, matter="twice", how="telephone").answer.url for _ in range(2))
    assert first == second
    assert len(service.get(f"/v1/staff/cases?subject={hana.subject}", "aoki").json()["cases"]) == 1


@pytest.mark.parametrize("path", ["/desk", "/desk/customer?number=0012345678", "/desk/case?id=none"])
def test_nobody_sees_anything_who_is_not_signed_in(service, path):
    stranger = Screen(service).look(path)
    assert 'action="/desk/sign-in"' in stranger.html and "customer:" not in stranger.html


@pytest.mark.parametrize("key", ["", "no key", "鍵", "bank", "goto", "endo"])
def test_only_those_of_the_desk_sign_in(service, key):
    """Not a channel, nor who only looks, nor the back office, which has no cases."""
    stranger = Screen(service).post("/desk/sign-in", key=service.keys.get(key, key))
    assert (stranger.answer.status_code, COOKIE in stranger.client.cookies) == (403, False)
    assert stranger.says("desk.no-seat" if key in {"goto", "endo"} else "desk.not-signed-in")


def test_the_browser_gets_a_new_name_at_every_sign_in_and_never_the_key(service):
    """A name that somebody laid out before is worth nothing."""
    aoki = Screen(service)
    aoki.client.cookies.set(COOKIE, "laid out", domain="127.0.0.1", path="/desk")
    aoki.post("/desk/sign-in", key=service.keys["aoki"])
    answer = aoki.answer.history[0]
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/desk" in cookie
    assert service.keys["aoki"] not in aoki.html and "laid out" not in answer.headers["set-cookie"]


@pytest.mark.parametrize("act", ["open", "note", "verify", "heard", "ask", "approve", "stop"])
@pytest.mark.parametrize("token", ["", "stolen", "é"])
def test_a_form_that_the_page_did_not_give_does_nothing(service, hana, act, token):
    aoki = Screen(service, "aoki")
    aoki.post(f"/desk/{act}", token=token, subject=hana.subject, matter="x", how="telephone", reason="x", known_by="verified")
    assert aoki.answer.status_code == 403
    assert service.locks(hana.subject) == [] and service.get(f"/v1/staff/cases?subject={hana.subject}", "aoki").json()["cases"] == []


def test_signed_out_is_signed_out(service):
    aoki = Screen(service, "aoki")
    cookie = aoki.client.cookies.get(COOKIE)
    aoki.send("sign-out")
    aoki.client.cookies.set(COOKIE, cookie, domain="127.0.0.1", path="/desk")
    assert 'action="/desk/sign-in"' in aoki.look("/desk").html


@pytest.mark.parametrize("typed", ["<script>alert(1)</script>", '"><img src=x>', "{{ 7 * 7 }}", "関所 & more", "x" * 400])
def test_whatever_is_typed_stands_there_as_text(service, hana, typed):
    aoki = opened(Screen(service, "aoki"), hana)
    aoki.send("note", {"what": "remark"}, text=typed)
    assert html.escape(typed).replace("&quot;", "&#34;") in aoki.html
    assert "<script" not in aoki.html and "<img" not in aoki.html


@pytest.mark.parametrize("fields", [
    {"case": "//evil.example"}, {"case": "x/../../evil"}, {"subject": "https://evil.example"}, {"approval": "../../../evil", "case": ""},
])
def test_no_form_leads_to_another_site(service, hana, fields):
    aoki = Screen(service, "aoki")
    token = aoki.forms("sign-out")[0]["token"]
    for act in ("note", "ask", "approve", "open", "stop"):
        assert aoki.post(f"/desk/{act}", token=token, **fields).answer.url.host == "127.0.0.1"
        assert aoki.at in {"/desk", "/desk/customer", "/desk/case"}


def test_a_page_loads_nothing_and_is_light(service, hana, aoki):
    """No script, no frame, nobody else's; under 60 KB."""
    opened(aoki, hana)
    for path in ("/desk", f"/desk/customer?number={hana.number}", f"/desk/case?{aoki.answer.url.query.decode()}"):
        page = aoki.look(path)
        assert page.answer.headers["content-security-policy"].startswith("default-src 'none';")
        assert "<script" not in page.html and "style=" not in page.html and len(page.html) < 60_000
        ids = re.findall(r'\bid="([^"]+)"', page.html)
        assert len(ids) == len(set(ids)) and set(re.findall(r'\bfor="([^"]+)"', page.html)) <= set(ids)
        assert f'<html lang="{page.language}">' in page.html


def test_M_DESK_1_the_overview_shows_what_presses_and_no_more_than_a_screen_holds(service):
    """However many cases are open: the page stays small, what waits for a person stands first, and the rest is counted."""
    at(service, 12 * 3600)
    before = service.get("/v1/staff/cases", "aoki").json()["cases"]
    oldest = service.customer()
    first = service.post("/v1/staff/cases", {"subject": oldest.subject, "matter": "rung back", "how": "telephone"}, "aoki").json()["case"]
    when = rfc3339(service.do(service.app.store.clock()) + 3600 * SECOND)
    assert service.post(f"/v1/staff/cases/{first}/notes", {"what": "call-back", "at": when}, "aoki").status_code == 200
    for n in range(CASES + 5):
        service.post("/v1/staff/cases", {"subject": service.customer().subject, "matter": f"matter {n}", "how": "telephone"}, "aoki")
    screen = Screen(service, "aoki").look("/desk")
    assert screen.html.count("/desk/case?id=") == CASES
    assert screen.says("desk.more-cases", n=len(before) + 6)
    assert screen.html.index(f"id={first}") < screen.html.index(f"matter {CASES + 4}"), "whoever is to be rung"
    assert len(screen.html.encode()) < 60 * 1024
    shown = service.get("/v1/staff/cases?first=1000", "aoki").json()
    assert (len(shown["cases"]), shown["more"]) == (len(before) + CASES + 6, 0)
    for odd in ("first=-1", "first=x", "first=", "first=%C2%B2", "first=99999", f"subject={'x' * 201}"):
        assert service.get(f"/v1/staff/cases?{odd}", "aoki").status_code == 422
