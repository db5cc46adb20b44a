"""Messages on their way: each waits in the ledger since the commit that wanted it, and is handed over by whichever node is first.

That it is tried is on record before it is handed over. A node that dies in between loses its lease, its try is on record as lost,
and the message is handed over once more: twice is harmless, since it carries the same code under the same name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from sekisho.catalogue import LANGUAGES, say
from sekisho.core import delivery, enrolment, health
from sekisho.core.challenge import label_of
from sekisho.core.delivery import OVER, Course, course, may_follow
from sekisho.core.state import SECOND, Addresses, Challenge, Hop, Outgoing, Procedure, decode
from sekisho.flows.addresses import DAY_S, addresses_key
from sekisho.flows.mailfigures import Happened, MailFigures
from sekisho.policy.table import Item, Operation, Text
from sekisho.ports import Channels, Codes, Handed, Ledger, Message, Store, Tx
from sekisho.terms import MailGroup, Way

LEASE_S = 60
"""How long one node may take over handing a message over."""

WAITS_S = (15, 30, 60, 120)
"""Before a message that was put off is tried again; then every time the last."""

AT_ONCE = 128
"""Messages that one node has on their way at once."""

FINISH_S = 5
"""How long a node that stops waits for answers."""

PREFIX = "outbox:"

NOBODY_THERE = Handed(accepted=True, said="")
"""What is noted for a stranger's message."""

APP_CODE = "app-code"
"""What the letter is for that brings a code which enrols a device."""


def app_code(codes: Codes, letter: str) -> str:
    """The code in such a letter, by the letter's name."""
    return enrolment.spoken(codes.digest("app code by letter", letter))


def outbox_key(name: str) -> str:
    """The row of a message."""
    return PREFIX + name


def stands(row: Outgoing) -> Course:
    """Where a message stands."""
    return course(hop.what for hop in row.trace)


def is_closed(row: Outgoing) -> bool:
    """Whether nothing more is waited for. Of a letter nothing is heard once the printer has it."""
    if row.way is Way.LETTER and stands(row) in OVER:
        return True
    return any(hop.what in delivery.CLOSED for hop in row.trace)


class Taken(NamedTuple):
    """A message that this node is to hand over."""

    row: Outgoing
    to: str | None
    """None: the address is not on file."""
    about: Text
    """The operation that a code is for, or the item that a letter brings."""


class _Take:
    """Note that a message is tried now; what to hand over, and where to."""

    def __init__(self, key: str, row: Outgoing) -> None:
        self.keys: Sequence[str] = [key, addresses_key(row.subject), *([row.procedure] if row.procedure else [])]

    def decide(self, tx: Tx) -> Taken | None:
        """None: there is nothing to do about it now."""
        row = tx.get(self.keys[0], Outgoing)
        if row is None or row.challenge is None or stands(row) in OVER or _is_leased(row, tx.now):
            return None
        if stands(row) is Course.BEING_SENT:
            # Whoever tried it has died on it, before or after it was taken.
            row.trace = [*row.trace, Hop(tx.now, delivery.LOST)]
        if tx.now >= row.challenge.until:
            note(tx, self.keys[0], row, Hop(tx.now, delivery.LAPSED))
            return None
        row.trace = [*row.trace, Hop(tx.now, delivery.TRIED)]
        tx.put(self.keys[0], row, due=tx.now + LEASE_S * SECOND)
        book = tx.get(self.keys[1], Addresses) or Addresses()
        run = tx.get(row.procedure, Procedure) or Procedure()
        if row.way is Way.LETTER:
            return Taken(msgspec.structs.replace(row), row.subject, _named(tx.table.items.get(row.challenge.item)))
        to = next((one.to for one in (*book.known, *run.addresses, *(book.former if row.text else ())) if one.id == row.challenge.address), None)
        return Taken(msgspec.structs.replace(row), to, _named(tx.table.operations.get(row.operation)))


def _named(thing: Item | Operation | None) -> Text:
    return Text("", "") if thing is None else thing.text


def _is_leased(row: Outgoing, now: int) -> bool:
    return stands(row) is Course.BEING_SENT and now < row.trace[-1].at + LEASE_S * SECOND


