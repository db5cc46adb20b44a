"""What comes back: delivery reports (RFC 3464, RFC 6533), complaints (RFC 5965), answers of machines, and bounces in plain words.

Whoever sends mail to the return address writes what is read here. So no more than a megabyte of it is looked at, no deeper than
honest reports are nested, and whatever cannot be read is told as `other`.
"""

from __future__ import annotations

import base64
import binascii
import email
import email.policy
import quopri
import re
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parseaddr

import msgspec

from sekisho.core.bounce import Said, Stage, group_of, parse
from sekisho.terms import MailGroup

MOST = 1 << 20
"""Bytes of a message that are looked at."""

PARTS_MAX = 100
NESTED_MAX = 40
RECIPIENTS_MAX = 50
FORMS_MAX = 32_768
"""Bytes in which the forms of bounces in plain words are looked for: it takes long over more."""

SAID_MAX = 500
REPLY_MAX = 2000
NEAR, PARAGRAPHS_MAX, TIMES_MAX = 800, 4, 3
"""How far from an address its reason is looked for, in signs and in paragraphs, and at how many of the places where it stands."""

TEXT_MAX = 32_768
"""Signs of the part for people that are looked at."""

BOUNCE, DELAY, DELIVERED, COMPLAINT, AUTO_REPLY, OTHER = "bounce", "delay", "delivered", "complaint", "auto-reply", "other"


class About(msgspec.Struct):
    """What is said of one recipient."""

    address: str
    group: MailGroup
    status: str
    reply: str
    action: str
    """As in RFC 3464 section 2.3.3; empty: the report does not say."""
    stage: str


class Found(msgspec.Struct):
    """One message that came back, as it was understood."""

    kind: str
    recipients: list[About] = []
    by: str = ""
    """Which server reports."""
    text: str = ""
    """Where the return address of the reported message may be found: its own headers, as far as they came back."""


def read(raw: bytes) -> Found:
    """Understand a message. Whatever it is, it is told as something."""
    mail = _parsed(raw[:MOST])
    if mail is None:
        return Found(OTHER)
    parts = _parts(mail)
    human, returned = _human(parts), _returned(parts)
    text = f"{returned}\n{human[:TEXT_MAX]}"
    status = next((part for part in parts if part.get_content_type() in _STATUS_TYPES), None)
    feedback = next((part for part in parts if part.get_content_type() == "message/feedback-report"), None)
    if feedback is not None:
        return _complaint(_blocks(feedback), returned, text)
    if status is not None and (found := _delivery_report(_blocks(status), human)):
        return Found(_kind(found[0]), found[0], found[1], text)
    if _is_plain_complaint(mail, returned):
        return _complaint([], returned, text)
    if (status is not None or _is_from_a_mailer(mail)) and (told := _in_words(mail, raw[:FORMS_MAX], human, returned)):
        return Found(_kind(told), told, _domain(_text_of_header(mail, "from")), text)
    if _is_auto_reply(mail):
        sender = parseaddr(_text_of_header(mail, "from"))[1]
        return Found(AUTO_REPLY, [About(sender, MailGroup.NOT_FAILURE, "", "", "", "")], _domain(sender), text)
    return Found(OTHER, text=text)


# -- parts -----------------------------------------------------------------------------------------------------------------

_STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_HEADER_TYPES = frozenset({"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"})
_MESSAGE_TYPES = frozenset({"message/rfc822", "message/global", *_HEADER_TYPES})


def _parsed(raw: bytes) -> Message | None:
    """None: it is nested so deeply that only somebody who means harm has made it."""
    if raw.lower().count(b"boundary=") > NESTED_MAX:
        raw = re.sub(rb"(?i)boundary=", b"boundary-", raw)
    try:
        return email.message_from_bytes(raw, policy=email.policy.compat32)
    except (RecursionError, ValueError, LookupError, AssertionError, TypeError):
        return None


