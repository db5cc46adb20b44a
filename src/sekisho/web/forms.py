"""Reading what a page sent."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

FORM_MAX = 16 * 1024
"""Longest form that is read, in bytes."""

FIELDS_MAX = 40

Form = Mapping[str, str]


class Unreadable(Exception):
    """The request is not one of our pages' own; whoever sent it sees a plain page."""


async def read_body(request: Request, media_type: str, most: int) -> bytes:
    """What was sent, if it is of this type and no longer than that many bytes. No more than that is taken in.

    Raises:
        Unreadable: it is not.

    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        raise Unreadable
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise Unreadable
    return body


async def read_form(request: Request) -> Form:
    """The fields of an ordinary form; of fields sent twice the last.

    Raises:
        Unreadable: too long, or not a form.

    """
    body = await read_body(request, "application/x-www-form-urlencoded", FORM_MAX)
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        raise Unreadable from None
