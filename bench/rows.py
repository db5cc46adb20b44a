"""A row of a bank's own table beside a bare attempt: both through the ledger, in one process, in turn."""

import contextlib

import uvloop

from bench.engine import Engine, Typed
from bench.node import AT_ONCE, ITEM, POLICY, TWO_COUNTS, begin, empty_home, enrol, in_turn
from sekisho.app import Settings, build
from sekisho.policy import reference
from sekisho.serving import _calm_collector

ROW = "web-application", "basic-data"
"""It counts on the run, on the account and on whoever types."""

TRIES = 8
"""Wrong entries in one run: fewer than any threshold of that row."""


def measure(size):
    """A sample of both in each round."""
    return uvloop.run(_rounds(size))


async def _rounds(size):
    async with contextlib.AsyncExitStack() as stack:
        bare = await _opened(stack, POLICY, TWO_COUNTS, ITEM)
        row = await _opened(stack, reference("postal-bank"), *ROW)
        _calm_collector()
        samples = [
            {"bare": await bare.sample(number, size), "row": await row.sample(number, size)} for number in range(size.warming + size.rounds)
        ]
        return samples[size.warming:]


async def _opened(stack, policy, operation, item):
    home = stack.enter_context(empty_home())
    app = await stack.enter_async_context((await build(Settings(home.store, home.keys, policy, hold=False))).running())
    return _Side(app, home.owner, operation, item)


class _Side:
    """One operation's entry under one policy."""

    def __init__(self, app, owner, operation, item):
        self._app = app
        self._owner = owner
        self._operation = operation
        self._item = item

    async def sample(self, number, size):
        """New subjects each round, so that no round comes near a threshold."""
        kind = self._app.table.operations[self._operation].subject
        subjects = [f"{kind}:{number}-{n}" for n in range(size.batched // TRIES)]
        await in_turn((enrol(self._app, subject, self._item) for subject in subjects), AT_ONCE)
        runs = [await self._app.runs.facts(run) for run in await begin(self._app, self._owner, self._operation, subjects)]
        return await Engine(self._app, self._owner, item=self._item).rate([Typed(run) for run in runs] * TRIES, size.at_once)


