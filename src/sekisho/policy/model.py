"""The policy file as people write it.

Every struct here is one mapping of the YAML file, and every field says what its cell means: the loader takes its hints
from these sentences, and the published JSON Schema is made from them. Whatever changes a decision has no default.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sekisho.terms import ItemKind, MailGroup, PathKind, Reach, Role

DURATION = r"^[1-9][0-9]{0,8}(ms|s|m|h|d)$"
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION_MAX_MS = 36_500 * _UNIT_MS["d"]
"""A century. Whatever is longer is a slip of the finger."""



def _matching(pattern: str, means: str, *examples: str) -> Meta:
    """A text of a certain form.

    Not `Meta(pattern=…)`: msgspec 0.22 corrupts memory on a union of such a text with a list. The loader looks at
    `extra` instead, and the schema is the same.
    """
    return Meta(extra={"pattern": pattern, "means": means}, extra_json_schema={"pattern": pattern},
                examples=list(examples))


Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Name = Annotated[str, _matching(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", "a name in small letters, digits and hyphens",
                                "login-password")]
Id = Annotated[str, _matching(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", "an id of letters, digits and hyphens",
                              "Y-LOGIN-3")]
Words = Annotated[str, Meta(min_length=1, max_length=2_000)]
Duration = Annotated[str, _matching(DURATION, "a length of time", "60m", "365d", "30s", "300ms")]
Hours = Annotated[str, _matching(r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
                                 "hours of the day", "09:00-21:00")]
Date = Annotated[str, _matching(r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", "a day", "2019-04-21")]
Flag = Annotated[str, _matching(
    r"^(not )?(about:)?[a-z][a-z0-9]*(-[a-z0-9]+)*(:[a-z][a-z0-9]*(-[a-z0-9]+)*)?$", "a flag",
    "first-time:login-password", "not about:contract")]
When = Annotated[Flag | list[Flag], Meta(description="holds only when this flag is set (or `not` set) on the caller, "
                                         "or with `about:` on the subject the entry is about")]

Why = Annotated[str | None, Meta(description="the reason, for whoever reads this file")]
Ours = Annotated[bool, Meta(description="true: no source gives this figure; the manual says so")]
Undo = Annotated[list[Name], Meta(min_length=1, description="the ways back, in the order they are offered: names of "
                                  "`procedures:` or `forms:`")]


def milliseconds(duration: str) -> int:
    """Length of a duration such as `60m` or `300ms`."""
    digits = duration.rstrip("mshd")
    return int(digits) * _UNIT_MS[duration[len(digits):]]


def seconds(duration: str) -> int:
    """Length of a duration in whole seconds, never shorter than written."""
    return -(-milliseconds(duration) // 1_000)


class Cell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A mapping of the file. Unknown keys are errors."""


class Say(Cell, frozen=True, kw_only=True):
    """One text in both languages."""

    ja: Annotated[Words, Meta(description="the Japanese text")]
    en: Annotated[Words, Meta(description="the English text")]


Reason = Annotated[Say | None, Meta(description="the reason, in both languages: staff read it in the manual")]


class Named(Say, frozen=True, kw_only=True):
    """Something with a name in both languages."""

    why: Why = None


class FindingCode(StrEnum):
    """What `sekisho policy check` can find, and a waiver can name."""

    NO_WAY_OUT = "no-way-out"
    CIRCULAR_RELEASE = "circular-release"
    UNBOUNDED_GUESSES = "unbounded-guesses"
    GUESSES_OVER_PROFILE = "guesses-over-profile"
    LOCK_NOT_ASKED = "lock-not-asked"
    COUNTER_SHORTER_THAN_CODE = "counter-shorter-than-code"
    WEAKER_RELEASE = "weaker-release"
    SIDE_DOOR = "side-door"
    STRANGER_LOCKS = "stranger-locks"
    COUNT_IN_CUSTOMER_TEXT = "count-in-customer-text"
    MISSING_TEXT = "missing-text"
    UNREACHABLE_ROW = "unreachable-row"
    UNUSED_NAME = "unused-name"
    PROFILE = "profile"
    PROFILE_CLASH = "profile-clash"


