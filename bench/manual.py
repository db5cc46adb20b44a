"""The manual of the shipped bank: both articles in both languages as pages and as PDF, the largest page, the slowest search."""

import subprocess
import sys
from statistics import median

from bench.report import Figure, Found
from sekisho.policy import reference

PAGES_S, PAGE_KB, SEARCH_MS = 2, 100, 50

CHILD = """
import sys, time
from sekisho.manual import Audience, articles, files, printed
from sekisho.policy import compile_policy, parse
table = compile_policy(parse(sys.stdin.buffer.read(), "policy.yaml"))
begun = time.process_time()
made = list(files(table))
pages = time.process_time()
set_ = list(printed(table))
done = time.process_time()
searches = []
for one in articles(table):
    one.search("")
    for query in ("ログインできない", "メールが届かない", "アプリの顔が消えた", "I cannot log in", "no mail arrives"):
        asked = time.process_time()
        one.search(query)
        searches.append(time.process_time() - asked)
print(pages - begun, done - pages, max(len(one.body) for one in made if one.place.endswith(".html")) / 1000, max(searches) * 1000)
"""
"""In a process of its own, so that nothing is warm. Processor time: what others do on this machine is not its fault."""


def measure(size, steps):
    source = reference("postal-bank").read_bytes()
    samples = [_once(source) for _ in steps.over("postal-bank", range(min(3, size.rounds)))]
    pages, printed, largest, search = (median(one[part] for one in samples) for part in range(4))
    return Found([
        Figure("both articles in both languages, processor", pages, "s", must=PAGES_S, at_most=True),
        Figure("the same as PDF, processor", printed, "s"),
        Figure("largest page", largest, "KB", must=PAGE_KB, at_most=True),
        Figure("slowest search, processor", search, "ms", must=SEARCH_MS, at_most=True),
    ], {"postal-bank": samples}, {"load": "one process each"})


def _once(source):
    done = subprocess.run([sys.executable, "-c", CHILD], input=source, capture_output=True, check=True)
    return [float(part) for part in done.stdout.decode().split()]
