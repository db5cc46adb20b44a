"""The emergency stop over HTTP: for the customer on a page or by telephone, and for staff in his name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from sekisho.api.customer import KEY_REUSED, Context, Language, Name, actor_of, help_at
from sekisho.api.http import Call, Problem
from sekisho.app import App
from sekisho.catalogue import language_of, say
from sekisho.core.stop import Stopped
from sekisho.flows.replay import InFlight, OtherBody, Repeated
from sekisho.flows.stops import Done

MAY = "emergency-stop"
"""What the policy's desk calls it."""


class CustomerStopBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/stops`: whom to stop, and how the channel knows him, if it does."""

    subject: Name
    session: Name | None = None
    known_by: Literal["known-device", "number-on-file"] | None = None
    context: Context | None = None
    language: Language | None = None


class StaffStopBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/subjects/{subject}/stops`: why, and how the operator knows who calls, if she does."""

    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    known_by: Literal["number-on-file", "verified"] | None = None
    caller: Name | None = None


class StopAnswer(msgspec.Struct):
    """What the customer is told."""

    outcome: Stopped
    message: str
    code: str
    article: str
    """Where the customer reads how it is opened again, and whom to ask."""


class StoppedAnswer(msgspec.Struct):
    """What staff are told."""

    outcome: Stopped
    known: bool
    """It holds until it is lifted; else for the time the policy gives to strangers."""


class Stopping:
    """The calls that stop a customer's operations."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._replay_key = app.keyring.secret("replay")

    async def by_customer(self, call: Call[CustomerStopBody]) -> tuple[int, Any]:
        """Stop everything at once: sessions end, nobody logs in or transfers. It takes no proof, only the name of whom to stop."""
        body = call.body
        done = _outcome(await self._app.stops.stop(
            call.key.id, body.subject, actor=actor_of(body.context, self._app.subjects.devices), caller=body.context.caller if body.context else None,
            session=body.session, known=body.known_by is not None, reason=body.known_by,
            device=self._app.subjects.devices.read(body.context.device if body.context else None), replay=call.replay(self._replay_key),
        ))
        code = "stopped" if done is Stopped.STOPPED else "stop-refused"
        return 200, StopAnswer(done, say(body.language or language_of(call.language), f"answer.{code}"), code, help_at(None))

    async def by_staff(self, call: Call[StaffStopBody]) -> tuple[int, Any]:
        """Stop a customer's operations in his name, at any hour: for those whom the policy's desk lets."""
        body, key = call.body, call.key
        if MAY not in self._app.table.desk.get(key.role, {}).get("may", ()):
            raise Problem(403, "may-not-stop", "Your role may not stop a service under the policy in force.")
        done = _outcome(await self._app.stops.stop(
            key.id, call.path["subject"], caller=body.caller, known=body.known_by is not None, operator=key.operator, reason=body.reason,
            replay=call.replay(self._replay_key),
        ))
        return 200, StoppedAnswer(done, body.known_by is not None)


def _outcome(done: Done | Repeated | OtherBody | InFlight) -> Stopped:
    if isinstance(done, Repeated):
        done = msgspec.msgpack.decode(done.answer, type=Done)
    if not isinstance(done, Done):
        raise KEY_REUSED
    return done.outcome
