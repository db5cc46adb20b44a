"""What stands on record, as staff read it. Never a secret, a proof or a code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from sekisho.core import budget, health
from sekisho.core.address import masked
from sekisho.core.devices import place_of, whole_of
from sekisho.core.state import SECOND, Address, Count, Guard, Heard, Lock, Secret
from sekisho.events import Event
from sekisho.policy.table import Counter, ReleasePath, Table, share_name
from sekisho.terms import Role


def rfc3339(at: int | None) -> str | None:
    """A ledger time as RFC 3339 in UTC, to the millisecond."""
    if at is None:
        return None
    return datetime.fromtimestamp(at / SECOND, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown_event(event: Event) -> dict[str, Any]:
    """An event as staff read it."""
    shown = msgspec.to_builtins(event)
    shown.pop("previous", None)
    return {**shown, "at": rfc3339(event.at), **({"until": rfc3339(event.until)} if event.until else {})}


MASKED_FOR = frozenset({Role.FIRST_LINE, Role.AUDITOR})
"""Who sees that there is an address, and not which."""


def shown_address(one: Address, *, whole: bool) -> dict[str, Any]:
    """An address: whole, or behind its mask."""
    to = one.to if whole else masked(one.way, one.to)
    return {"id": one.id, "kind": one.way, "address": to, "state": one.state, "since": rfc3339(one.since)}


def shown_health(heard: list[Heard], now: int) -> dict[str, Any]:
    """How an address does on both streams, and what was heard of it last."""
    last = heard[-1] if heard else None
    return {
        "codes": health.health(heard, health.CODES, now), "other_mail": health.health(heard, health.OTHER, now),
        "loses_codes_only": health.loses_codes_only(heard, now),
        "last_heard": None if last is None else {"at": rfc3339(last.at), "what": last.what, "stream": last.stream},
    }


def shown_devices(guard: Guard, table: Table, now: int) -> list[dict[str, Any]]:
    """The devices that are known now. What they are called is left out: whoever has the name passes for the device."""
    if table.devices is None:
        return []
    return [
        {"device": share_name(one.place), "since": rfc3339(one.since), "last_used": rfc3339(one.seen)}
        for one in guard.devices if place_of(guard, one.id, table.devices, now)
    ]


def with_shares(guard: Guard, table: Table) -> dict[str, Count]:
    """The counts, and of those that are shared out every share that somebody has: also one on which nothing stands."""
    shown = dict(guard.counts)
    for name in guard.counts:
        counter = table.counters.get(whole_of(name))
        if counter is not None and counter.shares:
            shown.setdefault(counter.name, Count())
            for one in guard.devices:
                if one.place <= len(counter.shares):
                    shown.setdefault(counter.shares[one.place - 1].name, Count())
    return shown


def shown_count(name: str, count: Count, counter: Counter | None, now: int) -> dict[str, Any]:
    """A count with its stages."""
    if counter is not None:
        budget.refresh(count, counter, now)
    return {
        "counter": name, "wrong": count.wrong, "in_flight": count.flight,
        "by_item": {item: tally.wrong for item, tally in count.tallies.items()},
        "stages": [{"wrong": one.wrong, "row": one.row, "fired": one.wrong <= count.fired} for one in (counter.stages if counter else ())],
    }


def _shown_hours(path: ReleasePath, opens_s: tuple[int, int]) -> dict[str, str]:
    """When a path may be walked, as staff read it."""
    since, until = (f"{second // 3600:02}:{second % 3600 // 60:02}" for second in opens_s)
    return {"from": since, "until": until, "every": path.every, "zone": path.zone}


def shown_lock(lock: Lock, table: Table, refused: Sequence[int] | None) -> dict[str, Any]:
    """A lock with its ways out, and how often it has refused."""
    paths = [table.paths[name] for name in lock.undo if name in table.paths]
    return {
        "id": lock.id, "row": lock.row, "kind": lock.kind, "stage": lock.wrong or None,
        "since": rfc3339(lock.since), "until": rfc3339(lock.until),
        "operations": lock.operations, "spares": lock.spares, "items": lock.items, "counter": lock.counter,
        "devices": lock.whom or None, "first": lock.first,
        "release": [
            {
                "path": p.name, "kind": p.kind, "ja": p.text.ja, "en": p.text.en, "roles": p.roles, "second_person": p.second_person,
                "hours": None if p.opens_s is None else _shown_hours(p, p.opens_s),
            }
            for p in paths
        ],
        "refused": {
            "number": lock.refused + (refused[0] if refused else 0),
            "first": rfc3339(lock.first_refused), "last": rfc3339(lock.last_refused),
        },
    }


def shown_token(secret: Secret) -> dict[str, Any]:
    """Of a token from the inventory: which it is, and how long it lasts."""
    token = secret.token
    if token is None or not token.serial:
        return {}
    return {"serial": token.serial, "ends": rfc3339(token.ends) if token.ends else None}
