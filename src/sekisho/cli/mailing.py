"""Settings of mail, for every command that sends it: options, or the environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sekisho.app import Relay, relay_of

_OPTIONS = (
    click.option("--mail-relay", envvar="SEKISHO_MAIL_RELAY", help="smtp+starttls://[USER@]HOST[:PORT], smtps://… or, on this machine, smtp://HOST[:PORT]"),
    click.option("--mail-from", envvar="SEKISHO_MAIL_FROM", help="Whom customers see as the sender of codes: Name <name@domain>."),
    click.option("--mail-bounces", envvar="SEKISHO_MAIL_BOUNCES", help="name@domain: where the relay brings what comes back."),
    click.option(
        "--mail-password-file", envvar="SEKISHO_MAIL_PASSWORD_FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True),
        help="Holds the password of the relay's USER.",
    ),
    click.option(
        "--mail-ca-file", envvar="SEKISHO_MAIL_CA_FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True),
        help="Who vouches for the relay, where this machine does not trust it already.",
    ),
)


def mail_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options, for a command that passes what it gets of them to `relay_from`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def relay_from(told: dict[str, Any]) -> Relay | None:
    """The relay of the options; None: no mail is sent from here.

    Raises:
        click.UsageError: some were given and some are missing.

    """
    given = {name: told.get(f"mail_{name}") for name in ("relay", "from", "bounces")}
    if not any(given.values()):
        return None
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise click.UsageError("mail needs " + " and ".join(f"--mail-{name}" for name in missing) + " too")
    return relay_of(str(given["relay"]), str(given["from"]), str(given["bounces"]), told.get("mail_password_file"), told.get("mail_ca_file"))
