"""The diagrams on paper: what `diagrams` draws as SVG, as shapes of a PDF. Black on white; nothing is told by colour.

A diagram that is longer than a page is cut between its boxes, so that its letters stay as large as those of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from lxml import etree
from reportlab.graphics.shapes import Drawing, Group, Path, Rect, String
from reportlab.lib.colors import HexColor

from sekisho.manual.diagrams import EM

INK, SOFT, GREY, PAPER = HexColor("#1c2430"), HexColor("#9aa3b0"), HexColor("#e6e9ee"), HexColor("#ffffff")
THICK = 1.3
"""Of a line; as in the style sheet."""

SVG = "{http://www.w3.org/2000/svg}"
_STEP = re.compile(r"([MLVl])([^MLVl]*)")


class Piece(NamedTuple):
    """One shape, and how far down it reaches from where; pixels of the diagram, from its top."""

    top: float
    bottom: float
    shape: Any


def figures(svg: str, font: str, wide: float, high: float) -> list[Drawing]:
    """A diagram as drawings one below the other.

    Args:
        svg: as `diagrams` draws it.
        font: the name of a font that has all its letters.
        wide: how wide it may become, in points.
        high: how high a drawing may become: a page.

    """
    root = etree.fromstring(svg.encode())
    scale = wide / float(root.get("width", "1"))
    pieces = [piece for node in root for piece in _pieces(node, font)]
    cuts = list(_cuts(pieces, float(root.get("height", "0")), high / scale))
    return [_drawing(pieces, top, bottom, wide, scale) for top, bottom in zip([0.0, *cuts[:-1]], cuts, strict=True)]


def _cuts(pieces: Sequence[Piece], end: float, most: float) -> Iterator[float]:
    """Where to cut: as far down as fits, and through no box."""
    top, boxes = 0.0, [one for one in pieces if isinstance(one.shape, Rect)]
    while end - top > most:
        free = [one.bottom for one in boxes if top < one.bottom <= top + most and not any(other.top < one.bottom < other.bottom for other in boxes)]
        top = max(free, default=top + most)
        yield top
    yield end


def _drawing(pieces: Sequence[Piece], top: float, bottom: float, wide: float, scale: float) -> Drawing:
    """What begins between two heights. The library measures upwards from the foot."""
    here = [one.shape for one in pieces if top <= one.top < bottom]
    drawn = Drawing(wide, (bottom - top) * scale)
    drawn.add(Group(*here, transform=(scale, 0, 0, scale, 2 * scale, bottom * scale)))
    return drawn


def _pieces(node: Any, font: str) -> Iterator[Piece]:
    """Shapes of one element, with heights below zero: down is less."""
    if node.tag == f"{SVG}rect":
        x, y, wide, high = (float(node.get(name)) for name in ("x", "y", "width", "height"))
        round_ = min(float(node.get("rx", "0")), high / 2)
        look: dict[str, Any] = {"fillColor": GREY if node.get("class") == "open" else PAPER, "strokeColor": INK, "strokeWidth": THICK}
        yield Piece(y, y + high, Rect(x, -y - high, wide, high, rx=round_, ry=round_, **look))
    elif node.tag == f"{SVG}path":
        yield _line(node)
    elif node.tag == f"{SVG}text":
        for part in node if len(node) else [node]:
            x, y = float(part.get("x")), float(part.get("y"))
            anchor = node.get("text-anchor", "start")
            yield Piece(y - EM, y, String(x, -y, part.text or "", fontName=font, fontSize=EM, fillColor=INK, textAnchor=anchor))


def _line(node: Any) -> Piece:
    look: dict[str, Any] = {"strokeColor": SOFT if node.get("class") == "thin" else INK, "strokeWidth": THICK, "fillColor": None}
    path = Path(strokeDashArray=[float(one) for one in node.get("stroke-dasharray", "").split()], **look)
    x = y = 0.0
    heights = []
    for step, told in _STEP.findall(node.get("d", "")):
        given = [float(one) for one in re.findall(r"-?[\d.]+", told)]
        if step == "V":
            y = given[0]
        elif step == "l":
            # Two strokes of an arrow's head: each from where the last one ended.
            for by_x, by_y in zip(given[::2], given[1::2], strict=True):
                x, y = x + by_x, y + by_y
                path.lineTo(x, -y)
                heights.append(y)
            continue
        else:
            x, y = given
        heights.append(y)
        (path.moveTo if step == "M" else path.lineTo)(x, -y)
    return Piece(min(heights), max(heights), path)
