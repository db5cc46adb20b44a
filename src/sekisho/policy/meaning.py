"""What a policy file may not say though each of its cells can be read: names of nothing, cells that contradict others.

Each check yields the path of a cell and what is wrong with it. The proofs (is there a way out, how many guesses) come
later and look at the compiled table; here is only what would make that table ambiguous or let something be waved through.
"""

from __future__ import annotations

import re
import warnings
import zoneinfo
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sekisho.policy import model as m
from sekisho.policy.rows import (
    EVERYTHING,
    NOT_SECRET,
    ONE_RUN,
    StageAt,
    asked_first,
    confirming,
    counts_in,
    demands,
    listed,
    penalty_kind,
    rows,
    stages_of,
    step_items,
    taken,
    written_row,
)
from sekisho.policy.shape import Path, Vocabulary
from sekisho.policy.table import BY_LETTER, OWN_COUNTS
from sekisho.policy.yaml import quoted
from sekisho.terms import ItemKind, PathKind, Reach, Role


class Fault(NamedTuple):
    """One thing that is wrong."""

    path: Path
    text: str
    first: Path | None = None
    """Another place that the text speaks of as `{first}`."""


Faults = Iterator[Fault]

TIMED = frozenset({"lock", "block", "suspend", "disable", "ask-more"})
ON_OPERATIONS = frozenset({"lock", "block", "suspend"})
OWNED = frozenset(ItemKind) - NOT_SECRET - {ItemKind.PAIR}
"""Kinds whose secret or knowledge is kept on some subject."""
UNCOUNTED = NOT_SECRET | {ItemKind.DEVICE_BIOMETRIC, ItemKind.PASSKEY}
"""Kinds that nobody can find by trying here, so that a row may say `stages: none`."""
SENT = frozenset({ItemKind.CODE, ItemKind.CONFIRMATION})
"""Codes that the bank sends."""
DESKS = (Role.FIRST_LINE, Role.SECOND_LINE, Role.BACK_OFFICE)
"""Who works at the bank's desk; a channel or an auditor releases nothing."""
VERIFIES = {"sent": SENT, "in-session": frozenset({ItemKind.CODE}), "call-back": frozenset({ItemKind.KNOWLEDGE})}
"""By what kind of item a caller can be verified in each way."""
HAS_ADDRESSES = frozenset({Reach.CUSTOMER, Reach.ACCOUNT})
"""Subjects of whom it is kept where they can be reached."""
SUSPENSION = "suspension"
OWN_FLAGS = ("contract", "addresses-deleted")
FLAGS_OF_ITEMS = ("first-time", "set")
STANDS_NOWHERE = "the count stands on the run itself, where nothing can be locked; say whom with `on:`, such as `on: customer`"


def check(file: m.PolicyFile) -> Faults:
    """Everything that is wrong."""
    names = _Names(file)
    for part in (_header, _items, _counters, _operations, _rows, _ceilings, _devices, _agreement, _row_ids, _ways,
                 _abolished, _bank):
        yield from part(file, names)


