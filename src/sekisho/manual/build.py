"""All articles of one policy: both audiences, both languages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from sekisho.manual.article import HERE, PDF, STYLE, Article, Audience, Facts, Links
from sekisho.policy.model import FindingCode
from sekisho.policy.table import Table
from sekisho.proof.check import Report

LANGUAGES: tuple[Literal["ja", "en"], ...] = ("ja", "en")


class File(NamedTuple):
    """One file of a manual, with its place below the folder it is written to."""

    place: str
    body: bytes


def articles(table: Table, facts: Facts | None = None, links: Links | None = None) -> list[Article]:
    """The staff's and the customers', in Japanese and English."""
    return [Article(table, audience, language, facts or Facts(), links or Links()) for audience in Audience for language in LANGUAGES]


def files(table: Table, facts: Facts | None = None) -> Iterator[File]:
    """Every file of a manual that needs no service.

    Raises:
        KeyError: the catalogue lacks a text, whose name it names.

    """
    yield File(STYLE, style())
    for one in articles(table, facts):
        for name in one.names:
            yield File(f"{one.audience}/{one.language}/{name}.html", one.page(name).html.encode())


def printed(table: Table, facts: Facts | None = None) -> Iterator[File]:
    """Each article once more, as PDF."""
    for one in articles(table, facts):
        yield File(f"{one.audience}/{one.language}/{PDF}", as_pdf(one))


def as_pdf(article: Article) -> bytes:
    """All of an article as PDF."""
    from sekisho.manual.pdf import pdf  # noqa: PLC0415  loaded where somebody prints, not where somebody serves

    return pdf(article)


def style() -> bytes:
    """The style sheet of every page."""
    return (HERE / STYLE).read_bytes()


def missing(report: Report) -> list[str]:
    """Texts of a policy that are missing in one of the languages, each with its place in the file; with them no manual is written."""
    return [f"{one.where}: {one.text.en}" for one in report.findings if one.code is FindingCode.MISSING_TEXT and one.waived is None]


def write(made: Iterable[File], out: Path) -> int:
    """Put the files below a folder. Gives how many."""
    whole = list(made)  # all of them are made before the first is written
    for one in whole:
        place = out / one.place
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(one.body)
    return len(whole)
