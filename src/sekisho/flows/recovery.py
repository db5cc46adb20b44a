"""The way back that the desk opens: what its act takes away and gives, the code that reaches the customer unseen, and what comes of it.

All that the act changes is one commit. What follows outside of it (telling the customer, handing the code over, the end of its life)
stands on the customer's row as still to be done, and any node goes on with it: twice is harmless, and what fails is a person's to
look at, with an owner.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets as chance
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from sekisho.core import budget, release
from sekisho.core import case as matter
from sekisho.core.address import usable
from sekisho.core.case import Case, CaseState
from sekisho.core.delivery import FAILED, OVER
from sekisho.core.state import SECOND, Address, Addresses, Announced, Announcements, Challenge, Guard, Outgoing, Procedure, Recovery, Session, decode
from sekisho.events import Event, EventKind
from sekisho.flows.acts import Denied
from sekisho.flows.addresses import addresses_key, by_desk
from sekisho.flows.effects import recovery_key
from sekisho.flows.outbox import outbox_key, stands
from sekisho.flows.telling import announce, announcements_key
from sekisho.policy.table import Item, ReleasePath, Table
from sekisho.ports import Codes, Ledger, Store, Tx
from sekisho.terms import AddressState, Reach, State, Way

RECOVERIES, ANNOUNCEMENTS = "recovery:", "announcements:"

LOOK_S = 30
"""How often it is looked whether a code that is on its way has got on. Seconds."""

KEPT_S = 30 * 24 * 3600
"""How long what has come to its end is kept on the customer's row; the case says it for longer. Seconds."""

NOT_ME_S = 7 * 24 * 3600
"""How long somebody who was told may answer that it was not he. Seconds."""

NOT_ME_DIGITS = 10

AT_ONCE = 200

TELEPHONE, SESSION, LETTER = "telephone", "session", "letter"

CARRIED_BY = {TELEPHONE: Way.TELEPHONE, LETTER: Way.LETTER}
"""The ways on which the code is a message. It stands in the outbox as what it follows from, and a machine says or prints it."""


class Plan(NamedTuple):
    """What an act may touch, found before anything is locked, what chance gives to it, and whether letters go out here."""

    subject: str
    account: str | None
    sources: Sequence[str]
    challenge: str
    delivery: str
    version: int
    letters: bool

    @property
    def keys(self) -> list[str]:
        """Every row the act may touch, besides the case and the customer's own."""
        accounts = [] if self.account is None else [addresses_key(self.account)]
        return [
            addresses_key(self.subject), *accounts, recovery_key(self.subject), announcements_key(self.subject), outbox_key(self.delivery),
            *self.sources,
        ]


async def plan(store: Store, codes: Codes, case: Case, path: str, *, letters: bool) -> Plan:
    """Look at whom an act concerns; what has changed since is found when it is done."""
    body = (await store.peek([case.subject])).get(case.subject)
    guard = Guard() if body is None else decode(body, Guard)
    sources = {lock.source for lock in release.by_path(guard.locks, path) if lock.source is not None} - {case.subject}
    rows = sorted(source for source in sources if not source.startswith(("procedure:", "session:")))
    return Plan(case.subject, guard.links.get(Reach.ACCOUNT), rows, chance.token_urlsafe(18), chance.token_urlsafe(18), codes.version, letters)


def gives_code(path: ReleasePath, table: Table) -> Item | None:
    """The code that an act has handed to the customer; None: it has none."""
    return next((table.items[name] for name in path.cases[-1].gives if name in by_desk(table)), None)


def cannot(tx: Tx, case_name: str, subject: str, path: ReleasePath, plan: Plan) -> Denied | None:
    """Why an act cannot be done now, besides who may when."""
    row = tx.get(recovery_key(subject), Recovery)
    code = gives_code(path, tx.table)
    if code is None:
        return None
    if row is not None and not row.over:
        whose = "in this case" if row.case == case_name else "in another case of this customer"
        return Denied("recovery-under-way", f"a release code is out already, {whose}; wait until it is used or lapses", conflict=True)
    case = tx.get(f"case:{case_name}", Case)
    if case is None or _way(tx, case, plan, code) is None:
        return Denied("no-way-to-hand-over", "the code cannot reach the customer by the way that verified him; verify him by another", conflict=True)
    return None


