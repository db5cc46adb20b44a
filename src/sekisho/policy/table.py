"""The policy as the core reads it: small, frozen, every name resolved, every stage in order.

A policy file is written for people (`model`) and compiled into this table once. The engine, the proofs, the simulations
and the manual all read the same table, so none of them can disagree with another about what a wrong entry costs.
Durations are whole seconds.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sekisho.terms import Counting, ItemKind, PathKind, PenaltyKind, Reach, Role, Way

EVERYTHING = "*"
"""In `Penalty.operations`: all operations but those named in `Penalty.spares`."""

RUN_ENDS = frozenset({PenaltyKind.VOID, PenaltyKind.END_SESSION, PenaltyKind.START_OVER})
"""Penalties on the run that was typed in: wherever a code is entered the run ends with it (A4)."""

UNKNOWN, KNOWN, EACH = "unknown", "known", "each"
"""Whose entries a count is of, and whom a lock refuses, where devices make a difference."""


KNOWING = frozenset({Reach.CUSTOMER, Reach.ACCOUNT, Reach.APP})
"""Kinds of subjects that can know a device."""


def share_name(place: int) -> str:
    """What the share of the known device at a place is called, in counts and locks."""
    return f"device-{place}"


BY_LETTER = frozenset({ItemKind.PASSWORD, ItemKind.PIN, ItemKind.PASSCODE, ItemKind.KNOWLEDGE})
"""Kinds of items that the bank can choose for the customer and send him in a letter."""


class Text(msgspec.Struct, frozen=True):
    """One text in both languages."""

    ja: str
    en: str


class Penalty(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one stage does. Which fields matter follows from `kind`."""

    kind: PenaltyKind
    operations: tuple[str, ...] = ()
    """Operations refused by `lock`, `block`, `suspend`; `*` for all."""
    spares: tuple[str, ...] = ()
    """Operations that stay open under `*` (what lifts it)."""
    items: tuple[str, ...] = ()
    """Items of `disable` and `erase`."""
    for_s: int | None = None
    """Length of a timed lock; None: until released."""
    on: Reach | None = None
    """The subject it falls on, of those the attempt concerns; None: the one whose count it is."""
    on_about: bool = False
    """`on` is looked up among the subjects the entry is about, not those of the caller."""
    whom: str = ""
    """Whose entries it refuses: those of `unknown` devices, of `known` ones, of the one at a place (`device-1`, …), or everybody's."""
    first: str | None = None
    """For `ask-more`: the item that an unknown device must enter rightly first; None: it is refused."""


class Stage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A count at which penalties fall, once a run."""

    wrong: int
    row: str
    penalties: tuple[Penalty, ...]
    undo: tuple[str, ...]
    """Names of release paths, in the order they are offered."""
    after_lock: str = "zero"
    """For a timed lock: `zero` or `keep` the count when it ends."""
    notice: bool = False
    """The customer is told once on his channels (M-NOTICE-1)."""
    ours: bool = False
    """No source gives this figure; the manual says so."""
    why: Text | None = None
    also: tuple[str, ...] = ()
    """Further rows that share the count and state this stage; a lock names the row through which it fell."""


STOPS_BY_STRANGERS, STOPS_BY_THIS_CALLER, RUNS_BEGUN = "stops-by-strangers", "emergency-stops", "runs"
OWN_COUNTS = frozenset({STOPS_BY_STRANGERS, STOPS_BY_THIS_CALLER, RUNS_BEGUN})
"""What is counted beside the counts of a policy, on the same rows: no count of a policy may have such a name."""


class Counter(msgspec.Struct, frozen=True, omit_defaults=True):
    """A named count and all its stages, lowest first."""

    name: str
    reach: Reach
    counting: Counting
    window_s: int | None
    stages: tuple[Stage, ...]
    ours: bool = False
    """No source gives this figure; the manual says so."""
    shares: tuple[Counter, ...] = ()
    """What is kept for known devices, by place: each a count of its own. The stages here are then those of all other devices."""
    base: str | None = None
    """For a share: the counter it is a share of."""


ABOUT = "about:"
"""Prefix of the places of subjects that the entry is about when they are not the caller's."""


