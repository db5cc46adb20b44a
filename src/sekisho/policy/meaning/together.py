"""What several rows may not say together: ceilings, devices, shared counts, numbers of rows."""

from __future__ import annotations

from collections.abc import Iterator

from sekisho.policy import model as m
from sekisho.policy.meaning.names import Fault, Faults, Names
from sekisho.policy.meaning.stages import one_stage
from sekisho.policy.rows import (
    NOT_SECRET,
    ONE_RUN,
    StageAt,
    counts_in,
    penalty_kind,
    rows,
    stages_of,
    written_row,
)
from sekisho.policy.shape import Path, Vocabulary
from sekisho.policy.yaml import quoted
from sekisho.terms import ItemKind, Reach


def _ceilings(file: m.PolicyFile, names: Names) -> Faults:
    for name, ceiling in file.ceilings.items():
        path = ("ceilings", name)
        yield from one_stage(path, ceiling, names)
        yield from names.all_known((*path, "items"), ceiling.items, "item", names.items)
        for cell, operations in (("only", ceiling.only), ("except", ceiling.except_)):
            yield from names.all_known((*path, cell), operations, "operation", names.operations)
        if ceiling.of in ONE_RUN:
            yield Fault((*path, "of"), "a ceiling counts over all runs and sessions; name whose, such as `customer`")
        if ceiling.in_a_row:
            yield Fault((*path, "in_a_row"), "a ceiling is cleared by no right entry; write `in_total: true` or `within:`")
        reach = ceiling.of or (file.counters[ceiling.count].of if ceiling.count in file.counters else None)
        asks = all(penalty_kind(cell) == ["ask-more"] for cell in ceiling.penalty)
        if reach in {Reach.ACTOR, Reach.BANK} and not asks:
            yield Fault((*path, "penalty"), f"a ceiling of {'one actor' if reach is Reach.ACTOR else 'the bank'} never refuses "
                                            "known devices; write `[{ask-more: unknown-devices, in: […]}]`")


def _devices(file: m.PolicyFile, names: Names) -> Faults:
    """What tells devices apart needs known ones, and what is kept for them must leave the others something."""
    devices = file.devices
    if devices is not None:
        yield from names.all_known(("devices", "known_by"), devices.known_by, "operation", names.operations)
        if not file.known_devices:
            yield Fault(("devices",), "no device is known where `known_devices: false` stands; remove this section, or write `true` there")
    for path, stage in _stage_cells(file):
        yield from _of_devices(path, stage, file)
    for name, ceiling in file.ceilings.items():
        for number, cell in enumerate(ceiling.penalty):
            if isinstance(cell, m.PenaltyCell) and cell.first is not None:
                yield from _asked_first(("ceilings", name, "penalty", number, "first"), cell, ceiling, file)
    yield from _asked_everywhere(file)


def _asked_everywhere(file: m.PolicyFile) -> Faults:
    """Wherever a ceiling of the bank is counted, something is asked once it is reached: else it would go on giving guesses there."""
    of_bank = {
        name: ceiling for name, ceiling in file.ceilings.items()
        if Reach.BANK is (file.counters[ceiling.count].of if ceiling.count in file.counters else ceiling.of)
    }
    for row in rows(file) if of_bank else ():
        for name, ceiling in of_bank.items():
            asked = {operation for cell in ceiling.penalty if isinstance(cell, m.PenaltyCell) for operation in cell.in_}
            if row.operation not in asked and row.cell.stages != "none" and counts_in(ceiling, row.operation, row.item):
                yield Fault(("ceilings", name, "penalty"), f"it is counted in {quoted(row.operation)} too, where nothing is asked once it is "
                                                           "reached; name that in `in:` or in `except:`")


def _stage_cells(file: m.PolicyFile) -> Iterator[tuple[Path, m.StageCell]]:
    """Every stage where it is written."""
    for name, operation in file.operations.items():
        for item, written in operation.items.items():
            for number, row in enumerate(written if isinstance(written, list) else [written]):
                path: Path = ("operations", name, "items", item, *((number,) if isinstance(written, list) else ()), "stages")
                cells = row.stages if isinstance(row.stages, list) else []
                yield from (((*path, place), cell) for place, cell in enumerate(cells) if isinstance(cell, m.StageCell))
    yield from ((("others", "stages", place), cell) for place, cell in enumerate(file.others.stages if file.others else ()))
    yield from ((("ceilings", name), cell) for name, cell in file.ceilings.items())


