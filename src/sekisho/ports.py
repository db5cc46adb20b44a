"""What the flows need from outside, in as few methods as will do. Adapters stand behind these; the core knows none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar, runtime_checkable

import msgspec

from sekisho.core.state import Challenge, PublicKey, Secret, Token
from sekisho.events import Event
from sekisho.policy.table import Table
from sekisho.terms import MailGroup, Role, Way

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S", bound=msgspec.Struct)


class Opened(msgspec.Struct):
    """A store transaction just begun: rows locked and read, the time asked after that."""

    now: int
    """Microseconds since the epoch by the ledger's clock, never before what it said last."""
    rows: dict[str, bytes]
    """What stands under the keys asked for; absent keys are absent."""
    skipped: frozenset[str] = frozenset()
    """Keys that another node holds: the works that need them wait, the others go on."""
    clock: int = 0
    """What the ledger's clock itself said, where `now` had to be later than that; 0: it is `now`."""


class Link(msgspec.Struct, frozen=True):
    """One link of a writer's chain: the events of one batch, and the digest that binds them to the link before."""

    writer: int
    first: int
    """Sequence of its first event; the next link begins at `first + number`."""
    number: int
    at: int
    body: bytes
    """The events, a msgpack array in the order they were told."""
    mac: bytes


class Change(msgspec.Struct):
    """All that one batch writes, in one commit."""

    rows: list[tuple[str, bytes | None, int | None]]
    """(key, body or None to delete, when it falls due or None to leave that as it was)."""
    link: Link | None
    """What happened, as one link of this writer's chain."""
    feed: list[tuple[int, bytes]]
    """(at, body): what channels are told."""
    at: int = 0
    """The newest time that anything in the batch was decided at."""


