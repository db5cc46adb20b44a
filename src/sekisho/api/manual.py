"""The manual over HTTP: the customers' article for channels, the staff's for staff, and what staff say of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from sekisho.api.http import STAFF, Call, Problem
from sekisho.api.staff import operator_of
from sekisho.app import App
from sekisho.catalogue import language_of, say
from sekisho.core.state import SECOND
from sekisho.flows import helped
from sekisho.manual import Article, Audience, Facts, Links
from sekisho.manual.book import INDEX, OPERATION
from sekisho.policy import parse
from sekisho.policy.table import Table
from sekisho.policy.text import Language
from sekisho.proof.check import Report, check
from sekisho.terms import Role

QUERY_MAX = 200
"""Longest text that is looked for, in characters."""

OWNERS = frozenset({Role.ADMIN, Role.AUDITOR})
"""Who reads what staff say of the manual."""


class ManualItem(msgspec.Struct, omit_defaults=True):
    """One entry of an operation."""

    item: str
    title: str
    address: str
    row: str | None = None
    """For staff."""


class ManualOperation(msgspec.Struct):
    """One operation's page."""

    operation: str
    title: str
    address: str
    items: list[ManualItem]


class ManualAnswer(msgspec.Struct, omit_defaults=True):
    """What the article has."""

    article: str
    title: str
    audience: str
    language: str
    address: str
    operations: list[ManualOperation]
    version: str | None = None
    """For staff: with the policy's digest whoever knows the rest of it could try out its figures."""
    since: str | None = None


class FragmentAnswer(msgspec.Struct):
    """A part of the article, to be shown in another page: HTML without head, script or style of its own."""

    title: str
    language: str
    address: str
    html: str


class FoundPlace(msgspec.Struct):
    """A place that fits what was asked for."""

    title: str
    text: str
    address: str


class FoundAnswer(msgspec.Struct):
    """Places that fit, the best first."""

    found: list[FoundPlace]


class HelpedBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/manual/answers`: did this page help?"""

    page: Annotated[str, Meta(min_length=1, max_length=200)]
    helped: bool
    note: Annotated[str, Meta(max_length=500)] = ""
    language: Literal["ja", "en"] = "ja"


class HelpedAnswer(msgspec.Struct):
    """It is kept."""

    page: str


NO_SUCH_PAGE = Problem(404, "no-such-page", "The manual has no such page.")


class Manuals:
    """The articles of the policy in force, made once for each version."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._made: dict[tuple[str, Audience, str], Article] = {}
        self._reports: dict[str, tuple[Report, str]] = {}
        self._proving = asyncio.Lock()

    def customer(self, language: Language) -> Article:
        """The customers'."""
        table = self._app.table
        return self._article(table, Audience.CUSTOMER, language, Facts())

    async def staff(self, language: Language) -> Article:
        """The staff's. Whoever asks first after a policy came into force waits until it is proved."""
        table = self._app.table
        report, checked = await self._report(table)
        return self._article(table, Audience.STAFF, language, Facts(self._since(table, language), checked, report))

    async def of(self, role: Role, language: Language) -> Article:
        """The one for whom a key is."""
        return await self.staff(language) if role in STAFF else self.customer(language)

    def _article(self, table: Table, audience: Audience, language: Language, facts: Facts) -> Article:
        place = (table.version, audience, language)
        if place not in self._made:
            self._made = {held: one for held, one in self._made.items() if held[0] == table.version}
            self._made[place] = Article(table, audience, language, facts, Links(served=True))
        return self._made[place]

    async def _report(self, table: Table) -> tuple[Report, str]:
        async with self._proving:
            if table.version not in self._reports:
                source = await self._app.store.document("policy", table.version) or b""
                # Beside the loop: proofs take seconds, and entries are decided meanwhile.
                report = await asyncio.to_thread(lambda: check(parse(source, table.name), source=source))
                self._reports = {table.version: (report, self._day(self._app.clock(), table))}
            return self._reports[table.version]

    def _since(self, table: Table, language: Language) -> str:
        """The day from which the policy is in force; the first one is from the beginning."""
        now = self._app.clock()
        since = max((at for at, version in self._app.in_force.versions if version == table.version and at <= now), default=0)
        return self._day(since, table) if since else say(language, "manual.since-first")

    def _day(self, at: int, table: Table) -> str:
        return datetime.fromtimestamp(at / SECOND, UTC).astimezone(ZoneInfo(table.zone)).date().isoformat()


class Manual:
    """The calls about the manual."""

    def __init__(self, app: App, manuals: Manuals) -> None:
        self._app, self._manuals = app, manuals

    async def contents(self, call: Call[None]) -> tuple[int, Any]:
        """What the manual has, for the key's audience: operations and what is entered in them, each with its address."""
        one = await self._manuals.of(call.key.role, _language(call))
        staff = one.audience is Audience.STAFF
        listed = [
            ManualOperation(
                section.operation.name, one.words.say(section.operation.text), one.href(OPERATION + section.operation.name),
                [ManualItem(
                    entry.row.item, one.words.item(entry.row.item),
                    one.href(OPERATION + section.operation.name, entry.anchor if staff else entry.row.item), entry.row.id if staff else None)
                 for entry in (section.entries if staff else [each[0] for each in one.words.by_item(section)])])
            for section in one.book.sections
        ]
        return 200, ManualAnswer(
            one.table.article, one.title(INDEX), one.audience, one.language, one.href(INDEX), listed,
            one.table.version[:12] if staff else None, one.facts.since)

    async def operation(self, call: Call[None]) -> tuple[int, Any]:
        """The article on one operation, to be shown in the bank's own pages."""
        one = await self._manuals.of(call.key.role, _language(call))
        name = OPERATION + call.path["operation"]
        if name not in one.names:
            raise NO_SUCH_PAGE
        return 200, FragmentAnswer(one.title(name), one.language, one.href(name), one.fragment(name))

    async def row(self, call: Call[None]) -> tuple[int, Any]:
        """The staff article at one row of the table, or at what a lock names as its row."""
        one = await self._manuals.staff(_language(call))
        page, anchor = one.book.place(call.path["row"])
        if not anchor:
            raise NO_SUCH_PAGE
        return 200, FragmentAnswer(one.title(page), one.language, one.href(page, anchor), one.fragment(page, anchor))

    async def search(self, call: Call[None]) -> tuple[int, Any]:
        """Search the article by word, or by what somebody says who telephones: `q`."""
        one = await self._manuals.of(call.key.role, _language(call))
        query = dict(parse_qsl(call.query, keep_blank_values=True)).get("q", "")
        if len(query) > QUERY_MAX:
            raise Problem(422, "wrong-shape", f"q is what to look for, in at most {QUERY_MAX} characters.")
        return 200, FoundAnswer([FoundPlace(found.title, found.text, one.href(found.page, found.anchor)) for found in one.search(query)])

    async def say(self, call: Call[HelpedBody]) -> tuple[int, Any]:
        """Say whether a page of the staff manual helped."""
        body = call.body
        if body.page not in (await self._manuals.staff(body.language)).names:
            raise NO_SUCH_PAGE
        await helped.say(self._app.ledger, body.page, body.language, body.note.strip(), operator_of(call.key), helped=body.helped)
        return 200, HelpedAnswer(body.page)

    async def answers(self, call: Call[None]) -> tuple[int, Any]:
        """What staff have said of the manual: by page, most often unhelpful first, and the newest word for word."""
        del call
        return 200, await helped.shown(self._app.store)


def _language(call: Call[Any]) -> Language:
    return "ja" if language_of(call.language) == "ja" else "en"
