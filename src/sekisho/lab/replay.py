"""The trace of a finding played against the engine, step by step, and whether the finding holds there."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from sekisho.core.state import SECOND, Guard, Lock
from sekisho.lab.bank import Bank, Customer, Put, Visitor
from sekisho.lab.trace import Move, Played, written_out
from sekisho.policy.table import PathCase, ReleasePath, Row, Table
from sekisho.proof.board import START, Board
from sekisho.proof.guesses import LASTING
from sekisho.proof.seats import Seat, distinct
from sekisho.proof.ways import DESK, KNOWN, PAPER, SELF, Mark, Ways, mark, strangers_seats
from sekisho.terms import Outcome, PathKind, State, Verdict

HOME = "home"
"""The device from which a trace's customer is known, where it says so."""

GUESSES = ("unbounded", "many-free", "many-waiting", "still-asked", "counter-shorter", "clause-")
"""Claims, by how they begin, that so many entries are looked at."""

SHUT = frozenset({"no-way-out", "stranger-closes"})
"""Claims that nothing leads out."""

TOGETHER = frozenset({"stuck-together", "circle"})
"""Claims that nothing leads out of several troubles at once."""

ONLY_PAPER = frozenset({"paper-alone", "stranger-paper"})
"""Claims that paper leads out, and nothing else."""

ORDERS_MAX = 24
"""Orders of troubles that are tried."""

WAYS_MAX = 40
"""Ways back that are tried one after the other."""

Fresh = Callable[[], contextlib.AbstractAsyncContextManager[Bank]]
"""Opens a bank in which nothing has happened."""

Tell = Callable[[int], None]

WHO = {PathKind.PROCEDURE: SELF, PathKind.DESK: DESK, PathKind.FORM: PAPER}


class Step(NamedTuple):
    """What came of one move."""

    at_s: int
    """Since the beginning. Seconds."""
    move: str
    done: int
    """Entries that were looked at, or 1 for what was done."""
    of: int
    """Entries that were made, or 1."""
    fell: tuple[tuple[str, int | None], ...] = ()
    """(row, seconds until it ends or None) of the locks that it set."""
    lifted: tuple[str, ...] = ()

    @property
    def came_out(self) -> bool:
        """Whether the engine did what the proof says it does."""
        return self.done == self.of


class Replayed(NamedTuple):
    """A trace, played."""

    steps: list[Step]
    tried: list[Step]
    """Where a claim is about ways out: those that were tried at its end, and what came of each."""
    left_out: int
    """Rounds and entries that were not played, since they would come out as those before."""
    guesses: int
    holds: bool
    why: str
    """Which sentence says why, without `lab.holds-`."""


async def replay(
    table: Table, claim: str, trace: Sequence[str], *, whole: bool = False, sqlite: bool = False, tell: Tell = lambda _: None,
) -> Replayed:
    """Play a trace.

    Args:
        table: the policy.
        claim: what is claimed, as the catalogues name the finding's sentence.
        trace: the moves.
        whole: play every round, however many.
        sqlite: over a SQLite file, not in memory.
        tell: told how many moves are done.

    """
    played = written_out(trace, table, whole=whole)
    fresh = partial(Bank.opened, table, sqlite=sqlite)
    if claim in ONLY_PAPER:
        return await _only_paper(fresh, played, tell)
    if claim in TOGETHER:
        return await _together(fresh, played, tell)
    async with fresh() as bank:
        player = Player(bank)
        await player.play(played.moves, tell)
        if claim in SHUT:
            return await _shut(player, claim, played)
        return _counted(player, claim, played, lasting=any(_lasts(lock) for _, lock in await bank.locks(player.customer)))


def _lasts(lock: Lock) -> bool:
    return lock.until is None and lock.kind in LASTING


