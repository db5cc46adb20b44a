"""Every fact that can be recorded. Facts are appended in the commit that made them true and never change."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class EventKind(StrEnum):
    """What happened."""

    PROCEDURE_BEGUN = "procedure-begun"
    PROCEDURE_ENDED = "procedure-ended"
    PROCEDURE_DONE = "procedure-done"
    CODE_SENT = "code-sent"
    """Put into the outbox; what became of it is in its trace."""
    GUESS_RESERVED = "guess-reserved"
    ENTRY_RIGHT = "entry-right"
    ENTRY_WRONG = "entry-wrong"
    ENTRY_REPEATED = "entry-repeated"
    """Wrong, and the same as one that was counted: counted in its run alone."""
    ENTRY_UNREAD = "entry-unread"
    ENTRY_VOID = "entry-void"
    """Compared, but a lock or an end came first: it grants and tells nothing."""
    ENTRIES_REFUSED = "entries-refused"
    """Refused unread, folded: how many, from when to when."""
    SHADOW_REFUSED = "shadow-refused"
    """Told as granted by a shadow; it would have been refused."""
    IDENTITY_DEMANDED = "identity-demanded"
    """What was seen has been seen as often as the policy says: identity is to be confirmed."""
    LOCK_SET = "lock-set"
    CEILING_REACHED = "ceiling-reached"
    """So many wrong entries of unknown devices at the whole bank: somebody sweeps. The lock it set is told beside it."""
    LOCK_LIFTED = "lock-lifted"
    SESSION_OPENED = "session-opened"
    SESSION_ENDED = "session-ended"
    NOTICE_DUE = "notice-due"
    SUBJECT_ENROLLED = "subject-enrolled"
    ITEM_SET = "item-set"
    TOKENS_STOCKED = "tokens-stocked"
    TOKEN_BOUND = "token-bound"
    """A token from the inventory is this customer's now; `reason` is its serial number."""
    TOKEN_REMOVED = "token-removed"
    """It is his no more."""
    ADDRESSES_SET = "addresses-set"
    """The customer has confirmed new addresses; they are the ones on file."""
    IMPORT_BEGUN = "import-begun"
    IMPORT_DONE = "import-done"
    SUBJECT_IMPORTED = "subject-imported"
    APP_CODE_MADE = "app-code-made"
    """With it a device may be enrolled; it was shown in a session."""
    APP_REMOVED = "app-removed"
    SENSOR_LOCKED = "sensor-locked"
    """A customer's device says that it has locked its own sensor."""
    PASSKEY_DOUBTED = "passkey-doubted"
    """It signed rightly, and its counter did not grow: somebody else may have a copy. It was not taken."""
    PASSKEY_NAMED = "passkey-named"
    PASSKEY_REMOVED = "passkey-removed"
    SECRET_RENEWED = "secret-renewed"
    """A hash taken over from another system was replaced by one of ours, at a right entry."""
    STOPPED = "stopped"
    """An emergency stop was asked for and holds; the lock it set is told beside it."""
    STOP_REFUSED = "stop-refused"
    INCIDENT_OPENED = "incident-opened"
    INCIDENT_RELEASED = "incident-released"
    """Two persons have agreed that all its locks are lifted; each is told by itself."""
    INCIDENT_DONE = "incident-done"
    FORM_ENTERED = "form-entered"
    FORM_WITHDRAWN = "form-withdrawn"
    FORM_DONE = "form-done"
    """A second person has agreed; what it brought about is told beside it."""
    LETTER_MADE = "letter-made"
    """Something new is in force that only a letter tells the customer."""
    RELEASE_ASKED = "release-asked"
    RELEASE_DONE = "release-done"
    CASE_OPENED = "case-opened"
    CASE_NOTED = "case-noted"
    CALLER_VERIFIED = "caller-verified"
    ADDRESSES_DELETED = "addresses-deleted"
    """By the desk; a release code lets the customer register new ones."""
    DELETION_UNDONE = "deletion-undone"
    """Nothing came of it in time, or the customer says that it was not he: the addresses are on file again."""
    CODE_RELEASED = "code-released"
    """Handed to the customer by a machine."""
    CODE_SPENT = "code-spent"
    """The release code was entered; it is good for nothing any more."""
    CUSTOMER_TOLD = "customer-told"
    RECOVERED = "recovered"
    DISAVOWED = "disavowed"
    SIGNED_IN = "signed-in"
    """An operator at the desk's pages, by her key."""
    SIGNED_OUT = "signed-out"
    MANUAL_ANSWERED = "manual-answered"
    """One of the staff has said whether a page of the manual helped."""
    POLICY_PROPOSED = "policy-proposed"
    BUCKETS_AGED = "buckets-aged"
    RESTORE_ACCEPTED = "restore-accepted"
    PERSONAL_EXPORTED = "personal-exported"
    PERSONAL_ERASED = "personal-erased"
    CLOCK_DOUBTED = "clock-doubted"
    CLOCK_AGREED = "clock-agreed"


FOR_CHANNELS = frozenset({
    EventKind.SESSION_OPENED, EventKind.SESSION_ENDED, EventKind.LOCK_SET, EventKind.LOCK_LIFTED, EventKind.NOTICE_DUE,
})
"""What `GET /v1/events` tells; never a count, a threshold or the length of a lock (D1)."""


class Event(msgspec.Struct, omit_defaults=True, gc=False):
    """One recorded fact. It holds no secret, no proof and no code."""

    kind: EventKind
    subject: str
    """The row it is about."""
    operation: str | None = None
    item: str | None = None
    row: str | None = None
    procedure: str | None = None
    session: str | None = None
    lock: str | None = None
    wrong: int | None = None
    until: int | None = None
    path: str | None = None
    operator: str | None = None
    reason: str | None = None
    number: int | None = None
    since: int | None = None
    at: int = 0
    policy: str | None = None
    previous: tuple[int, int] | None = None
    """The event before it about the same subject."""


class FeedItem(msgspec.Struct, omit_defaults=True):
    """An event as channels may see it: no row, no count, no length of a lock (D1)."""

    kind: EventKind
    at: int
    subject: str
    session: str | None = None
    lock: str | None = None
    owner: str | None = None
    """The API key a session belongs to: no other is told its name."""
