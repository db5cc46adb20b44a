"""A policy file to the table that everything else reads: names resolved, shared counts merged, durations in seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from sekisho.policy import model as m
from sekisho.policy import table as t
from sekisho.policy.load import Policy
from sekisho.terms import Counting, ItemKind, PathKind, PenaltyKind, Reach, Role

EVERYTHING = "everything"
"""The word of the file for `*`."""
SELF_CONTAINED = frozenset({Reach.PROCEDURE, Reach.SESSION, Reach.CALLER, Reach.ACTOR, Reach.BANK})
"""Subjects that are the same whatever the entry is about."""
LASTING = frozenset(PenaltyKind) - {
    PenaltyKind.VOID, PenaltyKind.END_SESSION, PenaltyKind.START_OVER, PenaltyKind.ASK_MORE}
"""Penalties that outlive the session."""


def compile_policy(policy: Policy, source: bytes | None = None) -> t.Table:
    """The table of a loaded policy; `source` are the file's bytes, if not those it was loaded from."""
    return _Compiler(policy.file).table(hashlib.sha256(policy.source if source is None else source).hexdigest())


def text(cell: m.Say) -> t.Text:
    """Both languages of a cell."""
    return t.Text(cell.ja, cell.en)


def listed(names: str | list[str] | None) -> tuple[str, ...]:
    """One name or a list of them, with `*` for everything."""
    found = [names] if isinstance(names, str) else names or []
    return tuple(t.EVERYTHING if name == EVERYTHING else name for name in found)


def conditions(when: str | list[str] | None) -> tuple[t.Condition, ...]:
    """`not about:contract` and the like, taken apart."""
    return tuple(_condition(flag) for flag in listed(when))


def _condition(flag: str) -> t.Condition:
    plain = flag.removeprefix("not ")
    return t.Condition(plain.removeprefix("about:"), plain.startswith("about:"), plain == flag)


def penalty(cell: m.PenaltyCell | str) -> t.Penalty:
    """One penalty of the file."""
    if isinstance(cell, str):
        return t.Penalty(PenaltyKind(cell))
    kind, objects = penalty_object(cell)
    on_items = kind in {PenaltyKind.DISABLE, PenaltyKind.ERASE}
    on, about = cell.on, False
    if isinstance(on, m.AboutReach):
        on, about = on.about, True
    return t.Penalty(
        kind=kind, operations=() if on_items else objects, spares=tuple(cell.spares), items=objects if on_items else (),
        for_s=m.seconds(cell.for_) if cell.for_ else None,
        on=Reach.APP if kind is PenaltyKind.REMOVE and on is None else on, on_about=about)


def penalty_object(cell: m.PenaltyCell) -> tuple[PenaltyKind, tuple[str, ...]]:
    """Which penalty it is, and the operations or items it names."""
    for kind, names in ((PenaltyKind.LOCK, cell.lock), (PenaltyKind.BLOCK, cell.block), (PenaltyKind.SUSPEND, cell.suspend),
                        (PenaltyKind.DISABLE, cell.disable), (PenaltyKind.ERASE, cell.erase)):
        if names is not None:
            return kind, listed(names)
    return (PenaltyKind.REMOVE, ()) if cell.remove else (PenaltyKind.ASK_MORE, listed(cell.in_))


def counting(cell: m.StageCell | m.CounterCell, reach: Reach, rules: m.Rules) -> tuple[Counting, int | None]:
    """How the count forgets, and its window."""
    if cell.within:
        return Counting.WITHIN, m.seconds(cell.within)
    if cell.in_total or cell.in_a_row:
        return (Counting.IN_TOTAL if cell.in_total else Counting.IN_A_ROW), None
    assert reach in {Reach.PROCEDURE, Reach.SESSION}, "the loader asks for it everywhere else"
    return Counting(rules.one_run), None


def rows_of(file: m.PolicyFile, operation: m.OperationCell) -> Iterator[tuple[str, int, m.RowCell]]:
    """Every row of an operation: item, number of the variant, cell. Rows of `rows_as` and `others` included."""
    taken = {name for step in operation.steps for name in step_items(step)}
    lent = file.operations[operation.rows_as].items if operation.rows_as in file.operations else {}
    cells: dict[str, Any] = {**{name: cell for name, cell in lent.items() if name in taken}, **operation.items}
    for name in sorted(taken - set(cells)):
        if file.others:
            cells[name] = m.RowCell(row=file.others.row, stages=["others"], say=file.others.say,
                                    not_say=file.others.not_say, why=file.others.why)
    for item, variants in cells.items():
        for number, cell in enumerate(variants if isinstance(variants, list) else [variants]):
            yield item, number, cell


