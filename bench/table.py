"""The whole table: what a bank's own rows add to a bare attempt, and what notices that passwords are being compared."""

from statistics import median

from bench import hashing, load, rows
from bench.apart import apart
from bench.report import Figure, Found

ADDED_S = 20e-6
P99_S = 50e-3


def measure(size, steps):
    samples = {}
    for _ in steps.over("a row of the table beside a bare attempt", range(1)):
        samples["rows"] = apart(rows.measure, size)
    samples["hashing"] = hashing.measure(size, steps)
    return Found([*_rows(samples["rows"]), *_beside(samples["hashing"]), *_offered(samples["hashing"])], samples, {"load": load.name()})


def _rows(rounds):
    added = median(one["row"]["processor_us"] - one["bare"]["processor_us"] for one in rounds)
    yield Figure("bare attempt, two counts: processor each", median(one["bare"]["processor_us"] for one in rounds), "µs")
    yield Figure("a row of the table, three counts: processor each", median(one["row"]["processor_us"] for one in rounds), "µs")
    yield Figure("the table adds", added, "µs", must=ADDED_S * 1e6, at_most=True)
    yield Figure("the same, to a bare attempt", 100 * median(
        one["row"]["processor_us"] / one["bare"]["processor_us"] - 1 for one in rounds
    ), "%", must=100 * ADDED_S / 60e-6, at_most=True)


def _beside(samples):
    alone, hashed = ([one["p99_ms"] for one in samples[name]] for name in ("alone", "beside"))
    empty = median(one["p99_ms"] for one in samples["empty beside"])
    yield Figure("passwords compared at full rate", median(one["compared_per_s"] for one in samples["beside"]), "/s")
    yield Figure("cheap entries, nothing else: p99", median(alone), "ms")
    yield Figure("the empty handler, while passwords are compared: p99", empty, "ms")
    yield Figure("cheap entries, while passwords are compared: p99", median(hashed), "ms", must=P99_S * 1e3, at_most=True)


def _offered(samples):
    one = samples["offered"]
    yield Figure("logins offered", one["offered_per_s"], "/s")
    compared = median(each["compared_per_s"] for each in samples["beside"])
    yield Figure("logins offered, over what can be compared", one["offered_per_s"] / compared, "x")
    yield Figure("logins looked at", one["looked_at"], "")
    yield Figure("logins refused for want of a slot", one["again"], "")
    yield Figure("refused otherwise, or errors", one["other"], "", must=0, at_most=True)
    yield Figure("guesses spent on refused ones", one["counted"] - one["looked_at"], "", must=0, at_most=True)


