"""Never one guess more than the table allows: in parallel, in several processes, right racing wrong."""

import asyncio
import collections
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from guesser import BUDGET, TABLE
from house import House
from places import store_at
from scale import times
from tables import counter, lock, row, stage, table
from trail import audit

pytestmark = pytest.mark.timeout(times(300, full=3_600))

HERE = Path(__file__).parent
ROUNDS = times(12, full=1_000)
"""Of sixty-four guesses each."""

PROCESSES = {"sqlite": 2, "postgres": 4}


def login(wrong=BUDGET):
    return table(row("login", "password", counter("c", "customer", stage(wrong, lock("login"), row="R"))))


@pytest.fixture
def told(place):
    def play(story, policy=TABLE):
        async def all_of_it():
            async with House(place.open(), policy) as house:
                await story(house)
        asyncio.run(all_of_it())
    return play


@pytest.mark.parametrize("lane", ["fast", "slow"])
def test_of_sixty_four_wrong_guesses_at_once_exactly_the_budget_gets_a_verdict(told, lane):
    async def story(house):
        for number in range(ROUNDS):
            customer = f"customer:{number}"
            await house.enrol(customer)
            runs = [await house.begin(f"procedure:{number}-{n}", customer=customer) for n in range(64)]
            guess = house.enter if lane == "fast" else house.slow
            answers = collections.Counter(await asyncio.gather(*[guess(run, "wrong") for run in runs]))
            assert answers == {"wrong": BUDGET, "locked": 64 - BUDGET}
            assert await house.count(customer) == (BUDGET, 0) and await house.locks(customer) == ["R"]
    told(story)


def test_the_right_one_among_sixty_four_wins_as_often_as_it_comes_early_enough(told):
    """Guessing at once buys nothing: a stranger who has it among sixty-four gets it looked at in ten of sixty-four rounds."""
    chance, rounds = random.Random(64), times(100, full=10_000)
    won = []

    async def story(house):
        for number in range(rounds):
            customer, verdicts = f"customer:{number}", ["right"] + ["wrong"] * 63
            chance.shuffle(verdicts)
            await house.enrol(customer)
            run = await house.begin(f"procedure:{number}", customer=customer)
            answers = await asyncio.gather(*[house.enter(run, verdict) for verdict in verdicts])
            won.append("right" in answers)
            # A right one clears what came before it; what comes after is a row of its own.
            assert answers.count("wrong") == BUDGET + (verdicts.index("right") if won[-1] else 0)
    told(story)
    fair = BUDGET / 64
    assert abs(sum(won) / rounds - fair) <= 3 * (fair * (1 - fair) / rounds) ** 0.5


