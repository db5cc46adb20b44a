"""Calls of the interface by whoever makes pages. What comes back is an answer or a `Trouble`, never an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    import httpx

Json = dict[str, Any]


class Trouble(NamedTuple):
    """The service answered with a problem, or not at all."""

    kind: str
    """The last part of the problem's type; the words for it are in the catalogues."""
    detail: str | None = None
    """What the service said to staff. Never shown to a customer."""


async def call(
    client: httpx.AsyncClient, key: str, method: str, path: str, body: Json | None, language: str, once: str | None = None,
) -> tuple[int, Json | Trouble]:
    """One call under one key; status and answer. `once`: sent twice it is one act."""
    import httpx  # noqa: PLC0415  only pages need it, and it takes long to load

    headers = {"authorization": f"Bearer {key}", "accept-language": language, **({"idempotency-key": once} if once else {})}
    try:
        answer = await client.request(method, path, json=body, headers=headers)
        told = answer.json()
    except (httpx.HTTPError, ValueError):
        return 0, Trouble("unavailable")
    if answer.is_error or not isinstance(told, dict):
        return answer.status_code, _trouble(told)
    return answer.status_code, told


def _trouble(told: object) -> Trouble:
    if not isinstance(told, dict):
        return Trouble("fault")
    faults = [f"{one['line']}: {one['column']}: {one['text']}" for one in told.get("faults", [])]
    return Trouble(str(told.get("type", "")).rpartition("/")[2] or "fault", " / ".join(faults) or told.get("detail"))


def subject_path(subject: str, *more: str) -> str:
    """The staff's address of a subject, or of something below it."""
    return "/".join(["/v1/staff/subjects", quote(subject, safe=""), *(quote(part, safe="") for part in more)])
