"""Findings about guesses: what can be guessed without end, and the lock that is not asked where the item is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sekisho.core.state import SECOND
from sekisho.policy.model import FindingCode
from sekisho.policy.table import Table
from sekisho.proof.board import START, Board
from sekisho.proof.found import Fact, Found, texts
from sekisho.proof.guesses import LASTING, MANY, YEAR_S, Bound, worlds
from sekisho.proof.seats import Seat, distinct, seats

YEAR_MAX = 1_000
"""Guesses at one item in a year that no policy may give away: see docs/why/guesses-a-year.md."""

ROUNDS = 64
"""How often time is let pass to see whether an item is still asked after its lock has fallen."""


def guess_findings(table: Table, found: Iterable[Bound]) -> Iterator[Found]:
    """Items that can be guessed without end, or more often in a year than any policy may allow."""
    told = set()
    for bound in found:
        if bound.item in told or (bound.per_year is not None and bound.per_year <= YEAR_MAX):
            continue
        told.add(bound.item)
        at = seats(table, bound.item)[0]
        operations = dict.fromkeys(seat.operation for seat in seats(table, bound.item))
        facts: dict[str, Fact] = {"item": table.items[bound.item].text, "name": bound.item, "operations": texts(table, operations)}
        if bound.per_year is None:
            yield Found(FindingCode.UNBOUNDED_GUESSES, "unbounded", facts, _loosest(table, bound, at), trace=bound.trace)
        else:
            facts |= {"year": bound.per_year, "day": bound.per_day or 0, "most": YEAR_MAX}
            yield Found(FindingCode.UNBOUNDED_GUESSES, f"many-{bound.attacker}", facts, at.row.id, trace=bound.trace)


def _loosest(table: Table, bound: Bound, at: Seat) -> str:
    """The row that the endless guesses go through."""
    operation = next((move.split()[3] for move in bound.trace if move.startswith("wrong")), at.operation)
    return next((seat.row.id for seat in seats(table, bound.item) if seat.operation == operation), at.row.id)


def lock_findings(table: Table, items: Iterable[str]) -> Iterator[Found]:
    """Items that go on being compared in some operation after their own lock has fallen for good."""
    for item in items:
        for flags in worlds(seat.row for seat in seats(table, item)):
            still = still_asked(table, item, flags)
            if still is not None:
                seat, lock, trace = still
                facts: dict[str, Fact] = {
                    "item": table.items[item].text, "row": lock, "operation": table.operations[seat.operation].text}
                yield Found(FindingCode.LOCK_NOT_ASKED, "still-asked", facts, seat.row.id, trace=trace)
                break


def still_asked(table: Table, item: str, flags: Iterable[str]) -> tuple[Seat, str, tuple[str, ...]] | None:
    """A row that still takes an item long after a lock for good has fallen for it, and the row of that lock."""
    board = Board(table, flags)
    board.moves = [f"flag {flag}" for flag in flags]
    found = [seat for seat in distinct(table, seats(table, item)) if board.admits(seat)]
    lock = None
    for _ in range(ROUNDS):
        for seat in found:
            lock = _spend(board, seat) or lock
        at = board.next_change()
        if at is None or at - START > YEAR_S * SECOND:
            break
        board.wait_until(at)
    still = next((seat for seat in found if board.admits(seat)), None)
    return None if lock is None or still is None else (still, lock, tuple(board.moves))


def _spend(board: Board, seat: Seat) -> str | None:
    """All that a row takes now; the row of a lock for good that falls on the way."""
    lock = None
    while board.wrong(seat, most=MANY):
        lock = next((one.row for one in board.fell if one.until is None and one.kind in LASTING), lock)
        if not board.lasting(seat):
            break
    return lock
