"""`sekisho docs`: the project's own documentation."""

from __future__ import annotations

from pathlib import Path

import click

import sekisho
from sekisho.errors import CallerError

CHECKOUT = Path(sekisho.__file__).parents[2]
"""The repository, where the package has not been installed from elsewhere."""


@click.group()
def docs() -> None:
    """What this project says of itself: start, how-to, reference, why, words."""


@docs.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--source", default=CHECKOUT, show_default="this repository", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="The folder that holds README.md and docs/.")
def build(out: Path, source: Path) -> None:
    """Write all of it as pages below the folder OUT, with a reference made from the code. Nothing is written where a link leads nowhere."""
    from sekisho.guide import build as made
    from sekisho.manual import write

    try:
        number = write(made(source), out)
    except KeyError as no:
        raise CallerError(f"the catalogue has no text {no}; nothing was written") from no
    click.echo(f"{number} files in {out}")
