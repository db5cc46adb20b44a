"""What staff do about enrolments of the bank's app: one whose device is lost is removed, and a code for a new device goes out by letter.

No operator, no record and no answer holds the code: it follows from its letter's name under a key outside the database, once when its
digest is put on record and once when the letter is handed to the printer.
"""

from __future__ import annotations

import secrets as chance
from collections.abc import Sequence

import msgspec

from sekisho.core.state import SECOND, Challenge, Guard, Outgoing, decode
from sekisho.events import Event, EventKind
from sekisho.flows.acts import Denied, Operator, once
from sekisho.flows.apps import Adding, Apps, OnFile, adding_key, apps_key, remove, rows_of
from sekisho.flows.names import checked_subject
from sekisho.flows.outbox import APP_CODE, Outbox, app_code, outbox_key
from sekisho.flows.replay import InFlight, OtherBody, Repeated, Replay
from sekisho.flows.telling import announce, announcements_key
from sekisho.policy.table import Table
from sekisho.ports import Codes, Ledger, Store, Tx
from sekisho.terms import Reach, Way

BY_LETTER_S = 21 * 24 * 3600
"""How long a code that came by letter begins an enrolment (NIST SP 800-63B-4 section 4.1.2: twenty-one days by post). Seconds."""

NOT_ENROLLED = Denied("not-enrolled", "nobody of this name is enrolled", conflict=True)
NO_SUCH_APP = Denied("no-such-app", "this customer has no such device", conflict=True)
NO_LETTERS = Denied("no-letters", "this service has no way to send letters; show the code in a session", conflict=True)


class Removed(msgspec.Struct):
    """The devices that are left."""

    left: list[OnFile]


class Posted(msgspec.Struct):
    """A code is on its way."""

    letter: str
    """The message that carries it."""


Told = Removed | Posted | Denied | Repeated | OtherBody | InFlight


class _Lost:
    """Remove an enrolment whose device is lost."""

    def __init__(
        self, table: Table, customer: str, account: str | None, app: str, reason: str, operator: Operator, replay: Replay | None,
    ) -> None:
        self._customer, self._app, self._reason, self._operator, self._replay = customer, app, reason, operator, replay
        self._holders = [customer, *([account] if account else [])]
        self._secrets = rows_of(table, app)
        rows = [apps_key(customer), announcements_key(customer), app, *self._secrets, *self._holders]
        self.keys: Sequence[str] = [*rows, *([replay.key] if replay else [])]

    def decide(self, tx: Tx) -> Told:
        """Remove it and have the customer told, or say why not."""
        return once(tx, self._replay, self._remove)

    def _remove(self, tx: Tx) -> Removed | Denied:
        left = remove(tx, self._customer, self._app, self._secrets, self._holders)
        if left is None:
            return NO_SUCH_APP
        tx.tell(Event(EventKind.APP_REMOVED, self._customer, operator=self._operator.name, reason=self._reason))
        return Removed(left)


class _Post:
    """Put a code on record, and the letter that brings it into the outbox."""

    def __init__(self, codes: Codes, customer: str, reason: str, language: str, operator: Operator, replay: Replay | None) -> None:
        self._customer, self._reason, self._language, self._operator, self._replay = customer, reason, language, operator, replay
        self._letter = chance.token_urlsafe(18)
        self._code = adding_key(codes, app_code(codes, self._letter))
        self._bound = codes.digest("letter", customer, APP_CODE)
        self._version = codes.version
        rows = [customer, self._code, outbox_key(self._letter), announcements_key(customer)]
        self.keys: Sequence[str] = [*rows, *([replay.key] if replay else [])]

    def decide(self, tx: Tx) -> Told:
        """Send it, or say why not; a request sent twice is one letter."""
        return once(tx, self._replay, self._post)

    def _post(self, tx: Tx) -> Posted | Denied:
        guard = tx.get(self._customer, Guard)
        if guard is None or not guard.known:
            return NOT_ENROLLED
        until = tx.now + BY_LETTER_S * SECOND
        tx.put(self._code, Adding(subject=self._customer, until=until, made=tx.now), due=until)
        sent = Challenge(self._letter, "", "", self._bound, self._version, 8, started=tx.now, until=until)
        row = Outgoing(subject=self._customer, way=Way.LETTER, challenge=sent, operation=APP_CODE, language=self._language, made=tx.now)
        tx.put(outbox_key(self._letter), row, due=tx.now)
        tx.tell(Event(EventKind.LETTER_MADE, self._customer, operator=self._operator.name, reason=self._reason))
        announce(tx, self._customer, "app-code-by-letter")
        return Posted(self._letter)


class AppDesk:
    """The staff's side of all enrolments.

    Args:
        ledger: where they are put on record.
        store: the same ledger's store.
        codes: makes the codes that go out.
        outbox: carries the letters.

    """

    def __init__(self, ledger: Ledger, store: Store, codes: Codes, outbox: Outbox) -> None:
        self._ledger, self._store, self._codes, self._outbox = ledger, store, codes, outbox

    async def shown(self, customer: str) -> list[OnFile]:
        """A customer's devices, the oldest first."""
        key = apps_key(checked_subject(customer))
        body = (await self._store.peek([key])).get(key)
        return [] if body is None else decode(body, Apps).known

    async def lost(self, table: Table, customer: str, app: str, reason: str, operator: Operator, replay: Replay | None = None) -> Told:
        """A device is lost or stolen: it enters nothing any more, and the customer is told on every channel.

        Raises:
            CallerError: a name that can be no subject's.

        """
        for name in (customer, app):
            checked_subject(name)
        body = (await self._store.peek([customer])).get(customer)
        account = None if body is None else decode(body, Guard).links.get(Reach.ACCOUNT)
        return await self._ledger.run(_Lost(table, customer, account, app, reason, operator, replay))

    async def post(self, customer: str, reason: str, language: str, operator: Operator, replay: Replay | None = None) -> Told:
        """Send a code that enrols a device, by letter; the customer is told on every channel that it is on its way.

        Raises:
            CallerError: a name that can be no subject's.

        """
        checked_subject(customer)
        if not self._outbox.carries(Way.LETTER):
            return NO_LETTERS
        done = await self._ledger.run(_Post(self._codes, customer, reason, language, operator, replay))
        self._outbox.wake.set()
        return done
