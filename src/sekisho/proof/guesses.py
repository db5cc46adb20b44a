"""The guess bound: the most guesses at an item that a policy gives away in a given time, over every operation that tests it.

Two attackers. The *free* one may do anything in any order, begins runs and sessions as he likes, and has all that a run
asks for except the item he guesses at. The *waiting* one has, besides, a customer who enters the right one everywhere
once a day, first just after the attacker has begun.

The bound comes from both sides. From above: each counter alone gives so many guesses in the time (found by playing that
counter alone), and the counters that together cover every row give no more than their sum. From below: an attacker is
played on the whole policy. Where the two meet, the figure is exact; where they do not, every order of moves is tried as
long as that is not too much, and otherwise the figure from above is told.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from sekisho.core import budget
from sekisho.core.state import SECOND
from sekisho.policy.table import Counter, Row, Table
from sekisho.proof.board import START, Board
from sekisho.proof.seats import Seat, distinct, seats, touching
from sekisho.terms import Counting, ItemKind, PathKind, PenaltyKind

DAY_S = 86_400
YEAR_S = 365 * DAY_S

PUBLIC = frozenset({ItemKind.IDENTIFIER, ItemKind.DATA})
"""Kinds at which nothing can be guessed."""
ELSEWHERE = frozenset({ItemKind.DEVICE_BIOMETRIC, ItemKind.PASSKEY})
"""Kinds that nobody can find by trying here."""

MANY = 1 << 40
"""More guesses than anybody makes."""

STEPS_MAX = 4_000
"""Moves that a search through every order may take."""

SLICES_HELD = 33
"""A wrong entry occupies its window for the slice it was made in and the thirty-two after it."""

UNBOUNDED = "unbounded"


class Bound(msgspec.Struct, frozen=True):
    """The most guesses at one item."""

    item: str
    attacker: str
    per_day: int | None
    """None: unbounded."""
    per_year: int | None
    per_release: int
    """How many more each release by the bank or the customer gives."""
    exact: bool
    """An attacker was played who gets as many; else nobody gets more."""
    flags: tuple[str, ...] = ()
    """The marks on the customer with which it is reached."""
    trace: tuple[str, ...] = ()
    """How it is reached in a year."""


def guessed(table: Table) -> list[str]:
    """The items of a policy that somebody could guess."""
    entered = {item for operation in table.operations.values() for item in operation.rows}
    return [name for name, item in table.items.items() if name in entered and item.kind not in PUBLIC | ELSEWHERE]


def bounds(table: Table) -> Iterator[Bound]:
    """The bound of every item, for both attackers."""
    for item in guessed(table):
        free = _games(table, item)
        yield _bound(free)
        yield _bound([game.waited_for() for game in free])


def bound(table: Table, item: str, *, waiting: bool) -> Bound:
    """The bound of one item, the worst over the marks a customer may carry."""
    return _bound([game.waited_for() if waiting else game for game in _games(table, item)])


def _games(table: Table, item: str) -> list[_Game]:
    return [_Game(table, item, flags) for flags in worlds(seat.row for seat in seats(table, item))]


def _bound(games: Sequence[_Game]) -> Bound:
    game, year = _worst(games, YEAR_S)
    _, day = _worst(games, DAY_S)
    return Bound(
        game.item, "waiting" if game.waiting else "free", day.guesses, year.guesses, max(one.per_release() for one in games),
        exact=day.exact and year.exact, flags=game.flags, trace=year.trace)


def most_within(table: Table, item: str, seconds: int, *, waiting: bool) -> Most:
    """The most guesses at an item in a time, the worst over the marks a customer may carry."""
    return _worst([game.waited_for() if waiting else game for game in _games(table, item)], seconds)[1]


def _worst(games: Sequence[_Game], seconds: int) -> tuple[_Game, Most]:
    """The marks with which most is given away. Marks with which no more can be given away than with others are not played."""
    order = sorted(games, key=lambda game: -_size(game.above(seconds)))
    worst = order[0], order[0].most(seconds)
    for game in order[1:]:
        if _size(game.above(seconds)) > _size(worst[1].guesses):
            worst = max(worst, (game, game.most(seconds)), key=lambda one: _size(one[1].guesses))
    return worst


def _size(guesses: int | None) -> int:
    return MANY if guesses is None else guesses


def worlds(rows: Iterable[Row]) -> list[tuple[str, ...]]:
    """The marks a customer may carry, as far as these rows ask for them."""
    asked = sorted({condition.flag for row in rows for condition in row.when})
    if len(asked) > 4:
        return [(), *((flag,) for flag in asked), tuple(asked)]
    return [flags for number in range(len(asked) + 1) for flags in itertools.combinations(asked, number)]


class Most(msgspec.Struct, frozen=True):
    """The most guesses in a time."""

    guesses: int | None
    exact: bool
    trace: tuple[str, ...] = ()


class _Game:
    """One item, one set of marks, and the free attacker until `waited_for` makes it the waiting one."""

    waiting = False

    def __init__(self, table: Table, item: str, flags: Sequence[str], alone: Mapping[str, _Alone] | None = None) -> None:
        self.table = table
        self.item = item
        self.flags = tuple(flags)
        start = Board(table, flags)
        self.seats = [seat for seat in distinct(table, seats(table, item)) if start.admits(seat)]
        self.classes: dict[frozenset[str], list[Seat]] = {}
        self.counters: dict[str, Counter] = {}
        for seat in self.seats:
            lasting = start.lasting(seat)
            self.counters.update((counter.name, counter) for counter in lasting)
            self.classes.setdefault(frozenset(counter.name for counter in lasting), []).append(seat)
        self._alone = alone or {name: _Alone(table, item, flags, counter) for name, counter in self.counters.items()}
        """What a counter gives alone does not depend on the others, nor on who attacks."""

    def waited_for(self) -> _Game:
        """The same for the attacker who waits for the customer's own right entries."""
        other = copy.copy(self)
        other.waiting = True
        return other

    def others(self) -> list[Seat]:
        """Rows of other items that share a count: a lock that falls there may end sooner than the item's own."""
        sharing = [seat for counter in self.counters.values() for seat in touching(self.table, counter) if seat.item != self.item]
        return distinct(self.table, list(dict.fromkeys(sharing)))

    def _without(self, idle: Collection[str]) -> _Game:
        """The same without counts that no guesses at the item fill in the time."""
        left = {name: alone for name, alone in self._alone.items() if name not in idle}
        game = _Game(_less(self.table, self.item, idle), self.item, self.flags, left)
        return game.waited_for() if self.waiting else game

    def successes(self, seconds: int) -> int:
        """How often the customer enters the right one in the time."""
        return -(-seconds // DAY_S) if self.waiting else 0

    def most(self, seconds: int) -> Most:
        """The most guesses in the time."""
        if not self.seats:
            return Most(0, exact=True)
        if frozenset() in self.classes:
            return Most(None, exact=True, trace=(*self._marks(), f"wrong {self.item} in {self.classes[frozenset()][0].operation} x1000000"))
        above = self.above(seconds)
        if above is None:
            return Most(None, exact=True, trace=self._marks())
        idle = {name for name, counter in self.counters.items() if self._least(seconds, without=name) < counter.stages[0].wrong}
        if idle:
            return self._without(idle).most(seconds)
        found, trace = 0, tuple[str, ...]()
        for order, hold in self._plans():
            player = _Player(self, seconds, order, hold=hold)
            got = player.play(enough=above)
            if got > found:
                found, trace = got, tuple(player.board.moves)
            if found >= above:
                return Most(found, exact=True, trace=(*self._marks(), *trace))
        exact = self._every_order(seconds)
        return Most(above if exact is None else exact, exact=exact is not None, trace=(*self._marks(), *trace))

    def _marks(self) -> tuple[str, ...]:
        return tuple(f"flag {flag}" for flag in self.flags)

    def _plans(self) -> Iterator[tuple[list[list[Seat]], bool]]:
        groups = sorted(self.classes.values(), key=lambda group: -max(self._alone_room(seat) for seat in group))
        for order in itertools.islice(itertools.permutations(groups), 24):
            for hold in (self.waiting, not self.waiting):
                yield list(order), hold

    def _alone_room(self, seat: Seat) -> int:
        """How much a row gives by itself: those whose locks end by time are worth most while the others are spared."""
        return min(_size(self._alone[name].within(DAY_S)) for name in self._names(seat))

    def _names(self, seat: Seat) -> frozenset[str]:
        return next(names for names, group in self.classes.items() if seat in group)

    def above(self, seconds: int) -> int | None:
        """No attacker gets more; None: nothing here says so."""
        if not self.seats:
            return 0
        if frozenset() in self.classes:
            return None
        least = self._least(seconds)
        return None if least >= MANY else least

    def _least(self, seconds: int, without: str = "") -> int:
        """The least sum of what counters give that together cover every row."""
        figures: dict[str, int] = {}
        for name, alone in self._alone.items():
            if name != without:
                free = alone.within(seconds)
                figures[name] = MANY if free is None else free + self.successes(seconds) * alone.cleared
        covers = [cover for number in range(1, len(figures) + 1) for cover in itertools.combinations(figures, number)
                  if all(names & set(cover) for names in self.classes)] if len(figures) <= 10 else []
        return min((sum(figures[name] for name in cover) for cover in covers), default=MANY if without else sum(figures.values()))

    def per_release(self) -> int:
        """What one more release gives: at most what stood on the count it zeroes."""
        return max((alone.end for alone in self._alone.values()), default=0)

    def _every_order(self, seconds: int) -> int | None:
        search = _Search(self.seats, self.others(), self.successes(seconds), seconds)
        return search.most(Board(self.table, self.flags))


class _Alone:
    """One counter alone: what it gives when no other counter is touched."""

    def __init__(self, table: Table, item: str, flags: Sequence[str], counter: Counter) -> None:
        self.counter = counter
        self.cleared = 0
        """The most that one right entry takes back."""
        self.end = 0
        """The most in one go, waiting for nothing but what does not zero it."""
        self.reached: list[tuple[int, int]] = []
        """(guesses, microseconds after the first) on the way to the end."""
        self.again: list[tuple[int, int]] = []
        """(guesses, microseconds) after which it begins anew."""
        self.slides = False
        name = counter.base or counter.name
        here = distinct(table, [seat for seat in seats(table, item) if any(gauge.counter.name == name for gauge in seat.row.gauges)])
        reduced = _only(table, item, counter, {seat.operation for seat in here})
        alone = [Seat(name, item, row) for name in dict.fromkeys(seat.operation for seat in here) for row in reduced.operations[name].rows[item]]
        self._play(Board(reduced, flags), item, [seat for seat in alone if seat.row.gauges])

    def _play(self, board: Board, item: str, found: list[Seat]) -> None:
        while True:
            if board.count(self.counter).wrong > self.cleared and self.counter.counting is Counting.IN_A_ROW:
                self._try_right(board, found)
            done = next((got for seat in found if (got := self._go(board, seat))), 0)
            if done:
                self.end += done
                self.reached.append((self.end, board.now - START))
                self._note_zero(board)
            elif not self._wait(board, found):
                break
        self._note_ways(board, item)

    def _go(self, board: Board, seat: Seat) -> int:
        """To the entry before the next stage, or the one at which it falls."""
        room = board.room(self.counter)
        return board.wrong(seat, most=room - 1 if room > 1 else 1)

    def _try_right(self, board: Board, found: list[Seat]) -> None:
        stood = board.count(self.counter).wrong
        if any(board.copy().right(seat) for seat in found):
            self.cleared = stood

    def _note_zero(self, board: Board) -> None:
        zero_at = board.count(self.counter).zero_at
        if zero_at is not None:
            self.again.append((self.end, zero_at - START))

    def _wait(self, board: Board, found: list[Seat]) -> bool:
        """Whether waiting, for anything but the end of the count itself, lets the count go on."""
        while (at := board.next_change()) is not None and at - START < 2 * YEAR_S * SECOND:
            stood = board.count(self.counter).wrong
            board.wait_until(at)
            if board.count(self.counter).wrong < stood:
                self.slides = self.counter.counting is Counting.WITHIN and any(board.admits(seat) for seat in found)
                return False
            if any(board.admits(seat) for seat in found):
                return True
        return False

    def _note_ways(self, board: Board, item: str) -> None:
        """Ways back that somebody walks who has everything but the item, and that do not give him the item."""
        for name in {path for _, lock in board.locks() for path in lock.undo}:
            way = board.table.paths.get(name)
            if way is not None and way.kind is PathKind.PROCEDURE and way.operation and not touches(board.table, name, item):
                trial = board.copy()
                if trial.run(way.operation, lambda _: True) and trial.count(self.counter).wrong < board.count(self.counter).wrong:
                    self.again.append((self.end, board.now - START + way.takes_s * SECOND))

    def within(self, seconds: int) -> int | None:
        """The most in a time; None: no end."""
        length = seconds * SECOND
        if any(period <= 0 for _, period in self.again):
            return None
        most = self._until(length)
        if self.slides:
            width = max(1, (self.counter.window_s or 0) * SECOND // (SLICES_HELD - 1))
            most = max(most, self.end * math.ceil((math.ceil(length / width) + 1) / SLICES_HELD))
        ways = [(got, period) for got, period in self.again if not any(g >= got and p < period for g, p in self.again)]
        if len(ways) > 1:
            rate = max(got / period for got, period in ways)
            return max(most, math.ceil(rate * length)) + self.end
        for got, period in ways:
            times = -(-length // period) - 1
            last = range(max(0, times - 200), times + 1) if times < MANY else range(0)
            most = max([most, *(n * got + self._until(length - n * period) for n in last)])
        return most

    def _until(self, length: int) -> int:
        return max((got for got, at in self.reached if at < length), default=0)


def _less(table: Table, item: str, idle: Collection[str]) -> Table:
    """The same policy without counts that no guesses at the item fill in the time."""
    operations = dict(table.operations)
    for name in dict.fromkeys(seat.operation for seat in seats(table, item)):
        rows = dict(table.operations[name].rows)
        rows[item] = tuple(
            msgspec.structs.replace(row, gauges=tuple(gauge for gauge in row.gauges if gauge.counter.name not in idle)) for row in rows[item])
        operations[name] = msgspec.structs.replace(operations[name], rows=rows)
    return msgspec.structs.replace(table, operations=operations)


def touches(table: Table, path: str, item: str) -> bool:
    """Whether a way back asks for an item, or gives it."""
    way = table.paths[path]
    operation = table.operations.get(way.operation or "")
    entered = set(operation.rows) if operation is not None else set()
    given = {name for case in way.cases for name in (*case.gives, *(need for needs in case.needs for need in needs))}
    renewed = {table.items[name].renews for name in entered if name in table.items}
    return item in entered | given | renewed


def _only(table: Table, item: str, counter: Counter, where: Iterable[str]) -> Table:
    """The same policy, in which the rows of one item touch one counter and no other."""
    operations = dict(table.operations)
    for name in where:
        rows = dict(table.operations[name].rows)
        rows[item] = tuple(
            msgspec.structs.replace(row, gauges=tuple(gauge for gauge in row.gauges if gauge.counter.name == counter.name))
            for row in rows.get(item, ()))
        operations[name] = msgspec.structs.replace(operations[name], rows=rows)
    return msgspec.structs.replace(table, operations=operations)


LASTING = frozenset(PenaltyKind) - {PenaltyKind.VOID, PenaltyKind.END_SESSION, PenaltyKind.START_OVER}


class _Player:
    """An attacker who goes by a plan: rows in an order, and whether what closes something for good is kept for the end."""

    def __init__(self, game: _Game, seconds: int, order: list[list[Seat]], *, hold: bool) -> None:
        self.board = Board(game.table, game.flags)
        self.order = order
        self.hold = hold
        self.seats = game.seats
        self.end = START + seconds * SECOND
        self.success_at = [START + number * DAY_S * SECOND for number in range(game.successes(seconds))]
        self.got = 0
        self.fuel = {name: counter for name, counter in game.counters.items() if _only_grows(counter, seconds)}
        """Counts that nothing lowers within the time."""
        self._seen: dict[object, tuple[int, int, list[int], int]] = {}

    def play(self, enough: int) -> int:
        """How many guesses he gets; he stops when he has enough."""
        while self.got < enough:
            before, entered = self.got, False
            if self.success_at and self.success_at[0] <= self.board.now:
                entered = self._before_success()
                self.success_at.pop(0)
            self._spend(hold=self.hold)
            if self.got == before and (self._is_over(entered=entered) or self._has_enough_left(enough)):
                break
            self._leap()
            at = min(filter(None, (self.board.next_change(), self.success_at[0] if self.success_at else None)), default=None)
            if at is None or at >= self.end:
                break
            self.board.wait_until(at)
        self._spend(hold=False)
        return self.got

    def _is_over(self, *, entered: bool) -> bool:
        """Whether nothing is left to guess at and neither time nor the customer changes that."""
        at = self.board.next_change()
        return not entered and (at is None or at >= self.end) and not any(self.board.admits(seat) for seat in self.seats)

    def _has_enough_left(self, enough: int) -> bool:
        """Whether what was kept for the end makes enough, so that nothing is left to wait for."""
        board, got = self.board, self.got
        self.board = board.copy()
        self._spend(hold=False)
        self.board, self.got, found = board, got, self.got
        return found >= enough

    def _spend(self, *, hold: bool) -> None:
        for group in self.order:
            while (done := next((got for seat in group if (got := self._go(seat, hold=hold))), 0)):
                self.got += done

    def _go(self, seat: Seat, *, hold: bool) -> int:
        if not self.board.admits(seat):
            return 0
        room = min((self.board.room(counter) for counter in self.board.lasting(seat)), default=0)
        if room > 1:
            return self.board.wrong(seat, most=room - 1)
        if hold and any(_closes_for_good(stage.penalties) for stage in self.board.next_stages(seat)):
            return 0
        return self.board.wrong(seat)

    def _before_success(self) -> bool:
        """As many as leave the customer able to enter the right one, and then he does. Whether he could."""
        for group in self.order:
            for seat in group:
                while self._go_unless_shut(seat):
                    pass
        return sum(self.board.right(seat) for seat in self.seats) > 0

    def _go_unless_shut(self, seat: Seat) -> bool:
        open_now = [one for one in self.seats if self.board.admits(one)]
        room = min((self.board.room(counter) for counter in self.board.lasting(seat)), default=0)
        if seat not in open_now:
            return False
        if room > 1:
            self.got += self.board.wrong(seat, most=room - 1)
            return True
        trial = self.board.copy()
        trial.wrong(seat)
        if not all(trial.admits(one) for one in open_now):
            return False
        self.got += self.board.wrong(seat)
        return True

    def _leap(self) -> None:
        """Where the position comes back, the same is done again and again: as often as time and the counts that only grow allow."""
        due = self.success_at[0] - self.board.now if self.success_at else None
        filled = {name: self.board.count(counter) for name, counter in self.fuel.items()}
        key = (self.board.key(self.fuel), due, tuple(count.fired for count in filled.values()))
        before = self._seen.get(key)
        self._seen[key] = (self.board.now, self.got, [count.wrong for count in filled.values()], len(self.board.moves))
        if before is None or before[0] == self.board.now:
            return
        period, gain = self.board.now - before[0], self.got - before[1]
        burnt = [count.wrong - wrong for count, wrong in zip(filled.values(), before[2], strict=True)]
        left = [(self.board.room(counter) - 1) // used for counter, used in zip(self.fuel.values(), burnt, strict=True) if used]
        times = min([(self.end - self.board.now - 1) // period, *left]) - 1
        if times > 0 and gain:
            for counter, used in zip(self.fuel.values(), burnt, strict=True):
                if used:
                    budget.add(self.board.count(counter), counter, self.seats[0].item, times * used, self.board.now)
            self._shift(times * period)
            self.got += times * gain
            self.board.moves.append(f"again x{times} last {len(self.board.moves) - before[3]}")

    def _shift(self, by: int) -> None:
        """Move the end nearer instead of the position further."""
        self.end -= by
        if self.success_at:
            per = DAY_S * SECOND
            self.success_at = self.success_at[: max(0, len(self.success_at) - by // per)]


def _only_grows(counter: Counter, seconds: int) -> bool:
    """Whether neither time nor a right entry takes anything from a count within the time."""
    timed = any(penalty.for_s is not None and stage.after_lock == "zero" for stage in counter.stages for penalty in stage.penalties)
    forgets = counter.counting is Counting.IN_A_ROW or (counter.counting is Counting.WITHIN and (counter.window_s or 0) < seconds)
    return not timed and not forgets


def _closes_for_good(penalties: Iterable[object]) -> bool:
    return any(penalty.kind in LASTING and penalty.for_s is None for penalty in penalties)  # type: ignore[attr-defined]


class _Search:
    """Every order of moves: wrong entries of the item, and of others that share its counts; waiting; the customer's own right entries."""

    def __init__(self, found: Sequence[Seat], others: Sequence[Seat], successes: int, seconds: int) -> None:
        self.seats = found
        self.others = others
        self.successes = successes
        self.end = START + seconds * SECOND
        self.steps = 0
        self._known: dict[object, int] = {}

    def most(self, board: Board) -> int | None:
        """The most guesses, or None where there are too many orders to try."""
        try:
            return self._most(board, 0)
        except (OverflowError, RecursionError):
            return None

    def _most(self, board: Board, entered: int) -> int:
        key = (board.key(), board.now, entered)
        known = self._known.get(key)
        if known is not None:
            return known
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise OverflowError
        due = START + entered * DAY_S * SECOND if entered < self.successes else None
        found = [*self._guesses(board, entered)]
        if due is not None and due <= board.now:
            after = board.copy()
            for seat in self.seats:
                after.right(seat)
            found.append(self._most(after, entered + 1))
        else:
            at = min(filter(None, (board.next_change(), due)), default=None)
            if at is not None and at < self.end:
                after = board.copy()
                after.wait_until(at)
                found.append(self._most(after, entered))
        self._known[key] = max(found, default=0)
        return self._known[key]

    def _guesses(self, board: Board, entered: int) -> Iterator[int]:
        for seat in self.seats:
            after = board.copy()
            if after.wrong(seat):
                yield 1 + self._most(after, entered)
        for seat in self.others:
            after = board.copy()
            if after.wrong(seat):
                yield self._most(after, entered)
