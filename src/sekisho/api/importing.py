"""Imports over HTTP: lines in one request or in several, taken over once all are there and all are right."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from sekisho.api.http import Call, Fault, Problem
from sekisho.app import App
from sekisho.flows.import_lines import Line, csv_lines
from sekisho.flows.imports import Differs, Faulty, Import

STEPS = 20
"""Commits that one request makes at the most; whoever asks again goes on from there."""

PARTS_MAX = 10_000

Id = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]
Part = Annotated[int, Meta(ge=1, le=PARTS_MAX)]


class ImportBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /v1/staff/imports`: one part of an import, as CSV text or as lines; without either: go on with it."""

    id: Id
    part: Part = 1
    parts: Part = 1
    csv: str | None = None
    lines: list[Line] | None = None


class ImportAnswer(msgspec.Struct):
    """How far an import has come."""

    id: str
    state: str
    """`waiting` for parts, `applying`, or `done`."""
    parts: int
    missing: list[int]
    """Parts that are still to be sent, the first hundred."""
    lines: int
    subjects: int
    """Subjects that are taken over."""


class Importing:
    """The calls of imports."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def send(self, call: Call[ImportBody]) -> tuple[int, Any]:
        """Send a part of an import. With the last one all are taken over, some thousand subjects a request; 202: ask again."""
        body, imports = call.body, self._app.imports
        if body.part > body.parts:
            raise Problem(422, "wrong-shape", "The body does not have the shape that this call takes.", "There is no such part.")
        if body.csv is not None or body.lines is not None:
            await self._stage(body, call.key.operator)
        found = await imports.standing(body.id)
        if found is None:
            raise Problem(404, "not-found", "There is no such thing for this key.")
        done = await imports.apply(self._app.table, body.id, call.key.operator, steps=STEPS)
        if isinstance(done, Faulty):
            raise _faulty(done)
        return (200 if done.done else 202), _shown(body.id, done)

    async def _stage(self, body: ImportBody, operator: str) -> None:
        lines = csv_lines(body.csv) if body.csv is not None else enumerate(body.lines or [], 1)
        imports = self._app.imports
        read = await imports.read(self._app.table, lines)
        if isinstance(read, Faulty):
            raise _faulty(read, body.part)
        if isinstance(await imports.stage(body.id, body.part, body.parts, read, operator), Differs):
            raise Problem(409, "import-differs", "This import was sent with other lines or in another number of parts.")

    async def look(self, call: Call[None]) -> tuple[int, Any]:
        """How far an import has come."""
        found = await self._app.imports.standing(call.path["id"])
        if found is None:
            raise Problem(404, "not-found", "There is no such thing for this key.")
        return 200, _shown(call.path["id"], found)


def _faulty(told: Faulty, part: int | None = None) -> Problem:
    """Every line that is wrong. `part`: the one that all of them are in; None: each says it."""
    faults = [Fault(fault.line, fault.column, fault.text, part or fault.part) for fault in told.faults]
    return Problem(422, "import-faults", "Some lines are wrong; nothing was taken over.", faults=faults)


def _shown(name: str, found: Import) -> ImportAnswer:
    state = "done" if found.done else "waiting" if found.missing else "applying"
    return ImportAnswer(name, state, found.parts, found.missing[:100], found.lines, found.subjects)
