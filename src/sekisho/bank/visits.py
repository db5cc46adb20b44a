"""What the page remembers of one visitor: whom he plays, how far he is, what was answered. In memory; a restart forgets it."""

from __future__ import annotations

import hmac
import secrets as chance
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from sekisho.bank.holdings import Proof
from sekisho.bank.seeds import CUSTOMERS
from sekisho.bank.service import Trouble
from sekisho.catalogue import name_of

COOKIE = "sekisho-try"
VISITS_MAX = 500
"""Visitors remembered at once; the one who came longest ago is forgotten first."""

JOURNAL = 12
"""Lines of the journal that are kept."""


INCIDENT = "incident"
"""What stands in the place of a way back where an incident's locks are released together."""


class Told(NamedTuple):
    """What the service answered to the customer, word for word."""

    outcome: str
    message: str
    language: str

    @property
    def just_wrong(self) -> bool:
        """Wrong, and nothing worse came of it than having to begin again."""
        return name_of(self.message, self.language) in {"answer.wrong", "answer.wrong-start-over"}

    @property
    def closed(self) -> bool:
        """The customer is told that something is closed to him."""
        return self.outcome != "right" and not self.just_wrong


@dataclass
class Run:
    """One procedure as the bank's page knows it."""

    procedure: str
    operation: str
    subject: str | None
    about: str | None
    state: str = "open"
    next: list[tuple[str, str]] = field(default_factory=list)
    told: Told | None = None
    sent: dict[str, list[str]] = field(default_factory=dict)
    """Item to the messages in which codes for it were sent, newest last."""
    addresses: list[dict[str, str]] = field(default_factory=list)
    """Where a code may be sent to now, behind masks."""
    label: str | None = None
    """Of the code that was sent last."""
    entered: dict[str, Proof] = field(default_factory=dict)
    """Item to what was entered and right."""

    @property
    def over(self) -> bool:
        """Nothing more can be entered."""
        return self.state != "open" or not self.next


class Wanted(NamedTuple):
    """What the customer wants to do."""

    operation: str
    about: str | None


@dataclass
class Line:
    """One line of the journal: the same entry with the same answer, once or several times."""

    operation: str
    item: str
    entry: str
    """`right`, `wrong` or `typed`."""
    told: Told
    times: int = 1


class Asked(NamedTuple):
    """A release that waits for its second person."""

    approval: str
    subject: str
    row: str
    path: str
    by: str
    account: str
    """Of the customer concerned; empty: of many."""


@dataclass
class Visit:
    """One visitor."""

    id: str
    token: str
    account: str = CUSTOMERS[0].account
    run: Run | None = None
    wanted: Wanted | None = None
    """Begun as soon as the login before it is done."""
    sessions: dict[str, str] = field(default_factory=dict)
    """Account of a customer to his session."""
    journal: deque[Line] = field(default_factory=lambda: deque(maxlen=JOURNAL))
    asked: list[Asked] = field(default_factory=list)
    notice: tuple[str, dict[str, str]] | None = None
    """Name of a text, and its facts: what the last act of staff came to. Shown once."""
    trouble: Trouble | None = None
    """What the last act met with on the customer's side. Shown once."""
    staff_trouble: Trouble | None = None
    stopped: Told | None = None
    """What was told to whoever asked for an emergency stop. Shown once."""
    device: str = "usual"
    """What he sits at: `usual`, or `other`."""

    @property
    def device_name(self) -> str:
        """What the channel calls it: a name that it has given out itself, and nobody else can know."""
        return f"visitor {self.id[:8]}" if self.device == "usual" else f"visitor {self.id[:8]}, {self.device}"

    def note(self, line: Line) -> None:
        """Add to the journal; what is the same as the line before only counts it up."""
        last = self.journal[0] if self.journal else None
        if last is not None and (last.operation, last.item, last.entry, last.told) == (line.operation, line.item, line.entry, line.told):
            last.times += 1
        else:
            self.journal.appendleft(line)


class Visits:
    """All visitors, by the cookie each one got."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, Visit] = OrderedDict()

    def known(self, request: Request) -> Visit | None:
        """Whoever the cookie belongs to."""
        visit = self._of.get(request.cookies.get(COOKIE, ""))
        if visit is not None:
            self._of.move_to_end(visit.id)
        return visit

    def begin(self) -> Visit:
        """A new visitor."""
        visit = Visit(chance.token_urlsafe(24), chance.token_urlsafe(24))
        self._of[visit.id] = visit
        if len(self._of) > VISITS_MAX:
            self._of.popitem(last=False)
        return visit

    def sent_by(self, request: Request, token: str) -> Visit | None:
        """Whoever sent a form, if it is a form that this page gave him."""
        visit = self.known(request)
        return visit if visit is not None and hmac.compare_digest(visit.token.encode(), token.encode()) else None


def remember(answer: Response, visit: Visit) -> Response:
    """Give the visitor his cookie. No other site can send it along."""
    answer.set_cookie(COOKIE, visit.id, httponly=True, samesite="strict", path="/try")
    return answer
