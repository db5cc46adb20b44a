"""What a policy's ways back may not say."""

from __future__ import annotations

from sekisho.policy import model as m
from sekisho.policy.meaning.names import Fault, Faults, Names
from sekisho.policy.meaning.operations import set_flag
from sekisho.policy.shape import Path, Vocabulary
from sekisho.policy.yaml import quoted
from sekisho.terms import PathKind


def _ways(file: m.PolicyFile, names: Names) -> Faults:
    walked: dict[str, Path] = {}
    for name, cell in file.procedures.items():
        path = ("procedures", name)
        yield from _way(path, cell, file, names)
        yield from _procedure(path, cell, names)
        if cell.operation and walked.setdefault(cell.operation, (*path, "operation")) != (*path, "operation"):
            yield Fault((*path, "operation"), f"{quoted(cell.operation)} is already the way of line {{first}}; an operation "
                                              "walks one way", walked[cell.operation])
    for name, form in file.forms.items():
        yield from _way(("forms", name), form, file, names)


def _procedure(path: Path, cell: m.ProcedureCell, names: Names) -> Faults:
    yield from names.known((*path, "operation"), cell.operation or "", "operation", names.operations)
    if cell.kind is PathKind.PROCEDURE and cell.operation is None:
        yield Fault(path, "whose end walks this way is not said; write `operation:` and its name")
    if cell.kind is not PathKind.PROCEDURE and cell.operation is not None:
        yield Fault((*path, "operation"), f"a way of kind `{cell.kind}` is no operation; remove it, or write `kind: procedure`")
    if cell.kind is PathKind.FORM:
        yield Fault((*path, "kind"), "a paper form stands in `forms:`; move it there")
    if cell.kind is PathKind.DESK and not cell.roles:
        yield Fault(path, "who at the desk carries it out is not said; write `roles:`")
    if cell.kind is not PathKind.DESK and cell.roles:
        yield Fault((*path, "roles"), f"nobody at the bank carries out a way of kind `{cell.kind}`; remove it")
    if cell.kind is not PathKind.NONE and cell.around:
        yield Fault((*path, "around"), "only where there is no release is there a way round; write `kind: none`, or remove it")
    if cell.open is not None:
        yield from open_hours((*path, "open"), cell.open)


def _way(path: Path, cell: m.WayCell, file: m.PolicyFile, names: Names) -> Faults:
    yield from _case(path, cell, names)
    for number, variant in enumerate(cell.variants):
        yield from names.when((*path, "variants", number), variant.when)
        yield from _case((*path, "variants", number), variant, names)
    for flags in ("sets", "unsets"):
        for number, flag in enumerate(getattr(cell, flags)):
            yield from set_flag((*path, flags, number), flag, names)
    yield from names.all_known((*path, "around"), cell.around, "way back", names.ways)
    if cell.holds is not None:
        yield from names.all_known((*path, "holds", "operations"), cell.holds.operations, "operation", names.operations)
    if cell.roles and cell.approve is None:
        yield Fault(path, "whether a second person must agree is not said; write `approve: one` or `approve: two`")
    for number, role in enumerate(cell.roles):
        if role not in file.desk:
            yield Fault((*path, "roles", number), f"`desk:` has no {quoted(role)}; {Vocabulary(file.desk).hint(role)}")


def _case(path: Path, cell: m.WayCell | m.VariantCell, names: Names) -> Faults:
    yield from names.needs((*path, "needs"), cell.needs)
    yield from names.all_known((*path, "gives"), cell.gives, "item or thing", names.needed)
    yield from names.all_known((*path, "removes"), cell.removes, "item or thing", names.needed)
    yield from names.all_known((*path, "clears"), cell.clears, "operation or item", names.cleared)


def open_hours(path: Path, span: str) -> Faults:
    """From when to when something is open."""
    first, _, last = span.partition("-")
    if span and first >= last:
        yield Fault(path, f"{quoted(span)} ends before it begins; write the earlier time first")


PARTS = (_ways,)
