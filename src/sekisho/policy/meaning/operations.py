"""What a policy's operations and rows may not say: steps without a row, rows without a step, names of nothing."""

from __future__ import annotations

from sekisho.policy import model as m
from sekisho.policy.meaning.names import UNCOUNTED, Fault, Faults, Names
from sekisho.policy.meaning.stages import one_stage
from sekisho.policy.rows import (
    NOT_SECRET,
    asked_first,
    confirming,
    step_items,
    taken,
    written_row,
)
from sekisho.policy.shape import Path, Vocabulary
from sekisho.policy.yaml import quoted
from sekisho.terms import ItemKind, Reach


def _operations(file: m.PolicyFile, names: Names) -> Faults:
    for name, operation in file.operations.items():
        path = ("operations", name)
        yield from _steps((*path, "steps"), operation, names)
        yield from _lent(path, operation, file, names)
        yield from _rows_and_steps(file, name, operation)
        yield from _confirmed((*path, "steps"), operation, file)
        for number, closed in enumerate(operation.closed):
            yield from names.when((*path, "closed", number), closed.when)
            yield from names.known((*path, "closed", number, "after"), closed.after, "item of its steps", Vocabulary(taken(operation)))
        for cell in ("sets", "unsets"):
            for number, flag in enumerate(getattr(operation, cell)):
                yield from set_flag((*path, cell, number), flag, names)
        if operation.suspends and not file.suspension:
            yield Fault((*path, "suspends"), "no `suspension:` says what stays open and what lifts it; write that section")
        if operation.suspends and not operation.in_session:
            yield Fault((*path, "in_session"), "a customer suspends his own use from his session; write `in_session: true`")
        yield from _adds_device(path, operation, file)


HELD = frozenset({
    ItemKind.TOTP, ItemKind.OCRA, ItemKind.PASSKEY, ItemKind.PASSCODE, ItemKind.BIOMETRIC, ItemKind.DEVICE_BIOMETRIC, ItemKind.CONFIRMATION,
})
"""What the customer has in his hand, or reaches him at a number on file."""


def _adds_device(path: Path, operation: m.OperationCell, file: m.PolicyFile) -> Faults:
    """Whoever knows a password, or has taken a session over, gives himself no device with it alone."""
    if not operation.adds_device:
        return
    if not operation.in_session or operation.for_ is not Reach.CUSTOMER:
        yield Fault((*path, "adds_device"), "a device is added by a customer from his session; write `for: customer` and `in_session: true`")
    always = [step_items(step) for step in operation.steps if not isinstance(step, m.StepCell)]
    if not any(all(_is_held(file.items[name]) for name in step if name in file.items) for step in always):
        yield Fault((*path, "steps"), "a stolen password must add no device; write a step whose every item is a token's code, a code "
                                      "that is sent, a passkey, or something entered in an app that is there already")


def _is_held(item: m.ItemCell) -> bool:
    return item.kind in HELD or (item.kind is ItemKind.CODE and item.purpose != "confirm-address")


def _steps(path: Path, operation: m.OperationCell, names: Names) -> Faults:
    for number, step in enumerate(operation.steps):
        here = (*path, number)
        if isinstance(step, m.StepCell):
            yield from names.all_known((*here, "any"), step.any, "item", names.items)
            yield from names.when(here, step.when)
        else:
            yield from names.all_known(here, step, "item", names.items)
        if isinstance(step, list) and not step:
            yield Fault(here, "this step is empty; name an item, or remove it")


def _confirmed(path: Path, operation: m.OperationCell, file: m.PolicyFile) -> Faults:
    """New addresses are entered once, and then confirmed by codes."""
    entered = [
        (number, name) for number, step in enumerate(operation.steps) for name in step_items(step)
        if name in file.items and file.items[name].registers is not None
    ]
    for number, name in entered[1:]:
        yield Fault((*path, number), f"{quoted(entered[0][1])} takes the new addresses already; remove {quoted(name)}")
    if entered and not any(confirming(step_items(step), file) for step in operation.steps[entered[0][0] + 1:]):
        yield Fault((*path, entered[0][0]), f"nothing confirms what is entered as {quoted(entered[0][1])}; write a later step with a "
                                            "code of `purpose: confirm-address`")


