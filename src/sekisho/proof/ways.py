"""Ways out: from every state that a policy can lead to, the way back, how long it takes, and who must help.

A state is a board with locks on it, and what the customer has lost. A way is a row of moves: wait, walk a way back of the
policy, each with what it needs, gives and removes. Two answers are given for each state: at rest, and under attack by a
stranger who knows every number and everything that can be known of a person, locks whatever that lets him lock, and locks it
again after each move.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from sekisho.core import stop, takeover
from sekisho.core.devices import whole_of
from sekisho.core.state import SECOND, Lock
from sekisho.policy.table import Operation, PathCase, ReleasePath, Table
from sekisho.proof.board import START, Board, held
from sekisho.proof.falls import Falls
from sekisho.proof.guesses import LASTING, MANY
from sekisho.proof.seats import Seat, distinct, places, seats, touching
from sekisho.terms import ItemKind, PathKind, Reach

KNOWN = frozenset({ItemKind.IDENTIFIER, ItemKind.DATA, ItemKind.PAIR})
"""Kinds that are the customer's to say, and that nobody can lose."""

SAID = KNOWN | {ItemKind.KNOWLEDGE}
"""Kinds that a stranger is taken to know."""

CONFIRMS = "confirm-address"
"""A code that goes to a new address and confirms it: whoever comes there can answer it."""

SELF, DESK, PAPER, NONE = "self", "desk", "paper", "none"
KINDS = (SELF, DESK, PAPER, NONE)

PATIENCE = 48
"""How often a stranger waits for a timed lock to end, to go on with the next stage."""

STATES_MAX = 60
"""Positions that the search for one way looks at."""

GROUPS_MAX = 24
"""How many groups of troubles are looked at."""

PATIENT_S = 40 * 86_400
"""How long he goes on like that. Seconds."""

WEEK_S = 7 * 86_400

Mark = tuple[object, ...]
"""What makes a lock the same one when it falls again."""


def mark(key: str, lock: Lock) -> Mark:
    """Which lock it is, whenever it fell."""
    return key, lock.kind, tuple(lock.operations), tuple(lock.items), lock.counter or lock.row


def marks(board: Board) -> frozenset[Mark]:
    """The locks that stand on a board."""
    return frozenset(mark(key, lock) for key, lock in board.locks())


class Plan(msgspec.Struct, frozen=True):
    """One way out."""

    path: tuple[str, ...]
    kind: str
    shortest_s: int
    """Begun at the best hour of the week."""
    longest_s: int
    """Begun at the worst."""
    trace: tuple[str, ...] = ()


class State(NamedTuple):
    """Where a customer may stand."""

    name: str
    """The row of the lock, or what is lost."""
    board: Board
    lost: frozenset[str]
    rows: tuple[str, ...]
    """The rows that led here."""
    undo: tuple[str, ...]
    """The ways back that the policy offers here."""
    lasts: bool
    """Time alone does not end it."""
    targets: frozenset[Mark]
    """The locks that must be gone."""


class Answer(NamedTuple):
    """The way out of one state, at rest and under attack; None: there is none."""

    state: State
    at_rest: Plan | None
    under_attack: Plan | None


# The states.


def states(table: Table, falls: Falls | None = None) -> list[State]:
    """Every single lock and every single loss; their combinations are made of these."""
    return [*_locked(table, falls or Falls(table)), *_left_behind(table), *_lost(table)]


def _locked(table: Table, falls: Falls) -> Iterator[State]:
    for counter in table.counters.values():
        for stage in counter.stages if places(counter) < 2 else ():
            if any(penalty.kind in LASTING for penalty in stage.penalties):
                found = falls.at(counter, stage)
                if found is not None:
                    board, seat = found
                    row = seat.row.id if seat.row.id == stage.row or seat.row.id in stage.also else stage.row
                    rows = (row,) if row == seat.row.id else (row, *dict.fromkeys(seat.row.id for seat in touching(table, counter)))
                    lasts = all(penalty.for_s is None for penalty in stage.penalties if penalty.kind in LASTING)
                    targets = frozenset(
                        mark(key, lock) for key, lock in board.locks() if (lock.counter, lock.wrong) == (counter.name, stage.wrong))
                    yield State(row, board, frozenset(), rows, stage.undo, lasts, targets)