def _of_devices(path: Path, stage: m.StageCell, file: m.PolicyFile) -> Faults:
    reach = file.counters[stage.count].of if stage.count in file.counters else stage.of
    if reach is Reach.BANK and not isinstance(stage, m.CeilingCell):
        yield Fault(path, "a count of the whole bank stands in `ceilings:`; move it there, or count by `customer`")
    kinds = {penalty_kind(cell)[0] for cell in stage.penalty if len(penalty_kind(cell)) == 1}
    of_known = isinstance(stage, m.CeilingCell) and stage.devices is not None
    told = {"known_device": stage.known_device is not None, "devices": of_known, "penalty": "ask-more" in kinds}
    for cell, said in told.items():
        if said and (file.devices is None or not file.known_devices):
            yield Fault((*path, cell), "this tells known devices from others, but how a device becomes known is not said; write "
                                       "`known_devices: true` and `devices:`, or leave it out")
            return
    if of_known and "ask-more" in kinds:
        yield Fault((*path, "penalty"), "`ask-more` refuses no known device, so this count would close nothing; write `lock`")
    if stage.known_device is None or file.devices is None:
        return
    if reach in ONE_RUN or reach in {Reach.ACTOR, Reach.CALLER, Reach.BANK} or of_known:
        yield Fault((*path, "known_device"), "a device is known to a customer, an account or an enrolment; only their counts have shares")
    for kind in sorted(kinds - DIVIDED):
        yield Fault((*path, "known_device"), f"`{kind}` concerns all devices alike; share only what locks, blocks or ends a run")
    kept = stage.known_device * file.devices.remembered
    if kept >= stage.wrong:
        yield Fault((*path, "known_device"), f"{file.devices.remembered} known devices with {stage.known_device} each leave nothing of "
                                             f"{stage.wrong} for all others; keep less for each")


DIVIDED = frozenset({"lock", "block", "suspend", "disable", "void", "end-session", "start-over"})
"""Penalties that can fall on some devices and not on others."""


def _asked_first(path: Path, cell: m.PenaltyCell, ceiling: m.CeilingCell, file: m.PolicyFile) -> Faults:
    pairs = [item for item in ceiling.items if item in file.items and file.items[item].kind is ItemKind.PAIR]
    if pairs:
        yield Fault(path, f"{quoted(pairs[0])} says for whom the run is, so nothing can be asked of him before it; remove `first:`")
    for operation in cell.in_:
        if operation in file.operations and cell.first in file.items and written_row(file, operation, str(cell.first)) is None:
            yield Fault(path, f"no row says what wrong entries of {quoted(str(cell.first))} cost in {quoted(operation)}; write its row there")
    item = file.items.get(str(cell.first))
    if item is not None and item.kind in NOT_SECRET:
        yield Fault(path, f"whoever enters a `{item.kind}` proves nothing by it; name an item that is compared with a secret")


def _agreement(file: m.PolicyFile, _: Names) -> Faults:
    """Stages of one count must agree; `keep` needs a stage above; a count may not hold one figure twice in a row."""
    counters: dict[str, dict[int, StageAt]] = {}
    for row in rows(file):
        seen: set[tuple[str, int]] = set()
        for stage in stages_of(file, row):
            first = counters.setdefault(stage.counter, {}).setdefault(stage.cell.wrong, stage)
            if first.path != stage.path and _does(first) != _does(stage):
                yield Fault(stage.path, f"the count {quoted(stage.counter)} has other penalties, `undo:` or `after:` at "
                                        f"{stage.cell.wrong} in line {{first}}; make them the same", first.path)
            elif first.path != stage.path and (stage.counter, stage.cell.wrong) in seen:
                yield Fault(stage.path, f"this row counts {stage.cell.wrong} twice on {quoted(stage.counter)}, first in line "
                                        "{first}; remove one of the two", first.path)
            seen.add((stage.counter, stage.cell.wrong))
    for stages in counters.values():
        for wrong, stage in stages.items():
            if stage.cell.after == "keep" and wrong == max(stages):
                yield Fault((*stage.path, "after"), f"{quoted(stage.counter)} has no stage above {wrong}, so a count that is "
                                                    "kept would close nothing again; write `zero`, or add a higher stage")
        rising = [stages[wrong] for wrong in sorted(stages)]
        yield from _shares_grow(file, rising)
        yield from _of_the_same_devices(rising)
        yield from _lifted(rising[-1])