def _way(tx: Tx, case: Case, plan: Plan, code: Item) -> tuple[str, str, str] | None:
    """(way, whose or which session, address) by which the code reaches the customer: that by which he was verified (A11).

    Whoever writes cannot be rung up: to him it goes by letter, unless he has a session in front of him.
    """
    if case.verified is None:
        return None
    if case.verified.how == "in-session":
        return None if case.verified.session is None else (SESSION, case.verified.session, "")
    if case.how == "writing" and plan.letters and code.by_letter_s is not None:
        return LETTER, plan.subject, ""
    unchanged_s = max((item.unchanged_s or 0 for item in tx.table.items.values() if item.verifies == "sent"), default=0)
    for holder in (plan.account, plan.subject):
        book = None if holder is None else tx.get(addresses_key(holder), Addresses)
        found = usable(book.known, Way.TELEPHONE, unchanged_s, tx.now) if book else []
        if holder is not None and found:
            return TELEPHONE, holder, found[0].id
    return None


def begin(tx: Tx, plan: Plan, name: str, case: Case, guard: Guard, path: ReleasePath, operators: str, reason: str) -> None:
    """Do all that the policy says of an act, in this commit."""
    subject = plan.subject
    removed = _remove(tx, subject, operators, reason) if "mail-address" in path.cases[-1].removes else []
    _lift(tx, plan, guard, path, operators, reason)
    guard.flags = sorted((set(guard.flags) | set(path.sets)) - set(path.clears))
    tx.put(subject, guard)
    tx.tell(Event(EventKind.RELEASE_DONE, subject, path=path.name, operator=operators, reason=reason))
    if "all-channels" in path.tells:
        announce(tx, subject, "mail-addresses-deleted" if removed else "desk-act", letter="letter" in path.tells)
    code = gives_code(path, tx.table)
    way = None if code is None else _way(tx, case, plan, code)
    if code is None or way is None:
        matter.move(case, matter.CARRIED)
        return
    _forget_tries(tx, guard, code)
    made = Challenge(
        plan.challenge, code.name, way[2], subject.encode(), plan.version, code.digits or int(tx.table.mail["code_digits"]), started=tx.now,
        until=tx.now + _life_s(tx.table, code, way[0]) * SECOND, sends=1, last_sent=tx.now,
    )
    row = Recovery(
        case=name, path=path.name, operators=operators, code=made, way=way[0], to=way[1], removed=removed, flags=list(path.sets),
    )
    if way[0] in CARRIED_BY:
        row.deliveries = [plan.delivery]
        tx.put(outbox_key(plan.delivery), Outgoing(
            subject=way[1], way=CARRIED_BY[way[0]], challenge=made, text=f"{way[0]}.release", made=tx.now), due=tx.now)
    tx.put(recovery_key(subject), row, due=tx.now + LOOK_S * SECOND)
    matter.move(case, matter.DONE)
    matter.note(case, tx.now, operators, f"code-by-{way[0]}")
    case.call_back = None


def _life_s(table: Table, code: Item, way: str) -> int:
    """How long the code is good for something, by the way it goes."""
    by_post = code.by_letter_s if way == LETTER else None
    return by_post or code.valid_s or int(table.mail["code_valid_s"])


def _remove(tx: Tx, subject: str, operators: str, reason: str) -> list[Address]:
    """Take the mail addresses off the file. They are remembered, to be told."""
    book = tx.get(addresses_key(subject), Addresses) or Addresses()
    removed = [one for one in book.known if one.way is Way.MAIL]
    book.known = [one for one in book.known if one.way is not Way.MAIL]
    book.former = removed
    tx.put(addresses_key(subject), book)
    tx.tell(Event(EventKind.ADDRESSES_DELETED, subject, operator=operators, reason=reason, number=len(removed)))
    return removed


def _lift(tx: Tx, plan: Plan, guard: Guard, path: ReleasePath, operators: str, reason: str) -> None:
    sources = {key: row for key in plan.sources if (row := tx.get(key, Guard)) is not None}
    sources[plan.subject] = guard
    for lock in release.by_path(guard.locks, path.name):
        if not release.is_at_hand(lock, {plan.subject, *plan.sources}):
            continue
        release.lift(plan.subject, guard, lock, sources, tx.table, tx.tell, path=path.name, operator=operators, reason=reason)
    for key, row in sources.items():
        tx.put(key, row)


