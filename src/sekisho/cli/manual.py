"""`sekisho manual`: the articles of a policy."""

from __future__ import annotations

import itertools
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from sekisho.errors import CallerError
from sekisho.manual import Facts, files, missing, printed, write
from sekisho.policy import PolicyError, parse
from sekisho.proof.check import Report, check


@click.group()
def manual() -> None:
    """What staff and customers read, made from a policy."""


@manual.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to write it to.")
@click.option("--since", help="Since when the policy is in force, as it is to be shown to staff: 2026-04-01.")
def build(file: Path, out: Path, since: str | None) -> None:
    """Write the articles for staff and customers, in Japanese and English, as pages and as PDF. Exit 1: a text is missing."""
    report = _proved(file)
    holes = missing(report)
    if holes:
        click.echo("\n".join(holes), err=True)
        sys.exit(1)
    at = datetime.now(UTC).astimezone(ZoneInfo(report.table.zone)).date().isoformat()
    try:
        facts = Facts(since, at, report)
        number = write(itertools.chain(files(report.table, facts), printed(report.table, facts)), out)
    except KeyError as no:
        raise CallerError(f"the catalogue has no text {no}; nothing was written") from no
    click.echo(f"{number} files in {out}")


def _proved(file: Path) -> Report:
    try:
        return check(parse(file.read_bytes(), str(file)))
    except PolicyError as no:
        click.echo("\n".join(no.errors), err=True)
        sys.exit(2)