class Profile(StrEnum):
    """A set of figures that a standard asks for."""

    NIST_AAL2 = "nist-800-63b-4-aal2"
    PSD2_SCA = "psd2-sca"
    PCI_DSS_4 = "pci-dss-4"
    ASVS_5_L3 = "asvs-5-l3"
    JSDA_2025 = "jsda-2025"


class Waiver(Cell, frozen=True, kw_only=True):
    """The only way past a finding: somebody says why, under his name."""

    finding: Annotated[FindingCode, Meta(description="the code of the finding")]
    row: Annotated[Id | None, Meta(description="the row it concerns")] = None
    where: Annotated[Words | None, Meta(description="what it concerns, where that is no row")] = None
    reason: Annotated[Say, Meta(description="why it is accepted, in both languages: staff read it in the manual")]
    by: Annotated[Words | Say, Meta(description="who accepts it: a name, or what he is called in both languages")]


class PaperWay(Cell, frozen=True, kw_only=True):
    """A state out of which paper is the way, said in so many words."""

    rows: Annotated[list[Id], Meta(min_length=1, description="the rows whose locks lead there")]
    form: Annotated[Name, Meta(description="the form that is the way: a name of `forms:`")]
    stranger_knows: Annotated[list[Name], Meta(
        description="what a stranger must know to bring this state about, items of this file; left out: no stranger can")] = []
    say: Annotated[Say, Meta(description="what the manual says about it")]


class Rules(Cell, frozen=True, kw_only=True):
    """What holds for every row. Each must be written: none has a default."""

    entries_during_lock: Annotated[Literal["refused"], Meta(
        description="entries made while a lock stands: `refused` unread, they count nothing and lengthen nothing")]
    new_code: Annotated[Literal["keeps-count"], Meta(
        description="a new code sent within one run: it `keeps-count`, the count belongs to the run")]
    no_code: Annotated[Literal["refused"], Meta(
        description="an entry for which no code that was sent is valid: `refused` unread, it counts nothing")]
    right_entry: Annotated[Literal["clears-own"], Meta(
        description="a right entry: it `clears-own`, what wrong entries of the same item put into in-a-row counts")]
    release: Annotated[Literal["zeroes-source"], Meta(
        description="a release: it `zeroes-source`, the counts its lock came from")]
    no_verdict: Annotated[Literal["counts-as-wrong"], Meta(
        description="a guess taken but never settled: it `counts-as-wrong`")]
    one_run: Annotated[Literal["in-total", "in-a-row"], Meta(
        description="counts `of: procedure` or `of: session` that say nothing else: `in-total` or `in-a-row`")]
    lasting_lock: Annotated[Literal["told-once", "not-told"], Meta(
        description="a lock that outlives the session: `told-once` to the customer on his channels, or `not-told`")]


class AboutReach(Cell, frozen=True, kw_only=True):
    """A subject among those the entry is about."""

    about: Annotated[Reach, Meta(description="which of the subjects the entry is about")]


Names = Annotated[Name | list[Name], Meta(description="one name or a list of them")]


class PenaltyCell(Cell, frozen=True, kw_only=True):
    """A penalty with its object: exactly one of lock, block, suspend, disable, erase, remove, ask-more."""

    lock: Annotated[Names | None, Meta(description="operations refused (`everything` for all)")] = None
    block: Annotated[Names | None, Meta(description="operations refused, and the sessions of the subject end")] = None
    suspend: Annotated[Names | None, Meta(description="operations refused; login works")] = None
    disable: Annotated[Names | None, Meta(description="items refused in every operation until released")] = None
    erase: Annotated[Names | None, Meta(description="items of an enrolment that are erased")] = None
    remove: Annotated[Literal["app"] | None, Meta(description="the enrolment that is removed")] = None
    ask_more: Annotated[Literal["unknown-devices"] | None, Meta(
        description="more is asked of devices that are not known")] = msgspec.field(default=None, name="ask-more")
    for_: Annotated[Duration | None, Meta(description="how long a lock stands; left out: until released")] = (
        msgspec.field(default=None, name="for"))
    spares: Annotated[list[Name], Meta(description="under `everything`: operations that stay open")] = []
    in_: Annotated[list[Name], Meta(description="with `ask-more`: in these operations only")] = (
        msgspec.field(default_factory=list, name="in"))
    first: Annotated[Name | None, Meta(
        description="with `ask-more`: the item that an unknown device must enter rightly first; left out: it is refused")] = None
    on: Annotated[Reach | AboutReach | None, Meta(
        description="on another subject than the one whose count it is")] = None


