"""Customers in trouble on their way back in: how long it takes them, by what happened and by the hour of the week at which it did.

The ways are those that the proofs have found; here each is walked on the engine, lock by lock, at a second of the week that chance
picks, waiting for the desk to open and for the post. What comes of that must be what the proofs say it takes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sekisho.core.state import SECOND
from sekisho.lab.bank import Bank
from sekisho.lab.replay import Player
from sekisho.lab.trace import Move, read_move
from sekisho.policy.table import ReleasePath, Table
from sekisho.proof.ways import NONE, WEEK_S, Mark, Plan, State, Ways, opens_next

HOUR_S = 3600


class Tried(NamedTuple):
    """One customer's way back."""

    begun_s: int
    """Second of the week at which he set out; 0 is Monday, midnight, where the desk is."""
    took_s: int | None
    """Until he was back in; None: the engine did not let him go that way."""


class Back(NamedTuple):
    """What became of those to whom the same thing happened."""

    state: State
    plan: Plan | None
    """The way that was gone; None: there is none."""
    tried: tuple[Tried, ...]
    proved_s: tuple[int, ...]
    """By the proofs: how long it takes whoever sets out at each full hour of the week. Seconds."""

    @property
    def kind(self) -> str:
        """Who must help."""
        return NONE if self.plan is None else self.plan.kind

    @property
    def as_proved(self) -> bool:
        """Whether the engine let everybody go that way, and none took longer than is proved for the worst hour."""
        return self.plan is not None and all(one.took_s is not None and one.took_s <= self.plan.longest_s for one in self.tried)

    def within(self, part: float) -> int | None:
        """The time in which so large a part of them was back in, seconds; None: there is no way, or not all came back."""
        took = sorted(one.took_s for one in self.tried if one.took_s is not None)
        return took[min(len(took) - 1, int(part * len(took)))] if took and len(took) == len(self.tried) else None


async def recover(
    table: Table, *, customers: int, seed: int, attacked: bool = False, tell: Callable[[int], None] = lambda _: None,
) -> list[Back]:
    """Let customers into each single trouble that a policy can lead to, and back out of it.

    Args:
        table: the policy.
        customers: how many for each trouble.
        seed: what all chance follows from.
        attacked: a stranger locks meanwhile what he can.
        tell: told how many troubles are done with.

    """
    ways, chance = Ways(table), random.Random(f"{seed}/recovery")
    backs = []
    for state, at_rest, under_attack in ways.answers():
        begun = [chance.randrange(WEEK_S) for _ in range(customers)]
        backs.append(await back(ways, state, under_attack if attacked else at_rest, begun))
        tell(len(backs))
    return backs


async def back(ways: Ways, state: State, plan: Plan | None, begun: Sequence[int]) -> Back:
    """One trouble: a customer for each second of the week in `begun`, on the way back that a plan tells."""
    if plan is None:
        return Back(state, None, (), ())
    tried = [Tried(one, await _walked(ways.table, plan, state.targets, one)) for one in begun]
    return Back(state, plan, tuple(tried), tuple(ways.lasts(plan.path, hour * HOUR_S) for hour in range(WEEK_S // HOUR_S)))


async def _walked(table: Table, plan: Plan, targets: frozenset[Mark], begun_s: int) -> int | None:
    """One customer: into his trouble, then the way back, each part of it when it is open and for as long as it takes."""
    moves = [read_move(text, table) for text in plan.trace]
    cut = next(at for at, move in enumerate(moves) if move.name in {"attack", "out"})
    async with Bank.opened(table) as bank:
        player = Player(bank)
        await player.play(moves[:cut], lambda _: None)
        zero = bank.now
        for move in moves[cut:]:
            way = _way(table, plan.path, move)
            if way is not None:
                now_s = begun_s + (bank.now - zero) // SECOND
                await bank.wait(opens_next(way, now_s) - now_s + way.takes_s)
            await player.play([move], lambda _: None)
        back = player.came_out and await player.is_out(targets)
        return (bank.now - zero) // SECOND if back else None


def _way(table: Table, path: Sequence[str], move: Move) -> ReleasePath | None:
    """The way back that a move is a part of, where it is one."""
    if move.name == "walk":
        return table.paths[move.named["path"]]
    found = (table.paths[name] for name in path if name in table.paths)
    return next((way for way in found if move.name == "run" and way.operation == move.named["operation"]), None)


__all__ = ["Back", "Tried", "back", "recover"]
