"""The published schema comes from the types that read the file, and takes what they take."""

import jsonschema_rs
import pytest
from ruamel.yaml import YAML

from sekisho.policy import reference
from sekisho.policy.schema import schema

SCHEMA = schema()
VALID = jsonschema_rs.validator_for(SCHEMA)


def document(name):
    return YAML(typ="safe", pure=True).load(reference(name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["postal-bank", "postal-bank-as-found", "major-bank"])
def test_shipped_policies_are_valid(name):
    assert [error.message for error in VALID.iter_errors(document(name))] == []


@pytest.mark.parametrize(("path", "value"), [
    (("zone",), 5), (("rules", "new_code"), "resets-count"), (("operations", "login", "steps"), []),
    (("timing", "reservation"), "soon"), (("counters", "token-in-a-row", "of"), "moon"), (("unheard-of",), 1),
    (("others", "stages", 0, "wrong"), 0), (("waivers",), None),
])
def test_what_the_loader_refuses_the_schema_refuses(path, value):
    changed = document("postal-bank")
    *way, last = path
    cell = changed
    for step in way:
        cell = cell[step]
    cell[last] = value
    assert not VALID.is_valid(changed)


def test_every_cell_says_what_it_means():
    silent = [f"{name}.{key}" for name, one in SCHEMA["$defs"].items() for key, cell in one.get("properties", {}).items()
              if "description" not in cell and "$ref" not in cell]
    assert silent == []
