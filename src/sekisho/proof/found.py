"""What a proof finds: its code, how grave it is, the cell of the file it is about, and the sentence for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from sekisho.policy.load import Policy
from sekisho.policy.model import FindingCode
from sekisho.policy.rows import rows, stages_of
from sekisho.policy.shape import Path
from sekisho.policy.table import Table, Text


class Severity(StrEnum):
    """What a finding does to the policy it is found in."""

    ERROR = "error"
    """It refuses the policy, unless somebody waives it."""
    WARNING = "warning"
    """It is told."""


Fact = int | str | Text | tuple[Text, ...]


class Found(msgspec.Struct, frozen=True):
    """One thing found. The sentence is `finding.` and `say` in the catalogues, filled in from `facts`."""

    code: FindingCode
    say: str
    facts: dict[str, Fact]
    row: str | None = None
    path: Path = ()
    """The cell; where it is empty, the row's."""
    trace: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR


class Places:
    """Where the rows of a policy stand in its file."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.rows: dict[str, Path] = {"M-STOP-1": ("emergency_stop",), "Y-RULE-5": ("suspension",)}
        for row in rows(policy.file):
            for name in (row.cell.row, *row.cell.also):
                self.rows.setdefault(name, row.path)
            for stage in stages_of(policy.file, row):
                self.rows.setdefault(stage.row, stage.path)
        for gone, cell in policy.file.abolished.items():
            for number, lock in enumerate(cell.locks):
                self.rows.setdefault(lock.row, ("abolished", gone, "locks", number))
        for name in policy.file.operations:
            self.rows.setdefault(name, ("operations", name))

    def where(self, found: Found) -> str:
        """`file:line:column` of a finding."""
        path = found.path or self.rows.get(found.row or "", ())
        return self._policy.where(*path)


def texts(table: Table, names: Iterable[str]) -> tuple[Text, ...]:
    """What a person calls operations, items, things and ways back."""
    return tuple(_texts(table, names))


def _texts(table: Table, names: Iterable[str]) -> Iterator[Text]:
    for name in names:
        if name in table.paths:
            yield table.paths[name].text
        elif name in table.operations:
            yield table.operations[name].text
        elif name in table.items:
            yield table.items[name].text
        else:
            yield table.things.get(name, table.flags.get(name, Text(name, name)))


def filled(facts: dict[str, Fact], language: str) -> dict[str, object]:
    """The facts as they stand in a sentence of that language."""
    return {name: _in(fact, language) for name, fact in facts.items()}


def _in(fact: Fact, language: str) -> object:
    if isinstance(fact, Text):
        return fact.ja if language == "ja" else fact.en
    if isinstance(fact, tuple):
        return ("、" if language == "ja" else ", ").join(str(_in(one, language)) for one in fact)
    return f"{fact:,}" if isinstance(fact, int) else fact
