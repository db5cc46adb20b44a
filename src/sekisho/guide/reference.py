"""The reference, made from what it tells of: commands, settings, the policy's words, events, answers and calls. None of it is written twice."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import click

from sekisho.api.openapi import describe
from sekisho.api.routes import operations
from sekisho.app import Settings, apart
from sekisho.catalogue import texts
from sekisho.cli import group
from sekisho.events import FOR_CHANNELS, Event, EventKind
from sekisho.flows.answers import Message
from sekisho.policy import compile_policy, load, reference
from sekisho.policy.model import FindingCode
from sekisho.policy.schema import schema
from sekisho.terms import Counting, Outcome, PathKind, PenaltyKind, Reach, Role, Verdict

ROOT = "PolicyFile"


def pages() -> dict[str, str]:
    """Every page by its name, as Markdown."""
    return {
        "commands": "\n".join(commands()), "settings": "\n".join(settings()), "policy": "\n".join(policy()), "events": "\n".join(events()),
        "answers": "\n".join(answers()), "http": "\n".join(http()),
    }


def commands() -> Iterator[str]:
    """Every command with its arguments and options."""
    yield "# Commands\n\nAs `python3 run.py …` in a checkout, or as `sekisho …` where it is installed.\n"
    yield from _command(group, click.Context(group, info_name="sekisho"))


def _command(command: click.Command, here: click.Context) -> Iterator[str]:
    if command is not group:
        usage = " ".join([here.command_path, *command.collect_usage_pieces(here)])
        yield f"\n## {here.command_path}\n\n{_prose(command.help or '')}\n\n    {usage}\n"
        yield from _table(("what is given", "means"), _parameters(command, here))
    if isinstance(command, click.Group):
        for name in command.list_commands(here):
            found = command.get_command(here, name)
            if found is not None:
                yield from _command(found, click.Context(found, info_name=name, parent=here))


def _parameters(command: click.Command, here: click.Context) -> Iterator[tuple[str, str]]:
    for one in command.params:
        record = one.get_help_record(here)
        if record is not None:
            yield _code(record[0]), record[1]
        elif isinstance(one, click.Argument):
            yield _code(one.make_metavar(here)), "a file or a folder" if isinstance(one.type, click.Path) else ""


def settings() -> Iterator[str]:
    """What a node is told from outside."""
    yield "# Settings\n\nWhat one node is told. `serve`, `worker` and the library take them as options; [commands](commands.md) names those.\n"
    docs, shape = _docs(Settings), ast.parse(textwrap.dedent(inspect.getsource(Settings))).body[0]
    rows = [(one.target.id, ast.unparse(one.annotation), "needed" if one.value is None else ast.unparse(one.value))
            for one in getattr(shape, "body", []) if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
    yield from _table(("setting", "type", "when left out", "means"), ((_code(name), _code(kind), _code(value), docs.get(name, ""))
                                                                     for name, kind, value in rows))


def policy() -> Iterator[str]:
    """Every cell of the policy file, from the schema that editors are given."""
    whole = schema()
    held: Mapping[str, Any] = whole["$defs"]
    yield ("# Words of the policy file\n\nMade from the schema that `sekisho policy schema` prints. A cell that is *needed* has no default. "
           "Whatever is not written here is an error, with its line and column.\n")
    for name in _reached(ROOT, held):
        shape = held[name]
        yield f"\n## {name}\n\n{_prose(shape.get('description', ''))}\n"
        if "enum" in shape:
            yield ", ".join(_code(word) for word in shape["enum"]) + "\n"
        needed = set(shape.get("required", ()))
        cells = shape.get("properties", {}).items()
        yield from _table(("cell", "holds", "means"), (
            (_code(key) + (" *needed*" if key in needed else ""), _kind(cell), _about(cell)) for key, cell in cells))
    yield "\n## Codes of findings\n\nWhat `sekisho policy check` may find, and a waiver may name.\n"
    yield "\n".join(f"- {_code(one.value)}" for one in FindingCode)


def _reached(name: str, held: Mapping[str, Any]) -> list[str]:
    """The parts of the file in the order in which a reader meets them."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        one = waiting.pop(0)
        if one not in found:
            found[one] = None
            waiting += re.findall(r"#/\$defs/(\w+)", str(held[one]))
    return list(found)


