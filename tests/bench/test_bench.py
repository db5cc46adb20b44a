import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MUST = {
    "engine, two counts: over batches of one": 4,
    "engine, two counts: processor each": 60,
    "engine, two counts: processor each, in empty requests": 60e-6 * 33_000,
    "engine, two counts: one hot subject over spread": 1,
    "engine, one count: over batches of one": 4,
    "engine, one count: processor each": 60,
    "engine, one count: processor each, in empty requests": 60e-6 * 33_000,
    "HTTP, two counts: of the empty handler": 25,
    "HTTP, two counts: p99": 25,
    "HTTP, two counts: p99, in the mean of empty requests": 25e-3 * 33_000 / 128,
    "HTTP, one count: of the empty handler": 25,
    "HTTP, one count: p99": 25,
    "HTTP, one count: p99, in the mean of empty requests": 25e-3 * 33_000 / 128,
    "HTTP: errors": 0,
    "others, attack over none": 2,
    "serve: start to ready": 1.5,
    "serve: idle memory": 120,
    "strangers: growth of the rest from 10 %": 5,
}


def bench(*words):
    done = subprocess.run([sys.executable, "-m", "bench", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_a_name_the_benches_are_listed():
    assert [line.split()[0] for line in bench().splitlines()] == ["attempts", "check", "ledger", "mail", "manual", "pages", "table", "tokens"]


def test_attempts_are_measured_against_their_limits_and_every_sample_is_kept(tmp_path):
    table = bench("attempts", "--tiny", "--json", str(tmp_path / "told.json"))
    told = json.loads((tmp_path / "told.json").read_text())
    assert {one["figure"]: one["must"] for one in told["figures"] if "must" in one} == MUST
    assert all((one["verdict"] in {"missed", "met", "reached"}) == ("must" in one) for one in told["figures"])
    assert table.count(" ≥ ") + table.count(" ≤ ") >= len(MUST)
    assert told["samples"].keys() == {"engine", "http", "attacked", "start", "memory"}
    assert told["size"] == "tiny" and told["commit"] and told["load"] and told["machine"]["cores"]


def test_the_ledger_is_measured_beside_its_own_load_tool(tmp_path):
    bench("ledger", "--tiny", "--json", str(tmp_path / "told.json"))
    told = json.loads((tmp_path / "told.json").read_text())
    assert {one["figure"]: one["must"] for one in told["figures"] if "must" in one} == {
        "spread: over pgbench": 2, "hot: over pgbench": 8, "HTTP: of the empty handler": 20, "HTTP: p99": 30, "HTTP: errors": 0,
        "HTTP: p99, in the mean of empty requests": 30e-3 * 33_000 / 128,
        "at 2,000 subjects, of the rate at 200": 80,
    }
    assert told["samples"].keys() == {"ledger", "http", "many"}
    assert all(one["value"] > 0 for one in told["figures"] if one["unit"] == "/s")


def test_the_table_is_measured_beside_a_bare_attempt_and_under_passwords(tmp_path):
    bench("table", "--tiny", "--json", str(tmp_path / "told.json"))
    told = json.loads((tmp_path / "told.json").read_text())
    assert {one["figure"]: one["must"] for one in told["figures"] if "must" in one} == {
        "the table adds": 20, "the same, to a bare attempt": 100 * 20 / 60,
        "cheap entries, while passwords are compared: p99": 50,
        "refused otherwise, or errors": 0, "guesses spent on refused ones": 0,
    }
    assert told["samples"].keys() == {"rows", "hashing"}
    spent = next(one for one in told["figures"] if one["figure"] == "guesses spent on refused ones")
    assert spent["value"] == 0


def test_codes_are_measured_from_the_queue_to_the_sink(tmp_path):
    bench("mail", "--tiny", "--json", str(tmp_path / "told.json"))
    told = json.loads((tmp_path / "told.json").read_text())
    must = {one["figure"]: one["must"] for one in told["figures"] if "must" in one}
    assert must == {"2,000 codes from queue to sink": 10, "messages that came twice or not at all": 0}
    assert [one["value"] for one in told["figures"] if "twice" in one["figure"]] == [0]


def test_every_page_is_light_and_none_is_far_from_an_empty_one(tmp_path):
    """Sizes hold anywhere; times only beside each other, so a page that looks through all customers shows in its distance."""
    bench("pages", "--tiny", "--json", str(tmp_path / "told.json"))
    told = json.loads((tmp_path / "told.json").read_text())
    pages = {
        "empty page", "/", "/try", "/inbox", "/desk", "/desk/customer", "/desk/case", "/bank", "/bank/account", "/bank/help?at=login",
        "/bank/go/reset-password", "/manual/ja", "/desk/manual/ja",
    }
    assert pages <= told["samples"]["pages"].keys()
    assert {one["must"] for one in told["figures"] if one["unit"] == "ms"} == {100}
    assert {one["verdict"] for one in told["figures"] if one["unit"] == "KB"} == {"met"}
    assert all(one["value"] < 40 for one in told["figures"] if one["unit"] == "×")


def test_tokens_are_measured_beside_answers_and_every_algorithm_of_passkeys(tmp_path):
    bench("tokens", "--tiny", "--json", str(tmp_path / "told.json"))
    told = json.loads((tmp_path / "told.json").read_text())
    assert {one["figure"]: one["must"] for one in told["figures"] if "must" in one} == {
        **{f"tokens, {kind}: of the rate of answers": 80 for kind in ("one in ten wrong", "all wrong", "whole flow, one in ten wrong")},
        **{f"passkey, {name}: processor for one signature": 2 for name in ("ES256", "ES384", "ES512", "RS256", "EdDSA", "Ed448")},
    }
    assert [one.keys() for one in told["samples"]["entries"]] == [{"attacked", "mixed", "flow"}] * 4
    assert all(both.keys() == {"answer", "token"} for one in told["samples"]["entries"] for both in one.values())
