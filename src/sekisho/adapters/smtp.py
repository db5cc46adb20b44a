"""Mail over SMTP (RFC 5321) to one relay: what it said to every message, and at which point of the dialogue.

The dialogue runs on threads, each with a connection of its own that is used again. A message that was sent and not answered
for is told as lost: nobody knows whether it was taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import smtplib
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from sekisho.adapters.envelope import Envelopes
from sekisho.adapters.letter import Recipient, Unwritable, compose, sender_of
from sekisho.core.address import masked
from sekisho.core.bounce import Said, Stage, group_of, parse
from sekisho.errors import CallerError
from sekisho.ports import Codes, Handed, Message
from sekisho.terms import MailGroup, Way

CONNECTIONS = 8
"""Messages that are handed to the relay at once. A usual relay takes 50 connections from one host."""

QUEUED_S = 8.0
"""How long a message may wait for a connection; then it is put off, before its lease ends while it is being sent."""

COMMAND_S = 20.0
"""How long the relay may take over one answer."""

WHOLE_S = 50.0
"""How long the whole dialogue may take: less than a message is leased for, so that no other node hands it over meanwhile."""

IDLE_S = 30.0
"""A connection that was not used for so long is not used again: relays close them."""

SAID_MAX = 500

SCHEMES = {"smtp": "none", "smtp+starttls": "starttls", "smtps": "tls"}
_PORTS = {"none": 25, "starttls": 587, "tls": 465}
_NEAR = frozenset({"127.0.0.1", "::1", "localhost"})


class Relay(msgspec.Struct, frozen=True):
    """Where mail is handed over, and whose mail it is. All of it is for codes alone: other mail has other names."""

    host: str
    port: int
    tls: str
    """`none`, `starttls` (nothing is sent without it) or `tls`."""
    sender: str
    bounces: str
    """Where bounces go; each message adds `+TOKEN` to the local part."""
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None

    @property
    def name(self) -> str:
        """As it stands on a message's record."""
        return f"{self.host}:{self.port}"


def relay_of(url: str, sender: str, bounces: str, password_file: Path | None = None, ca_file: Path | None = None) -> Relay:
    """A relay from settings.

    Args:
        url: `smtp://HOST[:PORT]` (this machine only: codes go in the clear), `smtp+starttls://[USER@]HOST[:PORT]` or `smtps://…`.
        sender: what customers see: `Name <name@domain>`.
        bounces: `name@domain`, where the relay brings what comes back.
        password_file: of the user in the URL.
        ca_file: who vouches for the relay; None: whom this machine trusts.

    Raises:
        CallerError: one of them cannot be; the text says what would be right.

    """
    told = urlsplit(url)
    tls = SCHEMES.get(told.scheme)
    if tls is None or not told.hostname or told.password:
        raise CallerError("a mail relay is named smtp+starttls://[USER@]HOST[:PORT], smtps://… or, on this machine, smtp://HOST[:PORT]")
    if tls == "none" and told.hostname not in _NEAR:
        raise CallerError("codes are not sent in the clear to another machine; use smtp+starttls:// or smtps://")
    if bool(told.username) is not (password_file is not None):
        raise CallerError("a user at the mail relay and the file with the password go together")
    sender_of(sender)
    local, _, domain = bounces.rpartition("@")
    if not local or not domain or not bounces.isascii() or "+" in local or len(local) > 16:
        raise CallerError("bounces go to name@domain, with a name of at most 16 signs and without a plus sign")
    password = password_file.read_text().strip() if password_file else None
    user = unquote(told.username) if told.username else None
    return Relay(told.hostname, told.port or _PORTS[tls], tls, sender, bounces, user, password, str(ca_file) if ca_file else None)


class No(Exception):
    """The relay did not go on."""

    def __init__(self, stage: Stage, code: int, text: bytes) -> None:
        super().__init__()
        self.stage, self.code = stage, code
        self.text = " ".join(text.decode("utf-8", "replace").split())


class _Lost(Exception):
    """The message went out, and its answer did not come."""


