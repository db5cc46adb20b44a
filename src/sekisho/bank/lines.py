"""The bank's telephone lines, as a customer needs them: which is open now, what it can do, and when it opens next (M-HELP-2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sekisho.catalogue import say
from sekisho.policy import Table

FREE = ("0120", "0800")
"""What numbers begin with that cost the caller nothing, in Japan."""

TOLD = {"walk-remedies": "bank.can-remedies", "emergency-stop": "bank.can-stop", "delete-addresses": "bank.can-delete"}
"""Acts of the desk that a customer telephones for, and the texts that say so."""

WEEKEND = 5


class Line(NamedTuple):
    """One line."""

    name: str
    hours: str
    open: bool
    state: str
    """Open until when, or closed until when."""
    can: list[str]
    numbers: list[tuple[str, str]]
    """Each with what it costs."""


def lines(table: Table, now_s: float, language: str) -> list[Line]:
    """Every line that has a number."""
    return [_line(one, table.zone, now_s, language) for one in table.desk.values() if one["telephone"]]


def _line(desk: Mapping[str, Any], policy_zone: str, now_s: float, language: str) -> Line:
    now = datetime.fromtimestamp(now_s, UTC).astimezone(ZoneInfo(desk.get("zone") or policy_zone))
    since, until = desk["open_s"]
    is_open = is_open_at(desk, now)
    if is_open:
        state = say(language, "bank.line-always") if until - since >= 24 * 3600 else say(language, "bank.line-open", until=clock(until))
    else:
        opens = opens_next(desk, now)
        state = say(language, "bank.line-closed", at=opens.strftime("%m-%d %H:%M"))
    numbers = [(number, say(language, "bank.free" if number.startswith(FREE) else "bank.charged")) for number in desk["telephone"]]
    can = [say(language, text) for act, text in TOLD.items() if act in desk["may"]]
    hours = say(language, f"desk.every-{desk['every']}", since=clock(since), until=clock(until))
    return Line(desk[language], hours, is_open, state, can, numbers)


def is_open_at(desk: Mapping[str, Any], now: datetime) -> bool:
    """Whether it works: from ≤ t < to, on its days."""
    second = now.hour * 3600 + now.minute * 60 + now.second
    since, until = desk["open_s"]
    return since <= second < until and (desk["every"] == "day" or now.weekday() < WEEKEND)


def opens_next(desk: Mapping[str, Any], now: datetime) -> datetime:
    """When it opens after this."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    while True:
        opens = day + timedelta(seconds=desk["open_s"][0])
        if opens > now and is_open_at(desk, opens):
            return opens
        day += timedelta(days=1)


def clock(second: int) -> str:
    """A second of the day as a clock shows it."""
    return f"{second // 3600:02}:{second % 3600 // 60:02}"
