"""The words of the product as types: what is counted, for whom, and what may come of it."""

from __future__ import annotations

from enum import StrEnum


class Reach(StrEnum):
    """Whose count it is: the subject on whose guard row a counter stands."""

    PROCEDURE = "procedure"
    SESSION = "session"
    CUSTOMER = "customer"
    ACCOUNT = "account"
    APP = "app"
    ADDRESS = "address"
    CALLER = "caller"
    ACTOR = "actor"
    BANK = "bank"


class Counting(StrEnum):
    """How a counter forgets.

    `in-a-row` falls by what a right entry clears, `within` forgets what is older than its window, `in-total`
    forgets nothing. Only `in-a-row` loses anything by success.
    """

    IN_A_ROW = "in-a-row"
    WITHIN = "within"
    IN_TOTAL = "in-total"


class Verdict(StrEnum):
    """What came of comparing one proof. `unread` means it was never compared: the guess goes back."""

    RIGHT = "right"
    WRONG = "wrong"
    UNREAD = "unread"


class Outcome(StrEnum):
    """What the one who typed is told, in order of precedence."""

    REFUSED = "refused"
    WRONG = "wrong"
    RIGHT = "right"


class State(StrEnum):
    """Where one run of an operation stands."""

    OPEN = "open"
    DONE = "done"
    ENDED = "ended"


class PenaltyKind(StrEnum):
    """What a stage does when it fires."""

    VOID = "void"
    """The challenge that was being answered is void."""
    END_SESSION = "end-session"
    """The session or run the entry was made in ends; the customer's other sessions stay (A4)."""
    START_OVER = "start-over"
    """The procedure ends; it may be begun again at once."""
    LOCK = "lock"
    """Operations are refused, for a time or until released."""
    BLOCK = "block"
    """As `lock`, and the sessions of the subject end, runs that are their own session too (A17)."""
    SUSPEND = "suspend"
    """Everything but what lifts it is refused; login works (A10)."""
    DISABLE = "disable"
    """Items are refused in every operation until released."""
    ERASE = "erase"
    """Items of an enrolment are erased; they must be registered again."""
    REMOVE = "remove"
    """The whole enrolment is removed; it must be added again."""
    ASK_MORE = "ask-more"
    """More is asked of devices that are not known; known ones are never refused."""


class PathKind(StrEnum):
    """How a lock ends."""

    WAIT = "wait"
    START_OVER = "start-over"
    PROCEDURE = "procedure"
    DESK = "desk"
    FORM = "form"
    DEVICE = "device"
    NONE = "none"


class ItemKind(StrEnum):
    """What is entered: an authenticator's output, a knowledge item, or plain data."""

    IDENTIFIER = "identifier"
    """Names a subject; right when well-formed. Whether such a subject exists is never told."""
    DATA = "data"
    """Not checked against a secret: an amount, a payee, a new password, new addresses."""
    PASSWORD = "password"
    PIN = "pin"
    PASSCODE = "passcode"
    KNOWLEDGE = "knowledge"
    PAIR = "pair"
    """Several parts judged together; each part names a subject (A1)."""
    CODE = "code"
    """A one-time code sent by the bank (mail, telephone, SMS)."""
    TOTP = "totp"
    OCRA = "ocra"
    """A transaction signature that the bank's app shows and the customer types: digits over what he entered, made with a key that the app
    shares with the bank (RFC 6287)."""
    BIOMETRIC = "biometric"
    """Judged by the bank's own app."""
    DEVICE_BIOMETRIC = "device-biometric"
    """Judged and locked by the device itself; counted nowhere here (A14)."""
    PASSKEY = "passkey"
    CONFIRMATION = "confirmation"
    """An identity confirmation code over a channel on file (A15)."""


class Way(StrEnum):
    """How a code reaches the customer."""

    MAIL = "mail"
    TELEPHONE = "telephone"
    LETTER = "letter"
    """On paper, to the address that the bank knows: here it goes to the subject's name."""


class AddressState(StrEnum):
    """Whether codes may be sent to an address."""

    CONFIRMED = "confirmed"
    UNCONFIRMED = "unconfirmed"
    """On file, and nobody has shown yet that he reads what is sent there: it gets no code."""


class Role(StrEnum):
    """Who calls: what an API key may do and see."""

    CHANNEL = "channel"
    FIRST_LINE = "first-line"
    SECOND_LINE = "second-line"
    BACK_OFFICE = "back-office"
    AUDITOR = "auditor"
    ADMIN = "admin"


class MailGroup(StrEnum):
    """Why a message did not arrive, as far as a mail server says so. Only `dead` and `dormant` speak of the address itself."""

    DEAD = "dead"
    """Nobody is there, or there is no such server."""
    DORMANT = "dormant"
    """The box is full, or suspended."""
    RECIPIENT_FILTER = "recipient-filter"
    """The recipient, or his server, does not want mail from this sender."""
    CONTENT_POLICY = "content-policy"
    """What is in the message is not wanted."""
    OUR_IDENTITY = "our-identity"
    """The sending server is not trusted: a list it stands on, a name or a signature it lacks."""
    RATE = "rate"
    """Too much at once."""
    TRANSIENT = "transient"
    """Network, configuration or time: it says nothing about the address."""
    COMPLAINT = "complaint"
    """The recipient has reported it as unwanted: so it has arrived."""
    NOT_FAILURE = "not-failure"
    SUPPRESSED = "suppressed"
    """A service on the way keeps a list of addresses that it does not send to."""
    UNKNOWN = "unknown"
