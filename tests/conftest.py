"""What every test may use. Hypothesis is repeatable: a failure on one machine is a failure on all."""

from hypothesis import HealthCheck, settings

settings.register_profile("default", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")
