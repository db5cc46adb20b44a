"""One article of the manual: for staff or for customers, in one language, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from sekisho import templates
from sekisho.manual import diagrams
from sekisho.manual.book import CHECKED, INDEX, LIMITS, OPERATION, WAYS, Book
from sekisho.manual.search import Found, Index
from sekisho.manual.words import Words, clock, closed, outcomes
from sekisho.policy.table import Table
from sekisho.policy.text import Language
from sekisho.proof.check import Report, state_name

HERE = Path(__file__).parent
FRAME = HERE / "templates"
"""Where the frame is that every page stands in, and what goes into it here."""
STYLE = "manual.css"
PDF = "manual.pdf"
ANSWERS = "answers"
"""Where a service shows whoever owns the policy what staff have said of its pages."""


class Audience(StrEnum):
    """Who reads an article."""

    STAFF = "staff"
    CUSTOMER = "customer"


class Facts(NamedTuple):
    """What the staff article says about the policy it is made from. A customer is told none of it: each changes with the figures."""

    since: str | None = None
    """Since when it is in force, as it is shown; None: it is not, or that is not known here."""
    checked: str | None = None
    """When it was last checked."""
    report: Report | None = None
    """What the check found."""


SERVED = {Audience.STAFF: "/desk/manual", Audience.CUSTOMER: "/manual"}
"""Where a service has its articles. The staff's are below the desk, where operators have their seats."""

HELPED = "<!-- did this help -->"
"""Where a service puts the form that asks staff; it is another for each of them."""


def row_address(row: str) -> str:
    """Where a service's staff read about a row, in whichever language they read."""
    return f"{SERVED[Audience.STAFF]}/rows/{row}"


class Links(NamedTuple):
    """Where pages are: files beside one another, or addresses of a service."""

    served: bool = False

    def to(self, article: Article, page: str, at: str) -> str:
        """The address of a page of an article, from the page `at` of some article of the same manual."""
        if self.served:
            return f"{SERVED[article.audience]}/{article.language}" + ("" if page == INDEX else f"/{page}")
        return f"{'../' * (2 + at.count('/'))}{article.audience}/{article.language}/{page}.html"

    def style(self, at: str) -> str:
        """The address of the style sheet."""
        return f"{SERVED[Audience.CUSTOMER]}/{STYLE}" if self.served else f"{'../' * (2 + at.count('/'))}{STYLE}"


class Choice(NamedTuple):
    """One of the pages that are named at the head of each."""

    title: str
    href: str
    here: bool
    """It is the one that is read."""


class Page(NamedTuple):
    """One page."""

    name: str
    title: str
    html: str


