"""`sekisho shadow`: what a shadow has counted, for the service that is to count."""

from __future__ import annotations

import asyncio
import csv
import sys
from pathlib import Path

import click

from sekisho.app import Settings, assemble
from sekisho.flows.import_lines import COLUMNS
from sekisho.flows.shadow import exported


@click.group()
def shadow() -> None:
    """A store that a shadow has written (sekisho serve --shadow)."""


@shadow.command()
@click.option("--store", required=True, help="sqlite:///PATH or postgresql://USER@HOST/DATABASE")
@click.option("--keys", "key_file", required=True, type=click.Path(path_type=Path), help="The key file.")
def export(store: str, key_file: Path) -> None:
    """Print counts and locks of all enrolled subjects, as the CSV that sekisho import takes over."""
    asyncio.run(_export(Settings(store, key_file, demo=True)))


async def _export(settings: Settings) -> None:
    app = await assemble(settings)
    written = csv.writer(sys.stdout, lineterminator="\n")
    written.writerow(COLUMNS)
    async for line in exported(app.store, app.table):
        written.writerow([line.what, line.subject, line.name, line.value, line.item])
    await app.leave()
