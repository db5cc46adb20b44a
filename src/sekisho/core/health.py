"""How far an address can be trusted to receive codes: a sum over what was heard of it, in which old news fades.

It orders and warns. It never keeps a code from being sent: who can forge a bounce could else lock somebody out.
"""

from __future__ import annotations

import math
from enum import StrEnum

from sekisho.core.state import SECOND, Addresses, Heard
from sekisho.terms import AddressState, MailGroup, Way

DAY = 24 * 3600 * SECOND

HALF_LIFE = 30 * DAY
"""After this long news weighs half."""

KEPT = 32
"""Pieces of news kept of one address."""

CODES, OTHER = "codes", "other"
"""The two streams of mail: that of the codes, and all else that the bank sends."""

USED, DELIVERED, RELAYED, UNUSED, LATE, ARRIVED = "used", "delivered", "relayed", "unused", "late", "arrived"

WEIGHTS: dict[str, float] = {
    USED: 1.0, DELIVERED: 0.5, RELAYED: 0.1, ARRIVED: 0.5, UNUSED: -0.5, LATE: -0.5,
    MailGroup.DEAD: -3.0, MailGroup.SUPPRESSED: -3.0, MailGroup.COMPLAINT: -2.0, MailGroup.DORMANT: -1.5, MailGroup.RECIPIENT_FILTER: -1.5,
    MailGroup.CONTENT_POLICY: -0.3,
}
"""What news weighs; what is not here says nothing of the address (`our-identity`, `rate`, `transient` are the sender's own matter)."""


class Health(StrEnum):
    """How an address does on one stream."""

    OK = "ok"
    UNKNOWN = "unknown"
    SUSPECT = "suspect"
    DEAD = "dead"


def hear(heard: list[Heard], what: str, stream: str, now: int) -> list[Heard]:
    """What is known of an address, with one more piece of news. News that says nothing of it is left out."""
    return [*heard, Heard(now, what, stream)][-KEPT:] if what in WEIGHTS else heard


def score(heard: list[Heard], stream: str, now: int) -> float:
    """The sum: a code that was used wipes out what was held against the address before, and one day counts against it once."""
    total = 0.0
    days: dict[int, float] = {}
    for one in _since_used(heard, stream):
        weight = WEIGHTS.get(one.what, 0.0) * math.pow(0.5, max(0, now - one.at) / HALF_LIFE)
        if weight < 0:
            day = one.at // DAY
            days[day] = min(days.get(day, 0.0), weight)
        else:
            total += weight
    return total + sum(days.values())


def _since_used(heard: list[Heard], stream: str) -> list[Heard]:
    on = [one for one in heard if one.stream == stream]
    last = max((n for n, one in enumerate(on) if one.what == USED), default=0)
    return on[last:]


def health(heard: list[Heard], stream: str, now: int) -> Health:
    """How it does on one stream."""
    dead = [one.at for one in _since_used(heard, stream) if one.what == MailGroup.DEAD]
    if dead and max(dead) - min(dead) >= DAY:
        return Health.DEAD
    found = score(heard, stream, now)
    return Health.OK if found >= 0.5 else Health.SUSPECT if found <= -0.5 else Health.UNKNOWN


def loses_codes_only(heard: list[Heard], now: int) -> bool:
    """Whether the address takes other mail but not codes (M-DEAD-1): then the code's sender is what is refused, not the address."""
    codes = _since_used(heard, CODES)
    failures = [one.at for one in codes if WEIGHTS.get(one.what, 0.0) <= WEIGHTS[UNUSED]]
    taken = [one.at for one in heard if one.stream == OTHER and WEIGHTS.get(one.what, 0.0) > 0]
    return bool(failures and taken and max(taken) > min(failures) - 7 * DAY) and score(heard, CODES, now) < 0 < score(heard, OTHER, now)


class Advice(StrEnum):
    """What a customer should see to while he is logged in and everything works."""

    SECOND_ADDRESS = "second-address"
    """He has fewer usable addresses than he should."""
    CODES_DO_NOT_ARRIVE = "codes-do-not-arrive"
    """Other mail arrives at this address, and codes do not."""
    ADDRESS_SUSPECT = "address-suspect"
    """What was sent to this address has failed."""


def advice(book: Addresses, wanted: int, now: int) -> list[tuple[Advice, str | None]]:
    """What to see to, and of which address: for whoever has mail addresses on file at all."""
    mails = [one for one in book.known if one.way is Way.MAIL and one.state is AddressState.CONFIRMED]
    heard = {one.id: book.heard.get(one.id, []) for one in mails}
    lost = [name for name in heard if loses_codes_only(heard[name], now)]
    bad = [name for name in heard if name not in lost and health(heard[name], CODES, now) in {Health.SUSPECT, Health.DEAD}]
    told: list[tuple[Advice, str | None]] = [(Advice.CODES_DO_NOT_ARRIVE, name) for name in lost]
    told += [(Advice.ADDRESS_SUSPECT, name) for name in bad]
    short = mails and len(mails) - len(lost) - len(bad) < wanted
    return [*told, *([(Advice.SECOND_ADDRESS, None)] if short else [])]
