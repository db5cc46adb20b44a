"""What a new version of a policy loosens, tightens, or leaves newly stuck: in guesses, in thresholds and in ways out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from sekisho.policy.table import Table
from sekisho.proof.check import Report
from sekisho.proof.guesses import MANY, UNBOUNDED, Bound
from sekisho.proof.ways import KINDS, NONE, Answer, Plan


class Way(StrEnum):
    """Which way a change goes."""

    LOOSER = "looser"
    TIGHTER = "tighter"
    STUCK = "newly-stuck"
    OTHER = "other"


class Change(msgspec.Struct, frozen=True):
    """One difference."""

    way: Way
    what: str
    """`guesses`, `row`, `stage`, `way-out` or `finding`."""
    name: str
    before: str
    after: str


def changes(old: Report, new: Report) -> list[Change]:
    """All differences that matter, the graver first."""
    found = [*_guesses(old, new), *_stages(old.table, new.table), *_ways(old, new), *_left_over(old.table, new.table), *_findings(old, new)]
    order = list(Way)
    return sorted(found, key=lambda change: order.index(change.way))


def looser(found: list[Change]) -> bool:
    """Whether anything got looser, or leads nowhere now."""
    return any(change.way in {Way.LOOSER, Way.STUCK} for change in found)


def _guesses(old: Report, new: Report) -> Iterator[Change]:
    were = {(one.item, one.attacker): one for one in old.bounds}
    for one in new.bounds:
        before = were.pop((one.item, one.attacker), None)
        name = f"{one.item} ({one.attacker})"
        if before is None:
            yield Change(Way.OTHER, "guesses", name, "", _told(one))
        elif _figures(before) != _figures(one):
            grows = any(now > then for then, now in zip(_figures(before), _figures(one), strict=True))
            yield Change(Way.LOOSER if grows else Way.TIGHTER, "guesses", name, _told(before), _told(one))
    for (item, attacker), before in were.items():
        yield Change(Way.OTHER, "guesses", f"{item} ({attacker})", _told(before), "")


def _figures(bound: Bound) -> tuple[int, int]:
    return MANY if bound.per_day is None else bound.per_day, MANY if bound.per_year is None else bound.per_year


def _told(bound: Bound) -> str:
    day, year = (UNBOUNDED if figure is None else f"{figure:,}" for figure in (bound.per_day, bound.per_year))
    return f"{day}/d {year}/y"


def _stages(old: Table, new: Table) -> Iterator[Change]:
    then, now = _figures_of(old), _figures_of(new)
    for name in sorted(then.keys() | now.keys()):
        before, after = then.get(name, ()), now.get(name, ())
        if before != after:
            way = Way.LOOSER if not after or (before and after[0] > before[0]) else Way.TIGHTER
            yield Change(way, "stage", name, " ".join(map(str, before)), " ".join(map(str, after)))


def _figures_of(table: Table) -> dict[str, tuple[int, ...]]:
    return {name: tuple(stage.wrong for stage in counter.stages) for name, counter in table.counters.items()}


def _ways(old: Report, new: Report) -> Iterator[Change]:
    were = {_name(one): one for one in old.ways_out}
    for one in new.ways_out:
        before = were.get(_name(one))
        if before is None:
            continue
        for when, then, now in (("at rest", before.at_rest, one.at_rest), ("under attack", before.under_attack, one.under_attack)):
            if _rank(then) != _rank(now):
                worse = _rank(now) > _rank(then)
                way = Way.STUCK if now is None else Way.TIGHTER if worse else Way.OTHER
                yield Change(way, "way-out", f"{one.state.name}, {when}", _plan(then), _plan(now))


def _left_over(old: Table, new: Table) -> Iterator[Change]:
    """Locks that stand from before keep the ways back of their day; where the new version has none of them, nothing lifts them."""
    rows = {stage.row: stage.undo for counter in old.counters.values() for stage in counter.stages if stage.undo}
    for row, undo in rows.items():
        if not lifts(new, undo):
            yield Change(Way.STUCK, "way-out", row, " ".join(undo), NONE)


def lifts(table: Table, undo: Iterable[str]) -> bool:
    """Whether a policy has one of the ways back that a lock was given when it fell."""
    return not table.paths.keys().isdisjoint(undo)


def _name(answer: Answer) -> tuple[str, frozenset[object]]:
    return answer.state.name, answer.state.targets


def _rank(plan: Plan | None) -> int:
    return KINDS.index(NONE if plan is None else plan.kind)


def _plan(plan: Plan | None) -> str:
    return NONE if plan is None else f"{plan.kind}: {' + '.join(plan.path)}"


def _findings(old: Report, new: Report) -> Iterator[Change]:
    then = {(one.code.value, one.row or "", one.waived is not None) for one in old.findings}
    now = {(one.code.value, one.row or "", one.waived is not None) for one in new.findings}
    for code, row, waived in sorted(now - then):
        yield Change(Way.LOOSER, "finding", f"{code} {row}".strip(), "", "waived" if waived else "found")
    for code, row, waived in sorted(then - now):
        yield Change(Way.TIGHTER, "finding", f"{code} {row}".strip(), "waived" if waived else "found", "")
