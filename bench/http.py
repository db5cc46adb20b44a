"""The service over HTTP: a cheap entry beside the empty handler of the same server."""

from bench import client, load
from bench.apart import apart, processor_s
from bench.node import OPERATIONS, POLICY
from bench.service import serving

LIVE = "empty handler"


def measure(home, size, steps):
    """Samples by name, one for each round; rounds of everything follow one another."""
    with home.copied() as ours, serving(ours, POLICY) as (service, _):
        runs = ours.runs
        asked = {LIVE: service.live(), **{name: service.entries(runs[name]) for name in OPERATIONS}}
        samples = {name: [] for name in asked}
        for number in steps.over("over HTTP", range(-size.warming, size.rounds)):
            for name, requests in asked.items():
                found = {**_rate(service, requests, size), "latency": _latency(service, requests, size)}
                if number >= 0:
                    samples[name].append(found)
        for name in OPERATIONS:
            service.check_counts(runs[name][:20])
        return samples


def _rate(service, requests, size):
    spent = processor_s(service.pid)
    found = load.full_rate(service.port, requests, size.at_once, size.load_s)
    return {**found, "processor_us": (processor_s(service.pid) - spent) / found["requests"] * 1e6}


def _latency(service, requests, size):
    """From a client that has all its connections before it begins.

    wrk asks on the first while the last are not yet accepted. The loop accepts one connection a turn, so those wait for
    half a second and more, and wrk's correction for requests it did not make counts that many times over.
    """
    return apart(client.full_rate, service.port, requests, size.at_once, size.load_s)