def _kind(cell: Mapping[str, Any]) -> str:
    """What a cell may hold, in words."""
    if "$ref" in cell:
        name = cell["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "allOf", "oneOf"):
        if several in cell:
            return " or ".join(dict.fromkeys(_kind(one) for one in cell[several]))
    if "enum" in cell:
        return " or ".join(_code(str(word)) for word in cell["enum"])
    if "const" in cell:
        return _code(str(cell["const"]))
    kind = cell.get("type")
    if kind == "array":
        return f"a list of {_kind(cell.get('items', {}))}"
    if kind == "object":
        return f"names, each with {_kind(cell.get('additionalProperties') or {})}"
    words = {"string": "text", "integer": "a whole number", "boolean": "`true` or `false`", "number": "a number", "null": "nothing"}
    least, most = cell.get("minimum"), cell.get("maximum")
    bounds = f" from {least:,} to {most:,}" if least is not None and most is not None else ""
    return words.get(str(kind), "anything") + bounds


def _about(cell: Mapping[str, Any]) -> str:
    told = str(cell.get("description", ""))
    shown = ", ".join(_code(str(one)) for one in cell.get("examples", ()))
    return told + (f" (as {shown})" if shown else "")


def events() -> Iterator[str]:
    """Every fact that can be recorded."""
    yield ("# Events\n\nEvery fact that can be on record. It is appended in the commit that made it true and never changes. Channels are told "
           "those that say so, without counts and lengths.\n")
    docs = _docs(EventKind)
    yield from _table(("event", "in English", "日本語", "more", "channels"), (
        (_code(one.value), *_both(f"event.{one.value}"), docs.get(one.name, ""), "told" if one in FOR_CHANNELS else "") for one in EventKind))
    yield "\n## What an event may hold\n"
    about = _docs(Event)
    yield from _table(("field", "means"), ((_code(name), about.get(name, "")) for name in Event.__struct_fields__))


def answers() -> Iterator[str]:
    """What customers and staff may be answered."""
    yield "# Outcomes and answers\n\nWords that the interface answers with, and the sentences that people read.\n"
    for title, prefix, words in (
            ("Outcomes", "outcome", Outcome), ("What a customer reads", "answer", Message), ("Penalties", "penalty", PenaltyKind),
            ("Ways back", "path", PathKind), ("How a count counts", "counting", Counting), ("Whose count it is", "subject", Reach)):
        yield f"\n## {title}\n"
        yield from _table(("word", "in English", "日本語"), ((_code(one.value), *_both(f"{prefix}.{one.value}")) for one in words))
    for title, more in (("Verdicts", Verdict), ("Roles of keys", Role)):
        docs = _docs(more)
        yield f"\n## {title}\n"
        yield from _table(("word", "means"), ((_code(one.value), docs.get(one.name, "")) for one in more))
    yield "\n## Problems\n\nErrors are `application/problem+json` (RFC 9457); `type` ends in one of these. None repeats what was sent.\n"
    named = sorted(name.removeprefix("problem.") for name in texts("en") if name.startswith("problem."))
    yield from _table(("problem", "in English", "日本語"), ((_code(name), *_both(f"problem.{name}")) for name in named))


def http() -> Iterator[str]:
    """Every call of the interface, from its OpenAPI description."""
    described = asyncio.run(_described())
    yield ("# HTTP interface\n\n`Authorization: Bearer KEY`; JSON in and out; errors are problems ([answers](answers.md)). A running service "
           "describes itself at `/openapi.json`.\n")
    for path, methods in described["paths"].items():
        for method, call in methods.items():
            yield f"\n## {method.upper()} {path}\n\n{_prose(call['description'])}\n"
            body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body is not None:
                yield f"It takes {_shown(body, described)}."
            for code, answer in call["responses"].items():
                content = answer["content"].get("application/json")
                if content is not None:
                    yield f"\n{code}: {_shown(content['schema'], described)}."


async def _described() -> dict[str, Any]:
    app = await apart(compile_policy(load(reference("postal-bank"))), lambda: 0, "reference")
    return describe(operations(app))


def _shown(shape: Mapping[str, Any], described: Mapping[str, Any]) -> str:
    """The fields of a body: those that may be left out with a question mark."""
    if "$ref" in shape:
        shape = described["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
    needed = set(shape.get("required", ()))
    fields = [name + ("" if name in needed else "?") for name in shape.get("properties", {})]
    return _code("{" + ", ".join(fields) + "}") if fields else "a JSON object"


# What sentences beside a name say.


def _docs(words: type[Any]) -> dict[str, str]:
    """What is written below each name of a class."""
    body = getattr(ast.parse(textwrap.dedent(inspect.getsource(words))).body[0], "body", [])
    found = {}
    for one, after in pairwise(body):
        target = one.target if isinstance(one, ast.AnnAssign) else one.targets[0] if isinstance(one, ast.Assign) else None
        if isinstance(target, ast.Name) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[target.id] = _prose(str(after.value.value))
    return found


def _both(name: str) -> tuple[str, str]:
    """A text of the catalogue in both languages; one that is missing stops the build."""
    return texts("en")[name], texts("ja")[name]


def _prose(text: str) -> str:
    return " ".join(text.replace("\b", "").split())


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    listed = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    heads = list(heads)
    if listed:
        yield "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *listed]) + "\n"


