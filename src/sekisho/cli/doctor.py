"""`sekisho doctor`: what is wrong with this installation, and what to do."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from sekisho.app import PURPOSES, Keyring, comparison_ms, condition_of, look_at_mail, open_store, seals_path, wall_clock
from sekisho.cli.mailing import mail_options, relay_from
from sekisho.errors import SekishoError
from sekisho.flows.doctor import Check, of_condition, of_keys, of_store
from sekisho.flows.seals import Sealer


@click.command()
@click.option("--store", required=True, help="sqlite:///PATH or postgresql://USER@HOST/DATABASE")
@click.option("--keys", "key_file", type=click.Path(path_type=Path), help="The key file; without it neither keys nor seals are looked at.")
@click.option("--replicated", is_flag=True, help="PostgreSQL: a standby must have every commit too.")
@mail_options
@click.option("--bounces-listen", envvar="SEKISHO_BOUNCES_LISTEN", help="HOST:PORT where a worker takes in what comes back; it needs --keys.")
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def doctor(store: str, key_file: Path | None, replicated: bool, as_json: bool, bounces_listen: str | None, **mail: Any) -> None:  # noqa: FBT001  click passes options by position
    """Look at everything and change nothing. Exit 0: all is well. Exit 1: something is not, with what to do.

    The way of mail is looked at where its settings are given, as to `worker`. No mail is sent.
    """
    relay = relay_from(mail)
    if bounces_listen and (relay is None or key_file is None):
        raise click.UsageError("what takes reports can be looked at only with the settings of mail and --keys")
    checks = asyncio.run(_examine(store, key_file, replicated=replicated))
    checks += [] if relay is None else look_at_mail(relay, _ring(key_file), bounces_listen)
    if as_json:
        click.echo(msgspec.json.encode({"ok": all(one.ok for one in checks), "checks": checks}).decode())
    else:
        for one in checks:
            click.echo(f"{'ok   ' if one.ok else 'WRONG'} {one.check}: {one.text}{f' -> {one.do}' if one.do else ''}")
    sys.exit(0 if all(one.ok for one in checks) else 1)


def _ring(key_file: Path | None) -> Keyring | None:
    return None if key_file is None else _keys(key_file)[1]


async def _examine(url: str, key_file: Path | None, *, replicated: bool) -> list[Check]:
    checks, keyring = _keys(key_file)
    try:
        condition = await condition_of(url, replicated=replicated)
    except SekishoError as no:
        return [Check("store", ok=False, text=str(no), do="see that it is there and that this user may read and write it"), *checks]
    checks = [Check("store", ok=True, text="it answers"), *of_condition(condition), *checks]
    if condition.schema.too_new or condition.schema.to_take:
        # Opening it would change it.
        return checks
    try:
        store = open_store(url, accept_weaker=True)
    except SekishoError as no:
        return [*checks, Check("store", ok=False, text=str(no), do="see that this user may read and write it")]
    try:
        sealer = None if keyring is None else Sealer(store, keyring, seals_path(url, keyring))
        return [*checks, *await of_store(store, sealer, wall_clock, comparison_ms())]
    finally:
        await store.close()


def _keys(key_file: Path | None) -> tuple[list[Check], Keyring | None]:
    """What is to be said of the key file, and its keys where they can be used."""
    if key_file is None:
        return [], None
    try:
        ring = Keyring.open(key_file)
    except (SekishoError, OSError) as no:
        return [Check("keys", ok=False, text=str(no), do="mend that; without the file no secret and no chain can be checked")], None
    missing = [purpose for purpose in PURPOSES if not ring.file.secrets.get(purpose)]
    return of_keys(ring.file.secrets, missing, demo=ring.has_demo_keys), None if "audit" in missing else ring