def _parts(mail: Message) -> list[Message]:
    """All parts, those of a returned message left out."""
    found: list[Message] = []
    waiting = [mail]
    while waiting and len(found) < PARTS_MAX:
        part = waiting.pop(0)
        found.append(part)
        inner = part.get_payload()
        if part.get_content_maintype() != "message" and isinstance(inner, list):
            waiting = [*inner[:PARTS_MAX], *waiting]
    return found


def _human(parts: list[Message]) -> str:
    """What is written for people: plain text before hypertext."""
    texts = [part for part in parts if part.get_content_maintype() == "text" and part.get_content_type() not in _HEADER_TYPES]
    plain = [part for part in texts if part.get_content_type() != "text/html"]
    told = "\n\n".join(_text(part) for part in plain[:5])
    if not told.strip():
        told = re.sub(r"<(?!\S+@\S+>)[^>]{0,1000}>", " ", "\n".join(_text(part) for part in texts[:2]))
    return told[:TEXT_MAX * 2].replace("\r\n", "\n")


def _text(part: Message) -> str:
    payload = part.get_payload()
    if isinstance(payload, list):
        return ""
    try:
        body = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        body = None
    raw = body if isinstance(body, bytes) else str(payload).encode("utf-8", "replace")
    try:
        return raw.decode(str(part.get_content_charset("utf-8") or "utf-8"), "replace")
    except (LookupError, ValueError):
        return raw.decode("latin-1")


def _returned(parts: list[Message]) -> str:
    """The headers of the message that was returned, as one text."""
    for part in parts[1:]:
        if part.get_content_type() in _MESSAGE_TYPES:
            inner = part.get_payload()
            if isinstance(inner, list) and inner and isinstance(inner[0], Message):
                return "\n".join(f"{name}: {_plain(value)}" for name, value in inner[0].items())
            return _text(part).split("\n\n")[0]
    return ""


def _blocks(part: Message) -> list[dict[str, str]]:
    """The groups of fields of a report, names in lower case."""
    payload = part.get_payload()
    coding = str(part.get("content-transfer-encoding", "")).lower().strip()
    inner = [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []
    if any(len(block) for block in inner):
        blocks = [{name.lower(): _plain(value) for name, value in block.items()} for block in inner[:RECIPIENTS_MAX + 1]]
        rest = inner[0].get_payload() if len(inner) == 1 else ""
        return [block for block in [*blocks, *_fields(str(rest))] if block]
    raw = "\n\n".join(str(one.get_payload()) for one in inner) if inner else str(payload)
    return _fields(_decoded(raw, coding))


def _decoded(raw: str, coding: str) -> str:
    try:
        body = raw.encode("ascii", "ignore")
        return (base64.b64decode(body) if coding == "base64" else quopri.decodestring(body)).decode("utf-8", "replace") if coding else raw
    except (binascii.Error, ValueError):
        return raw


def _fields(text: str) -> list[dict[str, str]]:
    found = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n"))[:RECIPIENTS_MAX + 1]:
        lines = re.sub(r"\n[ \t]+", " ", block).splitlines()
        fields = {name.strip().lower(): value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}
        found += [fields] if fields else []
    return found


def _plain(value: object) -> str:
    return " ".join(str(value).split())


def _text_of_header(mail: Message, name: str) -> str:
    """A header as a person reads it."""
    value = mail.get(name)
    if value is None:
        return ""
    try:
        pieces = decode_header(str(value)[:2000])
        return "".join(one if isinstance(one, str) else one.decode(charset or "latin-1", "replace") for one, charset in pieces)
    except (LookupError, ValueError, AssertionError, TypeError, IndexError, email.errors.HeaderParseError):
        return _plain(value)[:2000]


# -- reports for machines ----------------------------------------------------------------------------------------------------


def _kind(told: list[About]) -> str:
    actions = {one.action for one in told}
    if actions & {"failed", ""}:
        return BOUNCE
    return DELAY if "delayed" in actions else DELIVERED


_ACTIONS = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})


def _delivery_report(blocks: list[dict[str, str]], human: str) -> tuple[list[About], str] | None:
    """Per recipient (RFC 3464 section 2.3); None: there is none in it."""
    by = _value(next((block["reporting-mta"] for block in blocks if "reporting-mta" in block), ""))
    of_recipients = [block for block in blocks if "final-recipient" in block or "original-recipient" in block or "action" in block]
    told = [_about(block, human) for block in of_recipients[:RECIPIENTS_MAX]]
    return (told, by) if told else None


