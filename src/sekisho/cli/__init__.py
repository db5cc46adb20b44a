"""The command line: parse, call, print. Progress and complaints go to stderr, answers to stdout."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from sekisho import __version__
from sekisho.errors import SekishoError

COMMANDS = (
    "audit", "breach", "demo", "docs", "doctor", "import", "keys", "lab", "mail", "manual", "migrate", "personal", "policy", "restore", "retention",
    "serve", "shadow", "tokens", "worker",
)

MODULES = {"import": "imports"}
"""Commands whose name no module can have."""


class Commands(click.Group):
    """Each command is a module, imported when it is called: a service starts without what only a demonstration needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = MODULES.get(cmd_name, cmd_name)
        command: click.Command = getattr(import_module(f"sekisho.cli.{module}"), module)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sekisho")
def group() -> None:
    """Decide whether an entry may be looked at, what a wrong one costs, and how the customer gets back in."""


def main() -> None:
    """Run one command; an error is a sentence, not a traceback."""
    try:
        group.main(standalone_mode=False)
    except click.ClickException as no:
        no.show()
        sys.exit(no.exit_code)
    except click.Abort:
        sys.exit(130)
    except SekishoError as no:
        click.echo(f"sekisho: {no}", err=True)
        sys.exit(2)
