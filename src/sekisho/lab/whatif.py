"""Two policies side by side: what each gives away, whom it locks out, and what that costs the desk, each figure with its formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from sekisho.catalogue import say
from sekisho.lab.honest import DAYS, in_a_row, in_all
from sekisho.policy.table import EACH, UNKNOWN, Counter, Gauge, Item, Operation, Stage, Table
from sekisho.proof.chances import MILLION, chance
from sekisho.proof.check import Report
from sekisho.proof.guesses import LASTING, UNBOUNDED, YEAR_S, Bound
from sekisho.proof.seats import PERSONAL, seats
from sekisho.proof.ways import DESK, NONE, PAPER
from sekisho.terms import Counting, ItemKind

YEAR_DAYS = 365

TYPED = frozenset({
    ItemKind.PASSWORD, ItemKind.PIN, ItemKind.PASSCODE, ItemKind.KNOWLEDGE, ItemKind.TOTP, ItemKind.OCRA, ItemKind.CODE, ItemKind.CONFIRMATION,
})
"""Kinds that a customer types, and mistypes."""

HELPED = frozenset({DESK, PAPER, NONE})
"""Ways out that begin with a call."""

SECTIONS = ("guesses-free", "guesses-waiting", "chance", "victims", "victims-ceiling", "locked-out", "calls")
"""What is compared, in order. Each has its heading, formula and assumption in the catalogues under `whatif.`."""


class Figure(NamedTuple):
    """One figure of one policy."""

    value: float | None
    """None: without end."""
    trace: tuple[str, ...] = ()
    """What it follows from: moves of a proof, or the rows and stages it was counted by."""


class Line(NamedTuple):
    """One item, or `all`, in both policies; None: that policy does not have it, or nobody knows the figure."""

    name: str
    a: Figure | None
    b: Figure | None


class Section(NamedTuple):
    """One kind of figures."""

    name: str
    lines: list[Line]


def whatif(a: Report, b: Report) -> list[Section]:
    """Every figure of both."""
    sides = [dict(_sections(report)) for report in (a, b)]
    return [Section(name, list(_lines(sides[0][name], sides[1][name]))) for name in SECTIONS]


def _lines(a: dict[str, Figure], b: dict[str, Figure]) -> Iterator[Line]:
    for name in dict.fromkeys([*a, *b]):
        yield Line(name, a.get(name), b.get(name))


def _sections(report: Report) -> Iterator[tuple[str, dict[str, Figure]]]:
    for attacker in ("free", "waiting"):
        yield f"guesses-{attacker}", {one.item: Figure(one.per_year, one.trace) for one in report.bounds if one.attacker == attacker}
    free = [one for one in report.bounds if one.attacker == "free"]
    yield "chance", dict(_chances(report.table, (one for one in report.bounds if one.attacker == "waiting"), 1))
    yield "victims", dict(_chances(report.table, free, MILLION))
    yield "victims-ceiling", dict(_under_ceilings(report.table, free))
    yield "locked-out", dict(_locked_out(report.table))
    yield "calls", {"all": _calls(report)}


# What an attacker gets.


def _chances(table: Table, found: Iterable[Bound], times: int) -> Iterator[tuple[str, Figure]]:
    for one in found:
        told = chance(table, one)
        if told.per_year is not None:
            yield one.item, Figure(told.per_year * times, (f"{_told(one.per_year)} x {told.by}",))


def _told(guesses: int | None) -> str:
    return UNBOUNDED if guesses is None else f"{guesses:,}"


def _under_ceilings(table: Table, found: Iterable[Bound]) -> Iterator[tuple[str, Figure]]:
    """Whoever spreads the bank's guesses of a year over as many customers as he can, one each."""
    for one in found:
        all_year = _a_year_of_the_bank(table, one.item)
        alone, first = chance(table, one).per_year, chance(table, msgspec.structs.replace(one, per_year=1)).per_year
        if alone is None or first is None:
            continue
        if all_year is None:
            yield one.item, Figure(alone * MILLION, ("no ceiling counts every operation that tests it",))
        else:
            guesses, trace = all_year
            yield one.item, Figure(min(alone * MILLION, guesses * first), (f"{guesses:,} x {first:.2g}", *trace))


def _a_year_of_the_bank(table: Table, item: str) -> tuple[int, tuple[str, ...]] | None:
    """The most wrong entries in a year before unknown devices are asked for more; None: some operation has no ceiling."""
    ways = {frozenset(counter.name for counter in table.bank.get(f"{seat.operation}/{item}", ())) for seat in seats(table, item)}
    if not ways or frozenset() in ways:
        return None
    counters = [table.counters[name] for name in sorted(frozenset().union(*ways))]
    figures = [(_a_year(counter), counter) for counter in counters]
    told = (f"{counter.name}: {counter.stages[-1].wrong:,}, {figure:,} a year" for figure, counter in figures)
    return sum(figure for figure, _ in figures), tuple(told)


