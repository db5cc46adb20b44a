"""What can go wrong that is not an outcome: each error says who must act. Refusals are results, never errors."""

from __future__ import annotations

import inspect


class SekishoError(Exception):
    """sekisho could not do what it was asked."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or inspect.getdoc(self))


class CallerError(SekishoError):
    """The request breaks the contract; the caller must change it."""


class IllegalEvent(SekishoError):
    """A recorded fact cannot follow the facts before it; the desk must look."""


class NewerState(SekishoError):
    """The ledger holds rows of a later release; upgrade this node before it may decide."""


class LedgerUnavailable(SekishoError):
    """The ledger could not be asked; nothing was granted. Try again; if it lasts, look at the database."""


class Conflict(LedgerUnavailable):
    """Other nodes were in the way and nothing was committed; the ledger begins the batch again by itself."""


class UnknownFate(SekishoError):
    """The ledger did not say whether the change is durable; it may stay spent and is spent once at most."""


class StoreIsOlder(SekishoError):
    """The store lacks what was sealed outside it: an older copy was restored, or its newest events were cut off."""
