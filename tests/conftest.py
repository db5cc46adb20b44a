"""What every test may use. Hypothesis is repeatable: a failure on one machine is a failure on all."""

import os

from hypothesis import HealthCheck, settings

LONG = os.environ.get("SEKISHO_LONG") == "1"

settings.register_profile("default", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", parent=settings.get_profile("default"), max_examples=5_000)
settings.load_profile("long" if LONG else "default")