def step_items(step: str | list[str] | m.StepCell) -> tuple[str, ...]:
    """The items of which any one will do."""
    return listed(step.any if isinstance(step, m.StepCell) else step)


class _Compiler:
    def __init__(self, file: m.PolicyFile) -> None:
        self.file = file
        self.reaches: dict[str, tuple[Reach, Counting, int | None, bool]] = {}
        self.stages: dict[str, dict[int, t.Stage]] = {}
        self.touched: dict[tuple[str, str, int], list[str]] = {}
        self.counters: dict[str, t.Counter] = {}
        self.ways: dict[str, m.ProcedureCell | m.FormCell] = {**file.procedures, **file.forms}

    def table(self, version: str) -> t.Table:
        file = self.file
        self.collect()
        operations = {name: self.operation(name, cell) for name, cell in file.operations.items()}
        return t.Table(
            name=file.policy, version=version, article=file.article,
            items={**{name: _item(name, cell) for name, cell in file.items.items()},
                   **{name: _gone(name, cell) for name, cell in file.abolished.items()}},
            counters=self.counters, operations=operations,
            paths={name: self.path(name, cell) for name, cell in self.ways.items()},
            abolished={lock.row: lock for lock in self.abolished()},
            stop=penalty(file.emergency_stop.penalty[0]), stop_undo=tuple(file.emergency_stop.undo),
            suspension_undo=tuple(file.suspension.undo) if file.suspension else (),
            timing=self.timing(), desk={role.value: self.role(cell) for role, cell in file.desk.items()},
            mail=_mail(file.mail), **self.extras())

    def extras(self) -> dict[str, Any]:
        file = self.file
        spared = file.suspension
        return {
            "title": text(file.title), "zone": file.zone, "known_devices": file.known_devices,
            "rules": msgspec.to_builtins(file.rules), "profiles": tuple(file.profiles),
            "waivers": tuple(t.Waived(w.finding, w.row, w.where, w.reason, w.by) for w in file.waivers),
            "paper": tuple(t.Paper(tuple(p.rows), p.form, text(p.say)) for p in file.paper),
            "exemptions": {name: t.Exemption(text(e), e.form, tuple(e.items)) for name, e in file.exemptions.items()},
            "flags": {name: text(cell) for name, cell in file.flags.items()},
            "things": {name: text(cell) for name, cell in file.things.items()}, "risk": _risk(file.risk),
            "stop_stranger_s": m.seconds(file.emergency_stop.stranger_for),
            "stop_stranger_once_s": m.seconds(file.emergency_stop.stranger_once_in),
            "suspension": t.Penalty(PenaltyKind.SUSPEND, (t.EVERYTHING,), tuple(spared.spares)) if spared else None,
            "retention_s": {name: m.seconds(cell.keep) for name, cell in file.retention.items()},
        }

    def collect(self) -> None:
        """Every stage of every row, put on its counter; only then are counters whole."""
        for name, operation in self.file.operations.items():
            for item, number, cell in rows_of(self.file, operation):
                self.touched[name, item, number] = list(dict.fromkeys(self.row_counters(name, item, number, cell)))
        self.counters = {name: self.counter(name) for name in self.reaches}

    def row_counters(self, operation: str, item: str, number: int, cell: m.RowCell) -> Iterator[str]:
        base = f"{operation}/{item}" + (f"/{number + 1}" if number else "")
        for stage, row in self.row_stages(cell):
            yield self.put(base, stage, row)
        for name, ceiling in self.file.ceilings.items():
            if cell.stages != "none" and counts_in(ceiling, operation, item):
                yield self.put(name, ceiling, ceiling.row or name, named=True)

    def row_stages(self, cell: m.RowCell) -> Iterator[tuple[m.StageCell, str]]:
        for stage in cell.stages if isinstance(cell.stages, list) else ():
            if isinstance(stage, m.StageCell):
                yield stage, stage.row or cell.row
            elif self.file.others:
                for other in self.file.others.stages:
                    yield other, other.row or self.file.others.row

    def put(self, base: str, stage: m.StageCell, row: str, *, named: bool = False) -> str:
        """Put one stage on its counter; gives the counter's name."""
        if stage.count:
            shared = self.file.counters[stage.count]
            name, reach, ours = stage.count, shared.of, shared.ours
            how = counting(shared, reach, self.file.rules)
        else:
            assert stage.of is not None, "the loader asks for `of` or `count`"
            reach, ours = stage.of, stage.ours
            how = counting(stage, reach, self.file.rules)
            name = base if named else f"{base}@{reach}{_suffix(how, reach)}"
        self.reaches.setdefault(name, (reach, *how, ours))
        self.stages.setdefault(name, {}).setdefault(stage.wrong, self.stage(stage, row))
        return name

    def stage(self, cell: m.StageCell, row: str) -> t.Stage:
        penalties = tuple(penalty(p) for p in cell.penalty)
        told = self.file.rules.lasting_lock == "told-once" and any(p.kind in LASTING for p in penalties)
        return t.Stage(cell.wrong, row, penalties, tuple(cell.undo), cell.after or "zero", told, cell.ours, cell.why)

    def counter(self, name: str) -> t.Counter:
        reach, how, window, ours = self.reaches[name]
        stages = self.stages[name]
        return t.Counter(name, reach, how, window, tuple(stages[wrong] for wrong in sorted(stages)), ours)

    def operation(self, name: str, cell: m.OperationCell) -> t.Operation:
        rows: dict[str, tuple[t.Row, ...]] = {}
        for item, number, row in rows_of(self.file, cell):
            rows[item] = (*rows.get(item, ()), self.row(name, item, number, row))
        whole = t.Operation(
            name=name, text=text(cell), subject=cell.for_, session=cell.in_session,
            steps=tuple(t.Step(step_items(s), conditions(s.when if isinstance(s, m.StepCell) else None)) for s in cell.steps),
            rows=rows, gives_session=cell.opens_session, path=self.walked(name), sets=tuple(cell.sets),
            clears=tuple(cell.unsets), suspends=cell.suspends,
            life_s=m.seconds(cell.life or self.file.timing.procedure), digest="")
        return msgspec.structs.replace(whole, digest=self.digest(whole))

    def walked(self, operation: str) -> str | None:
        return next((name for name, way in self.file.procedures.items() if way.operation == operation), None)

    def row(self, operation: str, item: str, number: int, cell: m.RowCell) -> t.Row:
        names = self.touched[operation, item, number]
        gauges = tuple(self.gauge(self.counters[name], cell) for name in names)
        return t.Row(cell.row, operation, item, gauges, conditions(cell.when), cell.about, cell.ours, tuple(cell.also),
                     tuple(cell.undo), cell.abolished, _said(cell.say), _said(cell.not_say), cell.why)

    def gauge(self, counter: t.Counter, cell: m.RowCell) -> t.Gauge:
        return t.Gauge(counter, cell.about and counter.reach not in SELF_CONTAINED)

    def digest(self, operation: t.Operation) -> str:
        """Of what decides within the operation; texts and reasons may change under an open procedure."""
        items = sorted(operation.rows)
        decides = {
            "operation": _bare(operation, "text", "digest"),
            "rows": [_bare(row, "say", "not_say", "why") for item in items for row in operation.rows[item]],
            "items": [_bare(_item(item, self.file.items[item]), "text") for item in items if item in self.file.items],
            "rules": msgspec.to_builtins(self.file.rules),
        }
        decides["operation"].pop("rows")
        return hashlib.sha256(msgspec.json.encode(decides, order="deterministic")).hexdigest()[:32]

    def path(self, name: str, cell: m.ProcedureCell | m.FormCell) -> t.ReleasePath:
        paper = isinstance(cell, m.FormCell)
        takes = cell.days * 86_400 if isinstance(cell, m.FormCell) else m.seconds(cell.takes) if cell.takes else 0
        opens, every = (cell.open, "day") if isinstance(cell, m.ProcedureCell) and cell.open else self.desk_hours(cell)
        return t.ReleasePath(
            name=name, kind=PathKind.FORM if isinstance(cell, m.FormCell) else cell.kind, text=text(cell),
            roles=tuple(cell.roles), second_person=cell.approve == "two",
            operation=None if isinstance(cell, m.FormCell) else cell.operation, sets=tuple(cell.sets),
            clears=tuple(cell.unsets), opens_s=None if paper or not opens else hours(opens), zone=self.file.zone,
            takes_s=takes, cases=_cases(cell), around=tuple(cell.around),
            form=cell.form if isinstance(cell, m.FormCell) else None, every=every, ours=cell.ours)

    def desk_hours(self, cell: m.WayCell) -> tuple[str | None, str]:
        """A way that a role carries out is open when that role works."""
        for role in cell.roles:
            if role in self.file.desk:
                return self.file.desk[role].open, self.file.desk[role].every
        return None, "day"

    def abolished(self) -> Iterator[t.AbolishedLock]:
        for item, cell in self.file.abolished.items():
            for lock in cell.locks:
                yield t.AbolishedLock(lock.row, item, penalty(lock.penalty[0]), tuple(lock.undo), text(lock), cell.since,
                                      tuple(text(used) for used in lock.used_in))

    def timing(self) -> t.Timing:
        timing = self.file.timing
        held = {name: cell.hold or timing.hold for name, cell in self.file.items.items()}
        return t.Timing(
            m.seconds(timing.reservation), m.seconds(timing.session.idle), m.seconds(timing.session.total),
            m.seconds(timing.stranger_procedure), {name: m.milliseconds(hold) if hold else 0 for name, hold in held.items()})

    def role(self, cell: m.DeskCell) -> dict[str, Any]:
        return {"ja": cell.ja, "en": cell.en, "open_s": list(hours(cell.open)), "every": cell.every,
                "zone": cell.zone or self.file.zone, "may": [act.value for act in cell.may], "approve": cell.approve,
                "telephone": list(cell.telephone)}


