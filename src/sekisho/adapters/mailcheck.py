"""Whether mail could go out and come back: asked of the relay, and of our own intake. Nothing is sent: each dialogue ends before a message.

That reports find their way back is asked as a mail server would ask that has one: with an empty sender, for a return address of ours.
"""

from __future__ import annotations

import contextlib
import secrets as chance
import smtplib
import ssl
import time
from typing import NamedTuple

from sekisho.adapters.envelope import NAME_BYTES, Envelopes
from sekisho.adapters.smtp import No, Relay, connect, context_of, without_addresses
from sekisho.core.bounce import Stage
from sekisho.ports import Codes

PATIENCE_S = 15.0
"""How long one dialogue may take."""

SAID_MAX = 200


class RelayTold(NamedTuple):
    """What a relay says to a mail that is not sent. Empty texts: nothing against it."""

    at: str = ""
    """Where it did not go on: `connect`, `tls`, `login` or `mail`; empty: nowhere."""
    said: str = ""
    dsn: bool = False
    """It offers RFC 3461: reports come back with headers alone, and of deliveries too."""
    back: str = ""
    """What it says against taking a report for our return domain."""


def ask_relay(relay: Relay, codes: Codes | None) -> RelayTold:
    """Go through a mail with the relay, up to its message. `codes`: for a return address that is ours; None: without its MAC."""
    opened: list[smtplib.SMTP] = []
    try:
        until = time.monotonic() + PATIENCE_S
        return _go_through(connect(relay, _domain(relay.bounces), context_of(relay), until, opened.append), _return_address(relay.bounces, codes))
    except No as no:
        return RelayTold(no.stage, f"{no.code} {without_addresses(no.text)}"[:SAID_MAX])
    except ssl.SSLError as no:
        return RelayTold(Stage.TLS, getattr(no, "verify_message", "") or type(no).__name__)
    except smtplib.SMTPNotSupportedError:
        return RelayTold(Stage.LOGIN, "it lets nobody log in")
    except (OSError, smtplib.SMTPException) as no:
        return RelayTold(Stage.CONNECT, _kind(no))
    finally:
        for smtp in opened:
            _leave(smtp)


def _go_through(smtp: smtplib.SMTP, back: str) -> RelayTold:
    dsn = smtp.has_extn("dsn")
    refused = _refused(smtp.docmd(f"MAIL FROM:<{back}>{' RET=HDRS' if dsn else ''}"))
    if refused:
        return RelayTold(Stage.MAIL, refused, dsn)
    smtp.rset()
    return RelayTold(dsn=dsn, back=_refused(smtp.docmd("MAIL FROM:<>")) or _refused(smtp.docmd(f"RCPT TO:<{back}>")))


def ask_intake(where: str, bounces: str, codes: Codes) -> str:
    """Go through a report with what listens for reports at HOST:PORT.

    Returns:
        What is against it; empty: it takes a report on what we could have sent, and refuses one on what nobody has.

    """
    host, _, port = where.rpartition(":")
    if not port.isdigit():
        return "it is named as HOST:PORT"
    try:
        with contextlib.closing(smtplib.SMTP(host.strip("[]") or "127.0.0.1", int(port), timeout=PATIENCE_S)) as smtp:
            smtp.ehlo()
            asked = [_refused(smtp.docmd(line)) for line in (
                "MAIL FROM:<>", f"RCPT TO:<{_return_address(bounces, codes)}>", f"RCPT TO:<{_made_up(bounces)}>")]
    except (OSError, smtplib.SMTPException) as no:
        return _kind(no)
    if any(asked[:2]):
        return asked[0] or asked[1]
    return "" if asked[2] else "it takes reports on messages that nobody has sent"


def _return_address(bounces: str, codes: Codes | None) -> str:
    if codes is None:
        return bounces
    return Envelopes(codes, bounces).address(chance.token_urlsafe(NAME_BYTES))


def _made_up(bounces: str) -> str:
    local, _, domain = bounces.rpartition("@")
    return f"{local}+{'a' * 45}@{domain}"


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _refused(told: tuple[int, bytes]) -> str:
    """What was said, where it was no."""
    code, text = told
    return "" if code // 100 == 2 else without_addresses(f"{code} {' '.join(text.decode('utf-8', 'replace').split())}")[:SAID_MAX]


def _kind(no: Exception) -> str:
    """What went wrong, without what a server may have repeated."""
    return type(no).__name__


def _leave(smtp: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError, smtplib.SMTPException):
        smtp.quit()
    smtp.close()
