"""The service as its own process: keys, start, stop, restart, and two processes on one file."""

import asyncio
import re
import signal
import time

import httpx
import pytest
from process import WAIT_S, Process, asked, free_port, make_keys, sekisho

from sekisho.adapters.keyring import Keyring
from sekisho.app import open_store
from sekisho.flows.policies import first_policy
from sekisho.policy import reference
from sekisho.terms import Role


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def served(tmp_path, keys):
    """A process of its own, stopped at the end."""
    made = Process(tmp_path, keys)
    yield made
    if made.running is not None and made.running.poll() is None:
        made.running.kill()
        made.running.wait()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def two(request, tmp_path_factory, keys):
    """Two worker processes on one file, and on one database."""
    store = request.getfixturevalue("postgres").database() if request.param == "postgres" else None
    made = Process(tmp_path_factory.mktemp("two"), keys, "--workers", "2", "--no-hold", store=store).start()
    yield made
    assert made.stop() == 0, made.said()
    assert made.said().count(f"ready: {made.base}\n") == 1


# -- start and stop


def test_it_serves_with_keys_of_the_command_and_stops_when_asked(served):
    """A password is compared, the answer leaves on the policy's time grid, metrics and the desk's door are beside, SIGTERM ends it with 0."""
    served.start()
    hana = served.enrol("0012345678")
    before = time.monotonic()
    assert served.enter(hana, "correct horse 8") == "right"
    assert time.monotonic() - before > 0.05
    assert "sekisho_decisions_total" in asked("GET", f"http://127.0.0.1:{served.metrics_port}/metrics").text
    assert "/desk/sign-in" in asked("GET", f"{served.base}/desk").text
    assert served.stop() == 0
    assert served.said().startswith("ready: ")


def test_a_restart_forgets_no_lock_and_no_count(served, tmp_path):
    """Ten wrong, stop, start: still blocked. And so after kill -9; the audit trail is whole all the same."""
    served.start()
    hana, taro = served.enrol("0012345678"), served.enrol("0023456789")
    assert [served.enter(hana) for _ in range(10)] == ["wrong"] * 10
    assert [served.enter(taro) for _ in range(3)] == ["wrong"] * 3
    for how in (signal.SIGTERM, signal.SIGKILL):
        served.stop(how)
        served.start()
        assert served.enter(hana, "correct horse 8") == "refused"
        assert served.wrong(taro) == 3
    served.stop()
    whole = sekisho("audit", "verify", "--store", f"sqlite:///{tmp_path / 'sekisho.db'}", "--keys", served.key_file)
    assert whole.returncode == 0, whole.stdout + whole.stderr


def test_a_stop_answers_what_is_under_way(served):
    """Whoever got an answer was counted; whoever did not may have been, once; nobody else was."""
    served.start()
    hana = served.enrol("0012345678")
    runs = [
        one.json()["procedure"] for one in served.together(*[("/v1/procedures", {"operation": "login", "subject": hana})] * 9)
    ]
    entry = {"item": "login-password", "proof": "not this one"}

    async def stop_meanwhile():
        headers = {"authorization": f"Bearer {served.keys['bank']}"}
        async with httpx.AsyncClient(base_url=served.base, headers=headers, timeout=WAIT_S) as client:
            asked = [asyncio.create_task(client.post(f"/v1/procedures/{run}/attempts", json=entry)) for run in runs]
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            served.running.send_signal(signal.SIGTERM)
            return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(stop_meanwhile())
    assert served.running.wait(WAIT_S) == 0
    answered = [one for one in answers if isinstance(one, httpx.Response)]
    assert answered
    assert all(isinstance(one, httpx.TransportError) for one in answers if one not in answered)
    assert {one.status_code for one in answered} <= {200, 503}
    heard = sum(one.status_code == 200 and one.json()["outcome"] == "wrong" for one in answered)
    served.start()
    assert heard <= served.wrong(hana) <= heard + len(answers) - len(answered)


# -- refusing to start


