"""The manual that a service serves: whose article, where each refusal and each lock leads, search, and what staff say of it."""

import re

import pytest
from bankside import MODES, Service

from sekisho.flows.policies import AHEAD_S, propose, read
from sekisho.policy import parse, reference
from sekisho.proof.check import check


@pytest.fixture
def locked(service, verify):
    """A customer whose login is locked, and what the tenth wrong password was answered."""
    one = service.customer("login-password")
    run = service.post("/v1/procedures", {"operation": "login", "subject": one.subject}).json()["procedure"]
    told = [service.post(f"/v1/procedures/{run}/attempts", {"item": "login-password", "proof": "no"}).json() for _ in range(10)]
    return one, told


def test_K1_a_staff_key_gets_the_staff_article_and_a_channel_the_customers(service):
    staff, channel = service.get("/v1/manual", by="aoki").json(), service.get("/v1/manual").json()
    assert staff["audience"] == "staff" and staff["article"] == "16-5-3" and staff["version"] == service.app.table.version[:12]
    assert channel["audience"] == "customer" and not {"version", "since"} & set(channel)
    assert [one["operation"] for one in channel["operations"]] == list(service.app.table.operations)
    assert "row" not in channel["operations"][0]["items"][0] and staff["operations"][0]["items"][0]["row"] == "Y-LOGIN-1"


@pytest.mark.parametrize("language", ["ja", "en"])
def test_K1_an_operation_is_a_piece_for_the_banks_own_page(service, language):
    told = service.get("/v1/manual/operations/login", by="aoki", accept_language=language).json()
    assert told["language"] == language and "お客さまには案内不可" in told["html"] and "<html" not in told["html"]
    assert service.get("/v1/manual/operations/none").status_code == 404


@pytest.mark.parametrize("language", ["ja", "en"])
def test_K2_a_channels_piece_names_no_row_and_no_figure(service, language):
    html = service.get("/v1/manual/operations/login", accept_language=language).json()["html"]
    text = re.sub(r"<svg.*?</svg>|<[^>]+>", " ", html, flags=re.DOTALL)
    assert not re.search(r"Y-LOGIN|案内不可|\d+ ?回|in a row", text)


def test_K1_a_row_is_for_staff_alone(service):
    told = service.get("/v1/manual/rows/Y-LOGIN-3", by="aoki").json()
    assert told["address"] == "/desk/manual/en/operation/login#Y-LOGIN-3"
    assert "Y-LOGIN-3" in told["html"] and 'id="Y-LOGIN-4"' not in told["html"]
    assert service.get("/v1/manual/rows/Y-LOGIN-3").status_code == 403
    assert service.get("/v1/manual/rows/Y-NONE-1", by="aoki").status_code == 404


@pytest.mark.parametrize("row", ["M-STOP-1", "M-BULK-1", "other-locks", "Y-ABOLISHED-1", "login-password-a-year", "Y-OTHER-1", "Y-RULE-5", "passwords-of-a-sweep"])
def test_K1_whatever_a_lock_names_has_a_piece_of_its_own(service, row):
    html = service.get(f"/v1/manual/rows/{row}", by="aoki").json()["html"]
    assert row in html and len(re.findall(r'<section class="entry"', html)) == 1


def test_K2_a_wrong_entry_that_ends_the_run_and_every_refusal_say_where_to_read(service, locked):
    one, told = locked
    assert [answer.get("article") for answer in told] == [None] * 9 + ["/manual/operation/login"]
    run = service.post("/v1/procedures", {"operation": "login", "subject": one.subject}).json()["procedure"]
    refused = service.post(f"/v1/procedures/{run}/attempts", {"item": "login-password", "proof": "no"}).json()
    held = service.post("/v1/reservations", {"operation": "login", "item": "login-password", "subject": one.subject}).json()
    assert refused["outcome"] == held["outcome"] == "refused"
    assert refused["article"] == held["article"] == "/manual/operation/login"


def test_K2_a_code_that_is_not_sent_says_where_to_read(service):
    run = service.post("/v1/procedures", {"operation": "number-inquiry", "subject": "account:10000-12345671"}).json()
    told = service.post(f"/v1/procedures/{run['procedure']}/challenges", {"item": "mail-otp"}).json()
    assert told["outcome"] == "refused" and told["article"] == "/manual/operation/number-inquiry"


@pytest.mark.parametrize("language", ["ja", "en"])
def test_K2_the_article_that_a_refusal_names_is_there_for_everybody(service, language):
    page = service.get("/manual/operation/login", by=None, accept_language=language)
    assert page.status_code == 200 and f'<html lang="{language}">' in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'") and "<script" not in page.text
    assert service.get("/manual", by=None, accept_language=language).text.count("お客さまには案内不可") == 0


def test_K1_the_staff_article_is_behind_the_desks_door(service):
    door = service.get("/desk/manual/ja/operation/login", by=None)
    assert door.status_code == 401 and "お客さまには案内不可" not in door.text
    assert service.get("/desk/manual/ja/operation/login", by="bank").status_code == 401
    assert "お客さまには案内不可" in service.get("/desk/manual/ja/operation/login", by="aoki").text
    assert "お客さまには案内不可" in service.get("/manual", by="aoki", accept_language="ja").text


def test_K1_every_lock_in_the_staff_view_says_where_its_row_is_explained(service, locked):
    one, _ = locked
    lock = service.view(one.subject)["locks"][0]
    assert lock["article"] == "/desk/manual/rows/Y-LOGIN-3"
    led = service.get(lock["article"], by="aoki", accept_language="ja")
    assert led.status_code == 303 and led.headers["location"] == "/desk/manual/ja/operation/login#Y-LOGIN-3"


