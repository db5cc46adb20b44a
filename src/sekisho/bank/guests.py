"""Whoever stands before the bank's pages: from where, in which session, and how far he is in what. In memory; a restart forgets it."""

from __future__ import annotations

import hmac
import secrets as chance
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from sekisho.bank.service import Json
from sekisho.catalogue import say
from sekisho.web import Form

COOKIE = "sekisho-bank"
GUESTS_MAX = 2000
"""Guests remembered at once; whoever did nothing for the longest is forgotten first."""

USUAL, OTHER, ABROAD = "usual", "other", "abroad"
PLACES = {
    # What the bank's channel sees of each: the network by an address for documentation (RFC 5737), and its country.
    USUAL: ("203.0.113.10", "JP"), OTHER: ("203.0.113.10", "JP"), ABROAD: ("198.51.100.20", "FR"),
}
USUAL_DEVICE = "the usual device of this demonstration"


@dataclass
class Walk:
    """One run of an operation, as its pages know it."""

    procedure: str
    operation: str
    state: str
    next: list[tuple[str, str]]
    name: str = field(default_factory=lambda: chance.token_urlsafe(9))
    """By which a form says that it is this run's: one left over from another enters nothing."""
    addresses: list[Json] = field(default_factory=list)
    told: tuple[str, str, str] | None = None
    """Of the last answer: its outcome, its name and its words."""
    article: str = ""
    """Where he reads what to do now, as that answer says."""
    sent: bool = False
    who: str = ""
    """The number that was entered in it."""
    app: str | None = None
    """The device that it is about, where the customer has several."""
    entered: dict[str, str] = field(default_factory=dict)
    """Item to what was entered, word for word: what his telephone shows before he approves."""
    session: str | None = None
    """Opened by an entry on his telephone; his browser takes it when it looks next."""

    def stands(self, told: Json) -> None:
        """Note how it stands."""
        self.state = told.get("state", self.state)
        self.next = [(one["item"], one["kind"]) for one in told["next"]]

    def says(self, told: Json) -> None:
        """Note what the customer is told."""
        self.told = (told.get("outcome", "refused"), told["code"], told["message"])
        self.article = told.get("article") or ""

    def words(self, language: str) -> str | None:
        """That, in a language; the policy's own words as they were said."""
        if self.told is None:
            return None
        _, code, message = self.told
        return message if code == "closed" else say(language, f"answer.{code}")

    def asks_for(self, item: str) -> bool:
        """Whether it asks for this now."""
        return self.state == "open" and any(item == name for name, _ in self.next)


@dataclass
class Guest:
    """One browser."""

    id: str
    token: str
    device: str
    """His own device's name, given out by the bank; it outlives his logins."""
    place: str = USUAL
    session: str | None = None
    number: str = ""
    """Of the customer who is logged in."""
    walks: dict[str, Walk] = field(default_factory=dict)
    said: tuple[str, str] | None = None
    """Kind of the message and name of its text: what the last act came to. Shown once."""
    app_code: str | None = None
    """The code that begins the enrolment of a device. Shown once."""
    app: str | None = None
    """The device he approves on, where he has chosen one of several."""

    @property
    def context(self) -> Json:
        """From where he comes, as the bank's channel tells it."""
        ip, country = PLACES[self.place]
        return {"device": USUAL_DEVICE if self.place == USUAL else f"{self.device} {self.place}", "ip": ip, "country": country}


class Guests:
    """All guests, by the cookie each one got."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, Guest] = OrderedDict()
        self._renamed: OrderedDict[tuple[str, str, str], str] = OrderedDict()

    def known(self, request: Request) -> Guest | None:
        """Whoever the cookie belongs to."""
        guest = self._of.get(request.cookies.get(COOKIE, ""))
        if guest is not None:
            self._of.move_to_end(guest.id)
        return guest

    def __iter__(self) -> Iterator[Guest]:
        return iter(list(self._of.values()))

    def begin(self) -> Guest:
        """A new guest."""
        guest = Guest("", "", chance.token_urlsafe(9))
        self.rename(guest)
        if len(self._of) > GUESTS_MAX:
            self._of.popitem(last=False)
        return guest

    def rename(self, guest: Guest, form: Form | None = None) -> None:
        """Another name and other forms from now on: whoever laid one out for him, or had his before, has nothing (session fixation).

        `form`: what he sent. The browser of somebody who has clicked twice sends it once more under his old name.
        """
        was = (guest.id, guest.token, form.get("once", "")) if form is not None else None
        self._of.pop(guest.id, None)
        guest.id, guest.token = chance.token_urlsafe(24), chance.token_urlsafe(24)
        self._of[guest.id] = guest
        if was is not None and was[2]:
            self._renamed[was] = guest.id
            if len(self._renamed) > GUESTS_MAX:
                self._renamed.popitem(last=False)

    def renamed_by(self, request: Request, form: Form) -> Guest | None:
        """Who got another name by this very form, which only he was given."""
        return self._of.get(self._renamed.get((request.cookies.get(COOKIE, ""), form.get("token", ""), form.get("once", "")), ""))

    def sent_by(self, request: Request, token: str) -> Guest | None:
        """Whoever sent a form, if it is a form that this bank's page gave him."""
        guest = self.known(request)
        return guest if guest is not None and hmac.compare_digest(guest.token.encode(), token.encode("utf-8", "replace")) else None


def keep(request: Request, answer: Response, guest: Guest) -> Response:
    """Give him his cookie, where he has another or none. No other site can send it along."""
    if request.cookies.get(COOKIE) != guest.id:
        answer.set_cookie(COOKIE, guest.id, httponly=True, samesite="strict", path="/bank", secure=request.url.scheme == "https")
    return answer
