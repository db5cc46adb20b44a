"""Did this page of the manual help? What staff say of it is kept for whoever owns the policy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from sekisho.core.state import FORMAT, decode
from sekisho.events import Event, EventKind
from sekisho.flows.acts import Operator
from sekisho.flows.sights import rfc3339
from sekisho.ports import Ledger, Store, Tx

ANSWERS = "manual"
"""The row on which they are kept."""

NEWEST = 200
"""How many are kept word for word; the older ones only as numbers."""


class Answered(msgspec.Struct, frozen=True):
    """What somebody said of one page."""

    page: str
    language: str
    helped: bool
    note: str
    by: str
    at: int
    policy: str
    """The version that the page was made from."""


class Answers(msgspec.Struct, omit_defaults=True, gc=False):
    """All that was said."""

    v: int = FORMAT
    tally: dict[str, tuple[int, int]] = {}
    """By page: how often it helped, and how often not."""
    newest: list[Answered] = []


class _Say:
    """Keep one answer."""

    keys: Sequence[str] = (ANSWERS,)

    def __init__(self, page: str, language: str, note: str, operator: Operator, *, helped: bool) -> None:
        self._page, self._language, self._note, self._operator, self._helped = page, language, note, operator, helped

    def decide(self, tx: Tx) -> None:
        """Count it, and put it before the others."""
        row = tx.get(ANSWERS, Answers) or Answers()
        yes, no = row.tally.get(self._page, (0, 0))
        row.tally[self._page] = (yes + self._helped, no + (not self._helped))
        one = Answered(self._page, self._language, self._helped, self._note, self._operator.name, tx.now, tx.table.version[:12])
        row.newest = [one, *row.newest][:NEWEST]
        tx.put(ANSWERS, row)
        tx.tell(Event(EventKind.MANUAL_ANSWERED, ANSWERS, operator=self._operator.name, path=self._page))


_ABOUT_SOMEBODY = re.compile(r"\S+@\S+|\d[\d\s-]{2,}\d")
"""What may be a mail address, or the number of a customer, an account or a telephone."""


def without_names(note: str) -> str:
    """A note without what names a customer, should somebody have written it all the same."""
    return _ABOUT_SOMEBODY.sub("…", note)


async def say(ledger: Ledger, page: str, language: str, note: str, operator: Operator, *, helped: bool) -> None:
    """Keep what an operator says of a page. The page is one that there is: their number bounds the row."""
    await ledger.run(_Say(page, language, without_names(note), operator, helped=helped))


async def shown(store: Store) -> dict[str, Any]:
    """All that was said, as the policy owner reads it: by page, most often unhelpful first, and the newest word for word."""
    body = (await store.peek([ANSWERS])).get(ANSWERS)
    found = Answers() if body is None else decode(body, Answers)
    tally = sorted(found.tally.items(), key=lambda one: (-one[1][1], one[0]))
    return {
        "pages": [{"page": page, "helped": yes, "not": no} for page, (yes, no) in tally],
        "newest": [{**msgspec.structs.asdict(one), "at": rfc3339(one.at)} for one in found.newest],
    }
