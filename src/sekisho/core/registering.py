"""New addresses, from being entered to being on file: each must be confirmed by a code that was sent to it, and none counts before
the run is done.
"""

from __future__ import annotations

import msgspec

from sekisho.core.state import Address, Addresses, Procedure
from sekisho.terms import AddressState


def confirm(run: Procedure, item: str, now: int) -> bool:
    """A right entry confirms the address to which its code went. Whether all that were entered are confirmed now.

    Where the bank sent and compared the code itself, it speaks of the first that is not confirmed yet.
    """
    answered = {one.address for one in run.challenges if one.item == item and one.consumed == now}
    if not answered:
        answered = {one.id for one in waiting(run)[:1]}
    run.addresses = [
        msgspec.structs.replace(one, state=AddressState.CONFIRMED) if one.id in answered else one for one in run.addresses
    ]
    return not waiting(run)


def waiting(run: Procedure) -> list[Address]:
    """The addresses that no code has confirmed yet."""
    return [one for one in run.addresses if one.state is not AddressState.CONFIRMED]


def confirmed(run: Procedure) -> list[Address]:
    """Those that will be on file."""
    return [one for one in run.addresses if one.state is AddressState.CONFIRMED]


def on_file(before: Addresses, new: list[Address], now: int) -> Addresses:
    """The row from now on: the new ones in the place of those reached by the same way. One that was there keeps its time."""
    were = {one.id: one.since for one in before.known if one.state is AddressState.CONFIRMED}
    ways = {one.way for one in new}
    kept = [one for one in before.known if one.way not in ways]
    ids = {one.id for one in new}
    former = [one for one in (*before.former, *before.known) if one.way in ways and one.id not in ids]
    fresh = [msgspec.structs.replace(one, since=were.get(one.id, now)) for one in new]
    # What was heard of an address that has just been confirmed holds no longer.
    heard = {name: said for name, said in before.heard.items() if name in {one.id for one in kept}}
    return msgspec.structs.replace(before, known=kept + fresh, heard=heard, former=former)
