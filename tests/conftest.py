"""What every test may use. Hypothesis is repeatable: a failure on one machine is a failure on all."""

import pytest
from bankside import number_anew
from hypothesis import HealthCheck, settings
from postgres import Server

pytest.register_assert_rewrite("histories", "scenario", "trail")

settings.register_profile("default", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


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
