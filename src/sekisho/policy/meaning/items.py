"""What a policy's header, items and counters may not say."""

from __future__ import annotations

import re
import warnings
import zoneinfo

from sekisho.policy import model as m
from sekisho.policy.meaning.names import HAS_ADDRESSES, OWNED, SENT, SUSPENSION, Fault, Faults, Names
from sekisho.policy.rows import EVERYTHING, rows, stages_of
from sekisho.policy.shape import Path, Vocabulary
from sekisho.policy.table import BY_LETTER, OWN_COUNTS
from sekisho.policy.yaml import quoted
from sekisho.terms import ItemKind, PathKind, Reach


def _header(file: m.PolicyFile, names: Names) -> Faults:
    yield from time_zone(("zone",), file.zone)
    if len(set(file.languages)) < len(file.languages):
        yield Fault(("languages",), "a language stands here twice; write `[ja, en]`")
    for name, other, where in (("counters", "ceilings", "counts"), ("procedures", "forms", "ways back"),
                               ("items", "things", "what ways back need"), ("items", "abolished", "items"),
                               ("items", "operations", "what ways back open again")):
        for twice in sorted(set(getattr(file, name)) & set(getattr(file, other))):
            yield Fault((other, twice), f"{quoted(twice)} is also in `{name}:`; both are {where}: rename one of the two")
    for section in ("operations", "items", "flags"):
        for reserved in (EVERYTHING, SUSPENSION):
            if reserved in getattr(file, section):
                yield Fault((section, reserved), f"{quoted(reserved)} is a word of this language; choose another name")
    for section in ("counters", "ceilings"):
        for own in sorted(OWN_COUNTS & set(getattr(file, section))):
            yield Fault((section, own), f"{quoted(own)} is a count that sekisho keeps itself; choose another name")
    for number, paper in enumerate(file.paper):
        yield from names.known(("paper", number, "form"), paper.form, "form", names.forms)
        yield from names.all_known(("paper", number, "stranger_knows"), paper.stranger_knows, "item", names.items)


