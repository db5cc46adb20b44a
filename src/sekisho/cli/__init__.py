"""The command line: parse, call, print. Progress and complaints go to stderr, answers to stdout."""

from __future__ import annotations

import sys

import click

from sekisho import __version__
from sekisho.cli.audit import audit
from sekisho.cli.demo import demo
from sekisho.cli.keys import keys
from sekisho.cli.policy import policy
from sekisho.cli.serve import serve
from sekisho.errors import SekishoError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sekisho")
def group() -> None:
    """Decide whether an entry may be looked at, what a wrong one costs, and how the customer gets back in."""


for command in (serve, demo, keys, policy, audit):
    group.add_command(command)


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
