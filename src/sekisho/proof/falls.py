"""Where the stages of a policy fall: for each, a position that plain wrong entries lead to."""

from __future__ import annotations

from collections.abc import Sequence

from sekisho.policy.table import Counter, Stage, Table
from sekisho.proof.board import Board
from sekisho.proof.guesses import LASTING, worlds
from sekisho.proof.seats import PERSONAL, Seat, distinct, places, touching


class Falls:
    """The falls of one policy, each played once."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: dict[tuple[str, int], tuple[Board, Seat] | None] = {}

    def at(self, counter: Counter, stage: Stage) -> tuple[Board, Seat] | None:
        """A position in which a stage has just fallen, and the row at which it fell; None: no entries lead there."""
        key = counter.name, stage.wrong
        if key not in self._known:
            self._known[key] = _fall(self._table, counter, stage)
        return self._known[key]


def _fall(table: Table, counter: Counter, stage: Stage) -> tuple[Board, Seat] | None:
    found = distinct(table, touching(table, counter))
    for flags in worlds(seat.row for seat in found):
        board = Board(table, flags, places(counter))
        board.moves = [*(f"flag {flag}" for flag in flags), *(["device"] if board.place else [])]
        if counter.reach not in PERSONAL:
            board.stay()
        fell = _play_to(board, found, counter, stage)
        if fell is not None:
            return board, fell
    return None


def _play_to(board: Board, found: Sequence[Seat], counter: Counter, stage: Stage) -> Seat | None:
    for _ in range(400):
        seat = next((seat for seat in found if board.admits(seat)), None)
        if seat is None:
            at = board.next_change()
            if at is None or board.count(counter).wrong == 0:
                return None
            board.wait_until(at)
            continue
        if _is_another(board, seat, counter) and any(board.right(one) for one in found) and not _is_another(board, seat, counter):
            continue
        room = min((board.room(one) for one in board.lasting(seat)), default=1)
        board.wrong(seat, most=max(1, room - 1))
        if any((lock.counter, lock.wrong) == (counter.name, stage.wrong) for lock in board.fell):
            return seat
    return None


def _is_another(board: Board, seat: Seat, counter: Counter) -> bool:
    """Whether the next entry lets a lock fall for good by another count; a right entry of the customer's may spare him that."""
    falling = [one for one in board.lasting(seat) if board.room(one) <= 1 and one.name != counter.name]
    stages = [stage for stage in board.next_stages(seat) if any(stage in one.stages for one in falling)]
    return any(penalty.kind in LASTING and penalty.for_s is None for stage in stages for penalty in stage.penalties)
