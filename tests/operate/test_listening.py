"""An address that cannot be had: who starts a program reads what to do, and nothing of his is lost by it."""

import pytest
from click.testing import CliRunner

from sekisho import serving
from sekisho.cli import group
from sekisho.errors import CallerError


@pytest.fixture
def taken():
    """The port of somebody who listens."""
    with serving.bind("127.0.0.1:0") as sock:
        yield sock.getsockname()[1]


def test_a_demonstration_that_runs_keeps_its_folder_when_another_begins_afresh(taken, tmp_path):
    kept = tmp_path / "sekisho.db"
    kept.write_text("what the first one has")
    done = CliRunner().invoke(group, ["demo", "--fresh", "--data", str(tmp_path), "--port", str(taken)])
    assert isinstance(done.exception, CallerError) and "`--port`" in str(done.exception)
    assert kept.read_text() == "what the first one has"


def test_whoever_finds_an_address_taken_reads_what_to_do(taken):
    with pytest.raises(CallerError, match="another program listens there"):
        serving.bind(f"127.0.0.1:{taken}")


@pytest.mark.parametrize("listen", ["localhost", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", ""])
def test_what_is_no_address_is_told_how_one_is_written(listen):
    with pytest.raises(CallerError, match="write HOST:PORT"):
        serving.bind(listen)
