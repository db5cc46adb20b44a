"""Small policies made by hand: just enough of a table to count by."""

from sekisho.policy.compile import split
from sekisho.policy.table import EACH, UNKNOWN, Counter, Devices, Gauge, Item, Operation, Penalty, Row, Stage, Step, Table, Text, Timing
from sekisho.terms import Counting, ItemKind, PenaltyKind, Reach

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LONG = 400 * DAY
"""Longer than any test lives: what is not about sessions timing out sets them to this. Seconds."""

NAMELESS = Text("名", "name")

END = Penalty(PenaltyKind.END_SESSION)
VOID = Penalty(PenaltyKind.VOID)
START_OVER = Penalty(PenaltyKind.START_OVER)


def lock(*operations, for_s=None, on=None, about=False, kind=PenaltyKind.LOCK, spares=()):
    return Penalty(kind, operations=operations, spares=spares, for_s=for_s, on=None if on is None else Reach(on), on_about=about)


def block(*operations, on=None, about=False, for_s=None):
    return lock(*operations, on=on, about=about, for_s=for_s, kind=PenaltyKind.BLOCK)


def erase(*items, kind=PenaltyKind.ERASE, on=None):
    return Penalty(kind, items=items, on=None if on is None else Reach(on))


def stage(wrong, *penalties, row="", undo=("desk",), after_lock="zero"):
    return Stage(wrong, row or f"ROW-{wrong}", penalties, undo, after_lock)


def counter(name, reach, *stages, counting=Counting.IN_A_ROW, window_s=None):
    return Counter(name, Reach(reach), counting, window_s, stages)


def shared(whole, places, kept):
    """A counter of which each known device has a share. `kept`: by figure."""
    return split(whole, kept, places)


def ask_more(*operations, for_s=None, first=None):
    return Penalty(PenaltyKind.ASK_MORE, operations=operations, for_s=for_s, whom=UNKNOWN, first=first)


def _told_apart(counter):
    """Whose entries it counts, as a policy file would have it."""
    if counter.shares:
        return EACH
    return UNKNOWN if any(penalty.kind is PenaltyKind.ASK_MORE for penalty in counter.stages[-1].penalties) else ""


def row(operation, item, *gauges, name=None):
    """A row of the table; a gauge is a counter, or ("about", counter) where the count is another subject's."""
    written = [(g[1], True) if isinstance(g, tuple) else (g, False) for g in gauges]
    read = tuple(Gauge(counter, about, devices=_told_apart(counter)) for counter, about in written)
    return Row(name or f"{operation}/{item}", operation, item, read, (), any(g.about for g in read))


def devices(*known_by, remembered=2, kept_s=100 * DAY):
    return Devices(known_by, remembered, kept_s, (Reach.CUSTOMER, Reach.ACCOUNT))


def table(*rows, version="v1", digest="as-written", reservation_s=MINUTE, steps=None, life_s=LONG, devices=None):
    """A whole policy of these rows. `steps`: items in order, by operation; else any item may be entered."""
    operations, items, counters = {}, {}, {}
    for one in rows:
        items[one.item] = Item(one.item, ItemKind.KNOWLEDGE, NAMELESS, None, (), None, Reach.CUSTOMER)
        operations.setdefault(one.operation, {}).setdefault(one.item, []).append(one)
        counters.update((counter.name, counter) for gauge in one.gauges for counter in (gauge.counter, *gauge.counter.shares))
    return Table(
        name="by-hand", version=version, article="0", items=items, counters=counters,
        operations={name: _operation(name, found, digest, (steps or {}).get(name), life_s) for name, found in operations.items()},
        paths={}, abolished={}, stop=Penalty(PenaltyKind.BLOCK), stop_undo=(), suspension_undo=(),
        timing=Timing(reservation_s, LONG, LONG, 15 * MINUTE, {}), desk={}, mail={}, devices=devices,
    )


def _operation(name, rows, digest, steps, life_s):
    order = tuple(Step((item,), ()) for item in steps) if steps else (Step(tuple(rows), ()),)
    return Operation(
        name, NAMELESS, Reach.CUSTOMER, session=False, steps=order, rows={item: tuple(found) for item, found in rows.items()},
        gives_session=False, path=None, sets=(), clears=(), suspends=False, life_s=life_s, digest=digest,
    )
