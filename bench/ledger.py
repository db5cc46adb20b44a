"""The ledger on PostgreSQL: beside its own load tool, over HTTP with two workers, at many subjects."""

import asyncio
import contextlib
import random
from statistics import median

import asyncpg
import uvloop

from bench import client, comparator, engine, load
from bench.apart import apart
from bench.node import POLICY, TWO_COUNTS, customer, seeded_home
from bench.report import GOALS_SET_AT, Figure, Found
from bench.service import serving
from sekisho.app import build
from sekisho.serving import _calm_collector
from tests.postgres import Server

LIVE = "empty handler"
WORKERS = 2
CLIENTS = ", ".join(map(str, comparator.CLIENTS))


def measure(size, steps):
    samples = {}
    with Server(**DURABLE) as server, seeded_home(size.subjects, server.database()) as home:
        theirs = server.database()
        comparator.prepare(theirs, size.subjects)
        samples["ledger"] = [_round(home, theirs, size, number) for number in steps.over("beside its own load tool", range(size.rounds))]
        samples["http"] = _http(home, size, steps)
        for _ in steps.over(f"at {size.many:,} subjects", range(1)):
            samples["many"] = _many(server, home, size)
    return Found([*_ledger(samples["ledger"]), *_over_http(samples["http"]), *_at_many(samples["many"], size)], samples, {"load": load.name()})


DURABLE = {"shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": 200}
"""Room to work, for the load tool's clients too; what a commit is worth is PostgreSQL's own default: on disk."""


def _round(home, theirs, size, seed):
    found = apart(_ours, home, size, seed)
    for name, hot in (("spread", False), ("hot", True)):
        found[f"{name} by pgbench"] = comparator.rate(theirs, size.subjects, size.load_s, hot=hot)
    return found


def _ours(home, size, seed):
    return uvloop.run(_attempts(home, size, seed))


async def _attempts(home, size, seed):
    async with contextlib.AsyncExitStack() as stack:
        node = await engine.opened(stack, home, home.settings())
        _calm_collector()
        chance = random.Random(seed)
        await node.rate(node.spread(TWO_COUNTS, size.batched // 4, chance), size.at_once)
        spread = await node.rate(node.spread(TWO_COUNTS, size.batched, chance), size.at_once)
        # Those who asked a moment ago still count as company: one subject is alone after that.
        await node.rate(node.hot(TWO_COUNTS, size.batched // 4), size.at_once)
        hot = await node.rate(node.hot(TWO_COUNTS, size.batched), size.at_once)
        return {"spread": spread, "hot": hot}


def _http(home, size, steps):
    with serving(home, POLICY, workers=WORKERS) as (service, _):
        runs = home.runs[TWO_COUNTS]
        asked = {LIVE: service.live(), TWO_COUNTS: service.entries(runs)}
        samples = {name: [] for name in asked}
        for number in steps.over("over HTTP, two workers", range(-size.warming, size.rounds)):
            for name, requests in asked.items():
                found = load.full_rate(service.port, requests, size.at_once, size.load_s)
                latency = apart(client.full_rate, service.port, requests, size.at_once, size.load_s)
                if number >= 0:
                    samples[name].append({**found, "latency": latency})
        service.check_counts(runs[:20])
        return samples


def _many(server, home, size):
    """The same engine over few subjects and over many, in turn."""
    many = server.database()
    with seeded_home(1, many) as big:
        asyncio.run(_multiply(big, size.many))
        rounds = [(apart(_ours_at, home, size, size.subjects, n), apart(_ours_at, big, size, size.many, n)) for n in range(size.rounds)]
    return [{"few": few, "many": many} for few, many in rounds]


LIKE = "SELECT key, body FROM row WHERE body IS NOT NULL AND (key = $1 OR key LIKE $2 OR key = $3)"


async def _multiply(home, subjects):
    """Rows for as many customers as wanted, like those of the one there is."""
    first, run = customer(0), home.runs[TWO_COUNTS][0]
    con = await asyncpg.connect(home.store)
    like = dict(await con.fetch(LIKE, first, f"secret:{first}/%", f"procedure:{run}"))
    for start in range(1, subjects, 50_000):
        rows = [
            (key.replace(first, customer(n)).replace(run, run_of(n)), body.replace(first.encode(), customer(n).encode()), 0)
            for n in range(start, min(subjects, start + 50_000)) for key, body in like.items()
        ]
        await con.copy_records_to_table("row", records=rows, columns=["key", "body", "at"])
    await con.execute("VACUUM ANALYZE row")
    # What was just written is on disk before anything is measured: else its writing out stalls commits for seconds.
    await con.execute("CHECKPOINT")
    await con.close()


def run_of(number):
    """The run of a customer who was copied."""
    return f"copied-{number:08d}"


def _ours_at(home, size, subjects, seed):
    return uvloop.run(_attempts_at(home, size, subjects, seed))


async def _attempts_at(home, size, subjects, seed):
    async with contextlib.AsyncExitStack() as stack:
        app = await stack.enter_async_context((await build(home.settings())).running())
        chance = random.Random(seed)
        chosen = [chance.randrange(1, subjects) for _ in range(size.batched)]
        runs = home.runs[TWO_COUNTS]
        facts = [await app.runs.facts(runs[n] if n < len(runs) else run_of(n)) for n in chosen]
        node = engine.Engine(app, home.owner, {TWO_COUNTS: facts})
        _calm_collector()
        return await node.rate([engine.Typed(one) for one in facts], size.at_once)


def _ledger(samples):
    for name, must, reach in (("spread", 2, 3), ("hot", 8, 20)):
        yield Figure(f"{name}: attempts a second, one process", median(one[name]["per_s"] for one in samples), "/s")
        yield Figure(f"{name}: pgbench, best of {CLIENTS} clients", median(one[f"{name} by pgbench"] for one in samples), "/s")
        ratio = median(one[name]["per_s"] / one[f"{name} by pgbench"] for one in samples)
        yield Figure(f"{name}: over pgbench", ratio, "x", must=must, reach=reach)
    yield Figure("spread: processor each", median(one["spread"]["processor_us"] for one in samples), "µs")


def _over_http(samples):
    ours, live = samples[TWO_COUNTS], samples[LIVE]
    yield Figure("HTTP: empty handler, two workers", median(one["per_s"] for one in live), "/s")
    yield Figure("HTTP: attempts a second", median(one["per_s"] for one in ours), "/s")
    part = median(100 * one["per_s"] / other["per_s"] for one, other in zip(ours, live, strict=True))
    yield Figure("HTTP: of the empty handler", part, "%", must=20, reach=40)
    yield Figure("HTTP: p99", median(one["latency"]["p99_ms"] for one in ours), "ms", must=30, at_most=True)
    in_waits = median(one["latency"]["p99_ms"] / other["latency"]["mean_ms"] for one, other in zip(ours, live, strict=True))
    yield Figure("HTTP: p99, in the mean of empty requests", in_waits, "x", must=30e-3 * GOALS_SET_AT / 128, at_most=True)
    yield Figure("HTTP: empty handler, p99", median(one["latency"]["p99_ms"] for one in live), "ms")
    errors = sum(one["errors"] + one["latency"]["errors"] for rounds in samples.values() for one in rounds)
    yield Figure("HTTP: errors", errors, "", must=0, at_most=True)


def _at_many(samples, size):
    ratio = median(one["many"]["per_s"] / one["few"]["per_s"] for one in samples)
    yield Figure(f"at {size.many:,} subjects, of the rate at {size.subjects:,}", 100 * ratio, "%", must=80)

