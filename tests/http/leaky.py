"""The command `sekisho` with a leak planted in it: what the measurements of time must find. First argument: which leak."""

import asyncio
import sys
from contextvars import ContextVar

from sekisho.adapters.secrets import KeyedSecrets
from sekisho.api import http
from sekisho.api.customer import Customer
from sekisho.cli import main

KNOWN = ContextVar("KNOWN", default=False)
"""Whether the entry that is being answered names a customer who exists."""


def behind_the_grid():
    """Where the customer named in a pair exists the answer leaves one millisecond later, after the time grid."""
    enter, respond = Customer.enter, http.respond

    async def noting(self, call):
        named = f"customer:{call.body.proof['customer-number']}"
        KNOWN.set(bool(await self._app.store.peek([named])))
        return await enter(self, call)

    async def late(send, *answer):
        if KNOWN.get():
            await asyncio.sleep(0.001)
        await respond(send, *answer)

    Customer.enter, http.respond = noting, late


def in_the_slow_lane():
    """Where there is a password on record it is hashed some times more: longer than a step of the grid."""
    matches = KeyedSecrets.matches

    def slower(self, record, kind, proof):
        for _ in range(5 if record is not None else 0):
            matches(self, record, kind, proof)
        return matches(self, record, kind, proof)

    KeyedSecrets.matches = slower


if __name__ == "__main__":
    {"behind-the-grid": behind_the_grid, "in-the-slow-lane": in_the_slow_lane}[sys.argv.pop(1)]()
    main()
