"""Processes that guess over one database, every line they say, and what is amiss with the database by that afterwards."""

import asyncio
import collections
import os
import subprocess
import sys
import threading
from pathlib import Path

from guessing_on import BUDGET, MANY, SMALL, TABLE, VISITORS
from house import House
from trail import events

from sekisho.adapters.postgres import PostgresStore
from sekisho.core.state import Guard, decode

HERE = Path(__file__).parent
NAMES = ("a", "b")
PATIENCE_S = 90


class Nodes:
    """Processes that guess over this database, and every line they say."""

    def __init__(self, url, promise="replicated", names=NAMES):
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])}
        self.names = names
        self.said = []
        self._news = threading.Condition()
        self._processes = [
            subprocess.Popen(
                [sys.executable, str(HERE / "guessing_on.py"), url, name, promise],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
            ) for name in names
        ]
        self._listeners = [threading.Thread(target=self._listen, args=[one.stdout]) for one in self._processes]
        for one in self._listeners:
            one.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    @property
    def visitors(self):
        """How many guess at once."""
        return len(self.names) * VISITORS

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
            return all(heard[f"procedure:{name}"] >= number for name in self.names)
        self.until(enough, len(self.said))

    def hear_no(self, number):
        """Wait until each visitor was told so often that there is no answer."""
        def enough(said):
            heard = collections.Counter(visitor_of(run) for run, _, told in said if told in {"refused", "unknown"})
            return len(heard) == self.visitors and min(heard.values()) >= number
        self.until(enough, len(self.said))

    def verdicts(self, since):
        """Those that were told since then."""
        return [one for one in self.said[since:] if one[-1] == "wrong"]

    def stop(self):
        for one in self._processes:
            one.stdin.close()
        for one in self._processes:
            assert one.wait(30) == 0, "a node has broken down"
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


def prepare(url):
    """Make the ledger, and enrol everybody who is guessed at."""
    asyncio.run(_prepare(url))


async def _prepare(url):
    async with House(PostgresStore(url), TABLE) as house:
        await house.enrol(*MANY, *SMALL)


def found_wrong(url, *nodes):
    """What is amiss in a database, by what these nodes have told.

    Failures that were told and are gone, that were refused and count, that count twice; and counts that the chains do not bear out.
    """
    said = [line for one in nodes for line in one.said]
    return asyncio.run(_found_wrong(url, said, sum(one.visitors for one in nodes)))


async def _found_wrong(url, said, visitors):
    store = PostgresStore(url)
    happened = [event for event in await events(store) if event.kind == "entry-wrong"]
    guards = {customer: decode(body, Guard) for customer, body in (await store.peek([*MANY, *SMALL])).items()}
    await store.close()
    counted = collections.Counter(event.procedure for event in happened)
    chained = collections.Counter(event.subject for event in happened)
    found = [f"{run} was told wrong and is not counted" for run, _, told in said if told == "wrong" and not counted[run]]
    found += [f"{run} was told {told} and is counted" for run, _, told in said if told in {"refused", "locked", "busy"} and counted[run]]
    found += [f"{run} is counted {number} times" for run, number in counted.items() if number > 1]
    for customer, guard in guards.items():
        stands = sum(count.wrong for count in guard.counts.values())
        if stands != chained[customer]:
            found.append(f"{customer}: {stands} stand, {chained[customer]} are in the chains")
        if customer in SMALL and (stands > BUDGET or (stands == BUDGET) != bool(guard.locks)):
            found.append(f"{customer}: {stands} of {BUDGET} and {len(guard.locks)} locks")
    return found + _over_the_budget(said) + _more_than_were_asked(said, guards, visitors)


def _over_the_budget(said):
    told = collections.Counter(customer for _, customer, told in said if told == "wrong")
    return [f"{customer}: {told[customer]} verdicts at a budget of {BUDGET}" for customer in SMALL if told[customer] > BUDGET]


def _more_than_were_asked(said, guards, visitors):
    """Of those who were in the middle of a guess at the end nothing is known either."""
    may = collections.Counter(customer for _, customer, told in said if told in {"wrong", "unknown"})
    stand = {customer: sum(count.wrong for count in guards[customer].counts.values()) for customer in MANY}
    return [f"{one}: {stand[one]} stand" for one in MANY if stand[one] > may[one] + visitors]
