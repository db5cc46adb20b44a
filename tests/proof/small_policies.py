"""Small policies at random, and a search through every order of moves that plays them with the engine alone."""

from functools import cache

from tables import HOUR, counter, lock, row, stage, table

from sekisho.core import attempt, budget, release
from sekisho.core.scene import Scene
from sekisho.core.state import SECOND, Guard, Procedure, Session, decode, encode
from sekisho.policy.table import Penalty
from sekisho.terms import Counting, PenaltyKind, Verdict

ITEM, OTHER = "pin", "word"
OPERATIONS = ("a", "b", "c")
HORIZON_S = 5 * HOUR
START = 20_000 * 86_400 * SECOND
FOREVER = 1 << 62
STATES_MAX = 60_000


class TooMany(Exception):
    """The policy is not small."""


def policy(chance):
    """One to three operations in which the item is entered, and one to three counters that they share as it comes."""
    operations = OPERATIONS[:chance.randint(1, 3)]
    counters = [_counter(chance, number, operations) for number in range(chance.randint(1, 3))]
    rows = [row(name, ITEM, *chance.sample(counters, chance.randint(1, len(counters)))) for name in operations]
    if chance.random() < 0.4:
        rows.append(row(chance.choice(operations), OTHER, chance.choice(counters)))
    return table(*rows)


def _counter(chance, number, operations):
    reach = chance.choice(["customer", "customer", "customer", "account", "app", "procedure", "actor"])
    figures = sorted(chance.sample(range(1, 5), chance.randint(1, 2)))
    stages = [_stage(chance, figure, operations, last=figure == figures[-1], held=reach != "procedure") for figure in figures]
    counting = chance.choice([Counting.IN_A_ROW, Counting.IN_A_ROW, Counting.IN_TOTAL, Counting.WITHIN])
    return counter(f"count-{number}", reach, *stages, counting=counting, window_s=400 * 24 * HOUR if counting is Counting.WITHIN else None)


def _stage(chance, figure, operations, *, last, held):
    penalties = []
    if chance.random() < 0.3 or not held:
        penalties.append(Penalty(PenaltyKind.END_SESSION))
    if held:
        length = chance.choice([None, None, HOUR, 2 * HOUR])
        closed = chance.sample(operations, chance.randint(1, len(operations)))
        kind = chance.choice([PenaltyKind.LOCK, PenaltyKind.LOCK, PenaltyKind.BLOCK])
        penalties.append(Penalty(PenaltyKind.DISABLE, items=(ITEM,), for_s=length) if chance.random() < 0.2 else lock(*closed, for_s=length, kind=kind))
    after = "zero" if last or chance.random() < 0.7 else "keep"
    return stage(figure, *penalties, row=f"R-{figure}", after_lock=after)


class Search:
    """The most guesses, by trying every order: wrong entries of either item, waiting, and the customer's own right entry."""

    def __init__(self, policy_table, seconds=HORIZON_S):
        self.table = policy_table
        self.end = START + seconds * SECOND
        self.states = 0
        self._best = cache(self._best)

    def most(self, *, waiting):
        fresh = tuple((kind, encode(Guard(known=True))) for kind in ("customer", "account", "app"))
        return self._best(fresh, START, waiting)

    def _best(self, rows, now, owed):
        self.states += 1
        if self.states > STATES_MAX:
            raise TooMany
        found = [self._best(self._right(rows, now), now, False)] if owed else []
        for operation in self.table.operations.values():
            for item in operation.rows:
                after = self._wrong(rows, now, operation, item)
                if after is not None:
                    # An entry that leaves everything as it was can be made again and again.
                    if after == rows and item == ITEM:
                        return float("inf")
                    if after != rows:
                        found.append((item == ITEM) + self._best(after, now, owed))
        at = self._next(rows, now)
        if at is not None and at < self.end and not owed:
            found.append(self._best(self._waited(rows, at), at, owed))
        return max(found, default=0)

    def _scene(self, rows, now, operation):
        guards = {f"{kind}:1": decode(body, Guard) for kind, body in rows} | {"actor:new": Guard()}
        keys = {kind: f"{kind}:1" for kind, _ in rows} | {"actor": "actor:new"}
        run = Procedure(operation=operation.name, digest=operation.digest, led=True, session="session:1", started=now + 1, expires=FOREVER)
        session = Session(subject="customer:1", started=now + 1, seen=now)
        return Scene(self.table, operation, run, "procedure:1", session, "session:1", guards, keys, now)

    def _wrong(self, rows, now, operation, item):
        scene = self._scene(rows, now, operation)
        granted = attempt.reserve(scene, item)
        if not isinstance(granted, attempt.Granted):
            return None
        attempt.settle(scene, granted, Verdict.WRONG)
        return self._kept(rows, scene.guards)

    def _right(self, rows, now):
        for operation in self.table.operations.values():
            if ITEM in operation.rows:
                scene = self._scene(rows, now, operation)
                granted = attempt.reserve(scene, ITEM)
                if isinstance(granted, attempt.Granted):
                    attempt.settle(scene, granted, Verdict.RIGHT)
                    rows = self._kept(rows, scene.guards)
        return rows

    def _waited(self, rows, at):
        guards = {f"{kind}:1": decode(body, Guard) for kind, body in rows}
        for key, guard in guards.items():
            release.expire(key, guard, at, lambda event: None)
            for name, count in guard.counts.items():
                budget.refresh(count, self.table.counters[name], at)
        return self._kept(rows, guards)

    def _next(self, rows, now):
        times = []
        for _, body in rows:
            guard = decode(body, Guard)
            times += [one.until for one in guard.locks if one.until] + [count.zero_at for count in guard.counts.values() if count.zero_at]
        return min((at for at in times if at > now), default=None)

    @staticmethod
    def _kept(rows, guards):
        """What of the rows can make a difference later."""
        for guard in guards.values():
            guard.event, guard.noticed = None, 0
            guard.counts = {name: count for name, count in guard.counts.items() if count.wrong or count.zero_at is not None}
            for count in guard.counts.values():
                count.run = 0
            for one in guard.locks:
                one.id = "lock"
        return tuple((kind, encode(guards[f"{kind}:1"])) for kind, _ in rows)
