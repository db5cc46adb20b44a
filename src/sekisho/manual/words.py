"""What the manual says about a policy's rows and ways back, in one language, built from the policy's own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from sekisho.catalogue import say
from sekisho.manual.book import Entry, Section
from sekisho.policy.table import EVERYTHING, RUN_ENDS, Condition, Penalty, ReleasePath, Row, Stage
from sekisho.policy.text import Printer
from sekisho.proof.ways import Plan
from sekisho.terms import ItemKind, PathKind, PenaltyKind, Reach

GRAVEST = (
    PenaltyKind.REMOVE, PenaltyKind.ERASE, PenaltyKind.SUSPEND, PenaltyKind.BLOCK, PenaltyKind.LOCK, PenaltyKind.DISABLE, PenaltyKind.ASK_MORE,
)
"""What outlasts the run, the gravest first. An order by figures would tell a customer which of them is the greater (D1)."""

RUN_OVER = "run-over"
"""The run has ended and nothing else has."""

ALL_DAY_S = (0, 86_400)
"""Hours of a desk that never closes. Seconds of the day."""

NAMES_SOMEBODY = frozenset({ItemKind.IDENTIFIER, ItemKind.PAIR})
SENT = frozenset({ItemKind.CODE, ItemKind.CONFIRMATION})


class Effect(NamedTuple):
    """One thing that too many wrong entries bring about, without any figure: what a customer may be told of it."""

    kind: str
    """A penalty that outlasts the run, with `-for-a-while` where it ends by itself; else `run-over`."""
    operations: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    first: str | None = None
    """What an unknown device is asked for first."""


class Outcome(NamedTuple):
    """All that one stage brings about, and the ways back that are offered for it."""

    effects: tuple[Effect, ...]
    undo: tuple[str, ...]


def effects(penalties: Iterable[Penalty]) -> tuple[Effect, ...]:
    """What these penalties come to, the gravest first; the end of a run only where nothing outlasts it."""
    lasting = [one for one in penalties if one.kind not in RUN_ENDS]
    found = {_effect(one) for one in lasting}
    return tuple(sorted(found, key=_gravity)) or (Effect(RUN_OVER),)


def _effect(one: Penalty) -> Effect:
    ends = one.for_s is not None and one.kind is not PenaltyKind.ASK_MORE
    return Effect(f"{one.kind}-for-a-while" if ends else one.kind.value, one.operations, one.items, one.first)


def _gravity(one: Effect) -> tuple[object, ...]:
    kind = one.kind.removesuffix("-for-a-while")
    rank = GRAVEST.index(PenaltyKind(kind)) if kind != RUN_OVER else len(GRAVEST)
    return rank, one.kind, one.operations, one.items, one.first or ""


def outcomes(stages: Iterable[Stage]) -> list[Outcome]:
    """What may come of wrong entries, each once, in an order that no figure decides."""
    found = {Outcome(effects(one.penalties), one.undo) for one in stages}
    return sorted(found, key=lambda one: ([_gravity(effect) for effect in one.effects], one.undo))


def stages_of(row: Row) -> list[Stage]:
    """Every stage that an entry of this row may reach, those of known devices too."""
    counters = [*(gauge.counter for gauge in row.gauges), *row.bank]
    shares = [share for counter in counters for share in counter.shares[:1]]
    return [stage for counter in [*counters, *shares] for stage in counter.stages]


def _without_less(found: Iterable[Effect]) -> tuple[Effect, ...]:
    """Effects in their order; the end of the run is not worth saying beside anything that outlasts it."""
    told = sorted(found, key=_gravity)
    return tuple(one for one in told if one.kind != RUN_OVER or len(told) == 1)


class Words(Printer):
    """A policy's words, and the manual's sentences around them."""

    def t(self, name: str, /, **facts: object) -> str:
        """A text of the catalogue."""
        return say(self.language, name, **facts)

    def join(self, parts: Iterable[str]) -> str:
        """A list in words."""
        return self.t("list.comma").join(parts)

    def item(self, name: str) -> str:
        """What people call an item."""
        return self.say(self.table.items[name].text)

    def operation_name(self, name: str) -> str:
        """What people call an operation."""
        return self.say(self.table.operations[name].text)

    def thing(self, name: str) -> str:
        """What people call something that a way back needs or gives."""
        found = self.table.things.get(name) or self.table.flags.get(name)
        return self.say(found) if found else self.names((name,))

    @property
    def asked_desks(self) -> dict[str, Mapping[str, Any]]:
        """The desks that customers turn to, by their roles."""
        return {role: one for role, one in self.table.desk.items() if "open-case" in one["may"]}

    @property
    def stops_by_telephone(self) -> bool:
        """Whether at any hour somebody answers who can stop everything."""
        return any("emergency-stop" in one["may"] and one["every"] == "day" and tuple(one["open_s"]) == ALL_DAY_S for one in self.table.desk.values())

    def when(self, conditions: Sequence[Condition]) -> list[str]:
        """For whom a row holds."""
        return [self.t("manual.when" if one.holds else "manual.unless", what=self._flag(one)) for one in conditions]

    def _flag(self, one: Condition) -> str:
        kind, _, name = one.flag.partition(":")
        if kind in {"first-time", "set"}:
            text = self.t(f"manual.flag-{kind}", item=self.item(name))
        elif kind == "exemption":
            text = self.t("manual.flag-exemption", what=self.say(self.table.exemptions[name].text))
        elif one.flag in self.table.flags:
            text = self.t("manual.flag-own", what=self.say(self.table.flags[one.flag]))
        else:
            text = self.t(f"manual.flag-{one.flag}")
        return self.t("manual.flag-about", what=text) if one.about else text

    def role(self, name: str) -> str:
        """Who works there."""
        desk = self.table.desk.get(name)
        return str(desk[self.language]) if desk else self.t(f"role.{name}")

    def hours(self, since: int, until: int, every: str) -> str:
        """Hours of the day, and on which days."""
        return self.t(f"desk.every-{every}", since=clock(since), until=clock(until))

    def effect(self, one: Effect) -> str:
        """What happens, as a customer reads it."""
        what = self.t("manual.everything") if EVERYTHING in one.operations else self.names((*one.operations, *one.items))
        name = "ask-first" if one.first else one.kind
        return self.t(f"help.{name}", what=what, first=self.item(one.first) if one.first else "")

    def happened(self, found: Outcome) -> str:
        """All that happened, as a customer reads it."""
        return self.pick("", " ").join(self.effect(one) for one in found.effects)

    def takes(self, path: ReleasePath) -> str:
        """What a way back takes: days for paper, hours where somebody must be there. Never how long a lock stands (D1)."""
        told = []
        if path.kind is PathKind.FORM:
            told.append(self.t("manual.takes-days", n=-(-path.takes_s // 86_400)))
        if path.kind is PathKind.DESK and path.opens_s is not None:
            told.append(self.hours(*path.opens_s, path.every))
        return self.join(told)

    def needs(self, path: ReleasePath) -> list[str]:
        """What must be at hand."""
        return [self.t("manual.or").join(self.thing(name) for name in names) for names in path.cases[-1].needs] if path.cases else []

    def not_to_say(self, row: Row) -> list[str]:
        """What staff do not say about an entry, whoever asks."""
        kind = self.table.items[row.item].kind
        told = [self.say(row.not_say)] if row.not_say else []
        told.append(self.t("notsay.figures"))
        told += [self.t("notsay.half")] if kind is ItemKind.PAIR else []
        told += [self.t("notsay.known")] if kind in NAMES_SOMEBODY else []
        told += [self.t("notsay.code")] if kind in SENT else []
        return told

    def costs(self, stage: Stage) -> str:
        """Everything that a stage does, as staff read it."""
        return self.join(self.penalty(one) for one in stage.penalties)

    def costs_told(self, stage: Stage) -> str:
        """The same without any length: of a lock that ends by itself, only that it does."""
        return self.join(
            self.penalty(msgspec.structs.replace(one, for_s=None)) + (self.t("manual.for-a-while") if one.for_s is not None else "")
            for one in stage.penalties)

    def after(self, stage: Stage) -> str:
        """What a count is after a lock that ended by itself; nothing where no lock does."""
        return self.t(f"manual.after-{stage.after_lock}") if any(one.for_s is not None for one in stage.penalties) else ""

    def shared(self, rows: Iterable[Row]) -> str:
        """That wrong entries of several rows are one count."""
        named = dict.fromkeys(self.t("manual.at", operation=self.operation_name(row.operation), item=self.item(row.item), row=row.id) for row in rows)
        return self.t("manual.count-shared", rows=self.join(named))

    def carried_out(self, path: ReleasePath) -> str:
        """Who carries out a way back, when, and how long it takes."""
        told = [self.t(f"path.{path.kind}")]
        if path.roles:
            told.append(self.join(self.role(role) for role in path.roles))
        if path.second_person:
            told.append(self.t("manual.second-person"))
        if path.opens_s is not None:
            told.append(self.hours(*path.opens_s, path.every))
        if path.kind is PathKind.FORM:
            told.append(self.takes(path))
        return self.t("manual.parts").join(told)

    def opens(self, path: ReleasePath) -> str:
        """What a way back opens again."""
        return self.join(dict.fromkeys(self._opened(name) for case in path.cases for name in case.opens))

    def _opened(self, name: str) -> str:
        return self.t(f"manual.{'everything' if name == EVERYTHING else name}") if name in {EVERYTHING, "suspension"} else self.thing(name)

    def gives(self, path: ReleasePath) -> str:
        """What the customer has after it."""
        return self.join(dict.fromkeys(self.thing(name) for case in path.cases for name in case.gives))

    def by_letter(self, path: ReleasePath) -> str:
        """What of it goes by letter to whoever writes, and how long that is good for: that of the post may be told (D1)."""
        given = dict.fromkeys(name for case in path.cases for name in case.gives)
        posted = [self.table.items[name] for name in given if name in self.table.items]
        told = [(self.say(item.text), self.length(item.by_letter_s)) for item in posted if item.by_letter_s is not None]
        return self.pick("", " ").join(self.t("manual.by-letter", what=what, length=length) for what, length in told)

    def may(self, acts: Iterable[str]) -> str:
        """What a desk may do."""
        return self.join(self.t(f"manual.may-{act}") for act in acts)

    def plan(self, plan: Plan | None) -> str:
        """A way out as the check has found it."""
        if plan is None:
            return self.t("way.none")
        steps = [self.t("manual.wait", length=self.length(int(name.split()[1]))) if name.startswith("wait ") else self.way_of(name)
                 if name in self.table.paths else name for name in plan.path]
        lasts = self.length(plan.shortest_s) if plan.longest_s else ""
        if plan.longest_s > plan.shortest_s:
            lasts += f" – {self.length(plan.longest_s)}"
        return self.t("manual.then").join(steps or [self.t("way.otherwise")]) + f" ({self.join(filter(None, (self.t(f'way.{plan.kind}'), lasts)))})"

    def most(self, guesses: int | None) -> str:
        """A number of guesses."""
        return self.t("check.unbounded") if guesses is None else f"{guesses:,}"

    def by_item(self, section: Section) -> list[list[Entry]]:
        """An operation's entries, those of one item together."""
        found: dict[str, list[Entry]] = {}
        for entry in section.entries:
            found.setdefault(entry.row.item, []).append(entry)
        return list(found.values())

    def for_customers(self, path: ReleasePath) -> bool:
        """Whether a way back is one that customers walk or ask for; ending a watch over the whole bank is not."""
        ends_watch = any(
            path.name in stage.undo for counter in self.table.counters.values() if counter.reach is Reach.BANK for stage in counter.stages)
        return path.kind is not PathKind.DESK or not ends_watch

    def theirs(self, row: Row) -> list[Outcome]:
        """What may come of wrong entries of a row, as a customer is told it: what has the same ways back is told together."""
        by_undo: dict[tuple[str, ...], set[Effect]] = {}
        for found in outcomes(stages_of(row)):
            undo = tuple(name for name in found.undo if self.for_customers(self.table.paths[name]))
            by_undo.setdefault(undo, set()).update(found.effects)
        told = [Outcome(_without_less(effects), undo) for undo, effects in by_undo.items()]
        return sorted(told, key=lambda one: ([_gravity(effect) for effect in one.effects], one.undo))

    def way_of(self, name: str) -> str:
        """One way back."""
        return self.say(self.table.paths[name].text)

    def to_say(self, found: Outcome) -> str:
        """The sentence to say to somebody it has happened to."""
        ways = self.t("manual.or-else").join(self.t("say.way", way=self.way_of(name)) for name in found.undo)
        return self.t("say.sentence", happened=self.happened(found), ways=ways)

    def to_say_of(self, reason: str, found: Outcome) -> str:
        """The sentence to say where it was no wrong entry: `stop`, `suspension` or `abolished` says what it was."""
        ways = self.t("manual.or-else").join(self.t("say.way", way=self.way_of(name)) for name in found.undo)
        return self.t(f"say.{reason}", happened=self.happened(found), ways=ways)


def closed(penalties: Iterable[Penalty], undo: tuple[str, ...]) -> Outcome:
    """What stands on a customer that no wrong entry has brought about."""
    return Outcome(effects(penalties), undo)


def clock(second: int) -> str:
    """A time of the day."""
    return f"{second // 3600:02}:{second % 3600 // 60:02}"