PlainPenalty = Literal["void", "end-session", "start-over"]
Penalties = Annotated[list[PlainPenalty | PenaltyCell], Meta(min_length=1, description="what happens then")]


class StageCell(Cell, frozen=True, kw_only=True):
    """A count at which penalties fall, once a run."""

    wrong: Annotated[Count, Meta(description="how many wrong entries")]
    of: Annotated[Reach | None, Meta(description="whose count, where it belongs to this row alone")] = None
    count: Annotated[Name | None, Meta(description="the shared count: a name of `counters:`")] = None
    in_a_row: Annotated[Literal[True] | None, Meta(description="a right entry clears it")] = None
    in_total: Annotated[Literal[True] | None, Meta(description="nothing but a release clears it")] = None
    within: Annotated[Duration | None, Meta(description="entries older than this no longer count")] = None
    known_device: Annotated[Count | None, Meta(
        description="of these, so many are kept for each device that is known; all other devices share what is left")] = None
    penalty: Penalties
    undo: Undo
    after: Annotated[Literal["zero", "keep"] | None, Meta(
        description="the count after a timed lock: `zero` or `keep`; required there")] = None
    row: Annotated[Id | None, Meta(description="the row that says so, where it is not this one")] = None
    ours: Ours = False
    why: Reason = None


class RowCell(Cell, frozen=True, kw_only=True):
    """One operation × item of the table, or one variant of it."""

    row: Annotated[Id, Meta(description="the row's id")]
    also: Annotated[list[Id], Meta(description="ids of rows judged together with this one")] = []
    when: When | None = None
    about: Annotated[bool, Meta(description="true: the counts stand on the subject the entry is about")] = False
    stages: Annotated[list[StageCell | Literal["others"]] | Literal["none"], Meta(
        description="the stages, lowest first; `others`: as every other entry; `none`: counted nowhere")]
    undo: Annotated[list[Name], Meta(description="for `stages: none`: how the device's own lock ends")] = []
    abolished: Annotated[Date | None, Meta(description="from this day only for those for whom `when` holds")] = None
    say: Annotated[Say | None, Meta(description="what staff say about it")] = None
    not_say: Annotated[Say | None, Meta(description="what staff do not say")] = None
    ours: Ours = False
    why: Reason = None


class CounterCell(Cell, frozen=True, kw_only=True):
    """A count that rows share by its name."""

    of: Annotated[Reach, Meta(description="whose count it is")]
    in_a_row: Annotated[Literal[True] | None, Meta(description="a right entry clears it")] = None
    in_total: Annotated[Literal[True] | None, Meta(description="nothing but a release clears it")] = None
    within: Annotated[Duration | None, Meta(description="entries older than this no longer count")] = None
    ours: Ours = False
    why: Why = None


class OthersCell(Cell, frozen=True, kw_only=True):
    """Every other entry: items of the steps that have no row of their own."""

    row: Annotated[Id, Meta(description="the row's id")]
    stages: Annotated[list[StageCell], Meta(min_length=1, description="the stages, lowest first")]
    say: Annotated[Say | None, Meta(description="what staff say about it")] = None
    not_say: Annotated[Say | None, Meta(description="what staff do not say")] = None
    why: Reason = None