class _Names:
    """What may be named where."""

    def __init__(self, file: m.PolicyFile) -> None:
        ways = {*file.procedures, *file.forms}
        self.items = Vocabulary(file.items)
        self.operations = Vocabulary(file.operations)
        self.closed = Vocabulary({*file.operations, EVERYTHING})
        self.counters = Vocabulary(file.counters)
        self.forms = Vocabulary(file.forms)
        self.ways = Vocabulary(ways)
        self.exemptions = Vocabulary(file.exemptions)
        self.flags = Vocabulary({*file.flags, *OWN_FLAGS})
        self.kinds_of_flags = Vocabulary({*FLAGS_OF_ITEMS, "exemption"})
        self.needed = Vocabulary({*file.items, *file.things})
        self.cleared = Vocabulary({*file.items, *file.operations, EVERYTHING, SUSPENSION})

    def known(self, path: Path, name: str, what: str, names: Vocabulary) -> Faults:
        """Nothing, or that this is the name of nothing. The empty name stands for a cell already complained of."""
        if name and name not in names:
            yield Fault(path, f"unknown {what} {quoted(name)}; {names.hint(name)}")

    def all_known(self, path: Path, cell: str | Iterable[str] | None, what: str, names: Vocabulary) -> Faults:
        """The same for a cell that is one name or a list of them."""
        if isinstance(cell, str):
            yield from self.known(path, cell, what, names)
        else:
            for number, name in enumerate(cell or ()):
                yield from self.known((*path, number), name, what, names)

    def undo(self, path: Path, ways: list[str]) -> Faults:
        yield from self.all_known((*path, "undo"), ways, "way back", self.ways)

    def needs(self, path: Path, needs: list[str | list[str]]) -> Faults:
        for number, need in enumerate(needs):
            yield from self.all_known((*path, number), need, "item or thing", self.needed)

    def flag(self, path: Path, written: str) -> Faults:
        flag = written.removeprefix("not ").removeprefix("about:")
        before, colon, after = flag.partition(":")
        if not colon:
            yield from self.known(path, flag, "flag", self.flags)
        elif before == "exemption":
            yield from self.known(path, after, "exemption", self.exemptions)
        elif before in FLAGS_OF_ITEMS:
            yield from self.known(path, after, "item", self.items)
        else:
            yield from self.known(path, before, "kind of flag", self.kinds_of_flags)

    def when(self, path: Path, when: str | list[str] | None) -> Faults:
        if isinstance(when, str):
            yield from self.flag((*path, "when"), when)
        else:
            for number, flag in enumerate(when or ()):
                yield from self.flag((*path, "when", number), flag)


# The header, items and counters.


def _header(file: m.PolicyFile, names: _Names) -> Faults:
    yield from _zone(("zone",), file.zone)
    if len(set(file.languages)) < len(file.languages):
        yield Fault(("languages",), "a language stands here twice; write `[ja, en]`")
    for name, other, where in (("counters", "ceilings", "counts"), ("procedures", "forms", "ways back"),
                               ("items", "things", "what ways back need"), ("items", "abolished", "items"),
                               ("items", "operations", "what ways back open again")):
        for twice in sorted(set(getattr(file, name)) & set(getattr(file, other))):
            yield Fault((other, twice), f"{quoted(twice)} is also in `{name}:`; both are {where}: rename one of the two")
    for section in ("operations", "items", "flags"):
        for reserved in (EVERYTHING, SUSPENSION):
            if reserved in getattr(file, section):
                yield Fault((section, reserved), f"{quoted(reserved)} is a word of this language; choose another name")
    for section in ("counters", "ceilings"):
        for own in sorted(OWN_COUNTS & set(getattr(file, section))):
            yield Fault((section, own), f"{quoted(own)} is a count that sekisho keeps itself; choose another name")
    for number, paper in enumerate(file.paper):
        yield from names.known(("paper", number, "form"), paper.form, "form", names.forms)
        yield from names.all_known(("paper", number, "stranger_knows"), paper.stranger_knows, "item", names.items)


