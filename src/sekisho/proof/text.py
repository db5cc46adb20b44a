"""The report as text: findings first, then how much can be guessed, then the ways out."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator, Sequence

from sekisho.catalogue import say
from sekisho.core.stop import ROW as STOP_ROW
from sekisho.policy.table import Counter, Gauge, Table
from sekisho.policy.text import Printer, length
from sekisho.proof.chances import chance
from sekisho.proof.check import Finding, Report, picked, state_name
from sekisho.proof.diff import Change
from sekisho.proof.guesses import Bound
from sekisho.proof.ways import NONE, Plan, State, mark


def told(report: Report, language: str = "en", *, findings_only: bool = False) -> str:
    """All that `sekisho policy check` prints."""
    lines = [*_findings(report, language)]
    if not findings_only:
        lines += ["", *_bounds(report, language), "", *_ways(report, language)]
    return "\n".join([*lines, "", say(language, "check.accepted" if report.accepted else "check.refused", policy=report.policy)]) + "\n"


def told_changes(found: Sequence[Change], language: str = "en") -> str:
    """All that `sekisho policy diff` prints."""
    if not found:
        return say(language, "diff.same") + "\n"
    rows = [
        [say(language, f"diff.{one.way.value}"), say(language, f"diff.{one.what}"), one.name, one.before or "-", "→", one.after or "-"]
        for one in found]
    return "\n".join(aligned(rows)) + "\n"


def _findings(report: Report, language: str) -> Iterator[str]:
    for one in sorted(report.findings, key=lambda finding: (not finding.refuses, finding.waived is not None)):
        yield _finding(one, language)


def _finding(one: Finding, language: str) -> str:
    severity = "waived" if one.waived is not None else one.severity.value
    accepted = "" if one.waived is None else "\n    " + say(language, "check.waived", reason=picked(one.waived, language))
    return f"{one.where}: {say(language, f'severity.{severity}')}: {picked(one.text, language)} [{one.code.value}]{accepted}"


def _bounds(report: Report, language: str) -> Iterator[str]:
    yield say(language, "check.bounds")
    rows = [[say(language, f"column.{name}") for name in ("item", "attacker", "day", "year", "release", "chance", "million")]]
    rows += [_bound(one, report, language) for one in report.bounds]
    yield from aligned(rows)
    repeated = [one.item for one in report.bounds if one.attacker == "free" and report.table.items[one.item].repeats is not None]
    if repeated:
        yield say(language, "check.repeats", items=", ".join(repeated))


def _bound(one: Bound, report: Report, language: str) -> list[str]:
    found = chance(report.table, one)
    figure = "" if found.per_year is None else f"{found.per_year:.2g}"
    victims = "" if found.victims is None else f"{found.victims:,.3g}" if found.victims < 1_000 else f"{found.victims:,.0f}"
    return [one.item, say(language, f"attacker.{one.attacker}"), _count(one.per_day, language),
            ("" if one.exact else "≤ ") + _count(one.per_year, language), f"{one.per_release:,}", figure, victims]


def _count(guesses: int | None, language: str) -> str:
    return say(language, "check.unbounded") if guesses is None else f"{guesses:,}"


def _ways(report: Report, language: str) -> Iterator[str]:
    yield say(language, "check.ways")
    rows = [[say(language, f"column.{name}") for name in ("state", "rest", "attack")]]
    names = Tally(one.state.name for one in report.ways_out)
    rows += [
        [state(one.state, report.table, language, alone=names[one.state.name] == 1), _plan(one.at_rest, language), _plan(one.under_attack, language)]
        for one in report.ways_out
    ]
    yield from aligned(rows)


def state(one: State, table: Table, language: str, *, alone: bool) -> str:
    """A state with what it is, in one language.

    Args:
        one: the state.
        table: the policy it is in.
        language: `ja` or `en`.
        alone: no other state shown beside it has its name. Of several stages of one row it is also said at which count each falls.

    """
    name = state_name(one, table, language)
    if one.lost:
        return name
    lock = next(lock for key, lock in one.board.locks() if mark(key, lock) in one.targets)
    counter = table.counters.get(lock.counter or "")
    what = say(language, "state.of", state=name, what=_left_by(one, table, language) if counter is None else _entries(counter, table, language))
    if alone or counter is None:
        return what
    return f"{what}, {Printer(table, 'ja' if language == 'ja' else 'en').count(Gauge(counter, about=False), lock.wrong)}"


def _left_by(one: State, table: Table, language: str) -> str:
    """What has set a lock that no wrong entries have."""
    if one.name == STOP_ROW:
        return say(language, "state.stop")
    return picked((table.abolished.get(one.name) or table.operations[one.name]).text, language)


def _entries(counter: Counter, table: Table, language: str) -> str:
    """The items whose wrong entries come on a count."""
    rows = [row for one in table.operations.values() for variants in one.rows.values() for row in variants]
    whole = counter.base or counter.name
    found = dict.fromkeys(row.item for row in rows if any(gauge.counter.name == whole for gauge in row.gauges))
    return " / ".join(picked(table.items[item].text, language) for item in found)


def _plan(plan: Plan | None, language: str) -> str:
    if plan is None:
        return say(language, f"way.{NONE}")
    names = [step(name, language) for name in plan.path] or [say(language, "way.otherwise")]
    lasts = "" if not plan.longest_s else f", {length(plan.shortest_s, language)}"
    if plan.longest_s > plan.shortest_s:
        lasts += f" – {length(plan.longest_s, language)}"
    return f"{' + '.join(names)} ({say(language, f'way.{plan.kind}')}{lasts})"


def step(name: str, language: str) -> str:
    """A way back by its name in the policy; time that must pass, in a unit that can be read."""
    word, _, seconds = name.partition(" ")
    return say(language, "manual.wait", length=length(int(seconds), language)) if seconds and word == "wait" else name


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of cells as lines whose columns stand under one another."""
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()


def _width(text: str) -> int:
    """Columns on a screen: Japanese signs take two."""
    return sum(2 if ord(sign) > 0x2E7F else 1 for sign in text)