class CeilingCell(StageCell, frozen=True, kw_only=True):
    """A count over every operation that takes one of the items; several ceilings may share one count."""

    items: Annotated[list[Name], Meta(min_length=1, description="the items it counts, wherever they are entered")]
    only: Annotated[list[Name], Meta(description="operations in which it is counted; left out: all")] = []
    except_: Annotated[list[Name], Meta(description="operations in which it is not counted")] = (
        msgspec.field(default_factory=list, name="except"))
    devices: Annotated[Literal["known"] | None, Meta(
        description="`known`: it counts what is entered from devices that are known, and nothing else")] = None


class RepeatsCell(Cell, frozen=True, kw_only=True):
    """The same wrong password entered again counts once."""

    kept: Annotated[Annotated[int, Meta(ge=1, le=10)], Meta(
        description="how many different wrong entries are remembered on each count; no more than the lowest figure of any stage")]
    for_: Annotated[Duration, Meta(description="how long one is remembered")] = msgspec.field(name="for")


Verifies = Literal["sent", "in-session", "call-back"]


class ItemCell(Named, frozen=True, kw_only=True):
    """Something entered to be checked."""

    kind: Annotated[ItemKind, Meta(description="what is entered")]
    of: Annotated[Reach | None, Meta(description="whose it is: on which subject its secret is kept")] = None
    names: Annotated[Reach | None, Meta(description="for an identifier: the kind of subject it names")] = None
    parts: Annotated[dict[Name, Reach], Meta(description="for a pair: each part and the subject it names")] = {}
    pattern: Annotated[Words | None, Meta(description="what a well-formed entry looks like: a regular expression")] = (
        None)
    hold: Annotated[Duration | None, Meta(description="the time grid its answers leave on, where it is another than timing's")] = None
    purpose: Annotated[Literal["authenticate", "confirm-address", "recover"] | None, Meta(
        description="what a code that is sent is for; limits differ")] = None
    digits: Annotated[Annotated[int, Meta(ge=4, le=12)] | None, Meta(
        description="for a code: its digits, where they are not those of `mail:`; for a secret that a form gives by letter: how many")] = None
    valid: Annotated[Duration | None, Meta(
        description="for a code: how long it is valid, where that is not as in `mail:`")] = None
    by_letter: Annotated[Duration | None, Meta(
        description="for a code that the desk gives out: how long it is valid where it goes by letter, to whoever writes; left out: it is "
                    "told to whoever writes as to whoever telephones")] = None
    unchanged: Annotated[Duration | None, Meta(
        description="for a code: how long the number or address it is sent to must have been the same")] = None
    without: Annotated[Name | None, Meta(
        description="for a code: the way that is left where there is nowhere to send it")] = None
    verifies: Annotated[Verifies | None, Meta(
        description="of a caller at the desk: `sent`, a code that he reads out; `in-session`, a number that he is read and enters in a live "
                    "session; `call-back`, the word that was agreed on")] = None
    renews: Annotated[Name | None, Meta(
        description="for a new secret: the item it is the secret of from the end of the procedure on")] = None
    resyncs: Annotated[Name | None, Meta(
        description="for two codes in a row of a token: the item whose token it is; they are looked for further off, and set its clock or "
                    "count right")] = None
    registers: Annotated[Literal["mail"] | None, Meta(
        description="for new addresses: by which way they are reached; each that a code has confirmed is on file from the end "
                    "of the procedure on, in the place of those before")] = None
    repeats: Annotated[RepeatsCell | None, Meta(
        description="for a password: the same wrong one entered again counts once; left out: each entry counts")] = None


class StepCell(Cell, frozen=True, kw_only=True):
    """A step with a condition."""

    any: Annotated[Names, Meta(description="the item, or the items of which any one will do")]
    when: When


class ClosedCell(Cell, frozen=True, kw_only=True):
    """A state in which an operation is refused, and from which step on that is told."""

    when: When
    after: Annotated[Name, Meta(description="only after this item was right is the next step told")]
    say: Annotated[Say, Meta(description="the next step, as told then")]


