"""The report as text: findings first, then how much can be guessed, then the ways out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sekisho.catalogue import say
from sekisho.policy.text import length
from sekisho.proof.chances import chance
from sekisho.proof.check import Finding, Report, picked, state_name
from sekisho.proof.diff import Change
from sekisho.proof.guesses import Bound
from sekisho.proof.ways import NONE, Plan


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
    rows += [
        [state_name(one.state, report.table, language), _plan(one.at_rest, report, language), _plan(one.under_attack, report, language)]
        for one in report.ways_out
    ]
    yield from aligned(rows)


def _plan(plan: Plan | None, report: Report, language: str) -> str:
    if plan is None:
        return say(language, f"way.{NONE}")
    names = [f"{name}" for name in plan.path] or [say(language, "way.otherwise")]
    lasts = "" if not plan.longest_s else f", {length(plan.shortest_s, language)}"
    if plan.longest_s > plan.shortest_s:
        lasts += f" – {length(plan.longest_s, language)}"
    del report
    return f"{' + '.join(names)} ({say(language, f'way.{plan.kind}')}{lasts})"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of cells as lines whose columns stand under one another."""
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()


def _width(text: str) -> int:
    """Columns on a screen: Japanese signs take two."""
    return sum(2 if ord(sign) > 0x2E7F else 1 for sign in text)
