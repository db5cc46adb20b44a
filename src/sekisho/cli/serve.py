"""`sekisho serve`: one node, in one process or several."""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.connection
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import click

from sekisho import serving
from sekisho.api.http import LOCAL_HOSTS
from sekisho.app import App, Settings, build, has_policy, party_of
from sekisho.cli.mailing import mail_options, relay_from
from sekisho.policy import parse


@click.command()
@click.option("--store", required=True, help="sqlite:///PATH or postgresql://USER@HOST/DATABASE")
@click.option("--replicated", is_flag=True, help="PostgreSQL: refuse to count unless a standby must have every commit too.")
@click.option("--accept-weaker", is_flag=True, help="PostgreSQL: count even if its settings may lose what was committed.")
@click.option("--listen", default="127.0.0.1:8080", show_default=True, help="HOST:PORT")
@click.option("--keys", "key_file", required=True, type=click.Path(path_type=Path), help="The key file (see: sekisho keys).")
@click.option(
    "--policy", "policy_file", type=click.Path(exists=True, path_type=Path),
    help="The first policy of an empty store; one that `sekisho policy check` refuses is refused here.",
)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that share the store.")
@click.option("--metrics", help="HOST:PORT for /metrics; not served without it.")
@click.option("--host", "hosts", multiple=True, help="A host name this service answers for, besides the local ones.")
@click.option("--shadow", is_flag=True, help="Count mode beside a bank that does not rely on it yet: decide, record, refuse nothing.")
@mail_options
@click.option("--mail-elsewhere", is_flag=True, help="Codes are sent, and `sekisho worker` hands them over.")
@click.option(
    "--letters", type=click.Path(path_type=Path), help="The folder into which letters are put for the printer; all nodes and workers name the same.",
)
@click.option("--passkeys-for", help="The domain that passkeys are made for, as bank.example. Without it the bank compares passkeys itself.")
@click.option("--passkeys-name", default="", help="What customers read beside a passkey; left out: the domain.")
@click.option("--passkeys-on", "origins", multiple=True, help="A page that may use them, as https://www.bank.example; left out: https://DOMAIN.")
@click.option("--passkeys-page", default="", help="Where customers find their passkeys (told at /.well-known/passkey-endpoints).")
@click.option("--password-page", default="", help="Where they change their password (told at /.well-known/change-password).")
@click.option("--breached", type=click.Path(path_type=Path), help="A file that `sekisho breach build` has made: no password in it can be chosen.")
@click.option("--no-hold", is_flag=True, help="Answer at once instead of on the policy's time grid. For benches only.")
def serve(
    store: str, replicated: bool, accept_weaker: bool, listen: str, key_file: Path,  # noqa: FBT001  click passes options by position
    policy_file: Path | None, workers: int, metrics: str | None, hosts: tuple[str, ...], shadow: bool, no_hold: bool,  # noqa: FBT001  as above
    mail_elsewhere: bool, letters: Path | None, breached: Path | None, passkeys_for: str | None, passkeys_name: str, origins: tuple[str, ...],  # noqa: FBT001  as above
    passkeys_page: str, password_page: str, **mail: Any,
) -> None:
    """Serve the interface over one store."""
    if policy_file is not None and not asyncio.run(has_policy(store)):
        _prove(policy_file)
    settings = Settings(
        store, key_file, policy_file, hold=not no_hold, replicated=replicated, accept_weaker=accept_weaker, shadow=shadow,
        relay=relay_from(mail), mail_elsewhere=mail_elsewhere, letters=letters, breached=breached,
        passkeys=party_of(passkeys_for, passkeys_name, origins, passkeys_page, password_page) if passkeys_for else None,
    )
    names = LOCAL_HOSTS | frozenset(hosts) | {listen.rpartition(":")[0]}
    sock = serving.bind(listen)
    beside = serving.bind(metrics) if metrics else None

    async def ready(_: App) -> None:
        click.echo(f"ready: http://{listen}", err=True)

    if workers == 1:
        serving.run(settings, sock, names, beside, started=ready)
        return
    # One process alone puts the first policy in force; the others find it done.
    asyncio.run(_prepare(settings))
    fork = multiprocessing.get_context("fork")
    children: list[BaseProcess] = [
        fork.Process(
            target=serving.run, args=(settings, sock, names, beside if n == 0 else None), kwargs={"started": ready if n == 0 else None}, daemon=False,
        ) for n in range(workers)
    ]
    _supervise(children)


def _prove(policy_file: Path) -> None:
    """A first policy comes into force by no other door than those after it: exit 1 where the proofs refuse it."""
    from sekisho.proof import check, text  # a node that finds a policy starts without the proofs
    report = check.check(parse(policy_file.read_bytes(), str(policy_file)))
    if not report.accepted:
        click.echo(text.told(report, findings_only=True), err=True, nl=False)
        sys.exit(1)


async def _prepare(settings: Settings) -> None:
    app = await build(settings)
    await app.store.close()


def _supervise(children: list[BaseProcess]) -> None:
    """Start them, pass on a stop, and end when one has ended: a node is whole or it is not there."""
    for child in children:
        child.start()

    def stop(_signal: int, _frame: object) -> None:
        for child in children:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    multiprocessing.connection.wait([child.sentinel for child in children])
    stop(0, None)
    for child in children:
        child.join()
    sys.exit(max((child.exitcode or 0) for child in children))