class OperationCell(Named, frozen=True, kw_only=True):
    """What a customer wants to do."""

    for_: Annotated[Reach, Meta(description="the kind of subject it is begun for")] = msgspec.field(name="for")
    in_session: Annotated[bool, Meta(description="true: only in a live session of the customer")]
    opens_session: Annotated[bool, Meta(description="true: its end opens a session")] = False
    suspends: Annotated[bool, Meta(description="true: its end suspends the customer's use at his own wish")] = False
    adds_device: Annotated[bool, Meta(description="true: after its end the session may ask once for a code that adds a device with the app")] = False
    steps: Annotated[list[Name | list[Name] | StepCell], Meta(
        min_length=1, description="items in order; a list: any one of them")]
    items: Annotated[dict[Name, RowCell | list[RowCell]], Meta(
        description="the row of each item, or its variants with `when:`")] = {}
    rows_as: Annotated[Name | None, Meta(
        description="items without a row here have that of this other operation, and its counts where they are shared")] = None
    sets: Annotated[list[Flag], Meta(description="flags set on the customer when it is done")] = []
    unsets: Annotated[list[Flag], Meta(description="flags cleared on the customer when it is done")] = []
    life: Annotated[Duration | None, Meta(description="how long one run may take")] = None
    closed: Annotated[list[ClosedCell], Meta(description="states in which it is refused")] = []


class HoldCell(Cell, frozen=True, kw_only=True):
    """Operations held back for a time after a way back was walked."""

    operations: Annotated[list[Name], Meta(min_length=1, description="the operations held")]
    for_: Annotated[Duration, Meta(description="how long")] = msgspec.field(name="for")


class VariantCell(Cell, frozen=True, kw_only=True):
    """What a way back needs, gives and removes in one case."""

    when: When
    needs: Annotated[list[Name | list[Name]], Meta(description="what is needed; a list: any one of them")] = []
    gives: Annotated[list[Name], Meta(description="items the customer has afterwards")] = []
    removes: Annotated[list[Name], Meta(description="items the customer has no longer")] = []
    clears: Annotated[list[Name], Meta(description="what opens again")] = []
    why: Why = None


class WayCell(Named, frozen=True, kw_only=True):
    """A way back: what it needs, gives and removes, who carries it out and when."""

    needs: Annotated[list[Name | list[Name]], Meta(
        description="what is needed: items or things of `things:`; a list: any one of them")] = []
    gives: Annotated[list[Name], Meta(description="items the customer has afterwards")] = []
    removes: Annotated[list[Name], Meta(description="items the customer has no longer")] = []
    clears: Annotated[list[Name], Meta(
        description="what opens again: operations, items, `suspension`, or `everything`")] = []
    sets: Annotated[list[Flag], Meta(description="flags set on the customer")] = []
    unsets: Annotated[list[Flag], Meta(description="flags cleared on the customer")] = []
    takes: Annotated[Duration | None, Meta(description="how long it takes at the shortest")] = None
    roles: Annotated[list[Role], Meta(description="who at the bank carries it out")] = []
    approve: Annotated[Literal["one", "two"] | None, Meta(
        description="`two`: a second person must agree; required where a role is named")] = None
    variants: Annotated[list[VariantCell], Meta(description="other cases; the first whose `when` holds")] = []
    holds: Annotated[HoldCell | None, Meta(description="operations held for a time afterwards")] = None
    tells: Annotated[list[Literal["all-channels", "letter"]], Meta(description="where the customer is told of it")] = []
    around: Annotated[list[Name], Meta(description="for `none`: the ways round a lock that stays")] = []
    ours: Ours = False


class ProcedureCell(WayCell, frozen=True, kw_only=True):
    """A way back that is not a paper form."""

    kind: Annotated[PathKind, Meta(description="how it ends a lock")]
    operation: Annotated[Name | None, Meta(description="for `procedure`: the operation whose end walks it")] = None
    open: Annotated[Hours | None, Meta(
        description="hours in which it may be carried out, on the days of the desk that does so; left out: those of that desk, else always")] = None


class FormCell(WayCell, frozen=True, kw_only=True):
    """A paper form."""

    days: Annotated[Annotated[int, Meta(ge=0, le=366)], Meta(description="days it takes, post included")]
    form: Annotated[Words | None, Meta(description="the form's number")] = None


