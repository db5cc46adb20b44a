"""Ways to customers that end in this process: a mail box and a telephone for demonstrations and tests."""

from __future__ import annotations

from collections import OrderedDict, deque

from sekisho.ports import Handed, Message

KEPT = 20
"""Messages that are kept for one address."""

ADDRESSES = 1000
"""Addresses for which messages are kept; the one written to longest ago is forgotten first."""


class Inbox:
    """Takes every message and keeps the newest of each address. For mail and for a telephone alike."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, deque[Message]] = OrderedDict()

    async def send(self, message: Message) -> Handed:
        """Put it into the box; the same message handed over twice stands there once."""
        box = self._of.setdefault(message.to, deque(maxlen=KEPT))
        self._of.move_to_end(message.to)
        if all(one.delivery != message.delivery for one in box):
            box.appendleft(message)
        if len(self._of) > ADDRESSES:
            self._of.popitem(last=False)
        return Handed(accepted=True, said="in the box")

    def received(self, to: str) -> list[Message]:
        """What has come for an address, newest first."""
        return list(self._of.get(to, ()))
