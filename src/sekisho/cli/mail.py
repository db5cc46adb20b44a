"""`sekisho mail`: what comes back from mail servers, understood."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from sekisho.app import read_report


@click.group()
def mail() -> None:
    """Mail that came back."""


@mail.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True))
def classify(files: tuple[Path, ...]) -> None:
    """Say of each FILE what it is: one line of JSON with its kind, and for each recipient the group and the server's words."""
    for path in files:
        found = read_report(path)
        told = [
            {"address": one.address, "group": one.group.name, "status": one.status, "reply": one.reply, "action": one.action, "stage": one.stage}
            for one in found.recipients
        ]
        click.echo(msgspec.json.encode({"file": str(path), "recipients": told, "kind": found.kind}).decode())