def _left_behind(table: Table) -> Iterator[State]:
    for row, gone in table.abolished.items():
        board, reach = Board(table), table.items[gone.item].reach
        found = takeover.legacy(table, row, reach.value)
        if found is not None:
            takeover.set_legacy(held(reach), board.guards[held(reach)], row, found, board.now, board.now)
            board.moves.append(f"lock {row}")
            yield State(row, board, frozenset(), (row,), gone.undo, lasts=True, targets=marks(board))
    board = Board(table)
    key = held(Reach.CUSTOMER)
    stop.stop(key, board.guards[key], None, table, board.now, known=True)
    board.moves.append("stop")
    board.now += 1
    yield State(stop.ROW, board, frozenset(), (stop.ROW,), table.stop_undo, lasts=True, targets=marks(board))
    for operation in table.operations.values():
        if operation.suspends:
            board = Board(table)
            board.run(operation.name, lambda _: True)
            yield State(operation.name, board, frozenset(), (operation.name,), table.suspension_undo, lasts=True, targets=marks(board))


def _lost(table: Table) -> Iterator[State]:
    for name, items in losses(table).items():
        rows = tuple(dict.fromkeys(
            seat.row.id for seat in seats(table)
            if seat.item in items and not seat.about and any(seat.item in step.items for step in table.operations[seat.operation].steps)))
        undo = tuple(path for path, way in table.paths.items() if any(set(case.gives) & items for case in way.cases))
        for flags in _asking(table, items):
            board = Board(table, flags)
            board.moves = [*(f"flag {flag}" for flag in flags), *(f"lose {item}" for item in sorted(items))]
            label = name if not flags else f"{name}, {', '.join(flags)}"
            yield State(label, board, items, rows, undo, lasts=True, targets=marks(board))


def losses(table: Table) -> dict[str, frozenset[str]]:
    """What a customer may lose at once: his mailbox, his token, his app, his password."""
    kinds = {"lost-mailbox": {ItemKind.CODE}, "lost-token": {ItemKind.TOTP}, "forgotten-password": {ItemKind.PASSWORD}}
    found = {
        name: frozenset(item.name for item in table.items.values() if item.kind in wanted and item.purpose != CONFIRMS)
        for name, wanted in kinds.items()
    }
    # A code that only the desk gives is not on its way to a mailbox.
    by_hand = {given for way in table.paths.values() if way.kind is PathKind.DESK for case in way.cases for given in case.gives}
    found["lost-mailbox"] -= by_hand
    found["lost-app"] = frozenset(item.name for item in table.items.values() if item.reach is Reach.APP and item.kind not in KNOWN)
    entered = {item for operation in table.operations.values() for item in operation.rows}
    return {name: items & entered for name, items in found.items() if items & entered}


def _asking(table: Table, items: frozenset[str]) -> list[tuple[str, ...]]:
    """No mark, and each mark of the policy's own under which a step asks for what is lost."""
    asked = {
        condition.flag for operation in table.operations.values() for step in operation.steps if set(step.items) <= items
        for condition in step.when if condition.holds and condition.flag in table.flags
    }
    return [(), *((flag,) for flag in sorted(asked))]


# The stranger.


def strangers_seats(table: Table, flags: Iterable[str] = ()) -> list[Seat]:
    """The rows a stranger comes to without a secret: in operations that need no session, or about the customer from his own."""
    board = Board(table, flags)
    return [
        seat for operation in table.operations.values() for seat in _come_to(board, operation)
        if table.items[seat.item].kind is not ItemKind.IDENTIFIER and table.items[seat.item].reach is not Reach.APP
    ]