def _lent(path: Path, operation: m.OperationCell, file: m.PolicyFile, names: Names) -> Faults:
    lender = operation.rows_as
    if lender is None:
        return
    yield from names.known((*path, "rows_as"), lender, "operation", names.operations)
    if lender in file.operations and file.operations[lender].rows_as is not None:
        source = file.operations[lender].rows_as
        yield Fault((*path, "rows_as"), f"{quoted(lender)} has its rows from {quoted(str(source))}; name that one")


def _rows_and_steps(file: m.PolicyFile, name: str, operation: m.OperationCell) -> Faults:
    steps = Vocabulary(taken(operation))
    first = asked_first(file).get(name, [])
    for item in operation.items:
        if item not in steps and item not in first:
            hint = steps.near(item) or "add it to `steps:`, or remove the row"
            yield Fault(("operations", name, "items", item), f"no step of this operation takes {quoted(item)}; {hint}")
    for number, step in enumerate(operation.steps):
        for item in step_items(step):
            if item in file.items and written_row(file, name, item) is None:
                does = "write a row or `others:`" if file.items[item].kind in NOT_SECRET else "write its row"
                yield Fault(("operations", name, "steps", number), f"no row says what wrong entries of {quoted(item)} cost; "
                                                                   f"{does} in `items:`")


def set_flag(path: Path, flag: str, names: Names) -> Faults:
    """A flag that something sets."""
    if flag.startswith(("not ", "about:")):
        yield Fault(path, "a flag that is set or cleared has no `not` or `about:`; write the flag alone")
    yield from names.flag(path, flag)


def _rows(file: m.PolicyFile, names: Names) -> Faults:
    for name, operation in file.operations.items():
        for item, written in operation.items.items():
            path = ("operations", name, "items", item)
            yield from names.known(path, item, "item", names.items)
            if isinstance(written, list):
                yield from _variants(path, written)
                for number, row in enumerate(written):
                    yield from _row((*path, number), row, item, file, names)
            else:
                yield from _row(path, written, item, file, names)
    for number, stage in enumerate(file.others.stages if file.others else ()):
        yield from one_stage(("others", "stages", number), stage, names)


def _variants(path: Path, written: list[m.RowCell]) -> Faults:
    if not written:
        yield Fault(path, "this list of variants is empty; write the row")
    for number, row in enumerate(written[:-1]):
        if row.when is None:
            yield Fault((*path, number), "this variant always holds, so those after it are never asked; write its `when:`, "
                                         "or put it last")


def _row(path: Path, row: m.RowCell, item: str, file: m.PolicyFile, names: Names) -> Faults:
    yield from names.when(path, row.when)
    if row.abolished is not None and row.when is None:
        yield Fault((*path, "abolished"), "for whom it is still open is not said; write `when: exemption:…`, or move the item to "
                                          "`abolished:`")
    kind = file.items[item].kind if item in file.items else ItemKind.DATA
    yield from names.undo(path, row.undo)
    if row.undo and row.stages != "none":
        yield Fault((*path, "undo"), "a row with stages says in each stage how it is undone; move `undo:` there")
    yield from _stages(path, row, kind, file, names)


def _stages(path: Path, row: m.RowCell, kind: ItemKind, file: m.PolicyFile, names: Names) -> Faults:
    here = (*path, "stages")
    if row.stages == "none":
        if kind not in UNCOUNTED:
            yield Fault(here, f"a `{kind}` that nothing counts can be guessed without end; write its stages")
        return
    if kind is ItemKind.DEVICE_BIOMETRIC:
        yield Fault(here, "the device counts and locks by itself; write `stages: none` and its `undo:`")
    if not row.stages:
        yield Fault(here, "no stage is given; write one, or `[others]`, or `none`")
    for number, stage in enumerate(row.stages):
        if isinstance(stage, m.StageCell):
            yield from one_stage((*here, number), stage, names)
        elif file.others is None:
            yield Fault((*here, number), "there is no `others:` section; write it, or a stage here")


PARTS = (_operations, _rows)
