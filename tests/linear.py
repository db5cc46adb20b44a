"""Is a history of many clients at once what one counter, asked one client at a time, could have told?

Three parts: what was asked and told (`Operation`, written down by `Recorder`), what one counter does when it is asked one
thing after the other (`Counter`, the model), and the search for an order of the operations that the model could have
gone through and in which nobody is answered before he has asked (Wing and Gong; Lowe's memory of what was tried before).

Two things are not known from outside. A refusal `again` may be spurious: it is always allowed and changes nothing. An
operation that nobody heard the answer of may have happened once or not at all.
"""

import itertools
import math
from typing import NamedTuple

from sekisho.errors import LedgerUnavailable, UnknownFate

NEVER = math.inf
"""When an operation returned of which nobody heard."""


# What was asked and told.

class Asked(NamedTuple):
    """`guess` (reserve, compare and settle in one), `reserve`, `settle`, `close` (a lock falls elsewhere), `release` or `look`."""

    what: str
    verdict: str = ""
    name: str = ""
    """Of the guess that is reserved or settled; where the lock that is released came from: `here` or `elsewhere`."""


class Operation(NamedTuple):
    """One thing asked. `told` is None, and it never returned, where nobody heard the answer."""

    called: float
    returned: float
    asked: Asked
    told: object

    def __str__(self):
        words = " ".join(filter(None, self.asked))
        return f"{self.called:>6}-{self.returned:<6} {words} -> {'?' if self.told is None else self.told}"


class Recorder:
    """Writes down what clients ask and are told. `then` gives the moments: only their order counts."""

    def __init__(self, then=None):
        self.history = []
        self._then = then or itertools.count().__next__

    async def ask(self, asked, answer, unheard=(UnknownFate,)):
        """Await the answer and write it down; a plain no is `again`, and what is unheard returned never."""
        called = self._then()
        try:
            told = await answer
        except unheard:
            told = None
        except LedgerUnavailable:
            told = "again"
        self.history.append(Operation(called, NEVER if told is None else self._then(), asked, told))
        return told


def lapsing(history):
    """The history, and for each guess whose verdict nobody heard a lapse that may have come: its lease counts it as wrong."""
    heard = {one.asked.name for one in history if one.asked.what == "settle" and one.told not in (None, "again", "twice")}
    taken = [one for one in history if one.asked.what == "reserve" and one.told in (None, "granted") and one.asked.name not in heard]
    return history + [Operation(one.called, NEVER, Asked("settle", "wrong", one.asked.name), None) for one in taken]


# The model: one counter, asked one thing after the other.

class Count(NamedTuple):
    """What stands, the highest stage that fell, where locks came from, and the guesses in flight with what a right one takes back."""

    wrong: int = 0
    fired: int = 0
    locks: frozenset = frozenset()
    flight: frozenset = frozenset()


class Counter:
    """A counter in a row. `stages`: at how many wrong entries something falls, and whether it locks until released."""

    def __init__(self, stages):
        self.stages = sorted(stages.items())

    def may(self, count, asked):
        """All that may be told, and what is then: (told, count)."""
        yield "again", count
        yield from getattr(self, f"_{asked.what}")(count, asked)

    def _guess(self, count, asked):
        for told, taken in self._reserve(count, asked):
            if told == "granted":
                yield from self._settle(taken, asked)
            else:
                yield told, taken

    def _reserve(self, count, asked):
        left = [wrong for wrong, _ in self.stages if wrong > count.fired]
        if count.locks:
            yield "locked", count
        elif not left:
            yield "spent", count
        elif count.wrong + len(count.flight) < left[0]:
            # A right answer to this guess will take back what stands now, and nothing that comes later.
            yield "granted", count._replace(flight=count.flight | {(asked.name, count.wrong)})

    def _settle(self, count, asked):
        taken = next((one for one in count.flight if one[0] == asked.name), None)
        if taken is None:
            yield "twice", count
            return
        count = count._replace(flight=count.flight - {taken})
        void = bool(count.locks)
        if asked.verdict == "wrong":
            count = self._fall(count._replace(wrong=count.wrong + 1))
        elif asked.verdict == "right" and not void:
            count = _taken_back(count, taken[1])
        yield "refused" if void and asked.verdict != "unread" else asked.verdict, count

    def _fall(self, count):
        due = [(wrong, locks) for wrong, locks in self.stages if count.fired < wrong <= count.wrong]
        locks = count.locks | {"here" for _, locks in due if locks}
        return count._replace(fired=max([count.fired, *(wrong for wrong, _ in due)]), locks=locks)

    @staticmethod
    def _close(count, asked):
        if "elsewhere" in count.locks:
            yield "nothing", count
        else:
            yield "closed", count._replace(locks=count.locks | {"elsewhere"})

    @staticmethod
    def _release(count, asked):
        left = count._replace(locks=count.locks - {asked.name})
        if left == count:
            yield "nothing", count
        else:
            yield "lifted", _taken_back(left, count.wrong) if asked.name == "here" else left

    @staticmethod
    def _look(count, asked):
        yield (count.wrong, len(count.flight), bool(count.locks)), count


def _taken_back(count, number):
    """The oldest wrong entries are taken back; whoever else would have taken them takes so many fewer."""
    left = count.wrong - number
    flight = frozenset((name, max(0, takes - number)) for name, takes in count.flight)
    return count._replace(wrong=left, fired=count.fired if left else 0, flight=flight)


CHANGES_NOTHING = frozenset({"again", "locked", "spent", "nothing", "twice"})
"""Told these, the counter is as it was; as after every look."""


# The search.

def explained(history, model, start=None):
    """Whether there is an order of the history that the model could have gone through."""
    operations = sorted(history, key=lambda one: one.called)
    heard = sum(1 << n for n, one in enumerate(operations) if one.told is not None)
    begin = (0, Count() if start is None else start)
    tried, to_try = {begin}, [begin]
    while to_try:
        done, count = to_try.pop()
        if done & heard == heard:
            return True
        for after in _after(operations, done, count, model):
            if after not in tried:
                tried.add(after)
                to_try.append(after)
    return False


def _after(operations, done, count, model):
    """(what is done, the count) after each operation that may come next; what was heard of is tried first."""
    found = []
    for n in sorted(_next(operations, done), key=lambda n: operations[n].told is not None):
        asked, told = operations[n].asked, operations[n].told
        for said, then in model.may(count, asked):
            if said == told and (said in CHANGES_NOTHING or asked.what == "look"):
                # It changes nothing, and it may be now: there is no need to try it later.
                return [(done | 1 << n, then)]
            if said == told or (told is None and then != count):
                found.append((done | 1 << n, then))
    return found


def _next(operations, done):
    """The operations that may be the next: asked before any other that is not done was answered."""
    waiting, first_answer = [], NEVER
    for n in range((~done & (done + 1)).bit_length() - 1, len(operations)):
        one = operations[n]
        if one.called > first_answer:
            break
        if not done >> n & 1:
            waiting.append(n)
            first_answer = min(first_answer, one.returned)
    return [n for n in waiting if operations[n].called <= first_answer]


def complaints(history, stages):
    """Nothing where the history is in order; else the history, to be read."""
    if explained(history, Counter(stages)):
        return []
    return ["no order of these explains what was told:\n" + "\n".join(str(one) for one in sorted(history, key=lambda one: one.called))]
