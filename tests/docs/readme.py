"""Takes the examples out of a page: each `sh` block, and the block right after it, which is its answer."""

import json
import re
from itertools import count
from typing import NamedTuple

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MADE_UP = re.compile(r"(?<![\w-])(?:[0-9a-f]{13}-\d+|(?=[\w-]*[A-Z])(?:[\w-]{32}|[\w-]{24}))(?![\w-])", re.ASCII)
_FIGURES = re.compile(r"\d+ events in \d+ links, \d+ seals")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Example(NamedTuple):
    """What is pasted, and what comes back; `kind` says how the two are compared."""

    script: str
    answer: str
    kind: str


def section(page, title):
    """The text below a heading of the second rank, up to the next."""
    return page.split(f"\n## {title}\n")[1].split("\n## ")[0]


def examples(text):
    """All examples of a text, in order."""
    blocks = _BLOCK.findall(text)
    found = []
    for (kind, script), (after, answer) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "sh":
            told = after in {"json", "text"}
            found.append(Example(script, answer if told else "", after if told else "text"))
    return found


def values(answer):
    """JSON values one after the other, however they are broken into lines."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while answer[at:].strip():
        at += len(answer[at:]) - len(answer[at:].lstrip())
        value, at = decoder.raw_decode(answer, at)
        found.append(value)
    return found


class Mask:
    """Numbers what is made up anew each time, in the order it appears: the same id is the same number everywhere."""

    def __init__(self):
        self._numbers = {}
        self._next = count(1)

    def __call__(self, example_kind, text):
        plain = _FIGURES.sub("FIGURES", _TIME.sub("TIME", text))
        masked = _MADE_UP.sub(lambda match: f"ID-{self._number(match[0])}", plain)
        return values(masked) if example_kind == "json" else masked.strip("\n")

    def _number(self, made_up):
        if made_up not in self._numbers:
            self._numbers[made_up] = next(self._next)
        return self._numbers[made_up]
