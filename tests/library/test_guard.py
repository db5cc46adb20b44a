"""The library face: the README's lines, the same promises as over HTTP, waiting and with a loop."""

import asyncio
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from sekisho import AsyncGuard, Guard
from sekisho.api.server import application
from sekisho.app import Keyring, Settings, build
from sekisho.errors import CallerError
from sekisho.flows.acts import Operator
from sekisho.flows.desk import Enrolment, ItemSetting
from sekisho.policy import reference
from sekisho.terms import Role

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
LINES, LINES_WITH_A_LOOP = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
HANA, PASSWORD = "customer:0012345678", "correct horse 8"
ITO = Operator("ito", Role.ADMIN)


@pytest.fixture
def bank(tmp_path, monkeypatch):
    """A folder with a store, a key file and one customer; what a `Guard` over it takes."""
    monkeypatch.setattr("sekisho.adapters.secrets.MEMORY_KIB", 64)
    keys, store = tmp_path / "keys.json", f"sqlite:///{tmp_path / 'bank.db'}"
    key = Keyring.make(keys).new(Role.CHANNEL, "library")

    async def enrol():
        app = await build(Settings(store, keys, reference("postal-bank")))
        async with app.working():
            await app.desk.enrol(app.table, HANA, Enrolment(), ITO)
            await app.desk.set_item(app.table, HANA, "login-password", ItemSetting(secret=PASSWORD), ITO)

    asyncio.run(enrol())
    return {"store": store, "keys": keys, "key": key, "language": "en", "hold": False}


def log_in(guard, password):
    return guard.enter(guard.begin("login", HANA).procedure, "login-password", password)


def test_the_lines_of_the_readme(bank, capsys, monkeypatch, tmp_path):
    assert len(LINES.strip().splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    exec(compile(LINES, "README.md", "exec"), {"channel_key": bank["key"]})
    assert capsys.readouterr().out.splitlines()[-1] == "True ['login-password']"


def test_the_lines_of_the_readme_with_a_loop(bank, capsys, monkeypatch, tmp_path):
    assert len(LINES_WITH_A_LOOP.strip().splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    exec(compile(LINES_WITH_A_LOOP, "README.md", "exec"), {"channel_key": bank["key"]})
    assert capsys.readouterr().out.splitlines()[-1] == "right The procedure is complete."


def test_ten_wrong_ones_are_the_last_and_a_lock_is_told_without_a_figure(bank):
    with Guard(**bank) as guard:
        told = [log_in(guard, "open sesame") for _ in range(10)] + [log_in(guard, PASSWORD)]
    assert [one.outcome for one in told] == ["wrong"] * 10 + ["refused"]
    assert [one.code for one in told[8:]] == ["wrong", "wrong-locked", "locked"] and not re.search(r"\d", told[-1].message)


def test_many_threads_have_no_guess_more(bank):
    """Thirty threads with a wrong password: exactly the budget is looked at."""
    with Guard(**bank) as guard, ThreadPoolExecutor(30) as threads:
        told = list(threads.map(lambda n: guard.reserve("login", "login-password", HANA), range(30)))
        settled = [guard.verdict(one.reservation, right=False).outcome for one in told if one.granted]
    assert (len(settled), set(settled)) == (10, {"wrong"})


def test_a_program_that_compares_by_itself(bank):
    with Guard(**bank) as guard:
        for right, outcome in ((False, "wrong"), (None, "refused"), (True, "right")):
            assert guard.verdict(guard.reserve("login", "login-password", HANA).reservation, right).outcome == outcome


def test_a_call_with_a_name_is_made_once(bank):
    with Guard(**bank) as guard:
        held = [guard.reserve("login", "login-password", HANA, once="visit-1") for _ in range(3)]
        assert len({one.reservation for one in held}) == 1
        told = [guard.verdict(held[0].reservation, right=False, once="verdict-1") for _ in range(3)]
        assert told[0] == told[1] == told[2]
        with pytest.raises(CallerError):
            guard.reserve("transfer", "token-otp", HANA, once="visit-1")


def test_a_session_that_a_service_over_the_same_store_ends_is_over_here(bank):
    """What one node has opened another can look at and end, under the same key."""
    async def story():
        app = await build(Settings(bank["store"], bank["keys"], hold=False))
        there = httpx.AsyncClient(
            transport=httpx.ASGITransport(application(app)), base_url="http://localhost", headers={"authorization": f"Bearer {bank['key']}"})
        async with AsyncGuard(**bank) as guard, app.running(), there:
            told = await guard.enter((await guard.begin("login", HANA, ip="192.0.2.7")).procedure, "login-password", PASSWORD)
            live = [(await guard.session(told.session)).live]
            assert (await there.delete(f"/v1/sessions/{told.session}")).status_code == 200
            return [*live, (await guard.session(told.session)).live]

    assert asyncio.run(story()) == [True, False]


def test_what_cannot_be_asked_is_the_caller_s_to_change(bank):
    with Guard(**bank) as guard:
        for call, *asked in (
            (guard.begin, "no such operation", HANA), (guard.begin, "login", "nobody"), (guard.enter, "none", "x", "y"),
            (guard.enter, "../../v1/sessions", "x", "y"), (guard.session, "none"), (guard.session, ""), (guard.verdict, "none", True),
        ):
            with pytest.raises(CallerError):
                call(*asked)
        with pytest.raises(CallerError):
            guard.begin("login", HANA, shoe_size="42")


def test_a_guard_is_used_within_its_block_and_leaves_no_thread(bank):
    before = threading.active_count()
    guard = Guard(**bank)
    with pytest.raises(CallerError):
        guard.session("x")
    with guard:
        assert guard.begin("login", HANA).state == "open"
    with pytest.raises(CallerError):
        guard.begin("login", HANA)
    with pytest.raises(CallerError), Guard(**{**bank, "keys": "nowhere.json"}):
        pass
    with Guard(**{**bank, "key": "not a key"}) as stranger, pytest.raises(CallerError, match="sekisho keys new --role channel"):
        stranger.begin("login", HANA)
    assert threading.active_count() == before