class AbolishedLockCell(Say, frozen=True, kw_only=True):
    """A lock that an abolished item left behind."""

    row: Annotated[Id, Meta(description="the row's id")]
    penalty: Annotated[list[PenaltyCell], Meta(min_length=1, max_length=1, description="the lock that stands")]
    undo: Undo
    used_in: Annotated[list[Say], Meta(description="the operations that used the item")] = []
    why: Why = None


class AbolishedCell(Named, frozen=True, kw_only=True):
    """An item nobody can enter any more."""

    kind: Annotated[ItemKind, Meta(description="what was entered")]
    since: Annotated[Date, Meta(description="the day it was abolished")]
    of: Annotated[Reach, Meta(description="whose it was")]
    locks: Annotated[list[AbolishedLockCell], Meta(description="the locks it left")] = []


class ExemptionCell(Named, frozen=True, kw_only=True):
    """A written right on file."""

    form: Annotated[Name, Meta(description="the form that gives it: a name of `forms:`")]
    items: Annotated[list[Name], Meta(min_length=1, description="the items it opens")]


class DeskAct(StrEnum):
    """What a role at the desk may do."""

    SEE_STATE = "see-state"
    SEE_TRACE = "see-trace"
    WALK_REMEDIES = "walk-remedies"
    OPEN_CASE = "open-case"
    EMERGENCY_STOP = "emergency-stop"
    LIFT_STOP = "lift-stop"
    DELETE_ADDRESSES = "delete-addresses"
    ISSUE_RELEASE_CODE = "issue-release-code"
    RELEASE_LOCKS = "release-locks"
    ENTER_FORMS = "enter-forms"
    ENROL = "enrol"


class DeskCell(Named, frozen=True, kw_only=True):
    """One role at the bank: when it works and what it may do."""

    open: Annotated[Hours, Meta(description="working hours, from ≤ t < to")]
    every: Annotated[Literal["day", "weekday"], Meta(description="on which days")]
    zone: Annotated[Words | None, Meta(description="time zone, where it is not the policy's")] = None
    may: Annotated[list[DeskAct], Meta(description="what it may do")]
    approve: Annotated[Literal["one", "two"], Meta(description="`two`: what changes something needs a second person")]
    telephone: Annotated[list[Words], Meta(description="numbers to ring")] = []


class MailCode(Cell, frozen=True, kw_only=True):
    """A code sent by mail."""

    digits: Annotated[Annotated[int, Meta(ge=4, le=12)], Meta(description="how many digits")]
    valid: Annotated[Duration, Meta(description="how long it is valid, from the challenge's start")]


class MailResend(Cell, frozen=True, kw_only=True):
    """Sending a code again."""

    wait: Annotated[Duration, Meta(description="the least time between two sends")]
    per_challenge: Annotated[Count, Meta(description="how often one code may be sent")]


class Remedy(Named, frozen=True, kw_only=True):
    """Something the customer can try when the mail does not arrive."""

    name: Annotated[Name, Meta(description="the remedy's name")]
    fits: Annotated[list[MailGroup], Meta(description="what must be known of the message; left out: it always fits")] = []


class MailCell(Cell, frozen=True, kw_only=True):
    """Codes by mail."""

    addresses: Annotated[Annotated[int, Meta(ge=1, le=10)], Meta(description="how many addresses one customer may have")]
    code: MailCode
    resend: MailResend
    overdue: Annotated[Duration, Meta(description="after this long without news a message is overdue")]
    usable: Annotated[Annotated[int, Meta(ge=1, le=10)], Meta(
        description="how many usable addresses a customer is asked to have")] = 1
    per_address_hour: Annotated[Count | None, Meta(description="messages to one address in an hour")] = None
    per_customer_day: Annotated[Count | None, Meta(description="messages to one customer in a day")] = None
    remedies: Annotated[list[Remedy], Meta(description="what the customer can try, in this order")] = []


