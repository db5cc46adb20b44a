"""Memory while strangers are attempted: ten attempts at each of many unknown subjects.

SQLite's page cache is told apart: it fills up to the size it was given, which takes longer than a short bench.
"""

import asyncio

import apsw
import uvloop

from bench.apart import rss_mb
from bench.node import AT_ONCE, ITEM, ONE_COUNT, WRONG, begin, stranger
from sekisho.app import build
from sekisho.serving import _calm_collector
from sekisho.terms import Outcome

MARKS = (1, 5, 10)
"""After how many attempts at each subject memory is read. After the first all caches are as full as they get."""


def measure(home, strangers):
    return uvloop.run(_attempted(home, strangers))


async def _attempted(home, strangers):
    app = await build(home.settings())
    _calm_collector()
    async with app.running():
        runs = await begin(app, home.owner, ONE_COUNT, map(stranger, range(strangers)))
        found = {}
        for turn in range(1, MARKS[-1] + 1):
            left = iter(runs)
            await asyncio.gather(*(_client(app, home.owner, left) for _ in range(AT_ONCE)))
            if turn in MARKS:
                found[f"{turn * 10} %"] = {"rss_mb": rss_mb(), "sqlite_mb": apsw.memory_used() / 1e6}
        return found


async def _client(app, owner, left):
    for run in left:
        answer = await app.entries.enter(app.table, owner, run, ITEM, WRONG)
        assert answer.outcome is Outcome.WRONG, answer
