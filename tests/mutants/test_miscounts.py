"""Counting that is a little wrong, planted in the engine: histories at random against the auditor find each within a minute."""

import contextlib

import msgspec
import pytest
from histories import Histories, HistoriesOfDevices, HistoriesWithin, complaints
from hypothesis import Phase
from play import Play

from sekisho.core import attempt, budget, penalty
from sekisho.core.scene import Scene
from sekisho.core.state import Procedure
from sekisho.terms import Outcome, Verdict

QUICKLY = {"max_examples": 200, "phases": [Phase.generate], "print_blob": False, "report_multiple_bugs": False}


@contextlib.contextmanager
def _instead(owner, name, other):
    before = vars(owner)[name]
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, before)


_fire_owed = attempt._fire_owed


def _counts(scene):
    return [count for row in scene.rows.values() for count in row.counts.values()]


class LosesTheReservation(Play):
    """The guess is granted and never written down."""

    @staticmethod
    def reserve(scene, item):
        told = attempt.reserve(scene, item)
        scene.touched.clear()
        return told


class OneGuessTooMany(Play):
    """Thresholds off by one."""

    @staticmethod
    def reserve(scene, item):
        counts = [count for count in _counts(scene) if count.wrong]
        for count in counts:
            count.wrong -= 1
        told = attempt.reserve(scene, item)
        for count in counts:
            count.wrong += 1
        return told


class AsksNothingAtTheEnd(Play):
    """A lock that came meanwhile is not seen."""

    @staticmethod
    def settle(scene, taken, verdict):
        with _instead(Scene, "standing_lock", lambda *_: None), _instead(Scene, "alive", lambda _: True):
            return attempt.settle(scene, taken, verdict)


class RightClearsAll(Play):
    """A right entry takes back every item's failures, and those settled since."""

    @staticmethod
    def settle(scene, taken, verdict):
        told = attempt.settle(scene, taken, verdict)
        if told is Outcome.RIGHT:
            for count in _counts(scene):
                budget.zero(count)
        return told


class WrongUnderALockIsForgotten(Play):
    """What meets a lock is given back, right or wrong."""

    @staticmethod
    def settle(scene, taken, verdict):
        if verdict is Verdict.UNREAD or (scene.alive() and scene.standing_lock(taken.item) is None):
            return attempt.settle(scene, taken, verdict)
        attempt.settle(scene, taken, Verdict.UNREAD)
        return Outcome.REFUSED


class CountsOnTheFirstCounterOnly(Play):
    """A row with several counters moves one of them."""

    @staticmethod
    def settle(scene, taken, verdict):
        return attempt.settle(scene, msgspec.structs.replace(taken, notes=taken.notes[:1]), verdict)


class TimedLocksKeepTheirCount(Play):
    """When the lock ends the count stands."""

    @staticmethod
    def reserve(scene, item):
        for count in _counts(scene):
            count.zero_at = None
        return attempt.reserve(scene, item)


class LoweredThresholdsWait(Play):
    """A count over a lowered threshold is looked at as if it were not."""

    @staticmethod
    def reserve(scene, item):
        with _instead(penalty, "fire_overdue", lambda *_: False):
            return attempt.reserve(scene, item)


class OwedStagesRefuse(Play):
    """A lowered threshold refuses the entry it falls on, though what falls leaves that open."""

    @staticmethod
    def reserve(scene, item):
        fired = []
        with _instead(attempt, "_fire_owed", lambda *counted: fired.append(_fire_owed(*counted)) or fired[-1]):
            told = attempt.reserve(scene, item)
        if not any(fired) or isinstance(told, attempt.Refusal):
            return told
        attempt.settle(scene, told, Verdict.UNREAD)
        return attempt.Refusal(attempt.Why.SPENT)


class SessionsOutliveABlock(Play):
    """Who is logged in when login is blocked stays so."""

    @staticmethod
    def settle(scene, taken, verdict):
        marks = {key: guard.valid_after for key, guard in scene.guards.items()}
        told = attempt.settle(scene, taken, verdict)
        for key, guard in scene.guards.items():
            guard.valid_after = marks[key]
        return told


class RunsGoOn(Play):
    """A penalty that ends the run does not."""

    @staticmethod
    def settle(scene, taken, verdict):
        told = attempt.settle(scene, taken, verdict)
        scene.touched = {key for key in scene.touched if not isinstance(scene.rows[key], Procedure)}
        return told


class WindowsForgetEarly(Play):
    """By one part of the window."""

    @staticmethod
    def settle(scene, taken, verdict):
        told = attempt.settle(scene, taken, verdict)
        for count in _counts(scene):
            count.slices = [(end - 2_000_000 if end > scene.now else end, wrong) for end, wrong in count.slices]
        return told


class RightClearsEveryShare(Play):
    """A right entry from one device clears what was entered from others."""

    @staticmethod
    def settle(scene, taken, verdict):
        told = attempt.settle(scene, taken, verdict)
        if told == "right":
            for key, guard in scene.guards.items():
                for name, count in guard.counts.items():
                    if "/device-" in name:
                        budget.zero(count)
                        scene.touch(key)
        return told


class KnownDevicesAreStrangersToo(Play):
    """A device that has used up its share goes on with that of all others."""

    @staticmethod
    def reserve(scene, item):
        told = attempt.reserve(scene, item)
        if isinstance(told, attempt.Granted) or not scene.device:
            return told
        scene.device, scene.places = "", {}
        return attempt.reserve(scene, item)


FOUND_BY = {
    LosesTheReservation: Histories, OneGuessTooMany: Histories, AsksNothingAtTheEnd: Histories, RightClearsAll: Histories,
    WrongUnderALockIsForgotten: Histories, CountsOnTheFirstCounterOnly: Histories, TimedLocksKeepTheirCount: Histories,
    LoweredThresholdsWait: Histories, OwedStagesRefuse: Histories, SessionsOutliveABlock: Histories,
    RunsGoOn: Histories, WindowsForgetEarly: HistoriesWithin, RightClearsEveryShare: HistoriesOfDevices,
    KnownDevicesAreStrangersToo: HistoriesOfDevices,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("planted", FOUND_BY, ids=lambda planted: planted.__name__)
def test_the_planted_miscount_is_found(planted):
    assert complaints(FOUND_BY[planted], planted, **QUICKLY) != []


@pytest.mark.parametrize("machine", [Histories, HistoriesWithin])
def test_nothing_is_found_where_nothing_is_planted(machine):
    assert complaints(machine, **{**QUICKLY, "max_examples": 15}) == []
