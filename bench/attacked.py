"""One subject attacked at full rate: what all others notice of it."""

from bench import client, load
from bench.apart import apart
from bench.node import ONE_COUNT, POLICY
from bench.service import serving


def measure(home, size, steps):
    """For each round: the others alone, beside the attack, and beside as much load that is spread over all subjects."""
    with home.copied() as ours, serving(ours, POLICY) as (service, _):
        hot, *runs = ours.runs[ONE_COUNT]
        others = service.entries(runs[len(runs) // 2:])
        beside = {"alone": None, "attack": service.entries([hot]), "spread": service.entries(runs[:len(runs) // 2])}
        samples = {name: [] for name in beside}
        for _ in steps.over("one subject attacked", range(size.rounds)):
            for name, requests in beside.items():
                samples[name].append(_others(service.port, others, requests, size))
        service.check_counts([hot, *runs[:20]])
        return samples


def _others(port, others, requests, size):
    if requests is None:
        return _paced(port, others, size)
    with load.full_rate_beside(port, requests, size.attackers, size.load_s + 2 * size.lead_s) as loaded:
        found = _paced(port, others, size)
        return {**found, "beside_per_s": loaded()["per_s"]}


def _paced(port, others, size):
    return apart(client.paced, port, others, size.others, size.load_s, size.others_hz)
