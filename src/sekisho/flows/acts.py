"""What all acts of staff share: who acts, what comes of it, and that a request sent twice is one act."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from sekisho.flows.replay import InFlight, OtherBody, Repeated, Replay, remember, remembered
from sekisho.ports import Tx
from sekisho.terms import Role

Done = TypeVar("Done", bound=msgspec.Struct)


class Denied(msgspec.Struct, frozen=True):
    """Staff may not do this; the reason is for staff."""

    code: str
    reason: str
    conflict: bool = False


class Lifted(msgspec.Struct, frozen=True, tag="lifted"):
    """The lock is gone."""

    lock: str
    path: str


class Awaits(msgspec.Struct, frozen=True, tag="awaits"):
    """A second person must approve."""

    approval: str


class Moved(msgspec.Struct):
    """What is linked or locked is not what the keys were chosen by: look again. Nothing was done."""


class Operator(msgspec.Struct, frozen=True):
    """Who acts: one person's key."""

    name: str
    role: Role


def once(tx: Tx, replay: Replay | None, act: Callable[[Tx], Done | Denied]) -> Done | Denied | Repeated | OtherBody | InFlight:
    """Act, or tell what was told to the same request before. What was denied may be tried again."""
    told = remembered(tx, replay)
    if told is not None:
        return told
    done = act(tx)
    if not isinstance(done, Denied | Moved):
        remember(tx, replay, done)
    return done
