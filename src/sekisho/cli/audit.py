"""`sekisho audit`: whether what happened is still what is on record."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from sekisho.app import Keyring, open_store, seals_path
from sekisho.cli.progress import bar
from sekisho.flows.seals import Sealer, Verified


@click.group()
def audit() -> None:
    """The audit chain."""


@audit.command()
@click.option("--store", required=True, help="sqlite:///PATH or postgresql://USER@HOST/DATABASE")
@click.option("--keys", "key_file", required=True, type=click.Path(path_type=Path), help="The key file.")
def verify(store: str, key_file: Path) -> None:
    """Follow every chain and hold it against the seals. Exit 0: whole. Exit 1: broken, with the place."""
    found = asyncio.run(_verify(store, Keyring.open(key_file)))
    for broken in found.broken:
        click.echo(f"broken: writer {broken.writer}, event {broken.sequence}: {broken.text}")
    click.echo(f"{found.events} events in {found.links} links, {found.seals} seals: {'broken' if found.broken else 'whole'}")
    sys.exit(1 if found.broken else 0)


async def _verify(store: str, keyring: Keyring) -> Verified:
    opened = open_store(store, accept_weaker=True)
    try:
        with bar("links") as progress:
            return await Sealer(opened, keyring, seals_path(store, keyring)).verify(progress)
    finally:
        await opened.close()
