"""Reading what a form sent."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

FORM_MAX = 16 * 1024
"""Longest form that is read, in bytes."""

FIELDS_MAX = 40

Form = Mapping[str, str]


class Unreadable(Exception):
    """The request is not a form of ours; whoever sent it sees a plain page."""


async def read_form(request: Request) -> Form:
    """The fields of an ordinary form; of fields sent twice the last.

    Raises:
        Unreadable: too long, or not a form.

    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Unreadable
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_MAX:
            raise Unreadable
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        raise Unreadable from None