def counts_in(ceiling: m.CeilingCell, operation: str, item: str) -> bool:
    """Whether a ceiling counts this item in this operation."""
    return item in ceiling.items and operation not in ceiling.except_ and (not ceiling.only or operation in ceiling.only)


def hours(span: str) -> tuple[int, int]:
    """`09:00-21:00` in seconds of the day."""
    first, last = (int(clock[:2]) * 3_600 + int(clock[3:]) * 60 for clock in span.split("-"))
    return first, last


def _suffix(how: tuple[Counting, int | None], reach: Reach) -> str:
    """Keeps two counts of one row apart that stand on one subject and forget differently."""
    if reach in {Reach.PROCEDURE, Reach.SESSION}:
        return ""
    kind, window = how
    return "" if kind is Counting.IN_A_ROW else f":{kind}" + (f"-{window}s" if window else "")


def _said(cell: m.Say | None) -> t.Text | None:
    return text(cell) if cell else None


def _bare(struct: Any, *without: str) -> dict[str, Any]:
    whole: dict[str, Any] = msgspec.to_builtins(struct)
    return {key: value for key, value in whole.items() if key not in without}


def _item(name: str, cell: m.ItemCell) -> t.Item:
    return t.Item(name=name, kind=cell.kind, text=text(cell), names=cell.names, parts=tuple(cell.parts.items()),
                  pattern=cell.pattern, reach=cell.of or cell.names or Reach.PROCEDURE)


