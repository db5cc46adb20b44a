"""The world's mail servers, for the demonstration: one SMTP server with a box for every address, and faults to switch on for each.

It takes the parameters of RFC 3461, which the server library refuses as shipped, and reports as a real server would.
"""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import logging
import re
import smtplib
import socket
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from email.utils import formatdate
from enum import StrEnum
from typing import NamedTuple

from aiosmtpd.smtp import SMTP, Envelope, Session

KEPT = 20
"""Mails that are kept for one address."""

ADDRESSES = 1000
"""Addresses for which mails are kept; the one written to longest ago is forgotten first."""

HOST = "mx.example.jp"
"""What the server calls itself."""


class Fault(StrEnum):
    """What happens to the mail of one address."""

    ARRIVES = "arrives"
    SLOW = "slow"
    """Taken, and in the box much later."""
    GREYLISTED = "greylisted"
    """Put off until the sender has waited."""
    FILTERED = "filtered"
    """Refused once the message was seen, in the words of a dead address, as the carriers of Japan do."""
    UNKNOWN = "unknown"
    FULL = "full"
    DROPPED = "dropped"
    """Taken, and never seen again."""
    BOUNCED_LATER = "bounced-later"


class Mail(NamedTuple):
    """A mail in a box."""

    delivery: str
    """By which it is known to the service: the name in its Message-ID."""
    subject: str
    body: str
    at: float
    """When it came, seconds since the epoch."""


class Waits(NamedTuple):
    """How long the faults take, in seconds."""

    slow_s: float = 90.0
    grey_s: float = 40.0
    later_s: float = 20.0


_PARAMETER = re.compile(r"\s(RET|ENVID|NOTIFY|ORCPT)=(\S+)", re.IGNORECASE)


class DsnSMTP(SMTP):
    """The library's server, with the parameters of RFC 3461."""

    asked: dict[str, str]
    """Parameters of the present mail, by name."""

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802  the server library names it so
        """MAIL, with `RET` and `ENVID`."""
        self.asked = {}
        await super().smtp_MAIL(self._without(arg))

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802  as above
        """RCPT, with `NOTIFY` and `ORCPT`."""
        await super().smtp_RCPT(self._without(arg))

    def _without(self, arg: str | None) -> str | None:
        if arg is None:
            return None
        self.asked |= {name.upper(): value for name, value in _PARAMETER.findall(arg)}
        return _PARAMETER.sub("", arg)