def _value(field: str) -> str:
    """A field without its type (`rfc822;`, `smtp;`, `dns;`)."""
    kind, semicolon, value = field.partition(";")
    return (value if semicolon and re.fullmatch(r"[\w.+ -]{1,40}", kind) else field).strip()


def _about(block: dict[str, str], human: str) -> About:
    address = _bare_address(_value(block.get("original-recipient", ""))) or _bare_address(_value(block.get("final-recipient", "")))
    final = _bare_address(_value(block.get("final-recipient", ""))) or address
    status = next(iter(re.findall(r"[245]\.\d{1,3}\.\d{1,3}", block.get("status", ""))), "")
    action = re.match(r"[a-z]*", block.get("action", "").lower().strip())
    what = action[0] if action and action[0] in _ACTIONS else _action_of(status)
    final = address if "." not in final.rpartition("@")[2] else final
    reply = _value(block.get("diagnostic-code", ""))[:REPLY_MAX]
    if what not in {"failed", "delayed"}:
        return About(final or address, MailGroup.NOT_FAILURE, status, reply, what, "")
    said = _said(reply, status, human, [final, address])
    return About(final or address, _group(said, what), said.status, reply or said.text[:SAID_MAX], what, said.stage)


def _action_of(status: str) -> str:
    return {"2": "delivered", "4": "delayed"}.get(status[:1], "failed")


def _said(reply: str, status: str, human: str, addresses: list[str]) -> Said:
    """What the server said, and where the words for people tell more than the field for machines."""
    near = _near(human, *addresses)
    said, beside = parse(reply, status), parse(near)
    stage = said.stage or beside.stage or parse(_transcript(human)).stage
    known = group_of(Said(reply))
    text = reply if known is not MailGroup.UNKNOWN or not near else f"{reply} {near}".strip()
    return Said(text, said.code or beside.code, said.status or beside.status, Stage(stage))


def _group(said: Said, action: str) -> MailGroup:
    """Why; what is only put off for a reason that nobody has said is put off for a while."""
    found = group_of(said)
    if action == "delayed" and (found is MailGroup.UNKNOWN or (found is MailGroup.DEAD and said.code is None)):
        return MailGroup.TRANSIENT
    return found


def _bare_address(text: str) -> str:
    """An address without brackets and X.400 or `rfc822` wrappings; empty: there is none."""
    found = re.search(r"[^\s<>\"();,]+@[^\s<>\"();,]+", _utf8_xtext(text))
    return found[0].strip(".:") if found else ""


def _utf8_xtext(text: str) -> str:
    """Undo the escapes of RFC 3461 section 4 and RFC 6533 section 3."""
    text = re.sub(r"\\x\{([0-9A-Fa-f]{2,6})\}", lambda one: chr(min(int(one[1], 16), 0x10FFFF)), text[:1000])
    return re.sub(r"\+([0-9A-F]{2})(?=.*@|$)", lambda one: chr(int(one[1], 16)), text) if re.search(r"\+(2B|3D|40)", text) else text


def _near(human: str, *addresses: str) -> str:
    """The lines for people that stand by an address; all of them where it is not named, or nothing stands by it."""
    low = human.lower()
    for address in addresses:
        at = low.find(address.lower()) if address else -1
        for _ in range(TIMES_MAX):
            if at < 0:
                break
            near = ""
            for paragraph in re.split(r"\n\s*\n", human[at + len(address):at + NEAR])[:PARAGRAPHS_MAX]:
                near += f" {paragraph}"
                if group_of(parse(near)) is not MailGroup.UNKNOWN:
                    return _plain(near)
            at = low.find(address.lower(), at + len(address))
    return _plain(f"{_transcript(human)} {human[:3000]}")[:3000]


