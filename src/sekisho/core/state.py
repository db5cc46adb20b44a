"""What the ledger keeps: the rows that one attempt reads, locks and writes.

None of these values can be part of a circle, so the collector need not look at them (`gc=False`).

Every row is a plain value that the transaction owns while it decides. Times are microseconds since the epoch, UTC.
A row written by a later release carries a higher `v`; an older release refuses to read it (`decode`).
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from sekisho.errors import NewerState
from sekisho.terms import AddressState, PenaltyKind, State, Way

SECOND = 1_000_000
"""Microseconds in a second: the unit of every time in the ledger."""

FORMAT = 1
"""The row format of whatever every release can read."""

DEVICES = 2
"""The format of a subject's row that knows devices. An older release would take a lock on one device for a lock on all, so it must not
read such a row; rows without devices stay as they were."""

SEALED = 3
"""The format of a token's row, whose seed is sealed by a key of its own: an older release would open it with another."""

NEWEST = 3
"""The newest row format that this release writes and reads."""


class Tally(msgspec.Struct, array_like=True, gc=False):
    """What one item put on a counter in the present run. Both figures only grow; a release or a new run drops them."""

    settled: int = 0
    """Wrong entries settled."""
    cleared: int = 0
    """How many of them a right entry has taken back: always the oldest."""

    @property
    def wrong(self) -> int:
        """Wrong entries that still stand."""
        return self.settled - self.cleared


class Count(msgspec.Struct, array_like=True, gc=False):
    """One counter on one subject. Only `budget` changes it."""

    wrong: int = 0
    """`w`: the wrong entries that stand, of all items and slices together."""
    run: int = 0
    """Which run this is; a run ends when nothing stands any more."""
    flight: int = 0
    """Guesses reserved and not yet settled."""
    fired: int = 0
    """The highest stage that has fired in this run."""
    tallies: dict[str, Tally] = {}
    """By item: a right entry clears only what its own item put there (Y-RULE-2)."""
    slices: list[tuple[int, int]] = []
    """For a window: (end of the slice, wrong entries in it)."""
    zero_at: int | None = None
    """When the first of the timed locks it led to ends, and the count with it."""
    tags: list[tuple[bytes, int]] = []
    """Where the item's `repeats` says so: keyed tags of wrong entries that stand here, and when each was counted, oldest first."""


class Lock(msgspec.Struct, omit_defaults=True, gc=False):
    """A penalty that stands."""

    id: str
    row: str
    kind: PenaltyKind
    since: int
    undo: list[str]
    wrong: int = 0
    """The stage that fired; 0 where no count led here."""
    until: int | None = None
    """None: only a release ends it."""
    operations: list[str] = []
    spares: list[str] = []
    items: list[str] = []
    source: str | None = None
    """The row on which the count stands that led here."""
    counter: str | None = None
    refused: int = 0
    first_refused: int | None = None
    last_refused: int | None = None
    whom: str = ""
    """Whose entries it refuses: those of `unknown` devices, of `known` ones, of the one at a place (`device-1`, …), or everybody's."""
    first: str | None = None
    """Of `ask-more`: the item after which it refuses no more in a run."""

    def stands(self, now: int) -> bool:
        """Whether it is in force."""
        return self.until is None or now < self.until

    def refuses(self, operation: str, item: str) -> bool:
        """Whether it closes this entry."""
        if operation in self.spares:
            return False
        return item in self.items or operation in self.operations or "*" in self.operations


class Device(msgspec.Struct, array_like=True, gc=False):
    """A device that a subject has proved himself from."""

    id: str
    """Keyed digest of what the channel calls it."""
    place: int
    """Whose share of the counts it has."""
    since: int
    seen: int
    """When the subject last proved himself from it."""


class Guard(msgspec.Struct, omit_defaults=True, gc=False):
    """The one row per subject: its counters, locks and the sessions-valid-after mark."""

    v: int = FORMAT
    known: bool = False
    """Enrolled. What is not is counted in a bucket that looks the same from outside."""
    counts: dict[str, Count] = {}
    locks: list[Lock] = []
    links: dict[str, str] = {}
    """The other subjects that belong to this one, by reach."""
    accounts: list[str] = []
    """For a customer: accounts registered for use, besides the one in `links`."""
    flags: list[str] = []
    valid_after: int = 0
    """Sessions begun up to this moment have ended."""
    stopped: int = 0
    """When his operations were last stopped (M-STOP-1): no code that was on its way to him by then is good for anything."""
    devices: list[Device] = []
    """Those that are known here."""
    places: int = 0
    """The highest place that has had a share of a count here."""
    cuts: dict[str, list[int]] = {}
    """By counter that is shared out: how it was when last an entry was counted here, so that a change of that brings no guess."""
    usual: dict[str, int] = {}
    """Networks and countries of right logins, and when each was the last."""
    sighted: dict[str, list[tuple[int, str]]] = {}
    """By signal: when that was seen which will bring about a demand for identity confirmation, and of what."""
    shut: dict[str, int] = {}
    """As `valid_after`, where only some devices were blocked: by whom the lock refuses."""
    noticed: int = 0
    """When the customer was last told of a lock on his channels; 0: not since one of them ended."""
    event: tuple[int, int] | None = None
    """The newest event about this subject (writer, sequence): events of one subject are a chain from here."""
    at: int = 0


