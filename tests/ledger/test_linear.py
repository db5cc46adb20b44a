"""Whatever clients ask at once, they are told what one counter could have told them one after the other."""

import asyncio
import contextlib

import pytest
from house import House
from linear import NEVER, Asked, Operation, Recorder, complaints, lapsing
from recorded import CUSTOMER, POLICY, STAGES, record
from scale import times

THREE = {3: True}
"""Three wrong ones, then closed until released."""

LEGAL = {
    "three wrong ones and the door is closed": "1-2 guess wrong -> wrong; 3-4 guess wrong -> wrong; 5-6 guess wrong -> wrong; 7-8 guess right -> locked",
    "four at once, one of them too late": "1-5 guess wrong -> wrong; 2-6 guess wrong -> locked; 3-7 guess wrong -> wrong; 4-8 guess wrong -> wrong",
    "a refusal for now may have no reason": "1-2 guess right -> again; 3-4 reserve a -> again; 5-6 release here -> again; 7-8 look -> again",
    "all guesses are in flight": "1-2 reserve a -> granted; 3-4 reserve b -> granted; 5-6 reserve c -> granted; 7-8 guess right -> again; 9-10 look -> 0 3 open",
    "a right one takes back what stood before": "1-2 guess wrong -> wrong; 3-4 guess right -> right; 5-6 look -> 0 0 open",
    "a right one takes back no more than what stood when it was admitted":
        "1-2 guess wrong -> wrong; 3-4 reserve a -> granted; 5-6 guess wrong -> wrong; 7-8 settle right a -> right; 9-10 look -> 1 0 open",
    "two right ones take back the same once":
        "1-2 guess wrong -> wrong; 3-4 reserve a -> granted; 5-6 reserve b -> granted; 7-8 settle right a -> right; 9-10 guess wrong -> wrong; "
        "11-12 settle right b -> right; 13-14 look -> 1 0 open",
    "what is unread comes back": "1-2 reserve a -> granted; 3-4 settle unread a -> unread; 5-6 look -> 0 0 open",
    "a right one that meets a lock is void, a wrong one stands":
        "1-2 guess wrong -> wrong; 3-4 reserve a -> granted; 5-6 reserve b -> granted; 7-8 close -> closed; 9-10 settle right a -> refused; "
        "11-12 settle wrong b -> refused; 13-14 look -> 2 0 locked; 15-16 release elsewhere -> lifted; 17-18 guess wrong -> wrong; 19-20 guess right -> locked",
    "a release begins anew": "1-2 guess wrong -> wrong; 3-4 guess wrong -> wrong; 5-6 guess wrong -> wrong; 7-8 release here -> lifted; 9-10 guess wrong -> wrong; 11-12 look -> 1 0 open",
    "there is nothing to release": "1-2 guess wrong -> wrong; 3-4 release here -> nothing",
    "nobody heard, and it happened": "1-? guess wrong -> ?; 2-3 look -> 0 0 open; 4-5 look -> 1 0 open",
    "nobody heard, and it never happened": "1-? guess wrong -> ?; 2-3 guess wrong -> wrong; 4-5 look -> 1 0 open",
    "nobody heard, and the lease ran out": "1-? reserve a -> ?; 2-3 look -> 0 1 open; 4-5 look -> 1 0 open; 6-7 settle right a -> twice",
    "a look in between sees either": "1-4 guess wrong -> wrong; 2-3 look -> 1 0 open; 5-6 look -> 1 0 open",
}