def _transcript(human: str) -> str:
    """What a server answered, as some mailers print the dialogue."""
    found = re.search(r">>> [^\n]*\n<<< [^\n]*(?:\n<<< [^\n]*)*(?:\n\d{3} [^\n]*)?", human)
    return found[0] if found else ""


# -- complaints ----------------------------------------------------------------------------------------------------------------


def _is_plain_complaint(mail: Message, returned: str) -> bool:
    """One provider sends complaints without a part for machines: the message, and a header of its own in it."""
    subject = _text_of_header(mail, "subject").strip().lower()
    return "x-hmxmroriginalrecipient:" in returned.lower() or subject.startswith("complaint about message from")


def _complaint(blocks: list[dict[str, str]], returned: str, text: str) -> Found:
    """A feedback report (RFC 5965). One that says `not-spam` complains of nothing."""
    fields = {name: value for block in reversed(blocks) for name, value in block.items()}
    names = ("x-hmxmroriginalrecipient:", "to:", "x-original-to:")
    to = next((line.partition(":")[2] for line in returned.splitlines() if line.lower().startswith(names)), "")
    named = fields.get("original-rcpt-to") or fields.get("removal-recipient") or to
    address = _bare_address(named)
    by = _value(fields.get("reporting-mta", "")) or fields.get("user-agent", "")
    sender = fields.get("original-mail-from", "")
    if fields.get("feedback-type", "").lower() == "not-spam":
        return Found(OTHER, by=by, text=f"{sender}\n{text}")
    kind = fields.get("feedback-type", "abuse").lower()
    return Found(COMPLAINT, [About(address, MailGroup.COMPLAINT, "", kind, "", "")], by, f"{sender}\n{text}")


# -- words for people ----------------------------------------------------------------------------------------------------------

_MAILER = re.compile(
    r"mailer-?daemon|post ?master|mail ?delivery|mail-?system|delivery (?:sub)?system|mail administrator|mdaemon|bounce|mta-?daemon|daemon@|"
    r"system administrator|mail ?router|emailsystem", re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|deliver\w* (?:status|fail|error|report|problem|notif|has failed|delay|incomplete)|returned (?:mail|to sender|message)|bounce|"
    r"rejected|failure (?:notice|notif|delivery)|mail (?:delivery|system error|failed|could not|error|delivery failed)|non.?deliver|"
    r"delayed|user unknown|(?:could|can) ?not (?:be )?(?:send|sent|deliver)|notification d'|unzustellbar|配信(?:不能|エラー|できません)|送信エラー|"
    r"配送|不達|エラーメール|"
    r"warning: (?:could|message)|message (?:delayed|delivery|status|you sent|could not)|undelivered|nondeliverable|unable to deliver|"
    r"status notification|error sending|mail error|failed (?:mail|message|delivery|recipient)", re.IGNORECASE,
)
_DELAY = re.compile(
    r"warning message only|do not need to resend|not yet been delivered|has been delayed|"
    r"will (?:keep|continue|be) (?:trying|to (?:try|attempt)|retr)|still (?:being retried|trying|attempting)|"
    r"could not (?:be )?(?:send|sent|delivered) (?:message )?for (?:the )?(?:past|last)|delivery (?:attempts will|is delayed)|"
    r"message delayed|再送|遅延", re.IGNORECASE,
)
_DONE = re.compile(
    r"successfully (?:delivered|relayed)|has been delivered|was delivered to the following|"
    r"delivery status notification \(success\)|^(?:delivered|relayed):",
    re.IGNORECASE,
)
_END_OF_WORDS = re.compile(
    r"\n[- ]*(?:below this line is a copy|(?:this is a copy|copy) of (?:the|your) (?:original )?message|original message|attachment is a copy|附件|"
    r"the (?:header|body|text) of (?:the|your) (?:original )?message|included is a copy|the message (?:headers|that|you)|"
    r"(?:unsent|returned|your|undelivered|received|message) (?:message|headers?|text|mail) (?:below|follow|is|was|begin))[^\n]{0,80}\n",
    re.IGNORECASE,
)
_IN_TEXT = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")