class Challenge(msgspec.Struct, omit_defaults=True, gc=False):
    """A code that was sent and must be answered. The code itself follows from this and a key outside the database."""

    id: str
    item: str
    address: str
    """The id of where it was sent."""
    bound: bytes
    """Digest of what it is for: the run and the data entered in it."""
    version: int
    """Of the key that its code is made with."""
    digits: int
    started: int = 0
    until: int = 0
    """When its code is valid no more. Sending it again does not change that."""
    sends: int = 0
    last_sent: int = 0
    deliveries: list[str] = []
    """The messages that carried its code."""
    consumed: int | None = None
    """When it was answered, or another one in its place."""
    answered: bool = False
    """Its own code was entered: so its messages have arrived."""


class Address(msgspec.Struct, omit_defaults=True, gc=False):
    """Where a customer can be reached."""

    id: str
    """Follows from subject, way and address: another address has another id."""
    way: Way
    to: str
    state: AddressState
    since: int
    """From when it has been the same."""


class Procedure(msgspec.Struct, omit_defaults=True, gc=False):
    """One run of an operation, step by step."""

    v: int = FORMAT
    operation: str = ""
    digest: str = ""
    """Of the operation as it was when the run began; when it changes, the run starts over."""
    subjects: dict[str, str] = {}
    """Fixed at the start: reach, or `about:` and reach, to the subject it concerns."""
    owner: str = ""
    """The API key it was begun with; no other may go on with it."""
    session: str | None = None
    """None: it is its own session."""
    device: str = ""
    """From which it was begun: a keyed digest; empty where the channel does not say."""
    source: str = ""
    """Who typed then: the bucket of the actor; empty where the channel does not say."""
    network: str = ""
    """From which it was begun: a keyed digest; empty where the channel does not say."""
    country: str = ""
    unusual: bool = False
    """That was not as usual."""
    led: bool = False
    """Count mode without a procedure of ours: the bank leads the steps, any item of the operation may be entered."""
    step: int = 0
    reached: int = 0
    """Where it went back from, to a step that had been passed over: up to here what was proved is not asked for again."""
    state: State = State.OPEN
    counts: dict[str, Count] = {}
    proved: list[tuple[str, int]] = []
    started: int = 0
    expires: int = 0
    language: str | None = None
    """In which the customer is spoken to, where the channel said so at the start."""
    opened: str | None = None
    """The session that its end opened."""
    renewed: dict[str, Secret] = {}
    """New secrets entered on the way, by item; they count from the end of the run on."""
    entered: dict[str, bytes] = {}
    """Keyed digests of the data entered on the way, by item: what a code is sent for."""
    challenges: list[Challenge] = []
    addresses: list[Address] = []
    """New addresses entered on the way; each that is confirmed counts from the end of the run on."""
    event: tuple[int, int] | None = None


