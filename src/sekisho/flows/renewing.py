"""A hash that was taken over from another system is replaced by one of ours, once the customer has shown the secret."""

from __future__ import annotations

from collections.abc import Sequence

from sekisho.core.state import Guard, Secret
from sekisho.events import Event, EventKind
from sekisho.ports import Tx


class Renew:
    """Put the new record in the place of the one that was right, if that still stands."""

    def __init__(self, key: str, item: str, old: Secret | None, new: Secret) -> None:
        self._subject = key.partition(":")[2].rpartition("/")[0]
        self.keys: Sequence[str] = [key, self._subject]
        self._item = item
        self._old = old
        self._new = new

    def decide(self, tx: Tx) -> None:
        """Whatever else was set meanwhile stays."""
        key = self.keys[0]
        if self._old is not None and tx.get(key, Secret) == self._old:
            tx.put(key, self._new)
            # The subject's row is looked at so that the event joins its history.
            tx.get(self._subject, Guard)
            tx.tell(Event(EventKind.SECRET_RENEWED, self._subject, item=self._item))
