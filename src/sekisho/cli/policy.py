"""`sekisho policy`: read, show, prove, accept."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from sekisho.app import open_store
from sekisho.errors import CallerError
from sekisho.flows.policies import AHEAD_S, left_over, propose, read
from sekisho.policy import Policy, PolicyError, load, parse
from sekisho.policy.model import Profile
from sekisho.policy.schema import schema as policy_schema
from sekisho.policy.table import Table
from sekisho.policy.text import render
from sekisho.proof.check import Report, as_json, check, left_standing
from sekisho.proof.diff import changes, looser
from sekisho.proof.text import told, told_changes


@click.group()
def policy() -> None:
    """The table: what a wrong entry costs and how it is undone."""


_path = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


_language = click.option("--language", type=click.Choice(["ja", "en"]), default="en", show_default=True)


@policy.command("check")
@_path
@click.option("--profile", "profiles", multiple=True, type=click.Choice([one.value for one in Profile]), help="A standard it must meet.")
@click.option("--json", "json_out", is_flag=True, help="Print all of it as JSON.")
@click.option("--traces", type=click.Path(file_okay=False, path_type=Path), help="Write what each finding can be replayed from into this folder.")
@_language
def check_(file: Path, profiles: tuple[str, ...], json_out: bool, traces: Path | None, language: str) -> None:  # noqa: FBT001
    """Prove it: ways out, guesses, and what no policy may leave open. Exit 1: it may not come into force."""
    report = proved(file, profiles)
    if traces is not None:
        from sekisho.lab.trace import write_traces

        write_traces(report, file, traces)
    if json_out:
        click.echo(msgspec.json.format(msgspec.json.encode(as_json(report, language)), indent=2).decode())
    else:
        click.echo(told(report, language), nl=False)
    sys.exit(0 if report.accepted else 1)


@policy.command()
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "json_out", is_flag=True, help="Print it as JSON.")
@_language
def diff(old: Path, new: Path, json_out: bool, language: str) -> None:  # noqa: FBT001
    """Print what a new version loosens, tightens and leaves stuck. Exit 1: something got looser."""
    found = changes(proved(old), proved(new))
    if json_out:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        click.echo(told_changes(found, language), nl=False)
    sys.exit(1 if looser(found) else 0)


@policy.command()
@_path
@_language
def show(file: Path, language: str) -> None:
    """Print the table as text."""
    click.echo(render(table_of(file), "ja" if language == "ja" else "en"))


@policy.command()
def schema() -> None:
    """Print the JSON Schema of a policy file, for editors."""
    click.echo(msgspec.json.format(msgspec.json.encode(policy_schema()), indent=2).decode())


@policy.command()
@_path
@click.option("--store", required=True, help="sqlite:///PATH or postgresql://USER@HOST/DATABASE")
@click.option("--at", help="When it comes into force, RFC 3339 with its zone; at the soonest 10 s ahead, which is also the default.")
@click.option("--operator", default="command line", show_default=True, help="Who accepts it.")
def accept(file: Path, store: str, at: str | None, operator: str) -> None:
    """Put a policy in force, if the proofs find nothing that refuses it, and it lifts every lock that stands."""
    begins = _when(at)
    with _located():
        policy = load(file)
        report = check(policy)
    when = asyncio.run(_accept(store, policy, report, begins, operator)) if report.accepted else report
    if isinstance(when, Report):
        click.echo(told(when, "en", findings_only=True), err=True, nl=False)
        sys.exit(1)
    table = report.table
    click.echo(f"{table.name} {table.version[:12]} in force from {datetime.fromtimestamp(when / 1e6, UTC).isoformat(timespec='seconds')}")


async def _accept(store: str, policy: Policy, report: Report, at: int | None, operator: str) -> int | Report:
    """Put it in force: from when; or the report of what stands in its way in this store."""
    opened = open_store(store, accept_weaker=True)
    try:
        if at is not None and at < await opened.clock():
            detail = f"the time of --at has passed; write a later one, or leave it out: then the policy is in force in {AHEAD_S} s"
            raise CallerError(detail)
        for one in await left_over(opened, report.table):
            report = left_standing(policy, report, one.row, one.undo, one.subjects)
        return await propose(opened, policy.source, report.table.version, at, operator) if report.accepted else report
    finally:
        await opened.close()


def _when(at: str | None) -> int | None:
    if at is None:
        return None
    with contextlib.suppress(ValueError):
        when = datetime.fromisoformat(at)
        if when.tzinfo is not None:
            return int(when.timestamp() * 1_000_000)
    detail = f"{at} is not a time with its zone; write it as 2026-04-01T09:00:00+09:00"
    raise CallerError(detail)


def table_of(file: Path) -> Table:
    """The table of a file; where it is no policy, its errors and exit 2."""
    with _located():
        return read(file.read_bytes(), file.name)


def proved(file: Path, profiles: Iterable[str] = ()) -> Report:
    """All that the proofs say of a file; where it is no policy, its errors and exit 2."""
    with _located():
        return check(parse(file.read_bytes(), str(file)), [Profile(name) for name in profiles])


@contextlib.contextmanager
def _located() -> Iterator[None]:
    """Every error of a file on a line of its own, and exit 2."""
    try:
        yield
    except PolicyError as no:
        for line in no.errors:
            click.echo(line, err=True)
        sys.exit(2)
