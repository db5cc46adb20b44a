"""What staff are shown of policy and state, put into one language. It names figures, so it is for them alone (D1)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sekisho.catalogue import say, texts
from sekisho.flows.incidents import PATH as INCIDENT
from sekisho.policy import Table
from sekisho.policy.table import EVERYTHING, UNKNOWN, Counter, Penalty, ReleasePath, Row, Text
from sekisho.terms import PenaltyKind, Reach

EVENTS_MAX = 14
"""Recent events beside the counts."""

NAMED = frozenset({Reach.ACCOUNT, Reach.CUSTOMER})
"""Whom a half of a pair can name, in words of the catalogue where the policy has none."""

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


class PathSight(NamedTuple):
    """One way out of a lock, as staff see it."""

    name: str
    text: str
    by: str
    """Who may carry it out."""
    second: bool
    by_staff: bool


class LockSight(NamedTuple):
    """A lock that stands."""

    id: str
    subject: str
    row: str
    closes: str
    since: str
    until: str
    refused: int
    paths: Sequence[PathSight]


class StageSight(NamedTuple):
    """A stage of a count."""

    wrong: int
    row: str
    penalty: str
    fired: bool


class CountSight(NamedTuple):
    """A count and its stages."""

    name: str
    text: str
    reach: str
    wrong: int
    in_flight: int
    stages: Sequence[StageSight]


class SubjectSight(NamedTuple):
    """One subject of the customer."""

    name: str
    kind: str
    locks: Sequence[LockSight]
    counts: Sequence[CountSight]
    flags: Sequence[str]


class EventSight(NamedTuple):
    """One fact on record."""

    at: str
    text: str
    about: str
    row: str
    times: int = 1
    """How many of the same stand one after the other; `at` is the newest."""


class PaperSight(NamedTuple):
    """A form that has come in."""

    text: str
    state: str
    about: str


class RowSight(NamedTuple):
    """One row of the table, as the staff manual has it."""

    id: str
    item: str
    stages: Sequence[tuple[str, str, str]]
    """Wrong entries, penalty, ways back."""


class Sights:
    """The policy's and the state's words in one language.

    Args:
        table: the policy.
        language: `ja` or `en`.

    """

    def __init__(self, table: Table, language: str) -> None:
        self._table = table
        self.language = language
        self._zone = ZoneInfo(table.zone)

    def say(self, name: str, /, **facts: object) -> str:
        """A text of the catalogue."""
        return say(self.language, name, **facts)

    def text(self, text: Text) -> str:
        """A text of the policy."""
        return text.ja if self.language == "ja" else text.en

    def operation(self, name: str) -> str:
        """An operation's name."""
        found = self._table.operations.get(name)
        return self.text(found.text) if found else name

    def item(self, name: str) -> str:
        """An item's name."""
        found = self._table.items.get(name)
        return self.text(found.text) if found else self._part(name)

    def _part(self, name: str) -> str:
        """A half of a pair that is no item of its own: what it names."""
        reach = next((reach for one in self._table.items.values() for part, reach in one.parts if part == name), None)
        return self.say(f"part.{reach}") if reach in NAMED else name

    def note(self, what: str, text: str) -> tuple[str, str]:
        """What was noted on a case, and of what. A desk's act is noted under its own name when it is done, and as `asked` before."""
        act = what.removeprefix("asked ")
        if act in self._table.paths:
            return self.say("noted.asked" if act != what else "noted.done"), self.join([self.path(act), *([text] if text else [])])
        return self.say(f"noted.{what}"), self._noted(what, text)

    def _noted(self, what: str, text: str) -> str:
        if what == "remedy":
            return next((str(one[self.language]) for one in self._table.mail["remedies"] if one["name"] == text), text)
        named = {"verified": self.item, "outside-hours": self.path}.get(what)
        return named(text) if named else text

    def path(self, name: str) -> str:
        """A way back, or the release of an incident's locks together."""
        found = self._table.paths.get(name)
        return self.text(found.text) if found else self.say("duty.incident") if name == INCIDENT else name

    def role(self, name: str) -> str:
        """A desk."""
        desk = self._table.desk.get(name)
        return str(desk[self.language]) if desk else self.say(f"role.{name}")

    def operator(self, name: str, role: str) -> str:
        """A person at the bank, and the desk where she works."""
        return self.say("staff.operator", name=name.capitalize(), role=self.role(role))

    def join(self, parts: Iterable[str]) -> str:
        """A list in words."""
        return self.say("list.comma").join(parts)

    def subject(self, view: Mapping[str, Any]) -> SubjectSight:
        """One subject as the staff's call tells it."""
        name = str(view["subject"])
        return SubjectSight(
            name, self.say(f"subject.{name.partition(':')[0]}"), [self._lock(name, one) for one in view["locks"]],
            [self._count(one) for one in view["counts"] if one["wrong"] or one["in_flight"] or any(s["fired"] for s in one["stages"])],
            [self._flag(flag) for flag in view["flags"] if not flag.startswith("set:")],
        )

    def _flag(self, flag: str) -> str:
        kind, _, name = flag.partition(":")
        if kind == "first-time":
            return self.say("flag.first-time", item=self.item(name))
        exemption = self._table.exemptions.get(name)
        return self.text(exemption.text) if exemption else flag

    def _lock(self, subject: str, lock: Mapping[str, Any]) -> LockSight:
        closes = Penalty(kind=lock["kind"], operations=tuple(lock["operations"]), items=tuple(lock["items"]), spares=tuple(lock["spares"]),
                         whom=lock["devices"] or "")
        return LockSight(
            lock["id"], subject, lock["row"], self.penalty(closes), self.time(lock["since"]),
            self.time(lock["until"]) if lock["until"] else self.say("staff.until-released"), lock["refused"]["number"],
            [self._path(self._table.paths[one["path"]]) for one in lock["release"] if one["path"] in self._table.paths],
        )

    def _path(self, path: ReleasePath) -> PathSight:
        by = self.join(self.role(role) for role in path.roles) if path.roles else self.say(f"path.{path.kind}")
        return PathSight(path.name, self.text(path.text), by, path.second_person, bool(path.roles))

    def _count(self, count: Mapping[str, Any]) -> CountSight:
        counter = self._table.counters.get(count["counter"])
        fired = {stage["wrong"] for stage in count["stages"] if stage["fired"]}
        return CountSight(
            count["counter"], self._counter(counter) if counter else count["counter"],
            self.say(f"subject.{counter.reach}") if counter else "", count["wrong"], count["in_flight"],
            [StageSight(one.wrong, one.row, self.penalties(one.penalties), one.wrong in fired) for one in counter.stages] if counter else [],
        )

    def _counter(self, counter: Counter) -> str:
        """What a count counts: its items, and how it forgets."""
        items = dict.fromkeys(
            row.item for operation in self._table.operations.values() for rows in operation.rows.values() for row in rows
            for gauge in row.gauges if gauge.counter.name in {counter.name, counter.base}
        )
        how = self.say(f"counting.{counter.counting}", window=self.duration(counter.window_s or 0))
        text = self.say("staff.counter", items=self.join(self.item(name) for name in items), how=how)
        whom = counter.name.rpartition("/")[2] if counter.base else UNKNOWN if counter.shares else ""
        return self._of_devices(text, whom)

    def _of_devices(self, text: str, whom: str) -> str:
        """A text of what concerns some devices and not others."""
        if not whom:
            return text
        kind, _, place = whom.partition("-")
        return self.say("staff.of-devices", what=text, devices=self.say(f"devices.{kind}", n=place))

    def penalties(self, penalties: Sequence[Penalty]) -> str:
        """What a stage does."""
        return self.join(self.penalty(one) for one in penalties)

    def penalty(self, one: Penalty) -> str:
        """What one penalty does."""
        names = self.join(self.say("staff.everything") if name == EVERYTHING else self.operation(name) for name in one.operations)
        what = names or self.join(self.item(name) for name in one.items)
        words = self.say(f"penalty.{one.kind}", what=what)
        if one.kind is not PenaltyKind.ASK_MORE:
            words = self._of_devices(words, one.whom)
        return self.say("penalty.for", penalty=words, length=self.duration(one.for_s)) if one.for_s else words

    def duration(self, seconds: int) -> str:
        """A length of time. For staff: a customer is told none."""
        for unit, size in (("days", DAY_S), ("hours", HOUR_S), ("minutes", MINUTE_S)):
            # An hour is said in minutes, as the article says it.
            if seconds % size == 0 and seconds >= size * (2 if unit == "hours" else 1):
                return self.say(f"duration.{unit}", n=seconds // size)
        return self.say("duration.seconds", n=seconds)

    def time(self, at: str) -> str:
        """A time of the service on the bank's clock."""
        return datetime.fromisoformat(at).astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S")

    def rows(self, operation: str) -> list[RowSight]:
        """The table's rows of one operation."""
        return [
            RowSight(row.id, self.item(row.item), self._stages(row))
            for rows in self._table.operations[operation].rows.values() for row in rows
        ]

    def _stages(self, row: Row) -> list[tuple[str, str, str]]:
        return [
            (self.say("staff.stage", n=stage.wrong, how=self._reach(gauge.counter)), self.penalties(stage.penalties),
             self.join(self.path(name) for name in stage.undo))
            for gauge in row.gauges for stage in gauge.counter.stages
        ]

    def _reach(self, counter: Counter) -> str:
        how = self.say(f"counting.{counter.counting}", window=self.duration(counter.window_s or 0))
        within = counter.reach if counter.reach in {"procedure", "session"} else None
        return self.say(f"within.{within}") if within else how

    def named(self, subject: str) -> str:
        """A subject: what it is, and its name."""
        kind, _, name = subject.partition(":")
        return self.say("staff.named", kind=self.say(f"subject.{kind}"), name=name)

    def papers(self, views: Iterable[Mapping[str, Any]]) -> list[PaperSight]:
        """The forms that have come in for these subjects."""
        return [
            PaperSight(self.path(one["form"]), one["state"], self.join([
                self.named(view["subject"]), self.say("staff.by", operator=str(one["entered_by"]).title()),
                *(self.say("staff.by", operator=str(name).title()) for name in [one["closed_by"]] if name),
                *(self.say("staff.letter", item=self.item(letter["item"])) for letter in one["letters"]),
            ]))
            for view in views for one in view["forms"]
        ]

    def events(self, views: Iterable[Mapping[str, Any]]) -> list[EventSight]:
        """The newest facts about all these subjects, in one list."""
        found = {(e["at"], e["kind"], e["subject"], e.get("item"), e.get("lock")): e for view in views for e in view["events"]}
        newest = sorted(found.values(), key=lambda event: str(event["at"]), reverse=True)
        shown = [self._event(one) for one in newest if one["kind"] != "guess-reserved"]
        runs = [list(same) for _, same in itertools.groupby(shown, key=lambda event: (event.text, event.about, event.row))]
        return [same[0]._replace(times=len(same)) for same in runs][:EVENTS_MAX]

    def _event(self, event: Mapping[str, Any]) -> EventSight:
        kind = f"event.{event['kind']}"
        parts = [
            self.operation(event["operation"]) if event.get("operation") else "",
            self.item(event["item"]) if event.get("item") else "",
            self.path(event["path"]) if event.get("path") else "",
            self.say("staff.by", operator=str(event["operator"]).title()) if event.get("operator") else "",
            self.say("staff.quoted", text=event["reason"]) if event.get("reason") and event.get("path") else "",
        ]
        return EventSight(
            self.time(event["at"]), self.say(kind) if kind in texts(self.language) else event["kind"],
            " · ".join(part for part in parts if part), event.get("row") or "",
        )