class Heard(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One piece of news of an address."""

    at: int
    what: str
    """Why something did not arrive (`MailGroup`), or how it did."""
    stream: str


class Addresses(msgspec.Struct, omit_defaults=True, gc=False):
    """All addresses of one subject, and how much was sent to them. Strangers' buckets have one too, without an address."""

    v: int = FORMAT
    known: list[Address] = []
    counts: dict[str, Count] = {}
    heard: dict[str, list[Heard]] = {}
    """By address: what is known of how it takes mail, oldest first."""
    sent: list[str] = []
    """The newest messages, oldest first."""
    former: list[Address] = []
    """Those that were on file before, or that the desk has deleted: they are told what happened and get no code."""


class Hop(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One thing that happened to a message."""

    at: int
    what: str
    said: str = ""
    """The server's words, without anything of the message."""
    by: str = ""
    """Which server said so."""
    group: str = ""
    """Why it did not get on (`MailGroup`)."""
    status: str = ""
    """Enhanced status (RFC 3463)."""
    stage: str = ""
    """At which point of the dialogue."""
    queue: str = ""
    """Under which name the next server keeps it."""


class Application(msgspec.Struct, omit_defaults=True, gc=False):
    """What somebody who has no contract chose in a run that is done: it is put in force when his contract is enrolled."""

    v: int = FORMAT
    secrets: dict[str, Secret] = {}
    """By item."""
    addresses: list[Address] = []


class Outgoing(msgspec.Struct, omit_defaults=True, gc=False):
    """One message on its way, and its course. It holds no code: that is made when the message is handed over."""

    v: int = FORMAT
    subject: str = ""
    """Whose address it goes to."""
    way: Way = Way.MAIL
    challenge: Challenge | None = None
    operation: str = ""
    procedure: str = ""
    language: str = "ja"
    text: str = ""
    """The name of its text in the catalogues; empty: that of a code sent this way."""
    nowhere: bool = False
    """For a stranger: all is done as for anybody, but nothing is handed over."""
    made: int = 0
    trace: list[Hop] = []
    """What happened, oldest first."""
    reports: list[bytes] = []
    """Digests of the reports that were taken: one that comes again changes nothing."""


class Recovery(msgspec.Struct, omit_defaults=True, gc=False):
    """What the desk has set going for a customer: a code that lets him register his password again, once, and what it came to."""

    v: int = FORMAT
    case: str = ""
    path: str = ""
    operators: str = ""
    code: Challenge | None = None
    """The release code follows from it; it is handed over by a machine."""
    way: str = ""
    """`telephone`, `session` or `letter`: by which it is handed over."""
    to: str = ""
    """Whose address it goes to, or in which session it is shown."""
    deliveries: list[str] = []
    """The messages that carry the code."""
    handed: int | None = None
    """When it was shown in a session."""
    removed: list[Address] = []
    """The addresses that were taken off the file, as they were: back on it if nothing comes of it in time."""
    flags: list[str] = []
    """Flags that were set with it."""
    procedure: str = ""
    """The run in which the code was entered."""
    done: int | None = None
    """When the customer had registered everything."""
    over: bool = False
    """Nothing more comes of it."""

    @property
    def until(self) -> int:
        """When it lapses."""
        return self.code.until if self.code is not None else 0


class Announced(msgspec.Struct, omit_defaults=True, gc=False):
    """Something that a customer is to be told on every channel on file, each once."""

    text: str
    """The name of its text in the catalogues."""
    made: int
    letter: bool = False
    """By letter too."""
    told: list[str] | None = None
    """The messages that carry it; None: they are still to be put on their way."""


class Announcements(msgspec.Struct, omit_defaults=True, gc=False):
    """The newest things that one customer is told on every channel."""

    v: int = FORMAT
    made: list[Announced] = []
    guesses: int = 0
    """Wrong codes of somebody who said that it was not he."""


class Answered(msgspec.Struct, omit_defaults=True, gc=False):
    """A code was entered; what follows for the messages of its run is still to be noted."""

    v: int = FORMAT
    at: int = 0
    used: list[str] = []
    """The messages that carried it."""
    passed_over: list[str] = []
    """Messages with other codes of the same run, sent before: the customer had reason to wait for them and entered another's."""


class Session(msgspec.Struct, omit_defaults=True, gc=False):
    """What stays open between procedures."""

    v: int = FORMAT
    subject: str = ""
    owner: str = ""
    live: bool = True
    foreign: bool = False
    """The bank's own session, known here only by its name (count mode)."""
    name: str | None = None
    """What the bank calls it, to be told its end by."""
    started: int = 0
    seen: int = 0
    proved: list[tuple[str, int]] = []
    counts: dict[str, Count] = {}
    ended: str | None = None
    """Why it ended."""
    device: str = ""
    """From which it was opened."""
    unusual: bool = False
    """That was not as usual."""
    adds_device_until: int = 0
    """Until when it may ask for a code that enrols a device. Microseconds."""


class Lease(msgspec.Struct, array_like=True, gc=False):
    """Guesses of the whole bank that a node may spend."""

    left: int
    """As far as the node has accounted for them."""
    until: int


class Leases(msgspec.Struct, omit_defaults=True, gc=False):
    """What all nodes hold of the bank's counts."""

    v: int = FORMAT
    nodes: dict[str, dict[str, Lease]] = {}
    """By counter and node."""


class Note(msgspec.Struct, array_like=True, gc=False):
    """What a reservation remembers of one counter, so that a right answer takes back no more than was settled then."""

    key: str
    counter: str
    run: int
    settled: int


class Reservation(msgspec.Struct, omit_defaults=True, gc=False):
    """One guess, taken before the proof is looked at."""

    v: int = FORMAT
    procedure: str = ""
    operation: str = ""
    item: str = ""
    row: str = ""
    notes: list[Note] = []
    bank: list[str] = []
    """Counts of the whole bank that it was taken from."""
    owner: str = ""
    subjects: dict[str, str] = {}
    """Whose guess it is, by party, as the keys were chosen."""
    known: list[str] = []
    """Those of them that were enrolled then."""
    session: str | None = None
    begun: int = 0
    """When its run began: a later run under the same key is another one."""
    naming: bool = False
    """The entry itself names the subjects; a right one fixes them for the run."""
    device: str = ""
    """From which it was made."""
    made: int = 0
    deadline: int = 0
    ends: list[str] = []
    """Further rows that the end of its run may write."""
    settled: str | None = None
    """The verdict, once there is one: a second is refused."""


IN_FORCE = "policy"
"""The row that names the policies in force; read in every batch."""

CLOCK = "clock"
"""The row that says which nodes doubt the ledger's clock; read in every batch."""

THE_BANK = "bank:all"
"""The subject that all share."""


class InForce(msgspec.Struct, omit_defaults=True, gc=False):
    """Which policy decides from when: (from, version), oldest first."""

    v: int = 1
    versions: list[tuple[int, str]] = []
    by: dict[str, str] = {}
    """Who put a version in force."""
    told: list[str] = []
    """Versions that stand in the chain of events."""

    def at(self, now: int) -> str | None:
        """The version in force at a time."""
        found = None
        for since, version in self.versions:
            if since <= now:
                found = version
        return found


class Clock(msgspec.Struct, omit_defaults=True, gc=False):
    """Who doubts the ledger's clock."""

    v: int = 1
    doubts: dict[str, int] = {}
    """By node: how far it saw the clock jump, in seconds."""


class Cost(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What another system paid for a hash by Argon2id (RFC 9106)."""

    memory_kib: int
    passes: int
    lanes: int
    length: int
    """Bytes of the hash."""


class Token(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is known of a token, besides its seed."""

    key: int = 0
    """Version of the key that its seed is sealed with; 0: under the pepper, as a seed is that was set by itself in a release before."""
    serial: str = ""
    """Of the token in the inventory; empty: it is in none."""
    algorithm: str = "sha1"
    digits: int = 6
    step_s: int = 30
    """Length of a time step; 0: its codes go by its uses (RFC 4226)."""
    drift: int = 0
    """Steps by which its clock is ahead."""
    behind: int = 0
    """Codes in a row that were late by a step."""
    starts: int = 0
    ends: int = 0
    """Between when its codes are taken, microseconds; 0: from always, for ever."""


class PublicKey(msgspec.Struct, omit_defaults=True, gc=False):
    """The public half of a key that a customer's own device keeps. It is no secret."""

    id: bytes
    """What the device calls it."""
    key: bytes
    """As COSE writes it (RFC 9052 section 7)."""
    name: str = ""
    """What the customer calls it."""
    counter: int = 0
    """How often it had signed when it was last used; 0: its device does not count."""
    since: int = 0
    used: int = 0
    can_be_backed_up: bool = False
    """It may be on several devices of the customer's; that never changes."""
    is_backed_up: bool = False


class Secret(msgspec.Struct, omit_defaults=True, gc=False):
    """What is on record of one secret. Without the keys outside the database it gives nothing back."""

    v: int = FORMAT
    kind: str = ""
    salt: bytes = b""
    digest: bytes = b""
    last_step: int = 0
    """For a token: the newest moving factor accepted, a time step or a number of uses; none is accepted twice (RFC 6238 section 5.2)."""
    cost: Cost | None = None
    """For a hash that was taken over from another system; None: it is one of ours."""
    token: Token | None = None
    """For a token; None: its seed was set by itself in a release before."""
    keys: list[PublicKey] = []
    """For what is proved by a signature: with which keys."""


class StockedToken(msgspec.Struct, omit_defaults=True, gc=False):
    """A token as the bank has it in its books. Its seed is here while nobody has it; then it is on the row of the customer's secret."""

    v: int = SEALED
    state: str = "stock"
    """`stock`, `assigned`, or why it is over: `lost`, `returned`, `worn-out`, `replaced`, `stolen`."""
    subject: str = ""
    item: str = ""
    since: int = 0
    """From when it has been so."""
    model: str = ""
    """Maker and model, as the delivery says."""
    software: bool = False
    """Its seed was handed over as a picture, for an application."""
    seed: Secret | None = None
    ends: int = 0
    """When its battery or its maker's word ends, microseconds; 0: nobody has said."""


T = TypeVar("T", bound=msgspec.Struct)

_decoders: dict[type[msgspec.Struct], msgspec.msgpack.Decoder[msgspec.Struct]] = {}

encode = msgspec.msgpack.Encoder().encode
"""Turns a row into the bytes the ledger stores."""


def decode(body: bytes, kind: type[T]) -> T:
    """Read a stored row.

    Raises:
        NewerState: a later release wrote it; this one must not guess what it means.

    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    row = decoder.decode(body)
    if row.v > NEWEST:  # type: ignore[attr-defined]  # every row kind carries its version
        raise NewerState
    return row  # type: ignore[return-value]  # the decoder of `kind` yields `kind`