class SignalCell(Cell, frozen=True, kw_only=True):
    """What raises the demand for identity confirmation."""

    signal: Annotated[
        Literal["unusual-environment", "unknown-device", "new-network", "new-country", "many-logins", "several-institutions"], Meta(
            description="what is seen: a right login from a device, a network or a country that is not a usual one (`unusual-environment`: any of "
                        "the three), right logins whatever they come from, or institutions paid from an unusual environment")]
    times: Annotated[Count, Meta(description="how often")]
    item: Annotated[Name | None, Meta(
        description="for `several-institutions`: the data that says to whom; its part `institution` says which, and without parts the whole does")
    ] = None
    within: Annotated[Duration, Meta(description="in how long")]
    ours: Ours = False
    why: Why = None


class RiskCell(Cell, frozen=True, kw_only=True):
    """The demand for identity confirmation."""

    signals: Annotated[list[SignalCell], Meta(min_length=1, description="what raises it")]
    ask: Annotated[Name, Meta(description="the item that answers it")]
    refuses: Annotated[list[Name], Meta(
        min_length=1, description="operations refused until it is answered; each asks for it in a step with `when:` and one flag of `flags:`")]
    trusts_device: Annotated[Duration | None, Meta(
        description="how long a device, a network or a country is a usual one after the last login from it; left out: for good")] = None
    tells: Annotated[list[Literal["all-channels"]], Meta(
        description="where the customer is told of a login that has gone through from an unusual place; left out: nowhere")] = []
    why: Why = None


class StopCell(Cell, frozen=True, kw_only=True):
    """The emergency stop."""

    penalty: Annotated[list[PenaltyCell], Meta(min_length=1, max_length=1, description="what it refuses")]
    undo: Undo
    stranger_for: Annotated[Duration, Meta(description="how long it holds when the caller is not known")]
    stranger_once_in: Annotated[Duration, Meta(description="how often a caller who is not known may use it")]
    why: Why = None


class SuspensionCell(Cell, frozen=True, kw_only=True):
    """The customer's own suspension."""

    spares: Annotated[list[Name], Meta(min_length=1, description="operations that stay open under it")]
    undo: Undo
    why: Why = None


class CasesCell(Cell, frozen=True, kw_only=True):
    """Customers' matters at the desk."""

    call_back: Annotated[Literal["number-on-file"], Meta(description="where a call-back goes")]
    agreed_word: Annotated[bool, Meta(description="true: a word agreed on the first call is asked on the second")]
    missed: Annotated[Count, Meta(description="after so many missed call-backs the case stays open with an owner")]
    verify: Annotated[Name | None, Meta(
        description="the operation by which a caller is verified; only the desk begins it; left out: cases are not kept here")] = None
    verified_for: Annotated[Duration | None, Meta(description="how long what the desk does may rest on one verification")] = None
    in_writing: Annotated[Say | None, Meta(description="how somebody who cannot telephone reaches the same desk")] = None
    ours: Ours = False


class IncidentsCell(Cell, frozen=True, kw_only=True):
    """Locks or losses by the bank's own fault."""

    approve: Annotated[Literal["one", "two"], Meta(description="how many persons release them together")]
    notices: Annotated[Literal["one-for-all"], Meta(description="a storm of locks makes one notice")]
    ours: Ours = False


class DevicesCell(Cell, frozen=True, kw_only=True):
    """Devices that a customer has proved himself from."""

    known_by: Annotated[list[Name], Meta(min_length=1, description="operations whose end makes the device known to the subject")]
    remembered: Annotated[Annotated[int, Meta(ge=1, le=20)], Meta(
        description="how many devices one subject knows; the one unused for the longest time gives way")]
    kept: Annotated[Duration, Meta(description="how long a device stays known after its last success")]
    ours: Ours = False
    why: Why = None


class RetentionCell(Named, frozen=True, kw_only=True):
    """How long a class of records is kept."""

    keep: Annotated[Duration, Meta(description="how long")]


