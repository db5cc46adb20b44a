"""All the proofs of one policy: what was found, how much can be guessed, and the ways out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from sekisho.catalogue import LANGUAGES, say
from sekisho.policy import Policy, PolicyError, compile_policy
from sekisho.policy.compile import who
from sekisho.policy.model import FindingCode, Profile, Waiver
from sekisho.policy.rows import rows
from sekisho.policy.table import Table, Text
from sekisho.proof.chances import chance
from sekisho.proof.codes import code_findings
from sekisho.proof.doors import door_findings
from sekisho.proof.exits import Exits
from sekisho.proof.falls import Falls
from sekisho.proof.found import Fact, Found, Places, Severity, filled
from sekisho.proof.guesses import UNBOUNDED, Bound, bounds
from sekisho.proof.limits import guess_findings, lock_findings
from sekisho.proof.names import name_findings, row_findings
from sekisho.proof.profiles import profile_findings
from sekisho.proof.ways import NONE, Answer, Plan, State, Ways
from sekisho.proof.words import word_findings

ROWS_MAX = 5_000
"""Rows of a policy that is proved: what the proofs take grows with them, and nobody should wait for minutes."""


class Finding(msgspec.Struct, frozen=True):
    """One finding as it is told."""

    code: FindingCode
    severity: Severity
    where: str
    """`file:line:column`."""
    row: str | None
    text: Text
    trace: tuple[str, ...]
    """Moves that `sekisho lab replay` plays."""
    waived: Text | None
    """Why it was accepted, and by whom."""
    claim: str = ""
    """What is claimed, as the catalogues name the sentence: what a replay of the trace must show."""

    @property
    def refuses(self) -> bool:
        """Whether the policy may not come into force because of it."""
        return self.severity is Severity.ERROR and self.waived is None


class Report(msgspec.Struct, frozen=True):
    """What the proofs say about one policy."""

    policy: str
    version: str
    findings: tuple[Finding, ...]
    bounds: tuple[Bound, ...]
    ways_out: tuple[Answer, ...]
    table: Table

    @property
    def accepted(self) -> bool:
        """Whether the policy may come into force."""
        return not any(finding.refuses for finding in self.findings)


def check(policy: Policy, profiles: Iterable[Profile] = (), source: bytes | None = None) -> Report:
    """Prove a policy.

    Args:
        policy: as loaded.
        profiles: standards it must meet besides those it names itself.
        source: the file's bytes, if not those it was loaded from.

    Raises:
        PolicyError: the policy has more rows than are proved.

    """
    _not_too_long(policy)
    table = compile_policy(policy, source)
    limits = tuple(bounds(table))
    falls = Falls(table)
    ways = Ways(table, falls)
    answers = tuple(ways.answers())
    claimed = tuple(dict.fromkeys([*policy.file.profiles, *profiles]))
    found = [
        *Exits(table, ways, answers).findings(), *guess_findings(table, limits), *lock_findings(table, [one.item for one in limits[::2]]),
        *code_findings(table), *door_findings(table), *word_findings(table, policy.file), *row_findings(table, falls),
        *name_findings(table, policy.file), *profile_findings(table, policy.file, limits, claimed),
    ]
    told = dict.fromkeys(_told(policy, found))
    return Report(table.name, table.version, tuple(told), limits, answers, table)


def left_standing(policy: Policy, report: Report, row: str, undo: Iterable[str], subjects: int) -> Report:
    """The report with a finding more: locks of a row that stand now, and that nothing of this policy lifts.

    Args:
        policy: as it was proved.
        report: what the proofs say of it.
        row: of the locks.
        undo: their ways back, none of which the policy has.
        subjects: on how many they stand.

    """
    facts: dict[str, Fact] = {"row": row, "ways": ", ".join(undo), "subjects": subjects}
    places = Places(policy)
    found = Found(FindingCode.NO_WAY_OUT, "left-standing", facts, row, () if row in places.rows else ("procedures",))
    return msgspec.structs.replace(report, findings=(*report.findings, _finding(found, places, None)))


def _not_too_long(policy: Policy) -> None:
    found = list(rows(policy.file))
    if len(found) > ROWS_MAX:
        where = policy.where(*found[ROWS_MAX].path)
        raise PolicyError([f"{where}: this policy has {len(found):,} rows; sekisho proves at most {ROWS_MAX:,}: split it"])


def _told(policy: Policy, found: Sequence[Found]) -> Iterator[Finding]:
    places = Places(policy)
    unused = list(policy.file.waivers)
    for one in found:
        waiver = next((waiver for waiver in policy.file.waivers if _waives(waiver, one)), None)
        if waiver in unused:
            unused.remove(waiver)
        yield _finding(one, places, None if waiver is None else _accepted(waiver))
    for waiver in unused:
        path = ("waivers", policy.file.waivers.index(waiver))
        facts: dict[str, Fact] = {"code": waiver.finding.value, "row": waiver.row or waiver.where or ""}
        yield _finding(Found(FindingCode.UNUSED_NAME, "waiver-unused", facts, waiver.row, path, severity=Severity.WARNING), places, None)


def _waives(waiver: Waiver, found: Found) -> bool:
    """A waiver names the code and the row; where it is about no row, the cell, as `forms/form-1`."""
    here = waiver.where is None or waiver.where == "/".join(map(str, found.path))
    return waiver.finding is found.code and (waiver.row is None or waiver.row == found.row) and here and bool(waiver.row or waiver.where)


def _accepted(waiver: Waiver) -> Text:
    by = who(waiver.by)
    return Text(f"{waiver.reason.ja}({by.ja})", f"{waiver.reason.en} ({by.en})")


def _finding(found: Found, places: Places, waived: Text | None) -> Finding:
    told = {language: say(language, f"finding.{found.say}", **filled(found.facts, language)) for language in LANGUAGES}
    return Finding(found.code, found.severity, places.where(found), found.row, Text(told["ja"], told["en"]), found.trace, waived, found.say)


# As JSON.


def as_json(report: Report, language: str = "en") -> dict[str, Any]:
    """The report as `sekisho policy check --json` prints it."""
    return {
        "policy": report.policy, "version": report.version, "accepted": report.accepted,
        "findings": [_finding_json(one, language) for one in report.findings],
        "bounds": [_bound_json(one, report.table) for one in report.bounds],
        "ways_out": [
            {"state": state_name(one.state, report.table, language), "rows": list(one.state.rows), "at_rest": _plan_json(one.at_rest),
             "under_attack": _plan_json(one.under_attack)}
            for one in report.ways_out
        ],
    }


def _finding_json(one: Finding, language: str) -> dict[str, Any]:
    return {
        "code": one.code.value, "severity": one.severity.value, "where": one.where, "row": one.row, "text": picked(one.text, language),
        "ja": one.text.ja, "en": one.text.en, "trace": list(one.trace), "claim": one.claim, "waived": one.waived and picked(one.waived, language),
    }


def _bound_json(one: Bound, table: Table) -> dict[str, Any]:
    found = chance(table, one)
    return {
        "item": one.item, "attacker": one.attacker, "per_day": UNBOUNDED if one.per_day is None else one.per_day,
        "per_year": UNBOUNDED if one.per_year is None else one.per_year, "chance_per_year": found.per_year,
        "victims_in_a_million": found.victims, "chance_by": found.by, "per_release": one.per_release, "exact": one.exact,
        "flags": list(one.flags), "trace": list(one.trace),
    }


def _plan_json(plan: Plan | None) -> dict[str, Any]:
    if plan is None:
        return {"path": [], "kind": NONE, "shortest_s": None, "longest_s": None}
    return {"path": list(plan.path), "kind": plan.kind, "shortest_s": plan.shortest_s, "longest_s": plan.longest_s}


def picked(text: Text, language: str) -> str:
    """A text in one language."""
    return text.ja if language == "ja" else text.en


def state_name(state: State, table: Table, language: str) -> str:
    """A state as staff read it."""
    if state.lost:
        marks = [picked(table.flags[flag], language) for flag in sorted(state.board.flags) if flag in table.flags]
        return say(language, f"state.{state.name.partition(',')[0]}") + "".join(f" ({mark})" for mark in marks)
    return say(language, "state.lock", row=state.name)
