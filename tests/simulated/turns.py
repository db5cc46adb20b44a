"""An event loop that never waits: time is a number that goes on when nobody can, and a seed decides who goes next.

Every task belongs to somebody or to nobody (`WHOSE`, inherited by the tasks it starts). Before each turn its owner is
asked (`may_go_on`); what a dead one would have done next is laid aside and never happens.
"""

import asyncio
import heapq
from contextvars import ContextVar

WHOSE = ContextVar("whose", default=None)


class Turns(asyncio.BaseEventLoop):
    """The loop. `chance` decides which of those who can go on does."""

    def __init__(self, chance):
        super().__init__()
        self.number = 0
        self._chance = chance
        self._now = 0.0
        self._laid_aside = []
        self._burying = False
        self._tasks = []
        self.set_task_factory(self._remembered)
        self.set_exception_handler(_tell)

    def _remembered(self, loop, coroutine, **options):
        """What the dead have left open is closed at the end, and not when the collector comes by."""
        task = asyncio.Task(coroutine, loop=loop, **options)
        self._tasks.append(task)
        return task

    def time(self):
        return self._now

    def run_in_executor(self, executor, function, *args):
        """A worker takes its time, and meanwhile others go on."""
        done = self.create_future()

        def work():
            if not done.done():
                done.set_result(function(*args))

        self.call_later(self._chance.uniform(0.001, 0.3), work)
        return done

    def _run_once(self):
        self._take_what_is_due()
        handle = self._pick()
        if handle._cancelled:
            return
        owner = handle._context.get(WHOSE)
        if self._burying or owner is None or owner.may_go_on():
            self.number += 1
            handle._run()
        else:
            self._laid_aside.append(handle)

    def _take_what_is_due(self):
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)
        if not self._ready:
            assert self._scheduled, "nobody can go on: each waits for another"
            self._now = max(self._now, self._scheduled[0]._when)
        while self._scheduled and self._scheduled[0]._when <= self._now:
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False
            self._ready.append(handle)

    def _pick(self):
        """Any of them; the others keep their order."""
        place = self._chance.randrange(len(self._ready))
        self._ready.rotate(-place)
        handle = self._ready.popleft()
        self._ready.rotate(place)
        return handle

    def bury(self):
        """Let what is left run out, the dead too, so that nothing outlives the loop."""
        self._burying = True
        self._ready.extend(self._laid_aside)
        self._laid_aside.clear()
        # Some wait for others on their way out, so they are told more than once.
        while left := [task for task in self._tasks if not task.done()]:
            for task in left:
                task.cancel()
            self.run_until_complete(asyncio.sleep(1))
        self.close()

    def _process_events(self, event_list):
        """There is no other world whose events could come."""

    def _write_to_self(self):
        """Nobody outside to wake us."""


def _tell(loop, context):
    """What became of a task that nobody awaits any more is judged by what it did to the ledger; all else is a fault of the simulation."""
    if "task" not in context and "future" not in context:
        raise SystemExit(f"the simulation broke: {context}") from context.get("exception")
