"""Where what comes back is received: a small SMTP server for the relay, not for the world.

A return address that we have not made is refused before anything is read. What is accepted is on record before it is
answered for, so nothing is kept in a mailbox, where codes could lie about.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from sekisho.adapters.envelope import Envelopes
from sekisho.adapters.reports import AUTO_REPLY, COMPLAINT, MOST, About, Found, read
from sekisho.adapters.smtp import without_addresses
from sekisho.core import delivery
from sekisho.errors import SekishoError
from sekisho.flows.news import News
from sekisho.ports import Report
from sekisho.terms import MailGroup

COMPLAINTS = "complaints"
"""Local part to which a provider's feedback loop sends: the message is found by its return address inside."""

LARGEST = 16 * MOST
"""Largest report that is accepted; only its beginning is looked at."""

SAID_MAX = 500

_EVENTS = {"failed": delivery.BOUNCED, "delayed": delivery.DELAYED, "delivered": delivery.DELIVERED, "relayed": delivery.RELAYED,
           "expanded": delivery.EXPANDED}


def reports_of(found: Found) -> list[Report]:
    """What a message that came back says of the one that was sent."""
    return [report for one in found.recipients if (report := _report(found, one)) is not None]


def _report(found: Found, one: About) -> Report | None:
    what = {COMPLAINT: delivery.COMPLAINED, AUTO_REPLY: delivery.ANSWERED}.get(found.kind) or _EVENTS.get(one.action)
    if what is None:
        return None
    if what == delivery.BOUNCED and one.group is MailGroup.SUPPRESSED:
        what = delivery.SUPPRESSED
    parts = (what, one.address.lower(), one.status, one.reply, found.by)
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).digest()[:16]
    group = None if one.group is MailGroup.NOT_FAILURE else one.group
    return Report(what, digest, group, one.status, one.stage, without_addresses(one.reply)[:SAID_MAX], without_addresses(found.by)[:100])


class BounceServer:
    """Listens for the relay.

    Args:
        envelopes: reads return addresses.
        news: takes in what is reported.

    """

    def __init__(self, envelopes: Envelopes, news: News) -> None:
        self._envelopes = envelopes
        self._news = news
        self._pool = ThreadPoolExecutor(1, "bounces")
        self._server: asyncio.Server | None = None

    async def start(self, sock: socket.socket) -> None:
        """Take connections from here on."""
        loop = asyncio.get_running_loop()
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # it would write addresses
        self._server = await loop.create_server(
            lambda: SMTP(self, data_size_limit=LARGEST, enable_SMTPUTF8=True, hostname="sekisho", ident="sekisho", timeout=60, loop=loop), sock=sock,
        )

    async def stop(self) -> None:
        """Take no more."""
        if self._server is not None:
            self._server.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _of(self, address: str) -> str | None:
        """Which message a recipient's address means; empty: it has to be found inside."""
        local, _, domain = address.lower().rpartition("@")
        if local == COMPLAINTS and domain == self._envelopes.domain.lower():
            return ""
        return self._envelopes.delivery_at(address)

    async def handle_RCPT(  # noqa: N802  the server library names it so
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str],
    ) -> str:
        """Only what we have sent can come back."""
        if self._of(address) is None:
            return "550 5.1.1 nothing was sent from this address"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  as above
        """Read it, put it on record, then answer."""
        content: Any = envelope.original_content or envelope.content or b""
        found = await asyncio.get_running_loop().run_in_executor(self._pool, read, bytes(content))
        try:
            for address in envelope.rcpt_tos:
                name = self._of(address) or self._envelopes.found_in(found.text)
                for report in reports_of(found) if name else ():
                    await self._news.report(name or "", report)
        except SekishoError:
            return "451 4.3.0 not on record yet; try again"
        return "250 2.0.0 OK"
