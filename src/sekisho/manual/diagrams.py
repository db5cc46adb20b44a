"""Diagrams drawn from the same table as the text: an operation's steps and what may come of them, the ways back, and the desks' hours.

They are SVG without script, font or colour of their own: lines tell apart by their dashes, boxes by their frames, and every word stands
in the text beside them too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape
from typing import NamedTuple

from sekisho.manual.book import Section
from sekisho.manual.words import Words
from sekisho.policy.table import Step
from sekisho.terms import PathKind

EM, LINE, PAD, GAP = 14.0, 20.0, 10.0, 22.0
"""Size of the letters, height of a line, room inside a box, room between boxes. Pixels."""

BOX, WIDE = 260.0, 420.0
"""Widths of a step's box and of the box beside it."""

DASHES = {"self": "", "device": "2 3", "desk": "9 4", "paper": "9 3 2 3", "none": "1 5"}
"""How a line is drawn, by who is needed for a way back."""

DAY_S = 86_400


class Drawn(NamedTuple):
    """A piece of a drawing, and how far down it reaches."""

    svg: str
    bottom: float


def width(text: str) -> float:
    """About how wide a text is, in letters: Japanese signs take one, others a little over half."""
    return 0.56 * len(text) if text.isascii() else sum(1.0 if unicodedata.east_asian_width(sign) in "WFA" else 0.56 for sign in text)


@lru_cache(maxsize=4_096)
def lines(text: str, room: float) -> tuple[str, ...]:
    """A text in lines no wider than `room` letters, broken at spaces where there are any."""
    found, line, wide = [], "", 0.0
    for piece in _pieces(text):
        more = width(piece)
        if line and wide + more > room:
            found.append(line.strip())
            line, wide = "", 0.0
        line, wide = line + piece, wide + more
    return (*found, line.strip()) if line.strip() else tuple(found)


def _pieces(text: str) -> Iterable[str]:
    """What is not to be torn apart: words of Latin letters with the space after them, single Japanese signs."""
    word = ""
    for sign in text:
        if sign != " " and unicodedata.east_asian_width(sign) not in "WF":
            word += sign
            continue
        if word:
            yield word
        word = ""
        yield sign
    if word:
        yield word


def operation(words: Words, section: Section, *, figures: bool) -> str:
    """The states of one operation: its steps from top to bottom, and beside each what too many wrong entries bring about.

    Args:
        words: the policy in one language.
        section: the operation.
        figures: whether counts are drawn, for staff.

    """
    top, parts = GAP, []
    for step in section.operation.steps:
        texts = [words.t("manual.or").join(words.item(name) for name in step.items), *words.when(step.when)]
        left = _box(0, top, BOX, texts)
        right, middles = _stack(BOX + 3 * GAP, top, _step_ends(words, section, step, figures=figures))
        parts += [left.svg, right.svg, *_branches(BOX, BOX + 3 * GAP, middles)]
        bottom = max(left.bottom, right.bottom) + GAP
        parts.append(_arrow(BOX / 2, left.bottom, BOX / 2, bottom))
        top = bottom
    done = _box(0, top, BOX, [words.t("manual.done")], round_=True)
    title = words.t("manual.diagram-operation", operation=words.say(section.operation.text))
    return _drawing([*parts, done.svg], BOX + 3 * GAP + WIDE, done.bottom + GAP, title)


def _step_ends(words: Words, section: Section, step: Step, *, figures: bool) -> list[list[str]]:
    """What may come of a step, as texts of boxes; each once, whichever of its items leads there."""
    found: dict[tuple[str, str], list[str]] = {}
    for entry in section.entries:
        if entry.row.item not in step.items:
            continue
        if figures:
            told = [(words.costs(count.stage), count.stage.undo,
                     words.figure(count.gauge, count.stage.wrong)) for count in entry.counts]
        else:
            told = [(words.happened(one), one.undo, "") for one in words.theirs(entry.row)]
        for text, undo, figure in told:
            ways = words.t("manual.or-else").join(words.way_of(name) for name in undo)
            about = figure if len(step.items) == 1 else words.join(part for part in (words.item(entry.row.item), figure) if part)
            said = found.setdefault((text, ways), [])
            if about and about not in said:
                said.append(about)
    return [[*about, text, f"→ {ways}"] for (text, ways), about in found.items()]


