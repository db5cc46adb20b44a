"""`sekisho restore`: take a restored older copy into service."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from sekisho.app import Settings, assemble
from sekisho.cli.progress import bar
from sekisho.flows import restore as flow


@click.group()
def restore() -> None:
    """A store that was restored from an older copy."""


@restore.command()
@click.option("--store", required=True, help="sqlite:///PATH or postgresql://USER@HOST/DATABASE")
@click.option("--keys", "key_file", required=True, type=click.Path(path_type=Path), help="The key file, with the file of seals beside it.")
@click.option("--operator", required=True, help="Who accepts it.")
@click.option("--reason", required=True, help="Why; it is put on record.")
@click.option("--unnoticed", is_flag=True, help="Also when nothing shows that the store is older: the copy is from after the last seal.")
def accept(store: str, key_file: Path, operator: str, reason: str, unnoticed: bool) -> None:  # noqa: FBT001  click passes options by position
    """Void what was going on in a restored copy, leave each count one guess below its next stage, and let it be served again.

    Stop every node first. May be interrupted and called again.
    """
    click.echo(asyncio.run(_accept(Settings(store, key_file, demo=True), operator, reason, unnoticed=unnoticed)))


async def _accept(settings: Settings, operator: str, reason: str, *, unnoticed: bool) -> str:
    app = await assemble(settings)
    if not unnoticed and await app.sealer.complaint() is None and not await app.store.rows(flow.RESTORE, "", 1):
        await app.leave()
        return "nothing to accept: the store has all that was sealed"
    await flow.set_writers_ahead(app.store, app.sealer)
    async with app.working():
        with bar("rows") as progress:
            done = await flow.accept(app.ledger, app.store, app.sealer, app.table, operator, reason, progress)
    return f"accepted: {done.void} runs, sessions and guesses in flight void, {done.distrusted} subjects left with one guess on each count"