def _zone(path: Path, zone: str) -> Faults:
    try:
        zoneinfo.ZoneInfo(zone or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        zones = Vocabulary(zoneinfo.available_timezones())
        # A machine without the time-zone database knows none; there nothing can be said.
        if zones.sorted:
            hint = zones.near(zone) or "write one such as `Asia/Tokyo`"
            yield Fault(path, f"unknown time zone {quoted(zone)}; {hint}")


def _items(file: m.PolicyFile, names: _Names) -> Faults:
    for name, item in file.items.items():
        path = ("items", name)
        yield from names.known((*path, "without"), item.without or "", "way back", names.ways)
        yield from _item_cells(path, item)
        yield from _item_extras(path, item)
        if item.by_letter is not None and item.kind in SENT and not _desk_gives(file, name):
            yield Fault((*path, "by_letter"), "no way back of kind `desk` gives this code, so none goes by letter; remove it")
        if item.resyncs is not None:
            yield from _resyncs((*path, "resyncs"), item, file)
        if item.pattern is not None:
            yield from _pattern((*path, "pattern"), item.pattern)


def _desk_gives(file: m.PolicyFile, item: str) -> bool:
    """Whether an act of the desk's gives a code out."""
    ways = [way for way in file.procedures.values() if way.kind is PathKind.DESK]
    return any(item in {*way.gives, *(name for one in way.variants for name in one.gives)} for way in ways)


def _item_cells(path: Path, item: m.ItemCell) -> Faults:
    cells = {"of": item.of is not None, "names": item.names is not None, "parts": bool(item.parts)}
    owned = item.kind in OWNED or item.registers is not None
    needed = {ItemKind.IDENTIFIER: "names", ItemKind.PAIR: "parts"}.get(item.kind, "of" if owned else "")
    texts = {"of": "on whom its secret is kept, such as `of: customer`", "names": "the kind of subject it names",
             "parts": "each part and the subject it names"}
    for cell, written in cells.items():
        if cell == needed and not written:
            yield Fault(path, f"an item of kind `{item.kind}` needs `{cell}:`; write {texts[cell]}")
        if cell != needed and written:
            yield Fault((*path, cell), f"an item of kind `{item.kind}` has no `{cell}:`; remove it")
    if item.kind is ItemKind.PAIR and len(item.parts) == 1:
        yield Fault((*path, "parts"), "a pair has at least two parts; write both")


def _item_extras(path: Path, item: m.ItemCell) -> Faults:
    """Cells that only some kinds have."""
    if item.purpose is not None and item.kind not in SENT:
        yield Fault((*path, "purpose"), f"an item of kind `{item.kind}` has no `purpose:`; only codes that are sent have")
    if item.registers is not None and item.kind is not ItemKind.DATA:
        yield Fault((*path, "registers"), f"an item of kind `{item.kind}` has no `registers:`; new addresses are of kind `data`")
    if item.registers is not None and item.of not in HAS_ADDRESSES:
        yield Fault((*path, "of"), "addresses are kept of customers and accounts; write `of: customer` or `of: account`")
    if item.kind is ItemKind.OCRA and item.of is not Reach.APP:
        yield Fault((*path, "of"), "the key of transaction signatures is an app's; write `of: app`")
    if item.digits is not None and item.kind not in SENT | BY_LETTER:
        yield Fault((*path, "digits"), f"an item of kind `{item.kind}` has no `digits:`; only what the bank makes and sends has")
    for cell in ("valid", "by_letter", "unchanged", "without"):
        if getattr(item, cell) is not None and item.kind not in SENT:
            yield Fault((*path, cell), f"an item of kind `{item.kind}` has no `{cell}:`; only codes that are sent have")


def _resyncs(path: Path, item: m.ItemCell, file: m.PolicyFile) -> Faults:
    """Two codes of one token: both items are of a token, and of the same subject's."""
    token = file.items.get(item.resyncs or "")
    if item.kind is not ItemKind.TOTP:
        yield Fault(path, f"an item of kind `{item.kind}` has no `resyncs:`; only codes of a token have")
    elif token is None or token.kind is not ItemKind.TOTP or token.resyncs is not None:
        yield Fault(path, "this names no item that is one code of a token; write the name of one of kind `totp`")
    elif token.of is not item.of:
        yield Fault(path, f"that token is another's; write `of: {token.of}` on both")


def _pattern(path: Path, pattern: str) -> Faults:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        yield Fault(path, f"this is no regular expression ({error}); write one such as `[0-9]{{10}}`")


def _counters(file: m.PolicyFile, _: _Names) -> Faults:
    for name, counter in file.counters.items():
        path = ("counters", name)
        said = _forgetting(counter)
        if not said:
            yield Fault(path, "how this count forgets is not said; write `in_a_row: true`, `in_total: true` or "
                              "`within:` and a length of time")
        yield from _one_forgetting(path, said)


def _forgetting(cell: m.CounterCell | m.StageCell) -> list[str]:
    return [word for word in ("in_a_row", "in_total", "within") if getattr(cell, word) is not None]


def _one_forgetting(path: Path, said: list[str]) -> Faults:
    for word in said[1:]:
        yield Fault((*path, word), f"a count forgets in one way only; keep `{said[0]}:` or `{word}:`")


# Operations and rows.


def _operations(file: m.PolicyFile, names: _Names) -> Faults:
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
                yield from _set_flag((*path, cell, number), flag, names)
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


def _steps(path: Path, operation: m.OperationCell, names: _Names) -> Faults:
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


def _lent(path: Path, operation: m.OperationCell, file: m.PolicyFile, names: _Names) -> Faults:
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


def _set_flag(path: Path, flag: str, names: _Names) -> Faults:
    if flag.startswith(("not ", "about:")):
        yield Fault(path, "a flag that is set or cleared has no `not` or `about:`; write the flag alone")
    yield from names.flag(path, flag)


def _rows(file: m.PolicyFile, names: _Names) -> Faults:
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
        yield from _stage(("others", "stages", number), stage, names)


def _variants(path: Path, written: list[m.RowCell]) -> Faults:
    if not written:
        yield Fault(path, "this list of variants is empty; write the row")
    for number, row in enumerate(written[:-1]):
        if row.when is None:
            yield Fault((*path, number), "this variant always holds, so those after it are never asked; write its `when:`, "
                                         "or put it last")


def _row(path: Path, row: m.RowCell, item: str, file: m.PolicyFile, names: _Names) -> Faults:
    yield from names.when(path, row.when)
    if row.abolished is not None and row.when is None:
        yield Fault((*path, "abolished"), "for whom it is still open is not said; write `when: exemption:…`, or move the item to "
                                          "`abolished:`")
    kind = file.items[item].kind if item in file.items else ItemKind.DATA
    yield from names.undo(path, row.undo)
    if row.undo and row.stages != "none":
        yield Fault((*path, "undo"), "a row with stages says in each stage how it is undone; move `undo:` there")
    yield from _stages(path, row, kind, file, names)


def _stages(path: Path, row: m.RowCell, kind: ItemKind, file: m.PolicyFile, names: _Names) -> Faults:
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
            yield from _stage((*here, number), stage, names)
        elif file.others is None:
            yield Fault((*here, number), "there is no `others:` section; write it, or a stage here")


# Stages and penalties.


def _stage(path: Path, stage: m.StageCell, names: _Names) -> Faults:
    yield from _whose_count(path, stage, names)
    yield from names.undo(path, stage.undo)
    for number, cell in enumerate(stage.penalty):
        here = (*path, "penalty", number)
        if isinstance(cell, m.PenaltyCell):
            yield from _penalty(here, cell, names)
            if cell.first is not None and not isinstance(stage, m.CeilingCell):
                yield Fault((*here, "first"), "only a ceiling asks unknown devices for another item first; remove `first:`")
            if stage.of in ONE_RUN and cell.on is None and penalty_kind(cell) != ["remove"]:
                yield Fault(here, STANDS_NOWHERE)
    yield from _after(path, stage)


def _whose_count(path: Path, stage: m.StageCell, names: _Names) -> Faults:
    said = _forgetting(stage)
    if stage.count is not None:
        yield from names.known((*path, "count"), stage.count, "count", names.counters)
        if stage.of is not None:
            yield Fault((*path, "of"), "a shared count says in `counters:` whose it is; keep `count:` or `of:`")
        for word in said:
            yield Fault((*path, word), f"a shared count says in `counters:` how it forgets; remove `{word}:`")
        return
    if stage.of is None:
        yield Fault(path, "whose count it is is not said; write `of:` and a reach such as `customer`, or `count:` and the name of a "
                          "shared one")
    elif stage.of not in ONE_RUN and not said:
        yield Fault(path, f"a count of one {stage.of} must say how it forgets; write `in_a_row: true`, `in_total: true` or "
                          "`within:`")
    yield from _one_forgetting(path, said)


def _after(path: Path, stage: m.StageCell) -> Faults:
    timed = [cell for cell in stage.penalty if isinstance(cell, m.PenaltyCell) and cell.for_ is not None]
    if timed and stage.after is None:
        yield Fault(path, "what becomes of the count when the lock ends is not said; write `after: zero` or `after: keep`")
    if not timed and stage.after is not None:
        yield Fault((*path, "after"), "no lock here ends by itself; remove `after:`, or give a penalty its `for:`")


def _penalty(path: Path, cell: m.PenaltyCell, names: _Names) -> Faults:
    kinds = penalty_kind(cell)
    if len(kinds) != 1:
        words = "lock, block, suspend, disable, erase, remove, ask-more"
        wrong = "says nothing that happens" if not kinds else f"says {' and '.join(quoted(kind) for kind in kinds)} at once"
        yield Fault(path, f"this penalty {wrong}; write exactly one of {words}")
        return
    kind = kinds[0]
    objects = getattr(cell, kind.replace("-", "_"))
    if kind in ON_OPERATIONS:
        yield from names.all_known((*path, kind), objects, "operation", names.closed)
    elif kind in {"disable", "erase"}:
        yield from names.all_known((*path, kind), objects, "item", names.items)
    if kind not in {"remove", "ask-more"} and not listed(objects):
        yield Fault((*path, kind), f"`{kind}` names nothing; name what it closes")
    yield from _modifiers(path, cell, kind, names)


def _modifiers(path: Path, cell: m.PenaltyCell, kind: str, names: _Names) -> Faults:
    yield from names.all_known((*path, "spares"), cell.spares, "operation", names.operations)
    yield from names.all_known((*path, "in"), cell.in_, "operation", names.operations)
    if cell.for_ is not None and kind not in TIMED:
        yield Fault((*path, "for"), f"`{kind}` does not end by time; remove `for:`")
    if cell.spares and kind != "disable" and EVERYTHING not in listed(getattr(cell, kind.replace("-", "_"))):
        yield Fault((*path, "spares"), "`spares:` goes with `everything` or `disable`; name the operations closed instead")
    if cell.first is not None and kind != "ask-more":
        yield Fault((*path, "first"), f"`first:` goes with `ask-more`; `{kind}` refuses everybody; remove it")
    yield from names.known((*path, "first"), cell.first or "", "item", names.items)
    if kind == "ask-more" and not cell.in_:
        yield Fault(path, "in which operations more is asked is not said; write `in:` and their names")
    if kind != "ask-more" and cell.in_:
        yield Fault((*path, "in"), f"`in:` goes with `ask-more`; `{kind}` names its operations itself")
    on = cell.on.about if isinstance(cell.on, m.AboutReach) else cell.on
    if on in ONE_RUN:
        yield Fault((*path, "on"), "a run or session holds no lock; write `void`, `end-session` or `start-over`")


# What several rows say together.


def _ceilings(file: m.PolicyFile, names: _Names) -> Faults:
    for name, ceiling in file.ceilings.items():
        path = ("ceilings", name)
        yield from _stage(path, ceiling, names)
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


def _devices(file: m.PolicyFile, names: _Names) -> Faults:
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


def _agreement(file: m.PolicyFile, _: _Names) -> Faults:
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
        yield from _shares_grow(file, [stages[wrong] for wrong in sorted(stages)])


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


def _row_ids(file: m.PolicyFile, names: _Names) -> Faults:
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


# The ways back.


def _ways(file: m.PolicyFile, names: _Names) -> Faults:
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


def _procedure(path: Path, cell: m.ProcedureCell, names: _Names) -> Faults:
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
        yield from _hours((*path, "open"), cell.open)


def _way(path: Path, cell: m.WayCell, file: m.PolicyFile, names: _Names) -> Faults:
    yield from _case(path, cell, names)
    for number, variant in enumerate(cell.variants):
        yield from names.when((*path, "variants", number), variant.when)
        yield from _case((*path, "variants", number), variant, names)
    for flags in ("sets", "unsets"):
        for number, flag in enumerate(getattr(cell, flags)):
            yield from _set_flag((*path, flags, number), flag, names)
    yield from names.all_known((*path, "around"), cell.around, "way back", names.ways)
    if cell.holds is not None:
        yield from names.all_known((*path, "holds", "operations"), cell.holds.operations, "operation", names.operations)
    if cell.roles and cell.approve is None:
        yield Fault(path, "whether a second person must agree is not said; write `approve: one` or `approve: two`")
    for number, role in enumerate(cell.roles):
        if role not in file.desk:
            yield Fault((*path, "roles", number), f"`desk:` has no {quoted(role)}; {Vocabulary(file.desk).hint(role)}")


def _case(path: Path, cell: m.WayCell | m.VariantCell, names: _Names) -> Faults:
    yield from names.needs((*path, "needs"), cell.needs)
    yield from names.all_known((*path, "gives"), cell.gives, "item or thing", names.needed)
    yield from names.all_known((*path, "removes"), cell.removes, "item or thing", names.needed)
    yield from names.all_known((*path, "clears"), cell.clears, "operation or item", names.cleared)


def _hours(path: Path, span: str) -> Faults:
    first, _, last = span.partition("-")
    if span and first >= last:
        yield Fault(path, f"{quoted(span)} ends before it begins; write the earlier time first")


# What is left: abolished items, the bank's own sections.


def _abolished(file: m.PolicyFile, names: _Names) -> Faults:
    for name, cell in file.abolished.items():
        for number, lock in enumerate(cell.locks):
            path = ("abolished", name, "locks", number)
            yield from names.undo(path, lock.undo)
            yield from _standing(path, lock.penalty, names)
    for name, exemption in file.exemptions.items():
        yield from names.known(("exemptions", name, "form"), exemption.form, "form", names.forms)
        yield from names.all_known(("exemptions", name, "items"), exemption.items, "item", names.items)


def _standing(path: Path, penalties: list[m.PenaltyCell], names: _Names) -> Faults:
    """A lock that no stage sets: it falls on whom it is set, and stands until it is lifted."""
    for number, cell in enumerate(penalties):
        here = (*path, "penalty", number)
        yield from _penalty(here, cell, names)
        if cell.for_ is not None:
            yield Fault((*here, "for"), "this lock stands until it is lifted; remove `for:`")
        if cell.on is not None:
            yield Fault((*here, "on"), "this lock falls on whom it is set; remove `on:`")


def _bank(file: m.PolicyFile, names: _Names) -> Faults:
    stop = file.emergency_stop
    yield from names.undo(("emergency_stop",), stop.undo)
    yield from _standing(("emergency_stop",), stop.penalty, names)
    if file.suspension is not None:
        yield from names.undo(("suspension",), file.suspension.undo)
        yield from names.all_known(("suspension", "spares"), file.suspension.spares, "operation", names.operations)
    for role, cell in file.desk.items():
        if role not in DESKS:
            yield Fault(("desk", role.value), f"{quoted(role)} is no desk; there are {', '.join(map(quoted, DESKS))}")
        yield from _hours(("desk", role.value, "open"), cell.open)
        yield from _zone(("desk", role.value, "zone"), cell.zone or "")
    yield from _risk(file, names)
    yield from _cases(file, names)
    yield from _timing(file)


def _risk(file: m.PolicyFile, names: _Names) -> Faults:
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


def _signal(path: Path, cell: m.SignalCell, file: m.PolicyFile, names: _Names) -> Faults:
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


def _cases(file: m.PolicyFile, names: _Names) -> Faults:
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
