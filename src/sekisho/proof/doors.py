"""Findings about strength: a way back that is weaker than what it releases, and ways in that ask for no secret.

Strength is coarse on purpose: 0 what anybody may know, 1 what can be known of a person, 2 one secret or one thing the
customer has, 3 two of them, or something that makes its own codes. Paper and the desk look at a person, so that with
anything to show they count as 3, and as nothing where they ask for nothing. An item that a way back names under `needs:`
counts as what a step of its procedure, or of each login before it, asks for; where none does, as nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from sekisho.policy.model import FindingCode
from sekisho.policy.table import Operation, PathCase, ReleasePath, Table
from sekisho.proof.board import Board
from sekisho.proof.found import Found
from sekisho.proof.guesses import LASTING, worlds
from sekisho.proof.seats import seats
from sekisho.proof.ways import SAID
from sekisho.terms import ItemKind, PathKind

STRENGTH = {
    ItemKind.IDENTIFIER: 0, ItemKind.DATA: 0, ItemKind.PAIR: 0, ItemKind.KNOWLEDGE: 1, ItemKind.PASSWORD: 2, ItemKind.PIN: 2,
    ItemKind.PASSCODE: 2, ItemKind.CODE: 2, ItemKind.CONFIRMATION: 2, ItemKind.TOTP: 3, ItemKind.OCRA: 3, ItemKind.BIOMETRIC: 3,
    ItemKind.DEVICE_BIOMETRIC: 3, ItemKind.PASSKEY: 3,
}
THING = 2
STRONGEST = 3


def door_findings(table: Table) -> Iterator[Found]:
    """All of them."""
    yield from _weaker(table)
    for path in table.paths.values():
        yield from _gives_too_much(table, path)
    for operation in table.operations.values():
        yield from _open_to_all(table, operation)


def _weaker(table: Table) -> Iterator[Found]:
    told = set()
    for seat in seats(table):
        for gauge in seat.row.gauges:
            for stage in gauge.counter.stages:
                lasts = any(penalty.kind in LASTING and penalty.for_s is None for penalty in stage.penalties)
                for name in stage.undo if lasts else ():
                    path = table.paths[name]
                    asked = STRENGTH[table.items[seat.item].kind]
                    if releases(path) and strength(table, path) < asked and (stage.row, name) not in told:
                        told.add((stage.row, name))
                        yield Found(
                            FindingCode.WEAKER_RELEASE, "weaker-release", {"row": stage.row, "path": path.text, "item": table.items[seat.item].text},
                            stage.row)


def releases(path: ReleasePath) -> bool:
    """Whether somebody ends a lock by this way, and not time or a new run."""
    return path.kind in {PathKind.PROCEDURE, PathKind.DESK, PathKind.FORM, PathKind.DEVICE}


def strength(table: Table, path: ReleasePath) -> int:
    """How much the weakest case of a way back asks for."""
    return min(case_strength(table, path, case) for case in path.cases)


def case_strength(table: Table, path: ReleasePath, case: PathCase) -> int:
    """How much one case asks for; of alternatives the weakest counts."""
    asked = [min(_of(table, path, name) for name in needs) for needs in case.needs]
    most = max(asked, default=0)
    if path.kind in {PathKind.DESK, PathKind.FORM}:
        return STRONGEST if most >= THING else most
    return STRONGEST if sum(one >= THING for one in asked) > 1 else most


def _of(table: Table, path: ReleasePath, name: str) -> int:
    if name not in table.items:
        return THING
    if path.operation is None:
        return STRENGTH[table.items[name].kind]
    operation = table.operations[path.operation]
    before = [_entered(table, one, name) for one in table.operations.values() if one.gives_session] if operation.session else []
    return max(_entered(table, operation, name), min(before, default=0))


def _entered(table: Table, operation: Operation, name: str) -> int:
    """What an operation asks for where it takes this item: of the items of a step any one will do, so the weakest."""
    return max((min(STRENGTH[table.items[item].kind] for item in step.items) for step in operation.steps if name in step.items), default=0)


def _gives_too_much(table: Table, path: ReleasePath) -> Iterator[Found]:
    """A way back that gives a stronger thing than it asks for."""
    for case in path.cases:
        given = [name for name in case.gives if name in table.items]
        most = max(given, key=lambda name: STRENGTH[table.items[name].kind], default=None)
        if most is not None and releases(path) and case_strength(table, path, case) < min(STRENGTH[table.items[most].kind], STRONGEST):
            section = "forms" if path.kind is PathKind.FORM else "procedures"
            yield Found(FindingCode.SIDE_DOOR, "side-door-gives", {"path": path.text, "item": table.items[most].text}, path=(section, path.name))
            return


def _open_to_all(table: Table, operation: Operation) -> Iterator[Found]:
    """An operation that lets in, resets or releases, and that a stranger walks without a secret."""
    renews = [table.items[item].renews for item in operation.rows if table.items[item].renews]
    lifts = operation.path is not None and any(
        operation.path in stage.undo for counter in table.counters.values() for stage in counter.stages)
    if operation.session or not (operation.gives_session or renews or lifts):
        return
    asked = {condition.flag for step in operation.steps for condition in step.when if not condition.about}
    rows = [row for variants in operation.rows.values() for row in variants]
    for flags in [*worlds(rows), tuple(sorted(asked))]:
        board = Board(table, flags)
        if board.run(operation.name, lambda item: table.items[item].kind in SAID):
            yield Found(
                FindingCode.SIDE_DOOR, "side-door-open", {"operation": operation.text}, path=("operations", operation.name),
                trace=(*(f"flag {flag}" for flag in flags), *board.moves))
            return