def _forget_tries(tx: Tx, guard: Guard, code: Item) -> None:
    """A code that is new has all its tries. Counts that other items share stay as they are."""
    rows = [row for operation in tx.table.operations.values() for variants in operation.rows.values() for row in variants]
    for name, count in guard.counts.items():
        if {row.item for row in rows for gauge in row.gauges if gauge.counter.name == name} == {code.name}:
            budget.zero(count)


# -- what follows of it ------------------------------------------------------------------------------------------------------


class _Follow:
    """See what has become of a recovery, and put down what follows."""

    def __init__(self, subject: str, row: Recovery) -> None:
        self._subject = subject
        delivery = [outbox_key(name) for name in row.deliveries[-1:]]
        self.keys: Sequence[str] = [
            recovery_key(subject), subject, addresses_key(subject), f"case:{row.case}", *delivery, *([row.procedure] if row.procedure else []),
        ]
        self._delivery, self._procedure, self._case = delivery, row.procedure, row.case

    def decide(self, tx: Tx) -> None:
        """One step, or none: then only when it is looked at next."""
        key = self.keys[0]
        row, case = tx.get(key, Recovery), tx.get(f"case:{self._case}", Case)
        guard = tx.get(self._subject, Guard)
        if row is None or row.over or guard is None or row.procedure != self._procedure or row.case != self._case:
            return
        if row.done is not None:
            self._recovered(tx, row, case)
        elif (why := self._lapsed(tx, row, guard)) is not None:
            undo(tx, self._subject, row, guard, case, why)
        else:
            self._wait(tx, row, case)

    def _lapsed(self, tx: Tx, row: Recovery, guard: Guard) -> str | None:
        """Why nothing more can come of it; None: something can."""
        code = row.code
        if code is None:
            return "lapsed"
        if code.consumed is not None:
            run = tx.get(row.procedure, Procedure)
            lives = run is not None and run.state is State.OPEN and tx.now < run.expires and guard.valid_after < run.started
            return None if lives or (run is not None and run.state is State.DONE) else "not-finished"
        if any(code.item in lock.items and lock.stands(tx.now) for lock in guard.locks):
            return "tries-spent"
        return "lapsed" if tx.now >= code.until else None

    def _recovered(self, tx: Tx, row: Recovery, case: Case | None) -> None:
        row.over = True
        tx.put(self.keys[0], row, due=tx.now + KEPT_S * SECOND)
        tx.tell(Event(EventKind.RECOVERED, self._subject, path=row.path, operator=row.operators))
        if case is not None and matter.may_move(case, matter.RECOVERED):
            matter.move(case, matter.RECOVERED)
            matter.note(case, tx.now, "", "recovered")
            tx.put(f"case:{self._case}", case)

    def _wait(self, tx: Tx, row: Recovery, case: Case | None) -> None:
        message = tx.get(self._delivery[0], Outgoing) if self._delivery else None
        until = row.until
        if row.procedure and (run := tx.get(row.procedure, Procedure)) is not None:
            until = run.expires
        if message is not None and stands(message) in FAILED and case is not None and case.state is CaseState.WITH_CUSTOMER:
            matter.move(case, matter.FAILED)
            matter.note(case, tx.now, "", "not-handed-over")
            tx.put(f"case:{self._case}", case)
        arrived = message is None or stands(message) in OVER
        tx.put(self.keys[0], row, due=until if arrived else min(until, tx.now + LOOK_S * SECOND))


def lapse(tx: Tx, subject: str) -> None:
    """A code that the desk has released is good for nothing any more, and the desk has the case again. What follows follows as ever."""
    row = tx.get(recovery_key(subject), Recovery)
    if row is not None and not row.over and row.done is None and row.code is not None:
        row.code.until = min(row.code.until, tx.now)
        tx.put(recovery_key(subject), row, due=tx.now)


def undo(tx: Tx, subject: str, row: Recovery, guard: Guard, case: Case | None, why: str) -> None:
    """Nothing has come of it: what was taken off the file is on it again, and the desk has the case once more."""
    row.over = True
    tx.put(recovery_key(subject), row, due=tx.now + KEPT_S * SECOND)
    guard.flags = sorted(set(guard.flags) - set(row.flags))
    tx.put(subject, guard)
    book = tx.get(addresses_key(subject), Addresses) or Addresses()
    if not any(one.way is Way.MAIL for one in book.known):
        ids = {one.id for one in row.removed}
        book.known = [*book.known, *row.removed]
        book.former = [one for one in book.former if one.id not in ids]
        tx.put(addresses_key(subject), book)
    tx.tell(Event(EventKind.DELETION_UNDONE, subject, path=row.path, reason=why))
    event = matter.DISAVOWED if why == "not-me" else matter.LAPSED
    if case is not None and matter.may_move(case, event):
        matter.move(case, event)
        case.verified = None
        matter.note(case, tx.now, "", why)
        tx.put(f"case:{row.case}", case)


