"""An article as PDF: the same words as on its pages, one after the other, to print and to hand over.

It is drawn from the table and from nothing else, with no time and no chance in it: two policies that differ only in figures give
customers the same bytes (D1). Japanese is set in a font that every reader of PDF brings along, so none is packed into the file.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from sekisho.manual import diagrams
from sekisho.manual.article import Article, Audience
from sekisho.manual.book import INDEX, WAYS, Entry
from sekisho.manual.figures import figures
from sekisho.manual.words import outcomes

FONT = "HeiseiKakuGo-W5"
INK, LINE = HexColor("#1c2430"), HexColor("#9aa3b0")
MARGIN = 18 * mm
WIDE = A4[0] - 2 * MARGIN
HIGH = A4[1] - 2 * MARGIN - 20 * mm
"""Of a diagram: a page, less a heading above it."""

GRID = TableStyle([
    ("GRID", (0, 0), (-1, -1), 0.4, LINE), ("VALIGN", (0, 0), (-1, -1), "TOP"), ("TOPPADDING", (0, 0), (-1, -1), 3),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
])


def pdf(article: Article) -> bytes:
    """The whole article."""
    return _Setter(article).bytes()


class _Setter:
    """Sets one article."""

    def __init__(self, article: Article) -> None:
        if FONT not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(UnicodeCIDFont(FONT))
        self._article, self._words, self._book, self._table = article, article.words, article.book, article.table
        wrap = "CJK" if article.language == "ja" else None
        self._styles = {
            name: ParagraphStyle(
                name, fontName=FONT, fontSize=size, leading=size * 1.6, spaceBefore=before, spaceAfter=3, textColor=INK, wordWrap=wrap,
                keepWithNext=before > 0)
            for name, size, before in (("title", 17, 0), ("head", 13, 12), ("name", 11, 8), ("text", 9.5, 0), ("cell", 8.5, 0))
        }

    def bytes(self) -> bytes:
        """The file."""
        out = io.BytesIO()
        title = self._article.title(INDEX)
        document = SimpleDocTemplate(
            out, pagesize=A4, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN, invariant=1, title=title,
            lang=self._article.language, author="")
        story = self._for_staff() if self._article.audience is Audience.STAFF else self._for_customers()
        document.build([self._set(title, "title"), *story], onFirstPage=_number, onLaterPages=_number)
        return out.getvalue()

    # -- the staff's ---------------------------------------------------------------------------------------------------

    def _for_staff(self) -> Iterator[Flowable]:
        t, w = self._words.t, self._words
        facts = [t("manual.article", number=self._table.article), t("manual.version", version=self._table.version[:12], policy=self._table.name)]
        facts += [t("manual.since", at=self._article.facts.since)] if self._article.facts.since else []
        yield self._set(" · ".join(facts))
        yield self._secret(t("manual.never-figures"))
        for section in self._book.sections:
            yield self._set(w.say(section.operation.text), "head")
            rows = [self._row(entry) for entry in section.entries]
            heads = [t("manual.column-item"), t("manual.column-penalty"), t("manual.column-undo")]
            yield self._grid([heads, *rows] if rows else [[t("manual.no-entries"), "", ""]])
            for entry in section.entries:
                yield from self._to_say(entry)
            if section.entries:
                yield from self._drawn(diagrams.operation(w, section, figures=True), self._set(t("manual.drawn"), "name"), self._secret(""))
        yield self._set(t("manual.figures"), "head")
        yield self._secret("")
        yield self._grid([
            [f"{w.say(section.operation.text)} {entry.row.id}", w.item(entry.row.item),
             " / ".join(f"{w.figure(count.gauge, count.stage.wrong)} → {w.costs(count.stage)}" for count in entry.counts)]
            for section in self._book.sections for entry in section.entries if entry.counts])
        yield from self._limits()
        yield from self._ways()

    def _row(self, entry: Entry) -> list[str]:
        w, row = self._words, entry.row
        item = " ".join([w.item(row.item), row.id, *row.also, *w.when(entry.when)])
        if not entry.counts:
            return [item, w.t("manual.device-locks" if row.undo else "manual.nothing"), w.ways(row.undo)]
        return [item, " / ".join(w.costs_told(count.stage) for count in entry.counts), " / ".join(w.ways(count.stage.undo) for count in entry.counts)]

    def _to_say(self, entry: Entry) -> Iterator[Flowable]:
        w = self._words
        said = [w.to_say(found) for found in outcomes(count.stage for count in entry.counts)]
        said += [w.say(entry.row.say)] if entry.row.say else []
        said += [w.t("say.device", ways=w.ways(entry.row.undo))] if entry.row.undo else []
        yield KeepTogether([
            self._set(f"{entry.row.id} {w.item(entry.row.item)}", "name"), *(self._set(f"{w.t('manual.say')}: {one}") for one in said),
            self._set(f"{w.t('manual.not-say')}: {w.pick('、', '; ').join(w.not_to_say(entry.row))}")])

    def _limits(self) -> Iterator[Flowable]:
        w = self._words
        yield self._set(w.t("manual.page-staff-limits"), "head")
        yield self._secret("")
        yield from (
            self._set(f"{w.names(one.items)}: {w.figure(count.gauge, count.stage.wrong)} → {w.costs(count.stage)} → {w.ways(count.stage.undo)}")
            for one in self._book.limits for count in one.counts)

    # -- the customers' ------------------------------------------------------------------------------------------------

    def _for_customers(self) -> Iterator[Flowable]:
        t, w = self._words.t, self._words
        yield self._set(t("manual.intro-customer"))
        for section in self._book.sections:
            yield self._set(w.say(section.operation.text), "head")
            for entries in w.by_item(section):
                yield self._set(w.item(entries[0].row.item), "name")
                for entry in entries:
                    yield from (self._set(one) for one in w.when(entry.when))
                    yield from (self._set(f"{w.happened(found)} → {w.ways(found.undo)}") for found in w.theirs(entry.row))
                    if entry.row.undo:
                        yield self._set(f"{t('help.device')} → {w.ways(entry.row.undo)}")
            if section.entries:
                yield from self._drawn(diagrams.operation(w, section, figures=False))
        yield from self._ways()

    # -- both ----------------------------------------------------------------------------------------------------------

    def _ways(self) -> Iterator[Flowable]:
        w, staff = self._words, self._article.audience is Audience.STAFF
        yield self._set(self._article.title(WAYS), "head")
        for path in self._table.paths.values():
            if staff or w.for_customers(path):
                needs = w.t("manual.needs", what=w.join(w.needs(path))) if w.needs(path) else ""
                told = [w.carried_out(path) if staff else w.takes(path), needs, w.by_letter(path)]
                number = f" {path.form}" if path.form else ""
                yield self._set(" · ".join(part for part in (w.way_of(path.name) + number, *told) if part))
        for role, desk in self._table.desk.items():
            if staff or "open-case" in desk["may"]:
                yield self._set(" · ".join([w.role(role), w.hours(desk["open_s"][0], desk["open_s"][1], desk["every"]), *desk["telephone"]]))
        if staff:
            yield from self._drawn(diagrams.hours(w))
            yield from self._drawn(diagrams.ways(w), self._set(w.t("manual.diagram-ways"), "name"))

    def _drawn(self, svg: str, *heads: Flowable) -> Iterator[Flowable]:
        """A diagram below its heading, over several pages where it is longer than one."""
        first, *more = figures(svg, FONT, WIDE, HIGH)
        yield KeepTogether([*heads, first])
        yield from more
        yield Spacer(1, 6)

    def _set(self, text: str, style: str = "text") -> Paragraph:
        return Paragraph(escape(text), self._styles[style])

    def _secret(self, text: str) -> Flowable:
        mark = dict.fromkeys(["お客さまには案内不可", self._words.t("manual.not-for-customers")])
        return Table([[self._set(" / ".join([*mark, *([text] if text else [])]))]], colWidths=[WIDE], style=GRID, spaceAfter=6)

    def _grid(self, rows: Sequence[Iterable[str]]) -> Flowable:
        cells = [[self._set(text, "cell") for text in row] for row in rows]
        return Table(cells, colWidths=[WIDE * 0.3, WIDE * 0.3, WIDE * 0.4], style=GRID, spaceAfter=6) if cells else Spacer(1, 1)


def _number(canvas: object, document: object) -> None:
    """The number of a page at its foot."""
    canvas.setFont(FONT, 8)  # type: ignore[attr-defined]  # the library's types leave the canvas of a page unsaid
    canvas.drawCentredString(A4[0] / 2, MARGIN / 2, str(document.page))  # type: ignore[attr-defined]  # as above
