"""`python3 run.py bench [NAME] [--json FILE]`: measure, print a table, write all samples as JSON."""

import argparse
import json
import os
import sys
from pathlib import Path

from bench import attempts, check, ledger, mail, manual, pages, report, table, tokens
from bench.sizes import DEFAULT, LONG, TINY
from bench.steps import Steps

BENCHES = {"attempts": attempts, "check": check, "ledger": ledger, "mail": mail, "manual": manual, "pages": pages, "table": table, "tokens": tokens}


def main(words=None):
    asked = _arguments().parse_args(words)
    if asked.name is None:
        for name, bench in BENCHES.items():
            print(f"{name:12} {bench.__doc__.splitlines()[0]}")
        return
    load_before = os.getloadavg()[0]
    with Steps() as steps:
        found = BENCHES[asked.name].measure(asked.size, steps)
    told = report.gather(asked.name, asked.size, found, load_before)
    report.print_table(told)
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")


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