def time_zone(path: Path, zone: str) -> Faults:
    """The name of a time zone."""
    try:
        zoneinfo.ZoneInfo(zone or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        zones = Vocabulary(zoneinfo.available_timezones())
        # A machine without the time-zone database knows none; there nothing can be said.
        if zones.sorted:
            hint = zones.near(zone) or "write one such as `Asia/Tokyo`"
            yield Fault(path, f"unknown time zone {quoted(zone)}; {hint}")


def _items(file: m.PolicyFile, names: Names) -> Faults:
    for name, item in file.items.items():
        path = ("items", name)
        yield from names.known((*path, "without"), item.without or "", "way back", names.ways)
        yield from _item_cells(path, item)
        yield from _item_extras(path, item)
        if item.by_letter is not None and item.kind in SENT and not _desk_gives(file, name):
            yield Fault((*path, "by_letter"), "no way back of kind `desk` gives this code, so none goes by letter; remove it")
        if item.resyncs is not None:
            yield from _resyncs((*path, "resyncs"), item, file)
        if item.pattern is not None:
            yield from _pattern((*path, "pattern"), item.pattern)


def _desk_gives(file: m.PolicyFile, item: str) -> bool:
    """Whether an act of the desk's gives a code out."""
    ways = [way for way in file.procedures.values() if way.kind is PathKind.DESK]
    return any(item in {*way.gives, *(name for one in way.variants for name in one.gives)} for way in ways)


def _item_cells(path: Path, item: m.ItemCell) -> Faults:
    cells = {"of": item.of is not None, "names": item.names is not None, "parts": bool(item.parts)}
    owned = item.kind in OWNED or item.registers is not None
    needed = {ItemKind.IDENTIFIER: "names", ItemKind.PAIR: "parts"}.get(item.kind, "of" if owned else "")
    texts = {"of": "on whom its secret is kept, such as `of: customer`", "names": "the kind of subject it names",
             "parts": "each part and the subject it names"}
    for cell, written in cells.items():
        if cell == needed and not written:
            yield Fault(path, f"an item of kind `{item.kind}` needs `{cell}:`; write {texts[cell]}")
        if cell != needed and written:
            yield Fault((*path, cell), f"an item of kind `{item.kind}` has no `{cell}:`; remove it")
    if item.kind is ItemKind.PAIR and len(item.parts) == 1:
        yield Fault((*path, "parts"), "a pair has at least two parts; write both")


def _item_extras(path: Path, item: m.ItemCell) -> Faults:
    """Cells that only some kinds have."""
    if item.purpose is not None and item.kind not in SENT:
        yield Fault((*path, "purpose"), f"an item of kind `{item.kind}` has no `purpose:`; only codes that are sent have")
    if item.registers is not None and item.kind is not ItemKind.DATA:
        yield Fault((*path, "registers"), f"an item of kind `{item.kind}` has no `registers:`; new addresses are of kind `data`")
    if item.registers is not None and item.of not in HAS_ADDRESSES:
        yield Fault((*path, "of"), "addresses are kept of customers and accounts; write `of: customer` or `of: account`")
    if item.kind is ItemKind.OCRA and item.of is not Reach.APP:
        yield Fault((*path, "of"), "the key of transaction signatures is an app's; write `of: app`")
    if item.digits is not None and item.kind not in SENT | BY_LETTER:
        yield Fault((*path, "digits"), f"an item of kind `{item.kind}` has no `digits:`; only what the bank makes and sends has")
    for cell in ("valid", "by_letter", "unchanged", "without"):
        if getattr(item, cell) is not None and item.kind not in SENT:
            yield Fault((*path, cell), f"an item of kind `{item.kind}` has no `{cell}:`; only codes that are sent have")


def _repeats(file: m.PolicyFile, _: Names) -> Faults:
    """Repeats that count once: of passwords alone, and never more of them remembered than may be entered before anything falls."""
    lowest: dict[str, int] = {}
    for row in rows(file) if any(item.repeats is not None for item in file.items.values()) else ():
        for stage in stages_of(file, row):
            lowest[row.item] = min(stage.cell.wrong, lowest.get(row.item, stage.cell.wrong))
    for name, item in file.items.items():
        path = ("items", name, "repeats")
        if item.repeats is None:
            continue
        if item.kind is not ItemKind.PASSWORD or item.renews is not None:
            yield Fault(path, "only a password that is compared here has `repeats:`; there are too few PINs and codes, so a copy would tell "
                              "which were tried")
        if item.repeats.kept > lowest.get(name, item.repeats.kept):
            yield Fault((*path, "kept"), f"a stage of this item falls at {lowest[name]}; remember no more than that")


def _resyncs(path: Path, item: m.ItemCell, file: m.PolicyFile) -> Faults:
    """Two codes of one token: both items are of a token, and of the same subject's."""
    token = file.items.get(item.resyncs or "")
    if item.kind is not ItemKind.TOTP:
        yield Fault(path, f"an item of kind `{item.kind}` has no `resyncs:`; only codes of a token have")
    elif token is None or token.kind is not ItemKind.TOTP or token.resyncs is not None:
        yield Fault(path, "this names no item that is one code of a token; write the name of one of kind `totp`")
    elif token.of is not item.of:
        yield Fault(path, f"that token is another's; write `of: {token.of}` on both")


def _pattern(path: Path, pattern: str) -> Faults:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        yield Fault(path, f"this is no regular expression ({error}); write one such as `[0-9]{{10}}`")


def _counters(file: m.PolicyFile, _: Names) -> Faults:
    for name, counter in file.counters.items():
        path = ("counters", name)
        said = forgetting(counter)
        if not said:
            yield Fault(path, "how this count forgets is not said; write `in_a_row: true`, `in_total: true` or "
                              "`within:` and a length of time")
        yield from one_forgetting(path, said)


def forgetting(cell: m.CounterCell | m.StageCell) -> list[str]:
    """Which words of a count say how it forgets."""
    return [word for word in ("in_a_row", "in_total", "within") if getattr(cell, word) is not None]


def one_forgetting(path: Path, said: list[str]) -> Faults:
    """A count forgets in one way."""
    for word in said[1:]:
        yield Fault((*path, word), f"a count forgets in one way only; keep `{said[0]}:` or `{word}:`")


PARTS = (_header, _items, _repeats, _counters)