def place(reach: Reach, *, about: bool) -> str:
    """The name under which an attempt keeps the subject of this reach: `customer`, `about:account`, `procedure`, …"""
    if about and reach is not Reach.PROCEDURE and reach is not Reach.SESSION:
        return ABOUT + reach
    return reach


class Gauge(msgspec.Struct, frozen=True, omit_defaults=True):
    """One counter as one row touches it."""

    counter: Counter
    about: bool
    """The count stands on the subject the entry is about, not on the caller's."""
    place: str = ""
    """Where an attempt finds the row the count stands on; follows from the two above."""
    devices: str = ""
    """Whose entries it counts: `unknown` devices', `known` ones', `each` in its own share, or everybody's alike."""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "place", place(self.counter.reach, about=self.about))


class Condition(msgspec.Struct, frozen=True):
    """Holds when a flag on the guard rows concerned is set, or is not."""

    flag: str
    """`first-time:ITEM`, `set:ITEM`, `exemption:NAME`, `contract`, `addresses-deleted`, or a name of the policy."""
    about: bool
    holds: bool


class Row(msgspec.Struct, frozen=True):
    """One operation × item of the table, or one variant of it."""

    id: str
    operation: str
    item: str
    gauges: tuple[Gauge, ...]
    when: tuple[Condition, ...]
    about: bool
    """The entry is about another subject than the caller."""
    ours: bool = False
    also: tuple[str, ...] = ()
    """Ids of rows judged together with this one (A1)."""
    undo: tuple[str, ...] = ()
    """Of a row that is counted nowhere here: how the lock that others set ends (A14)."""
    abolished: str | None = None
    """The day from which only those may enter it for whom `when` holds."""
    say: Text | None = None
    not_say: Text | None = None
    """What staff say about it, and what not (K1)."""
    why: Text | None = None
    bank: tuple[Counter, ...] = ()
    """Counts of the whole bank that the entry touches. They stand on no row of its own: nodes spend them in blocks."""


class Repeats(msgspec.Struct, frozen=True):
    """Of a password: the same wrong one entered again counts once. Off where an item has none. docs/why/repeated-passwords.md"""

    kept: int
    """How many different wrong entries are remembered on each count, as keyed tags."""
    for_s: int
    """How long. Seconds."""


class Item(msgspec.Struct, frozen=True):
    """Something entered to be checked."""

    name: str
    kind: ItemKind
    text: Text
    names: Reach | None
    """For `identifier`: the kind of subject it names."""
    parts: tuple[tuple[str, Reach], ...]
    """For `pair`: part name and the kind of subject it names."""
    pattern: str | None
    """What a well-formed entry looks like (a regular expression over the folded entry)."""
    reach: Reach
    """Whose authenticator or knowledge it is: on which subject its secret is kept."""
    abolished: str | None = None
    """From when (RFC 3339) nobody can enter it any more, save by `exemption`."""
    exemption: str | None = None
    purpose: str | None = None
    """For a code that is sent: `authenticate`, `confirm-address` or `recover`; limits differ."""
    digits: int | None = None
    valid_s: int | None = None
    """For a code: where they are not those of `Table.mail`."""
    by_letter_s: int | None = None
    """For a code that the desk gives out: its life where it goes by letter (A11); None: it goes by none."""
    unchanged_s: int | None = None
    """For a code: how long the number or address it is sent to must have been the same (A9)."""
    renews: str | None = None
    """For `data` that is a new secret: the item it is the secret of from the end of the procedure on."""
    resyncs: str | None = None
    """For two codes in a row of a token: the item whose token it is."""
    registers: Way | None = None
    """For `data` that is new addresses: by which way they are reached."""
    without: str | None = None
    """For a code: the release path that is left where there is nowhere to send it."""
    verifies: str | None = None
    """Of a caller at the desk: `sent`, `in-session` or `call-back`."""
    repeats: Repeats | None = None

    @property
    def kept_as(self) -> str:
        """The item whose secret it is compared with."""
        return self.renews or self.resyncs or self.name

    @property
    def confirms(self) -> bool:
        """Whether its code goes to addresses that were entered just now, and only confirms them."""
        return self.purpose == "confirm-address"


