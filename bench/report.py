"""What was found, beside what must be: a table to read, and JSON with every sample and the machine."""

import datetime as dt
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.node import DISK

ROOT = Path(__file__).resolve().parents[1]

GOALS_SET_AT = 33_000
"""Empty requests a second of the machine on which the goals in time were set: 60 µs of processor are two of them there."""

QUIET = 0.5
"""The load before a bench, above which times are not the machine's own."""


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    unit: str
    must: float | None = None
    reach: float | None = None
    at_most: bool = False
    """Small is good."""

    @property
    def verdict(self):
        if self.must is None:
            return ""
        if not self._meets(self.must):
            return "missed"
        return "reached" if self.reach is not None and self._meets(self.reach) else "met"

    def _meets(self, limit):
        return self.value <= limit if self.at_most else self.value >= limit

    def told(self):
        limits = {"must": self.must, "reach": self.reach, "small_is_good": self.at_most} if self.must is not None else {}
        return {"figure": self.name, "value": self.value, "unit": self.unit, **limits, "verdict": self.verdict}


@dataclass(frozen=True)
class Found:
    figures: list[Figure]
    samples: dict
    with_what: dict


def gather(name, size, found, load_before):
    """All there is to keep of one run."""
    return {
        "bench": name,
        "size": size.name,
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": {**_machine(), "load_average_before": load_before},
        **found.with_what,
        "figures": [figure.told() for figure in found.figures],
        "samples": found.samples,
    }


def print_table(told):
    table = Table(title=f"{told['bench']} ({told['size']}), medians; load from {told['load']}", title_justify="left")
    table.add_column("figure")
    for column in ("measured", "must", "reach"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict")
    for one in told["figures"]:
        table.add_row(one["figure"], _number(one["value"], one["unit"]), _limit(one, "must"), _limit(one, "reach"), _verdict(one["verdict"]))
    out = Console()
    out.print(table)
    busy = told["machine"]["load_average_before"]
    if busy > QUIET:
        out.print(f"The machine was at work on something else (load {busy:.1f} before): only ratios within a round hold.")


def _number(value, unit):
    digits = 0 if value >= 1000 or value == int(value) else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}".strip()


def _limit(one, which):
    limit = one.get(which)
    return "" if limit is None else f"{'≤' if one['small_is_good'] else '≥'} {limit:g}"


def _verdict(word):
    colour = {"missed": "red", "met": "green", "reached": "bold green"}.get(word)
    return f"[{colour}]{word}[/]" if colour else ""


def _commit():
    head = _git("rev-parse", "HEAD")
    return f"{head} with changes" if head and _git("status", "--porcelain", "--", "src") else head


def _git(*words):
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _machine():
    return {
        "cores": os.cpu_count(), "processor": _processor(), "python": platform.python_version(), "system": platform.platform(),
        "disk": _file_system(DISK),
    }


def _processor():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _file_system(folder):
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    under = [(point, kind) for point, kind in mounts if Path(folder).resolve().is_relative_to(point)]
    return max(under, key=lambda one: len(one[0]))[1]
