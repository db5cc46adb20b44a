"""Where codes may be sent: the addresses a bank has enrolled for a subject, and how much was sent to them lately.

A stranger's procedure looks the same: his addresses are made up from a keyed digest of his name, always the same ones,
and what is sent to them is counted on the row of his bucket.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from sekisho.core import address as masks
from sekisho.core import budget, health, registering
from sekisho.core.health import Health
from sekisho.core.scene import Scene
from sekisho.core.state import SECOND, Address, Addresses, Count
from sekisho.errors import CallerError
from sekisho.flows.subjects import Facts
from sekisho.policy.table import Counter, Item, Table
from sekisho.ports import Codes, Tx
from sekisho.terms import AddressState, Counting, ItemKind, PathKind, Reach, Way

HOUR_S, DAY_S = 3600, 24 * 3600

WAYS = {ItemKind.CODE: Way.MAIL, ItemKind.CONFIRMATION: Way.TELEPHONE}
"""By which way a code of a kind is sent."""

SENT_KEPT = 20
"""Messages that staff find beside a customer's addresses."""


class Enrolled(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One address as the bank tells it."""

    kind: Way
    to: Annotated[str, Meta(min_length=2, max_length=masks.LENGTH_MAX)]
    state: AddressState
    since: datetime | None = None
    """From when it has been the same; None: from now on, or as long as it has been on file here."""


def addresses_key(subject: str) -> str:
    """The row on which a subject's addresses are kept."""
    return f"addresses:{subject}"


def checked(enrolled: Sequence[Enrolled], table: Table) -> None:
    """Refuse what could be nobody's addresses.

    Raises:
        CallerError: one is none, stands twice, or there are more than the policy allows.

    """
    if len({(one.kind, one.to) for one in enrolled}) != len(enrolled):
        raise CallerError("an address stands twice")
    if sum(one.kind is Way.MAIL for one in enrolled) > int(table.mail["addresses"]):
        raise CallerError("these are more mail addresses than the policy allows one customer")
    if any(not masks.is_address(one.kind, one.to) for one in enrolled):
        raise CallerError("an address is a mail address, name@domain, or a telephone number, of digits, spaces, hyphens and a plus sign")


def on_file(before: Addresses | None, subject: str, enrolled: Sequence[Enrolled], codes: Codes, now: int) -> Addresses:
    """The row after an enrolment: one that was there keeps its time, unless the bank says another; one that is gone is told what happens."""
    book = before or Addresses()
    were = {one.id: one for one in book.known}
    known = []
    for one in enrolled:
        name = masks.id_of(codes.digest, subject, one.kind, one.to)
        since = were[name].since if name in were else now
        known.append(Address(name, one.kind, one.to, one.state, since if one.since is None else int(one.since.timestamp() * SECOND)))
    heard = {one.id: book.heard[one.id] for one in known if one.id in book.heard}
    ids = {one.id for one in known}
    former = [one for one in (*book.former, *book.known) if one.id not in ids]
    return Addresses(known=known, counts=book.counts, heard=heard, sent=book.sent, former=former)


_RANK = {Health.OK: 0, Health.UNKNOWN: 0, Health.SUSPECT: 1, Health.DEAD: 2}


class Choice(msgspec.Struct):
    """What may be chosen from for one item of one run."""

    way: Way
    book: str
    """Key of the row on which sends are counted."""
    subject: str
    shown: list[tuple[str, str]]
    """(id, masked address); empty: there is nowhere to send a code to."""
    stranger: bool


def sends(table: Table, operation: str, item: Item) -> bool:
    """Whether codes for this item are sent from here: not those that a desk hands out, nor those for addresses that nobody enters."""
    reaches = not item.confirms or registers(table, operation) is not None
    return item.kind in WAYS and item.verifies != "in-session" and item.name not in by_desk(table) and reaches


def by_desk(table: Table) -> set[str]:
    """The codes that a desk gives out."""
    return {
        name for path in table.paths.values() if path.kind is PathKind.DESK for case in path.cases for name in case.gives
        if name in table.items and table.items[name].kind in WAYS
    }


def registers(table: Table, operation: str) -> Item | None:
    """The item by which an operation takes new addresses; None: it takes none."""
    return next((item for name in table.operations[operation].rows if (item := table.items[name]).registers is not None), None)


def offered(table: Table, facts: Facts, item: Item, texts: Iterable[str], codes: Codes) -> list[Address] | None:
    """The new addresses that were entered, none of them confirmed yet; None: they cannot be anybody's."""
    way = item.registers
    found = None if way is None else masks.entered(way, texts, int(table.mail["addresses"]))
    if way is None or found is None:
        return None
    whose = facts.subjects[item.reach]
    return [Address(masks.id_of(codes.digest, whose, way, to), way, to, AddressState.UNCONFIRMED, 0) for to in found]


def _places(table: Table, operation: str, item: Item) -> list[str]:
    """Whose addresses: those of whoever the code is of, else of whoever the run is for."""
    return list(dict.fromkeys([item.reach.value, table.operations[operation].subject.value]))


def book_keys(table: Table, facts: Facts, item: Item) -> list[str]:
    """Every row of addresses that a run may look at for an item, whoever turns out to be enrolled."""
    named = registers(table, facts.operation) if item.confirms else None
    places = _places(table, facts.operation, item) if named is None else [named.reach.value]
    return [addresses_key(key) for where, subject, bucket in facts.parties if where in places for key in (subject, bucket)]


def choice(tx: Tx, scene: Scene, facts: Facts, item: Item, codes: Codes) -> Choice:
    """What the customer may choose from."""
    named = registers(tx.table, scene.operation.name) if item.confirms else None
    if named is not None:
        return _entered_now(scene, facts, item, named)
    way, known = WAYS[item.kind], ""
    places = [place for place in _places(tx.table, scene.operation.name, item) if place in scene.keys]
    for place in places:
        key = scene.keys[place]
        book = tx.get(addresses_key(key), Addresses)
        if not scene.guards[key].known:
            continue
        known = known or key
        found = masks.usable(book.known if book else [], way, item.unchanged_s or 0, tx.now)
        if book is not None and found:
            # What has taken codes well comes first. None is left out: news can be forged.
            found = sorted(found, key=lambda one: _RANK[health.health(book.heard.get(one.id, []), health.CODES, tx.now)])
            return Choice(way, addresses_key(key), key, [(one.id, masks.masked(way, one.to)) for one in found], stranger=False)
    if known or not places:
        return Choice(way, addresses_key(known), known, [], stranger=False)
    name = facts.subjects[places[0]]
    return Choice(
        way, addresses_key(scene.keys[places[0]]), name, masks.made_up(way, codes.digest("made up", name, way)), stranger=True,
    )


def _entered_now(scene: Scene, facts: Facts, item: Item, named: Item) -> Choice:
    """Of the addresses entered in this run those that no code has confirmed yet. A stranger's get none: he could have anybody written to."""
    way, key = WAYS[item.kind], scene.keys[named.reach]
    known = scene.guards[key].known or scene.guards[scene.keys[scene.operation.subject]].known
    shown = [(one.id, masks.masked(way, one.to)) for one in registering.waiting(scene.procedure)]
    return Choice(way, addresses_key(key), facts.subjects[named.reach], shown, stranger=not known)


def room(tx: Tx, book: Addresses, address: str) -> int | None:
    """From when one more message may be sent to an address, for messages were many; None: at once."""
    later = [_full(tx, book, counter, most) for counter, most in _ceilings(tx.table, address)]
    return max((at for at in later if at is not None), default=None)


def note_send(tx: Tx, choice_: Choice, book: Addresses, address: str, delivery: str) -> None:
    """Count a message. What a stranger's bucket counted is forgotten with the day it is about."""
    if not choice_.stranger:
        book.sent = [*book.sent, delivery][-SENT_KEPT:]
    for counter, _ in _ceilings(tx.table, address):
        budget.add(book.counts.setdefault(counter.name, Count()), counter, "message", 1, tx.now)
    for name in [name for name, count in book.counts.items() if not _stands(count, name, tx.now)]:
        del book.counts[name]
    nobodys = choice_.stranger or choice_.book.startswith(addresses_key("~"))
    tx.put(choice_.book, book, due=tx.now + 2 * DAY_S * SECOND if nobodys else None)


def _ceilings(table: Table, address: str) -> list[tuple[Counter, int]]:
    hour, day = table.mail.get("per_address_hour"), table.mail.get("per_customer_day")
    found = [] if hour is None else [(_messages(f"hour/{address}"), int(hour))]
    return found if day is None else [*found, (_messages("day"), int(day))]


def _messages(name: str) -> Counter:
    return Counter(name, Reach.ADDRESS, Counting.WITHIN, DAY_S if name == "day" else HOUR_S, ())


def _full(tx: Tx, book: Addresses, counter: Counter, most: int) -> int | None:
    count = book.counts.get(counter.name)
    if count is None:
        return None
    budget.refresh(count, counter, tx.now)
    if count.wrong < most:
        return None
    return min(end for end, _ in count.slices) + (counter.window_s or 0) * SECOND


def _stands(count: Count, name: str, now: int) -> bool:
    budget.refresh(count, _messages(name), now)
    return count.wrong > 0