class Step(msgspec.Struct, frozen=True):
    """One step of a procedure: any one of the items, or skipped when the condition does not hold."""

    items: tuple[str, ...]
    when: tuple[Condition, ...]
    confirms: str | None = None
    """The item by which the addresses were entered that a code of this step confirms."""


class Closed(msgspec.Struct, frozen=True):
    """A state in which an operation is refused; the next step is told only after an item was right (M-RESET-4)."""

    when: tuple[Condition, ...]
    after: str
    text: Text


class Operation(msgspec.Struct, frozen=True):
    """What a customer wants to do."""

    name: str
    text: Text
    subject: Reach
    """The kind of subject it is begun for."""
    session: bool
    """It can be begun only in a live session of the customer."""
    steps: tuple[Step, ...]
    rows: dict[str, tuple[Row, ...]]
    """By item; variants in the order they are tried, the first whose condition holds."""
    gives_session: bool
    """Its end opens a session (login)."""
    path: str | None
    """The release path that its end walks: locks that name this path in `undo` are lifted."""
    sets: tuple[str, ...]
    clears: tuple[str, ...]
    """Flags set and cleared on the customer when it is done."""
    suspends: bool
    """Its end sets the customer's own suspension (Y-RULE-5)."""
    life_s: int
    """How long one run may take."""
    digest: str
    """Changes when anything that decides within this operation changes."""
    closed: tuple[Closed, ...] = ()
    adds_device: bool = False
    """After its end the session may ask once for a code that enrols a device."""