class Sink:
    """The server and its boxes.

    Args:
        bounces: HOST and port to which reports go; None: it reports nothing.
        waits: how long the faults take.

    """

    def __init__(self, bounces: tuple[str, int] | None = None, waits: Waits | None = None) -> None:
        self.faults: dict[str, Fault] = {}
        """By address in lower case; mail for all others arrives."""
        self.taken = 0
        """Messages that were answered with 250."""
        self.asked: deque[dict[str, str]] = deque(maxlen=KEPT)
        """Parameters of the newest mails."""
        self._bounces = bounces
        self._waits = waits or Waits()
        self._boxes: OrderedDict[str, deque[Mail]] = OrderedDict()
        self._first: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._later: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, sock: socket.socket) -> None:
        """Take connections from here on."""
        loop = asyncio.get_running_loop()
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)
        self._server = await loop.create_server(
            lambda: DsnSMTP(self, enable_SMTPUTF8=True, hostname=HOST, ident="sink", loop=loop), sock=sock,
        )

    async def stop(self) -> None:
        """Take no more, and forget what was to come later."""
        if self._server is not None:
            self._server.close()
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)

    # -- boxes

    @property
    def addresses(self) -> list[str]:
        """All that have mail or a fault."""
        return sorted({*self._boxes, *self.faults})

    def received(self, to: str) -> Sequence[Mail]:
        """What has come for an address, newest first."""
        return list(self._boxes.get(to.lower(), ()))

    def _put(self, to: str, content: bytes) -> None:
        """Into the box; the same message again stands there once."""
        mail = email.message_from_bytes(content, policy=email.policy.default)
        body = mail.get_body(("plain",))
        name = str(mail.get("message-id", "")).strip("<> ").rpartition("@")[0]
        box = self._boxes.setdefault(to.lower(), deque(maxlen=KEPT))
        self._boxes.move_to_end(to.lower())
        if all(one.delivery != name for one in box):
            text = "" if body is None else str(body.get_content()).replace("\r\n", "\n").strip()
            box.appendleft(Mail(name, str(mail.get("subject", "")), text, time.time()))
        if len(self._boxes) > ADDRESSES:
            self._boxes.popitem(last=False)

    # -- the dialogue

    async def handle_EHLO(  # noqa: N802  the server library names it so
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str],
    ) -> list[str]:
        """Offer what RFC 3461 describes, where it is kept: whoever offers it has to report."""
        session.host_name = hostname
        return [*responses[:-1], *(["250-DSN"] if self._bounces else []), "250-ENHANCEDSTATUSCODES", *responses[-1:]]

    async def handle_RCPT(  # noqa: N802  as above
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str],
    ) -> str:
        """What is known before the message is seen."""
        fault = self._fault(address)
        if fault is Fault.UNKNOWN:
            return "550 5.1.1 No such user here"
        if fault is Fault.FULL:
            return "552 5.2.2 Mailbox full"
        if fault is Fault.GREYLISTED and not self._has_waited(address, envelope.mail_from or ""):
            return "451 4.7.1 Greylisted, please try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    def _has_waited(self, address: str, sender: str) -> bool:
        """Whether this sender came for this address long enough ago."""
        now = time.monotonic()
        first = self._first.setdefault((address.lower(), sender), now)
        if len(self._first) > ADDRESSES:
            self._first.popitem(last=False)
        return now - first >= self._waits.grey_s

    async def handle_DATA(self, server: DsnSMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  as above
        """Take the message, or what the fault makes of it."""
        content, sender, asked = bytes(envelope.original_content or b""), envelope.mail_from or "", dict(server.asked)
        if any(self._fault(to) is Fault.FILTERED for to in envelope.rcpt_tos):
            return f"550 Unknown user {envelope.rcpt_tos[0]}"
        self.taken += 1
        self.asked.append(asked)
        for to in envelope.rcpt_tos:
            self._take(to, content, sender, asked)
        return f"250 2.0.0 Ok: queued as {self.taken:010X}"

    def _take(self, to: str, content: bytes, sender: str, asked: dict[str, str]) -> None:
        fault = self._fault(to)
        if fault is Fault.SLOW:
            self._after(self._waits.slow_s, lambda: self._arrive(to, content, sender, asked))
        elif fault is Fault.BOUNCED_LATER:
            self._after(self._waits.later_s, lambda: self._report(to, content, sender, asked, _MOVED))
        elif fault is not Fault.DROPPED:
            self._arrive(to, content, sender, asked)

    def _arrive(self, to: str, content: bytes, sender: str, asked: dict[str, str]) -> None:
        self._put(to, content)
        if "SUCCESS" in asked.get("NOTIFY", ""):
            self._report(to, content, sender, asked, _DELIVERED)

    def _fault(self, to: str) -> Fault:
        return self.faults.get(to.lower(), Fault.ARRIVES)

    # -- reports

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            act()

        self._keep(asyncio.create_task(wait()))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def _report(self, to: str, content: bytes, sender: str, asked: dict[str, str], outcome: Outcome) -> None:
        """Send a report to the return address, as RFC 3464 has it."""
        if self._bounces is None or not sender.strip("<>"):
            return
        report = _dsn(to, sender, content, asked, outcome)

        async def send() -> None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                await asyncio.get_running_loop().run_in_executor(None, self._hand_over, sender, report)

        self._keep(asyncio.create_task(send()))

    def _hand_over(self, to: str, report: bytes) -> None:
        host, port = self._bounces or ("", 0)
        with smtplib.SMTP(host, port, local_hostname=HOST, timeout=10) as smtp:
            smtp.sendmail("<>", [to], report)


class Outcome(NamedTuple):
    """What a report says."""

    action: str
    status: str
    reply: str
    words: str


_DELIVERED = Outcome("delivered", "2.1.5", "250 2.1.5 Delivered", "Your message was delivered.")
_MOVED = Outcome("failed", "5.2.1", "550 5.2.1 The mailbox is disabled", "Your message could not be delivered.")


def _dsn(to: str, sender: str, content: bytes, asked: dict[str, str], outcome: Outcome) -> bytes:
    headers = content.split(b"\r\n\r\n", 1)[0].decode("utf-8", "replace")
    fields = [f"Reporting-MTA: dns; {HOST}", *([f"Original-Envelope-Id: {asked['ENVID']}"] if "ENVID" in asked else [])]
    about = [
        f"Final-Recipient: rfc822; {to}", f"Action: {outcome.action}", f"Status: {outcome.status}", f"Diagnostic-Code: smtp; {outcome.reply}",
    ]
    parts = [
        ("text/plain; charset=us-ascii", f"This is the mail system at {HOST}.\n\n{outcome.words}\n\n<{to}>: {outcome.reply}\n"),
        ("message/delivery-status", "\n".join([*fields, "", *about, ""])), ("text/rfc822-headers", f"{headers}\n"),
    ]
    lines = [
        f"From: Mail Delivery System <MAILER-DAEMON@{HOST}>", f"To: {sender}", f"Date: {formatdate()}", "Subject: Delivery report",
        "MIME-Version: 1.0",
        "Auto-Submitted: auto-replied",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_report"', "",
    ]
    for kind, body in parts:
        lines += ["--=_report", f"Content-Type: {kind}", "", body]
    return "\r\n".join([*lines, "--=_report--", ""]).replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8", "replace")