def refused(tmp_path, *words):
    """`serve` that does not start: its complaint. It must end by itself, with 2."""
    done = sekisho("serve", "--store", f"sqlite:///{tmp_path / 'sekisho.db'}", "--listen", f"127.0.0.1:{free_port()}", *words)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_it_refuses_keys_of_the_demonstration(tmp_path):
    """Whoever deploys the demonstration's key file is told to make real ones."""
    ring = Keyring.make(tmp_path / "keys.json")
    ring.new(Role.CHANNEL, "bank", demo=True)
    assert "demonstration" in refused(tmp_path, "--keys", ring.path, "--policy", reference("postal-bank"))


def test_it_refuses_a_key_file_that_others_can_read(tmp_path):
    """And says how to close it."""
    ring = Keyring.make(tmp_path / "keys.json")
    ring.path.chmod(0o644)
    assert "chmod 600" in refused(tmp_path, "--keys", ring.path, "--policy", reference("postal-bank"))


def test_it_refuses_to_start_without_keys_or_without_a_policy(tmp_path, keys):
    """Saying which command makes them."""
    assert "sekisho keys new" in refused(tmp_path, "--keys", tmp_path / "none.json", "--policy", reference("postal-bank"))
    assert "--policy" in refused(tmp_path, "--keys", keys[0])


def test_it_refuses_a_first_policy_that_the_proofs_refuse_and_begins_no_store(tmp_path, keys):
    """The bank as it was found gives endless guesses away: every finding is told with its place, and what to do about it."""
    store, port = tmp_path / "sekisho.db", free_port()
    done = sekisho("serve", "--store", f"sqlite:///{store}", "--listen", f"127.0.0.1:{port}", "--keys", keys[0], "--policy", reference("postal-bank-as-found"))
    assert (done.returncode, done.stdout) == (1, "") and not store.exists()
    assert "postal-bank-as-found.yaml:" in done.stderr and "[unbounded-guesses]" in done.stderr
    assert "accept it under `waivers:`" in done.stderr.splitlines()[-1]


def test_a_store_that_has_its_policy_is_served_whatever_file_is_given(served):
    """The file is for an empty store alone: a bad one neither comes into force nor keeps a node from starting."""
    async def begin():
        store = open_store(served.store, make=True)
        await first_policy(store, reference("postal-bank").read_bytes(), "postal-bank.yaml")
        await store.close()

    asyncio.run(begin())
    served.words[served.words.index("--policy") + 1] = str(reference("postal-bank-as-found"))
    served.start()
    assert served.call("POST", "/v1/procedures", {"operation": "login", "subject": "customer:0012345678"}).status_code == 201


BROKEN = (
    # what is changed in the policy, what it becomes, what the complaint names
    ("policy: postal-bank\n", "policy: postal-bank\npolitesse: none\n", "politesse"),
    ("wrong: 10\n", "wrong: ten\n", "ten"),
    ("penalty: [{block: login}]", "penalty: [{block: logon}]", "logon"),
    ("undo: [wait]", "undo: [weit]", "weit"),
    ("timing:\n", "timing: [\n", ""),
)


@pytest.mark.parametrize(("old", "new", "named", "workers"), [(*case, 1) for case in BROKEN] + [(*BROKEN[0], 2)])
def test_it_refuses_an_unusable_policy_and_says_where(tmp_path, keys, old, new, named, workers):
    """FILE:LINE:COLUMN, the line that was changed, exit 2; nothing was put in force."""
    file = tmp_path / "broken.yaml"
    text = reference("postal-bank").read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    changed = text[:text.index(old)].count("\n") + 1
    complaint = refused(tmp_path, "--keys", keys[0], "--policy", file, "--workers", workers)
    places = [int(line) for line in re.findall(r"broken\.yaml:(\d+):\d+: ", complaint)]
    assert places, complaint
    assert min(abs(place - changed) for place in places) <= 3 or named == ""
    assert named in complaint


