"""One code as a mail: plain text, nothing secret in its headers, and headers that no text can add to."""

from __future__ import annotations

import email.policy
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, parseaddr

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


def sender_of(text: str) -> Address:
    """Who the mail is from: `NAME <address>` or an address.

    Raises:
        CallerError: it is neither.

    """
    name, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    if not local or not domain or not address.isascii() or _UNWRITABLE.search(address):
        raise CallerError("the sender of mail is given as: Name <name@domain>, or name@domain")
    return Address(name, local, domain)


def compose(message: Message, sender: Address, to: Recipient, now_s: float) -> bytes:
    """The mail as it goes over the wire.

    It says that a machine has sent it, so that machines do not answer (RFC 3834); there is nothing to unsubscribe from. The same
    message sent again has the same Message-ID: a server that has it already may drop it. That id is short, since one provider was
    seen to lose mails with a long one.
    """
    mail = EmailMessage(policy=email.policy.SMTPUTF8 if to.needs_utf8 else email.policy.SMTP)
    mail["Date"] = formatdate(now_s, localtime=False)
    mail["From"] = sender
    mail["To"] = to.in_header
    mail["Subject"] = message.subject
    mail["Message-ID"] = f"<{message.delivery}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["Content-Language"] = message.language
    mail.set_content(message.body, cte="7bit" if message.body.isascii() else "base64")
    return mail.as_bytes()
