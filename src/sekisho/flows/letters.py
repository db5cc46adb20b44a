"""Letters that bring something new: what stands in one is made twice and kept nowhere.

Once to make its record, by which the customer's entry is compared; once more when the letter is handed to the printer.
"""

from __future__ import annotations

import secrets as chance
from typing import NamedTuple

import msgspec

from sekisho.core.fold import fold
from sekisho.core.paper import DIGITS
from sekisho.core.state import SECOND, Challenge, Outgoing, Secret
from sekisho.flows.outbox import outbox_key
from sekisho.policy.table import Item
from sekisho.ports import Codes, Secrets, Tx
from sekisho.terms import Way

LETTER_S = 30 * 24 * 3600
"""How long a letter may wait for the printer. Seconds."""


class Letter(NamedTuple):
    """A letter made ready: what the ledger keeps of it."""

    item: str
    delivery: str
    challenge: Challenge
    record: Secret


def ready(item: Item, subject: str, secrets: Secrets, codes: Codes) -> Letter:
    """Make what a letter brings, and forget it. Slow, as its record is."""
    delivery = chance.token_urlsafe(18)
    bound = codes.digest("letter", subject, item.name)
    challenge = Challenge(delivery, item.name, "", bound, codes.version, item.digits or DIGITS[item.kind])
    value = codes.code(challenge)
    assert value is not None, "the newest key is there"
    return Letter(item.name, delivery, challenge, secrets.make(item.kind.value, fold(item.kind, value)))


def post(tx: Tx, letter: Letter, subject: str, form: str, language: str) -> None:
    """Put it into the outbox, on its way to the printer."""
    sent = msgspec.structs.replace(letter.challenge, started=tx.now, until=tx.now + LETTER_S * SECOND)
    row = Outgoing(subject=subject, way=Way.LETTER, challenge=sent, operation=form, language=language, made=tx.now)
    tx.put(outbox_key(letter.delivery), row, due=tx.now)
