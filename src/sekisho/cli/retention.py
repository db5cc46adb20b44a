"""`sekisho retention`: let go at once of what the policy keeps no longer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from sekisho.app import Settings, assemble
from sekisho.cli.progress import bar
from sekisho.flows.retention import cutoff


@click.group()
def retention() -> None:
    """How long records are kept. Nodes see to it by themselves, a little at a time."""


@retention.command()
@click.option("--store", required=True, help="sqlite:///PATH or postgresql://USER@HOST/DATABASE")
@click.option("--keys", "key_file", required=True, type=click.Path(path_type=Path), help="The key file, with the file of seals beside it.")
def run(store: str, key_file: Path) -> None:
    """Delete all that has aged by the policy in force, also while nodes serve. May be interrupted and called again."""
    gone, rows = asyncio.run(_run(Settings(store, key_file, demo=True)))
    click.echo(f"{gone} records deleted, {rows} rows looked at")


async def _run(settings: Settings) -> tuple[int, int]:
    app = await assemble(settings)
    async with app.working():
        gone = rows = 0
        await app.sealer.seal(cutoff(app.table, "audit", app.clock()))
        with bar("records deleted") as progress:
            while some := await app.retention.forget(app.table, app.clock()):
                gone += some
                progress(gone)
        with bar("rows looked at") as progress:
            while some := await app.retention.look_at_rows(app.table, app.clock()):
                rows += some
                progress(rows)
    return gone, rows
