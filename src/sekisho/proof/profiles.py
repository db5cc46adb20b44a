"""Findings about profiles: the figures that a standard asks for, clause by clause, and where two standards contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sekisho.policy import model as m
from sekisho.policy.model import FindingCode, Profile
from sekisho.policy.shape import Path
from sekisho.policy.table import Counter, Table, Text
from sekisho.proof.found import Found
from sekisho.proof.guesses import LASTING, UNBOUNDED, Bound
from sekisho.proof.seats import Seat, seats
from sekisho.terms import ItemKind

NIST, PSD2, PCI, ASVS, JSDA = Profile.NIST_AAL2, Profile.PSD2_SCA, Profile.PCI_DSS_4, Profile.ASVS_5_L3, Profile.JSDA_2025

COMPARED = frozenset({
    ItemKind.PASSWORD, ItemKind.PIN, ItemKind.PASSCODE, ItemKind.CODE, ItemKind.TOTP, ItemKind.OCRA, ItemKind.BIOMETRIC,
    ItemKind.CONFIRMATION})
"""Kinds that authenticate somebody."""
RECOVERS = frozenset({"recover", "confirm-address"})


class Clause(NamedTuple):
    """One figure of one standard."""

    says: str
    """Name of its sentence: `clause.` and this, in the catalogues."""
    figures: dict[Profile, tuple[float, str]]
    """By profile: the figure, and where the standard says it."""


TOTAL = Clause("total", {NIST: (100, "SP 800-63B-4 3.2.2")})
IN_A_ROW = Clause("in-a-row", {PSD2: (5, "RTS 2018/389 Art. 4(3)(b)"), PCI: (10, "8.3.4")})
LOCK = Clause("lock-min", {PCI: (1_800, "8.3.4")})
CODE_LIFE = Clause("code-life", {NIST: (600, "SP 800-63B-4 3.1.3.2"), ASVS: (600, "6.5.5")})
RECOVERY_LIFE = Clause("recovery-life", {NIST: (86_400, "SP 800-63B-4 4.2"), ASVS: (600, "6.5.5")})
POST_LIFE = Clause("post-life", {NIST: (21 * 86_400, "SP 800-63B-4 4.2.1.2")})
DIGITS = Clause("digits", {NIST: (6, "SP 800-63B-4 3.1.3.2"), ASVS: (6, "6.5.4")})
MAIL = Clause("mail-factor", {NIST: (0, "SP 800-63B-4 3.1.3"), ASVS: (0, "6.3.6")})
KNOWLEDGE = Clause("knowledge", {NIST: (0, "SP 800-63B-4 3.1.1.2"), ASVS: (0, "6.4.2")})
IDLE = Clause("idle", {NIST: (3_600, "SP 800-63B-4 2.2"), PSD2: (300, "RTS 2018/389 Art. 4(3)(d)"), PCI: (900, "8.2.8")})
TOTAL_LIFE = Clause("session-life", {NIST: (86_400, "SP 800-63B-4 2.2")})
AUDIT = Clause("audit", {PCI: (365 * 86_400, "10.5.1")})
ADDRESSES = Clause("addresses", {NIST: (2, "SP 800-63B-4 4.2.1.2")})
PASSKEY = Clause("passkey", {NIST: (1, "SP 800-63B-4 2.2"), ASVS: (1, "6.3.3"), JSDA: (1, "2025")})

CLASHES = {
    (NIST, PCI): "rotation", (PCI, ASVS): "rotation",
}
"""What one of two standards asks for and the other forbids."""


def profile_findings(table: Table, file: m.PolicyFile, limits: Iterable[Bound], claimed: Sequence[Profile]) -> Iterator[Found]:
    """All of them, for each profile that is claimed."""
    limits = [*limits]
    for profile in claimed:
        yield from _Held(table, file, profile).findings(limits)
    for (one, other), says in CLASHES.items():
        if {one, other} <= set(claimed):
            facts = {"one": one.value, "other": other.value, "clash": says}
            yield Found(FindingCode.PROFILE_CLASH, f"clash-{says}", dict(facts), path=("profiles",))


class _Held:
    """One policy held to one profile."""

    def __init__(self, table: Table, file: m.PolicyFile, profile: Profile) -> None:
        self.table = table
        self.file = file
        self.profile = profile

    def findings(self, limits: Sequence[Bound]) -> Iterator[Found]:
        yield from self._guesses(limits)
        yield from self._rows()
        yield from self._items()
        times, timing = self.table.timing, ("timing", "session")
        yield from self._most(IDLE, times.session_idle_s, (*timing, "idle"))
        yield from self._most(TOTAL_LIFE, times.session_total_s, (*timing, "total"))
        yield from self._least(AUDIT, self.table.retention_s.get("audit", 0), ("retention", "audit"))
        yield from self._least(ADDRESSES, int(self.table.mail["addresses"]), ("mail", "addresses"))
        passkeys = sum(item.kind is ItemKind.PASSKEY for item in self.table.items.values())
        yield from self._least(PASSKEY, passkeys, ("items",))

    def _guesses(self, limits: Sequence[Bound]) -> Iterator[Found]:
        most, clause = TOTAL.figures.get(self.profile, (0, ""))
        for one in limits if clause else ():
            item = self.table.items[one.item]
            if one.attacker == "free" and item.kind in COMPARED and (one.per_year is None or one.per_year > most):
                figure: int | str = UNBOUNDED if one.per_year is None else one.per_year
                over = FindingCode.GUESSES_OVER_PROFILE
                yield self._found(TOTAL, clause, figure, int(most), item.text, over, row=self._row(one.item), trace=one.trace)

    def _row(self, item: str) -> str:
        return seats(self.table, item)[0].row.id

    def _rows(self) -> Iterator[Found]:
        told = set()
        for seat in seats(self.table):
            for counter in self._shutting(seat):
                least = next(stage.wrong for stage in counter.stages if _shuts(counter, stage.wrong))
                if (seat.row.id, least) not in told:
                    told.add((seat.row.id, least))
                    yield from self._most(IN_A_ROW, least, (), self.table.items[seat.item].text, seat.row.id)
                for length in self._lengths(counter):
                    yield from self._least(LOCK, length, (), self.table.items[seat.item].text, seat.row.id)

    def _shutting(self, seat: Seat) -> list[Counter]:
        """The counters in a row of a row that authenticates and that lead to a lock."""
        if self.table.items[seat.item].kind not in COMPARED:
            return []
        return [gauge.counter for gauge in seat.row.gauges if any(_shuts(gauge.counter, stage.wrong) for stage in gauge.counter.stages)
                and gauge.counter.window_s is None]

    @staticmethod
    def _lengths(counter: Counter) -> list[int]:
        return [penalty.for_s for stage in counter.stages for penalty in stage.penalties if penalty.for_s is not None]

    def _items(self) -> Iterator[Found]:
        entered = {seat.item for seat in seats(self.table)}
        for item in self.table.items.values():
            path: Path = ("items", item.name)
            if item.name not in entered:
                continue
            if item.kind is ItemKind.KNOWLEDGE:
                yield from self._most(KNOWLEDGE, 1, path, item.text)
            if item.kind not in {ItemKind.CODE, ItemKind.CONFIRMATION}:
                continue
            life = item.valid_s or int(self.table.mail["code_valid_s"])
            yield from self._most(RECOVERY_LIFE if item.purpose in RECOVERS else CODE_LIFE, life, path, item.text)
            yield from self._most(POST_LIFE, item.by_letter_s or 0, path, item.text)
            yield from self._least(DIGITS, item.digits or int(self.table.mail["code_digits"]), path, item.text)
            if item.kind is ItemKind.CODE and item.purpose not in RECOVERS:
                yield from self._most(MAIL, 1, path, item.text)

    def _most(self, clause: Clause, figure: int, path: Path, item: Text | None = None, row: str | None = None) -> Iterator[Found]:
        most, says = clause.figures.get(self.profile, (figure, ""))
        if figure > most:
            yield self._found(clause, says, figure, int(most), item, path=path, row=row)

    def _least(self, clause: Clause, figure: int, path: Path, item: Text | None = None, row: str | None = None) -> Iterator[Found]:
        least, says = clause.figures.get(self.profile, (figure, ""))
        if figure < least:
            yield self._found(clause, says, figure, int(least), item, path=path, row=row)

    def _found(
        self, clause: Clause, says: str, figure: int | str, must: int, item: Text | None,
        code: FindingCode = FindingCode.PROFILE, path: Path = (), row: str | None = None, trace: tuple[str, ...] = (),
    ) -> Found:
        facts: dict[str, int | str | Text | tuple[Text, ...]] = {
            "profile": self.profile.value, "clause": says, "figure": figure, "must": must, "item": item or Text("", "")}
        return Found(code, f"clause-{clause.says}", facts, row, path, trace)


def _shuts(counter: Counter, wrong: int) -> bool:
    return any(penalty.kind in LASTING for stage in counter.stages if stage.wrong == wrong for penalty in stage.penalties)
