"""Challenge, response and signature by a shared key: OCRA (RFC 6287).

A suite says what goes into one code: `OCRA-1:HOTP-SHA256-8:C-QN08-PSHA1-S064-T1M` is eight digits made with SHA-256 from a
counter, a question of up to eight digits, a PIN under SHA-1, 64 bytes about the session, and the minute.
"""

from __future__ import annotations

import re

import msgspec

from sekisho.core.otp import truncated
from sekisho.errors import CallerError

QUESTION_BYTES = 128
"""Length that every question is filled up to (section 5.1)."""

_SUITE = re.compile(
    r"OCRA-1:HOTP-(SHA1|SHA256|SHA512)-(0|4|5|6|7|8|9|10):"
    r"(C-)?Q([ANH])(0[4-9]|[1-5][0-9]|6[0-4])(?:-P(SHA1|SHA256|SHA512))?(?:-S([0-9]{3}))?(?:-T([1-9][0-9]?)([SMH]))?"
)
_STEPS = {"S": 59, "M": 59, "H": 48}
"""Longest time step in each unit (section 6.3)."""
_SECONDS = {"S": 1, "M": 60, "H": 3600}
_PIN_BYTES = {"sha1": 20, "sha256": 32, "sha512": 64}


class Suite(msgspec.Struct, frozen=True):
    """What goes into a code (section 6)."""

    text: str
    algorithm: str
    digits: int
    """0: the whole MAC, in small hexadecimal letters."""
    counts: bool
    """A counter goes in."""
    form: str
    """Of the question: `A` letters and digits, `N` a number, `H` hexadecimal digits."""
    longest: int
    """Signs that a question has at the most."""
    pin: str | None
    """The hash under which a PIN goes in."""
    session_bytes: int
    step_s: int
    """Length of a time step; 0: no time goes in."""


def suite(text: str) -> Suite:
    """Read a suite.

    Raises:
        CallerError: not one of RFC 6287 section 6.

    """
    found = _SUITE.fullmatch(text)
    if found is None:
        raise CallerError("that is no suite of RFC 6287; one is written as OCRA-1:HOTP-SHA256-8:QA08")
    algorithm, digits, counts, form, longest, pin, session, step, unit = found.groups()
    if unit is not None and int(step) > _STEPS[unit]:
        raise CallerError("a time step is 1 to 59 seconds or minutes, or 1 to 48 hours")
    return Suite(
        text, algorithm.lower(), int(digits), counts is not None, form, int(longest), None if pin is None else pin.lower(),
        int(session or 0), 0 if unit is None else int(step) * _SECONDS[unit],
    )


def response(
    made_by: Suite, key: bytes, question: str, *, counter: int | None = None, pin_hash: bytes | None = None, session: bytes | None = None,
    now_s: int | None = None,
) -> str:
    """The code that answers a question, or signs it (section 5.2).

    Args:
        made_by: the suite.
        key: the shared key.
        question: of the suite's form; two questions of a mutual challenge are written one after the other (section 7.2).
        counter: where the suite counts.
        pin_hash: the hash of the PIN, made with the suite's own.
        session: about the session, at most as many bytes as the suite says.
        now_s: seconds since the epoch, where time goes in.

    Raises:
        CallerError: an input is missing, is one too many, or has not the suite's form.

    """
    for given, wanted, what in (
        (counter, made_by.counts, "counter"), (pin_hash, made_by.pin is not None, "hash of a PIN"),
        (session, bool(made_by.session_bytes), "session information"), (now_s, bool(made_by.step_s), "time"),
    ):
        if (given is not None) != wanted:
            raise CallerError(f"with this suite {'some' if wanted else 'no'} {what} goes into a code")
    parts = [made_by.text.encode(), b"\0"]
    if counter is not None:
        parts.append(counter.to_bytes(8, "big"))
    parts.append(_question(made_by, question))
    if pin_hash is not None and made_by.pin is not None:
        if len(pin_hash) != _PIN_BYTES[made_by.pin]:
            raise CallerError("the hash of the PIN has not the length of the suite's")
        parts.append(pin_hash)
    if session is not None:
        if len(session) > made_by.session_bytes:
            raise CallerError("there is more session information than the suite has room for")
        parts.append(session.rjust(made_by.session_bytes, b"\0"))
    if now_s is not None:
        parts.append((now_s // made_by.step_s).to_bytes(8, "big"))
    return truncated(key, b"".join(parts), made_by.algorithm, made_by.digits)


_FORMS = {"A": re.compile(r"[\x21-\x7e]+"), "N": re.compile(r"[0-9]+"), "H": re.compile(r"[0-9A-Fa-f]+")}


def _question(made_by: Suite, question: str) -> bytes:
    """A question as bytes, filled up at its end (section 5.1). A mutual challenge has two, of as many signs each."""
    if _FORMS[made_by.form].fullmatch(question) is None or not 4 <= len(question) <= 2 * made_by.longest:
        raise CallerError("the question has not the form of the suite's")
    if made_by.form == "A":
        return question.encode().ljust(QUESTION_BYTES, b"\0")
    digits = f"{int(question):X}" if made_by.form == "N" else question
    return bytes.fromhex(digits.ljust(2 * QUESTION_BYTES, "0"))


__all__ = ["Suite", "response", "suite"]
