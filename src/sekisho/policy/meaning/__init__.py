"""What a policy file may not say though each of its cells can be read: names of nothing, cells that contradict others.

Each check yields the path of a cell and what is wrong with it. The proofs (is there a way out, how many guesses) come
later and look at the compiled table; here is only what would make that table ambiguous or let something be waved through.
"""

from __future__ import annotations

from sekisho.policy import model as m
from sekisho.policy.meaning import bank, items, operations, together, ways
from sekisho.policy.meaning.names import Fault, Faults, Names


def check(file: m.PolicyFile) -> Faults:
    """Everything that is wrong."""
    names = Names(file)
    for part in (*items.PARTS, *operations.PARTS, *together.PARTS, *ways.PARTS, *bank.PARTS):
        yield from part(file, names)


__all__ = ["Fault", "Faults", "check"]