def _counted(player: Player, claim: str, played: Played, *, lasting: bool) -> Replayed:
    """Every move came out, so that as many guesses were looked at as the proof says."""
    guesses = sum(step.done for step in player.steps if step.move.startswith("wrong"))
    if not player.came_out:
        why = "not-so"
    elif claim == "still-asked" and not lasting:
        why = "no-lock"
    else:
        why = "looked-at" if claim.startswith(GUESSES) else "done"
    return Replayed(player.steps, [], played.left_out, guesses, why in {"looked-at", "done"}, why)


async def _shut(player: Player, claim: str, played: Played) -> Replayed:
    """Nothing that the policy offers leads out, and waiting neither."""
    attacked = claim == "stranger-closes"
    came = player.came_out
    targets = await player.closed()
    if attacked:
        await player.attack(0)
    out = await player.get_out(targets, {SELF, DESK, PAPER}, waits=not attacked)
    return Replayed(player.steps, player.tried, played.left_out, 0, came and not out, "out" if out else "shut" if came else "not-so")


async def _together(fresh: Fresh, played: Played, tell: Tell) -> Replayed:
    """The same for several troubles at once: brought about one after the other, or while the last entry of one is being compared.

    Where no order does that either, they are put on one customer by hand.
    """
    parts = _parts(played.moves)
    orders = list(itertools.islice(itertools.permutations(parts), ORDERS_MAX))
    for moves in (*map(_in_turn, orders), *filter(None, map(_one_under_way, orders))):
        async with fresh() as bank:
            player = Player(bank)
            await player.play(moves, tell)
            if player.came_out:
                out = await player.get_out(await player.marks(), {SELF, DESK, PAPER}, waits=True)
                return Replayed(player.steps, player.tried, played.left_out, 0, not out, "out" if out else "shut")
    async with fresh() as bank:
        player = Player(bank)
        for part in parts:
            await player.play(part, tell)
            await player.set_aside()
        await player.put_together()
        out = not player.came_out or await player.get_out(await player.marks(), {SELF, DESK, PAPER}, waits=True)
        return Replayed(player.steps, player.tried, played.left_out, 0, not out, "out" if out else "by-hand")


def _in_turn(parts: Sequence[list[Move]]) -> list[Move]:
    return [move for part in parts for move in part]


def _one_under_way(parts: Sequence[list[Move]]) -> list[Move]:
    """The last entry of the first trouble is taken before the others come, and found wrong after them. None: it ends with no entry."""
    first, *others = parts
    last = first[-1]
    if last.name != "wrong":
        return []
    before = [last._replace(text=re.sub(r"x\d+", f"x{last.number - 1:.0f}", last.text), number=last.number - 1)] if last.number > 1 else []
    begin = last._replace(text=f"begin {last.text.removeprefix('wrong ').replace(f' x{last.number:.0f}', '')}", name="begin", number=1)
    return [*first[:-1], *before, begin, *_in_turn(others), Move("settle", "settle", {})]


def _parts(moves: Sequence[Move]) -> list[list[Move]]:
    """What each single trouble comes from."""
    parts: list[list[Move]] = [[]]
    for move in moves:
        if move.name == "and":
            parts.append([])
        else:
            parts[-1].append(move)
    return parts


async def _only_paper(fresh: Fresh, played: Played, tell: Tell) -> Replayed:
    """At the place where the way out begins nothing but paper leads out; and it does, as the trace goes on."""
    cut = next((at for at, move in enumerate(played.moves) if move.name == "out"), len(played.moves))
    attacked = any(move.name == "attack" for move in played.moves)
    async with fresh() as bank:
        trial = Player(bank)
        await trial.play(played.moves[:cut], tell)
        without = await trial.get_out(await trial.closed(), {SELF, DESK}, waits=not attacked)
    async with fresh() as bank:
        player = Player(bank)
        await player.play(played.moves[:cut], tell)
        targets = await player.closed()
        await player.play(played.moves[cut:], tell)
        out = await player.is_out(targets)
    why = "out" if without else "paper" if out and player.came_out else "not-so"
    return Replayed(player.steps, trial.tried, played.left_out, 0, why == "paper", why)


