"""The guess budget: what a counter still allows, and what one settled guess does to it.

A counter holds `w`, the wrong entries that stand, and `f`, the guesses in flight. A guess is taken before a proof is
looked at and only while w + f is below the lowest stage that has not fired, so that whatever the guesses in flight turn
out to be, no stage is ever passed. Nothing here knows a clock: `now` is an argument, in microseconds.
"""

from __future__ import annotations

from sekisho.core.state import SECOND, Count, Note, Tally
from sekisho.policy.table import Counter, Repeats, Stage
from sekisho.terms import Counting, Verdict

SLICES = 32
"""Parts of a window. A wrong entry is forgotten up to one part late, never early."""

CARRIED = "*"
"""The tally of counts whose item is no longer known: imported, or kept while a policy changed. No success clears it."""

_IN_A_ROW, _WITHIN = Counting.IN_A_ROW, Counting.WITHIN
_RIGHT, _WRONG = Verdict.RIGHT, Verdict.WRONG


def zero(count: Count) -> None:
    """End the run: nothing stands any more. Guesses in flight stay in flight."""
    count.run += 1
    count.wrong = count.fired = 0
    count.tallies = {}
    count.slices = []
    count.tags = []
    count.zero_at = None


def refresh(count: Count, counter: Counter, now: int) -> None:
    """Let pass what time takes: the count of a timed lock that ended, and what has left the window."""
    if count.zero_at is not None and now >= count.zero_at:
        zero(count)
    if counter.counting is _WITHIN:
        _slide(count, counter, now)
    elif count.slices:
        _unslice(count)


def _slide(count: Count, counter: Counter, now: int) -> None:
    if count.tallies:
        _slice_tallies(count, counter, now)
    oldest = now - (counter.window_s or 0) * SECOND
    if not count.slices or count.slices[0][0] > oldest:
        return
    kept = count.slices = [part for part in count.slices if part[0] > oldest]
    count.wrong = sum(wrong for _, wrong in kept)
    # Below a stage that fired, that stage can be reached anew.
    count.fired = min(count.fired, count.wrong)
    if not kept:
        zero(count)


def _slice_tallies(count: Count, counter: Counter, now: int) -> None:
    """The policy now counts within a window: what stood before is dated from now."""
    for tally in count.tallies.values():
        _add_to_slice(count, counter, now, tally.wrong)
    count.tallies = {}


def _unslice(count: Count) -> None:
    """The policy no longer counts within a window: what stood there stands until a release, also for whoever was admitted before there was one."""
    count.run += 1
    carried = count.tallies.setdefault(CARRIED, Tally())
    carried.settled += sum(wrong for _, wrong in count.slices)
    count.slices = []


def _add_to_slice(count: Count, counter: Counter, now: int, wrong: int) -> None:
    width = max(1, (counter.window_s or 0) * SECOND // SLICES)
    # A slice is dated by its end, so that the last entry in it stays for the whole window.
    end = now - now % width + width
    if count.slices and count.slices[-1][0] == end:
        wrong += count.slices.pop()[1]
    count.slices.append((end, wrong))


def has_room(count: Count, counter: Counter, now: int) -> bool:
    """Whether one more guess may be in flight: w + f is below the lowest stage that has not fired."""
    refresh(count, counter, now)
    fired = count.fired
    for stage in counter.stages:
        if stage.wrong > fired:
            return count.wrong + count.flight < stage.wrong
    return not counter.stages


def unfired(count: Count, counter: Counter) -> Stage | None:
    """The lowest stage that has not fired in this run; None when all have, or there is none."""
    fired = count.fired
    for stage in counter.stages:
        if stage.wrong > fired:
            return stage
    return None


def reserve(count: Count, key: str, counter: Counter, item: str) -> Note:
    """Take one guess, and remember what a right answer to it may take back."""
    count.flight += 1
    tally = count.tallies.get(item)
    return Note(key, counter.name, count.run, tally.settled if tally else 0)


def settle(count: Count, counter: Counter, item: str, note: Note, verdict: Verdict, now: int) -> None:
    """Give one guess its verdict.

    Wrong stays; unread goes back; right goes back and, in a row, takes with it what was settled when it was admitted:
    of its own item only, and nothing if that run has ended since, or was another count's that has been folded into this one.
    """
    if count.flight:
        count.flight -= 1
    if verdict is _WRONG:
        add(count, counter, item, 1, now)
    elif verdict is _RIGHT and counter.counting is _IN_A_ROW and (note.counter, note.run) == (counter.name, count.run):
        _clear(count, item, note.settled)


def add(count: Count, counter: Counter, item: str, wrong: int, now: int) -> None:
    """Put wrong entries on a counter; it fires nothing."""
    count.wrong += wrong
    if counter.counting is _WITHIN:
        _add_to_slice(count, counter, now, wrong)
        return
    tally = count.tallies.get(item)
    if tally is None:
        tally = count.tallies[item] = Tally()
    tally.settled += wrong


def has_counted(count: Count, counter: Counter, tag: bytes, repeats: Repeats, now: int) -> bool:
    """Whether this very wrong entry stands on the count already."""
    return any(kept == tag for kept, _ in _fresh(count, counter, repeats, now))


def note_counted(count: Count, counter: Counter, tag: bytes, repeats: Repeats, now: int) -> None:
    """Remember by its tag that a wrong entry was counted here. The oldest give way."""
    kept = [one for one in _fresh(count, counter, repeats, now) if one[0] != tag]
    count.tags = [*kept, (tag, now)][-repeats.kept:]


def _fresh(count: Count, counter: Counter, repeats: Repeats, now: int) -> list[tuple[bytes, int]]:
    """Tags that have not aged out. None outlives the window its entry is counted in: what is tagged stands."""
    life_s = min(repeats.for_s, counter.window_s or repeats.for_s)
    return [one for one in count.tags if now < one[1] + life_s * SECOND]


def give_back(count: Count, wrong: int) -> None:
    """Take back wrong entries that were none after all: the oldest of what stands, so that nothing is forgotten early."""
    left = min(wrong, count.wrong)
    count.wrong -= left
    count.tags = []
    kept = []
    for end, number in count.slices:
        gone = min(left, number)
        left -= gone
        if number > gone:
            kept.append((end, number - gone))
    count.slices = kept
    for tally in count.tallies.values():
        gone = min(left, tally.wrong)
        tally.cleared += gone
        left -= gone


def _clear(count: Count, item: str, settled: int) -> None:
    tally = count.tallies.get(item)
    if tally is None or settled <= tally.cleared:
        return
    count.wrong -= settled - tally.cleared
    tally.cleared = settled
    # Which of the tagged entries it took back is not known: none of them is forgiven again.
    count.tags = []
    if not count.wrong:
        zero(count)