def test_it_refuses_an_address_that_is_taken(served, tmp_path, keys):
    """One sentence, exit 2."""
    served.start()
    done = sekisho(*served.words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"127.0.0.1:{served.port}" in done.stderr
    assert "Traceback" not in done.stderr


# -- two processes on one file


def test_two_processes_give_exactly_ten_verdicts_to_sixty_four_wrong_passwords(two):
    """Whichever process each request meets."""
    for number in range(3):
        hana = two.enrol(f"100000000{number}")
        runs = [one.json()["procedure"] for one in two.together(*[("/v1/procedures", {"operation": "login", "subject": hana})] * 64)]
        entry = {"item": "login-password", "proof": "not this one"}
        answers = two.together(*((f"/v1/procedures/{run}/attempts", entry) for run in runs))
        assert sorted(one.json()["outcome"] for one in answers) == ["refused"] * 54 + ["wrong"] * 10
        assert [lock["row"] for lock in two.view(hana)["locks"]] == ["Y-LOGIN-3"]


def test_two_processes_let_thirty_two_right_passwords_in(two):
    """Count mode, all at once: those beyond ten wait for a guess to come back, whichever process it comes back in."""
    hana = two.enrol("2000000001")

    async def log_in(client, n):
        body = {"operation": "login", "item": "login-password", "subject": hana, "session": f"s{n}"}
        taken = (await client.post("/v1/reservations", json=body)).json()
        if taken["outcome"] != "granted":
            return taken["outcome"]
        return (await client.post(f"/v1/reservations/{taken['reservation']}/verdict", json={"verdict": "right"})).json()["outcome"]

    async def all_at_once():
        headers = {"authorization": f"Bearer {two.keys['bank']}"}
        limits = httpx.Limits(max_connections=32)
        async with httpx.AsyncClient(base_url=two.base, headers=headers, timeout=WAIT_S, limits=limits) as client:
            return await asyncio.gather(*(log_in(client, n) for n in range(32)))

    assert asyncio.run(all_at_once()) == ["right"] * 32
    assert two.wrong(hana) == 0


def test_a_request_repeated_at_the_other_process_is_one_request(two):
    """Sixteen copies under one key over both processes: one answer, one count."""
    hana = two.enrol("2000000002")
    run = two.call("POST", "/v1/procedures", {"operation": "login", "subject": hana}).json()["procedure"]

    async def copies():
        headers = {"authorization": f"Bearer {two.keys['bank']}", "idempotency-key": "sixteenfold"}
        async with httpx.AsyncClient(base_url=two.base, headers=headers, timeout=WAIT_S) as client:
            body = {"item": "login-password", "proof": "not this one"}
            return await asyncio.gather(*(client.post(f"/v1/procedures/{run}/attempts", json=body) for _ in range(16)))

    answers = asyncio.run(copies())
    assert {(one.status_code, one.content) for one in answers} == {(200, answers[0].content)}
    assert answers[0].json()["outcome"] == "wrong"
    assert two.wrong(hana) == 1


def test_its_record_is_whole_while_it_serves(two):
    two.enter(two.enrol("2000000003"))
    verified = sekisho("audit", "verify", "--store", two.store, "--keys", two.key_file)
    assert verified.returncode == 0 and "whole" in verified.stdout, verified.stderr


@pytest.mark.parametrize(("settings", "options", "said"), [
    ({"synchronous_commit": "off"}, (), "synchronous_commit off"), ({}, ("--replicated",), "no synchronous_standby_names"),
])
def test_a_database_that_may_lose_guesses_is_not_served_and_its_password_not_told(postgres, tmp_path, keys, settings, options, said):
    store = postgres.database().replace("postgres@", "postgres:s3cret@")
    for name, value in settings.items():
        postgres.sql(f"ALTER DATABASE {store.partition('@/')[2].partition('?')[0]} SET {name} = {value}")
    refused = Process(tmp_path, keys, *options, store=store)
    ended = sekisho(*refused.words)
    assert ended.returncode != 0 and said in ended.stderr and "s3cret" not in ended.stderr + ended.stdout
    served = Process(tmp_path, keys, *options, "--accept-weaker", store=store).start()
    assert served.enter(served.enrol("2000000004")) == "wrong"
    assert served.stop() == 0 and "s3cret" not in served.said()


def test_a_retired_key_is_no_key_after_a_restart(served):
    """`keys list` names it, `keys retire` ends it."""
    listed = sekisho("keys", "list", "--keys", served.key_file).stdout
    assert not [key for key in served.keys.values() if key in listed]
    identifier = next(line.split()[0] for line in listed.splitlines() if " bank" in line)
    assert sekisho("keys", "retire", "--keys", served.key_file, identifier).returncode == 0
    served.start()
    assert served.call("GET", "/v1/events").status_code == 401
    assert served.call("GET", "/v1/staff/subjects/customer:1", by="endo").status_code == 200
