"""Findings about names: rows and stages that nothing leads to, and names that nothing uses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from sekisho.policy import model as m
from sekisho.policy.model import FindingCode
from sekisho.policy.table import Counter, Operation, Row, Stage, Table
from sekisho.proof.board import PASSING, ROUNDS_MAX, Board, Visit
from sekisho.proof.falls import Falls
from sekisho.proof.found import Found, Severity
from sekisho.proof.guesses import MANY, worlds
from sekisho.proof.seats import Seat, places, seats, touching
from sekisho.terms import Reach

PATIENCE = 64
"""Rounds in which a count comes no higher, after which it never will."""


def row_findings(table: Table, falls: Falls | None = None) -> Iterator[Found]:
    """Variants that another always comes before, rows behind steps that never come, stages that no entries reach."""
    for operation in table.operations.values():
        for item, variants in operation.rows.items():
            for number, row in enumerate(variants):
                if not _comes_up(table, operation, item, row):
                    yield Found(FindingCode.UNREACHABLE_ROW, "row-never", {"row": row.id, "operation": operation.text, "number": number + 1}, row.id)
    falls = falls or Falls(table)
    for counter in table.counters.values():
        for stage in counter.stages if places(counter) < 2 else ():
            if not _falls(table, counter, stage, falls):
                yield Found(FindingCode.UNREACHABLE_ROW, "stage-never", {"row": stage.row, "wrong": stage.wrong}, stage.row)


def _comes_up(table: Table, operation: Operation, item: str, row: Row) -> bool:
    """Whether some customer is ever asked for the item under this row."""
    if operation.session and not any(one.gives_session for one in table.operations.values()):
        return False
    steps = [step for step in operation.steps if item in step.items]
    asked = sorted({condition.flag for condition in itertools.chain(*(one.when for one in operation.rows[item]), *(step.when for step in steps))})
    every = itertools.chain.from_iterable(itertools.combinations(asked, number) for number in range(len(asked) + 1))
    for flags in itertools.islice(every, 256):
        for about in (False, True):
            scene = Board(table, flags).look(operation.name, about=about)
            # What no step asks for is asked of unknown devices first.
            if scene.row_of(item) is row and (not steps or any(scene.meets(step.when) for step in steps)):
                return True
    return False


def _falls(table: Table, counter: Counter, stage: Stage, falls: Falls) -> bool:
    if counter.reach is Reach.BANK:
        return True
    if counter.reach not in PASSING:
        return falls.at(counter, stage) is not None
    return any(
        _falls_in_visit(table, flags, seat, counter, stage) for seat in touching(table, counter) for flags in worlds([seat.row]))


def _falls_in_visit(table: Table, flags: tuple[str, ...], seat: Seat, counter: Counter, stage: Stage) -> bool:
    """Whether one person, entering wrong ones in one sitting, comes to a stage."""
    board = Board(table, flags, places(counter))
    board.visit = Visit()
    most = since = 0
    for _ in range(ROUNDS_MAX):
        if board.next_stages(seat):
            board.right(seat)
        if not board.rush(seat, MANY):
            at = board.next_change()
            if at is None:
                return False
            board.wait_until(at)
        found = board.visited(seat, counter)
        if found.fired >= stage.wrong:
            return True
        most, since = (found.wrong, 0) if found.wrong > most else (most, since + 1)
        if since > PATIENCE:
            return False
    # It comes nearer and nearer.
    return True


def name_findings(table: Table, file: m.PolicyFile) -> Iterator[Found]:
    """Names that are defined and never used."""
    for section, used in _used(table).items():
        for name in getattr(file, section):
            if name not in used:
                yield Found(FindingCode.UNUSED_NAME, "unused", {"name": name, "section": section}, path=(section, name), severity=Severity.WARNING)


def _used(table: Table) -> dict[str, set[str]]:
    conditions = [*_conditions(table)]
    cases = [case for path in table.paths.values() for case in path.cases]
    named = {name for case in cases for name in (*itertools.chain(*case.needs), *case.gives, *case.removes)}
    undo = {name for counter in table.counters.values() for stage in counter.stages for name in stage.undo}
    undo |= {name for lock in table.abolished.values() for name in lock.undo} | {*table.stop_undo, *table.suspension_undo}
    undo |= {name for seat in seats(table) for name in seat.row.undo} | {name for path in table.paths.values() for name in path.around}
    papers = {paper.form for paper in table.paper} | {one.form for one in table.exemptions.values()}
    gives = {path.name for path in table.paths.values() if any(case.gives for case in path.cases)}
    return {
        "items": {item for operation in table.operations.values() for item in operation.rows} | named,
        "counters": set(table.counters),
        "flags": {flag for flag, _ in conditions},
        "things": named,
        "procedures": undo | gives, "forms": undo | papers | gives,
        "exemptions": {flag.partition(":")[2] for flag, _ in conditions if flag.startswith("exemption:")},
    }


def _conditions(table: Table) -> Iterator[tuple[str, bool]]:
    for operation in table.operations.values():
        whens = [row.when for rows in operation.rows.values() for row in rows]
        whens += [step.when for step in operation.steps] + [closed.when for closed in operation.closed]
        yield from ((condition.flag, condition.holds) for when in whens for condition in when)
    for path in table.paths.values():
        yield from ((condition.flag, condition.holds) for case in path.cases for condition in case.when)


__all__ = ["name_findings", "row_findings"]
