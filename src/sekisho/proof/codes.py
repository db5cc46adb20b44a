"""Findings about codes: no counter may forget sooner than the code it protects lives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sekisho.core.state import SECOND
from sekisho.policy.model import FindingCode
from sekisho.policy.table import Table
from sekisho.proof.board import START, Board
from sekisho.proof.found import Fact, Found
from sekisho.proof.guesses import MANY, worlds
from sekisho.proof.seats import Seat, seats
from sekisho.terms import ItemKind

SENT = frozenset({ItemKind.CODE, ItemKind.CONFIRMATION})

WAITS_MAX = 200


def code_findings(table: Table) -> Iterator[Found]:
    """Codes at which whoever waits gets more guesses than whoever does not, while the code lives."""
    for item in table.items.values():
        if item.kind not in SENT:
            continue
        life_s = max(item.valid_s or int(table.mail["code_valid_s"]), item.by_letter_s or 0)
        told = set()
        for flags in worlds(seat.row for seat in seats(table, item.name)):
            for seat in seats(table, item.name):
                if seat.row.id in told:
                    continue
                at_once = guesses_at_a_code(table, seat, flags, 0)
                paced = max((guesses_at_a_code(table, seat, flags, life_s, hold=hold) for hold in (False, True)), key=lambda one: one[0])
                if at_once[0] < paced[0]:
                    told.add(seat.row.id)
                    facts: dict[str, Fact] = {"item": item.text, "at_once": at_once[0], "paced": paced[0], "life": life_s, "row": seat.row.id}
                    yield Found(FindingCode.COUNTER_SHORTER_THAN_CODE, "counter-shorter", facts, seat.row.id, trace=paced[1])


def guesses_at_a_code(table: Table, seat: Seat, flags: Iterable[str], life_s: int, *, hold: bool = False) -> tuple[int, tuple[str, ...]]:
    """The most entries against one code, in its one run; `hold` waits where the next entry would let a stage fall."""
    board, got = Board(table, flags), 0
    board.moves = [f"flag {flag}" for flag in flags]
    board.stay()
    for _ in range(WAITS_MAX):
        while not _is_over(board, seat) and not (hold and board.next_stages(seat)) and (done := board.rush(seat, MANY)):
            got += done
        at = board.next_change()
        if at is None or at - START >= life_s * SECOND or _is_over(board, seat):
            break
        board.wait_until(at)
    while not _is_over(board, seat) and (done := board.rush(seat, MANY)):
        got += done
    return got, tuple(board.moves)


def _is_over(board: Board, seat: Seat) -> bool:
    """The run the code was sent in has ended, and the code with it."""
    visit = board.visit
    return visit is not None and seat.operation in visit.runs and visit.runs[seat.operation].state != "open"
