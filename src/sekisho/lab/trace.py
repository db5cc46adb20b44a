"""The moves of a proof's trace, as they are played: read, checked against the policy, and rounds written out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from sekisho.errors import CallerError
from sekisho.policy.table import Table
from sekisho.proof.check import Finding, Report

MANY = 1_000
"""Entries that are played without being asked for: some seconds' worth."""

FEW = 2
"""Rounds that are played of a trace with more."""

MOVES = {
    "wrong": r"wrong (?P<item>\S+) in (?P<operation>\S+) x(?P<times>\d+)(?P<about> about)?",
    "begin": r"begin (?P<item>\S+) in (?P<operation>\S+)(?P<about> about)?",
    "settle": "settle",
    "right": r"right (?P<item>\S+) in (?P<operation>\S+)(?P<about> about)?",
    "run": r"run (?P<operation>\S+)(?P<about> about)?",
    "walk": r"walk (?P<path>\S+)",
    "wait": r"wait (?P<seconds>[0-9.e+]+)",
    "attack": r"attack (?P<seconds>[0-9.e+]+)",
    "again": r"again x(?P<times>\d+) last (?P<last>\d+)",
    "flag": r"flag (?P<flag>\S+)",
    "lose": r"lose (?P<item>\S+)",
    "lock": r"lock (?P<row>\S+)",
    "stop": "stop",
    "device": "device",
    "visit": "visit",
    "and": "and",
    "out": "out",
}
"""By name: how each move is written."""


class Move(NamedTuple):
    """One move."""

    text: str
    name: str
    named: dict[str, str]
    """What it names: `item`, `operation`, `path`, `flag`, `row`; `about` where the entry is about the customer."""
    number: float = 1
    """How often, or how many seconds."""


class Played(NamedTuple):
    """What of a trace is played."""

    moves: list[Move]
    left_out: int
    """Rounds and entries that would come out as those before them."""


class Trace(msgspec.Struct, frozen=True):
    """The trace of one finding, as it stands in a file."""

    policy: str
    """Path of the policy, from where the trace is."""
    version: str
    """Digest of the policy's bytes."""
    code: str
    row: str | None
    claim: str
    ja: str
    en: str
    trace: tuple[str, ...]


def of_finding(finding: Finding, policy: str, version: str) -> Trace:
    """The trace of a finding, to be written down."""
    return Trace(policy, version, finding.code.value, finding.row, finding.claim, finding.text.ja, finding.text.en, finding.trace)


def write_traces(report: Report, policy: Path, folder: Path) -> list[Path]:
    """Write the trace of every finding that has one into a folder: the files, in the order of the findings."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [finding for finding in report.findings if finding.trace]
    files = []
    for number, finding in enumerate(found, 1):
        file = folder / f"{number:02}-{finding.code.value}-{finding.row or finding.claim}.json"
        trace = of_finding(finding, os.path.relpath(policy, folder), report.version)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(trace), indent=2) + b"\n")
        files.append(file)
    return files


def read_trace(file: Path) -> Trace:
    """Read one back.

    Raises:
        CallerError: it is none.

    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Trace)
    except msgspec.MsgspecError as no:
        raise CallerError(f"{file} is not a trace; sekisho policy check FILE --traces DIR writes some") from no


def read_move(text: str, table: Table) -> Move:
    """Understand one move.

    Raises:
        CallerError: it is none, or names what the policy does not.

    """
    for name, pattern in MOVES.items():
        found = re.fullmatch(pattern, text)
        if found is not None:
            named = {key: value.strip() for key, value in found.groupdict().items() if value is not None}
            number = float(named.pop("seconds", None) or named.pop("times", "1"))
            _check(named, table)
            return Move(text, name, named, number)
    raise CallerError(f"a trace has no such move: {text}")


def _check(named: dict[str, str], table: Table) -> None:
    known = {"item": {*table.items, *table.things}, "operation": table.operations.keys(), "path": table.paths.keys()}
    for kind, names in known.items():
        if kind in named and named[kind] not in names:
            raise CallerError(f"the policy has no {kind} of that name: {named[kind]}")


def written_out(trace: Sequence[str], table: Table, *, whole: bool = False) -> Played:
    """The moves of a trace one after the other, rounds and all; where they are too many, the first few of each."""
    moves = [read_move(text, table) for text in trace]
    rounds = moves if whole or _entries(moves) <= MANY else [_fewer(move) for move in moves]
    left_out = sum(int(before.number - after.number) for before, after in zip(moves, rounds, strict=True))
    return Played([move for at in range(len(rounds)) for move in _expanded(rounds, at)], left_out)


def _fewer(move: Move) -> Move:
    most = {"again": FEW, "wrong": MANY}.get(move.name, move.number)
    return move._replace(number=min(move.number, most))


def _expanded(moves: Sequence[Move], at: int) -> Iterator[Move]:
    move = moves[at]
    if move.name != "again":
        yield move
        return
    for _ in range(int(move.number)):
        for one in range(max(0, at - int(move.named["last"])), at):
            yield from _expanded(moves, one)


def _entries(moves: Sequence[Move]) -> int:
    """How many entries they come to, without writing them out."""
    made: list[int] = []
    for at, move in enumerate(moves):
        if move.name == "again":
            made.append(int(move.number) * sum(made[max(0, at - int(move.named["last"])):at]))
        else:
            made.append(int(move.number) if move.name == "wrong" else 0)
    return sum(made)