def _come_to(board: Board, operation: Operation) -> Iterator[Seat]:
    for step in operation.steps:
        about = any(row.about for item in step.items for row in operation.rows.get(item, ()))
        if step.when and not board.meets(step.when, about=about):
            continue
        passes = False
        for item in step.items:
            for row in operation.rows.get(item, ()):
                if row.about or not operation.session:
                    yield Seat(operation.name, item, row)
                passes = passes or board.table.items[item].kind in SAID or (operation.session and not row.about)
        if not passes:
            return


class Stranger(NamedTuple):
    """What a stranger can do to a customer without a secret."""

    at_once: Board
    """All that falls in one go."""
    renewed: frozenset[Mark]
    """Timed locks that he sets again when they end, as long as he can."""
    board: Board
    """What stands when he has waited for timed locks to end, gone on, and can do no more."""
    takes_s: int
    """How long that takes him. Seconds."""
    renewed_for_ever: frozenset[Mark]
    """Timed locks that nothing keeps him from setting again and again."""
    closed: frozenset[Mark]
    """The locks that stand in the end."""


def _attack(table: Table, flags: frozenset[str]) -> Stranger:
    board = Board(table, flags)
    found = distinct(table, strangers_seats(table, flags))
    _lock_all(board, found)
    at_once, last, now = board.copy(), board.now, _timed(board)
    ever = set(now)
    for _ in range(PATIENCE):
        at = board.next_change()
        if at is None or at - START > PATIENT_S * SECOND:
            now = set()
            break
        before = marks(board)
        board.wait_until(at)
        _lock_all(board, found)
        now = {one for one in _timed(board) if one not in before or _since(board, one) == board.now}
        ever |= now
        last = board.now if now or marks(board) - before else last
    return Stranger(at_once, frozenset(ever), board, (last - START) // SECOND, frozenset(now), marks(board))


def _since(board: Board, one: Mark) -> int:
    return next(lock.since for key, lock in board.locks() if mark(key, lock) == one)


def _lock_all(board: Board, found: Sequence[Seat]) -> None:
    for seat in found:
        while board.lasting(seat) and board.wrong(seat, most=MANY):
            pass


def _timed(board: Board) -> set[Mark]:
    return {mark(key, lock) for key, lock in board.locks() if lock.until is not None}


class Move(NamedTuple):
    """One thing the customer does."""

    name: str
    who: str
    """Who must help."""
    took: int
    """Seconds."""
    board: Board
    """What stands then."""
    had: frozenset[str]
    """What he has then."""


class _Spot(NamedTuple):
    rank: int
    took: int
    number: int
    board: Board
    had: frozenset[str]
    path: tuple[str, ...]


def _renew(board: Board, one: Mark, lock: Lock) -> None:
    """The stranger sets a timed lock again as soon as it ends."""
    key = str(one[0])
    if one not in marks(board) and lock.until is not None:
        board.guards[key].locks.append(msgspec.structs.replace(lock, until=board.now + lock.until - lock.since, since=board.now))


class _Standing:
    """The locks that stand on a board, and which of them close an operation."""

    def __init__(self, table: Table, board: Board) -> None:
        self._table = table
        self._closing: dict[str, frozenset[Mark]] = {}
        self.locks = {mark(key, lock): lock for key, lock in board.locks()}

    def closing(self, name: str) -> frozenset[Mark]:
        """Those that keep somebody from an operation."""
        if name not in self._closing:
            operation = self._table.operations[name]
            self._closing[name] = frozenset(one for one, lock in self.locks.items() if _closes(lock, operation))
        return self._closing[name]


def _closes(lock: Lock, operation: Operation) -> bool:
    return any(
        lock.refuses(operation.name, item) or any(gauge.counter.name == lock.counter for row in rows for gauge in row.gauges)
        for item, rows in operation.rows.items())


class _Closure(NamedTuple):
    """What a way out has to do with."""

    locks: frozenset[Mark]
    operations: frozenset[str]


class Ways:
    """The ways out of one policy's states."""

    def __init__(self, table: Table, falls: Falls | None = None) -> None:
        self.table = table
        self._falls = falls
        self.all = frozenset({*table.items, *table.things})
        self._asking: dict[str, list[Operation]] = {}
        for operation in table.operations.values():
            for item in operation.rows if operation.path is None else ():
                self._asking.setdefault(item, []).append(operation)
        self._giving: dict[str, list[str]] = {}
        for way in table.paths.values():
            for item in dict.fromkeys(item for case in way.cases for item in case.gives):
                self._giving.setdefault(item, []).append(way.name)
        self._gives_back: dict[frozenset[str], frozenset[str]] = {}
        self._strangers: dict[frozenset[str], Stranger] = {}
        self._standing: dict[int, _Standing] = {}
        """By a stranger's board."""
        given = {name for way in table.paths.values() if way.kind is PathKind.DESK for case in way.cases for name in case.gives}
        elsewhere = {name for way in table.paths.values() if way.kind is not PathKind.DESK for case in way.cases for name in case.gives}
        self.by_hand = frozenset(given - elsewhere)
        """What nobody has until the desk gives it to him."""

    def answers(self) -> list[Answer]:
        """For each single state, both answers."""
        return [Answer(state, self.way(state), self.way_under_attack(state)) for state in states(self.table, self._falls)]

    # One state.

    def way(self, state: State) -> Plan | None:
        """The way out at rest that asks the least of others and, of those, the shortest."""
        return self._plan(state, state.board, frozenset())

    def way_under_attack(self, state: State) -> Plan | None:
        """The same while a stranger locks what he can: before he is done with it, or once he can do no more."""
        stranger = self.stranger(state.board.flags)
        early = self._plan(state, self._attacked(state, stranger.at_once), stranger.renewed)
        late = self._plan(state, self._attacked(state, stranger.board), stranger.renewed_for_ever, stranger.takes_s)
        return min((plan for plan in (early, late) if plan is not None), key=lambda plan: (KINDS.index(plan.kind), plan.shortest_s), default=None)

    def _attacked(self, state: State, done: Board) -> Board:
        """A state with what a stranger has done that is in its way; all the rest of his locks would only be carried along."""
        return merged(self.table, [state.board, self._near(state, done)])

    def _near(self, state: State, done: Board) -> Board:
        standing = self._standing.setdefault(id(done), _Standing(self.table, done))
        found = self._closure([_Standing(self.table, state.board), standing], self.by_hand | state.lost, state.targets, removing=True)
        near = Board(self.table, done.flags)
        near.now = done.now
        counts = {gauge.counter.name for name in found.operations for rows in self.table.operations[name].rows.values()
                  for row in rows for gauge in row.gauges}
        for one in found.locks & standing.locks.keys():
            lock = standing.locks[one]
            near.guards[str(one[0])].locks.append(lock)
            counts.add(whole_of(lock.counter or ""))
        for name in counts & self.table.counters.keys():
            for counter in (self.table.counters[name], *self.table.counters[name].shares):
                for key, guard in done.guards.items():
                    if counter.name in guard.counts:
                        near.guards[key].counts[counter.name] = guard.counts[counter.name]
        return near

    def _plan(self, state: State, board: Board, renewed: frozenset[Mark], waited_s: int = 0) -> Plan | None:
        start = board.copy()
        start.moves = list(state.board.moves)
        if board is not state.board:
            start.moves.append(f"attack {waited_s}")
        start.moves.append("out")
        found = self._shortest(start, self.all - self.by_hand - state.lost, state.targets, renewed)
        if found is None:
            return None
        rank, took, path, moves = found
        if waited_s:
            path = (f"wait {waited_s}", *path)
        return Plan(path, KINDS[rank], waited_s + took, self.longest(path, waited_s + took), moves)

    def _shortest(
        self, board: Board, had: frozenset[str], targets: frozenset[Mark], renewed: frozenset[Mark],
    ) -> tuple[int, int, tuple[str, ...], tuple[str, ...]] | None:
        heap: list[_Spot] = [_Spot(0, 0, 0, board, had, ())]
        seen: set[object] = set()
        numbers = itertools.count(1)
        while heap and len(seen) < STATES_MAX:
            spot = heapq.heappop(heap)
            if self.is_out(spot.board, spot.had, targets):
                return spot.rank, spot.took, spot.path, tuple(spot.board.moves)
            key = (spot.board.key(), spot.had)
            if key in seen:
                continue
            seen.add(key)
            for move in self.moves(spot.board, spot.had, self.in_the_way(spot.board, spot.had, targets), renewed):
                rank = max(spot.rank, KINDS.index(move.who))
                heapq.heappush(heap, _Spot(rank, spot.took + move.took, next(numbers), move.board, move.had, (*spot.path, move.name)))
        return None

    def in_the_way(self, board: Board, had: frozenset[str], targets: frozenset[Mark]) -> frozenset[Mark]:
        """The locks that matter: those to be got rid of, and those that close a way back to that."""
        return self._closure([_Standing(self.table, board)], self.all - had, targets).locks

    def _closure(
        self, boards: Sequence[_Standing], missing: frozenset[str], targets: frozenset[Mark], *, removing: bool = False,
    ) -> _Closure:
        """What has to do with getting rid of locks and getting what is missing; `removing`: and what the ways back to that take away."""
        found = frozenset(one for one in targets if any(one in board.locks for board in boards))
        while True:
            ways = self._ways_back(found, boards, missing)
            operations = {way.operation for way in ways if way.operation in self.table.operations}
            if any(self.table.operations[name].session for name in operations):
                operations |= {operation.name for operation in self.table.operations.values() if operation.gives_session}
            more = found.union(*(one.closing(name) for one in boards for name in operations))
            gone = missing.union(*(case.removes for way in ways for case in way.cases)) if removing else missing
            if (more, gone) == (found, missing):
                return _Closure(found, frozenset(operations))
            found, missing = more, gone

    def _ways_back(self, found: Iterable[Mark], boards: Sequence[_Standing], missing: frozenset[str]) -> list[ReleasePath]:
        named = set(self._giving_any(missing))
        named.update(name for one in found for board in boards if one in board.locks for name in board.locks[one].undo)
        ways = [self.table.paths[name] for name in named if name in self.table.paths]
        return [*ways, *(self.table.paths[name] for way in ways for name in way.around if name in self.table.paths)]

    def _giving_any(self, missing: frozenset[str]) -> frozenset[str]:
        if missing not in self._gives_back:
            self._gives_back[missing] = frozenset(name for item in missing for name in self._giving.get(item, ()))
        return self._gives_back[missing]

    def is_out(self, board: Board, had: frozenset[str], targets: frozenset[Mark]) -> bool:
        """None of the locks stands any more, and whatever the customer could do before he has the means for again."""
        if targets & marks(board):
            return False
        return self._has_all_means(board, had)

    def _has_all_means(self, board: Board, had: frozenset[str]) -> bool:
        asking = {operation.name: operation for item in self.all - had for operation in self._asking.get(item, ())}
        return all(self._has_means(operation, board, had) for operation in asking.values())

    def _has_means(self, operation: Operation, board: Board, had: frozenset[str]) -> bool:
        for step in operation.steps:
            if board.meets(step.when) and not any(self.enters(item, had) for item in step.items):
                return not any(self.enters(item, self.all) for item in step.items)
        return True

    def enters(self, item: str, had: frozenset[str]) -> bool:
        """Whether the customer can enter an item with what he has."""
        found = self.table.items[item]
        return item in had or found.kind in KNOWN or found.purpose == CONFIRMS

    # Moves.

    def moves(
        self, board: Board, had: frozenset[str], matter: frozenset[Mark] | None = None, renewed: frozenset[Mark] = frozenset(),
    ) -> Iterator[Move]:
        """Everything the customer can do now about the locks that matter; nobody waits for a lock that is renewed."""
        locks = {mark(key, lock): lock for key, lock in board.locks() if matter is None or mark(key, lock) in matter}
        ends = [lock.until for one, lock in locks.items() if lock.until is not None and one not in renewed]
        if ends:
            after, length = board.copy(), (min(ends) - board.now) // SECOND
            after.wait_until(min(ends))
            for one, lock in locks.items():
                if one in renewed and lock.until is not None:
                    _renew(after, one, lock)
            yield Move(f"wait {length}", SELF, length, after, had)
        missing = self.all - had
        named = dict.fromkeys(path for lock in locks.values() for path in lock.undo)
        named.update(dict.fromkeys(
            name for name, way in self.table.paths.items() if missing and any(missing & set(case.gives) for case in way.cases)))
        for name in named:
            walked = self.walk(name, board, had) if name in self.table.paths else None
            if walked is not None:
                yield walked

    def walk(self, name: str, board: Board, had: frozenset[str]) -> Move | None:
        """One way back, if it can be walked."""
        way = self.table.paths[name]
        if way.kind is PathKind.NONE:
            return self._around(way, board, had)
        case = self.case(way, board)
        has_all = all(any(need in had or self._free(need) for need in needs) for needs in case.needs)
        if way.kind in {PathKind.WAIT, PathKind.START_OVER} or not has_all:
            return None
        after = board.copy()
        if way.kind is PathKind.PROCEDURE:
            if not self._run(after, way.operation or "", had | set(case.gives), had):
                return None
        else:
            after.lift(name)
        has = (had - set(case.removes)) | set(case.gives)
        who = {PathKind.DESK: DESK, PathKind.FORM: PAPER}.get(way.kind, SELF)
        return Move(name, who, way.takes_s, after, has)

    def _free(self, need: str) -> bool:
        item = self.table.items.get(need)
        return item is not None and item.kind in KNOWN

    def _around(self, way: ReleasePath, board: Board, had: frozenset[str]) -> Move | None:
        """The lock stays; whoever can walk a way round it is out nevertheless."""
        for name in way.around:
            walked = self.walk(name, board, had)
            if walked is not None:
                walked.board.lift(way.name)
                return walked
        return None

    def case(self, way: ReleasePath, board: Board) -> PathCase:
        """What a way back needs now."""
        return next((case for case in way.cases if board.meets(case.when)), PathCase())

    def _run(self, board: Board, operation: str, may_enter: frozenset[str], had: frozenset[str]) -> bool:
        found = self.table.operations.get(operation)
        if found is None or (found.session and not self._log_in(board, had)):
            return False
        return board.run(operation, lambda item: self.enters(item, may_enter))

    def _log_in(self, board: Board, had: frozenset[str]) -> bool:
        return any(
            board.copy().run(operation.name, lambda item: self.enters(item, had))
            for operation in self.table.operations.values() if operation.gives_session)

    # Under attack.

    def stranger(self, flags: frozenset[str]) -> Stranger:
        """What a stranger can do to a customer with these marks."""
        if flags not in self._strangers:
            self._strangers[flags] = _attack(self.table, flags)
        return self._strangers[flags]

    # Time.

    def longest(self, path: Sequence[str], took: int) -> int:
        """How long the moves take when they are begun at the worst hour of the week."""
        ways = [self.table.paths.get(name) for name in path]
        if not any(way is not None and way.opens_s for way in ways):
            return took
        closes = [day * 86_400 + way.opens_s[1] for way in ways if way is not None and way.opens_s for day in range(7)]
        return max(self.lasts(path, begun) for begun in closes)

    def lasts(self, path: Sequence[str], begun: int) -> int:
        """How long the moves take, in seconds, when they are begun at some second of the week; 0 is Monday, midnight."""
        now = begun
        for name in path:
            way = self.table.paths.get(name)
            if way is None:
                now += int(name.partition(" ")[2] or 0)
            else:
                now = opens_next(way, now) + way.takes_s
        return now - begun

    # Combinations.

    def stuck(self, found: Sequence[State]) -> list[tuple[State, ...]]:
        """The smallest sets of troubles that together have no way out.

        Whoever gets out of all troubles at once gets out of fewer by the same moves, so all at once is looked at first.
        """
        stuck: list[tuple[State, ...]] = []
        todo = [tuple(found)]
        seen: set[frozenset[int]] = set()
        while todo and len(seen) < GROUPS_MAX:
            group = todo.pop()
            name = frozenset(map(id, group))
            if name in seen or not (left := self.left(group)):
                continue
            seen.add(name)
            least = self._least(left[0], group)
            if frozenset(map(id, least)) not in {frozenset(map(id, one)) for one in stuck}:
                stuck.append(least)
            todo += [tuple(state for state in group if state is not one) for one in least]
        return stuck

    def _least(self, target: State, group: Sequence[State]) -> tuple[State, ...]:
        """The fewest with which a trouble has no way out; of those that are stuck among them, the one that needs fewest."""
        least = (target, *self._fewest(target, [state for state in group if state is not target]))
        for other in self.left(least):
            if other is not target:
                fewer = (other, *self._fewest(other, [state for state in least if state is not other]))
                least = min(least, fewer, key=len)
        return least

    def _fewest(self, target: State, others: list[State]) -> tuple[State, ...]:
        size = max(1, len(others) // 2)
        while others:
            for start in range(0, len(others), size):
                fewer = others[:start] + others[start + size:]
                if any(one is target for one in self.left([target, *fewer])):
                    others = fewer
                    break
            else:
                if size == 1:
                    break
                size = max(1, size // 2)
            size = min(size, max(1, len(others)))
        return tuple(others)

    def left(self, found: Sequence[State]) -> list[State]:
        """Those of several troubles at once that no row of moves ends."""
        board = merged(self.table, [state.board for state in found])
        had = self.all - self.by_hand - frozenset().union(*(state.lost for state in found))
        board, had = self._close(board, had, 3)
        standing, has_means = marks(board), self._has_all_means(board, had)
        return [state for state in found if not (has_means if state.lost else state.targets.isdisjoint(standing))]

    def _close(self, board: Board, had: frozenset[str], tries: int) -> tuple[Board, frozenset[str]]:
        """All moves that take nothing away, for as long as one helps; then one that does, and again."""
        while True:
            step = next((move for move in self.moves(board, had) if move.had >= had and self._helps(board, had, move)), None)
            if step is None:
                break
            board, had = step.board, step.had
        if tries:
            for move in self.moves(board, had):
                if not move.had >= had:
                    tried = self._close(move.board, move.had, tries - 1)
                    if self._worth(*tried) > self._worth(board, had):
                        return tried
        return board, had

    @staticmethod
    def _worth(board: Board, had: frozenset[str]) -> tuple[int, int]:
        return -sum(1 for _ in board.locks()), len(had)

    def _helps(self, board: Board, had: frozenset[str], move: Move) -> bool:
        return self._worth(move.board, move.had) > self._worth(board, had)


def opens_next(way: ReleasePath, second: int) -> int:
    """The first second of the week, from a given one on, at which a way back may be carried out."""
    if way.opens_s is None:
        return second
    opens, closes = way.opens_s
    for day in range(second // 86_400, second // 86_400 + 8):
        if way.every == "weekday" and day % 7 > 4:
            continue
        if second < day * 86_400 + closes:
            return max(second, day * 86_400 + opens)
    return second + WEEK_S


def merged(table: Table, boards: Iterable[Board]) -> Board:
    """All troubles on one customer."""
    whole = Board(table)
    flags: set[str] = set()
    for board in boards:
        flags |= board.flags
        for key, guard in board.guards.items():
            into, standing = whole.guards[key], {mark(key, lock) for lock in whole.guards[key].locks}
            for name, count in guard.counts.items():
                if name not in into.counts or into.counts[name].wrong < count.wrong:
                    into.counts[name] = count
            for lock in guard.locks:
                if mark(key, lock) not in standing:
                    into.locks.append(_from_now(lock, board.now - whole.now))
    whole.guards[held(Reach.CUSTOMER)].flags = sorted(flags)
    return whole.copy()


def _from_now(lock: Lock, later: int) -> Lock:
    return lock if lock.until is None else msgspec.structs.replace(lock, until=lock.until - later)


__all__ = ["Answer", "Plan", "State", "Ways", "losses", "mark", "marks", "merged", "opens_next", "states", "strangers_seats"]
