"""`python3 run.py bench [NAME] [--json FILE]`: measure, print a table, write all samples as JSON."""

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

from bench.sizes import DEFAULT, LONG, TINY

BENCHES = ("attempts", "check", "ledger", "mail", "manual", "pages", "table", "tokens")


def main(words=None):
    asked = _arguments().parse_args(words)
    if asked.name is None:
        for name in BENCHES:
            print(f"{name:12} {_module(name).__doc__.splitlines()[0]}")
        return
    load_before, report = os.getloadavg()[0], _module("report")
    with _module("steps").Steps() as steps:
        found = _module(asked.name).measure(asked.size, steps)
    told = report.gather(asked.name, asked.size, found, load_before)
    report.print_table(told)
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def _module(name):
    """Loaded when it is needed: every process that a bench starts loads this file first, and no more than its own work."""
    return importlib.import_module(f"bench.{name}")


def _arguments():
    parser = argparse.ArgumentParser(prog="run.py bench", description="Measure. Without a name: the benches there are.")
    parser.add_argument("name", nargs="?", choices=BENCHES)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures, all samples and the machine to FILE")
    full = parser.add_mutually_exclusive_group()
    full.add_argument("--long", dest="size", action="store_const", const=LONG, help="full counts; also SEKISHO_LONG=1")
    full.add_argument("--tiny", dest="size", action="store_const", const=TINY, help="a handful of everything, to see that it runs")
    parser.set_defaults(size=LONG if os.environ.get("SEKISHO_LONG") == "1" else DEFAULT)
    return parser


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("interrupted: nothing was written")
