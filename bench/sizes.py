"""How much of everything is measured."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Size:
    name: str
    subjects: int = 10_000
    at_once: int = 128
    rounds: int = 5
    warming: int = 1
    """Rounds before them that are not kept."""
    batched: int = 12_000
    """Attempts in one round of the engine."""
    single: int = 2_000
    """The same where every batch holds one."""
    load_s: float = 2
    """One round over HTTP. Whole seconds, or less than one: wrk takes no others."""
    lead_s: int = 1
    """How much longer, before and after, a load goes on that something else is measured beside."""
    attackers: int = 64
    others: int = 64
    others_hz: float = 20.0
    """Attempts a second on each connection of the others."""
    hashed: int = 240
    """Customers with a password."""
    offered_s: int = 10
    """How long more logins are offered than can be compared."""
    tokens: int = 500
    """Customers who enter a code of their token in one sample."""
    signed: int = 200
    """Signatures of one passkey in one sample."""
    starts: int = 5
    settle_s: float = 1.0
    many: int = 1_000_000
    """Subjects of a large bank."""
    strangers: int = 10_000
    """Unknown subjects; each is attempted ten times."""


DEFAULT = Size("default")
LONG = replace(DEFAULT, name="long", rounds=11, strangers=100_000)
TINY = Size(
    "tiny", subjects=200, at_once=16, rounds=1, warming=0, batched=400, single=100, load_s=0.3, lead_s=0, attackers=4, others=4, starts=1,
    settle_s=0.1, strangers=100, many=2_000, hashed=8, offered_s=1, tokens=20, signed=5,
)
