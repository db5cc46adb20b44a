"""The rows and stages of a file with all that the file leaves implicit: rows lent by another operation, the stages of
every other entry, ceilings, and the names of counts that belong to one row alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sekisho.policy import model as m
from sekisho.policy.shape import Path
from sekisho.terms import Counting, ItemKind, Reach

EVERYTHING = "everything"
"""The word of the file for all operations."""
ONE_RUN = frozenset({Reach.PROCEDURE, Reach.SESSION})
"""Counts that end with the run or session; they stand on no guard row."""
NOT_SECRET = frozenset({ItemKind.IDENTIFIER, ItemKind.DATA})
"""Kinds that test nothing, so that a row need not be written for each."""


class RowAt(NamedTuple):
    """One row, or one variant, in one operation."""

    operation: str
    item: str
    number: int
    cell: m.RowCell
    path: Path
    """Where it is written: in another operation if lent."""


class StageAt(NamedTuple):
    """One stage as one row touches it."""

    counter: str
    reach: Reach
    counting: Counting
    window_s: int | None
    ours: bool
    cell: m.StageCell
    row: str
    path: Path


def listed(names: str | list[str] | None) -> tuple[str, ...]:
    """One name or a list of them."""
    return (names,) if isinstance(names, str) else tuple(names or ())


def demands(operation: m.OperationCell, item: str) -> list[str]:
    """The flags under which steps of an operation ask for an item, each step under one flag alone."""
    steps = [step for step in operation.steps if isinstance(step, m.StepCell) and step_items(step) == (item,)]
    flags = [[step.when] if isinstance(step.when, str) else list(step.when) for step in steps]
    return list(dict.fromkeys(one[0] for one in flags if len(one) == 1))


def step_items(step: str | list[str] | m.StepCell) -> tuple[str, ...]:
    """The items of which any one will do."""
    return listed(step.any if isinstance(step, m.StepCell) else step)


def taken(operation: m.OperationCell) -> list[str]:
    """Every item an operation takes, in the order of its steps."""
    return list(dict.fromkeys(item for step in operation.steps for item in step_items(step)))


def confirming(names: tuple[str, ...], file: m.PolicyFile) -> bool:
    """Whether one of these items is a code that confirms addresses."""
    return any(name in file.items and file.items[name].purpose == "confirm-address" for name in names)


def addresses_of(operation: m.OperationCell, file: m.PolicyFile) -> str | None:
    """The item by which an operation takes new addresses; None: it takes none."""
    return next((name for name in taken(operation) if name in file.items and file.items[name].registers is not None), None)


class _Ceilings:
    """The ceilings of one file as its rows look them up."""

    def __init__(self, file: m.PolicyFile) -> None:
        self.file = file
        self.of: dict[str, list[tuple[str, m.CeilingCell]]] = {}
        """By item, in the order of the file."""
        self.first: dict[str, list[str]] = {}
        for name, ceiling in file.ceilings.items():
            for item in dict.fromkeys(ceiling.items):
                self.of.setdefault(item, []).append((name, ceiling))
            for cell in ceiling.penalty:
                if isinstance(cell, m.PenaltyCell) and cell.first is not None:
                    for operation in cell.in_:
                        self.first.setdefault(operation, []).append(cell.first)


_newest: list[_Ceilings] = []


def _ceilings(file: m.PolicyFile) -> _Ceilings:
    """Those of the file last asked for are kept: whoever asks, asks for every row."""
    found = next((one for one in _newest if one.file is file), None) or _Ceilings(file)
    _newest[:] = [found]
    return found


def asked_first(file: m.PolicyFile) -> dict[str, list[str]]:
    """By operation: items of which no step speaks, asked of unknown devices once a ceiling is reached."""
    return _ceilings(file).first


def rows(file: m.PolicyFile) -> Iterator[RowAt]:
    """Every row of every operation."""
    for name in file.operations:
        yield from rows_of(file, name)


def rows_of(file: m.PolicyFile, operation: str) -> Iterator[RowAt]:
    """The rows of one operation, in the order of its steps; after them what unknown devices may be asked first."""
    for item in dict.fromkeys([*taken(file.operations[operation]), *asked_first(file).get(operation, [])]):
        written = written_row(file, operation, item)
        if written is not None:
            cell, path = written
            variants: list[m.RowCell] = cell if isinstance(cell, list) else [cell]
            for number, variant in enumerate(variants):
                yield RowAt(operation, item, number, variant, (*path, number) if isinstance(cell, list) else path)


def written_row(file: m.PolicyFile, operation: str, item: str) -> tuple[m.RowCell | list[m.RowCell], Path] | None:
    """Where the row of an item is written: here, in the operation that lends its rows, or under `others:`."""
    for name in (operation, file.operations[operation].rows_as):
        lender = file.operations.get(name or "")
        if lender is not None and item in lender.items:
            return lender.items[item], ("operations", str(name), "items", item)
    kind = file.items[item].kind if item in file.items else None
    if file.others is None or (kind not in NOT_SECRET and item not in asked_first(file).get(operation, [])):
        return None
    others = file.others
    implied = m.RowCell(row=others.row, stages=["others"], say=others.say, not_say=others.not_say, why=others.why)
    return implied, ("others",)


def stages_of(file: m.PolicyFile, row: RowAt) -> Iterator[StageAt]:
    """Every stage a row touches, ceilings included."""
    base = f"{row.operation}/{row.item}" + (f"/{row.number + 1}" if row.number else "")
    for cell, path, row_id in _written_stages(file, row):
        yield from _placed(file, base, cell, row_id, path, alone=True)
    if row.cell.stages == "none":
        return
    for name, ceiling in _ceilings(file).of.get(row.item, ()):
        if counts_in(ceiling, row.operation, row.item):
            yield from _placed(file, name, ceiling, ceiling.row or name, ("ceilings", name), alone=False)


def _written_stages(file: m.PolicyFile, row: RowAt) -> Iterator[tuple[m.StageCell, Path, str]]:
    written: list[Any] = row.cell.stages if isinstance(row.cell.stages, list) else []
    for number, stage in enumerate(written):
        if isinstance(stage, m.StageCell):
            yield stage, (*row.path, "stages", number), stage.row or row.cell.row
        elif file.others is not None:
            for other, cell in enumerate(file.others.stages):
                yield cell, ("others", "stages", other), cell.row or file.others.row


def _placed(
    file: m.PolicyFile, base: str, cell: m.StageCell, row: str, path: Path, *, alone: bool,
) -> Iterator[StageAt]:
    """The stage on its counter; nothing where the file names no counter that exists."""
    if cell.count is not None:
        shared = file.counters.get(cell.count)
        if shared is not None:
            yield StageAt(cell.count, shared.of, *_forgets(shared, shared.of, file), shared.ours, cell, row, path)
    elif cell.of is not None:
        how, window = _forgets(cell, cell.of, file)
        name = f"{base}@{cell.of}{_suffix(how, window, cell.of)}" if alone else base
        yield StageAt(name, cell.of, how, window, cell.ours, cell, row, path)


def _forgets(cell: m.StageCell | m.CounterCell, reach: Reach, file: m.PolicyFile) -> tuple[Counting, int | None]:
    """How a count forgets, and its window."""
    if cell.within:
        return Counting.WITHIN, m.seconds(cell.within)
    if cell.in_total or cell.in_a_row or reach not in ONE_RUN:
        return (Counting.IN_TOTAL if cell.in_total else Counting.IN_A_ROW), None
    return Counting(file.rules.one_run), None


def _suffix(how: Counting, window: int | None, reach: Reach) -> str:
    """Keeps two counts of one row apart that stand on one subject and forget differently."""
    if reach in ONE_RUN or how is Counting.IN_A_ROW:
        return ""
    return f":{how}" + (f"-{window}s" if window else "")


def counts_in(ceiling: m.CeilingCell, operation: str, item: str) -> bool:
    """Whether a ceiling counts this item in this operation."""
    here = not ceiling.only or operation in ceiling.only
    return item in ceiling.items and here and operation not in ceiling.except_


def penalty_kind(cell: m.PenaltyCell | str) -> list[str]:
    """Which of the words a penalty is made of; exactly one is right."""
    if isinstance(cell, str):
        return [cell]
    words = {"lock": cell.lock, "block": cell.block, "suspend": cell.suspend, "disable": cell.disable,
             "erase": cell.erase, "remove": cell.remove, "ask-more": cell.ask_more}
    return [word for word, names in words.items() if names is not None]
