"""One demonstration for all tests of its pages; each test plays a customer of its own where it locks one out."""

import pytest
from visitor import Demonstration, Visitor


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory):
    made = Demonstration(tmp_path_factory.mktemp("demonstration"))
    yield made
    made.close()


@pytest.fixture(params=["ja", "en"])
def visitor(demonstration, request):
    one = Visitor(demonstration, request.param)
    yield one
    one.close()
