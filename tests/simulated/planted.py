"""Nodes with one thing wrong, and connections to the ledger with one thing wrong. The simulation must find each."""

import asyncio

from nodes import Node
from shared import SimStore

from sekisho.adapters.batching import BatchedLedger
from sekisho.adapters.watch import ClockWatch
from sekisho.core.state import IN_FORCE
from sekisho.errors import UnknownFate
from sekisho.flows.entries import Entries


class LosesTheRowLock(Node):
    """Rows are read and written without being locked."""

    class store_kind(SimStore):  # noqa: N801
        async def _take(self, transaction, keys, patient):
            return frozenset()


class ReadsBeforeItLocks(Node):
    """The rows are those that stood before the locks were waited for."""

    class store_kind(SimStore):  # noqa: N801
        async def begin(self, keys, seen=(), *, patient=True):
            before = dict(self.shared.rows)
            opened = await super().begin(keys, seen, patient=patient)
            opened.rows = {key: before[key] for key in (*keys, *seen) if key in before and key not in opened.skipped}
            return opened


class AnswersBeforeItIsDurable(Node):
    """The answer leaves, and the commit follows when there is time (keycloak#52650)."""

    class store_kind(SimStore):  # noqa: N801
        async def commit(self, change):
            transaction, self.open = self.open, None
            # Whoever dies meanwhile never sends it; the server lets go of the rows.
            asyncio.get_running_loop().call_later(0.05, self._carry_out, transaction, change, asyncio.get_running_loop().create_future())
            self.shared.later(0.1, self.shared.let_go, transaction)


class DecidesWhatWasSkipped(Node):
    """Works whose rows another node holds are decided as if there were no such rows."""

    class ledger_kind(BatchedLedger):  # noqa: N801
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            for lane in self._lanes:
                lane._pass_on = self._wave_through

        def _wave_through(self, *_):
            """As if nothing had been skipped."""


class TriesAgainWhenNobodyKnows(Node):
    """A work whose commit is of unknown fate is run once more."""

    class ledger_kind(BatchedLedger):  # noqa: N801
        async def run(self, work):
            try:
                return await super().run(work)
            except UnknownFate:
                return await super().run(work)


class GoesOnWithALostChain(Node):
    """After a commit of unknown fate the chain goes on as if it had failed."""

    class ledger_kind(BatchedLedger):  # noqa: N801
        async def start(self):
            await super().start()
            for lane in self._lanes:
                lane._begin_chain = self._as_it_was

        async def _as_it_was(self):
            return


class ForgetsTheLeases(Node):
    """Nobody looks after guesses whose verdict never came."""

    class store_kind(SimStore):  # noqa: N801
        async def due(self, prefix, now, limit):
            return [] if prefix == "reservation:" else await super().due(prefix, now, limit)


class ReadsThePolicyOnce(Node):
    """The policy in force is the one that was in force when the node began."""

    class ledger_kind(BatchedLedger):  # noqa: N801
        first = None

        def _table_of(self, opened):
            self.first = self.first or opened.rows[IN_FORCE]
            opened.rows[IN_FORCE] = self.first
            return super()._table_of(opened)


class TrustsAnyClock(Node):
    """Whatever the ledger's clock says is the time."""

    class watch_kind(ClockWatch):  # noqa: N801
        doubting = False


class ForgetsItsRequests(Node):
    """What was answered under an idempotency key is kept by nobody."""

    class entries_kind(Entries):  # noqa: N801
        async def enter(self, *entry, replay):
            return await super().enter(*entry)


PLANTED = (
    LosesTheRowLock, ReadsBeforeItLocks, AnswersBeforeItIsDurable, DecidesWhatWasSkipped, TriesAgainWhenNobodyKnows, GoesOnWithALostChain,
    ForgetsTheLeases, ReadsThePolicyOnce, TrustsAnyClock, ForgetsItsRequests,
)
