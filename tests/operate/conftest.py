import pytest
from commands import Installation
from lives import Ledger


@pytest.fixture(params=["memory", "sqlite"])
def kept(request, tmp_path):
    """A ledger that can be copied and put back."""
    return Ledger(request.param, tmp_path)


@pytest.fixture
def bank(tmp_path):
    """An installation with nothing in it yet."""
    return Installation(tmp_path)
