"""The service with a real SMTP way out and back: its relay is a sink, its clock the test's."""

import asyncio
import contextlib
import time

from bankside import Service

from sekisho.app import relay_of
from sekisho.bank.sink import Fault, Sink, Waits
from sekisho.core.state import Outgoing, decode
from sekisho.flows.outbox import outbox_key, stands
from sekisho.serving import bind

SENDER, BOUNCES = "Bank <codes@bank.example>", "codes@bounce.bank.example"
QUICK = Waits(slow_s=0.05, grey_s=0.0, later_s=0.05)


class PostOffice(Service):
    """The whole service, sending over SMTP."""

    def __init__(self, folder, policy=None, relay=None, **settings):
        mail, bounces = bind("127.0.0.1:0"), bind("127.0.0.1:0")
        self.bounces_at = bounces.getsockname()[:2]
        self._between = contextlib.ExitStack()
        port = mail.getsockname()[1]
        # Behind a relay the sink reports nothing itself: that is the relay's part.
        self.sink = Sink(self.bounces_at if relay is None else None, QUICK)
        if relay is not None:
            port = self._between.enter_context(relay(port, self.bounces_at[1])).port
        super().__init__(folder, policy, relay=relay_of(f"smtp://127.0.0.1:{port}", SENDER, BOUNCES), bounces=bounces, **settings)
        self.envelopes = self.app._mail.envelopes
        self.do(self.sink.start(mail))

    def close(self):
        self._between.close()
        self.do(self.sink.stop())
        super().close()

    def row(self, delivery):
        key = outbox_key(delivery)
        return decode(self.do(self.app.store.peek([key]))[key], Outgoing)

    def hops(self, delivery):
        return self.row(delivery).trace

    def course(self, delivery):
        return stands(self.row(delivery)).value

    def until(self, holds, within_s=20):
        """Go on until it holds; an answer is on its way over a socket."""
        end = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < end, "it never came to hold"
            self.do(asyncio.sleep(0.01))

    def settled(self, delivery, course):
        self.until(lambda: self.course(delivery) == course)
        return self.hops(delivery)


def fault(name):
    return Fault(name)