def ways(words: Words) -> str:
    """Every way back and what it opens; the line tells who is needed for it."""
    top, parts = GAP, []
    for path in words.table.paths.values():
        if path.kind in {PathKind.START_OVER, PathKind.WAIT}:
            continue
        nothing = words.t("manual.around" if path.around else "manual.device-itself")
        opens = words.join(filter(None, (words.opens(path), words.gives(path)))) or nothing
        who = words.t(f"manual.who-{_who(path.kind)}")
        left, right = _box(0, top, BOX + 60, [words.say(path.text), f"({who})"]), _box(BOX + 60 + 3 * GAP, top, WIDE - 60, [opens])
        parts += [left.svg, right.svg, _arrow(BOX + 60, top + PAD + LINE / 2, BOX + 60 + 3 * GAP, top + PAD + LINE / 2, DASHES[_who(path.kind)])]
        top = max(left.bottom, right.bottom) + GAP / 2
    return _drawing(parts, BOX + 3 * GAP + WIDE, top + GAP / 2, words.t("manual.diagram-ways"))


def _who(kind: PathKind) -> str:
    return {PathKind.DESK: "desk", PathKind.FORM: "paper", PathKind.NONE: "none", PathKind.DEVICE: "device"}.get(kind, "self")


def hours(words: Words) -> str:
    """Who is there when: a day from midnight to midnight for each desk."""
    left, scale, top, parts = 150.0, 560.0 / DAY_S, GAP + LINE, []
    for hour in range(0, 25, 3):
        at = left + hour * 3600 * scale
        parts.append(f'<text x="{at:.0f}" y="{GAP:.0f}" text-anchor="middle">{hour}</text>')
        parts.append(f'<path d="M{at:.0f} {GAP + 6:.0f}V{top + len(words.table.desk) * 2 * LINE:.0f}" class="thin"/>')
    for role, desk in words.table.desk.items():
        since, until = desk["open_s"]
        name = _text(0, top + LINE, lines(words.role(role), (left - PAD) / EM)[:1])
        bar = f'<rect x="{left + since * scale:.1f}" y="{top + 4:.0f}" width="{(until - since) * scale:.1f}" height="{LINE + 4:.0f}" class="open"/>'
        parts += [name, bar, _text(left + since * scale + 6, top + LINE, [words.hours(since, until, desk["every"])])]
        top += 2 * LINE
    return _drawing(parts, left + DAY_S * scale + GAP, top + GAP, words.t("manual.diagram-hours"))


# Shapes.


def _stack(x: float, top: float, boxes: Sequence[Sequence[str]]) -> tuple[Drawn, list[float]]:
    """Boxes one below the other, and how far down lines to them go in."""
    parts, middles, at = [], [], top
    for texts in boxes:
        drawn = _box(x, at, WIDE, texts)
        parts.append(drawn.svg)
        middles.append(at + PAD + LINE / 2)
        at = drawn.bottom + GAP / 2
    return Drawn("".join(parts), at - GAP / 2 if boxes else top), middles


def _box(x: float, y: float, wide: float, texts: Iterable[str], *, round_: bool = False) -> Drawn:
    told = [line for text in texts for line in lines(text, (wide - 2 * PAD) / EM)]
    high = len(told) * LINE + 2 * PAD
    frame = f'<rect x="{x:.0f}" y="{y:.0f}" width="{wide:.0f}" height="{high:.0f}" rx="{high / 2 if round_ else 4:.0f}"/>'
    return Drawn(frame + _text(x + PAD, y + PAD + EM, told), y + high)


def _text(x: float, y: float, told: Sequence[str]) -> str:
    spans = "".join(f'<tspan x="{x:.0f}" y="{y + number * LINE:.0f}">{escape(line)}</tspan>' for number, line in enumerate(told))
    return f"<text>{spans}</text>"


def _branches(x: float, to_x: float, heights: Sequence[float]) -> Iterable[str]:
    """One line out of a box, and from it an arrow to each of the boxes beside it."""
    between = (x + to_x) / 2
    for number, at in enumerate(heights):
        yield _arrow(between if number else x, at, to_x, at)
    if len(heights) > 1:
        yield f'<path d="M{between:.0f} {heights[0]:.0f}V{heights[-1]:.0f}"/>'


def _arrow(x: float, y: float, to_x: float, to_y: float, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    across = to_x != x
    head = f"M{to_x - 7:.0f} {to_y - 4:.0f}l7 4l-7 4" if across else f"M{to_x - 4:.0f} {to_y - 7:.0f}l4 7l4 -7"
    return f'<path d="M{x:.0f} {y:.0f}L{to_x:.0f} {to_y:.0f}"{dashed}/><path d="{head}"/>'


def _drawing(parts: Iterable[str], wide: float, high: float, title: str) -> str:
    return (f'<svg class="drawing" xmlns="http://www.w3.org/2000/svg" viewBox="-2 0 {wide + 4:.0f} {high:.0f}" width="{wide + 4:.0f}" '
            f'height="{high:.0f}" role="img"><title>{escape(title)}</title>{"".join(parts)}</svg>')