class _Announce:
    """Put messages to every channel on file on their way, and note that it is done: both in one commit."""

    def __init__(self, subject: str, account: str | None, deliveries: Sequence[str], version: int) -> None:
        self._subject, self._version = subject, version
        self._holders = [subject, *([account] if account else [])]
        self._deliveries = deliveries
        self.keys: Sequence[str] = [
            announcements_key(subject), subject, *(addresses_key(one) for one in self._holders), *(outbox_key(one) for one in deliveries),
        ]

    def decide(self, tx: Tx) -> bool:
        """Tell the oldest that was not told. Whether there was one."""
        key = self.keys[0]
        row = tx.get(key, Announcements)
        one = next((one for one in row.made if one.told is None), None) if row else None
        if row is None or one is None:
            if row is not None:
                tx.put(key, row, due=tx.now + NOT_ME_S * SECOND)
            return False
        channels = self._channels(tx)
        if one.letter:
            channels.append((self._subject, Address("", Way.LETTER, "", AddressState.CONFIRMED, 0)))
        one.told = [
            self._tell(tx, delivery, holder, address, one) for delivery, (holder, address) in zip(self._deliveries, channels, strict=False)
        ]
        left = any(one.told is None for one in row.made)
        tx.put(key, row, due=tx.now if left else tx.now + NOT_ME_S * SECOND)
        tx.get(self._subject, Guard)
        tx.tell(Event(EventKind.CUSTOMER_TOLD, self._subject, path=one.text.partition(".")[2], number=len(one.told)))
        return True

    def _channels(self, tx: Tx) -> list[tuple[str, Address]]:
        """Every channel on file and those that were deleted, each once."""
        books = [(holder, tx.get(addresses_key(holder), Addresses)) for holder in self._holders]
        found = [(holder, one) for holder, book in books if book is not None for one in (*book.known, *book.former)]
        return list({(one.way, one.to): (holder, one) for holder, one in found}.values())

    def _tell(self, tx: Tx, delivery: str, holder: str, address: Address, one: Announced) -> str:
        code = Challenge(
            delivery, "", address.id, self._subject.encode(), self._version, NOT_ME_DIGITS, started=one.made, until=one.made + NOT_ME_S * SECOND,
            sends=1, last_sent=tx.now,
        )
        tx.put(outbox_key(delivery), Outgoing(subject=holder, way=address.way, challenge=code, text=one.text, made=tx.now), due=tx.now)
        return delivery


class _Hand:
    """Show the release code to the customer, in the session in which he was verified."""

    def __init__(self, subject: str, session: str, codes: Codes) -> None:
        self.keys: Sequence[str] = [recovery_key(subject), subject]
        self._session, self._codes = session, codes

    def decide(self, tx: Tx) -> str | None:
        """The code, while it is good for anything."""
        key, subject = self.keys
        row = tx.get(key, Recovery)
        if row is None or row.over or row.code is None or row.code.consumed is not None or tx.now >= row.code.until:
            return None
        if (row.way, row.to) != (SESSION, self._session):
            return None
        if row.handed is None:
            row.handed = tx.now
            tx.put(key, row)
            tx.get(subject, Guard)
            tx.tell(Event(EventKind.CODE_RELEASED, subject, path=row.path))
        return self._codes.code(row.code)


GUESSES_MAX = 20
"""Wrong codes of somebody who says that it was not he, for one customer; then the telephone is left."""