def test_K1_a_lock_that_an_older_policy_left_is_explained_too(service):
    led = service.get("/desk/manual/rows/Y-GONE-1", by="aoki", accept_language="en")
    assert led.headers["location"] == "/desk/manual/en/ways#other-locks"


def test_a_page_that_is_not_there_leads_to_the_first_one(service):
    for address, first in (("/manual/ja/none", "/manual/ja"), ("/manual/operation/none", "/manual/en"), ("/manual/xx", "/manual/en")):
        assert service.get(address, by=None).headers["location"] == first


@pytest.mark.parametrize(("language", "query", "first"), [
    ("ja", "ログインできない", "ログイン:"), ("ja", "ロックイン メールが届かない", "メール"), ("ja", "ｗｅｂ利用申し込み 暗証番号", "Web利用申し込み: キャッシュカードの暗証番号"),
    ("ja", "アプリの顔が消えた", "ログイン: 顔認証"), ("en", "I cannot log in", "Login: Login password"), ("en", "the app forgot my face", "Login: Face"),
    ("en", "Y-PAYEASY-2", "Linked transfer / Pay-easy: One-time password (token)"),
])
def test_K1_search_finds_by_word_and_by_what_a_caller_says(service, language, query, first):
    found = service.get("/v1/manual/search", by="aoki").json()["found"]
    assert found == []
    told = service.do(service.client.get(
        "/v1/manual/search", params={"q": query}, headers={"authorization": f"Bearer {service.keys['aoki']}", "accept-language": language})).json()
    assert any(first in one["title"] for one in told["found"][:6])
    page = service.do(service.client.get(f"/desk/manual/{language}/search", params={"q": query}, headers={
        "authorization": f"Bearer {service.keys['aoki']}"})).text
    assert told["found"][0]["title"] in page and told["found"][0]["address"] in page


def test_K2_customers_search_their_own_article(service):
    found = service.do(service.client.get(
        "/v1/manual/search", params={"q": "パスワードを忘れた"}, headers={"authorization": f"Bearer {service.keys['bank']}", "accept-language": "ja"})).json()
    assert found["found"] and all(one["address"].startswith("/manual/ja") and "Y-" not in one["title"] for one in found["found"])


def test_K1_did_this_help_is_kept_and_shown_to_the_policy_owner_alone(service):
    body = {"page": "operation/login", "helped": False, "note": "what about tokens", "language": "ja"}
    assert service.post("/v1/manual/answers", body, by="aoki").status_code == 200
    assert service.post("/v1/manual/answers", {**body, "helped": True, "note": ""}, by="chiba").status_code == 200
    assert service.post("/v1/manual/answers", {**body, "page": "operation/none"}, by="chiba").status_code == 404
    assert service.post("/v1/manual/answers", body).status_code == 403
    told = service.get("/v1/manual/answers", by="ito").json()
    assert told["pages"] == [{"page": "operation/login", "helped": 1, "not": 1}]
    assert [(one["by"], one["helped"], one["note"]) for one in told["newest"]] == [("chiba", True, ""), ("aoki", False, "what about tokens")]
    assert service.get("/v1/manual/answers", by="aoki").status_code == 403


@pytest.mark.parametrize("language", ["ja", "en"])
def test_K1_the_policy_owner_has_a_page_of_what_staff_said_and_nobody_is_named_on_it(service, language):
    body = {"page": "operation/login", "helped": False, "note": "a token of 10000-12345671, x@y.example, 3 steps", "language": "en"}
    assert service.post("/v1/manual/answers", body, by="aoki").status_code == 200
    page = service.get(f"/desk/manual/{language}/answers", by="ito")
    assert page.status_code == 200 and "a token of …, … 3 steps" in page.text and "operation/login" in page.text
    assert not {name for name in ("aoki", "12345671", "y.example") if name in page.text}
    assert [service.get(f"/desk/manual/{language}/answers", by=who).status_code for who in ("aoki", "endo", "bank", None)] == [403, 403, 401, 401]


TEN = "{wrong: 10, count: login-password-in-a-row"
SEVEN = TEN.replace("10", "7")
MAJOR = reference("major-bank").read_text(encoding="utf-8")


def stopped_after(service):
    """How many wrong passwords of a new customer's it takes."""
    run = MODES["verify"](service).run("login", service.customer("login-password"))
    return next(number for number in range(1, 20) if run.wrong("login-password")["state"] == "ended")


def figure(service):
    """How many the article says."""
    html = service.get("/v1/manual/operations/login", by="aoki", accept_language="ja").json()["html"]
    return re.findall(r"連続(\d+)回\(お客さま\) → ログイン不可", html)


def most_in_a_day(source):
    """How many guesses a day the proof finds."""
    return next(one.per_day for one in check(parse(source.encode(), "bank.yaml")).bounds if (one.item, one.attacker) == ("login-password", "free"))


def test_K1_a_changed_threshold_changes_article_enforcement_and_proof_together(tmp_path, cheap_hashes):
    """An accepted policy does so without a restart."""
    service = Service(tmp_path, reference("major-bank"))
    service.app.clock = service.clock
    assert (figure(service), stopped_after(service), most_in_a_day(MAJOR)) == (["10"], 10, 10)
    changed = MAJOR.replace(TEN, SEVEN)
    service.do(propose(service.app.store, changed.encode(), read(changed.encode(), "changed.yaml").version, None, "ito"))
    service.offset_us += (AHEAD_S + 1) * 1_000_000
    service.do(service.app.follow_policy())
    assert (figure(service), stopped_after(service), most_in_a_day(changed)) == (["7"], 7, 7)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", service.get("/v1/manual", by="aoki").json()["since"])
    service.close()