class Article:
    """All pages of one article.

    Args:
        table: the policy.
        audience: who reads it.
        language: `ja` or `en`.
        facts: what is known of this policy besides what it says.
        links: where the pages are.

    Raises:
        KeyError: the catalogue lacks a text, whose name it names. There is no page with a hole in it.

    """

    def __init__(self, table: Table, audience: Audience, language: Language, facts: Facts, links: Links) -> None:
        self.table = table
        self.audience = audience
        self.language: Language = language
        self.facts = facts if audience is Audience.STAFF else Facts()
        self.words = Words(table, language)
        self._links = links
        self.served = links.served
        self._made: dict[str, Page] = {}

    @cached_property
    def book(self) -> Book:
        """The policy, cut into sections."""
        return Book(self.table)

    @cached_property
    def index(self) -> Index:
        """What is searched."""
        return Index(self.book, self.words, staff=self.audience is Audience.STAFF)

    @property
    def names(self) -> list[str]:
        """The names of all pages."""
        own = [LIMITS, WAYS, *([CHECKED] if self.facts.report else [])] if self.audience is Audience.STAFF else [WAYS]
        return [INDEX, *(OPERATION + name for name in self.table.operations), *own]

    def page(self, name: str) -> Page:
        """One page.

        Raises:
            KeyError: there is none of this name, or a text is missing.

        """
        if name not in self._made:
            if name not in self.names:
                raise KeyError(name)
            self._made[name] = Page(name, self.title(name), self._render(f"{self._template(name)}.html", name))
        return self._made[name]

    def fragment(self, name: str, only: str | None = None) -> str:
        """The part of a page that another page can show: no head, no navigation.

        Args:
            name: the page.
            only: the one place on it that is wanted.

        Raises:
            KeyError: there is no page of this name.

        """
        if name not in self.names:
            raise KeyError(name)
        return self._render(f"{self._template(name)}_body.html", name, only=only)

    def helped(self, name: str, token: str, *, owner: bool) -> str:
        """The form that asks staff whether a page helped.

        Args:
            name: the page.
            token: shows that the form is from her own page.
            owner: whether she reads what has been said, and is told where.

        """
        return self._render("helped.html", name, token=token, answers=f"{self.href(INDEX)}/{ANSWERS}" if owner else None)

    def answers(self, told: Mapping[str, Any]) -> str:
        """The page with what staff have said of all pages."""
        return self._render("answers.html", INDEX, told=told)

    def found(self, query: str) -> str:
        """The page with what a search found."""
        return self._render("search.html", INDEX, query=query, found=self.search(query))

    def thanks(self, name: str) -> str:
        """What staff read who have said whether a page helped."""
        return self._render("thanks.html", name)

    def search(self, query: str) -> list[Found]:
        """The entries that fit best what somebody types or says."""
        return self.index.search(query)

    def title(self, name: str) -> str:
        """What a page is called."""
        if name.startswith(OPERATION):
            return self.words.operation_name(name.removeprefix(OPERATION))
        if name == INDEX:
            return self.words.say(self.table.title)
        return self.words.t(f"manual.page-{self.audience}-{name}")

    def href(self, page: str, anchor: str = "", at: str = INDEX, language: Language | None = None) -> str:
        """The address of a page."""
        other = self if language in {None, self.language} else Article(self.table, self.audience, language or "ja", self.facts, self._links)
        return self._links.to(other, page, at) + (f"#{anchor}" if anchor else "")

    @property
    def href_of_pdf(self) -> str:
        """The address of all of it as PDF, from the first page."""
        return f"{self.href(INDEX)}/{PDF}" if self.served else PDF

    def href_of_row(self, row: str, at: str = INDEX) -> str:
        """The address of the place where a row is explained."""
        page, anchor = self.book.place(row)
        return self.href(page, anchor, at)

    def href_of_lock(self, row: str) -> str:
        """The address of the place where a lock is explained that names this row."""
        return self.href(*self.book.place_of_lock(row))

    def _template(self, name: str) -> str:
        return f"{self.audience}_{name.partition('/')[0]}"

    def _render(self, template: str, name: str, **facts: Any) -> str:
        facts.setdefault("only", None)
        alone = [page for page in self.names if "/" not in page and page != INDEX]
        menu = [Choice(self.title(page), self.href(page, "", name), page == name) for page in alone]
        return templates.render(
            FRAME, template, language=self.language, title=self.title(name), site=self.words.t(f"manual.name-{self.audience}"), menu=menu,
            home=self.href(INDEX, "", name), at_home=name == INDEX, a=self, w=self.words, t=self.words.t, book=self.book,
            table=self.table, name=name, clock=clock, at=name, href=lambda page, anchor="": self.href(page, anchor, name),
            row=lambda row: self.href_of_row(row, name),
            style=self._links.style(name), section=self.book.section(name.removeprefix(OPERATION)) if name.startswith(OPERATION) else None,
            languages=[(one, self.href(name, "", name, one)) for one in ("ja", "en")], draw=self._draw, outcomes=outcomes, closed=closed,
            state_name=state_name, **facts)

    def _draw(self, what: str, *given: Any) -> Markup:
        """A diagram; every text in it has been escaped where it was drawn."""
        if what == "operation":
            return Markup(diagrams.operation(self.words, given[0], figures=self.audience is Audience.STAFF))  # noqa: S704
        return Markup((diagrams.ways if what == "ways" else diagrams.hours)(self.words))  # noqa: S704
