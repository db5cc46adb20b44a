"""`sekisho tokens`: the bank's tokens, from the delivery to the end of each."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar, get_args

import click
from rich.console import Console
from rich.table import Table

from sekisho.app import App, Settings, assemble, read_delivery
from sekisho.cli.progress import bar
from sekisho.errors import CallerError
from sekisho.flows.acts import Denied, Operator
from sekisho.flows.imports import Faulty
from sekisho.flows.tokens import End, Unknown, shown
from sekisho.terms import Role

T = TypeVar("T")

PIPED = 10_000
"""How wide a table may be that goes to no terminal: nothing of it is cut. Signs."""

_store = click.option("--store", required=True, help="sqlite:///PATH or postgresql://USER@HOST/DATABASE")
_keys = click.option("--keys", "key_file", required=True, type=click.Path(path_type=Path), help="The key file.")
_operator = click.option("--operator", required=True, help="Who does it; it is put on record.")
_path = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def tokens() -> None:
    """Tokens: take deliveries in, assign, replace and end them. Also while nodes serve."""


@tokens.command("import")
@click.argument("file", type=_path)
@_store
@_keys
@_operator
@click.option("--key-file", "opens", type=_path, help="A file with the key that FILE is encrypted with, in hexadecimal digits.")
@click.option("--password-file", type=_path, help="A file with the password that FILE is encrypted with.")
@click.option("--certificate", type=_path, help="Of whoever must have signed FILE (PEM).")
@click.option("--dry-run", is_flag=True, help="Check every token, write nothing.")
def take_in(
    file: Path, store: str, key_file: Path, operator: str, opens: Path | None, password_file: Path | None, certificate: Path | None,
    dry_run: bool,  # noqa: FBT001  click passes options by position
) -> None:
    """Take in the tokens of FILE as a vendor delivers them: PSKC (RFC 6030) or CSV.

    Exit 0: all are taken in. Exit 1: some are wrong, each is told, and none was taken in.
    """
    found, faults = read_delivery(
        file.read_bytes(), key=None if opens is None else _key(opens),
        password=None if password_file is None else password_file.read_text().rstrip("\n"),
        certificate=None if certificate is None else certificate.read_bytes(),
    )
    told = _run(store, key_file, lambda app: app.tokens.stock(found, operator, faults=faults, dry=dry_run))
    if isinstance(told, Faulty):
        for fault in told.faults:
            click.echo(f"{file}:{fault.line}: {fault.column}: {fault.text}", err=True)
        click.echo(f"{len(told.faults)} faults; nothing was taken in", err=True)
        sys.exit(1)
    click.echo(f"{told} tokens are right; nothing was written" if dry_run else f"{told} tokens are taken in")


def _key(path: Path) -> bytes:
    try:
        return bytes.fromhex(path.read_text())
    except ValueError:
        raise CallerError(f"{path} does not hold a key in hexadecimal digits") from None


@tokens.command("list")
@_store
@_keys
@click.option("--state", help="Only those: stock, assigned, lost, …")
def list_tokens(store: str, key_file: Path, state: str | None) -> None:
    """All tokens, without their seeds."""

    async def collect(app: App) -> list[list[str]]:
        found = [shown(serial, token) async for serial, token in app.tokens.all() if state in {None, token.state}]
        return [[str(one[name] or "") for name in ("serial", "state", "subject", "item", "since", "ends", "model")] for one in found]

    table = Table("serial", "state", "of", "item", "since", "ends", "model", box=None)
    for cells in _run(store, key_file, collect):
        table.add_row(*cells)
    # What a vendor has written is text, whatever signs are in it.
    Console(markup=False, emoji=False, width=None if sys.stdout.isatty() else PIPED).print(table)


@tokens.command()
@click.argument("serial")
@click.argument("subject")
@click.argument("item")
@click.option("--replace", is_flag=True, help="In the place of the one that the customer has.")
@_store
@_keys
@_operator
def assign(serial: str, subject: str, item: str, replace: bool, store: str, key_file: Path, operator: str) -> None:  # noqa: FBT001  as above
    """Give a token from stock to a customer. He is told; what was wrong before stays counted."""
    _done(_run(store, key_file, lambda app: app.tokens.bind(app.table, serial, subject, item, _by(operator), replace=replace)))
    click.echo(f"{serial} is assigned")


@tokens.command()
@click.argument("serial")
@click.argument("why", type=click.Choice(get_args(End)))
@_store
@_keys
@_operator
def end(serial: str, why: End, store: str, key_file: Path, operator: str) -> None:
    """A token is over: its codes are taken no more. Its customer is told."""
    _done(_run(store, key_file, lambda app: app.tokens.end(serial, why, _by(operator))))
    click.echo(f"{serial} is {why}")


@tokens.command()
@_store
@_keys
def reseal(store: str, key_file: Path) -> None:
    """Put every seed under the newest key (after `keys rotate seeds`). May be interrupted and called again."""

    async def all_of(app: App) -> int:
        with bar("seeds sealed anew") as progress:
            return await app.tokens.reseal(progress)

    click.echo(f"{_run(store, key_file, all_of)} seeds are sealed anew")


def _by(operator: str) -> Operator:
    return Operator(operator, Role.ADMIN)


def _done(told: object) -> None:
    if isinstance(told, Denied):
        raise CallerError(told.reason)
    if isinstance(told, Unknown):
        raise CallerError("there is no token of that serial number")


def _run(store: str, key_file: Path, act: Callable[[App], Awaitable[T]]) -> T:
    async def acting() -> T:
        app = await assemble(Settings(store, key_file, demo=True))
        async with app.working():
            return await act(app)

    return asyncio.run(acting())