ILLEGAL = {
    "four verdicts at a budget of three": "1-5 guess wrong -> wrong; 2-6 guess wrong -> wrong; 3-7 guess wrong -> wrong; 4-8 guess wrong -> wrong",
    "four guesses in flight": "1-5 reserve a -> granted; 2-6 reserve b -> granted; 3-7 reserve c -> granted; 4-8 reserve d -> granted",
    "a failure that was told is lost": "1-2 guess wrong -> wrong; 3-4 look -> 0 0 open",
    "a failure that was told is lost at the next restart": "1-2 guess wrong -> wrong; 3-4 guess wrong -> wrong; 5-6 look -> 2 0 open; 7-8 look -> 1 0 open",
    "closed without a reason": "1-2 guess wrong -> wrong; 3-4 guess wrong -> wrong; 5-6 guess right -> locked",
    "the lock is gone and nobody released it":
        "1-2 guess wrong -> wrong; 3-4 guess wrong -> wrong; 5-6 guess wrong -> wrong; 7-8 guess right -> locked; 9-10 guess wrong -> wrong",
    "a late right one takes back too much":
        "1-2 reserve a -> granted; 3-4 guess wrong -> wrong; 5-6 settle right a -> right; 7-8 look -> 0 0 open",
    "a late right one is let in past the lock": "1-2 reserve a -> granted; 3-4 close -> closed; 5-6 settle right a -> right",
    "a late right one wipes the lock": "1-2 reserve a -> granted; 3-4 close -> closed; 5-6 settle right a -> refused; 7-8 look -> 0 0 open",
    "a wrong one that met a lock is forgotten": "1-2 reserve a -> granted; 3-4 close -> closed; 5-6 settle wrong a -> refused; 7-8 look -> 0 0 locked",
    "one guess has two verdicts": "1-2 reserve a -> granted; 3-4 settle right a -> right; 5-6 settle wrong a -> wrong",
    "what is unread was counted": "1-2 reserve a -> granted; 3-4 settle unread a -> unread; 5-6 look -> 1 0 open",
    "nobody heard, and it happened twice": "1-? guess wrong -> ?; 2-3 look -> 2 0 open",
    "nobody heard, and it happened before it was asked": "1-2 look -> 1 0 open; 3-? guess wrong -> ?",
    "the release did nothing": "1-2 guess wrong -> wrong; 3-4 guess wrong -> wrong; 5-6 guess wrong -> wrong; 7-8 release here -> lifted; 9-10 look -> 3 0 open",
    "the lease gave the guess back": "1-2 reserve a -> granted; 3-4 settle right a -> twice; 5-6 look -> 0 0 open",
    "a look sees what a later one does not": "1-6 guess wrong -> wrong; 2-3 look -> 1 0 open; 4-5 look -> 0 0 open",
}


def written(history):
    """A history as it stands in the tables above."""
    return [_operation(line.strip()) for line in history.split(";")]


def _operation(line):
    asked, _, told = line.partition(" -> ")
    (called, returned), (what, *words) = asked.split()[0].split("-"), asked.split()[1:]
    verdict = next((word for word in words if word in {"right", "wrong", "unread"}), "")
    name = next((word for word in words if word != verdict), "")
    seen = told.split()
    if len(seen) == 3:
        told = (int(seen[0]), int(seen[1]), seen[2] == "locked")
    return Operation(int(called), NEVER if returned == "?" else int(returned), Asked(what, verdict, name), None if told == "?" else told)


@pytest.mark.parametrize("name", LEGAL)
def test_what_one_counter_could_have_told_is_accepted(name):
    assert complaints(lapsing(written(LEGAL[name])), THREE) == []


@pytest.mark.parametrize("name", ILLEGAL)
def test_what_no_counter_could_have_told_is_found(name):
    assert complaints(lapsing(written(ILLEGAL[name])), THREE) != []


def test_a_history_says_what_was_asked_and_told():
    assert "3-4      look -> (0, 0, False)" in complaints(written(ILLEGAL["a failure that was told is lost"]), THREE)[0]


@pytest.mark.parametrize("seed", range(times(6, full=200)))
def test_real_histories_are_those_of_one_counter(place, seed):
    """Eight clients at two nodes over one place, or at one where the store is this process's own."""
    async def story():
        async with contextlib.AsyncExitStack() as open_houses:
            number = 1 if place.kind == "memory" else 2
            houses = [await open_houses.enter_async_context(House(place.open(), POLICY, batch_max=1 + seed % 7)) for _ in range(number)]
            await houses[0].enrol(CUSTOMER)
            await record(houses, seed, recorder)
    recorder = Recorder()
    asyncio.run(story())
    history = recorder.history
    assert sum(one.told in {"wrong", "right", "granted"} for one in history) >= 5
    assert complaints(lapsing(history), STAGES) == []
