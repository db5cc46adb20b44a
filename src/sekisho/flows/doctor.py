"""What is wrong with an installation: each thing that was looked at, what was found, and what to do where it is not well.

Nothing is changed, and nothing that is said holds a secret.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import msgspec

from sekisho.core.delivery import OVER
from sekisho.core.state import IN_FORCE, SECOND, InForce, Outgoing, Reservation, decode
from sekisho.errors import SekishoError
from sekisho.flows import outbox
from sekisho.flows.clock import doubts
from sekisho.flows.compare import SLOW
from sekisho.flows.policies import read
from sekisho.flows.seals import Sealer
from sekisho.policy import PolicyError, Table
from sekisho.ports import Condition, Store

OVERDUE_S = 60
"""How long after its deadline a guess without a verdict shows that no node lets time pass, and a message that nobody carries it."""

LOOKED_AT = 1000
"""Overdue rows looked at."""

APART_S = 2.0
"""How far the ledger's clock and this machine's may be apart."""

FREE_BYTES = 1 << 30
"""Room that a file should have to grow into."""

UPGRADE = "upgrade this machine: a later release has used this store"


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    check: str
    ok: bool
    text: str
    do: str | None = None
    """What to do; None: nothing."""


def _well(check: str, text: str) -> Check:
    return Check(check, ok=True, text=text)


def _wrong(check: str, text: str, do: str) -> Check:
    return Check(check, ok=False, text=text, do=do)


def of_condition(condition: Condition) -> list[Check]:
    """The schema, the durability and the room, as the database itself tells them."""
    schema = condition.schema
    text = f"schema {schema.number}"
    if schema.too_new:
        checks = [_wrong("schema", f"{text}, which this release does not know", UPGRADE)]
    elif schema.to_take:
        steps = ", ".join(schema.to_take)
        checks = [_wrong("schema", f"{text}; to be taken: {steps}", "they are taken when a node of this release starts")]
    else:
        checks = [_well("schema", text)]
    if condition.weak is None:
        checks.append(_well("durability", "a commit is durable"))
    else:
        checks.append(_wrong("durability", condition.weak, "set it so; till then a node refuses to count, unless told --accept-weaker"))
    if condition.free_bytes is not None:
        free = f"{condition.free_bytes >> 20} MiB free"
        full = condition.free_bytes < FREE_BYTES
        checks.append(_wrong("disk", free, "make room: on a full disk every answer is no") if full else _well("disk", free))
    return checks


def of_keys(purposes: Iterable[str], missing: Iterable[str], *, demo: bool) -> list[Check]:
    """The key file: what it lacks, and whether it was made for a demonstration."""
    lacking = ", ".join(missing)
    if lacking:
        checks = [_wrong("keys", f"no secret key for {lacking}", "take the file from the backup: what was made with a lost key is lost with it")]
    else:
        checks = [_well("keys", f"secret keys for {', '.join(purposes)}")]
    if demo:
        checks.append(_wrong("demo keys", "keys of the demonstration", "make a key file of your own: sekisho keys new"))
    return checks


MEND = {
    "connect": "see that it runs, listens there and may be reached from here",
    "tls": "have it offer TLS under a certificate for this name; who vouches for it: --mail-ca-file",
    "login": "look at the user in --mail-relay and at --mail-password-file",
    "mail": "let this machine and this return address (--mail-bounces) send through it",
}
"""What to do where a mail relay does not go on."""


def of_relay(name: str, bounces: str, at: str, said: str, back: str, *, dsn: bool) -> list[Check]:
    """Whether mail can be handed over, and what comes back finds its way.

    Args:
        name: the relay's.
        bounces: where reports go.
        at: where in the dialogue it did not go on; empty: nowhere.
        said: its words then.
        back: its words against taking a report.
        dsn: whether it offers RFC 3461.

    """
    if at:
        return [_wrong("mail relay", f"{name}: {said}", MEND.get(at, MEND["connect"]))]
    checks = [_well("mail relay", f"{name} takes mail")]
    if dsn:
        checks.append(_well("delivery reports", "the relay offers them"))
    else:
        text = "the relay offers none: what became of a mail is not told, and a bounce may hold its code"
        checks.append(_wrong("delivery reports", text, "let the relay offer DSN (RFC 3461) to this machine"))
    domain = bounces.rpartition("@")[2]
    if back:
        do = f"have the relay take mail for {domain} and bring it to --bounces-listen of a worker: docs/how/mail.md"
        checks.append(_wrong("return address", f"the relay takes nothing for {domain}: {back}", do))
    else:
        checks.append(_well("return address", f"the relay takes what comes back for {domain}"))
    return checks


def of_intake(where: str, trouble: str) -> Check:
    """Whether a report would be taken in. `trouble`: what is against it; empty: nothing."""
    if trouble:
        do = "start sekisho worker there, with --bounces-listen and with this key file and --mail-bounces"
        return _wrong("bounce intake", f"{where}: {trouble}", do)
    return _well("bounce intake", f"{where} takes our reports and no others")


async def of_outbox(store: Store) -> Check:
    """Whether somebody carries messages."""
    now = await store.clock()
    keys = await store.due(outbox.PREFIX, now - OVERDUE_S * SECOND, LOOKED_AT)
    rows = [decode(body, Outgoing) for body in (await store.peek(keys)).values()]
    late = [row for row in rows if outbox.stands(row) not in OVER]
    if not late:
        return _well("outbox", "no message waits for longer than it should")
    ways = ", ".join(sorted({row.way.value for row in late}))
    oldest_s = (now - min(row.made for row in late)) // SECOND
    text = f"{len(late)} message(s) wait that should be on their way ({ways}), the oldest for {oldest_s} s"
    return _wrong("outbox", text, "start a worker, or a node that hands such messages over; where one runs, look at its log")


async def of_policy(store: Store, comparison_ms: float) -> list[Check]:
    """Whether this release can decide by the policy in force, and its time grid fits this machine."""
    found = await _in_force(store)
    return [found] if isinstance(found, Check) else [_well("policy", f"{found.name} {found.version[:12]}"), of_hold(found, comparison_ms)]


def of_hold(table: Table, comparison_ms: float) -> Check:
    """Whether a slow comparison fits one step of the time grid on which answers leave. docs/why/hold.md"""
    steps = table.timing.hold_ms
    held = {name: steps[name] for name, item in table.items.items() if item.kind in SLOW and steps.get(name)}
    if not held:
        return _well("hold", "the policy sets no time grid: answers leave at once")
    text = f"a comparison takes {comparison_ms:.0f} ms of processor here, answers leave every {min(held.values())} ms"
    if comparison_ms > min(held.values()):
        short = ", ".join(sorted(name for name, hold in held.items() if hold < comparison_ms))
        return _wrong("hold", f"{text} ({short})", "its customers wait two steps: write a `hold` of two or three times as long into the policy")
    return _well("hold", text)


async def _in_force(store: Store) -> Table | Check:
    """The policy in force, or why there is none to decide by."""
    body = (await store.peek([IN_FORCE])).get(IN_FORCE)
    if body is None:
        return _wrong("policy", "none is in force", "give the first one to sekisho serve --policy FILE")
    version = decode(body, InForce).at(await store.clock()) or ""
    source = await store.document("policy", version)
    if source is None:
        return _wrong("policy", f"{version[:12]} is in force, and its text is not in the store", "accept it again: sekisho policy accept FILE")
    try:
        return read(source, version[:12])
    except PolicyError as no:
        return _wrong("policy", f"this release cannot read the one in force: {no.errors[0]}", "accept one that it can: sekisho policy accept FILE")


async def of_seals(sealer: Sealer) -> Check:
    """Whether the store has what was sealed outside it."""
    complaint = await sealer.complaint()
    if complaint is not None:
        return _wrong("seals", complaint, "put the newer store back, or: sekisho restore accept")
    last = sealer.last
    return _well("seals", "nothing was sealed yet" if last is None else f"the store has what seal {last.number} names")


async def of_reservations(store: Store) -> Check:
    """Whether somebody lets time pass."""
    keys = await store.due("reservation:", await store.clock() - OVERDUE_S * SECOND, LOOKED_AT)
    rows = (await store.peek(keys)).values()
    overdue = sum(decode(body, Reservation).settled is None for body in rows)
    if overdue:
        return _wrong("reservations", f"{overdue} without a verdict are overdue", "start a node: it settles them as wrong")
    return _well("reservations", "none is overdue")


async def of_clock(store: Store, wall: Callable[[], int]) -> Check:
    """Whether the ledger's time is this machine's. `wall`: this machine's, microseconds since the epoch."""
    opened = await store.begin([])
    await store.rollback()
    ahead = (opened.now - wall()) / SECOND
    doubting = await doubts(store)
    if doubting:
        agree = "look at the clock; when it is right, an admin agrees to it: POST /v1/staff/clock"
        return _wrong("clock", f"{len(doubting)} node(s) doubt the ledger's clock and grant nothing", agree)
    apart = f"the ledger's time is {ahead:+.1f} s from this machine's"
    if abs(ahead) > APART_S:
        return _wrong("clock", apart, "set both by a time server: timed locks end by the ledger's time")
    return _well("clock", apart)


async def of_store(store: Store, sealer: Sealer | None, wall: Callable[[], int], comparison_ms: float) -> list[Check]:
    """All that has to be read in the store. What cannot be read is a finding too. `comparison_ms`: what a slow one takes here."""
    checks: list[Check] = []
    looks: list[tuple[str, Awaitable[list[Check]]]] = [
        ("policy", of_policy(store, comparison_ms)), ("reservations", _alone(of_reservations(store))), ("outbox", _alone(of_outbox(store))),
        ("clock", _alone(of_clock(store, wall))),
        *([("seals", _alone(of_seals(sealer)))] if sealer is not None else []),
    ]
    for name, look in looks:
        try:
            checks += await look
        except SekishoError as no:
            checks.append(_wrong(name, str(no), "mend what it says, and look again"))
    return checks


async def _alone(look: Awaitable[Check]) -> list[Check]:
    return [await look]