class SmtpChannel:
    """Hands messages to a relay.

    Args:
        relay: which.
        codes: makes the MACs of return addresses.

    """

    def __init__(self, relay: Relay, codes: Codes) -> None:
        self._relay = relay
        self._sender = sender_of(relay.sender)
        self.envelopes = Envelopes(codes, relay.bounces)
        self._pool = ThreadPoolExecutor(CONNECTIONS, "smtp")
        self._mine = threading.local()
        self._open: set[smtplib.SMTP] = set()
        self._context = context_of(relay)

    async def send(self, message: Message) -> Handed:
        """Hand a message over."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._send, message, time.monotonic() + QUEUED_S)

    def close(self) -> None:
        """Let threads and connections go."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for smtp in list(self._open):
            _end(smtp)

    def _send(self, message: Message, until: float) -> Handed:
        if time.monotonic() > until:
            return Handed(accepted=False, said="no connection to the relay was free", again=True, by=self._relay.name, group=MailGroup.TRANSIENT)
        try:
            to = Recipient(message.to)
            envelope = self.envelopes.token(message.delivery)
            letter = compose(message, self._sender, to, time.time())
        except (Unwritable, ValueError):
            return Handed(accepted=False, said="no mail can be addressed so", by="sekisho")
        try:
            code, text = self._dialogue(to, envelope, letter)
        except No as no:
            return self._refused(no, message)
        except _Lost:
            self._drop()
            return Handed(accepted=False, said="no answer after the message", lost=True, by=self._relay.name, stage=Stage.END)
        except (OSError, smtplib.SMTPException) as no:
            self._drop()
            said = f"the relay cannot be reached: {type(no).__name__}"
            return Handed(accepted=False, said=said, again=True, by=self._relay.name, group=MailGroup.TRANSIENT, stage=Stage.CONNECT)
        told = " ".join(text.decode("utf-8", "replace").split())
        status = parse(f"{code} {told}").status
        return Handed(accepted=True, said=f"{code} {bare(told, message)}", by=self._relay.name, status=status, queue=_queue(told))

    def _refused(self, no: No, message: Message) -> Handed:
        if no.stage is not Stage.RCPT:
            self._drop()
        said = parse(f"{no.code} {no.text}", stage=no.stage)
        return Handed(
            accepted=False, said=bare(said.text, message), again=no.code // 100 == 4, by=self._relay.name,
            group=group_of(Said(said.text, said.code, said.status, no.stage)), status=said.status, stage=no.stage,
        )

    # -- the dialogue

    def _dialogue(self, to: Recipient, envelope: str, letter: bytes) -> tuple[int, bytes]:
        until = time.monotonic() + WHOLE_S
        smtp, code, text = self._begin(to, envelope, until)
        if code != 250:
            raise No(Stage.MAIL, code, text)
        options = [f"ORCPT=rfc822;{_xtext(to.on_wire)}", "NOTIFY=SUCCESS,FAILURE,DELAY"] if smtp.has_extn("dsn") and not to.needs_utf8 else []
        self._step(smtp, Stage.RCPT, until, f"RCPT TO:<{to.on_wire}>{''.join(f' {one}' for one in options)}", {250, 251}, utf8=to.needs_utf8)
        self._step(smtp, Stage.DATA, until, "DATA", {354})
        try:
            _patience(smtp, until)
            smtp.send(_stuffed(letter))
            code, text = smtp.getreply()
        except (OSError, smtplib.SMTPException) as no:
            raise _Lost from no
        if code != 250:
            raise No(Stage.END, code, text)
        self._mine.used = time.monotonic()
        return code, text

    def _begin(self, to: Recipient, envelope: str, until: float) -> tuple[smtplib.SMTP, int, bytes]:
        """Begin a mail on the connection there is, or on a fresh one where that one has ended."""
        kept = getattr(self._mine, "smtp", None)
        if kept is not None and time.monotonic() - self._mine.used < IDLE_S:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                code, text = self._mail(kept, to, envelope, until)
                if code != 421:
                    return kept, code, text
        self._drop()
        smtp = self._mine.smtp = self._connect(until)
        return smtp, *self._mail(smtp, to, envelope, until)

    def _mail(self, smtp: smtplib.SMTP, to: Recipient, envelope: str, until: float) -> tuple[int, bytes]:
        if to.needs_utf8 and not smtp.has_extn("smtputf8"):
            raise No(Stage.MAIL, 553, b"5.6.7 the relay cannot carry this address (it does not offer SMTPUTF8)")
        # Headers only come back (RFC 3461 section 4.3): a bounce must not hold the code.
        options = [f"RET=HDRS ENVID={envelope}"] if smtp.has_extn("dsn") else []
        options += ["SMTPUTF8"] if to.needs_utf8 else []
        _patience(smtp, until)
        address = f"{self.envelopes.local}+{envelope}@{self.envelopes.domain}"
        return smtp.docmd(f"MAIL FROM:<{address}>{''.join(f' {one}' for one in options)}")

    def _step(self, smtp: smtplib.SMTP, stage: Stage, until: float, line: str, good: set[int], *, utf8: bool = False) -> None:
        _patience(smtp, until)
        smtp.command_encoding = "utf-8" if utf8 else "ascii"
        code, text = smtp.docmd(line)
        if code not in good:
            if stage is Stage.RCPT:
                smtp.rset()
                self._mine.used = time.monotonic()
            raise No(stage, code, text)

    def _connect(self, until: float) -> smtplib.SMTP:
        return connect(self._relay, self.envelopes.domain, self._context, until, self._keep)

    def _keep(self, smtp: smtplib.SMTP) -> None:
        self._mine.smtp, self._mine.used = smtp, time.monotonic()
        self._open.add(smtp)

    def _drop(self) -> None:
        smtp = getattr(self._mine, "smtp", None)
        self._mine.smtp = None
        if smtp is not None:
            self._open.discard(smtp)
            _end(smtp)


