"""The policy in force is a row of the ledger, read in every batch; a file is only a proposal until it is put there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from sekisho.core.state import IN_FORCE, SECOND, InForce, decode, encode
from sekisho.errors import CallerError
from sekisho.events import Event, EventKind
from sekisho.flows.subjects import every_guard
from sekisho.policy import compile_policy, parse
from sekisho.policy.table import Table
from sekisho.ports import Change, Store, Tx
from sekisho.proof.diff import lifts

AHEAD_S = 10
"""A policy comes into force at least this much later, so that every node has it by then. Seconds."""


class Note:
    """Put on record, in the chain of the node that sees it first, that a policy was put in force: which, from when, by whom."""

    keys: Sequence[str] = (IN_FORCE,)

    def decide(self, tx: Tx) -> None:
        """Tell what was not told yet."""
        row = tx.get(IN_FORCE, InForce)
        if row is None:
            return
        for since, version in row.versions:
            if version not in row.told:
                row.told.append(version)
                tx.put(IN_FORCE, row)
                tx.tell(Event(EventKind.POLICY_PROPOSED, IN_FORCE, operator=row.by.get(version), reason=version, until=since))


async def first_policy(store: Store, source: bytes, name: str) -> Table:
    """Put the first policy of an empty store in force at once."""
    table = read(source, name)
    await store.keep_document("policy", table.version, source)
    opened = await store.begin([IN_FORCE])
    if IN_FORCE in opened.rows:
        await store.rollback()
    else:
        await store.commit(Change([(IN_FORCE, encode(InForce(versions=[(0, table.version)])), None)], None, []))
    return table


def read(source: bytes, name: str) -> Table:
    """Compile a policy's text."""
    return compile_policy(parse(source, name), source)


async def load_tables(store: Store, tables: dict[str, Table]) -> InForce:
    """Load every version that is or will be in force and is not loaded yet.

    Raises:
        CallerError: the store has no policy.

    """
    body = (await store.peek([IN_FORCE])).get(IN_FORCE)
    if body is None:
        detail = "no policy is in force; start with --policy FILE"
        raise CallerError(detail)
    in_force = decode(body, InForce)
    now = await store.clock()
    wanted = {version for since, version in in_force.versions if since > now} | {in_force.at(now) or ""}
    for version in wanted - set(tables):
        source = await store.document("policy", version)
        if source is not None:
            tables[version] = read(source, version)
    return in_force


class LeftOver(msgspec.Struct, frozen=True):
    """Locks that stand, and that nothing of another policy lifts."""

    row: str
    undo: tuple[str, ...]
    """Their ways back, none of which that policy has."""
    subjects: int
    """On how many they stand."""


async def left_over(store: Store, table: Table) -> list[LeftOver]:
    """Locks that stand until somebody lifts them, and that would have no way back under a policy, by row."""
    found: Counter[tuple[str, tuple[str, ...]]] = Counter()
    now = await store.clock()
    async for _, guard in every_guard(store):
        locks = [lock for lock in guard.locks if lock.until is None and lock.stands(now)]
        found.update({(lock.row, tuple(lock.undo)) for lock in locks if not lifts(table, lock.undo)})
    return [LeftOver(row, undo, subjects) for (row, undo), subjects in sorted(found.items())]


async def propose(store: Store, source: bytes, version: str, at: int | None, operator: str) -> int:
    """Keep a policy's text and put it in force at a time, at least `AHEAD_S` from now. Gives that time.

    Raises:
        CallerError: the store has no policy to follow on.

    """
    await store.keep_document("policy", version, source)
    opened = await store.begin([IN_FORCE])
    body = opened.rows.get(IN_FORCE)
    if body is None:
        await store.rollback()
        detail = "no policy is in force here; the first one is given to `sekisho serve --policy`"
        raise CallerError(detail)
    row = decode(body, InForce)
    when = max(at or 0, opened.now + AHEAD_S * SECOND)
    row.versions = sorted([*(one for one in row.versions if one[1] != version or one[0] <= opened.now), (when, version)])
    row.by[version] = operator
    await store.commit(Change([(IN_FORCE, encode(row), None)], None, [], opened.now))
    return when