class Pool:
    """Processes that wait for a file or database to guess at. They take longer to start than to guess, so they are kept."""

    def __init__(self):
        paths = [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        self._env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        self._processes = []

    def take(self, number):
        """So many that live."""
        alive = [one for one in self._processes if one.poll() is None]
        self._processes = alive + [self._started() for _ in range(number - len(alive))]
        return self._processes[:number]

    def _started(self):
        return subprocess.Popen([sys.executable, str(HERE / "guesser.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self._env)

    def close(self):
        for one in self._processes:
            one.stdin.close()
            one.wait(timeout=20)
            one.stdout.close()


@pytest.fixture(scope="module")
def guess_at():
    """Begins to guess at a place, in as many processes as there are for its kind."""
    pool = Pool()
    yield lambda place, fold_at=300: Guessers(pool.take(PROCESSES[place.kind]), place, fold_at)
    pool.close()


class Guessers:
    """Processes over one file or database. What all are told they are told at the same moment, `{}` being each one's own number."""

    def __init__(self, processes, place, fold_at):
        self.processes, self._open = processes, f"open {place.at} {fold_at}"

    def __enter__(self):
        assert self.all(self._open) == ["ready"] * len(self.processes)
        return self

    def all(self, words):
        """What each of them was told."""
        for n, process in enumerate(self.processes):
            self._tell(process, words.replace("{}", str(n)))
        return self._answers()

    def one(self, number, words):
        """What one of them was told."""
        self._tell(self.processes[number], words)
        return json.loads(self.processes[number].stdout.readline())

    def count(self, words):
        """What all of them were told, together."""
        return sum(map(collections.Counter, self.all(words)), collections.Counter())

    def round(self, name, customer, verdict, lane, together, operation="login"):
        """So many guesses at one customer at once."""
        return self.count(f"round {name}-{{}} {customer} {verdict} {lane} {together // len(self.processes)} {operation}")

    def _tell(self, process, words):
        process.stdin.write(f"{words}\n")
        process.stdin.flush()

    def _answers(self):
        return [json.loads(process.stdout.readline()) for process in self.processes]

    def __exit__(self, failed, *_):
        if failed is None:
            assert self.all("close") == ["closed"] * len(self.processes)
            return
        # Nobody knows what they are at: others take their place.
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("lane", ["fast", "slow"])
def test_in_several_processes_exactly_the_budget_gets_a_verdict(durable, guess_at, lane):
    asyncio.run(_prepare(durable))
    with guess_at(durable) as guessers:
        for number in range(ROUNDS):
            answers = guessers.round(f"{lane}-{number}", f"customer:{number}", "wrong", lane, 64)
            assert answers == {"wrong": BUDGET, "locked": 64 - BUDGET}, number
    assert asyncio.run(_audited(durable)) == []


def test_in_several_processes_a_million_guesses_get_no_verdict_over_the_budget(durable, guess_at):
    """Many customers at once, so that many rows change hands in every batch; at each of them many times the budget."""
    customers, rounds, together = times((16, 2, 64), full=(128, 31, 256))
    asyncio.run(_prepare(durable, customers * rounds))
    with guess_at(durable, fold_at=20_000) as guessers:
        for number in range(rounds):
            asked = [f"customer:{n}" for n in range(number * customers, (number + 1) * customers)]
            told = guessers.count(f"storm {number}-{{}} {','.join(asked)} {together // len(guessers.processes)}")
            each = {"wrong": BUDGET, "locked": together - BUDGET}
            assert told == {f"{customer} {word}": number for customer in asked for word, number in each.items()}
    wrong = asyncio.run(_standing(durable, customers * rounds))
    assert wrong == [BUDGET] * customers * rounds


def test_in_several_processes_thirty_two_right_passwords_all_get_in(durable, guess_at):
    asyncio.run(_prepare(durable))
    with guess_at(durable) as guessers:
        for number in range(5):
            assert guessers.round(f"right-{number}", f"customer:{number}", "right", "slow", 32) == {"right": 32}
    assert asyncio.run(_audited(durable)) == []


def test_in_several_processes_no_failure_is_forgotten_in_the_moment_a_window_has_passed(durable, guess_at):
    """Whoever is first finds the old failures gone; what he counts nobody after him may take for old (keycloak#52646)."""
    rounds = times(5, full=200)
    asyncio.run(_prepare(durable, rounds))
    with guess_at(durable) as guessers:
        for number in range(rounds):
            customer = f"customer:{number}"
            assert guessers.one(0, f"round before-{number} {customer} wrong fast {BUDGET - 1} transfer") == {"wrong": BUDGET - 1}
            assert guessers.all("wait 7200") == ["later"] * len(guessers.processes)
            told = guessers.round(f"after-{number}", customer, "wrong", "fast", 32, "transfer")
            assert told == {"wrong": BUDGET, "locked": 32 - BUDGET}


@pytest.mark.parametrize("seed", range(times(2, full=40)))
def test_in_several_processes_right_racing_wrong_loses_no_failure_and_no_lock(durable, guess_at, seed):
    """The ledger's own record of all processes is counted again (parse-server#10266)."""
    asyncio.run(_prepare(durable, 4))
    with guess_at(durable) as guessers:
        for number in range(4):
            told = guessers.count(f"mixed {number}-{{}} customer:{number} {seed}{{}} 12")
            assert sum(told.values()) == 12 * len(guessers.processes)
    assert asyncio.run(_audited(durable, 4)) == []


def test_an_entry_begun_before_a_lock_in_one_process_is_refused_after_it_in_another(durable, guess_at):
    """Reserved by the first, locked by all, settled right by the last: it opens nothing and clears nothing."""
    asyncio.run(_prepare(durable, 1))
    with guess_at(durable) as guessers:
        assert guessers.one(0, "reserve early customer:0") == ["early", "granted"]
        told = guessers.round("transfer", "customer:0", "wrong", "fast", 32, "transfer")
        assert told == {"wrong": BUDGET, "locked": 32 - BUDGET}
        assert guessers.one(-1, "settle early right") == "refused"
        assert guessers.round("late", "customer:0", "right", "slow", 8) == {"locked": 8}
    assert asyncio.run(_audited(durable, 1)) == []


async def _prepare(durable, customers=ROUNDS):
    async with House(store_at(durable.at), TABLE) as house:
        await house.enrol(*[f"customer:{number}" for number in range(customers)])


async def _audited(durable, customers=ROUNDS):
    store = store_at(durable.at)
    found = await audit(store, TABLE, [f"customer:{number}" for number in range(customers)])
    await store.close()
    return found


async def _standing(durable, customers):
    """How many failures stand for each customer."""
    async with House(store_at(durable.at), TABLE) as house:
        return [(await house.count(f"customer:{number}"))[0] for number in range(customers)]


def test_thirty_two_right_passwords_at_once_all_get_in(told):
    """More than the budget at once: whoever finds it taken asks again (keycloak#48272)."""
    async def story(house):
        await house.enrol("customer:1")
        for verdicts in (["right"] * 32, ["right"] * 32):
            runs = [await house.begin(f"procedure:{n}-{len(verdicts)}") for n in range(32)]
            assert await asyncio.gather(*[house.slow(run, verdict) for run, verdict in zip(runs, verdicts, strict=True)]) == ["right"] * 32
        assert await house.count("customer:1") == (0, 0)
    told(story)


@pytest.mark.parametrize("seed", range(times(20, full=200)))
def test_right_racing_wrong_loses_no_failure_and_no_lock(told, seed):
    """Both lanes at random, answers at random moments; the ledger's own record is counted again (parse-server#10266)."""
    chance = random.Random(seed)

    async def guess(house, run):
        verdict = chance.choice(["right", "right", "wrong", "unread"])

        async def compare():
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(0)

        if verdict != "unread" and chance.random() < 0.4:
            return await house.enter(run, verdict)
        return await house.slow(run, verdict, tries=chance.choice([1, 5, 1000]), compare=compare)

    async def story(house):
        await house.enrol("customer:1", "customer:2")
        runs = [await house.begin(f"procedure:{n}", customer=f"customer:{chance.randint(1, 2)}") for n in range(48)]
        await asyncio.gather(*[guess(house, run) for run in runs])
        assert await audit(house.store, house.table, ["customer:1", "customer:2"]) == []
    told(story, login(chance.choice([3, 5, 10])))


def test_a_lock_set_while_a_right_answer_is_being_compared_stands(told):
    """The right one came first and is answered last: refused, and the lock is still there."""
    shared = counter("c", "customer", stage(3, lock("login"), row="R"))

    async def story(house):
        await house.enrol("customer:1")
        run = await house.begin("procedure:1")
        other = await house.begin("procedure:2", operation="transfer")
        name, _ = await house.reserve(run)
        assert [await house.enter(other, "wrong", item="pin") for _ in range(2)] == ["wrong"] * 2
        blocked, _ = await house.reserve(other, item="code")
        assert await house.settle(blocked, "wrong") == "wrong"
        assert await house.locks("customer:1") == ["S"]
        assert await house.settle(name, "right") == "refused"
        assert await house.locks("customer:1") == ["S"] and await house.count("customer:1") == (2, 0)
    other = counter("d", "customer", stage(1, lock("login"), row="S"))
    told(story, table(row("login", "password", shared), row("transfer", "pin", shared), row("transfer", "code", other)))
