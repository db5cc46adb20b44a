"""The ledger of one node: decisions that arrive within the same moment share one transaction, one read and one commit.

Where several connections may write at once there are several lanes: some that never wait for a row, so that one batch is
decided while another is on its way to the database and back; and one that waits for rows that were held, by other nodes
or by the lanes beside it. So one contended subject stalls nobody else. Where one file has one writer there is nothing to
wait for but the file, and one lane is enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from sekisho.adapters.lane import Lane
from sekisho.adapters.queue import Queue, Waiting
from sekisho.adapters.watch import ClockWatch
from sekisho.core.chain import Head
from sekisho.core.state import IN_FORCE, InForce, decode
from sekisho.errors import LedgerUnavailable
from sekisho.policy.table import Table
from sekisho.ports import Opened, Store, Work

R = TypeVar("R")


class BatchedLedger:
    """A ledger over one store: works queue, batches run one after the other.

    Args:
        store: where rows and events are kept.
        key: the audit chain's key; never in the store.
        tables: the policies this node can decide by, by version. A version in force that is not here is a "no".
        beside: further connections to the same store, which take batches in turn with it.
        contended: one more, for works whose rows somebody else holds; None: every batch waits for its rows.
        watch: looks at the ledger's clock; None: it is trusted whatever it says.
        batch_max: how many works share a transaction at the most.
        queue_max: how many may wait; beyond it the answer is no.

    """

    def __init__(
        self, store: Store, key: bytes, tables: dict[str, Table], *, beside: Sequence[Store] = (), contended: Store | None = None,
        watch: ClockWatch | None = None, batch_max: int = 256, queue_max: int = 20_000, name: str = "node",
    ) -> None:
        self.store = store
        self.tables = tables
        self.watch = watch
        self.withheld: str | None = None
        """Why nothing is decided here any more; None: it is."""
        self._in_force: tuple[bytes, InForce] | None = None
        make = partial(Lane, key=key, table_of=self._table_of, batch_max=batch_max, watch=watch)
        queue = Queue(queue_max)
        waits = None if contended is None else make(contended, queue=Queue(queue_max), name=f"{name}/contended")
        quick = [make(one, queue=queue, name=name, beside=1 + len(beside), busy=waits) for one in (store, *beside)]
        self._waits = waits
        self._lanes = quick if waits is None else [*quick, waits]

    @property
    def batches(self) -> int:
        """Batches that were committed."""
        return sum(lane.batches for lane in self._lanes)

    @property
    def decided(self) -> int:
        """Works that had their answer."""
        return sum(lane.decided for lane in self._lanes)

    @property
    def writer(self) -> int:
        """Whose chain this node writes, or the first of its lanes."""
        return self._lanes[0].writer

    @property
    def heads(self) -> list[Head]:
        """How far this node's chains have come."""
        return [lane.head for lane in self._lanes if lane.head is not None]

    @property
    def queued(self) -> int:
        """Works waiting for a batch."""
        return sum(len(queue) for queue in {id(lane.queue): lane.queue for lane in self._lanes}.values())

    async def start(self) -> None:
        """Register this node's chains and begin to serve."""
        for lane in self._lanes:
            await lane.start()

    async def stop(self) -> None:
        """Finish what is queued, then let go of the store. Whoever waits in one of the quick lanes may end up in the last."""
        for lane in self._lanes:
            await lane.stop()

    async def run(self, work: Work[R]) -> R:
        """Decide one work in the next batch; the answer comes after the commit.

        Raises:
            LedgerUnavailable: nothing was granted.
            UnknownFate: it may have been counted, once.

        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        one = Waiting(work, future)
        if self._waits is not None and self._waits.needs(one):
            # Its rows are held: a quick lane would only find that out once more.
            self._waits.take_over(one)
        else:
            self._lanes[0].add(one)
        return await future

    def _table_of(self, opened: Opened) -> Table:
        """The table in force, as the batch itself has read it."""
        if self.withheld is not None:
            raise LedgerUnavailable(self.withheld)
        body = opened.rows.get(IN_FORCE)
        if body is None:
            raise LedgerUnavailable("no policy is in force; accept one")
        if self._in_force is None or self._in_force[0] != body:
            self._in_force = (body, decode(body, InForce))
        version = self._in_force[1].at(opened.now)
        table = self.tables.get(version or "")
        if table is None:
            raise LedgerUnavailable(f"this node has not loaded policy {version}")
        return table