class _Disavow:
    """Somebody who was told says that it was not he: nothing comes of what is under way, and the desk has the case again."""

    def __init__(self, subject: str, told: Sequence[str], case: str, typed: str, codes: Codes) -> None:
        self.keys: Sequence[str] = [
            announcements_key(subject), recovery_key(subject), subject, addresses_key(subject), f"case:{case}", *told,
        ]
        self._subject, self._told, self._case, self._codes = subject, told, case, codes
        self._typed = "".join(sign for sign in typed if sign.isdigit()).encode()

    def decide(self, tx: Tx) -> bool:
        """Whether he was told; every wrong code is counted before anybody hears of it."""
        key = self.keys[0]
        row, guard = tx.get(key, Announcements), tx.get(self._subject, Guard)
        if row is None or guard is None or row.guesses >= GUESSES_MAX:
            return False
        if not any(self._is_it(tx, one) for one in self._told):
            row.guesses += 1
            tx.put(key, row)
            return False
        held, case = tx.get(recovery_key(self._subject), Recovery), tx.get(f"case:{self._case}", Case)
        tx.tell(Event(EventKind.DISAVOWED, self._subject))
        if held is not None and held.case == self._case and not held.over and held.done is None:
            undo(tx, self._subject, held, guard, case, "not-me")
        elif case is not None and matter.may_move(case, matter.DISAVOWED):
            matter.move(case, matter.DISAVOWED)
            matter.note(case, tx.now, "", "not-me")
            tx.put(f"case:{self._case}", case)
        return True

    def _is_it(self, tx: Tx, key: str) -> bool:
        message = tx.get(key, Outgoing)
        code = message.challenge if message is not None else None
        made = None if code is None or tx.now >= code.until else self._codes.code(code)
        return made is not None and hmac.compare_digest(made.encode(), self._typed)


CHANNELS_MAX = 24
"""Channels that one customer can have, those that were deleted included."""


class Recoveries:
    """Goes on with everything that the desk has set going.

    Args:
        ledger: where it is on record.
        store: the same ledger's store.
        codes: makes what stands in messages.

    """

    def __init__(self, ledger: Ledger, store: Store, codes: Codes) -> None:
        self._ledger, self._store, self._codes = ledger, store, codes

    async def go_on(self) -> int:
        """One step of everything that is due. How much there was."""
        now = await self._store.clock()
        keys = await self._store.due(RECOVERIES, now, AT_ONCE)
        rows = {key: decode(body, Recovery) for key, body in (await self._store.peek(keys)).items()}
        works = [_Follow(key.removeprefix(RECOVERIES), row) for key, row in rows.items() if not row.over]
        told = await self._store.due(ANNOUNCEMENTS, now, AT_ONCE)
        await asyncio.gather(*(self._ledger.run(work) for work in works), *(self._announce(key) for key in told))
        return len(works) + len(told)

    async def code_in(self, session: str) -> str | None:
        """The release code that is to be shown in this live session; None: there is none. The caller has seen that it lives."""
        key = f"session:{session}"
        body = (await self._store.peek([key])).get(key)
        return None if body is None else await self._ledger.run(_Hand(decode(body, Session).subject, key, self._codes))

    async def disavow(self, subject: str, typed: str) -> bool:
        """Somebody who was told says that it was not he. Whether the code is one that he was told."""
        key = announcements_key(subject)
        rows = await self._store.peek([key, recovery_key(subject)])
        made = decode(rows[key], Announcements).made if key in rows else []
        told = [outbox_key(name) for one in made for name in one.told or ()]
        held = decode(rows[recovery_key(subject)], Recovery) if recovery_key(subject) in rows else Recovery()
        return await self._ledger.run(_Disavow(subject, told, held.case, typed, self._codes))

    async def _announce(self, key: str) -> None:
        subject = key.removeprefix(ANNOUNCEMENTS)
        body = (await self._store.peek([key])).get(key)
        if body is None or all(one.told is not None for one in decode(body, Announcements).made):
            return
        guard = (await self._store.peek([subject])).get(subject)
        account = None if guard is None else decode(guard, Guard).links.get(Reach.ACCOUNT)
        deliveries = [chance.token_urlsafe(18) for _ in range(CHANNELS_MAX)]
        await self._ledger.run(_Announce(subject, account, deliveries, self._codes.version))


def is_needed(row: msgspec.Struct | None) -> bool:
    """Whether something is still to come of it, so that its row is not forgotten though it is due."""
    if isinstance(row, Recovery):
        return not row.over
    return isinstance(row, Announcements) and any(one.told is None for one in row.made)


__all__ = ["ANNOUNCEMENTS", "RECOVERIES", "Plan", "Recoveries", "begin", "cannot", "gives_code", "is_needed", "lapse", "plan", "undo"]
