"""What every test may use. Hypothesis is repeatable: a failure on one machine is a failure on all."""

import pytest
from bankside import number_anew
from hypothesis import HealthCheck, settings
from postgres import Server

pytest.register_assert_rewrite("histories", "scenario", "trail")

settings.register_profile("default", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


LONGEST = (
    "test_patroni.py", "test_bench.py", "test_http_timing.py", "test_failover.py", "test_story.py", "test_simulated.py", "test_races.py", "test_http_process.py",
    "test_floors.py", "test_tour.py", "test_power.py", "test_front_figures.py", "test_desk_screens.py", "test_screens.py", "test_machine.py",
)
"""Files with few tests that take long. They are begun first: no worker waits for another one's at the end."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda one: LONGEST.index(one.path.name) if one.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="module", autouse=True)
def numbered_from_one():
    """Customers have the same numbers whatever ran before: which strangers share a bucket does not change from run to run."""
    number_anew()


@pytest.fixture
def no_comparison(monkeypatch):
    """How long a password takes to compare is every machine's own, and of the moment: `sekisho doctor` is not asked about it."""
    monkeypatch.setattr("sekisho.cli.doctor.comparison_ms", lambda: 1.0)


@pytest.fixture(scope="session")
def postgres():
    """One PostgreSQL for the whole session, started for whoever needs it; each test has a database of its own in it."""
    with Server() as server:
        yield server
        assert not server.broken(), server.log()[-4000:]
