"""A letter as the printer gets it: one PDF on A4, made by a machine and read by the customer alone.

Its Japanese type is one of those that every PDF reader of the trade has under its name (Adobe-Japan1), so none is embedded and a letter
is a few kilobytes. The same letter made twice is the same file.
"""

from __future__ import annotations

import io
from xml.sax.saxutils import escape

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

from sekisho.ports import Message

TYPE = "HeiseiKakuGo-W5"

registerFont(UnicodeCIDFont(TYPE))

_REFERENCE = ParagraphStyle("reference", fontName=TYPE, fontSize=9, leading=13, wordWrap="CJK")
_HEADING = ParagraphStyle("heading", fontName=TYPE, fontSize=15, leading=22, wordWrap="CJK", spaceAfter=6 * mm)
_BODY = ParagraphStyle("body", fontName=TYPE, fontSize=12, leading=20, wordWrap="CJK", spaceAfter=2 * mm)
_WORDS = ParagraphStyle("words", parent=_BODY, wordWrap=None)
"""Where lines end between words, not between letters."""
_BROUGHT = ParagraphStyle("brought", fontName=TYPE, fontSize=18, leading=28, wordWrap="CJK", leftIndent=10 * mm, spaceAfter=2 * mm)
"""A line that is set in: what the letter brings, to be typed as it stands."""


def sheet(message: Message) -> bytes:
    """The letter as a file.

    Above stands whose it is, for the printing house that knows where he lives. Nothing of what the letter brings stands in the
    description of the file.
    """
    written = io.BytesIO()
    paper = SimpleDocTemplate(
        written, pagesize=A4, leftMargin=25 * mm, rightMargin=25 * mm, topMargin=30 * mm, bottomMargin=25 * mm, title=message.subject,
        author="", subject="", creator="", keywords=[], lang=message.language, invariant=1,
    )
    lines = [Paragraph(escape(line.strip()) or "&nbsp;", _style(line)) for line in message.body.splitlines()]
    paper.build([Paragraph(escape(message.to), _REFERENCE), Spacer(1, 25 * mm), Paragraph(escape(message.subject), _HEADING), *lines])
    return written.getvalue()


def _style(line: str) -> ParagraphStyle:
    if line.startswith(" "):
        return _BROUGHT
    return _WORDS if line.isascii() else _BODY
