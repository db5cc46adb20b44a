"""What a policy file may not say though each of its cells can be read: names of nothing, cells that contradict others.

Each check yields the path of a cell and what is wrong with it. The proofs (is there a way out, how many guesses) come
later and look at the compiled table; here is only what would make that table ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from sekisho.policy import model as m
from sekisho.policy.shape import Path, near
from sekisho.policy.yaml import quoted
from sekisho.terms import ItemKind, PathKind, Reach

Fault: TypeAlias = tuple[Path, str]
EVERYTHING = "everything"
ONE_RUN = {Reach.PROCEDURE, Reach.SESSION}


def check(file: m.PolicyFile) -> Iterator[Fault]:
    """Everything that is wrong."""
    yield from _Checker(file).faults()


class _Checker:
    def __init__(self, file: m.PolicyFile) -> None:
        self.file = file
        self.ways: dict[str, m.WayCell] = {**file.procedures, **file.forms}
        self.rows: dict[str, tuple[Path, object]] = {}
        self.shared: dict[tuple[str, int], tuple[Path, object]] = {}

    def faults(self) -> Iterator[Fault]:
        yield from self.operations()

    def operations(self) -> Iterator[Fault]:
        for name, cell in self.file.operations.items():
            yield from self.operation(("operations", name), cell)

    def operation(self, path: Path, cell: m.OperationCell) -> Iterator[Fault]:
        for item in cell.items:
            yield from self.known((*path, "items", item), item, self.file.items, "item")

    def known(self, path: Path, name: str, names: Iterable[str], what: str) -> Iterator[Fault]:
        if name and name not in names:
            hint = near(name, names) or f"name one of `{what}s:`"
            yield path, f"unknown {what} {quoted(name)}; {hint}"