class _Note:
    """Note what came of handing it over."""

    def __init__(self, key: str, subject: str, to: str | None, handed: Handed) -> None:
        self.keys: Sequence[str] = [key, addresses_key(subject)]
        self._to, self._handed = to, handed

    def decide(self, tx: Tx) -> Happened | None:
        """Late news too, where it can be true. What has happened to it by that."""
        row, told = tx.get(self.keys[0], Outgoing), self._handed
        if row is None or not may_follow(stands(row), _what(told)):
            return None
        seen = happened(tx, self.keys[1], row, _what(told), self._to)
        group = told.group or ""
        note(tx, self.keys[0], row, Hop(tx.now, _what(told), told.said, told.by, group, told.status, told.stage, told.queue))
        if _what(told) in {delivery.REFUSED, delivery.SUPPRESSED}:
            hear(tx, self.keys[1], row, group)
        return seen


def _what(handed: Handed) -> str:
    if handed.accepted:
        return delivery.ACCEPTED
    if handed.lost:
        return delivery.LOST
    if handed.again:
        return delivery.PUT_OFF
    return delivery.SUPPRESSED if handed.group is MailGroup.SUPPRESSED else delivery.REFUSED


def note(tx: Tx, key: str, row: Outgoing, hop: Hop) -> None:
    """Put one thing that happened to a message on record, and when it is looked at next."""
    row.trace = [*row.trace, hop]
    if row.way is Way.LETTER and stands(row) in OVER:
        # What stands in a letter lives longer than a code: from here on nobody can make it once more.
        row.challenge = None
    tx.put(key, row, due=_next_look(tx, row))


def _next_look(tx: Tx, row: Outgoing) -> int:
    if is_closed(row):
        kept_s = DAY_S if row.nowhere else tx.table.retention_s.get("mail-traces", DAY_S)
        return tx.now + kept_s * SECOND
    if stands(row) in OVER:
        # When its code is over it is known whether it was of use.
        return max(tx.now, row.challenge.until if row.challenge else tx.now)
    tries = sum(hop.what == delivery.TRIED for hop in row.trace)
    return tx.now + WAITS_S[max(0, min(tries, len(WAITS_S)) - 1)] * SECOND


def hear(tx: Tx, book_key: str, row: Outgoing, what: str) -> None:
    """Keep what a message has shown about its address, where that is still on file."""
    book = tx.get(book_key, Addresses)
    name = row.challenge.address if row.challenge else ""
    if book is None or all(one.id != name for one in book.known):
        return
    heard = health.hear(book.heard.get(name, []), what, health.CODES, tx.now)
    if heard != book.heard.get(name, []):
        book.heard = {**book.heard, name: heard}
        tx.put(book_key, book)


def happened(tx: Tx, book_key: str, row: Outgoing, what: str, to: str | None = None) -> Happened | None:
    """What is counted of that; None where it is no mail, or was to nobody. `to`: where it went; None: as it is on file."""
    if row.way is not Way.MAIL or row.nowhere:
        return None
    book, name = tx.get(book_key, Addresses) or Addresses(), row.challenge.address if row.challenge else ""
    to = to or next((one.to for one in (*book.known, *book.former) if one.id == name), None)
    return None if to is None else Happened(what, to, row.subject, (tx.now - row.made) / SECOND)


