"""`sekisho import`: take over subjects, locks, counts and hashes from another system."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path

import click

from sekisho.app import App, Settings, assemble
from sekisho.cli.progress import bar
from sekisho.flows.import_lines import csv_lines
from sekisho.flows.imports import Differs, Faulty, grouped

PART = 5000
"""Lines staged at once."""


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--store", required=True, help="sqlite:///PATH or postgresql://USER@HOST/DATABASE")
@click.option("--keys", "key_file", required=True, type=click.Path(path_type=Path), help="The key file.")
@click.option("--operator", required=True, help="Who takes it over; it is put on record.")
@click.option("--dry-run", is_flag=True, help="Check every line, write nothing.")
def imports(file: Path, store: str, key_file: Path, operator: str, dry_run: bool) -> None:  # noqa: FBT001  click passes options by position
    """Take over what another system left: subjects, links, flags, counts, locks and hashes, from FILE in CSV.

    Exit 0: all lines are taken over, or were before. Exit 1: some are wrong, each is told, and none was taken over. Also while
    nodes serve. May be interrupted and called again.
    """
    text = file.read_bytes()
    try:
        read = text.decode("utf-8")
    except UnicodeDecodeError:
        click.echo(f"{file}: this is not text in UTF-8", err=True)
        sys.exit(1)
    told = asyncio.run(_take_over(Settings(store, key_file, demo=True), read, hashlib.sha256(text).hexdigest()[:32], operator, dry=dry_run))
    if isinstance(told, Faulty):
        for fault in told.faults:
            click.echo(f"{file}:{fault.line}: {fault.column}: {fault.text}", err=True)
        click.echo(f"{len(told.faults)} faults; nothing was taken over", err=True)
        sys.exit(1)
    click.echo(told)


async def _take_over(settings: Settings, text: str, name: str, operator: str, *, dry: bool) -> str | Faulty:
    app = await assemble(settings)
    async with app.working():
        found = await app.imports.standing(name)
        if found is not None and found.done:
            return f"nothing to do: {found.by} has taken over these {found.lines} lines before"
        entries = await app.imports.read(app.table, csv_lines(text))
        if isinstance(entries, Faulty):
            return entries
        if not (found is not None and found.applied):
            faulty = await app.imports.check(entries)
            if faulty is not None or dry:
                return faulty or f"{len(entries)} lines of {sum(map(len, grouped(entries)))} subjects are right; nothing was written"
        if found is None or found.missing:
            parts = max(1, -(-len(entries) // PART))
            for part in range(parts):
                told = await app.imports.stage(name, part + 1, parts, entries[part * PART:(part + 1) * PART], operator)
                if isinstance(told, Differs):
                    return "another import of this name is under way"
        return await _apply(app, name, operator, sum(map(len, grouped(entries))))


async def _apply(app: App, name: str, operator: str, subjects: int) -> str | Faulty:
    with bar("subjects", subjects) as progress:
        done = await app.imports.apply(app.table, name, operator, progress=progress)
    if isinstance(done, Faulty):
        return done
    return f"{done.lines} lines of {done.subjects} subjects are taken over" if done.done else "another policy came into force; call it again"
