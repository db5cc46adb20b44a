"""What is left: abolished items, and the bank's own sections on risk, cases and time."""

from __future__ import annotations

from sekisho.policy import model as m
from sekisho.policy.meaning.items import time_zone
from sekisho.policy.meaning.names import DESKS, VERIFIES, Fault, Faults, Names
from sekisho.policy.meaning.stages import one_penalty
from sekisho.policy.meaning.ways import open_hours
from sekisho.policy.rows import (
    demands,
    step_items,
)
from sekisho.policy.shape import Path
from sekisho.policy.yaml import quoted
from sekisho.terms import ItemKind, Reach


def _abolished(file: m.PolicyFile, names: Names) -> Faults:
    for name, cell in file.abolished.items():
        for number, lock in enumerate(cell.locks):
            path = ("abolished", name, "locks", number)
            yield from names.undo(path, lock.undo)
            yield from _standing(path, lock.penalty, names)
    for name, exemption in file.exemptions.items():
        yield from names.known(("exemptions", name, "form"), exemption.form, "form", names.forms)
        yield from names.all_known(("exemptions", name, "items"), exemption.items, "item", names.items)


def _standing(path: Path, penalties: list[m.PenaltyCell], names: Names) -> Faults:
    """A lock that no stage sets: it falls on whom it is set, and stands until it is lifted."""
    for number, cell in enumerate(penalties):
        here = (*path, "penalty", number)
        yield from one_penalty(here, cell, names)
        if cell.for_ is not None:
            yield Fault((*here, "for"), "this lock stands until it is lifted; remove `for:`")
        if cell.on is not None:
            yield Fault((*here, "on"), "this lock falls on whom it is set; remove `on:`")


def _bank(file: m.PolicyFile, names: Names) -> Faults:
    stop = file.emergency_stop
    yield from names.undo(("emergency_stop",), stop.undo)
    yield from _standing(("emergency_stop",), stop.penalty, names)
    if file.suspension is not None:
        yield from names.undo(("suspension",), file.suspension.undo)
        yield from names.all_known(("suspension", "spares"), file.suspension.spares, "operation", names.operations)
    for role, cell in file.desk.items():
        if role not in DESKS:
            yield Fault(("desk", role.value), f"{quoted(role)} is no desk; there are {', '.join(map(quoted, DESKS))}")
        yield from open_hours(("desk", role.value, "open"), cell.open)
        yield from time_zone(("desk", role.value, "zone"), cell.zone or "")
    yield from _risk(file, names)
    yield from _cases(file, names)
    yield from _timing(file)


def _risk(file: m.PolicyFile, names: Names) -> Faults:
    if file.risk is None:
        return
    yield from names.known(("risk", "ask"), file.risk.ask, "item", names.items)
    yield from names.all_known(("risk", "refuses"), file.risk.refuses, "operation", names.operations)
    yield from _demanded(file, file.risk)
    for number, cell in enumerate(file.risk.signals):
        yield from _signal(("risk", "signals", number), cell, file, names)


def _demanded(file: m.PolicyFile, risk: m.RiskCell) -> Faults:
    """Each operation that is refused asks for the answer in a step of its own, under one and the same flag, and one of them ends it."""
    first: str | None = None
    refused = {name: file.operations[name] for name in risk.refuses if name in file.operations}
    for number, (name, operation) in enumerate(refused.items()):
        path: Path = ("risk", "refuses", number)
        flags = [flag for flag in demands(operation, risk.ask) if flag in file.flags]
        if len(flags) != 1 or first not in {None, *flags}:
            wanted = quoted(first) if first else "a flag of `flags:`"
            yield Fault(path, f"{quoted(name)} does not ask for it; write a step `{{any: {risk.ask}, when: …}}` with {wanted}")
        first = first or next(iter(flags), None)
    if first is not None and not any(first in operation.unsets for operation in refused.values()):
        yield Fault(("risk", "refuses"), f"none of these ends the demand, so it would stand for good; write `unsets: [{first}]` in one of them")


def _signal(path: Path, cell: m.SignalCell, file: m.PolicyFile, names: Names) -> Faults:
    logins = [name for name in file.risk.refuses if name in file.operations and file.operations[name].opens_session] if file.risk else []
    if (cell.signal == "several-institutions") is not (cell.item is not None):
        yield Fault((*path, "item"), "`item:` says for `several-institutions`, and for nothing else, which entry tells to whom")
    if cell.item is not None:
        yield from names.known((*path, "item"), cell.item, "item", names.items)
        if cell.item in file.items and file.items[cell.item].kind is not ItemKind.DATA:
            yield Fault((*path, "item"), f"{quoted(cell.item)} is compared with a secret, and tells nothing; write an item of kind `data`")
    if not logins:
        yield Fault(path, "what is seen at a login is seen at none of the operations that are refused; name the login under `refuses:`")
    devices = file.devices is not None and file.known_devices and {*logins} <= {*file.devices.known_by}
    if cell.signal in {"unusual-environment", "unknown-device"} and not devices:
        yield Fault((*path, "signal"), "no device ever becomes known, so each would be unknown for good; name the login in `devices:`, `known_by:`")


def _cases(file: m.PolicyFile, names: Names) -> Faults:
    """The operation that verifies a caller asks in one step for any one of the ways, and each way is of a kind that can be it."""
    verifying = {name for name, item in file.items.items() if item.verifies is not None}
    for name in sorted(verifying):
        item, path = file.items[name], ("items", name, "verifies")
        if item.kind not in VERIFIES[item.verifies or ""]:
            kinds = " or ".join(quoted(kind.value) for kind in sorted(VERIFIES[item.verifies or ""]))
            yield Fault(path, f"an item of kind `{item.kind}` cannot be that; write `kind:` {kinds}")
    if file.cases is None:
        return
    verify = file.cases.verify or ""
    yield from names.known(("cases", "verify"), verify, "operation", names.operations)
    if (file.cases.verify is None) is not (file.cases.verified_for is None):
        yield Fault(("cases",), "whoever verifies callers here says how and for how long; write both `verify:` and `verified_for:`")
    operation = file.operations.get(verify)
    if operation is None:
        return
    at: Path = ("operations", verify)
    if operation.for_ is not Reach.CUSTOMER or operation.in_session or operation.opens_session:
        yield Fault(at, "a caller is verified for a customer, outside a session, and gets none by it; write `for: customer`, `in_session: false`")
    if len(operation.steps) != 1 or not {*step_items(operation.steps[0])} <= verifying:
        yield Fault((*at, "steps"), "a caller is verified by any one item with `verifies:`; write them as one step")


def _timing(file: m.PolicyFile) -> Faults:
    timing = file.timing
    pairs = (
        (("timing", "reservation"), timing.reservation, timing.procedure, "a guess must be settled within its run"),
        (("timing", "stranger_procedure"), timing.stranger_procedure, timing.procedure, "a stranger's run is the shorter one"),
        (("timing", "session", "idle"), timing.session.idle, timing.session.total, "a session idles within its life"),
        (("mail", "resend", "wait"), file.mail.resend.wait, file.mail.code.valid, "a code is sent again while it is valid"),
    )
    for path, shorter, longer, why in pairs:
        if shorter and longer and m.milliseconds(shorter) > m.milliseconds(longer):
            yield Fault(path, f"{quoted(shorter)} is longer than {quoted(longer)}, but {why}; write a shorter time")


PARTS = (_abolished, _bank)
