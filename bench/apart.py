"""Processes of their own: what one measure leaves in memory does not weigh on the next."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

_FRESH = multiprocessing.get_context("forkserver")
_FRESH.set_forkserver_preload(["bench.engine", "bench.client"])
"""Each is forked from one that has loaded what most of them need and done nothing."""


def apart(work, *arguments):
    """The answer of a call in a fresh process."""
    with started(work, *arguments) as answer:
        return answer.result()


class started:  # noqa: N801  reads as the verb it is: with started(...) as answer
    """A call on its way in a fresh process."""

    def __init__(self, work, *arguments):
        self._pool = ProcessPoolExecutor(1, mp_context=_FRESH)
        self._answer = self._pool.submit(work, *arguments)

    def __enter__(self):
        return self._answer

    def __exit__(self, *_):
        self._pool.shutdown()


def rss_mb(pid="self"):
    """Resident memory of a process, in MB of a million bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def processor_s(pid):
    """Processor time a process has taken so far, all its threads."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
