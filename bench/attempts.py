"""Speed and memory of counted attempts: the engine, the service, one subject attacked, a flood of strangers."""

from statistics import median

from bench import attacked, engine, http, idle, load, memory
from bench.apart import apart
from bench.node import ONE_COUNT, TWO_COUNTS, seeded_home
from bench.report import GOALS_SET_AT, Figure, Found

NAMES = {TWO_COUNTS: "two counts", ONE_COUNT: "one count"}


def measure(size, steps):
    samples = {}
    with seeded_home(size.subjects) as home:
        for _ in steps.over("the engine alone", range(1)):
            samples["engine"] = apart(engine.measure, home, size)
        samples["http"] = http.measure(home, size, steps)
        samples["attacked"] = attacked.measure(home, size, steps)
        samples["start"] = idle.measure(size, steps)
        for _ in steps.over("memory under a flood of strangers", range(1)):
            samples["memory"] = apart(memory.measure, home, size.strangers)
    figures = [
        *_engine(samples["engine"], samples["http"][http.LIVE]), *_http(samples["http"]),
        *_attacked(samples["attacked"]), *_start(samples["start"]), *_memory(samples["memory"]),
    ]
    return Found(figures, samples, {"load": load.name()})


def _engine(samples, live):
    yield Figure("this machine: a turn of an empty loop", _median(samples["yardstick"], "turn_ns"), "ns")
    for operation, name in NAMES.items():
        batched, single = samples[f"{operation} batched"], samples[f"{operation} single"]
        yield Figure(f"engine, {name}: attempts a second", _median(batched, "per_s"), "/s")
        yield Figure(f"engine, {name}: batches of one", _median(single, "per_s"), "/s")
        yield Figure(f"engine, {name}: over batches of one", _ratio(batched, single, "per_s"), "x", must=4, reach=8)
        yield Figure(f"engine, {name}: processor each", _median(batched, "processor_us"), "µs", must=60, at_most=True)
        in_requests = _median(batched, "processor_us") / _median(live, "processor_us")
        yield Figure(f"engine, {name}: processor each, in empty requests", in_requests, "x", must=60e-6 * GOALS_SET_AT, at_most=True)
    hot, spread = samples[f"{TWO_COUNTS} hot"], samples[f"{TWO_COUNTS} batched"]
    yield Figure("engine, two counts: one hot subject over spread", _ratio(hot, spread, "per_s"), "x", must=1)
    yield Figure("engine, one count: whole flow, processor each", _median(samples[f"{ONE_COUNT} flow"], "processor_us"), "µs")


def _http(samples):
    live = samples[http.LIVE]
    yield Figure("HTTP: empty handler", _median(live, "per_s"), "/s")
    yield Figure("HTTP: empty handler, p99", _median([one["latency"] for one in live], "p99_ms"), "ms")
    for operation, name in NAMES.items():
        ours = samples[operation]
        yield Figure(f"HTTP, {name}: attempts a second", _median(ours, "per_s"), "/s")
        yield Figure(f"HTTP, {name}: of the empty handler", 100 * _ratio(ours, live, "per_s"), "%", must=25, reach=50)
        yield Figure(f"HTTP, {name}: p99", _median([one["latency"] for one in ours], "p99_ms"), "ms", must=25, at_most=True)
        in_waits = median(one["latency"]["p99_ms"] / other["latency"]["mean_ms"] for one, other in zip(ours, live, strict=True))
        yield Figure(f"HTTP, {name}: p99, in the mean of empty requests", in_waits, "x", must=25e-3 * GOALS_SET_AT / 128, at_most=True)
        yield Figure(f"HTTP, {name}: processor each", _median(ours, "processor_us"), "µs")
    yield Figure("HTTP: errors", _errors(samples), "", must=0, at_most=True)


def _errors(samples):
    return sum(one["errors"] + one["latency"]["errors"] for rounds in samples.values() for one in rounds)


def _attacked(samples):
    alone, attack, spread = samples["alone"], samples["attack"], samples["spread"]
    yield Figure("others, no attack: p99", _median(alone, "p99_ms"), "ms")
    yield Figure("others, attack: p99", _median(attack, "p99_ms"), "ms")
    yield Figure("others, attack over none", _ratio(attack, alone, "p99_ms"), "x", must=2, at_most=True)
    yield Figure("others, attack over spread load", _ratio(attack, spread, "p99_ms"), "x")


def _start(samples):
    yield Figure("serve: start to ready", _median(samples["others"], "ready_s"), "s", must=1.5, at_most=True)
    yield Figure("serve: start to ready, nothing compiled", samples["first"]["ready_s"], "s")
    yield Figure("serve: idle memory", _median(samples["others"], "rss_mb"), "MB", must=120, at_most=True)


def _memory(samples):
    for after, one in samples.items():
        yield Figure(f"strangers: memory after {after}", one["rss_mb"], "MB")
    own = {after: one["rss_mb"] - one["sqlite_mb"] for after, one in samples.items()}
    yield Figure("strangers: SQLite's part of it", samples["100 %"]["sqlite_mb"], "MB")
    yield Figure("strangers: growth of the rest from 10 %", 100 * (own["100 %"] / own["10 %"] - 1), "%", must=5, at_most=True)


def _median(samples, name):
    return median(one[name] for one in samples)


def _ratio(ours, theirs, name):
    """The median of the ratios within each round: what disturbed a round disturbed both."""
    return median(one[name] / other[name] for one, other in zip(ours, theirs, strict=True))
