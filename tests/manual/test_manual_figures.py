"""The diagrams on paper: every word of what is on the page, on drawings that fit one, told apart by lines and not by colour."""

import re
from functools import cache
from html import unescape

import pytest
from reportlab.graphics.shapes import Path, Rect, String

from sekisho.manual import Audience, articles, diagrams
from sekisho.manual.figures import figures
from sekisho.manual.pdf import HIGH, WIDE
from sekisho.policy import compile_policy, load, reference

BANKS = ("postal-bank", "major-bank")


@cache
def drawn(bank):
    """Every diagram of a bank's articles, as SVG."""
    made = []
    for one in articles(compile_policy(load(reference(bank)))):
        staff = one.audience is Audience.STAFF
        made += [diagrams.operation(one.words, section, figures=staff) for section in one.book.sections]
        made += [diagrams.ways(one.words), diagrams.hours(one.words)] if staff else []
    return made


def shapes(drawing, kind):
    return [shape for group in drawing.contents for shape in group.contents if isinstance(shape, kind)]


@pytest.mark.parametrize("bank", BANKS)
def test_every_word_and_every_box_is_on_paper_once_and_no_drawing_is_longer_than_a_page(bank):
    for svg in drawn(bank):
        made = figures(svg, "Helvetica", WIDE, HIGH)
        words = [unescape(word) for word in re.findall(r"<t(?:span|ext)[^>]*>([^<]+)</t", svg)]
        assert sorted(one.text for drawing in made for one in shapes(drawing, String)) == sorted(words)
        assert sum(len(shapes(drawing, Rect)) for drawing in made) == svg.count("<rect")
        assert all(drawing.height <= HIGH + 1 for drawing in made)


def test_a_long_diagram_is_cut_through_no_box():
    svg = max(drawn("postal-bank"), key=len)
    made = figures(svg, "Helvetica", WIDE, 200)
    assert len(made) > 4
    for drawing in made:
        scale, rise = drawing.contents[0].transform[3], drawing.contents[0].transform[5]
        assert all(rise + box.y * scale > -2 for box in shapes(drawing, Rect))


def test_who_is_needed_for_a_way_back_is_told_by_its_line():
    svg = next(one for one in drawn("postal-bank") if "stroke-dasharray" in one)
    dashes = {tuple(line.strokeDashArray or ()) for drawing in figures(svg, "Helvetica", WIDE, HIGH) for line in shapes(drawing, Path)}
    assert dashes == {tuple(float(one) for one in kind.split()) for kind in diagrams.DASHES.values()}
