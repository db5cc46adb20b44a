"""What became of customers in trouble, in words and as plots over the hours of the week."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sekisho import templates
from sekisho.catalogue import say
from sekisho.lab.recovery import HOUR_S, Back
from sekisho.policy.table import Table
from sekisho.policy.text import length
from sekisho.proof.check import picked
from sekisho.proof.text import aligned, state, step
from sekisho.proof.ways import KINDS, WEEK_S

HALF, MOST = 0.5, 0.9
COLUMNS = ("state", "who", "way", "half", "most", "worst", "engine")

WIDTH, HEIGHT, LEFT, TOP = 860, 150, 70, 12
"""Pixels of a plot: its field, and the room for its scale."""

TICKS = 4
DAY_S = 86_400


class Plot(NamedTuple):
    """One trouble's plot: time back in over the second of the week at which a customer sets out."""

    name: str
    way: str
    line: str
    """What is proved, as the points of a line."""
    dots: list[tuple[float, float]]
    """Those who were played."""
    scale: list[tuple[float, str]]


def told_recovery(table: Table, policy: str, backs: Sequence[Back], language: str, *, attacked: bool) -> str:
    """One line for each trouble, the quickest way first, and whether the engine let everybody go it."""
    lines = [_title(policy, language, attacked=attacked), say(language, "recovery.assumption")]
    return "\n".join([*lines, *aligned([_head(language), *_rows(table, backs, language)])]) + "\n"


def recovery_page(table: Table, policy: str, backs: Sequence[Back], language: str, *, attacked: bool) -> str:
    """The same as a page, whole in one file, with a plot for each trouble from which the way back depends on the hour."""
    names = _names(table, backs, language)
    plots = [_plot(table, one, name, language) for one, name in zip(backs, names, strict=True) if len(set(one.proved_s)) > 1]
    return templates.render(
        Path(__file__).parent / "templates", "recovery.html", language=language, t=partial(say, language), plots=plots, head=_head(language),
        title=_title(policy, language, attacked=attacked), rows=_rows(table, backs, language), width=WIDTH, height=HEIGHT, left=LEFT, top=TOP,
        days=[(LEFT + day * WIDTH / 7, say(language, f"recovery.day-{day}")) for day in range(7)])


def as_json(backs: Sequence[Back]) -> list[dict[str, object]]:
    """All of it, for programs: times in seconds, those of the week from Monday, midnight."""
    return [
        {
            "state": one.state.name, "kind": one.kind, "path": [] if one.plan is None else one.plan.path, "as_proved": one.as_proved,
            "half_s": one.within(HALF), "most_s": one.within(MOST), "worst_s": None if one.plan is None else one.plan.longest_s,
            "by_hour_s": one.proved_s, "played": [each._asdict() for each in one.tried],
        } for one in backs
    ]


def _title(policy: str, language: str, *, attacked: bool) -> str:
    return say(language, "recovery.title-attacked" if attacked else "recovery.title", policy=policy)


def _head(language: str) -> list[str]:
    return [say(language, f"recovery.{name}") for name in COLUMNS]


def _names(table: Table, backs: Sequence[Back], language: str) -> list[str]:
    """The troubles as `sekisho policy check` calls them, so that a line here can be found there."""
    rows = Counter(one.state.name for one in backs)
    return [state(one.state, table, language, alone=rows[one.state.name] == 1) for one in backs]


def _rows(table: Table, backs: Sequence[Back], language: str) -> list[list[str]]:
    named = zip(backs, _names(table, backs, language), strict=True)
    in_order = sorted(named, key=lambda one: (KINDS.index(one[0].kind), one[0].within(HALF) or 0))
    return [_row(table, one, name, language) for one, name in in_order]


def _row(table: Table, one: Back, name: str, language: str) -> list[str]:
    worst = None if one.plan is None else one.plan.longest_s
    seen = "recovery.none" if one.plan is None else "recovery.as-proved" if one.as_proved else "recovery.not-so"
    return [
        name, say(language, f"way.{one.kind}"), _way(table, one, language),
        *(_time(seconds, language) for seconds in (one.within(HALF), one.within(MOST), worst)), say(language, seen),
    ]


def _way(table: Table, one: Back, language: str) -> str:
    if one.plan is None:
        return "-"
    return " + ".join(_part(table, name, language) for name in one.plan.path) or say(language, "way.otherwise")


def _part(table: Table, name: str, language: str) -> str:
    """A step of a way back as the policy words it."""
    return picked(table.paths[name].text, language) if name in table.paths else step(name, language)


def _time(seconds: int | None, language: str) -> str:
    """As people tell it: minutes up to two hours, then hours, then days."""
    if seconds is None:
        return "-"
    if seconds == 0:
        return say(language, "recovery.at-once")
    unit = 60 if seconds < 2 * HOUR_S else HOUR_S
    return length(-(-seconds // unit) * unit, language)


def _plot(table: Table, one: Back, name: str, language: str) -> Plot:
    top_s = max([*one.proved_s, *(each.took_s or 0 for each in one.tried)])

    def at(begun_s: int, took_s: int) -> tuple[float, float]:
        return round(LEFT + begun_s / WEEK_S * WIDTH, 1), round(TOP + (1 - took_s / top_s) * HEIGHT, 1)

    line = " ".join("{},{}".format(*at(hour * HOUR_S, took_s)) for hour, took_s in enumerate(one.proved_s))
    dots = [at(each.begun_s, each.took_s) for each in one.tried if each.took_s is not None]
    scale = [(at(0, top_s * part // TICKS)[1], _time(top_s * part // TICKS, language)) for part in range(TICKS + 1)]
    return Plot(name, _way(table, one, language), line, dots, scale)


__all__ = ["as_json", "recovery_page", "told_recovery"]
