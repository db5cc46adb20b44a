"""News of messages after they were handed over: what servers report, and whether their codes were used.

A report is taken for a message that exists, each one once, and so many at the most: whoever answers for a recipient can
write what he likes. It moves what is shown of the message and how far its address is trusted, and never keeps a code from
being sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sekisho.core import delivery, health
from sekisho.core.delivery import may_follow
from sekisho.core.scene import Scene
from sekisho.core.state import SECOND, Answered, Hop, Outgoing, decode
from sekisho.flows.addresses import addresses_key
from sekisho.flows.mailfigures import Happened, MailFigures
from sekisho.flows.outbox import happened, hear, note, outbox_key, stands
from sekisho.ports import Ledger, Report, Store, Tx

REPORTS_MAX = 20
"""Reports taken for one message."""

ANSWERED_PREFIX = "answered:"

PATIENCE_S = 45
"""A message that was older than this when another address's code was entered had had its time to arrive."""

AT_ONCE = 200

HEARD = {delivery.RELAYED: health.RELAYED, delivery.DELIVERED: health.DELIVERED, delivery.ANSWERED: health.ARRIVED}
"""What good news says of the address; bad news says it by its group."""


def answered_key(procedure: str) -> str:
    """The row on which the entered codes of a run wait to be noted on their messages."""
    return ANSWERED_PREFIX + procedure


def note_answer(tx: Tx, scene: Scene, item: str) -> None:
    """One of a run's codes is being entered: in the same commit, put down what follows for its messages and the others."""
    run, key = scene.procedure, answered_key(scene.procedure_key)
    waiting = tx.get(key, Answered) or Answered()
    fresh = [one for one in run.challenges if one.item == item and one.consumed is None]
    used = [name for one in fresh if one.answered for name in one.deliveries]
    # Where each address confirms itself, the others are still to come.
    fresh = [] if tx.table.items[item].confirms else fresh
    waited = [name for one in fresh if not one.answered and one.started + PATIENCE_S * SECOND <= scene.now for name in one.deliveries]
    tx.put(key, Answered(at=tx.now, used=[*waiting.used, *used], passed_over=[*waiting.passed_over, *waited]), due=tx.now)


class _Report:
    """Put a report on a message's record."""

    def __init__(self, key: str, subject: str, report: Report) -> None:
        self.keys: Sequence[str] = [key, addresses_key(subject)]
        self._report = report

    def decide(self, tx: Tx) -> tuple[bool, Happened | None]:
        """Whether it told anything new, and what is counted of that."""
        row, told = tx.get(self.keys[0], Outgoing), self._report
        if row is None or told.digest in row.reports or len(row.reports) >= REPORTS_MAX or not may_follow(stands(row), told.what):
            return False, None
        row.reports = [*row.reports, told.digest]
        group = told.group or ""
        seen = happened(tx, self.keys[1], row, told.what)
        note(tx, self.keys[0], row, Hop(tx.now, told.what, told.said, told.by, group, told.status, told.stage))
        hear(tx, self.keys[1], row, HEARD.get(told.what, group if told.what in _BAD else ""))
        return True, seen


_BAD = frozenset({delivery.BOUNCED, delivery.SUPPRESSED, delivery.COMPLAINED})


class _Used:
    """A message's code was entered, or that of another address was while it had had its time."""

    def __init__(self, key: str, subject: str, *, used: bool) -> None:
        self.keys: Sequence[str] = [key, addresses_key(subject)]
        self._used = used

    def decide(self, tx: Tx) -> Happened | None:
        """Note it, once."""
        row = tx.get(self.keys[0], Outgoing)
        what = delivery.USED if self._used else delivery.UNUSED
        if row is None or any(hop.what == what for hop in row.trace) or not may_follow(stands(row), what):
            return None
        seen = happened(tx, self.keys[1], row, what)
        note(tx, self.keys[0], row, Hop(tx.now, what))
        hear(tx, self.keys[1], row, health.USED if self._used else health.UNUSED)
        return seen


class _Noted:
    """All of it is on record."""

    def __init__(self, key: str, found: Answered) -> None:
        self.keys: Sequence[str] = [key]
        self._found = found

    def decide(self, tx: Tx) -> None:
        """Drop the row, unless another code of the run was entered meanwhile."""
        if tx.get(self.keys[0], Answered) == self._found:
            tx.drop(self.keys[0])


class News:
    """Takes in what is heard of messages.

    Args:
        ledger: where their course is put on record.
        store: the same ledger's store.
        figures: where it is counted what becomes of mail.

    """

    def __init__(self, ledger: Ledger, store: Store, figures: MailFigures) -> None:
        self._figures = figures
        self._ledger = ledger
        self._store = store

    async def report(self, name: str, report: Report) -> bool:
        """Take in a report on one message. False: it is not known, or the report tells nothing new."""
        key = outbox_key(name)
        body = (await self._store.peek([key])).get(key)
        if body is None:
            return False
        is_new, seen = await self._ledger.run(_Report(key, decode(body, Outgoing).subject, report))
        self._figures.note(seen)
        return is_new

    async def note_answers(self) -> int:
        """Note on messages which codes were entered; how many runs were looked at."""
        keys = await self._store.due(ANSWERED_PREFIX, await self._store.clock(), AT_ONCE)
        rows = await self._store.peek(keys)
        await asyncio.gather(*(self._note(key, decode(rows[key], Answered)) for key in keys if key in rows))
        return len(keys)

    async def _note(self, key: str, found: Answered) -> None:
        names = {outbox_key(name): True for name in found.used} | {outbox_key(name): False for name in found.passed_over}
        rows = await self._store.peek(list(names))
        works = [_Used(name, decode(body, Outgoing).subject, used=names[name]) for name, body in rows.items()]
        for seen in await asyncio.gather(*(self._ledger.run(work) for work in works)):
            self._figures.note(seen)
        await self._ledger.run(_Noted(key, found))


__all__ = ["ANSWERED_PREFIX", "News", "answered_key", "note_answer"]
