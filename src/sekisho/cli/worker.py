"""`sekisho worker`: hands mail over, takes in what comes back, lets time pass. Any number of them may run beside any number of nodes."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path
from typing import Any

import click
import uvloop

from sekisho import serving
from sekisho.app import Settings, build
from sekisho.cli.mailing import mail_options, relay_from


@click.command()
@click.option("--store", required=True, help="sqlite:///PATH or postgresql://USER@HOST/DATABASE")
@click.option("--keys", "key_file", required=True, type=click.Path(path_type=Path), help="The key file of the nodes.")
@click.option("--replicated", is_flag=True, help="PostgreSQL: as for `serve`.")
@click.option("--accept-weaker", is_flag=True, help="PostgreSQL: as for `serve`.")
@mail_options
@click.option("--letters", type=click.Path(path_type=Path), help="The folder into which letters are put, as for `serve`.")
@click.option("--bounces-listen", envvar="SEKISHO_BOUNCES_LISTEN", help="HOST:PORT to which the relay brings what comes back, by SMTP.")
@click.option("--metrics", help="HOST:PORT for /metrics; not served without it.")
def worker(
    store: str, key_file: Path, replicated: bool, accept_weaker: bool, bounces_listen: str | None,  # noqa: FBT001  click passes options by position
    letters: Path | None, metrics: str | None, **mail: Any,
) -> None:
    """Carry mail and let time pass, until interrupted. Serves nothing to channels."""
    relay = relay_from(mail)
    if bounces_listen and relay is None:
        raise click.UsageError("what comes back can be told only with --mail-relay, --mail-from and --mail-bounces")
    sock = serving.bind(bounces_listen) if bounces_listen else None
    settings = Settings(
        store, key_file, relay=relay, bounces=sock, replicated=replicated, accept_weaker=accept_weaker, letters=letters,
    )
    uvloop.run(_work(settings, serving.bind(metrics) if metrics else None))


async def _work(settings: Settings, metrics: socket.socket | None) -> None:
    app = await build(settings)
    stopped = asyncio.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(wanted, stopped.set)
    async with app.running(), serving.metrics_beside(app, metrics):
        click.echo("ready", err=True)
        await stopped.wait()
