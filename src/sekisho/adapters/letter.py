"""One code as a mail: plain text, nothing secret in its headers, and headers that no text can add to."""

from __future__ import annotations

import base64
import re
from email.header import Header
from email.utils import formatdate, parseaddr
from functools import lru_cache
from typing import NamedTuple

import idna

from sekisho.errors import CallerError
from sekisho.ports import Message

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_UNWRITABLE = re.compile(r'[\x00-\x20\x7f<>"\\]')


class Unwritable(ValueError):
    """No mail can be addressed so."""


class Recipient:
    """An address as it goes over the wire.

    A domain in letters of its own goes as A-labels (RFC 5891); a local part outside ASCII needs SMTPUTF8 (RFC 6531). Local parts that
    the standard would have quoted (`a..b`, `a.`) are sent as they are, since that is what the carriers that gave them out take; only
    in the header they stand in quotes.

    Raises:
        Unwritable: it can be written in no way.

    """

    def __init__(self, to: str) -> None:
        local, _, domain = to.rpartition("@")
        if not local or not domain or _UNWRITABLE.search(to):
            raise Unwritable
        try:
            self.domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
        except idna.IDNAError as no:
            raise Unwritable from no
        self.local = local
        self.on_wire = f"{local}@{self.domain}"
        self.needs_utf8 = not local.isascii()
        plain = _ATOM.fullmatch(local) is not None or self.needs_utf8
        self.in_header = self.on_wire if plain else f'"{local}"@{self.domain}'


class Sender(NamedTuple):
    """Who the mail is from."""

    header: str
    domain: str


def sender_of(text: str) -> Sender:
    """Who the mail is from: `NAME <address>` or an address.

    Raises:
        CallerError: it is neither.

    """
    name, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    if not local or not domain or not address.isascii() or _UNWRITABLE.search(address) or _LINE_END.search(text):
        raise CallerError("the sender of mail is given as: Name <name@domain>, or name@domain")
    return Sender(f"{_phrase(name)} <{address}>" if name else address, domain)


def compose(message: Message, sender: Sender, to: Recipient, now_s: float) -> bytes:
    """The mail as it goes over the wire.

    It says that a machine has sent it, so that machines do not answer (RFC 3834); there is nothing to unsubscribe from. The same
    message sent again has the same Message-ID: a server that has it already may drop it. That id is short, since one provider was
    seen to lose mails with a long one. Written by hand: the library takes two milliseconds over it.

    Raises:
        Unwritable: a header would have a second line.

    """
    plain = message.body.isascii()
    headers = (
        ("Date", formatdate(now_s)), ("From", sender.header), ("To", to.in_header), ("Subject", _words(message.subject)),
        ("Message-ID", f"<{message.delivery}@{sender.domain}>"), ("MIME-Version", "1.0"), ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"), ("Content-Language", message.language),
        ("Content-Type", f'text/plain; charset="{"us-ascii" if plain else "utf-8"}"'),
        ("Content-Transfer-Encoding", "7bit" if plain else "base64"),
    )
    if any(_LINE_END.search(value.replace("\r\n ", " ")) for _, value in headers):
        raise Unwritable
    body = "\r\n".join([*message.body.splitlines(), ""]).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
    return head + b"\r\n" + (body if plain else base64.encodebytes(body).replace(b"\n", b"\r\n"))


_LINE_END = re.compile(r"[\r\n\0]")


@lru_cache(maxsize=256)
def _words(text: str) -> str:
    """Text of a header, encoded where it must be (RFC 2047) and folded."""
    return text if text.isascii() and len(text) < 60 else Header(text, "utf-8", maxlinelen=70).encode(linesep="\r\n")


def _phrase(name: str) -> str:
    """A display name (RFC 5322 section 3.2.5)."""
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"' if name.isascii() else _words(name)