class PathCase(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a way back needs, gives and removes in one case."""

    when: tuple[Condition, ...] = ()
    needs: tuple[tuple[str, ...], ...] = ()
    """Items, or things of the policy; of each tuple any one will do."""
    gives: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()
    """Operations and items that open again, `suspension`, or `*`."""


class ReleasePath(msgspec.Struct, frozen=True):
    """One way a lock ends."""

    name: str
    kind: PathKind
    text: Text
    roles: tuple[Role, ...]
    """Who may carry it out through the staff interface; empty: nobody at the bank."""
    second_person: bool
    operation: str | None
    """For `procedure`: the operation whose end walks it."""
    sets: tuple[str, ...]
    clears: tuple[str, ...]
    opens_s: tuple[int, int] | None
    """Seconds of the day (in `zone`) between which it may be carried out; None: always."""
    zone: str
    takes_s: int
    """How long it takes the customer at the shortest (post, hours); for `wait` the lock's own length."""
    cases: tuple[PathCase, ...] = ()
    """The first whose conditions hold; the last has none."""
    around: tuple[str, ...] = ()
    """For `none`: the ways round the lock, which stays."""
    form: str | None = None
    """The paper's number."""
    every: str = "day"
    """`day` or `weekday`: on which days it may be carried out."""
    holds: Penalty | None = None
    """Operations held for a time after it was walked."""
    tells: tuple[str, ...] = ()
    """Where the customer is told of it: `all-channels`, `letter`."""
    ours: bool = False


class AbolishedLock(msgspec.Struct, frozen=True):
    """A lock that only an import can set: left behind by an item that is gone."""

    row: str
    item: str
    penalty: Penalty
    undo: tuple[str, ...]
    text: Text
    since: str = ""
    """The day the item was abolished."""
    used_in: tuple[Text, ...] = ()


class Exemption(msgspec.Struct, frozen=True):
    """A written right on file."""

    text: Text
    form: str
    """The release path of its form."""
    items: tuple[str, ...]


class Signal(msgspec.Struct, frozen=True):
    """What raises the demand for identity confirmation, when seen so often within so long."""

    signal: str
    times: int
    within_s: int
    ours: bool = False
    item: str | None = None
    """The data that says to which institution; only for what is told apart by it."""

    @property
    def name(self) -> str:
        """Under which sightings are kept: two cells about one signal count apart."""
        return f"{self.signal}/{self.within_s}"


class Risk(msgspec.Struct, frozen=True):
    """The demand for identity confirmation (M-RISK-1)."""

    signals: tuple[Signal, ...]
    ask: str
    """The item that answers it."""
    refuses: tuple[str, ...]
    """Operations refused until it is answered (M-RISK-2)."""
    flag: str = ""
    """The mark on the customer while it stands; it follows from the steps that ask."""
    trusts_device_s: int | None = None
    """How long a device, a network or a country is a usual one after the last login; None: for good."""
    tells: tuple[str, ...] = ()
    """Where the customer is told of a login from an unusual place; empty: nowhere."""


class Devices(msgspec.Struct, frozen=True):
    """Devices that a subject has proved himself from."""

    known_by: tuple[str, ...]
    """Operations whose end makes the device known to the subject they were begun for."""
    remembered: int
    """How many of them one subject has."""
    kept_s: int
    """How long a device stays known after its last success."""
    subjects: tuple[Reach, ...] = ()
    """Kinds of subjects whose counts tell devices apart: an operation that makes one known makes it known to all of them."""


class Waived(msgspec.Struct, frozen=True):
    """A finding of the check that somebody accepted."""

    finding: str
    row: str | None
    where: str | None
    reason: Text
    by: Text


class Paper(msgspec.Struct, frozen=True):
    """Rows whose locks leave paper as the way, said in so many words (M-LOOP-1)."""

    rows: tuple[str, ...]
    form: str
    """A release path of kind `form`."""
    text: Text
    knows: tuple[str, ...] = ()
    """Items that a stranger must know to bring this state about; empty: none can."""


class Timing(msgspec.Struct, frozen=True):
    """Limits that are not thresholds. Seconds."""

    reservation_s: int
    """A reservation without a verdict counts as wrong after this."""
    session_idle_s: int
    session_total_s: int
    stranger_procedure_s: int
    hold_ms: dict[str, int]
    """The time grid of answers to an entry, by item; 0: none."""
    answers_hold_ms: int = 0
    """The time grid of a channel's other answers; 0: none."""


class Table(msgspec.Struct, frozen=True):
    """A whole policy, compiled."""

    name: str
    version: str
    """Digest of the file's bytes."""
    article: str
    items: dict[str, Item]
    counters: dict[str, Counter]
    operations: dict[str, Operation]
    paths: dict[str, ReleasePath]
    abolished: dict[str, AbolishedLock]
    stop: Penalty
    """The emergency stop (M-STOP-1)."""
    stop_undo: tuple[str, ...]
    suspension_undo: tuple[str, ...]
    timing: Timing
    desk: dict[str, Any]
    mail: dict[str, Any]
    title: Text = Text("", "")
    zone: str = "UTC"
    known_devices: bool = False
    devices: Devices | None = None
    """How devices become known; None: none is."""
    bank: dict[str, tuple[Counter, ...]] = {}
    """By `operation/item`: the counts of the whole bank that such an entry may touch."""
    asks_first: bool = False
    """Whether any penalty asks unknown devices for another item first."""
    rules: dict[str, str] = {}
    """What holds for every row, as written in the file."""
    profiles: tuple[str, ...] = ()
    waivers: tuple[Waived, ...] = ()
    paper: tuple[Paper, ...] = ()
    exemptions: dict[str, Exemption] = {}
    flags: dict[str, Text] = {}
    """Marks of the policy's own that conditions may ask for."""
    things: dict[str, Text] = {}
    """What ways back need or give and nobody enters: a card, a device, a paper letter."""
    risk: Risk | None = None
    stop_stranger_s: int = 0
    """How long an emergency stop by a caller who is not known holds, …"""
    stop_stranger_once_s: int = 0
    """… and the time within which such a caller may use it once."""
    suspension: Penalty | None = None
    """What the customer's own suspension refuses (A10)."""
    retention_s: dict[str, int] = {}
    """How long each class of records is kept."""
    cases: dict[str, Any] = {}
    """Call-backs and cases, as written in the file."""
    incidents: dict[str, Any] = {}
    """Locks by the bank's own fault, as written in the file."""
