"""D1: how long an answer takes tells nobody what it must not say. Measured on the real service over HTTP, see timing.py.

With `--long` 10,000 samples a side, idle and at half load, and nobody may be right more than 52 % of the time, with 95 % confidence. By
default the service is idle, when least hides a difference, and so few samples are taken that only a large leak is found for certain: one by
which a guesser is right in more than three of four entries of the slow lane, or in two of three of the fast one.
"""

import contextlib

import httpx
import pytest
from figures import all_waived, other_figures
from process import WAIT_S, Process, make_keys
from scale import FULL, times
from timing import LOADERS, Entry, Opening, awake, capacity, guess, loaded, sample

from sekisho.policy import reference

HERE = __file__.rpartition("/")[0]
PEOPLE = 10
KNOWN = [f"10000000{n:02d}" for n in range(PEOPLE)]
UNKNOWN = [f"20000000{n:02d}" for n in range(PEOPLE)]
STOPPED = [f"30000000{n:02d}" for n in range(PEOPLE)]
OTHERS = [f"customer:40000000{n:02d}" for n in range(50)]
"""Whose passwords are tried beside, to keep the service busy."""

SLOWLY, QUICKLY = times(20, 10_000), times(50, 10_000)
"""Samples a side, of what is compared on a worker and of what is compared at once."""

SLOW_LINES, QUICK_LINES = 2, 4
"""Connections that sample: few enough to leave the service idle for the most part."""

PARTS = 24
"""How often more samples are taken where a planted leak was not found yet."""

LONG_S = 3 * 3600


def account(number):
    return f"10000-{number[0]}{number[-2:]}1"


def logins(numbers, proof, heard):
    return [Entry({"operation": "login", "subject": f"customer:{number}"}, "login-password", proof, heard) for number in numbers]


def pairs(accounts, customers):
    return [
        Entry({"operation": "reset-password"}, "number-pair", {"account-number": account(one), "customer-number": other}, "wrong")
        for one, other in zip(accounts, customers, strict=True)
    ]


def openings(numbers):
    return [Opening({"operation": "login", "subject": f"customer:{number}"}) for number in numbers]


SLOW = {
    "known": logins(KNOWN, "not this one", "wrong"), "unknown": logins(UNKNOWN, "not this one", "wrong"),
    "right": logins(KNOWN, "correct horse 8", "right"), "refused": logins(STOPPED, "not this one", "refused"),
}
HALVES = {"customer half right": pairs(UNKNOWN, KNOWN), "account half right": pairs(KNOWN, UNKNOWN)}
QUICK = HALVES | {"begun for a known": openings(KNOWN), "begun for an unknown": openings(UNKNOWN)}

CONTRASTS = (
    ("known", "unknown"), ("known", "right"), ("known", "refused"), ("customer half right", "account half right"),
    ("begun for a known", "begun for an unknown"),
)
"""Known or unknown; wrong or right, below a threshold; open or refused; which half is right; known or unknown, before anything is entered."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Keys, and the reference policy with thresholds that these tests do not reach."""
    folder = tmp_path_factory.mktemp("timing")
    policy = folder / "postal-bank.yaml"
    many = other_figures(reference("postal-bank").read_text(), lambda wrong: min(10_000 * wrong, 1_000_000), lambda length: length)
    policy.write_text(all_waived(many))
    return policy, make_keys(folder)


@contextlib.contextmanager
def serving(home, folder, **program):
    """A service, with customers whom there are, and some whose operations are stopped."""
    made = Process(folder, home[1], policy=home[0], **program).start()
    try:
        with httpx.Client(base_url=made.base, headers={"authorization": f"Bearer {made.keys['endo']}"}, timeout=WAIT_S) as endo:
            for number in KNOWN + STOPPED:
                whose = {"customer": f"customer:{number}", "account": f"account:{account(number)}"}
                for subject in whose.values():
                    told = {"links": {kind: name for kind, name in whose.items() if name != subject}}
                    assert endo.put(f"/v1/staff/subjects/{subject}", json=told).is_success
                assert endo.put(f"/v1/staff/subjects/{whose['customer']}/items/login-password", json={"secret": "correct horse 8"}).is_success
        for number in STOPPED:
            assert made.call("POST", "/v1/stops", {"subject": f"customer:{number}", "known_by": "number-on-file"}).is_success
        yield made
    finally:
        made.stop()


def measure_idle(service, *, seed):
    """All sides, in nanoseconds."""
    asked = service.port, service.keys["bank"]
    return sample(*asked, SLOW, SLOWLY, lines=SLOW_LINES, seed=seed) | sample(*asked, QUICK, QUICKLY, lines=QUICK_LINES, seed=seed)


def measure_at_half_load(service, *, seed):
    """The same while half of the passwords come that the service can compare.

    Those that are sampled are that load themselves; all that are not refused weigh on it.
    """
    asked = service.port, service.keys["bank"]
    busy = capacity(*asked, OTHERS) / 2
    weighing = sum(entries[0].heard != "refused" for entries in SLOW.values()) / len(SLOW)
    took = sample(*asked, SLOW, SLOWLY, lines=LOADERS, seed=seed, rate=busy / weighing)
    with loaded(*asked, OTHERS, busy):
        return took | sample(*asked, QUICK, QUICKLY, lines=QUICK_LINES, seed=seed)


@pytest.mark.timeout(LONG_S if FULL else 300)
@pytest.mark.parametrize("measure", [measure_idle, measure_at_half_load][:times(1, full=2)])
def test_D1_the_time_of_an_answer_tells_nothing(home, tmp_path, measure, capsys):
    with serving(home, tmp_path) as service, awake() if FULL else contextlib.nullcontext():
        took = measure(service, seed=measure.__name__)
    told = {contrast: guess(*(took[side] for side in contrast), seed=measure.__name__) for contrast in CONTRASTS}
    with capsys.disabled():
        print()  # noqa: T201  figures for docs/evidence.md
        for contrast, one in told.items():
            print(f"  {' or '.join(contrast)}: {one}")  # noqa: T201
    for contrast, one in told.items():
        assert one.at_most <= 0.52 if FULL else one.surely <= 0.52, (contrast, str(one))


@pytest.mark.parametrize(("leak", "sides", "each"), [
    ("behind-the-grid", HALVES, 50), ("in-the-slow-lane", {name: SLOW[name] for name in ("known", "unknown")}, 16),
])
def test_a_planted_leak_is_found(home, tmp_path, leak, sides, each):
    """One millisecond behind the grid; and comparisons longer than a step of it. A noisy machine needs more samples."""
    took = {name: [] for name in sides}
    with serving(home, tmp_path, program=(f"{HERE}/leaky.py", leak)) as service:
        for part in range(PARTS):
            for name, ns in sample(service.port, service.keys["bank"], sides, each, lines=SLOW_LINES, seed=f"{leak} {part}").items():
                took[name] += ns
            told = guess(*took.values(), seed=leak)
            if told.surely > 0.52:
                return
    raise AssertionError(told)
