"""What reaches the made-up customers: mail, calls and letters, as they stand in their boxes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from sekisho.bank.holdings import Holding

ARRIVES_S = 2.0
"""How long a customer looks into his box before he does something else."""

LOOKS_S = 0.02


class Arrived(Protocol):
    """A message as it stands in a box."""

    @property
    def delivery(self) -> str:
        """By which it is known to the service."""

    @property
    def subject(self) -> str: ...

    @property
    def body(self) -> str: ...


class Box(Protocol):
    """Where a customer's mail, or what his telephone says, can be looked at. Nobody but the customer could, at another bank."""

    def received(self, to: str) -> Sequence[Arrived]:
        """What has come for an address, newest first."""


class Received(NamedTuple):
    """Something that reached the customer."""

    way: str
    """`mail`, `telephone` or `letter`."""
    address: str
    what: Arrived


class Boxes:
    """All boxes, by `mail`, `telephone` and `letter`."""

    def __init__(self, boxes: Mapping[str, Box]) -> None:
        self._boxes = boxes

    def of(self, holding: Holding, new: Iterable[str] = ()) -> list[Received]:
        """A customer's boxes: of the addresses on file, of those that he has just entered, and at home."""
        places = [("mail", to) for to in dict.fromkeys((*holding.mails, *new))]
        places += [("telephone", holding.customer.telephone), *(("letter", subject) for subject in holding.subjects)]
        return [Received(way, to, one) for way, to in places for one in self._boxes[way].received(to)]

    async def wait(self, there: Callable[[], bool]) -> bool:
        """Look again and again until something is there."""
        loop = asyncio.get_running_loop()
        until = loop.time() + ARRIVES_S
        while not there():
            if loop.time() > until:
                return False
            await asyncio.sleep(LOOKS_S)
        return True