class Outbox:
    """This node's part in carrying messages.

    Args:
        ledger: where their course is put on record.
        store: the same ledger's store.
        codes: makes the code of a message when it is handed over.
        channels: the ways to customers that this node hands messages over to.
        carried: ways by which messages are carried, here or by other nodes; None: those of `channels`.
        figures: where it is counted what becomes of mail.

    """

    def __init__(
        self, ledger: Ledger, store: Store, codes: Codes, channels: Channels, carried: Collection[Way] | None = None,
        figures: MailFigures | None = None,
    ) -> None:
        self.wake = asyncio.Event()
        """Set when a message was put in."""
        self.figures = figures or MailFigures()
        self._ledger = ledger
        self._store = store
        self._codes = codes
        self._channels = channels
        self._carried = frozenset(channels if carried is None else carried)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._more = False
        """More was due than there was room for."""

    def carries(self, way: Way) -> bool:
        """Whether messages can go this way."""
        return way in self._carried

    async def deliver(self) -> int:
        """Hand over what is due, and wait for it; how many messages were looked at."""
        begun = await self.begin()
        await asyncio.gather(*self._under_way.values())
        return len(begun)

    async def begin(self) -> list[asyncio.Task[None]]:
        """Begin to hand over what is due: a server that is slow to answer keeps no other message waiting."""
        keys = await self._store.due(PREFIX, await self._store.clock(), AT_ONCE + len(self._under_way))
        fresh = [key for key in keys if key not in self._under_way][:AT_ONCE - len(self._under_way)]
        self._more = len(keys) > len(fresh)
        rows = await self._store.peek(fresh)
        found = [(key, decode(rows[key], Outgoing)) for key in fresh if key in rows]
        return [self._start(key, row) for key, row in found if not is_closed(row) and (self._channels or stands(row) in OVER)]

    def _start(self, key: str, row: Outgoing) -> asyncio.Task[None]:
        task = asyncio.create_task(self._close(key, row) if stands(row) in OVER else self._deliver(key, row))
        self._under_way[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        """Whoever is through makes room; the next are looked for when there is room for many."""
        self._under_way.pop(key, None)
        if not task.cancelled() and (no := task.exception()) is not None:
            # Its kind only: the text may hold the message. Its lease ends, and it is tried again.
            logging.getLogger("sekisho").error("handing over failed: %s", type(no).__name__)
        if self._more and len(self._under_way) <= AT_ONCE // 2:
            self.wake.set()

    async def finish(self) -> None:
        """Wait a little for what is under way: what came of it is to be on record."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=FINISH_S)

    async def _close(self, key: str, row: Outgoing) -> None:
        self.figures.note(await self._ledger.run(Close(key, row.subject)))

    async def _deliver(self, key: str, row: Outgoing) -> None:
        taken = await self._ledger.run(_Take(key, row))
        if taken is None:
            return
        handed = NOBODY_THERE if taken.row.nowhere else await self._hand_over(key, taken)
        self.figures.note(await self._ledger.run(_Note(key, row.subject, taken.to, handed)))

    def _code(self, row: Outgoing) -> str | None:
        if row.challenge is None:
            return None
        return app_code(self._codes, row.challenge.id) if row.operation == APP_CODE else self._codes.code(row.challenge)

    async def _hand_over(self, key: str, taken: Taken) -> Handed:
        row = taken.row
        code = self._code(row)
        channel = self._channels.get(row.way)
        if taken.to is None:
            return Handed(accepted=False, said="the address is no longer on file")
        if code is None:
            return Handed(accepted=False, said="the key of its code is gone")
        if channel is None:
            return Handed(accepted=False, said="this node has no such channel", again=True)
        try:
            return await channel.send(_message(key, taken, code))
        except Exception as no:  # noqa: BLE001  whatever breaks on the way out: its kind only, the text may hold the message
            return Handed(accepted=False, said=type(no).__name__, again=True)


class Close:
    """A code is over: what is known of its message now is what stays. That it was not used is noted, and held against its address
    only where the customer had asked for it again: whoever walks away says nothing of his mail.
    """

    def __init__(self, key: str, subject: str) -> None:
        self.keys: Sequence[str] = [key, addresses_key(subject)]

    def decide(self, tx: Tx) -> Happened | None:
        """Close it, if its time has come."""
        row = tx.get(self.keys[0], Outgoing)
        if row is None or row.challenge is None or is_closed(row) or stands(row) not in OVER or tx.now < row.challenge.until:
            return None
        seen = happened(tx, self.keys[1], row, delivery.UNUSED)
        asked_again = row.challenge.sends > 1
        note(tx, self.keys[0], row, Hop(tx.now, delivery.UNUSED))
        if asked_again:
            hear(tx, self.keys[1], row, health.UNUSED)
        return seen


def _message(key: str, taken: Taken, code: str) -> Message:
    """The message in the customer's language. Nothing of the code stands in its subject: that is shown on locked screens and in bounces."""
    row = taken.row
    assert row.challenge is not None, "only what is derived is sent"
    assert taken.to is not None, "only to an address"
    about = taken.about.ja if row.language == "ja" else taken.about.en
    if row.text:
        body = _announced(row, row.challenge, code)
    elif row.operation == APP_CODE:
        body = say(row.language, "letter.app-code", code=code)
    elif row.way is Way.LETTER:
        # To be typed as it stands, so not in groups.
        body = say(row.language, "letter.code", item=about, code=code)
    else:
        minutes = -(-(row.challenge.until - row.challenge.started) // (60 * SECOND))
        label = label_of(row.challenge)
        body = say(row.language, f"{row.way}.code", operation=about, code=_in_groups(code), label=label, minutes=minutes)
    return Message(key.removeprefix(PREFIX), taken.to, say(row.language, f"{row.way}.subject"), body, row.language)


def _announced(row: Outgoing, challenge: Challenge, code: str) -> str:
    """What everybody concerned must understand stands there in both languages."""
    days = (challenge.until - challenge.started) // (DAY_S * SECOND)
    return "\n\n".join(say(language, row.text, code=_in_groups(code), days=days) for language in LANGUAGES)


def _in_groups(code: str) -> str:
    """A long code in two halves, as people read it; entered with the space or without."""
    half = len(code) // 2
    return f"{code[:half]} {code[half:]}" if len(code) > 6 else code