def _gone(name: str, cell: m.AbolishedCell) -> t.Item:
    return t.Item(name=name, kind=cell.kind, text=text(cell), names=None, parts=(), pattern=None, reach=cell.of,
                  abolished=cell.since)


def _cases(cell: m.WayCell) -> tuple[t.PathCase, ...]:
    return tuple(_case(variant, conditions(variant.when)) for variant in cell.variants) + (_case(cell, ()),)


def _case(cell: m.WayCell | m.VariantCell, when: tuple[t.Condition, ...]) -> t.PathCase:
    return t.PathCase(when, tuple(listed(need) for need in cell.needs), tuple(cell.gives), tuple(cell.removes),
                      listed(cell.clears))


def _risk(cell: m.RiskCell | None) -> t.Risk | None:
    if cell is None:
        return None
    signals = tuple(t.Signal(s.signal, s.times, m.seconds(s.within), s.ours) for s in cell.signals)
    return t.Risk(signals, cell.ask, listed(cell.refuses), m.seconds(cell.trusts_device) if cell.trusts_device else None)


def _mail(cell: m.MailCell) -> dict[str, Any]:
    return {
        "addresses": cell.addresses, "code_digits": cell.code.digits, "code_valid_s": m.seconds(cell.code.valid),
        "resend_wait_s": m.seconds(cell.resend.wait), "resend_per_challenge": cell.resend.per_challenge,
        "overdue_s": m.seconds(cell.overdue),
        "remedies": [{"name": remedy.name, "ja": remedy.ja, "en": remedy.en} for remedy in cell.remedies],
    }
