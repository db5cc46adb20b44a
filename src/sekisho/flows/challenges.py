"""Codes that are sent: which address, may it be sent now, a challenge on the run, and a message in the outbox in the same commit."""

from __future__ import annotations

import secrets as chance
from collections.abc import Mapping

import msgspec

from sekisho.core import attempt as core
from sekisho.core import challenge as challenges
from sekisho.core import delivery
from sekisho.core import procedure as run_of
from sekisho.core.address import masked
from sekisho.core.challenge import Later, Limits, bound_to, label_of
from sekisho.core.delivery import Course, course
from sekisho.core.scene import Scene
from sekisho.core.state import SECOND, Addresses, Challenge, Outgoing, Procedure, decode
from sekisho.errors import CallerError, LedgerUnavailable
from sekisho.events import Event, EventKind
from sekisho.flows import addresses, answers
from sekisho.flows.addresses import Choice
from sekisho.flows.answers import Answer, Message, Refused
from sekisho.flows.attempt import Entry, Missing, Stale, record
from sekisho.flows.names import item_named
from sekisho.flows.outbox import Outbox, outbox_key
from sekisho.flows.replay import InFlight, OtherBody, Repeated, Replay, remember, remembered
from sekisho.flows.runs import Runs
from sekisho.flows.subjects import Facts, Subjects
from sekisho.policy.table import Item, Table
from sekisho.ports import Codes, Ledger, Store, Tx
from sekisho.terms import ItemKind, Outcome, PathKind, State, Way


class Sent(msgspec.Struct):
    """A code is on its way."""

    challenge: str
    delivery: str
    label: str
    address: str
    """Behind its mask."""
    again_at: int
    """From when it may be sent again."""


class NotNow(msgspec.Struct):
    """No code was sent, for so many were; when one may be asked for again may be told."""

    answer: Answer
    until: int


class NoSuchAddress(msgspec.Struct):
    """The address named is none of those to choose from."""


class Reachable(msgspec.Struct):
    """One address to choose from."""

    id: str
    item: str
    kind: Way
    address: str


class Delivered(msgspec.Struct):
    """What is known of one message."""

    delivery: str
    challenge: str
    label: str
    item: str
    kind: Way
    at: int
    course: Course | None
    """None: whoever asks has proved nothing yet, and is told nothing that depends on whom the run is about."""
    address: str = ""
    """Behind its mask."""
    heard_at: int | None = None
    why: str = ""
    """Why it did not arrive (`MailGroup`); `unknown`: it may lie somewhere; empty: there is nothing to explain."""
    another: bool = False
    """Another address is the next step."""


Telling = Sent | NotNow | NoSuchAddress | Refused | Missing | Stale | Repeated | OtherBody | InFlight


