"""`sekisho keys`: API keys and secret keys, with versions."""

from __future__ import annotations

from pathlib import Path

import click

from sekisho.app import PURPOSES, Keyring
from sekisho.errors import CallerError
from sekisho.terms import Role

_file = click.option("--keys", "path", required=True, type=click.Path(path_type=Path), help="The key file.")


@click.group()
def keys() -> None:
    """API keys and secret keys; both stay outside the database."""


@keys.command()
@_file
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.option("--operator", required=True, help="The person, or the channel, that this key stands for.")
def new(path: Path, role: str, operator: str) -> None:
    """Make an API key (and the key file, with secret keys, where there is none). It is shown once. Nodes that run know it at once."""
    ring = Keyring.open(path) if path.exists() else Keyring.make(path)
    click.echo(ring.new(Role(role), operator))


@keys.command()
@_file
@click.argument("purpose", type=click.Choice(PURPOSES))
def rotate(path: Path, purpose: str) -> None:
    """A new version of a secret key. Restart the nodes to use it; older versions still check what they made."""
    if purpose in {"subjects", "pepper"}:
        detail = f"{purpose} cannot be rotated in this release: what was made with it could not be found again"
        raise CallerError(detail)
    click.echo(f"{purpose} version {Keyring.open(path).rotate(purpose)}")


@keys.command()
@_file
@click.argument("identifier")
def retire(path: Path, identifier: str) -> None:
    """Let an API key work no more, on nodes that run too, if they read this very file. `keys list` has its IDENTIFIER."""
    if not Keyring.open(path).retire(identifier):
        detail = f"there is no key {identifier} that is not retired"
        raise CallerError(detail)


@keys.command("list")
@_file
def list_keys(path: Path) -> None:
    """All keys, without the keys."""
    ring = Keyring.open(path)
    for key in ring.file.api:
        click.echo(f"{key.id}  {key.role.value:12} {key.operator}{'  retired' if key.retired else ''}")
    for purpose, versions in sorted(ring.file.secrets.items()):
        click.echo(f"{purpose}: {', '.join(f'version {one.version}' for one in versions)}")
