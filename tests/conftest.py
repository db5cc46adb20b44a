"""What every test may use. Hypothesis is repeatable: a failure on one machine is a failure on all."""

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("histories", "scenario", "trail")

settings.register_profile("default", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")