class Store(Protocol):
    """A place that keeps rows and events durably. One transaction at a time per store object."""

    clock_is_ours: bool
    """Whether its clock is this machine's own: then this machine cannot vouch for it."""

    async def begin(self, keys: Sequence[str], seen: Sequence[str] = (), *, patient: bool = True) -> Opened:
        """Begin, lock the rows of these keys and read them in a snapshot taken after the locks.

        Args:
            keys: to be locked, whether a row stands there or not; sorted by the caller.
            seen: to be read in the same snapshot and not locked.
            patient: wait for rows that another node holds; else they are told as skipped, neither locked nor read.

        Raises:
            LedgerUnavailable: nothing was begun.

        """

    async def commit(self, change: Change) -> None:
        """Write and commit; on return it is durable.

        Raises:
            LedgerUnavailable: surely not committed.
            UnknownFate: it may be committed.

        """

    async def rollback(self) -> None:
        """Leave the transaction without a trace."""

    async def peek(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Read rows without locking them: only for facts that never change."""

    async def due(self, prefix: str, now: int, limit: int) -> list[str]:
        """Keys with this prefix whose time has come, soonest first."""

    async def rows(self, prefix: str, after: str, limit: int) -> list[tuple[str, bytes]]:
        """Committed rows with this prefix, in the order of their keys, from those after `after`. None are left when it is empty."""

    async def link(self, writer: int, sequence: int) -> Link | None:
        """The link that holds this event."""

    async def chain(self, writer: int, after: int, limit: int) -> list[Link]:
        """A writer's links in order, from those that begin after `after`."""

    async def feed(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """What channels are told, from `after` exclusive."""

    async def writers(self) -> list[int]:
        """All writers."""

    async def new_writer(self, name: str) -> int:
        """Register a writer; its number is never used again."""

    async def document(self, kind: str, name: str) -> bytes | None:
        """A stored document (a policy's text) by kind and name."""

    async def documents(self, kind: str) -> list[str]:
        """The names of the documents of a kind."""

    async def keep_document(self, kind: str, name: str, body: bytes) -> None:
        """Store a document once; the same name again must be the same bytes."""

    async def forget_links(self, writer: int, through: int, limit: int) -> int:
        """Delete the oldest links of a writer that begin up to `through`, `limit` at the most; how many."""

    async def forget_feed(self, before: int, limit: int) -> int:
        """Delete the oldest entries of the feed that are from before a time, `limit` at the most; how many."""

    async def forget_documents(self, kind: str, through: str, limit: int) -> int:
        """Delete the documents of a kind with the lowest names, up to and with `through`, `limit` at the most; how many."""

    async def clock(self) -> int:
        """The ledger's time, microseconds."""

    async def close(self) -> None:
        """Let go of everything."""


@runtime_checkable
class ManyLanes(Store, Protocol):
    """A store that takes several transactions at once, each by a store object of its own."""

    def another(self) -> Store:
        """Another store object over the same database, with connections of its own."""


class Schema(msgspec.Struct, frozen=True):
    """How far a store's schema has come."""

    number: int
    """The newest step that was taken."""
    to_take: tuple[str, ...]
    """Steps of this release that are still to be taken."""
    too_new: bool
    """A later release has taken a step that this one cannot run on."""


class Condition(msgspec.Struct, frozen=True):
    """What a database says of itself before anybody uses it."""

    schema: Schema
    weak: str | None
    """Why it promises less of a commit than it should, and what to do; None: it does not."""
    free_bytes: int | None
    """Room where it is kept; None: that is its own machine's affair."""


class Tx(Protocol):
    """One decision's view of the rows of its batch."""

    now: int
    table: Table

    def get(self, key: str, kind: type[S]) -> S | None:
        """The row, decoded once per batch; changes to it count only after `put`."""

    def put(self, key: str, row: msgspec.Struct, due: int | None = None) -> None:
        """Write the row with this batch. `due`: when it falls due (microseconds); None leaves that as it was."""

    def drop(self, key: str) -> None:
        """Delete the row with this batch."""

    def tell(self, event: Event, named: str | None = None) -> None:
        """Record a fact with this batch. `named`: the subject's name, where the row it is about is a stranger's."""


class Work(Protocol[R_co]):
    """Something to decide over rows. It may be run more than once: all randomness is an attribute."""

    @property
    def keys(self) -> Sequence[str]:
        """The rows it reads and may write."""

    def decide(self, tx: Tx) -> R_co:
        """Decide. What it raises takes only this work out of the batch."""


class Ledger(Protocol):
    """The durable memory of every guess."""

    async def run(self, work: Work[R]) -> R:
        """Run one work in a batch with others; the answer comes after the commit."""


class ApiKey(msgspec.Struct):
    """One API key, without the key."""

    id: str
    role: Role
    operator: str
    digest: str
    demo: bool = False
    retired: bool = False


class Callers(Protocol):
    """Who may call."""

    def who(self, plain: str) -> ApiKey | None:
        """Whose key this is; None for one that is unknown or retired."""


class Secrets(Protocol):
    """Makes and compares what is on record of secrets. Whoever asks holds a guess that was taken for the question."""

    def make(self, kind: str, secret: str) -> Secret:
        """Record a new secret."""

    def adopt(self, kind: str, encoded: str) -> Secret:
        """Record a secret by a hash that another system has made of it.

        Raises:
            CallerError: not a hash that may be taken over; the text says what would be, and nothing of the hash.

        """

    def is_adopted(self, record: Secret | None) -> bool:
        """Whether the record is of another system's making, to be made anew when the secret is next seen."""

    def matches(self, record: Secret | None, kind: str, proof: str) -> bool:
        """Whether the proof is the one on record; as slow where nothing is on record, and then no."""

    def compared(self, record: Secret | None, kind: str, proof: str, whose: str) -> tuple[bool, bytes]:
        """The same, and a keyed tag by which the same entry is known again while the record is the same.

        Args:
            record: what is on record.
            kind: of the item.
            proof: what was entered, folded.
            whose: under which name the secret is kept: tags of two customers, or of two items, have nothing alike.

        """

    def keep_token(self, seed: bytes, token: Token, last: int | None = None) -> Secret:
        """Record a token by its seed. `last`: the newest moving factor that was accepted; None: none was."""

    def same_seed(self, one: Secret, other: Secret) -> bool:
        """Whether two records are of the same token."""

    def used(self, record: Secret | None, code: str, now_s: int, *, resync: bool = False) -> Secret | None:
        """The record of a token as it is once this code was accepted; None: the code is not accepted.

        Args:
            record: of the token; None: there is none, and it takes as long.
            code: as it was typed, folded.
            now_s: seconds since the epoch.
            resync: two codes in a row, written one after the other, that may be further off.

        """

    def signs(self, record: Secret | None, question: str, typed: str) -> bool:
        """Whether that is the transaction signature over a question; as slow where there is no key, and then no.

        Args:
            record: of the key.
            question: as `core.enrolment.question` makes it.
            typed: folded.

        """

    def resealed(self, record: Secret) -> Secret | None:
        """The record of a token under the newest key; None: it is, or its key is gone."""


class Asserted(msgspec.Struct, frozen=True):
    """A passkey has signed what it was asked to."""

    id: bytes
    counter: int
    is_backed_up: bool
    copied: bool
    """Its counter did not grow: somebody else may have a copy."""


class Passkeys(Protocol):
    """What browsers are asked to make and to sign, and whether what comes back is that."""

    def to_make(self, challenge: bytes, user: bytes, name: str, known: Sequence[PublicKey]) -> dict[str, object]:
        """Options for a new passkey; `user`: 32 bytes that stand for the customer and say nothing of him."""

    def to_sign(self, challenge: bytes, known: Sequence[PublicKey]) -> dict[str, object]:
        """Options for a signature by one of these passkeys, or by any of the customer's."""

    def made(self, proof: Mapping[str, str], challenge: bytes, now: int) -> PublicKey | None:
        """The new passkey, if this is the answer to the challenge."""

    def asserted(self, known: Sequence[PublicKey], proof: Mapping[str, str], challenge: bytes, user: bytes) -> Asserted | None:
        """Which of the passkeys has signed the challenge; None: none has."""


class Delivered(msgspec.Struct, frozen=True):
    """A token as its vendor delivers it. It holds a seed: it is written nowhere."""

    line: int
    """Its line or its number in the delivery."""
    serial: str
    seed: bytes
    token: Token
    last: int | None = None
    """The newest use it has had; None: none."""
    model: str = ""


class DeviceKeys(Protocol):
    """Keys that customers' own devices keep for the bank's app."""

    def is_key(self, key: bytes) -> bool:
        """Whether this is a public key that a device may have."""

    def is_signed_by(self, key: bytes, signature: bytes, message: bytes) -> bool:
        """Whether the signature is by the key; no for what is no key."""


class Codes(Protocol):
    """Makes codes that are sent, and keyed digests, with keys outside the database."""

    @property
    def version(self) -> int:
        """Of the key that new challenges get."""

    def code(self, challenge: Challenge) -> str | None:
        """The code of a challenge; None where its key is gone."""

    def digest(self, *parts: str) -> bytes:
        """32 bytes that follow from the parts, and tell whoever lacks the key nothing of them."""


class Message(msgspec.Struct, frozen=True):
    """What is handed over to be carried to a customer. It holds a code: it is written nowhere."""

    delivery: str
    to: str
    subject: str
    body: str
    language: str


class Handed(msgspec.Struct, frozen=True):
    """What the next station said to a message."""

    accepted: bool
    said: str
    """Its words, without anything of the message."""
    again: bool = False
    """Not accepted, and worth another try."""
    lost: bool = False
    """The message was sent and no answer came: accepted or not, nobody knows."""
    by: str = ""
    """Which station it was."""
    group: MailGroup | None = None
    """Why it was not accepted; None: that is not known, or it was."""
    status: str = ""
    """Enhanced status (RFC 3463)."""
    stage: str = ""
    """At which point of the dialogue."""
    queue: str = ""
    """Under which name the station keeps it."""


class Report(msgspec.Struct, frozen=True):
    """What was heard of a message after it was handed over."""

    what: str
    """One of the events of `core.delivery`."""
    digest: bytes
    """Of the report: the same one again changes nothing."""
    group: MailGroup | None = None
    status: str = ""
    stage: str = ""
    said: str = ""
    by: str = ""


class Channel(Protocol):
    """One way to customers."""

    async def send(self, message: Message) -> Handed:
        """Hand a message over."""


Channels = Mapping[Way, Channel]
