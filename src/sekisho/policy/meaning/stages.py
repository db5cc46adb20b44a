"""What a stage and its penalties may not say."""

from __future__ import annotations

from sekisho.policy import model as m
from sekisho.policy.meaning.items import forgetting, one_forgetting
from sekisho.policy.meaning.names import ON_OPERATIONS, STANDS_NOWHERE, TIMED, Fault, Faults, Names
from sekisho.policy.rows import (
    EVERYTHING,
    ONE_RUN,
    listed,
    penalty_kind,
)
from sekisho.policy.shape import Path
from sekisho.policy.yaml import quoted


def one_stage(path: Path, stage: m.StageCell, names: Names) -> Faults:
    """One stage of a count."""
    yield from _whose_count(path, stage, names)
    yield from names.undo(path, stage.undo)
    for number, cell in enumerate(stage.penalty):
        here = (*path, "penalty", number)
        if isinstance(cell, m.PenaltyCell):
            yield from one_penalty(here, cell, names)
            if cell.first is not None and not isinstance(stage, m.CeilingCell):
                yield Fault((*here, "first"), "only a ceiling asks unknown devices for another item first; remove `first:`")
            if stage.of in ONE_RUN and cell.on is None and penalty_kind(cell) != ["remove"]:
                yield Fault(here, STANDS_NOWHERE)
    yield from _after(path, stage)


def _whose_count(path: Path, stage: m.StageCell, names: Names) -> Faults:
    said = forgetting(stage)
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
    yield from one_forgetting(path, said)


def _after(path: Path, stage: m.StageCell) -> Faults:
    timed = [cell for cell in stage.penalty if isinstance(cell, m.PenaltyCell) and cell.for_ is not None]
    if timed and stage.after is None:
        yield Fault(path, "what becomes of the count when the lock ends is not said; write `after: zero` or `after: keep`")
    if not timed and stage.after is not None:
        yield Fault((*path, "after"), "no lock here ends by itself; remove `after:`, or give a penalty its `for:`")


def one_penalty(path: Path, cell: m.PenaltyCell, names: Names) -> Faults:
    """One penalty of a stage."""
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


def _modifiers(path: Path, cell: m.PenaltyCell, kind: str, names: Names) -> Faults:
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
