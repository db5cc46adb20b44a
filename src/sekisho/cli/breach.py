"""`sekisho breach`: passwords that nobody should choose, since they are known from breaches."""

from __future__ import annotations

from pathlib import Path

import click

from sekisho.app import build_breached
from sekisho.cli.progress import bar


@click.group()
def breach() -> None:
    """Passwords that are known from breaches; `serve --breached FILE` refuses them where one is chosen."""


@breach.command()
@click.argument("lists", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to make.")
@click.option("--at-least", default=1, type=click.IntRange(1), help="Leave out hashes that were seen less often.")
def build(lists: tuple[Path, ...], out: Path, at_least: int) -> None:
    """Make a file from LISTS: passwords, one a line, or their SHA-1 as `HASH` or `HASH:COUNT`. Nothing leaves this machine."""
    with bar("passwords read") as progress:
        number = build_breached(lists, out, at_least=at_least, progress=progress)
    click.echo(f"{number} passwords in {out}")