class Player:
    """Plays moves on one customer of a bank."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.table = bank.table
        self.customer = Customer("held")
        self.steps: list[Step] = []
        self.tried: list[Step] = []
        self.ways = Ways(bank.table)
        self.had = self.ways.all - self.ways.by_hand
        """What the customer has."""
        self.round_about: frozenset[Mark] = frozenset()
        """Locks that stay, and that a way leads round."""
        self._visitor: Visitor | None = None
        self._under_way: str | None = None
        self._fell: frozenset[Mark] = frozenset()
        self._before: frozenset[Mark] | None = None
        """What was to be got rid of before a stranger came."""
        self._aside: list[dict[str, Guard]] = []

    async def play(self, moves: Sequence[Move], tell: Tell) -> None:
        """All of them, one after the other."""
        if not self.steps:
            flags = [move.named["flag"] for move in moves if move.name == "flag"]
            devices = [HOME] if any(move.name == "device" for move in moves) else []
            self.customer = Customer("held", flags, devices)
            await self.bank.enrol(self.customer)
            self._visitor = self.bank.somebody(HOME) if devices else None
        for number, move in enumerate(moves, 1):
            await self._step(move)
            tell(number)

    async def _step(self, move: Move) -> None:
        before = {lock.id: lock for _, lock in await self.bank.locks(self.customer)}
        done, of = await getattr(self, f"_{move.name}")(move)
        after = await self.bank.locks(self.customer)
        fell = [(key, lock) for key, lock in after if lock.id not in before]
        left = {lock.id for _, lock in after}
        lifted = tuple(lock.row for name, lock in before.items() if name not in left)
        if fell:
            self._fell = frozenset(mark(key, lock) for key, lock in fell)
        self.steps.append(Step(self._at_s, move.text, done, of, tuple((lock.row, _ends(lock)) for _, lock in fell), lifted))

    @property
    def _at_s(self) -> int:
        return (self.bank.now - START) // SECOND

    @property
    def came_out(self) -> bool:
        """Whether every move came out as the proof says."""
        return all(step.came_out for step in self.steps)

    async def closed(self) -> frozenset[Mark]:
        """The locks that must be gone: those that fell last before a stranger came, or all that stand."""
        standing = await self.marks()
        return self._before if self._before is not None else self._fell & standing or standing

    async def set_aside(self) -> None:
        """What has come about stays with one customer; what follows is played on another."""
        self._aside.append(await self.bank.guards(self.customer))
        self.customer = Customer(f"held-{len(self._aside)}", self.customer.flags, self.customer.devices)
        await self.bank.enrol(self.customer)

    async def put_together(self) -> None:
        """All locks and counts that were set aside, on the customer that is played now."""
        rows = await self.bank.guards(self.customer)
        for aside in self._aside:
            for into, guard in zip(rows.values(), aside.values(), strict=True):
                into.counts |= guard.counts
                into.locks += [msgspec.structs.replace(lock, source=self._here(lock.source)) for lock in guard.locks]
                into.flags = sorted({*into.flags, *guard.flags})
        await self.bank.app.ledger.run(Put(rows))

    def _here(self, source: str | None) -> str | None:
        return None if source is None else self.customer.subjects.get(source.partition(":")[0], source)

    async def marks(self) -> frozenset[Mark]:
        """The locks that stand."""
        return frozenset(mark(key, lock) for key, lock in await self.bank.locks(self.customer))

    # Moves. Each says how much of it was done.

    async def _wrong(self, move: Move) -> tuple[int, int]:
        return await self._entries(move, Verdict.WRONG, int(move.number))

    async def _begin(self, move: Move) -> tuple[int, int]:
        """A guess is taken, and what was entered is still being compared."""
        seat = await self._seat(move)
        self._under_way = None if seat is None else await self.bank.reserve(self.customer, seat, self._visitor)
        return int(self._under_way is not None), 1

    async def _settle(self, move: Move) -> tuple[int, int]:
        """It was wrong: told as refused where a lock has fallen meanwhile, and counted all the same."""
        del move
        told = None if self._under_way is None else await self.bank.settle(self._under_way, Verdict.WRONG)
        return int(told is not None), 1

    async def _right(self, move: Move) -> tuple[int, int]:
        return await self._entries(move, Verdict.RIGHT, 1)

    async def _entries(self, move: Move, verdict: Verdict, times: int) -> tuple[int, int]:
        seat = await self._seat(move)
        expected = Outcome.RIGHT if verdict is Verdict.RIGHT else Outcome.WRONG
        done = 0
        while done < times and seat is not None and await self.bank.enter(self.customer, seat, verdict, self._visitor) is expected:
            done += 1
        return done, times

    async def _seat(self, move: Move) -> Seat | None:
        """The row that a move names: of several, the one that applies to the customer now."""
        about = "about" in move.named
        rows: Sequence[Row] = self.table.operations[move.named["operation"]].rows.get(move.named["item"], ())
        found = [Seat(move.named["operation"], move.named["item"], row) for row in rows if row.about is about]
        admitted = await self.bank.admits(self.customer, found, self._visitor)
        return next((seat for seat, is_open in zip(found, admitted, strict=True) if is_open), found[0] if found else None)

    async def _run(self, move: Move) -> tuple[int, int]:
        operation = move.named["operation"]
        cases = [await self._case(way) for way in self.table.paths.values() if way.operation == operation]
        may = self.had.union(*(case.gives for case in cases))
        state, _ = await self.bank.walk(
            self.customer, operation, filter(partial(self.ways.enters, had=may), self.table.items), self._visitor, about="about" in move.named)
        for case in cases if state is State.DONE else ():
            self._take(case)
        return int(state is State.DONE), 1

    async def _case(self, way: ReleasePath) -> PathCase:
        return self.ways.case(way, Board(self.table, await self.bank.flags(self.customer)))

    def _take(self, case: PathCase) -> None:
        self.had = (self.had - set(case.removes)) | set(case.gives)

    async def _walk(self, move: Move) -> tuple[int, int]:
        path = move.named["path"]
        if self.table.paths[path].kind is PathKind.NONE:
            self.round_about |= {mark(key, lock) for key, lock in await self.bank.locks(self.customer) if path in lock.undo}
            return 1, 1
        case = await self._case(self.table.paths[path])
        await self.bank.lift(self.customer, path)
        self._take(case)
        return 1, 1

    async def _wait(self, move: Move) -> tuple[int, int]:
        await self.bank.wait(move.number)
        return 1, 1

    async def _attack(self, move: Move) -> tuple[int, int]:
        self._before = await self.closed()
        await self.attack(move.number)
        return 1, 1

    async def attack(self, seconds: float) -> None:
        """A stranger locks all that needs no secret, and goes on as timed locks end, for so long."""
        until = self.bank.now + int(seconds * SECOND)
        found = distinct(self.table, strangers_seats(self.table, self.customer.flags))
        while True:
            await self._lock_all(found)
            at = await self.bank.next_change(self.customer)
            if at is None or at > until:
                break
            await self.bank.wait((at - self.bank.now) / SECOND)
        await self.bank.wait(max(0, until - self.bank.now) / SECOND)

    async def _lock_all(self, found: Sequence[Seat]) -> None:
        board = Board(self.table, self.customer.flags)
        for seat in found:
            while board.lasting(seat) and await self.bank.enter(self.customer, seat, Verdict.WRONG) is Outcome.WRONG:
                pass

    async def _lose(self, move: Move) -> tuple[int, int]:
        self.had -= {move.named["item"]}
        return 1, 1

    async def _stop(self, move: Move) -> tuple[int, int]:
        del move
        await self.bank.stop(self.customer)
        return 1, 1

    async def _lock(self, move: Move) -> tuple[int, int]:
        return int(await self.bank.take_over(self.customer, move.named["row"])), 1

    async def _visit(self, move: Move) -> tuple[int, int]:
        del move
        self._visitor = self.bank.somebody(HOME if self.customer.devices else "", stays=True)
        return 1, 1

    async def _nothing(self, move: Move) -> tuple[int, int]:
        del move
        return 1, 1

    _flag = _device = _out = _nothing

    # Ways out.

    async def get_out(self, targets: frozenset[Mark], who: Collection[str], *, waits: bool) -> bool:
        """Whether ways back that the policy names lead out, each walked for real; timed locks are waited for."""
        seen: set[object] = set()
        for _ in range(WAYS_MAX):
            if await self.is_out(targets):
                return True
            seen.add((await self.marks(), self.had))
            if not await self._one_way(who, seen) and not (waits and await self._wait_for_a_lock()):
                return False
        return False

    async def is_out(self, targets: frozenset[Mark]) -> bool:
        """None of these locks stands any more, and the customer has the means for whatever he could do."""
        if targets & await self.marks() - self.round_about:
            return False
        return self.ways.is_out(Board(self.table, await self.bank.flags(self.customer)), self.had, frozenset())

    async def _one_way(self, who: Collection[str], seen: Collection[object]) -> bool:
        """The first way back that leads where he has not been; whether there is one."""
        missing = self.ways.all - self.had
        named = [name for _, lock in await self.bank.locks(self.customer) for name in lock.undo]
        named += [name for name, way in self.table.paths.items() if any(missing & set(case.gives) for case in way.cases)]
        for name in dict.fromkeys(named):
            if await self._try(name, who) and (await self.marks(), self.had) not in seen:
                return True
        return False

    async def _try(self, name: str, who: Collection[str]) -> bool:
        """One way back, if it can be walked."""
        way = self.table.paths.get(name)
        if way is None:
            return False
        if way.kind is PathKind.NONE:
            return await self._go_round(way, who)
        case = await self._case(way)
        has_all = all(any(self._has(need) for need in needs) for needs in case.needs)
        if way.kind in {PathKind.WAIT, PathKind.START_OVER} or WHO.get(way.kind, SELF) not in who or not has_all:
            return False
        if way.kind is PathKind.PROCEDURE:
            return await self._try_run(way, case)
        gone = await self.bank.lift(self.customer, name)
        self.tried.append(Step(self._at_s, f"walk {name}", 1, 1, lifted=tuple(gone)))
        self._take(case)
        return True

    async def _try_run(self, way: ReleasePath, case: PathCase) -> bool:
        may = filter(partial(self.ways.enters, had=self.had | set(case.gives)), self.table.items)
        state, _ = await self.bank.walk(self.customer, way.operation or "", may, self._visitor)
        done = state is State.DONE
        self.tried.append(Step(self._at_s, f"run {way.operation}", int(done), 1))
        if done:
            self._take(case)
        return done

    async def _go_round(self, way: ReleasePath, who: Collection[str]) -> bool:
        """The lock stays; whoever can walk a way round it is out nevertheless."""
        for other in way.around:
            if await self._try(other, who):
                self.round_about |= {mark(key, lock) for key, lock in await self.bank.locks(self.customer) if way.name in lock.undo}
                return True
        return False

    def _has(self, need: str) -> bool:
        item = self.table.items.get(need)
        return need in self.had or (item is not None and item.kind in KNOWN)

    async def _wait_for_a_lock(self) -> bool:
        ends = [lock.until for _, lock in await self.bank.locks(self.customer) if lock.until is not None]
        if not ends:
            return False
        seconds = (min(ends) - self.bank.now) // SECOND + 1
        await self.bank.wait(seconds)
        self.tried.append(Step(self._at_s, f"wait {seconds}", 1, 1))
        return True


def _ends(lock: Lock) -> int | None:
    return None if lock.until is None else (lock.until - lock.since) // SECOND


__all__ = ["Player", "Replayed", "Step", "replay"]
