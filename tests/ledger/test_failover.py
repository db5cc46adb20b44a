"""A primary is lost and its synchronous standby takes over: no failure that was told to anybody is missing afterwards."""

import contextlib
import random
import time

import psutil
import pytest
from guessers import PATIENCE_S, Nodes, found_wrong, prepare
from postgres import Server, signal_all
from scale import failovers

pytestmark = pytest.mark.timeout(240)

STANDBYS = "ANY 1 (follower, heir)"
"""The same on every server from the beginning: whoever is promoted waits for the next standby at once, and tells nothing before."""


class Pair:
    """A primary, the standby that follows it, and the nodes."""

    def __init__(self, promise="replicated", **options):
        self._promise = promise
        # A commit that was given up keeps its connection there while no standby answers.
        self._options = {"synchronous_standby_names": STANDBYS, "max_connections": 400, **options}
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.primary = stack.enter_context(Server(**self._options))
            self.follower = stack.enter_context(self.primary.standby("follower"))
            prepare(self.primary.url())
            hosts = f"host={self.primary.folder},{self.follower.folder}&port=5432,5432"
            self.nodes = stack.enter_context(Nodes(f"postgresql://postgres@/postgres?{hosts}", self._promise))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    def promote(self):
        """What an operator does: the standby becomes the primary, and a new standby follows it."""
        self.follower.promote()
        self._stack.enter_context(self.follower.standby("heir"))

    def found_wrong(self, server):
        """What is amiss on a server, by what the nodes have told."""
        return found_wrong(server.url(), self.nodes)


def freeze(server):
    """It is there and answers nothing."""
    signal_all(psutil.Process(server.process.pid), psutil.Process.suspend)


def thaw(server):
    signal_all(psutil.Process(server.process.pid), psutil.Process.resume)


def cut(primary):
    """Nothing reaches the standby any more, and what it has not got by now it never gets."""
    psutil.Process(int(primary.sql("SELECT pid FROM pg_stat_replication"))).suspend()


def killed(pair):
    """Gone at once; the standby takes over."""
    pair.primary.kill()
    pair.promote()
    return pair.follower


def replaced(pair):
    """Silent, replaced, and back again without knowing it, until somebody switches it off."""
    freeze(pair.primary)
    pair.promote()
    thaw(pair.primary)
    pair.nodes.hear_verdicts(20)
    pair.primary.kill()
    return pair.follower


def crashed(pair):
    """Gone while commits wait for the standby, and back again: what waited is seen now, though nobody was told of it."""
    freeze(pair.follower)
    pair.nodes.hear_no(1)
    pair.primary.kill()
    pair.primary.start()
    thaw(pair.follower)
    return pair.primary


@pytest.mark.parametrize("lost", [killed, replaced, crashed][:failovers(2, full=3)])
@pytest.mark.parametrize("seed", range(failovers(1, full=20)))
def test_a_primary_that_is_lost_takes_no_failure_with_it_that_was_told(seed, lost):
    """The nodes find whichever serves afterwards and go on by themselves."""
    chance = random.Random(seed)
    with Pair() as pair:
        pair.nodes.hear_verdicts(chance.randrange(10, 100))
        time.sleep(chance.uniform(0, 0.05))
        serving = lost(pair)
        pair.nodes.hear_verdicts(20)
        pair.nodes.stop()
        assert pair.found_wrong(serving) == []


def test_while_the_standby_is_silent_there_is_no_answer_and_no_cancelled_wait_is_one():
    """Whoever cancels a wait makes it seen on the primary; the standby that takes over has never heard of it."""
    with Pair() as pair:
        pair.nodes.hear_verdicts(20)
        cut(pair.primary)
        freeze(pair.follower)
        pair.nodes.hear_no(1)
        silent = len(pair.nodes.said)
        pair.nodes.hear_no(1)
        cancel_until(pair, "unknown", 5)
        assert [told for _, _, told in pair.nodes.said[silent:] if told == "wrong"] == []
        pair.primary.kill()
        thaw(pair.follower)
        pair.promote()
        pair.nodes.hear_verdicts(20)
        pair.nodes.stop()
        assert pair.found_wrong(pair.follower) == []


@pytest.mark.parametrize("weaker", [{"synchronous_commit": "local"}, {"synchronous_standby_names": ""}][:failovers(1, full=2)], ids=str)
def test_with_less_than_a_synchronous_standby_a_failover_loses_failures(weaker):
    """The same question finds the loss: what it says about `--replicated` is worth something."""
    with Pair("weak", **weaker) as pair:
        pair.nodes.hear_verdicts(20)
        cut(pair.primary)
        pair.nodes.hear_verdicts(20)
        pair.primary.kill()
        pair.nodes.kill()
        pair.follower.promote()
        assert any("is not counted" in one for one in pair.found_wrong(pair.follower))


def test_a_node_that_does_not_hear_of_a_cancelled_wait_is_found_out():
    with Pair("deaf") as pair:
        pair.nodes.hear_verdicts(20)
        cut(pair.primary)
        cancel_until(pair, "wrong", 5)
        pair.primary.kill()
        pair.nodes.kill()
        pair.follower.promote()
        assert any("is not counted" in one for one in pair.found_wrong(pair.follower))


def cancel_until(pair, told, number):
    """Cancel whatever waits for the standby, until so many more visitors were told this."""
    since, until = len(pair.nodes.said), time.monotonic() + PATIENCE_S
    while sum(one[-1] == told for one in pair.nodes.said[since:]) < number:
        pair.primary.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        assert time.monotonic() < until, "nobody waits"
