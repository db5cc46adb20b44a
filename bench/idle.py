"""`serve` as it starts on an empty store with the shipped policy: how soon it is ready, how much memory it takes.

Python keeps what it has compiled. The first start finds nothing of that kind and is told apart; all others find it.
"""

import os
import tempfile
import time

from bench.apart import rss_mb
from bench.node import DISK, empty_home
from bench.service import serving
from sekisho.policy import reference


def measure(size, steps):
    with tempfile.TemporaryDirectory(prefix="sekisho-bench-compiled-", dir=DISK) as compiled:
        first, *others = [_start(size, compiled) for _ in steps.over("start to ready", range(1 + size.starts))]
        return {"first": first, "others": others}


def _start(size, compiled):
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with empty_home() as home, serving(home, reference("postal-bank"), environment) as (service, ready_s):
        time.sleep(size.settle_s)
        return {"ready_s": ready_s, "rss_mb": rss_mb(service.pid)}
