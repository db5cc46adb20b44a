"""Known devices: those a subject has proved himself from. Where the policy keeps a share of a count for them, each has its own.

A subject has as many places as the policy says, and a device has one of them. What was counted on a place stays there when another
device gets it, so that no change of devices brings a guess. Why so: `docs/why/known-devices.md`.
"""

from __future__ import annotations

from sekisho.core import budget
from sekisho.core.state import DEVICES, SECOND, Count, Device, Guard
from sekisho.policy.table import Counter, Devices, Table, share_name

USED = 3600
"""How exactly it is known when a device was last used, so that not every login writes it down. Seconds."""


def place_of(guard: Guard, device: str, rules: Devices, now: int) -> int:
    """The place of a device among those a subject knows; 0: it is not known."""
    for one in guard.devices:
        if one.id == device:
            return one.place if _known(one, rules, now) else 0
    return 0


def _known(one: Device, rules: Devices, now: int) -> bool:
    return now < one.seen + rules.kept_s * SECOND and one.place <= rules.remembered


def remember(guard: Guard, device: str, table: Table, now: int) -> bool:
    """The subject has proved himself from this device: it is known from now on. Whether it is.

    The one unused for the longest time gives way. A place that is locked keeps its device until the lock is lifted, so that
    whoever was right from a new device is not refused for what was entered from another.
    """
    rules = table.devices
    if rules is None or not device or not guard.known:
        return False
    here = [one for one in guard.devices if _known(one, rules, now)]
    own = next((one for one in here if one.id == device), None)
    if own is not None:
        if now < own.seen + USED * SECOND:
            return True
        own.seen = now
    else:
        place = _place_for(guard, here, rules, now)
        if place is None:
            return False
        here = [one for one in here if one.place != place]
        here.append(Device(device, place, now, now))
    guard.devices = here
    guard.v = DEVICES
    return True


def is_new(guard: Guard, device: str, now: int) -> bool:
    """Whether a device became known just now."""
    return any(one.id == device and one.since == now for one in guard.devices)


def _place_for(guard: Guard, here: list[Device], rules: Devices, now: int) -> int | None:
    """A free place, else that of the device unused for the longest time; None: all are locked."""
    locked = {lock.whom for lock in guard.locks if lock.stands(now)}
    taken = {one.place for one in here}
    free = [place for place in range(1, rules.remembered + 1) if place not in taken and share_name(place) not in locked]
    if free:
        return free[0]
    old = [one for one in here if share_name(one.place) not in locked]
    return min(old, key=lambda one: one.seen).place if old else None


def share(guard: Guard, counter: Counter, place: int, now: int) -> tuple[Count, Counter]:
    """The share of a known device, and its counter. What stands beyond the figures of the other shares is taken from one that begins to stand."""
    mine = counter.shares[place - 1]
    count = guard.counts.get(mine.name)
    if count is None:
        count = guard.counts[mine.name] = _fresh(now)
        beyond = _beyond_others(guard, counter, mine)
        if beyond:
            budget.add(count, mine, budget.CARRIED, beyond, now)
        _note_share(guard, mine)
    return count, mine


def _fresh(now: int) -> Count:
    """A share that begins. Its runs are like none that one of its name had before: what was in flight there then clears nothing here."""
    return Count(run=now)


def _beyond_others(guard: Guard, counter: Counter, mine: Counter) -> int:
    """How much stands on all other shares together, or is in flight there, beyond what each of them comes to."""
    others = [(count, one) for one in (counter, *counter.shares) if one is not mine and (count := guard.counts.get(one.name)) is not None]
    return sum(max(0, count.wrong + count.flight - one.stages[-1].wrong) for count, one in others)


def _take_beyond(guard: Guard, counter: Counter, count: Count, share: Counter, now: int) -> None:
    """What stands on a count, or is in flight there, beyond the share of all others, stands on this share too."""
    whole = guard.counts.get(counter.name)
    if whole is None:
        return
    missing = whole.wrong + whole.flight - counter.stages[-1].wrong - count.wrong
    if missing > 0:
        budget.add(count, share, budget.CARRIED, missing, now)


def recut(guard: Guard, counter: Counter, now: int) -> None:
    """Where the policy shares a count out anew, what any share is beyond its new figures is taken from all the others.

    Else the change itself would bring guesses: those whose share has shrunk have had theirs, and the others would get what is cut off.
    """
    if guard.places > len(counter.shares):
        fold(guard, counter, now)
    if counter.shares:
        _take_from_others(guard, counter, now)
    else:
        guard.cuts.pop(counter.name, None)


