"""`sekisho migrate`: take the steps of the schema that this release brings, before its nodes start."""

from __future__ import annotations

import asyncio

import click

from sekisho.app import condition_of, open_store
from sekisho.cli.progress import bar
from sekisho.core.state import IN_FORCE
from sekisho.errors import NewerState


@click.command()
@click.option("--store", required=True, help="sqlite:///PATH or postgresql://USER@HOST/DATABASE")
def migrate(store: str) -> None:
    """Take all steps that are still to be taken, while older nodes serve. A node that starts does the same.

    May be interrupted and called again: a step is taken as a whole or not at all.
    """
    taken = asyncio.run(_migrate(store))
    for name in taken:
        click.echo(f"taken: {name}")
    click.echo(f"{len(taken)} steps taken")


async def _migrate(url: str) -> tuple[str, ...]:
    before = (await condition_of(url)).schema
    if before.too_new:
        raise NewerState
    with bar("steps", len(before.to_take)) as progress:
        if before.to_take:
            opened = open_store(url, accept_weaker=True)
            try:
                await opened.peek([IN_FORCE])
            finally:
                await opened.close()
        progress(len(before.to_take))
    return before.to_take
