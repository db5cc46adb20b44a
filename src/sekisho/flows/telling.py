"""What a customer is told on every channel on file: whatever was bound to him, taken from him or recovered, and that somebody knows his password.

It is put down in the commit that gives the reason, and goes on its way from there. Why so: `docs/why/told-on-every-channel.md`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sekisho.core.devices import is_new
from sekisho.core.scene import Scene
from sekisho.core.state import SECOND, Announced, Announcements, Guard, decode
from sekisho.policy.table import Operation, Table
from sekisho.ports import Store, Tx
from sekisho.terms import ItemKind, Reach

ANNOUNCED = 5
"""Announcements kept of one customer, the newest."""

WARNED_S = 24 * 3600
"""That somebody knows his password a customer is told once in this time, however often it shows. Seconds."""

SET = {ItemKind.PASSWORD.value: "password-set", ItemKind.PASSKEY.value: "passkey-added"}
"""What is told of a new secret, by its kind; of any other one `secret-set`."""

_SECOND = frozenset(ItemKind) - {ItemKind.IDENTIFIER, ItemKind.DATA, ItemKind.PAIR}
"""What proves somebody, beside a password."""


def announcements_key(subject: str) -> str:
    """The row of what a customer is told on every channel."""
    return f"announcements:{subject}"


def announce(tx: Tx, subject: str, text: str, *, letter: bool = False) -> None:
    """Put down that a customer is to be told, in the commit that gives the reason. The caller's keys hold the row."""
    row = tx.get(announcements_key(subject), Announcements) or Announcements()
    kept = [one for one in row.made if one.told is None] + [one for one in row.made if one.told is not None][-ANNOUNCED:]
    new = Announced(f"notice.{text}", tx.now, letter)
    tx.put(announcements_key(subject), Announcements(made=[*kept, new], guesses=row.guesses), due=tx.now)


def whom(operation: Operation, subjects: Mapping[str, str]) -> str | None:
    """Whose channels tell of what comes of a run: the customer's, where one is concerned, else those of whom it is for."""
    return subjects.get(Reach.CUSTOMER) or subjects.get(operation.subject)


async def customer_of(store: Store, subject: str) -> str:
    """Who is told of what was changed for a subject: its customer, where it has one."""
    body = (await store.peek([subject])).get(subject)
    return subject if body is None else decode(body, Guard).links.get(Reach.CUSTOMER, subject)


def may_tell_of_entries(table: Table, operation: Operation) -> bool:
    """Whether an entry by itself may be a reason: it can make a device known, or be wrong after a right password."""
    after_password = any(_is_password(table, item) for step in operation.steps[:-1] for item in step.items)
    return operation.session or after_password or _makes_known(table, operation)


def _makes_known(table: Table, operation: Operation) -> bool:
    return table.devices is not None and operation.name in table.devices.known_by


def _is_password(table: Table, item: str) -> bool:
    return item in table.items and table.items[item].kind is ItemKind.PASSWORD


def of_device(tx: Tx, scene: Scene, subject: str) -> None:
    """A device has become known beside others. Of a customer's first one there is nothing to compare with."""
    guard = scene.guards.get(subject)
    if guard is not None and len(guard.devices) > 1 and is_new(guard, scene.device, scene.now):
        announce(tx, subject, "device-known")


def of_wrong(tx: Tx, scene: Scene, subject: str, item: str) -> None:
    """A wrong entry after a right password: whoever types knows that, and lacks the rest. How many there were is told nobody."""
    row, kind = scene.row_of(item), scene.table.items[item]
    if row is None or row.about or kind.kind not in _SECOND or kind.confirms or kind.renews:
        return
    proved = [*scene.procedure.proved, *(scene.session.proved if scene.session is not None else [])]
    if not any(seen != item and _is_password(scene.table, seen) for seen, _ in proved):
        return
    told = tx.get(announcements_key(subject), Announcements) or Announcements()
    if not any(one.text == "notice.second-wrong" and tx.now < one.made + WARNED_S * SECOND for one in told.made):
        announce(tx, subject, "second-wrong")


__all__ = ["SET", "announce", "announcements_key", "customer_of", "may_tell_of_entries", "of_device", "of_wrong", "whom"]
