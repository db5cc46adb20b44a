"""The proofs of a policy: the shipped bank, and generated policies of a hundred and a thousand rows."""

import subprocess
import sys
from statistics import median

from bench import generated
from bench.report import Figure, Found
from sekisho.policy import reference

ROWS = (100, 1_000)
LIMITS_S = {"postal-bank": 1, "100 rows": 1, "1,000 rows": 15}
MEMORY_MB = 500

CHILD = """
import json, resource, sys, time
from sekisho.policy import parse
from sekisho.proof.check import check
source = sys.stdin.buffer.read()
begun = time.process_time()
policy = parse(source, "policy.yaml")
read = time.process_time()
check(policy)
done = time.process_time()
print(json.dumps([read - begun, done - read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""
"""In a process of its own, so that its memory is its own. Processor time: what others do on this machine is not its fault."""


def measure(size, steps):
    policies = {"postal-bank": reference("postal-bank").read_bytes()}
    policies |= {f"{rows:,} rows": generated.policy(rows).encode() for rows in ROWS[:1 if size.name == "tiny" else None]}
    rounds = {name: 1 if name == "1,000 rows" else min(3, size.rounds) for name in policies}
    samples = {name: [_once(source) for _ in steps.over(name, range(rounds[name]))] for name, source in policies.items()}
    return Found([figure for name, found in samples.items() for figure in _figures(name, found)], samples, {"load": "one process each"})


def _once(source):
    done = subprocess.run([sys.executable, "-c", CHILD], input=source, capture_output=True, check=True)
    return [float(part) for part in done.stdout.decode().strip(" []\n").split(",")]


def _figures(name, found):
    read, checked, memory = (median(one[part] for one in found) for part in range(3))
    return [
        Figure(f"{name}: all checks, processor", checked, "s", must=LIMITS_S[name], at_most=True),
        Figure(f"{name}: reading the file, processor", read, "s"),
        Figure(f"{name}: memory", memory, "MB", must=MEMORY_MB, at_most=True),
    ]
