"""`sekisho manual`: the articles of a policy."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from sekisho.app import open_store
from sekisho.errors import CallerError
from sekisho.flows import helped
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


@manual.command()
@click.option("--store", required=True, help="sqlite:///PATH or postgresql://USER@HOST/DATABASE")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def answers(store: str, as_json: bool) -> None:  # noqa: FBT001  click passes options by position
    """Show what staff have said of the manual: by page how often it helped and how often not, and their latest words. Nobody is named."""
    told = asyncio.run(_answers(store))
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for one in told["pages"]:
        click.echo(f"{one['page']}  helped {one['helped']}  did not {one['not']}")
        for word in told["newest"]:
            if word["page"] == one["page"] and word["note"]:
                click.echo(f"    {word['at'][:10]}  {word['note']}")


async def _answers(url: str) -> dict[str, Any]:
    store = open_store(url, accept_weaker=True)
    try:
        told = await helped.shown(store)
    finally:
        await store.close()
    nameless = [{name: value for name, value in one.items() if name != "by"} for one in told["newest"]]
    return {"pages": told["pages"], "newest": nameless}


def _proved(file: Path) -> Report:
    try:
        return check(parse(file.read_bytes(), str(file)))
    except PolicyError as no:
        click.echo("\n".join(no.errors), err=True)
        sys.exit(2)
