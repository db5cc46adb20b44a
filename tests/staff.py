"""A desk for small policies: one path, and one clerk who may walk it alone."""

import msgspec
from tables import NAMELESS

from sekisho.core.state import Guard
from sekisho.flows.acts import Lifted, Operator
from sekisho.flows.releases import Releases
from sekisho.policy.table import ReleasePath
from sekisho.terms import PathKind, Role

DESK = ReleasePath(
    "desk", PathKind.DESK, NAMELESS, (Role.BACK_OFFICE,), second_person=False, operation=None, sets=(), clears=(), opens_s=None,
    zone="UTC", takes_s=0,
)
CLERK = Operator("aoki", Role.BACK_OFFICE)


class Look:
    """Look at a subject's row."""

    def __init__(self, subject):
        self.keys = (subject,)

    def decide(self, tx):
        return tx.get(self.keys[0], Guard) or Guard()


def staffed(policy):
    """The policy, with a desk that can lift what names `desk` as its way out."""
    return msgspec.structs.replace(policy, paths={"desk": DESK})


def desk_of(house):
    return Releases(house.ledger, house.store, house.subjects)


async def lift(desk, ledger, subject, counter):
    """Lift the lock that a counter led to: `lifted`, or `nothing` where there is none (any more)."""
    found = [lock.id for lock in (await ledger.run(Look(subject))).locks if lock.counter == counter]
    if not found:
        return "nothing"
    told = await desk.release(subject, found[0], "desk", "asked for", None, CLERK, "approval")
    return "lifted" if isinstance(told, Lifted) else "nothing"
