"""`sekisho lab`: play findings, attackers and honest customers against the engine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sekisho.cli.policy import proved, table_of
from sekisho.cli.progress import bar
from sekisho.errors import CallerError
from sekisho.proof.guesses import guessed

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


@lab.command()
@click.argument("policy", type=_file)
@click.option("--item", "items", multiple=True, help="Guess at this item only; may be given several times. Without it: at every one.")
@click.option("--attacker", "attackers", multiple=True, help="Only free, planned, parallel, waiting, recovering or resending.")
@click.option("--days", type=click.FloatRange(0.01, 3_650), default=7.0, show_default=True, help="For how long.")
@click.option("--releases", type=click.IntRange(0, 1_000), default=3, show_default=True, help="Locks lifted for `recovering`.")
@click.option("--customers", type=click.IntRange(0, 1_000_000), default=0, show_default=True, help="Count at so many how often secrets are hit.")
@click.option("--each", type=click.IntRange(1, 1_000), default=3, show_default=True, help="Guesses of the sweep at each of them.")
@click.option("--digits", type=click.IntRange(1, 12), help="Digits of codes there, instead of the policy's, so that there are hits to count.")
@click.option("--seed", type=int, default=1, show_default=True, help="What all chance follows from.")
@_sqlite
@_json
@_language
def attack(
    policy: Path, items: tuple[str, ...], attackers: tuple[str, ...], days: float, releases: int, customers: int, each: int, digits: int | None,
    seed: int, sqlite: bool, json_out: bool, language: str,  # noqa: FBT001
) -> None:
    """Let attackers loose on the engine: guesses beside the proved bound, secrets that are hit. Exit 1: somebody got more than was proved."""
    from sekisho.lab import attack as play
    from sekisho.lab.text import told_attack

    table = table_of(policy)
    wanted = _chosen(items, guessed(table), "item")
    who = _chosen(attackers, play.ATTACKERS, "attacker")
    pairs = [(item, one) for item in wanted for one in who if play.fits(table, item, one)]
    got = []
    with bar("attack", len(pairs)) as tell:
        for number, (item, one) in enumerate(pairs, 1):
            got.append(asyncio.run(play.attack(table, item, one, days=days, seed=seed, releases=releases, sqlite=sqlite)))
            tell(number)
    broken, swept = [], []
    for item in wanted if customers else ():
        with bar(f"break in: {item}", customers) as tell:
            broken.append(asyncio.run(play.break_in(table, item, customers, days=days, seed=seed, digits=digits, tell=tell)))
        with bar(f"sweep: {item}", customers * each) as tell:
            swept.append(asyncio.run(play.sweep(table, item, customers, each=each, seed=seed, digits=digits, tell=tell)))
    hits, sweeps = [one for one in broken if one is not None], [one for one in swept if one is not None]
    if json_out:
        _print({
            "attacks": [{**one._asdict(), "within": one.within} for one in got], "broken": [one._asdict() for one in hits],
            "swept": [one._asdict() for one in sweeps],
        })
    else:
        click.echo(told_attack(got, hits, sweeps, language), nl=False)
    sys.exit(0 if all(one.within for one in got) else 1)


def _chosen(named: tuple[str, ...], known: Iterable[str], what: str) -> list[str]:
    """Those that were named, or all.

    Raises:
        CallerError: one is none of them.

    """
    all_of_them = list(known)
    unknown = [name for name in named if name not in all_of_them]
    if unknown:
        raise CallerError(f"no {what} of that name can be chosen: {', '.join(unknown)}; there are: {', '.join(all_of_them)}")
    return list(named) or all_of_them


@lab.command()
@click.argument("policy", type=_file)
@click.option("--days", type=click.IntRange(1, 3_650), default=7, show_default=True, help="For how long.")
@click.option("--visits", type=click.IntRange(1, 1_000), default=2, show_default=True, help="How often the customer comes in a day.")
@click.option("--seed", type=int, default=1, show_default=True, help="What all chance follows from.")
@_json
@_language
def dos(policy: Path, days: int, visits: int, seed: int, json_out: bool, language: str) -> None:  # noqa: FBT001
    """Let strangers lock an honest customer out: how often he is refused, from a device that is known and from others, and what it costs them."""
    from sekisho.lab.dos import besiege
    from sekisho.lab.text import told_dos

    table = table_of(policy)
    sieges = []
    for known in (True, False):
        with bar("dos", days * visits) as tell:
            sieges.append(asyncio.run(besiege(table, days=days, visits=visits, known=known, seed=seed, tell=tell)))
    if json_out:
        _print([
            {**one._asdict(), "operations": [each._asdict() for each in one.operations], "fell": [each._asdict() for each in one.fell]}
            for one in sieges
        ])
    else:
        click.echo(told_dos(table, sieges[0], sieges[1], days, language), nl=False)


@lab.command()
@click.argument("policy", type=_file)
@click.option("--customers", type=click.IntRange(1, 10_000), default=12, show_default=True, help="How many get into each trouble.")
@click.option("--attacked", is_flag=True, help="A stranger locks meanwhile what he can.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write it as a page with plots into this file.")
@click.option("--seed", type=int, default=1, show_default=True, help="What all chance follows from.")
@_json
@_language
def recovery(policy: Path, customers: int, attacked: bool, html: Path | None, seed: int, json_out: bool, language: str) -> None:  # noqa: FBT001
    """Let customers into every trouble the policy knows, and back out: how long it takes them. Exit 1: one could not go the way that is proved."""
    from sekisho.lab.recovery import recover
    from sekisho.lab.recovery_text import as_json, recovery_page, told_recovery

    table = table_of(policy)
    with bar("recovery") as tell:
        backs = asyncio.run(recover(table, customers=customers, seed=seed, attacked=attacked, tell=tell))
    if html is not None:
        html.write_text(recovery_page(table, policy.name, backs, language, attacked=attacked), encoding="utf-8")
    if json_out:
        _print(as_json(backs))
    else:
        click.echo(told_recovery(table, policy.name, backs, language, attacked=attacked), nl=False)
    sys.exit(0 if all(one.as_proved for one in backs if one.plan is not None) else 1)


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
