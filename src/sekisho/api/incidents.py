"""Incidents over HTTP: opened, looked through, released together by two persons."""

from __future__ import annotations

import re
import secrets as chance
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from sekisho.api.customer import KEY_REUSED, NOT_FOUND
from sekisho.api.http import Call, Problem
from sekisho.api.staff import ApprovalAnswer, ReleasedAnswer, Text, denied, operator_of, released
from sekisho.app import App
from sekisho.core.state import SECOND
from sekisho.flows.acts import Denied
from sekisho.flows.incidents import Incident, Opened
from sekisho.flows.replay import Repeated
from sekisho.flows.sights import rfc3339

Row = Annotated[str, Meta(min_length=1, max_length=200)]


class IncidentBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/incidents`: which locks, by row and by when they were set."""

    reason: Text
    rows: Annotated[list[Row], Meta(min_length=1, max_length=100)]
    since: Annotated[datetime, Meta(tz=True)]
    until: Annotated[datetime, Meta(tz=True)]


class IncidentAnswer(msgspec.Struct):
    """An incident as it stands. Times: RFC 3339, UTC."""

    incident: str
    reason: str
    rows: list[str]
    since: str
    until: str
    opened_by: str
    opened_at: str
    state: str
    """`open`, `releasing` or `done`."""
    released_by: str | None
    released: int
    """Locks lifted so far."""


class IncidentsAnswer(msgspec.Struct):
    """Incidents."""

    incidents: list[IncidentAnswer]


class IncidentLock(msgspec.Struct):
    """One lock it is about. `subject` names the row: that of a stranger begins with `~`."""

    subject: str
    lock: str
    row: str
    since: str


class IncidentLocksAnswer(msgspec.Struct):
    """Some of the locks; `next`: the `after` of the next page, null when that was all."""

    locks: list[IncidentLock]
    next: str | None


class Incidents:
    """The calls of incidents."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._replay_key = app.keyring.secret("replay")

    async def open_incident(self, call: Call[IncidentBody]) -> tuple[int, Any]:
        """Open an incident: locks that fell by the bank's own fault. Nothing is released by that."""
        body = call.body
        incident = Incident(
            reason=body.reason, rows=sorted(set(body.rows)), since=_microseconds(body.since), until=_microseconds(body.until),
            opened_by=call.key.operator,
        )
        done = await self._app.incidents.open(chance.token_urlsafe(12), incident, operator_of(call.key), call.replay(self._replay_key))
        if isinstance(done, Repeated):
            done = msgspec.msgpack.decode(done.answer, type=Opened)
        if isinstance(done, Denied):
            raise denied(done)
        if not isinstance(done, Opened):
            raise KEY_REUSED
        return 201, await self._shown(done.incident)

    async def incidents(self, call: Call[None]) -> tuple[int, Any]:
        """All incidents, a hundred at the most."""
        del call
        return 200, IncidentsAnswer([_shown(name, incident) for name, incident in await self._app.incidents.newest()])

    async def incident(self, call: Call[None]) -> tuple[int, Any]:
        """How an incident stands, and how far its release has come."""
        return 200, await self._shown(call.path["id"])

    async def locks(self, call: Call[None]) -> tuple[int, Any]:
        """The locks an incident is about that still stand, page by page; a page may be empty and not the last."""
        incident = await self._app.incidents.standing(call.path["id"])
        if incident is None:
            raise NOT_FOUND
        after = dict(parse_qsl(call.query, keep_blank_values=True)).get("after", "")
        if not re.fullmatch(r"[^\x00]{0,300}", after):
            raise Problem(422, "wrong-shape", "The body does not have the shape that this call takes.")
        found, following = await self._app.incidents.locks(incident, after)
        return 200, IncidentLocksAnswer([IncidentLock(**{**lock, "since": rfc3339(lock["since"])}) for lock in found], following)

    async def release(self, call: Call[None]) -> tuple[int, Any]:
        """Ask a second person for the release of all locks of an incident; he agrees as to any other release."""
        done = await self._app.incidents.ask(call.path["id"], operator_of(call.key), chance.token_urlsafe(18), call.replay(self._replay_key))
        return released(done)

    async def _shown(self, name: str) -> IncidentAnswer:
        incident = await self._app.incidents.standing(name)
        if incident is None:
            raise NOT_FOUND
        return _shown(name, incident)


def _shown(name: str, incident: Incident) -> IncidentAnswer:
    state = "done" if incident.done else "open" if incident.released_by is None else "releasing"
    return IncidentAnswer(
        name, incident.reason, incident.rows, rfc3339(incident.since) or "", rfc3339(incident.until) or "", incident.opened_by,
        rfc3339(incident.opened_at) or "", state, incident.released_by, incident.released,
    )


def _microseconds(at: datetime) -> int:
    return int(at.timestamp() * SECOND)


__all__ = ["ApprovalAnswer", "IncidentAnswer", "IncidentBody", "IncidentLocksAnswer", "Incidents", "IncidentsAnswer", "ReleasedAnswer"]
