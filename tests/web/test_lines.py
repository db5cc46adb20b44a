"""M-HELP-2: who answers the telephone now, and what he can do."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from sekisho.bank.lines import is_open_at, lines, opens_next
from sekisho.catalogue import say
from sekisho.policy import compile_policy, load, reference

TABLE = compile_policy(load(reference("major-bank")))
TOKYO = ZoneInfo("Asia/Tokyo")
DAILY = {"open_s": [9 * 3600, 21 * 3600], "every": "day"}
WEEKDAYS = {"open_s": [9 * 3600, 17 * 3600], "every": "weekday"}


def tokyo(text):
    return datetime.fromisoformat(text).replace(tzinfo=TOKYO)


@pytest.mark.parametrize(("desk", "at", "is_open", "opens"), [
    (DAILY, "2026-03-25T08:59:59", False, "2026-03-25T09:00:00"), (DAILY, "2026-03-25T09:00:00", True, "2026-03-26T09:00:00"),
    (DAILY, "2026-03-25T20:59:59", True, "2026-03-26T09:00:00"), (DAILY, "2026-03-25T21:00:00", False, "2026-03-26T09:00:00"),
    (WEEKDAYS, "2026-03-27T16:59:59", True, "2026-03-30T09:00:00"), (WEEKDAYS, "2026-03-27T17:00:00", False, "2026-03-30T09:00:00"),
    (WEEKDAYS, "2026-03-28T12:00:00", False, "2026-03-30T09:00:00"),
])
def test_M_HELP_2_a_line_is_open_from_then_until_just_before_then(desk, at, is_open, opens):
    assert (is_open_at(desk, tokyo(at)), opens_next(desk, tokyo(at))) == (is_open, tokyo(opens))


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize(("at", "second"), [("2026-03-25T12:00:00", "open"), ("2026-03-25T23:00:00", "closed")])
def test_M_HELP_2_each_line_says_its_numbers_its_hours_and_what_it_can_do(language, at, second):
    first, other = lines(TABLE, tokyo(at).astimezone(UTC).timestamp(), language)
    assert first.state == say(language, "bank.line-always") and say(language, "bank.can-delete") not in first.can
    told = {"open": say(language, "bank.line-open", until="21:00"), "closed": say(language, "bank.line-closed", at="03-26 09:00")}
    assert other.state == told[second] and say(language, "bank.can-delete") in other.can
    assert other.numbers == [("0120-000-000", say(language, "bank.free")), ("050-0000-0000", say(language, "bank.charged"))]