def context_of(relay: Relay) -> ssl.SSLContext | None:
    """Who vouches for a relay; None: nobody has to."""
    return ssl.create_default_context(cafile=relay.ca_file) if relay.tls != "none" else None


def connect(
    relay: Relay, name: str, context: ssl.SSLContext | None, until: float, opened: Callable[[smtplib.SMTP], None],
) -> smtplib.SMTP:
    """A connection that a mail may begin on: greeted, in TLS where the settings say so, and logged in.

    Args:
        relay: to whom.
        name: what we call ourselves.
        context: who vouches for it.
        until: when patience ends, by the monotonic clock.
        opened: is told of the connection as soon as there is one, so that it can be closed whatever follows.

    Raises:
        No: the relay did not go on; it says why.
        OSError, smtplib.SMTPException: it cannot be reached, or is no mail server.

    """
    within = max(1.0, min(COMMAND_S, until - time.monotonic()))
    smtp: smtplib.SMTP
    try:
        if relay.tls == "tls":
            smtp = smtplib.SMTP_SSL(relay.host, relay.port, local_hostname=name, timeout=within, context=context)
        else:
            smtp = smtplib.SMTP(relay.host, relay.port, local_hostname=name, timeout=within)
    except smtplib.SMTPConnectError as no:
        raise No(Stage.CONNECT, no.smtp_code, _bytes(no.smtp_error)) from no
    opened(smtp)
    _patience(smtp, until)
    smtp.ehlo_or_helo_if_needed()
    if relay.tls == "starttls":
        _start_tls(smtp, context)
    if relay.user is not None:
        try:
            smtp.login(relay.user, relay.password or "")
        except smtplib.SMTPResponseException as no:
            raise No(Stage.LOGIN, no.smtp_code, b"the relay does not let this user in") from no
    return smtp


def _start_tls(smtp: smtplib.SMTP, context: ssl.SSLContext | None) -> None:
    """Nothing is sent in the clear where the settings say so, whatever the other side offers."""
    try:
        smtp.starttls(context=context)
    except smtplib.SMTPResponseException as no:
        raise No(Stage.TLS, 454, b"the relay refuses STARTTLS") from no
    except smtplib.SMTPNotSupportedError as no:
        raise No(Stage.TLS, 454, b"the relay does not offer STARTTLS") from no
    smtp.ehlo()


def _end(smtp: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError):
        smtp.close()


def _patience(smtp: smtplib.SMTP, until: float) -> None:
    """How long the next answer may take."""
    left = until - time.monotonic()
    if left <= 0 or smtp.sock is None:
        raise TimeoutError
    smtp.sock.settimeout(min(COMMAND_S, left))


def _stuffed(letter: bytes) -> bytes:
    """With its dots doubled and its end (RFC 5321 section 4.5.2)."""
    return re.sub(rb"(?m)^\.", b"..", letter) + b".\r\n"


def _xtext(text: str) -> str:
    """RFC 3461 section 4."""
    return "".join(sign if "!" <= sign <= "~" and sign not in "+=" else f"+{ord(sign):02X}" for sign in text)


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


_QUEUED = re.compile(r"(?:queued as|id=|queued mail for delivery|accepted for delivery:?)\s*<?([\w.\-]{6,64})", re.IGNORECASE)


def _queue(text: str) -> str:
    """The name under which the relay keeps the message, where it says so."""
    found = _QUEUED.search(text)
    return found[1] if found else ""


_ADDRESS = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+[^\s<>\"'(),;:.]")


def bare(text: str, message: Message) -> str:
    """A server's words without addresses and without anything of the message: a filter may repeat what it did not like."""
    for code in re.findall(r"\d[\d -]{2,}\d", message.body):
        text = re.sub(r"[\s-]*".join(re.sub(r"\D", "", code)), "•••", text)
    return without_addresses(text)[:SAID_MAX]


def without_addresses(text: str) -> str:
    """A text with its addresses behind masks: whoever may read it need not be one who may see them."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return _ADDRESS.sub(lambda found: masked(Way.MAIL, found[0]), printable)
