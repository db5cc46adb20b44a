"""`sekisho personal`: what the store holds about one customer, told or erased."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from sekisho.app import Settings, assemble
from sekisho.cli.progress import bar
from sekisho.flows import personal as flow

F = TypeVar("F", bound=Callable[..., Any])


def _given(command: F) -> F:
    for option in (
        click.option("--operator", required=True, help="Who does it; put on record."),
        click.option("--subject", required=True, help="kind:id, as customer:0012345678; each subject by itself."),
        click.option("--keys", "key_file", required=True, type=click.Path(path_type=Path), help="The key file."),
        click.option("--store", required=True, help="sqlite:///PATH or postgresql://USER@HOST/DATABASE"),
    ):
        command = option(command)
    return command


@click.group()
def personal() -> None:
    """What is held about one customer."""


@personal.command()
@_given
def export(store: str, key_file: Path, subject: str, operator: str) -> None:
    """Print all of it as JSON, but no secret."""
    told = asyncio.run(_export(Settings(store, key_file, demo=True), subject, operator))
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))


async def _export(settings: Settings, subject: str, operator: str) -> dict[str, Any]:
    app = await assemble(settings)
    async with app.working():
        with bar("rows") as progress:
            return await flow.export(app.ledger, app.store, subject, operator, progress)


@personal.command()
@_given
@click.option("--reason", required=True, help="Why; put on record.")
def erase(store: str, key_file: Path, subject: str, operator: str, reason: str) -> None:
    """Drop his rows: counts, locks, links, secrets, sessions, runs. Events stay in the chain until they age out."""
    found = asyncio.run(_erase(Settings(store, key_file, demo=True), subject, operator, reason))
    if found.guard is None and not found.secrets:
        click.echo(f"{subject} is not held")
    else:
        rows = 1 + sum(map(len, (found.secrets, found.sessions, found.runs, found.approvals, found.others, found.guesses))) - found.flying
        click.echo(f"{subject}: {rows} rows erased, {len(found.linked_from)} links to it cut")
    if found.flying:
        click.echo(f"{found.flying} guesses wait for their verdict: call it again a day later")
    for linked in sorted({*(found.guard.links.values() if found.guard else ()), *(found.guard.accounts if found.guard else ())}):
        click.echo(f"it was linked to {linked}, which is held still")


async def _erase(settings: Settings, subject: str, operator: str, reason: str) -> flow.Held:
    app = await assemble(settings)
    async with app.working():
        with bar("rows") as progress:
            return await flow.erase(app.ledger, app.store, subject, operator, reason, progress)
