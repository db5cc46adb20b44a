"""`serve` as it starts on an empty store with the shipped policy: how soon it is ready, how much memory it takes."""

import time

from bench.apart import rss_mb
from bench.node import empty_home
from bench.service import serving
from sekisho.policy import reference


def measure(size, steps):
    return [_start(size) for _ in steps.over("start to ready", range(size.starts))]


def _start(size):
    with empty_home() as home, serving(home, reference("postal-bank")) as (service, ready_s):
        time.sleep(size.settle_s)
        return {"ready_s": ready_s, "rss_mb": rss_mb(service.pid)}