class RetentionClasses(Cell, frozen=True, kw_only=True):
    """How long each class of records is kept. What is written into the ledger all the time must say it."""

    audit: Annotated[RetentionCell, Meta(description="the record of events, its seals, and how often a lock refused")]
    feed: Annotated[RetentionCell, Meta(description="what channels are told and may still ask for")]
    strangers: Annotated[RetentionCell, Meta(description="counts of names that nobody has enrolled, after the last entry")]
    personal_data: Annotated[RetentionCell | None, Meta(description="what is known of a person")] = (
        msgspec.field(default=None, name="personal-data"))
    mail_traces: Annotated[RetentionCell | None, Meta(description="the course of messages")] = (
        msgspec.field(default=None, name="mail-traces"))


class SessionTimes(Cell, frozen=True, kw_only=True):
    """A session's life."""

    idle: Annotated[Duration, Meta(description="without use")]
    total: Annotated[Duration, Meta(description="altogether")]


class TimingCell(Cell, frozen=True, kw_only=True):
    """Limits that are not thresholds."""

    reservation: Annotated[Duration, Meta(description="a guess without a verdict counts as wrong after this")]
    procedure: Annotated[Duration, Meta(description="how long one run may take")]
    stranger_procedure: Annotated[Duration, Meta(description="how long a run of somebody not known may take")]
    session: SessionTimes
    hold: Annotated[Duration | None, Meta(description="the time grid answers leave on; left out: none")] = None


class PolicyFile(Cell, frozen=True, kw_only=True):
    """A whole policy file."""

    policy: Annotated[Name, Meta(description="the policy's name")]
    article: Annotated[Words, Meta(description="the number of its article in the manual")]
    title: Say
    languages: Annotated[list[Literal["ja", "en"]], Meta(min_length=2, max_length=2, description="ja and en")]
    zone: Annotated[Words, Meta(description="time zone of dates and hours")]
    profiles: Annotated[list[Profile], Meta(description="standards it claims to meet")] = []
    waivers: Annotated[list[Waiver], Meta(description="findings accepted")] = []
    paper: Annotated[list[PaperWay], Meta(description="states out of which paper is the way")] = []
    known_devices: Annotated[bool, Meta(description="true: devices are recognised, and known ones never refused by "
                                        "ceilings")]
    devices: Annotated[DevicesCell | None, Meta(description="how a device becomes known, and for how long")] = None
    rules: Rules
    timing: TimingCell
    flags: Annotated[dict[Name, Named], Meta(description="marks on a customer that rows may ask for")] = {}
    things: Annotated[dict[Name, Named], Meta(description="what ways back need or give and nobody enters")] = {}
    items: Annotated[dict[Name, ItemCell], Meta(min_length=1, description="everything entered to be checked")]
    counters: Annotated[dict[Name, CounterCell], Meta(description="counts that rows share")] = {}
    others: Annotated[OthersCell | None, Meta(description="every entry without a row of its own")] = None
    operations: Annotated[dict[Name, OperationCell], Meta(min_length=1, description="what customers do")]
    ceilings: Annotated[dict[Name, CeilingCell], Meta(description="counts over all operations that take an item")] = {}
    procedures: Annotated[dict[Name, ProcedureCell], Meta(description="the ways back")]
    forms: Annotated[dict[Name, FormCell], Meta(description="the ways back on paper")] = {}
    abolished: Annotated[dict[Name, AbolishedCell], Meta(description="items that are gone, and what they left")] = {}
    exemptions: Annotated[dict[Name, ExemptionCell], Meta(description="written rights on file")] = {}
    suspension: Annotated[SuspensionCell | None, Meta(description="the customer's own suspension")] = None
    emergency_stop: StopCell
    desk: Annotated[dict[Role, DeskCell], Meta(description="who works at the bank, and when")]
    mail: MailCell
    risk: Annotated[RiskCell | None, Meta(description="when identity confirmation is demanded")] = None
    cases: Annotated[CasesCell | None, Meta(description="customers' matters at the desk")] = None
    incidents: Annotated[IncidentsCell | None, Meta(description="locks or losses by the bank's own fault")] = None
    retention: Annotated[RetentionClasses, Meta(description="how long records are kept")]


def jsonable(cell: Any) -> Any:
    """A cell as plain dicts and lists, for digests and extras."""
    return msgspec.to_builtins(cell)