def _is_from_a_mailer(mail: Message) -> bool:
    sender, subject = _text_of_header(mail, "from"), _text_of_header(mail, "subject")
    # Some carriers' mailers say so in a header of their own, or send with an empty return path alone.
    marked = any(mail.get(name) for name in ("x-failed-recipients", "x-mailer-daemon"))
    empty = str(mail.get("return-path", "")).strip() in {"<>", ""} and mail.get("return-path") is not None
    return bool(marked or _MAILER.search(sender) or _SUBJECT.search(subject) or empty) and not _says_auto_replied(mail, subject)


def _says_auto_replied(mail: Message, subject: str) -> bool:
    return _is_auto_reply(mail) and not _SUBJECT.search(subject) and not _MAILER.search(_text_of_header(mail, "from"))


def _in_words(mail: Message, raw: bytes, human: str, returned: str) -> list[About]:
    """A bounce that only people were meant to read: whom it is about, and what is said of each."""
    words = _END_OF_WORDS.split(f"\n{human}\n", 1)[0][:TEXT_MAX]
    subject = _text_of_header(mail, "subject")
    action = "delayed" if _DELAY.search(f"{subject}\n{words}") else "delivered" if _DONE.search(f"{subject}\n{words}") else "failed"
    told = []
    for address in _addresses(mail, raw, words, human, returned)[:RECIPIENTS_MAX]:
        said = parse(_near(words, address))
        group = MailGroup.NOT_FAILURE if action == "delivered" else _group(said, action)
        told.append(About(address, group, said.status, said.text[:SAID_MAX], action, said.stage))
    return told


def _addresses(mail: Message, raw: bytes, words: str, human: str, returned: str) -> list[str]:
    named = [address for _, address in getaddresses([str(mail.get("x-failed-recipients", ""))]) if "@" in address]
    if not named:
        named = sorted(_by_known_forms(raw))
    if not named:
        named = [address for address in _IN_TEXT.findall(words) if not _is_own(address, mail)]
    if not named:
        to = re.search(r"(?im)^to: *(.{3,300})$", returned or human)
        named = _IN_TEXT.findall(to[1]) if to else []
    return list(dict.fromkeys(named))


def _by_known_forms(raw: bytes) -> set[str]:
    """The forms of bounces that a library knows. It was written for honest ones: what makes it fail is not one of them."""
    import flufl.bounce  # noqa: PLC0415  most reports are read without it

    try:
        temporary, permanent = flufl.bounce.all_failures(email.message_from_bytes(raw, policy=email.policy.compat32))
        return {address.decode("utf-8", "replace") for address in temporary | permanent}
    except Exception:  # noqa: BLE001  whatever a made-up message does to it
        return set()


def _is_own(address: str, mail: Message) -> bool:
    """Whether an address in a text is of a mailer, or of whoever the bounce came to."""
    to = {one.lower() for _, one in getaddresses([str(mail.get("to", ""))])}
    return address.lower() in to or _MAILER.search(address) is not None


_AUTO = re.compile(
    r"out of (?:the )?office|automatic (?:reply|response)|auto[- ]?(?:reply|response|responder|matic reply)|\bauto:|vacation|away from|on leave|"
    r"absence|abwesen|réponse automatique|respuesta automática|risposta automatica|automatisch|不在|自動(?:応答|返信|送信)|休暇|留守", re.IGNORECASE,
)


def _is_auto_reply(mail: Message) -> bool:
    """An answer of a machine for its owner (RFC 3834)."""
    submitted = str(mail.get("auto-submitted", "no")).lower()
    if submitted.startswith("auto-replied") or "vacation" in submitted:
        return True
    if any(mail.get(name) for name in ("x-autoreply", "x-autorespond", "x-autoresponse", "x-auto-reply", "x-autogenerated")):
        return True
    if "auto_reply" in str(mail.get("precedence", "")).lower() or "auto-reply" in str(mail.get("precedence", "")).lower():
        return True
    return _AUTO.search(_text_of_header(mail, "subject")) is not None


def _domain(text: str) -> str:
    return _bare_address(text).rpartition("@")[2]




__all__ = ["About", "Found", "read"]
