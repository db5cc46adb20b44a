"""A primary is lost and its synchronous standby takes over: no failure that was told to anybody is missing afterwards."""

import asyncio
import collections
import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from guessing_on import BUDGET, MANY, SMALL, TABLE, VISITORS
from house import House
from postgres import Server
from scale import failovers
from trail import events

from sekisho.adapters.postgres import PostgresStore
from sekisho.core.state import Guard, decode

pytestmark = pytest.mark.timeout(240)

HERE = Path(__file__).parent
NODES = ("a", "b")
PATIENCE_S = 90

STANDBYS = "ANY 1 (follower, heir)"
"""The same on every server from the beginning: whoever is promoted waits for the next standby at once, and tells nothing before."""


class Nodes:
    """Processes that guess over all these servers, and every line they say."""

    def __init__(self, servers, promise):
        url = f"postgresql://postgres@/postgres?host={','.join(str(one.folder) for one in servers)}&port={','.join('5432' for _ in servers)}"
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])}
        self.said = []
        self._news = threading.Condition()
        self._processes = [
            subprocess.Popen(
                [sys.executable, str(HERE / "guessing_on.py"), url, name, promise],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
            ) for name in NODES
        ]
        self._listeners = [threading.Thread(target=self._listen, args=[one.stdout]) for one in self._processes]
        for one in self._listeners:
            one.start()

    def _listen(self, pipe):
        for line in pipe:
            with self._news:
                self.said.append(tuple(line.split()))
                self._news.notify_all()

    def until(self, enough, since=0):
        """Wait until what was said since then is enough."""
        with self._news:
            assert self._news.wait_for(lambda: enough(self.said[since:]), PATIENCE_S), "they do not go on"

    def hear_verdicts(self, number):
        """Wait until each node has told so many more."""
        def enough(said):
            heard = collections.Counter(run.split("-")[0] for run, _, told in said if told == "wrong")
            return all(heard[f"procedure:{name}"] >= number for name in NODES)
        self.until(enough, len(self.said))

    def hear_no(self, number):
        """Wait until each visitor was told so often that there is no answer."""
        def enough(said):
            heard = collections.Counter(visitor_of(run) for run, _, told in said if told in {"refused", "unknown"})
            return len(heard) == len(NODES) * VISITORS and min(heard.values()) >= number
        self.until(enough, len(self.said))

    def stop(self):
        for one in self._processes:
            one.stdin.close()
        for one in self._processes:
            assert one.wait(30) == 0
        for one in self._listeners:
            one.join()

    def kill(self):
        """Whatever is left of them."""
        for one in self._processes:
            one.kill()
            one.wait()
        for one in self._listeners:
            one.join()
        for one in self._processes:
            one.stdin.close()
            one.stdout.close()


def visitor_of(run):
    return run.rpartition("-")[0]


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
            asyncio.run(_prepare(self.primary.url()))
            self.nodes = Nodes([self.primary, self.follower], self._promise)
            stack.callback(self.nodes.kill)
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
        return asyncio.run(_found_wrong(server.url(), self.nodes.said))


async def _prepare(url):
    async with House(PostgresStore(url), TABLE) as house:
        await house.enrol(*MANY, *SMALL)


async def _found_wrong(url, said):
    """Failures that were told and are gone, that were refused and count, that count twice; and counts that the chains do not bear out."""
    store = PostgresStore(url)
    counted = collections.Counter(event.procedure for event in await events(store) if event.kind == "entry-wrong")
    chained = collections.Counter(event.subject for event in await events(store) if event.kind == "entry-wrong")
    guards = {customer: decode(body, Guard) for customer, body in (await store.peek([*MANY, *SMALL])).items()}
    await store.close()
    found = [f"{run} was told wrong and is not counted" for run, _, told in said if told == "wrong" and not counted[run]]
    found += [f"{run} was told {told} and is counted" for run, _, told in said if told in {"refused", "locked", "busy"} and counted[run]]
    found += [f"{run} is counted {number} times" for run, number in counted.items() if number > 1]
    for customer, guard in guards.items():
        stands = sum(count.wrong for count in guard.counts.values())
        if stands != chained[customer]:
            found.append(f"{customer}: {stands} stand, {chained[customer]} are in the chains")
        if customer in SMALL and (stands > BUDGET or (stands == BUDGET) != bool(guard.locks)):
            found.append(f"{customer}: {stands} of {BUDGET} and {len(guard.locks)} locks")
    return found + _over_the_budget(said) + _more_than_were_asked(said, guards)


def _over_the_budget(said):
    told = collections.Counter(customer for _, customer, told in said if told == "wrong")
    return [f"{customer}: {told[customer]} verdicts at a budget of {BUDGET}" for customer in SMALL if told[customer] > BUDGET]


def _more_than_were_asked(said, guards):
    """Of those who were in the middle of a guess at the end nothing is known either."""
    may = collections.Counter(customer for _, customer, told in said if told in {"wrong", "unknown"})
    stand = {customer: sum(count.wrong for count in guards[customer].counts.values()) for customer in MANY}
    return [f"{one}: {stand[one]} stand" for one in MANY if stand[one] > may[one] + len(NODES) * VISITORS]


def signal_all(server, how):
    """Its first process first, so that none is added meanwhile; some may end by themselves."""
    mother = psutil.Process(server.process.pid)
    how(mother)
    for one in mother.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            how(one)


def freeze(server):
    """It is there and answers nothing."""
    signal_all(server, psutil.Process.suspend)


def thaw(server):
    signal_all(server, psutil.Process.resume)


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
