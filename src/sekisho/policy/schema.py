"""The JSON Schema of the policy file, from the same types that read it: for editors, and for whoever writes one."""

from __future__ import annotations

from typing import Any

import msgspec

from sekisho.policy.model import PolicyFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema as a plain mapping."""
    (root,), definitions = msgspec.json.schema_components([PolicyFile], ref_template="#/$defs/{name}")
    whole = {"$schema": DIALECT, "title": "sekisho policy file", **root, "$defs": definitions}
    return {key: _without_null(value) for key, value in whole.items()}


def _without_null(node: Any) -> Any:
    """A cell is left out, not written as null."""
    if isinstance(node, list):
        return [_without_null(part) for part in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _without_null(value) for key, value in node.items() if not (key == "default" and value is None)}
    options = kept.get("anyOf")
    if isinstance(options, list):
        options = [option for option in options if option != {"type": "null"}]
        kept.pop("anyOf")
        kept = {**options[0], **kept} if len(options) == 1 else {**kept, "anyOf": options}
    if isinstance(kept.get("enum"), list):
        kept["enum"] = [word for word in kept["enum"] if word is not None]
    return kept