class Send(Entry):
    """Send a code, or say why none is sent."""

    __slots__ = ("_address", "_codes", "_delivery", "_fresh", "_kind", "_language")

    def __init__(
        self, subjects: Subjects, facts: Facts, item: Item, owner: str, books: list[str], codes: Codes, *, address: str | None,
        language: str, replay: Replay | None,
    ) -> None:
        self._fresh, self._delivery = chance.token_urlsafe(18), chance.token_urlsafe(18)
        super().__init__(subjects, facts, item.name, owner, "", extra=[*books, outbox_key(self._delivery)], replay=replay)
        self._kind = item
        self._codes = codes
        self._address = address
        self._language = language

    def decide(self, tx: Tx) -> Telling:
        """A request sent twice sends once; what closes the item for entries closes it for codes too."""
        told = remembered(tx, self.replay)
        if told is not None:
            return told
        scene = self.unclosed(tx)
        if not isinstance(scene, Scene):
            return scene
        sent = self._send(tx, scene)
        record(tx, scene)
        if isinstance(sent, Sent):
            remember(tx, self.replay, sent)
        return sent

    def _send(self, tx: Tx, scene: Scene) -> Sent | NotNow | NoSuchAddress | Refused:
        choice = addresses.choice(tx, scene, self.facts, self._kind, self._codes)
        if not choice.shown:
            return Refused(Answer(Outcome.REFUSED, scene.procedure.state, answers.asked(scene), _nowhere(tx.table, [self._kind])), core.Why.UNNAMED)
        chosen = next((one for one in choice.shown if self._address in {None, one[0]}), None)
        if chosen is None:
            return NoSuchAddress()
        book = tx.get(choice.book, Addresses) or Addresses()
        many = addresses.room(tx, book, chosen[0])
        if many is not None:
            return _not_now(scene, Later(many, spent=True))
        run = scene.procedure
        fresh = Challenge(
            self._fresh, self.item, chosen[0], bound_to(scene.procedure_key, run), self._codes.version, _digits(tx.table, self._kind),
        )
        sent = challenges.send(run, fresh, _limits(tx.table, self._kind), tx.now)
        if isinstance(sent, Later):
            return _not_now(scene, sent)
        addresses.note_send(tx, choice, book, chosen[0], self._delivery)
        self._put_into_outbox(tx, scene, sent, choice)
        return Sent(sent.id, self._delivery, label_of(sent), chosen[1], sent.last_sent + _limits(tx.table, self._kind).wait_s * 1_000_000)

    def _put_into_outbox(self, tx: Tx, scene: Scene, sent: Challenge, choice: Choice) -> None:
        sent.deliveries.append(self._delivery)
        scene.touch(scene.procedure_key)
        scene.tell(Event(
            EventKind.CODE_SENT, scene.keys[scene.operation.subject.value], scene.operation.name, self.item, procedure=scene.procedure_key,
            number=sent.sends,
        ))
        tx.put(outbox_key(self._delivery), Outgoing(
            subject=choice.subject, way=choice.way, challenge=sent, operation=scene.operation.name, procedure=scene.procedure_key,
            language=self.facts.language or self._language, nowhere=choice.stranger, made=tx.now,
        ), due=tx.now)


def _nowhere(table: Table, items: list[Item]) -> Message:
    """What is told where there is nowhere to send a code to: that paper is left, if the policy says so."""
    left = [table.paths[item.without].kind for item in items if item.without is not None]
    return Message.NO_ADDRESS_BUT_PAPER if PathKind.FORM in left else Message.NO_ADDRESS


def _not_now(scene: Scene, later: Later) -> NotNow:
    message = Message.SENT_ENOUGH if later.spent else Message.SENT_JUST_NOW
    return NotNow(Answer(Outcome.REFUSED, scene.procedure.state, answers.asked(scene), message), later.until)


def _limits(table: Table, item: Item) -> Limits:
    mail = table.mail
    valid_s = item.valid_s or int(mail["code_valid_s"])
    return Limits(int(mail["addresses"]), int(mail["resend_per_challenge"]), int(mail["resend_wait_s"]), valid_s)


def _digits(table: Table, item: Item) -> int:
    return item.digits or int(table.mail["code_digits"])


class _Reach(Entry):
    """Look at where codes may be sent to now; change nothing."""

    __slots__ = ("_codes",)

    def __init__(self, subjects: Subjects, facts: Facts, owner: str, books: list[str], codes: Codes) -> None:
        super().__init__(subjects, facts, "", owner, "", extra=books)
        self._codes = codes

    def decide(self, tx: Tx) -> tuple[list[Reachable], Message] | Missing | Stale:
        """Only what the run asks for now: before that nothing is told of whom it is about."""
        scene = self.scene(tx)
        if not isinstance(scene, Scene):
            return scene
        if not scene.alive():
            return [], Message.DONE if scene.procedure.state is State.DONE else Message.START_OVER
        items = [item for name in run_of.awaited(scene) if addresses.sends(tx.table, self.facts.operation, item := tx.table.items[name])]
        found = [
            Reachable(name, item.name, choice.way, shown)
            for item in items for choice in [addresses.choice(tx, scene, self.facts, item, self._codes)] for name, shown in choice.shown
        ]
        return found, _nowhere(tx.table, items) if items and not found else Message.NEXT