def _of_the_same_devices(stages: list[StageAt]) -> Faults:
    """A count that some devices' entries do not touch falls on none of theirs, whatever another stage of it says."""
    first = stages[0]
    for stage in stages[1:]:
        if _counted(stage) != _counted(first):
            yield Fault(stage.path, f"here {quoted(stage.counter)} counts {_counted(stage)}, and at {first.cell.wrong} in line {{first}} it counts "
                                    f"{_counted(first)}; give one of the two a count of its own", first.path)


def _counted(stage: StageAt) -> str:
    if isinstance(stage.cell, m.CeilingCell) and stage.cell.devices is not None:
        return "known devices alone"
    asks = all(penalty_kind(cell) == ["ask-more"] for cell in stage.cell.penalty)
    return "unknown devices alone" if asks else "all devices"


def _lifted(last: StageAt) -> Faults:
    """Above the last stage nothing is looked at any more: what outlives the run there must be a lock, else nobody can lift anything."""
    if last.reach not in ONE_RUN and all(isinstance(cell, str) for cell in last.cell.penalty):
        yield Fault((*last.path, "penalty"), f"from {last.cell.wrong} on {quoted(last.counter)} refuses every entry, and no lock stands that could "
                                             "be lifted; write a lock, or count by `procedure` or `session`")


def _shares_grow(file: m.PolicyFile, stages: list[StageAt]) -> Faults:
    """Every stage of a count that is shared says how, and none leaves anybody less than the one before it."""
    if file.devices is None or all(stage.cell.known_device is None for stage in stages):
        return
    before = (0, 0)
    for stage in stages:
        kept = stage.cell.known_device
        if kept is None:
            yield Fault(stage.path, f"other stages of {quoted(stage.counter)} keep something for known devices; write `known_device:` here too")
            return
        left = stage.cell.wrong - kept * file.devices.remembered
        if kept <= before[0] or left <= before[1]:
            yield Fault((*stage.path, "known_device"), "a share is no larger at this stage than at the one before it; let what each known "
                                                       "device has, and what is left for all others, rise from stage to stage")
        before = kept, left


def _does(stage: StageAt) -> tuple[object, ...]:
    return stage.cell.penalty, stage.cell.undo, stage.cell.after, stage.cell.known_device


def _row_ids(file: m.PolicyFile, names: Names) -> Faults:
    """One id, one meaning: it may stand in several places only with the same stages, or as variants of one item."""
    first: dict[str, tuple[Path, m.RowCell, str]] = {}
    for name, operation in file.operations.items():
        for item, written in operation.items.items():
            for number, row in enumerate(written if isinstance(written, list) else [written]):
                path: Path = ("operations", name, "items", item, *((number,) if isinstance(written, list) else ()))
                place, known, of = first.setdefault(row.row, (path, row, f"{name}/{item}"))
                if row.row and of != f"{name}/{item}" and known.stages != row.stages:
                    yield Fault((*path, "row"), f"the id {quoted(row.row)} stands in line {{first}} with other stages; "
                                                "give this row its own", (*place, "row"))
    ids = set(first) | {also for _, row, _ in first.values() for also in row.also} | set(file.ceilings)
    ids |= {stage.row for row in rows(file) for stage in stages_of(file, row)}
    ids |= {lock.row for cell in file.abolished.values() for lock in cell.locks}
    known_ids = Vocabulary(ids)
    for number, waiver in enumerate(file.waivers):
        yield from names.known(("waivers", number, "row"), waiver.row or "", "row", known_ids)
    for number, paper in enumerate(file.paper):
        yield from names.all_known(("paper", number, "rows"), paper.rows, "row", known_ids)
        for at, name in enumerate(paper.rows if paper.stranger_knows else ()):
            if name in known_ids and name not in _locking(file):
                yield Fault(("paper", number, "rows", at), f"the row {quoted(name)} sets no lock, so a stranger closes nothing by it; "
                                                           "remove it, or `stranger_knows:`")


def _locking(file: m.PolicyFile) -> set[str]:
    """Rows by which wrong entries close something beyond their own run."""
    return {
        name for row in rows(file) for name in (row.cell.row, *row.cell.also) for stage in stages_of(file, row)
        if stage.row == row.cell.row and any(isinstance(penalty, m.PenaltyCell) for penalty in stage.cell.penalty)
    }


PARTS = (_ceilings, _devices, _agreement, _row_ids)
