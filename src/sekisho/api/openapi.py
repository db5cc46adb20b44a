"""The OpenAPI 3.1 description, made from the same table as the router."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sekisho import __version__
from sekisho.api.http import ProblemBody
from sekisho.api.manual import QUERY_MAX
from sekisho.api.routes import Operation

ABOUT = "Whether an entry may be looked at, what a wrong one costs, how the customer gets back in."

_PROBLEMS = {
    400: "Not JSON, a foreign Host, or a malformed Idempotency-Key", 401: "No valid API key", 403: "The key's role may not do this",
    404: "No such thing for this key", 409: "Conflict", 413: "Longer than 64 KiB", 422: "Not what this call takes",
    429: "Too many at once", 503: "Cannot decide now",
}


def describe(listed: list[Operation]) -> dict[str, Any]:
    """The whole description."""
    types = [kind for one in listed for kind in (one.body, *one.answers.values()) if kind is not None] + [ProblemBody]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    by_type = {str(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for one in listed:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "sekisho", "version": __version__, "description": ABOUT},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{"key": []}],
    }


def _operation(one: Operation, by_type: dict[str, Any]) -> dict[str, Any]:
    doc = (one.handler.__doc__ or "").strip()
    described: dict[str, Any] = {
        "operationId": one.handler.__name__ + "_" + one.handler.__self__.__class__.__name__.lower(),  # type: ignore[attr-defined]  # bound methods
        "summary": doc.split(".")[0], "description": f"{doc} Roles: {', '.join(sorted(one.roles))}.",
        "parameters": [_parameter(name) for name in re.findall(r"\{(\w+)\}", one.path)] + _query(one),
        "responses": {
            **{str(code): _content("application/json", by_type[str(kind)], "Done") for code, kind in one.answers.items()},
            **{str(code): _content("application/problem+json", by_type[str(ProblemBody)], text) for code, text in _PROBLEMS.items()},
        },
    }
    if one.method == "POST":
        described["parameters"].append({
            "name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
        })
    if one.body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": by_type[str(one.body)]}}}
    return described


def _parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 200}}


def _query(one: Operation) -> list[dict[str, Any]]:
    if one.path == "/v1/manual/search":
        return [{"name": "q", "in": "query", "required": False, "schema": {"type": "string", "maxLength": QUERY_MAX}}]
    if one.path == "/v1/staff/incidents/{id}/locks":
        return [{"name": "after", "in": "query", "required": False, "schema": {"type": "string", "maxLength": 300}}]
    if (one.method, one.path) == ("GET", "/v1/staff/cases"):
        of = {"name": "subject", "in": "query", "required": False, "schema": {"type": "string", "maxLength": 200}}
        return [of, {"name": "first", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 0, "maximum": 9_999}}]
    if one.path != "/v1/events":
        return []
    return [{"name": "after", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}}]


def _content(media: str, schema: Any, text: str) -> dict[str, Any]:
    return {"description": text, "content": {media: {"schema": schema}}}