class Challenges:
    """All codes that are sent.

    Args:
        runs: the runs they are sent in.
        ledger: where challenges and messages are put on record.
        store: the same ledger's store.
        codes: makes them.
        outbox: carries the messages.

    """

    def __init__(self, runs: Runs, ledger: Ledger, store: Store, codes: Codes, outbox: Outbox) -> None:
        self._runs = runs
        self._ledger = ledger
        self._store = store
        self._codes = codes
        self._outbox = outbox

    async def send(
        self, table: Table, owner: str, procedure: str, item_name: str, address: str | None, language: str, replay: Replay | None = None,
    ) -> Telling:
        """Send a code for an item, or the same one again.

        Raises:
            CallerError: the item is not one of the operation's, or no code for it is sent from here.

        """
        for _ in range(3):
            facts = await self._runs.facts(procedure)
            if facts is None or facts.owner != owner:
                return Missing()
            item = item_named(table, facts.operation, item_name)
            if not addresses.sends(table, facts.operation, item):
                raise CallerError(f"no code is sent for {item.name} from here")
            if not self._outbox.carries(addresses.WAYS[item.kind]):
                raise CallerError("this service is not set up to send codes: compare them yourself, with reservations")
            self._runs.subjects.keys(facts)
            work = Send(
                self._runs.subjects, facts, item, owner, addresses.book_keys(table, facts, item), self._codes, address=address,
                language=language, replay=replay,
            )
            told = await self._ledger.run(work)
            if not isinstance(told, Stale):
                self._outbox.wake.set()
                return told
            self._runs.forget(facts)
        raise LedgerUnavailable

    async def reachable(self, table: Table, owner: str, procedure: str) -> tuple[list[Reachable], Message] | Missing:
        """Where a code may be sent to in this run now, and what the customer is told where it is nowhere."""
        for _ in range(3):
            facts = await self._runs.facts(procedure)
            if facts is None or facts.owner != owner:
                return Missing()
            self._runs.subjects.keys(facts)
            asked = [table.items[name] for name in table.operations[facts.operation].rows]
            items = [item for item in asked if addresses.sends(table, facts.operation, item)]
            books = [key for item in items for key in addresses.book_keys(table, facts, item)]
            told = await self._ledger.run(_Reach(self._runs.subjects, facts, owner, books, self._codes))
            if not isinstance(told, Stale):
                return told
            self._runs.forget(facts)
        raise LedgerUnavailable

    async def deliveries(self, table: Table, owner: str, procedure: str) -> list[Delivered] | Missing:
        """What is known of the messages of a run, newest first."""
        facts = await self._runs.facts(procedure)
        if facts is None or facts.owner != owner:
            return Missing()
        body = (await self._store.peek([facts.key])).get(facts.key)
        if body is None:
            return Missing()
        run = decode(body, Procedure)
        sent = {outbox_key(name): one for one in run.challenges for name in one.deliveries}
        rows = {key: decode(row, Outgoing) for key, row in (await self._store.peek(list(sent))).items()}
        books = await self._store.peek([addresses.addresses_key(row.subject) for row in rows.values()])
        known = [one for book in books.values() for one in decode(book, Addresses).known]
        masks = {one.id: masked(one.way, one.to) for one in (*known, *run.addresses)}
        now, tells = await self._store.clock(), _has_proved(table, run)
        found = [_delivered(key.partition(":")[2], sent[key], row, masks, now, tells=tells) for key, row in rows.items()]
        return sorted(found, key=lambda one: -one.at)


def _has_proved(table: Table, run: Procedure) -> bool:
    """Whether the run shows by what was right in it that its customer is one of ours: anybody can enter a number."""
    kinds = {table.items[item].kind for item, _ in run.proved if item in table.items}
    return run.session is not None or bool(kinds - {ItemKind.IDENTIFIER, ItemKind.DATA})


def _delivered(name: str, challenge: Challenge, row: Outgoing, masks: Mapping[str, str], now: int, *, tells: bool) -> Delivered:
    told = Delivered(name, challenge.id, label_of(challenge), challenge.item, row.way, row.made, None)
    age_s = (now - row.made) // SECOND
    if not tells:
        told.another = age_s >= delivery.SILENT_S
        return told
    told.course = course(hop.what for hop in row.trace)
    told.address = masks.get(challenge.address, "")
    told.heard_at = row.trace[-1].at if row.trace else None
    told.why = delivery.why_group(told.course, (hop.group for hop in row.trace))
    told.another = delivery.offers_another(told.course, age_s)
    return told
