"""What the lab has found, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from sekisho import templates
from sekisho.catalogue import say
from sekisho.lab.attack import Broken, Got, Swept
from sekisho.lab.dos import Siege
from sekisho.lab.plots import BAR, NAME, WIDTH, plot
from sekisho.lab.plots import told as figure_told
from sekisho.lab.replay import Replayed, Step
from sekisho.lab.trace import Trace, read_move
from sekisho.lab.whatif import Figure, Line, Section
from sekisho.policy.table import Item, Operation, ReleasePath, Table, Text
from sekisho.policy.text import length
from sekisho.proof.check import Report, picked
from sekisho.proof.text import aligned

HERE = Path(__file__).parent


def told_replay(table: Table, trace: Trace, played: Replayed, language: str) -> str:
    """A trace, step by step, and whether its finding holds."""
    lines = [f"{trace.code} {trace.row or ''}".rstrip() + ": " + (trace.ja if language == "ja" else trace.en)]
    lines += aligned([_step(step, table, language) for step in played.steps])
    if played.tried:
        lines += [say(language, "lab.tried"), *aligned([_step(step, table, language) for step in played.tried])]
    if played.left_out:
        lines.append(say(language, "lab.left-out", number=f"{played.left_out:,}"))
    why = say(language, f"lab.why-{played.why}", guesses=f"{played.guesses:,}")
    lines.append(say(language, "lab.holds" if played.holds else "lab.holds-not") + " " + why)
    return "\n".join(lines) + "\n"


def told_attack(got: Sequence[Got], broken: Sequence[Broken], swept: Sequence[Swept], language: str) -> str:
    """What attackers got beside what was proved, and how often they were right."""
    head = [say(language, f"column.{name}") for name in ("item", "attacker")]
    rows = [[*head, *(say(language, f"lab.{name}") for name in ("guesses", "bound", "how"))], *(_got(one, language) for one in got)]
    lines = [*aligned(rows)]
    if broken:
        columns = [say(language, f"lab.{name}") for name in ("customers", "guesses", "hit", "expected", "sigmas")]
        lines += ["", say(language, "lab.broken"), *aligned([[head[0], *columns], *(_broken(one) for one in broken)])]
    if swept:
        columns = [say(language, f"lab.{name}") for name in ("customers", "asked", "guesses", "ceiling", "hit", "expected", "sigmas")]
        lines += ["", say(language, "lab.swept"), *aligned([[head[0], *columns], *(_swept(one) for one in swept)])]
    return "\n".join(lines) + "\n"


def _got(one: Got, language: str) -> list[str]:
    how = "more" if not one.within else "unbounded" if one.most is None else "all" if one.guesses == one.most else "fewer"
    most = say(language, "check.unbounded") if one.most is None else f"{one.most:,}"
    released = f" ({say(language, 'lab.releases', number=one.releases)})" if one.releases else ""
    return [one.item, say(language, f"attacker.{one.attacker}"), f"{one.guesses:,}", most + released, say(language, f"lab.got-{how}")]


def _broken(one: Broken) -> list[str]:
    return [one.item, f"{one.customers:,}", f"{one.guesses:,}", f"{one.broken:,}", f"{one.expected:.3g}", f"{one.sigmas:.1f}"]


def _swept(one: Swept) -> list[str]:
    ceiling = "-" if one.ceiling is None else f"{one.ceiling:,}"
    guesses = [f"{one.asked:,}", f"{one.looked_at:,}"]
    return [one.item, f"{one.customers:,}", *guesses, ceiling, f"{one.broken:,}", f"{one.expected:.3g}", f"{one.sigmas:.1f}"]


def told_dos(table: Table, known: Siege, others: Siege, days: int, language: str) -> str:
    """How often an honest customer was refused, by operation, and what it cost those who locked him out."""
    head = [say(language, f"lab.{name}") for name in ("operation", "from-known", "from-others")]
    refused = [
        [picked(table.operations[one.operation].text, language), f"{one.refused:,} / {one.visits:,}", f"{other.refused:,} / {other.visits:,}"]
        for one, other in zip(known.operations, others.operations, strict=True)
    ]
    cost = say(language, "lab.cost", at_once=f"{others.at_once:,}", all=f"{others.entries:,}", days=days)
    fell = [[say(language, f"lab.{name}") for name in ("row", "times", "entries", "at-items")]]
    fell += [
        [one.row, f"{one.times:,}", f"{one.entries:,}", ", ".join(picked(table.items[item].text, language) for item in one.items)]
        for one in others.fell
    ]
    return "\n".join([say(language, "lab.refused"), *aligned([head, *refused]), "", cost, *aligned(fell)]) + "\n"


def told_whatif(a: Report, b: Report, sections: Sequence[Section], language: str) -> str:
    """Every figure of two policies, section by section."""
    lines = [say(language, "whatif.title", a=a.policy, b=b.policy)]
    for section in sections:
        lines += ["", say(language, f"whatif.{section.name}")]
        lines += [f"  {say(language, f'whatif.{word}')}: {say(language, f'whatif.{section.name}-{word}')}" for word in ("formula", "assumption")]
        lines += aligned([[say(language, "column.item"), "A", "B"], *(_line(line, language) for line in section.lines)])
    return "\n".join(lines) + "\n"


def _line(line: Line, language: str) -> list[str]:
    return [say(language, "whatif.all") if line.name == "all" else line.name, *(_figure(one, language) for one in (line.a, line.b))]


def _figure(one: Figure | None, language: str) -> str:
    if one is None:
        return "-"
    return say(language, "check.unbounded") if one.value is None else figure_told(one.value)


def page(a: Report, b: Report, sections: Sequence[Section], language: str) -> str:
    """The same as a page with plots, whole in one file."""
    drawn = [(section, plot(section, say(language, "check.unbounded"))) for section in sections]
    return templates.render(
        HERE / "templates", "whatif.html",
        language=language, t=partial(say, language), a=a.policy, b=b.policy, versions=(a.version[:12], b.version[:12]), sections=drawn,
        width=WIDTH, name_width=NAME, bar=BAR)


def _step(step: Step, table: Table, language: str) -> list[str]:
    return [length(step.at_s, language), said(step.move, table, language), ("; " if language == "en" else "。").join(_came(step, language))]


def said(text: str, table: Table, language: str) -> str:
    """A move as a person would say it."""
    move = read_move(text, table)
    named = {kind: _named(kind, name, table, language) for kind, name in move.named.items()}
    about = "-about" if "about" in move.named and move.name != "run" else ""
    about = about or ("-at-once" if move.name == "attack" and not move.number else "")
    times, lasts = f"{int(move.number):,}", length(int(move.number), language)
    return say(language, f"lab.move-{move.name}{about}", **{"times": times, "length": lasts, **named})


def _named(kind: str, name: str, table: Table, language: str) -> str:
    known: dict[str, Mapping[str, Item | Operation | ReleasePath]] = {"item": table.items, "operation": table.operations, "path": table.paths}
    found = known.get(kind, {}).get(name)
    text = found.text if found is not None else table.things.get(name) or table.flags.get(name) or Text(name, name)
    return picked(text, language)


def _came(step: Step, language: str) -> Iterator[str]:
    if step.move.startswith(("wrong", "right")):
        yield say(language, "lab.looked-at", done=f"{step.done:,}", of=f"{step.of:,}")
    else:
        yield say(language, "lab.done" if step.came_out else "lab.not-done")
    if step.fell:
        yield say(language, "lab.fell", rows=", ".join(_lock(row, ends_s, language) for row, ends_s in step.fell))
    if step.lifted:
        yield say(language, "lab.lifted", rows=", ".join(step.lifted))


def _lock(row: str, ends_s: int | None, language: str) -> str:
    return f"{row} ({say(language, 'lab.until-released') if ends_s is None else length(ends_s, language)})"
