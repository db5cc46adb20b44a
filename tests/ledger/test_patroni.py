"""PostgreSQL under Patroni, strictly synchronous, loses its primary: no failure that was told is missing afterwards, none counts twice."""

import contextlib
import random
import time

import cluster
import pytest
from cluster import Cluster
from guessers import Nodes, found_wrong, prepare
from scale import PATRONI, times

under_patroni = pytest.mark.skipif(not PATRONI, reason="Patroni and etcd are started by `python3 run.py test --ha` alone")
pytestmark = pytest.mark.timeout(600)


@contextlib.contextmanager
def guessed_at(promise="replicated", **settings):
    """A cluster, and nodes that guess over it."""
    if missing := cluster.wanting():
        pytest.fail(missing)
    with Cluster(**settings) as servers:
        prepare(servers.url())
        with Nodes(servers.url(), promise) as nodes:
            nodes.hear_verdicts(1)
            yield servers, nodes


def killed(servers, nodes):
    """Database and Patroni are gone at once, and come back when another has long taken over."""
    old = servers.leader()
    old.kill()
    servers.led_by_another(old)
    nodes.hear_verdicts(20)
    old.start()


def crashed(servers, nodes):
    """The database alone is gone. Patroni starts it again: what waited for the standby is seen then, though nobody was told of it."""
    servers.leader().crash()
    nodes.hear_no(1)


def handed_over(servers, nodes):
    """An operator asks Patroni for it, and it stops the one in order and promotes the other."""
    old, heir = servers.leader(), servers.standby()
    old.hand_over(heir)
    assert servers.led_by_another(old) is heir


@under_patroni
@pytest.mark.parametrize("lost", [killed, crashed, handed_over])
@pytest.mark.parametrize("seed", range(times(1, full=5)))
def test_patroni_gives_the_place_of_the_primary_away_and_takes_no_failure_with_it_that_was_told(seed, lost):
    """The nodes find whichever leads afterwards and go on by themselves."""
    chance = random.Random(seed)
    with guessed_at() as (servers, nodes):
        nodes.hear_verdicts(chance.randrange(10, 100))
        time.sleep(chance.uniform(0, 0.05))
        lost(servers, nodes)
        servers.until_whole()
        nodes.hear_verdicts(20)
        nodes.stop()
        assert found_wrong(servers.leader().url(), nodes) == []


@under_patroni
def test_a_primary_that_was_silent_and_does_not_know_that_another_leads_tells_no_verdict():
    """A node that knows nobody else asks it for one again and again: none is confirmed."""
    with guessed_at() as (servers, nodes):
        old = servers.leader()
        with Nodes(old.url(), names=("c",)) as faithful:
            faithful.hear_verdicts(20)
            old.freeze()
            servers.led_by_another(old)
            nodes.hear_verdicts(20)
            since = len(faithful.said)
            old.thaw_database()
            faithful.hear_no(2)
            old.thaw_patroni()
            servers.until_whole()
            assert not old.says("primary")
            assert faithful.verdicts(since) == []
            nodes.hear_verdicts(20)
            nodes.stop()
            faithful.stop()
            assert found_wrong(servers.leader().url(), nodes, faithful) == []


@under_patroni
def test_without_etcd_nobody_leads_and_every_answer_is_no_until_it_is_back():
    with guessed_at() as (servers, nodes):
        nodes.hear_verdicts(20)
        servers.etcd.kill()
        servers.until_all_follow()
        # What was told before may still be on its way.
        nodes.hear_no(1)
        since = len(nodes.said)
        nodes.hear_no(2)
        assert nodes.verdicts(since) == []
        servers.etcd.start()
        servers.until_whole()
        nodes.hear_verdicts(20)
        nodes.stop()
        assert found_wrong(servers.leader().url(), nodes) == []


@under_patroni
def test_patroni_without_synchronous_mode_loses_failures():
    """The same question finds the loss: what it says about the others is worth something."""
    with guessed_at("weak", synchronous_mode=False, synchronous_mode_strict=False, maximum_lag_on_failover=1 << 30) as (servers, nodes):
        old = servers.leader()
        old.cut()
        nodes.hear_verdicts(20)
        old.kill()
        nodes.kill()
        heir = servers.led_by_another(old)
        assert any("is not counted" in one for one in found_wrong(heir.url(), nodes))


def test_what_patroni_needs_is_named_where_it_is_missing(monkeypatch, tmp_path):
    """Whoever asks for it is never told that all is well because nothing was tried."""
    monkeypatch.setattr(cluster, "PATRONI", tmp_path / "python")
    monkeypatch.setattr(cluster, "TOOLS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cluster.wanting().startswith("missing: Patroni, etcd, setpriv; ")
    for name in ("python", "etcd", "setpriv"):
        (tmp_path / name).touch(mode=0o755)
    assert cluster.wanting() is None
