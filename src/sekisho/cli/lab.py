"""`sekisho lab`: play findings, attackers and honest customers against the engine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sekisho.cli.policy import proved, table_of
from sekisho.cli.progress import bar
from sekisho.errors import CallerError

if TYPE_CHECKING:
    from sekisho.lab.trace import Trace
    from sekisho.policy.table import Table


@click.group()
def lab() -> None:
    """Simulations: a finding replayed, a policy attacked, two policies compared."""


_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_language = click.option("--language", type=click.Choice(["ja", "en"]), default="en", show_default=True)
_json = click.option("--json", "json_out", is_flag=True, help="Print it as JSON.")
_sqlite = click.option("--sqlite", is_flag=True, help="Play over a SQLite file instead of a ledger in memory; slower.")


@lab.command()
@click.argument("files", nargs=-1, required=True, type=_file)
@click.option("--finding", help="Of a policy: only this finding, as CODE or CODE/ROW.")
@click.option("--whole", is_flag=True, help="Play every round of a trace, however many there are.")
@_sqlite
@_json
@_language
def replay(files: tuple[Path, ...], finding: str | None, whole: bool, sqlite: bool, json_out: bool, language: str) -> None:  # noqa: FBT001
    """Play the trace of a finding against the engine, step by step. Exit 1: a finding does not hold there.

    FILES are traces that `sekisho policy check FILE --traces DIR` wrote, or policies: then all their findings are played.
    """
    from sekisho.lab.replay import replay as play
    from sekisho.lab.text import told_replay

    found = [one for file in files for one in _traces(file, finding)]
    if not found:
        raise CallerError("no such finding has a trace to play")
    done = []
    for table, trace in found:
        with bar(f"{trace.code} {trace.row or ''}") as tell:
            played = asyncio.run(play(table, trace.claim, trace.trace, whole=whole, sqlite=sqlite, tell=tell))
        done.append((trace, played))
        if not json_out:
            click.echo(told_replay(table, trace, played, language))
    if json_out:
        _print([{"code": trace.code, "row": trace.row, "claim": trace.claim, **played._asdict()} for trace, played in done])
    sys.exit(0 if all(played.holds for _, played in done) else 1)


@lab.command()
@click.argument("a", type=_file)
@click.argument("b", type=_file)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write it as a page with plots into this file.")
@_json
@_language
def whatif(a: Path, b: Path, html: Path | None, json_out: bool, language: str) -> None:  # noqa: FBT001
    """Compare two policies: guesses a year, chances to break in, honest customers locked out, victims of a sweep, calls to the desk."""
    from sekisho.lab.text import page, told_whatif
    from sekisho.lab.whatif import as_json
    from sekisho.lab.whatif import whatif as compare

    first, second = proved(a), proved(b)
    sections = compare(first, second)
    if html is not None:
        html.write_text(page(first, second, sections, language), encoding="utf-8")
    if json_out:
        _print(as_json(first, second, sections, language))
    else:
        click.echo(told_whatif(first, second, sections, language), nl=False)


def _traces(file: Path, finding: str | None) -> Iterator[tuple[Table, Trace]]:
    from sekisho.lab.trace import of_finding, read_trace

    if file.suffix == ".json":
        trace = read_trace(file)
        policy = file.parent / trace.policy
        if not policy.is_file():
            raise CallerError(f"the policy of {file} is not at {policy}")
        table = table_of(policy)
        if table.version != trace.version:
            raise CallerError(f"{policy} was changed since {file} was written; write the traces again: sekisho policy check {policy} --traces DIR")
        yield table, trace
        return
    report = proved(file)
    for one in report.findings:
        if one.trace and finding in {None, one.code.value, f"{one.code.value}/{one.row}"}:
            yield report.table, of_finding(one, file.name, report.version)


def _print(told: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
