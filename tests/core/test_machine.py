"""Every history of entries over small random policies is counted twice: by the engine and by the auditor."""

import pytest
from histories import Histories, HistoriesOfDevices, HistoriesWithin
from hypothesis import Phase, settings
from scale import times

pytestmark = pytest.mark.timeout(times(300, full=3_600))

Histories.TestCase.settings = HistoriesWithin.TestCase.settings = settings(max_examples=times(45, full=5_000), stateful_step_count=40, phases=[Phase.explicit, Phase.generate])
HistoriesOfDevices.TestCase.settings = settings(max_examples=times(15, full=5_000), stateful_step_count=40, phases=[Phase.explicit, Phase.generate])
test_engine_and_auditor_tell_devices_apart_alike = HistoriesOfDevices.TestCase
test_engine_and_auditor_count_every_history_alike = Histories.TestCase
test_engine_and_auditor_forget_alike = HistoriesWithin.TestCase