def _a_year(counter: Counter) -> int:
    """What a count of the bank lets pass in a year: its last stage, each time it begins anew."""
    last = counter.stages[-1]
    ends = [penalty.for_s for penalty in last.penalties if penalty.for_s is not None]
    period = min(ends) if ends and last.after_lock == "zero" else counter.window_s
    return last.wrong * (YEAR_S // period + 1 if period else 1)


# Whom it locks out.


class _Fall(NamedTuple):
    """One stage that locks, reached by mistyping."""

    stage: Stage
    counter: Counter
    chance: Callable[[float], float]
    """That an honest customer comes to it in so many days."""


def _falls(table: Table, item: Item) -> Iterator[_Fall]:
    """The lowest stage that locks, of each count that entries of an item fill."""
    everyday = [seat for seat in seats(table, item.name) if _is_everyday(table.operations[seat.operation])]
    touched = [_as_known(gauge) for seat in everyday for gauge in seat.row.gauges if gauge.counter.reach in PERSONAL and gauge.devices != UNKNOWN]
    for counter in {counter.name: counter for counter in touched}.values():
        stage = next((one for one in counter.stages if any(penalty.kind in LASTING for penalty in one.penalties)), None)
        if stage is not None:
            yield _Fall(stage, counter, _comes_to(counter, stage.wrong))


def _is_everyday(operation: Operation) -> bool:
    """Whether it is no way back and no application: what customers do when all is well."""
    return operation.path is None and (operation.session or operation.gives_session)


def _as_known(gauge: Gauge) -> Counter:
    """What an entry from a device that is known fills: customers mistype on their own."""
    return gauge.counter.shares[0] if gauge.devices == EACH and gauge.counter.shares else gauge.counter


def _comes_to(counter: Counter, wrong: int) -> Callable[[float], float]:
    if counter.counting is Counting.IN_A_ROW:
        return lambda days: in_a_row(wrong, days=days)
    window_days = math.inf if counter.window_s is None else counter.window_s / 86_400
    return lambda days: in_all(wrong, window_days, days=days)


def _locked_out(table: Table) -> Iterator[tuple[str, Figure]]:
    for item in table.items.values():
        falls = list(_falls(table, item)) if item.kind in TYPED else []
        if falls:
            spared = math.prod(1 - fall.chance(DAYS) for fall in falls)
            trace = tuple(f"{fall.stage.row}: {fall.counter.counting} {fall.stage.wrong}, {fall.chance(DAYS):.2g}" for fall in falls)
            yield item.name, Figure(1 - spared, trace)


def _calls(report: Report) -> Figure:
    """Those in a million whom a year's mistyping brings where the way out begins with a call."""
    helped = {
        answer.state.name: answer.at_rest.kind if answer.at_rest else NONE for answer in report.ways_out
        if not answer.state.lost and (answer.at_rest is None or answer.at_rest.kind in HELPED)
    }
    falls = {
        (fall.counter.name, fall.stage.wrong): fall for item in report.table.items.values() if item.kind in TYPED
        for fall in _falls(report.table, item) if helped.keys() & {fall.stage.row, *fall.stage.also}
    }
    each = [(fall, fall.chance(YEAR_DAYS) * MILLION) for fall in falls.values()]
    return Figure(sum(calls for _, calls in each), tuple(f"{fall.stage.row}: {calls:,.3g}" for fall, calls in each))


def as_json(a: Report, b: Report, sections: Iterable[Section], language: str = "en") -> dict[str, Any]:
    """All of it as `sekisho lab whatif --json` prints it."""
    return {
        "a": {"policy": a.policy, "version": a.version}, "b": {"policy": b.policy, "version": b.version},
        "figures": [
            {"what": section.name, "text": say(language, f"whatif.{section.name}"), "formula": say(language, f"whatif.{section.name}-formula"),
             "assumption": say(language, f"whatif.{section.name}-assumption"),
             "lines": [{"name": line.name, "a": _json(line.a), "b": _json(line.b)} for line in section.lines]}
            for section in sections
        ],
    }


def _json(figure: Figure | None) -> dict[str, Any] | None:
    return None if figure is None else {"value": UNBOUNDED if figure.value is None else figure.value, "trace": list(figure.trace)}


__all__ = ["SECTIONS", "Figure", "Line", "Section", "as_json", "whatif"]
