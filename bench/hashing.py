"""Passwords compared at full rate: what cheap entries beside them notice, and what becomes of logins that nobody can look at."""

import json
from collections import Counter

import uvloop

from bench import client
from bench.apart import apart, started
from bench.node import AT_ONCE, ONE_COUNT, POLICY, begin, customer, enrol, in_turn, seeded_home
from bench.service import serving
from sekisho.app import build

LOGIN, PASSWORD = "login", "password"
HASHERS = 4
"""Connections that send a login as soon as the last is answered: enough to keep both workers at it."""

OVER = 200 / 110
"""Logins offered, over what can be compared."""

EACH_HZ = 0.5
"""Logins a second on each connection: slow enough that none waits for the one before it."""


def measure(size, steps):
    """Samples by name."""
    with seeded_home(size.hashed + size.subjects // 10) as home:
        runs = apart(_logins, home, size.hashed)
        with serving(home, POLICY) as (service, _):
            logins, cheap = service.entries(runs, item=PASSWORD), service.entries(home.runs[ONE_COUNT][size.hashed:])
            samples = {"alone": [], "beside": [], "empty beside": []}
            for _ in steps.over("cheap entries while passwords are compared", range(size.rounds)):
                samples["alone"].append(_paced(service, cheap, size))
                for name, requests in (("beside", cheap), ("empty beside", service.live())):
                    samples[name].append(_beside(service, logins, requests, size))
            compared = max(one["compared_per_s"] for one in samples["beside"])
            for _ in steps.over("more logins than can be compared", range(1)):
                samples["offered"] = _offered(service, logins, compared * OVER, size)
        samples["offered"]["counted"] = apart(_counted, home, size.hashed)
        samples["offered"]["counted"] -= sum(one["compared"] for name in ("beside", "empty beside") for one in samples[name])
    return samples


def _logins(home, number):
    """Passwords for so many customers; a run of a login for each."""
    return uvloop.run(_set_passwords(home, number))


async def _set_passwords(home, number):
    app = await build(home.settings())
    async with app.running():
        await in_turn((enrol(app, customer(n), PASSWORD) for n in range(number)), AT_ONCE)
        return await begin(app, home.owner, LOGIN, map(customer, range(number)))


def _counted(home, number):
    """Wrong passwords on record."""
    return uvloop.run(_count(home, number))


async def _count(home, number):
    app = await build(home.settings())
    async with app.running():
        seen = [await app.desk.view(app.table, customer(n), {}, "admin") for n in range(number)]
    return sum(count["wrong"] for one in seen for count in one["counts"] if count["counter"] == "password-in-a-row")


def _paced(service, requests, size):
    return apart(client.paced, service.port, requests, size.others, size.load_s, size.others_hz)


def _beside(service, logins, requests, size):
    """Cheap requests at a fixed rate while passwords are compared as fast as they can be."""
    with started(client.whole, service.port, logins, HASHERS, size.load_s + 2 * size.lead_s) as hashing:
        found = _paced(service, requests, size)
        done = hashing.result()
    return {**found, "compared": done["requests"], "compared_per_s": done["per_s"]}


def _offered(service, logins, per_s, size):
    connections = max(1, round(per_s / EACH_HZ))
    found = apart(client.offered, service.port, logins, connections, size.offered_s, EACH_HZ)
    said = Counter(_said(json.loads(body)) for body in found.pop("bodies"))
    return {
        "offered_per_s": connections * EACH_HZ, "seconds": found["seconds"], "p99_ms": found["p99_ms"],
        "looked_at": said["wrong"], "again": said["again"], "other": said["other"] + found["errors"],
    }


def _said(answer):
    if answer.get("outcome") == "wrong":
        return "wrong"
    return "again" if answer.get("outcome") == "refused" and answer.get("again") else "other"
