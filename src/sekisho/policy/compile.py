"""A policy file to the table that everything else reads: names resolved, shared counts merged, durations in seconds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from sekisho.policy import model as m
from sekisho.policy import table as t
from sekisho.policy.load import Policy
from sekisho.policy.rows import (
    EVERYTHING,
    RowAt,
    StageAt,
    addresses_of,
    asked_first,
    confirming,
    demands,
    penalty_kind,
    rows,
    rows_of,
    stages_of,
    step_items,
)
from sekisho.terms import PathKind, PenaltyKind, Reach, Way

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
        for_s=_optional_s(cell.for_),
        on=Reach.APP if kind is PenaltyKind.REMOVE and on is None else on, on_about=about,
        whom=t.UNKNOWN if kind is PenaltyKind.ASK_MORE else "", first=cell.first)


def penalty_object(cell: m.PenaltyCell) -> tuple[PenaltyKind, tuple[str, ...]]:
    """Which penalty it is, and the operations or items it names."""
    kind = PenaltyKind(penalty_kind(cell)[0])
    objects = {PenaltyKind.LOCK: cell.lock, PenaltyKind.BLOCK: cell.block, PenaltyKind.SUSPEND: cell.suspend,
               PenaltyKind.DISABLE: cell.disable, PenaltyKind.ERASE: cell.erase, PenaltyKind.ASK_MORE: cell.in_}
    return kind, listed(objects.get(kind))


class _Compiler:
    def __init__(self, file: m.PolicyFile) -> None:
        self.file = file
        self.placed: dict[str, StageAt] = {}
        """By counter: the first stage put on it."""
        self.stages: dict[str, dict[int, t.Stage]] = {}
        self.touched: dict[tuple[str, str, int], list[str]] = {}
        self.counters: dict[str, t.Counter] = {}
        self.known: set[str] = set()
        """Counters of what known devices enter, and nothing else."""
        self.kept: dict[str, dict[int, int]] = {}
        """By counter and figure: how much of it is kept for each known device."""
        self.ways: dict[str, m.ProcedureCell | m.FormCell] = {**file.procedures, **file.forms}

    def table(self, version: str) -> t.Table:
        file = self.file
        self.collect()
        operations = {name: self.operation(name, cell) for name, cell in file.operations.items()}
        gauges = [gauge for one in operations.values() for rows in one.rows.values() for row in rows for gauge in row.gauges]
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
            mail=_mail(file.mail), devices=_devices(file, gauges), bank=_bank(operations), **self.extras())

    def extras(self) -> dict[str, Any]:
        file = self.file
        spared = file.suspension
        return {
            "title": text(file.title), "zone": file.zone, "known_devices": file.known_devices,
            "asks_first": any(asked_first(file).values()),
            "rules": msgspec.to_builtins(file.rules), "profiles": tuple(file.profiles),
            "waivers": tuple(t.Waived(w.finding, w.row, w.where, text(w.reason), who(w.by)) for w in file.waivers),
            "paper": tuple(t.Paper(tuple(p.rows), p.form, text(p.say), tuple(p.stranger_knows)) for p in file.paper),
            "exemptions": {name: t.Exemption(text(e), e.form, tuple(e.items)) for name, e in file.exemptions.items()},
            "flags": {name: text(cell) for name, cell in file.flags.items()},
            "things": {name: text(cell) for name, cell in file.things.items()}, "risk": _risk(file),
            "stop_stranger_s": m.seconds(file.emergency_stop.stranger_for),
            "stop_stranger_once_s": m.seconds(file.emergency_stop.stranger_once_in),
            "suspension": t.Penalty(PenaltyKind.SUSPEND, (t.EVERYTHING,), tuple(spared.spares)) if spared else None,
            "cases": _matters(file.cases),
            "incidents": msgspec.to_builtins(file.incidents) if file.incidents else {},
            "retention_s": {
                field.encode_name: m.seconds(cell.keep)
                for field in msgspec.structs.fields(file.retention) if (cell := getattr(file.retention, field.name)) is not None
            },
        }

    def collect(self) -> None:
        """Put every stage of every row on its counter; only then are counters whole."""
        for row in rows(self.file):
            touched = [self.put(stage) for stage in stages_of(self.file, row)]
            self.touched[row.operation, row.item, row.number] = list(dict.fromkeys(touched))
        for name, first in self.placed.items():
            counter = self.counter(name, first)
            self.counters |= {one.name: one for one in (counter, *counter.shares)}

    def put(self, stage: StageAt) -> str:
        self.placed.setdefault(stage.counter, stage)
        if isinstance(stage.cell, m.CeilingCell) and stage.cell.devices is not None:
            self.known.add(stage.counter)
        if stage.cell.known_device is not None:
            self.kept.setdefault(stage.counter, {})[stage.cell.wrong] = stage.cell.known_device
        on_counter = self.stages.setdefault(stage.counter, {})
        found = on_counter.get(stage.cell.wrong)
        if found is None:
            on_counter[stage.cell.wrong] = self.stage(stage.cell, stage.row)
        elif stage.row not in {found.row, *found.also}:
            on_counter[stage.cell.wrong] = msgspec.structs.replace(found, also=(*found.also, stage.row))
        return stage.counter

    def stage(self, cell: m.StageCell, row: str) -> t.Stage:
        penalties = tuple(penalty(p) for p in cell.penalty)
        if isinstance(cell, m.CeilingCell) and cell.devices is not None:
            penalties = _falling_on(penalties, t.KNOWN)
        told = self.file.rules.lasting_lock == "told-once" and any(p.kind in LASTING for p in penalties)
        return t.Stage(cell.wrong, row, penalties, tuple(cell.undo), cell.after or "zero", told, cell.ours, _said(cell.why))

    def counter(self, name: str, first: StageAt) -> t.Counter:
        stages = self.stages[name]
        whole = t.Counter(name, first.reach, first.counting, first.window_s,
                          tuple(stages[wrong] for wrong in sorted(stages)), first.ours)
        return split(whole, self.kept[name], self.file.devices.remembered) if name in self.kept and self.file.devices else whole

    def operation(self, name: str, cell: m.OperationCell) -> t.Operation:
        own: dict[str, tuple[t.Row, ...]] = {}
        for row in rows_of(self.file, name):
            own[row.item] = (*own.get(row.item, ()), self.row(row))
        whole = t.Operation(
            name=name, text=text(cell), subject=cell.for_, session=cell.in_session,
            steps=tuple(self.step(s, cell) for s in cell.steps),
            rows=own, gives_session=cell.opens_session, path=self.walked(name), sets=tuple(cell.sets),
            clears=tuple(cell.unsets), suspends=cell.suspends,
            life_s=m.seconds(cell.life or self.file.timing.procedure), digest="",
            closed=tuple(t.Closed(conditions(c.when), c.after, text(c.say)) for c in cell.closed), adds_device=cell.adds_device)
        return msgspec.structs.replace(whole, digest=self.digest(whole))

    def step(self, cell: str | list[str] | m.StepCell, operation: m.OperationCell) -> t.Step:
        names = step_items(cell)
        when = conditions(cell.when if isinstance(cell, m.StepCell) else None)
        return t.Step(names, when, addresses_of(operation, self.file) if confirming(names, self.file) else None)

    def walked(self, operation: str) -> str | None:
        return next((name for name, way in self.file.procedures.items() if way.operation == operation), None)

    def row(self, at: RowAt) -> t.Row:
        cell = at.cell
        names = self.touched[at.operation, at.item, at.number]
        gauges = tuple(self.gauge(self.counters[name], cell) for name in names if self.counters[name].reach is not Reach.BANK)
        bank = tuple(self.counters[name] for name in names if self.counters[name].reach is Reach.BANK)
        return t.Row(cell.row, at.operation, at.item, gauges, conditions(cell.when), cell.about, cell.ours, tuple(cell.also),
                     tuple(cell.undo), cell.abolished, _said(cell.say), _said(cell.not_say), _said(cell.why), bank)

    def gauge(self, counter: t.Counter, cell: m.RowCell) -> t.Gauge:
        return t.Gauge(counter, cell.about and counter.reach not in SELF_CONTAINED, devices=self.counted(counter))

    def counted(self, counter: t.Counter) -> str:
        """Whose entries a count is of. One that at its limit only asks more of unknown devices is no count of known ones."""
        if counter.name in self.known:
            return t.KNOWN
        if counter.shares:
            return t.EACH
        asks = all(penalty.kind is PenaltyKind.ASK_MORE for penalty in counter.stages[-1].penalties)
        return t.UNKNOWN if asks and self.file.known_devices and self.file.devices else ""

    def digest(self, operation: t.Operation) -> str:
        """Of what decides within the operation; texts and reasons may change under an open procedure."""
        items = sorted(operation.rows)
        decides = {
            "operation": _bare(operation, "text", "digest", "closed"),
            "rows": [_bare(row, "say", "not_say", "why", *([] if row.bank else ["bank"])) for item in items for row in operation.rows[item]],
            "items": [_bare(_item(item, self.file.items[item]), "text") for item in items if item in self.file.items],
            "rules": msgspec.to_builtins(self.file.rules),
            "closed": [_bare(closed, "text") for closed in operation.closed],
        }
        decides["operation"].pop("rows")
        return hashlib.sha256(msgspec.json.encode(decides, order="deterministic")).hexdigest()[:32]

    def path(self, name: str, cell: m.ProcedureCell | m.FormCell) -> t.ReleasePath:
        paper = isinstance(cell, m.FormCell)
        takes = cell.days * 86_400 if isinstance(cell, m.FormCell) else m.seconds(cell.takes) if cell.takes else 0
        # Desk hours bind what is done while a customer waits; a form that has come in is worked on whenever somebody is there.
        opens, every = self.desk_hours(cell)
        if isinstance(cell, m.ProcedureCell) and cell.open:
            opens = cell.open  # hours of its own; the days stay those on which somebody is there
        return t.ReleasePath(
            name=name, kind=PathKind.FORM if isinstance(cell, m.FormCell) else cell.kind, text=text(cell),
            roles=tuple(cell.roles), second_person=cell.approve == "two",
            operation=None if isinstance(cell, m.FormCell) else cell.operation, sets=tuple(cell.sets),
            clears=tuple(cell.unsets), opens_s=None if paper or not opens else hours(opens), zone=self.file.zone,
            takes_s=takes, cases=_cases(cell), around=tuple(cell.around),
            form=cell.form if isinstance(cell, m.FormCell) else None, every=every, ours=cell.ours,
            holds=_hold(cell.holds), tells=tuple(cell.tells))

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
            m.seconds(timing.stranger_procedure), {name: m.milliseconds(hold) if hold else 0 for name, hold in held.items()},
            m.milliseconds(timing.hold) if timing.hold else 0)

    def role(self, cell: m.DeskCell) -> dict[str, Any]:
        return {"ja": cell.ja, "en": cell.en, "open_s": list(hours(cell.open)), "every": cell.every,
                "zone": cell.zone or self.file.zone, "may": [act.value for act in cell.may], "approve": cell.approve,
                "telephone": list(cell.telephone)}


def split(whole: t.Counter, kept: dict[int, int], places: int) -> t.Counter:
    """A counter of which each known device has a share: what is left is that of all other devices together.

    All shares together come to the figures of the whole, so no guess is added to what the row allows.
    """
    shares = []
    for place in range(1, places + 1):
        whom = t.share_name(place)
        stages = tuple(_of(stage, kept[stage.wrong], whom) for stage in whole.stages)
        shares.append(msgspec.structs.replace(whole, name=f"{whole.name}/{whom}", stages=stages, base=whole.name))
    left = tuple(_of(stage, stage.wrong - places * kept[stage.wrong], t.UNKNOWN) for stage in whole.stages)
    return msgspec.structs.replace(whole, stages=left, shares=tuple(shares))


def _of(stage: t.Stage, wrong: int, whom: str) -> t.Stage:
    """A stage as it falls on one share: its locks refuse those whose share it is."""
    return msgspec.structs.replace(stage, wrong=wrong, penalties=_falling_on(stage.penalties, whom))


def _falling_on(penalties: tuple[t.Penalty, ...], whom: str) -> tuple[t.Penalty, ...]:
    return tuple(msgspec.structs.replace(one, whom=whom) if one.kind not in t.RUN_ENDS else one for one in penalties)


def hours(span: str) -> tuple[int, int]:
    """`09:00-21:00` in seconds of the day."""
    first, last = (int(clock[:2]) * 3_600 + int(clock[3:]) * 60 for clock in span.split("-"))
    return first, last


def _optional_s(duration: str | None) -> int | None:
    return m.seconds(duration) if duration else None


def who(by: str | m.Say) -> t.Text:
    """Who has accepted something: a name is the same in both languages."""
    return t.Text(by, by) if isinstance(by, str) else text(by)


def _said(cell: m.Say | None) -> t.Text | None:
    return text(cell) if cell else None


def _bare(struct: Any, *without: str) -> dict[str, Any]:
    whole: dict[str, Any] = msgspec.to_builtins(struct)
    return {key: value for key, value in whole.items() if key not in without}


def _item(name: str, cell: m.ItemCell) -> t.Item:
    return t.Item(name=name, kind=cell.kind, text=text(cell), names=cell.names, parts=tuple(cell.parts.items()),
                  pattern=cell.pattern, reach=cell.of or cell.names or Reach.PROCEDURE, purpose=cell.purpose,
                  digits=cell.digits, valid_s=_optional_s(cell.valid), by_letter_s=_optional_s(cell.by_letter),
                  unchanged_s=_optional_s(cell.unchanged),
                  renews=cell.renews, resyncs=cell.resyncs, registers=Way(cell.registers) if cell.registers else None, without=cell.without,
                  verifies=cell.verifies, repeats=t.Repeats(cell.repeats.kept, m.seconds(cell.repeats.for_)) if cell.repeats else None)


def _gone(name: str, cell: m.AbolishedCell) -> t.Item:
    return t.Item(name=name, kind=cell.kind, text=text(cell), names=None, parts=(), pattern=None, reach=cell.of,
                  abolished=cell.since)


def _cases(cell: m.WayCell) -> tuple[t.PathCase, ...]:
    return (*(_case(variant, conditions(variant.when)) for variant in cell.variants), _case(cell, ()))


def _case(cell: m.WayCell | m.VariantCell, when: tuple[t.Condition, ...]) -> t.PathCase:
    return t.PathCase(when, tuple(listed(need) for need in cell.needs), tuple(cell.gives), tuple(cell.removes),
                      listed(cell.clears))


def _matters(cell: m.CasesCell | None) -> dict[str, Any]:
    return {**msgspec.to_builtins(cell), "verified_for_s": _optional_s(cell.verified_for)} if cell else {}


def _risk(file: m.PolicyFile) -> t.Risk | None:
    cell = file.risk
    if cell is None:
        return None
    signals = tuple(t.Signal(s.signal, s.times, m.seconds(s.within), s.ours, s.item) for s in cell.signals)
    flag = next(iter(demands(file.operations[cell.refuses[0]], cell.ask)))
    return t.Risk(signals, cell.ask, listed(cell.refuses), flag, _optional_s(cell.trusts_device), tuple(cell.tells))


def _bank(operations: dict[str, t.Operation]) -> dict[str, tuple[t.Counter, ...]]:
    touched = {
        f"{one.name}/{item}": tuple({counter.name: counter for row in rows for counter in row.bank}.values())
        for one in operations.values() for item, rows in one.rows.items()
    }
    return {name: counters for name, counters in touched.items() if counters}


def _devices(file: m.PolicyFile, gauges: list[t.Gauge]) -> t.Devices | None:
    cell = file.devices
    if cell is None or not file.known_devices:
        return None
    subjects = {gauge.counter.reach for gauge in gauges if gauge.devices} & t.KNOWING
    return t.Devices(tuple(cell.known_by), cell.remembered, m.seconds(cell.kept), tuple(sorted(subjects)))


def _hold(cell: m.HoldCell | None) -> t.Penalty | None:
    return t.Penalty(PenaltyKind.LOCK, tuple(cell.operations), for_s=m.seconds(cell.for_)) if cell else None


def _mail(cell: m.MailCell) -> dict[str, Any]:
    return {
        "addresses": cell.addresses, "code_digits": cell.code.digits, "code_valid_s": m.seconds(cell.code.valid),
        "resend_wait_s": m.seconds(cell.resend.wait), "resend_per_challenge": cell.resend.per_challenge,
        "overdue_s": m.seconds(cell.overdue), "usable": cell.usable, "per_address_hour": cell.per_address_hour,
        "per_customer_day": cell.per_customer_day,
        "remedies": [{"name": remedy.name, "ja": remedy.ja, "en": remedy.en, "fits": [group.value for group in remedy.fits]}
                     for remedy in cell.remedies],
    }