def _take_from_others(guard: Guard, counter: Counter, now: int) -> None:
    cut = [len(counter.shares), *(stage.wrong for one in (counter, counter.shares[0]) for stage in one.stages)]
    before = guard.cuts.get(counter.name, [])
    if cut == before:
        return
    guard.cuts[counter.name] = cut
    shares = (counter, *counter.shares)
    beyond = {one.name: _beyond(guard, one, _figures(before, cut, whole=one is counter), now) for one in shares}
    total = sum(beyond.values())
    if not total:
        return
    taken = [(one, total - beyond[one.name] if one.name in guard.counts else max(total, _beyond_others(guard, counter, one))) for one in shares]
    for one, wrong in taken:
        if wrong:
            budget.add(guard.counts.setdefault(one.name, _fresh(now)), one, budget.CARRIED, wrong, now)
    _note_share(guard, counter.shares[-1])


def _figures(before: list[int], cut: list[int], *, whole: bool) -> list[int] | None:
    """By stage: the most that could stand on a share before without being news now; None: it was shared out for the first time.

    A lower stage that stands as it did may have been passed long ago. Up to any other, all counts that could stand at all.
    """
    if not before:
        return None
    stages = len(before) // 2
    others, each = before[1:stages + 1], before[stages + 1:]
    # Places that are gone have been folded into what all others have.
    folded = max(0, before[0] - cut[0])
    had = [one + folded * two for one, two in zip(others, each, strict=True)] if whole else each
    passed = dict(zip(_totals(before)[:-1], had, strict=False))
    return [*(passed.get(total, had[-1]) for total in _totals(cut)[:-1]), had[-1]]


def _totals(cut: list[int]) -> list[int]:
    """The stages of the count as the policy writes them: what all shares come to."""
    stages = len(cut) // 2
    return [one + cut[0] * two for one, two in zip(cut[1:stages + 1], cut[stages + 1:], strict=True)]


def _beyond(guard: Guard, share: Counter, figures: list[int] | None, now: int) -> int:
    """How much more stands on a share, or is in flight there, than its figures are now. What was beyond those before is no news."""
    count = guard.counts.get(share.name)
    if count is None:
        return 0
    budget.refresh(count, share, now)
    used = count.wrong + count.flight
    most = figures or [used] * len(share.stages)
    return max(0, *(min(used, had) - stage.wrong for had, stage in zip(most, share.stages, strict=True)))


def spread(guard: Guard, counter: Counter, now: int) -> None:
    """A count was raised from outside: what is beyond the share of all others is taken from every share that stands."""
    for mine in counter.shares:
        count = guard.counts.get(mine.name)
        if count is not None:
            budget.refresh(count, mine, now)
            _take_beyond(guard, counter, count, mine, now)


def _note_share(guard: Guard, share: Counter) -> None:
    """A share of a known device stands on this row from now on."""
    guard.places = max(guard.places, int(share.name.rpartition("-")[2]))
    guard.v = DEVICES


def fold(guard: Guard, counter: Counter, now: int) -> None:
    """Shares that the policy no longer has go back into the count they were shares of, with what is in flight on them."""
    for place in range(len(counter.shares) + 1, guard.places + 1):
        gone = guard.counts.pop(f"{counter.name}/{share_name(place)}", None)
        if gone is None:
            continue
        whole = guard.counts.get(counter.name)
        if whole is None:
            whole = guard.counts[counter.name] = Count()
        whole.flight += gone.flight
        budget.refresh(gone, counter, now)
        if gone.wrong:
            budget.add(whole, counter, budget.CARRIED, gone.wrong, now)


def settled_on(guard: Guard, name: str, table: Table, now: int) -> str:
    """Where a guess is settled that was taken from a count: on what it was a share of, where the policy has no such share any more.

    There it is too where the share has come back since, with nothing in flight.
    """
    whole = table.counters.get(whole_of(name))
    if whole is None or name in table.counters:
        return name if name in guard.counts and guard.counts[name].flight else whole_of(name)
    fold(guard, whole, now)
    return whole.name


def whole_of(counter: str) -> str:
    """The counter that a share was taken from, by the share's name."""
    return counter.partition(f"/{share_name(0)[:-1]}")[0]


__all__ = ["fold", "is_new", "place_of", "recut", "remember", "settled_on", "share", "spread", "whole_of"]
