import sys
from pathlib import Path

import pytest

sys.path.extend(str(Path(__file__).parents[1] / others) for others in ("http", "operate"))

from bankside import MODES
from post import PostOffice

from sekisho.adapters import secrets


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """One service with its sink, shared by one file's tests; every test makes its own customers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "MEMORY_KIB", 64)
        made = PostOffice(tmp_path_factory.mktemp("office"))
        yield made
        made.close()


@pytest.fixture
def verify(office):
    return MODES["verify"](office)
