"""One history: some nodes over one ledger, some visitors, and what goes wrong; all of it from one number."""

import asyncio
import contextlib
import random
import secrets
import traceback
from itertools import count
from unittest import mock

import policy_book
from judge import judged
from linear import Recorder
from nodes import CutOff, Node
from policy_book import BOOK, FIRST, LEASE_S
from shared import FAIR, SharedLedger, SimStore, Weather
from staff import CLERK, Look
from turns import Turns
from visitors import CUSTOMERS, SAMPLED, VICTIM, Attacker, Clerk, Customer, Sampled

from sekisho.core.state import IN_FORCE, SECOND, InForce, decode
from sekisho.errors import LedgerUnavailable, SekishoError
from sekisho.flows.clock import Agree
from sekisho.flows.desk import Enrolment
from sekisho.flows.policies import first_policy, propose

HOUR_S = 3600


@contextlib.contextmanager
def _repeatable(chance):
    """Nothing comes by chance or from a file but from the seed and the book of policies."""
    def letters(number):
        return f"{chance.getrandbits(64):016x}"

    with (
        mock.patch.object(secrets, "token_urlsafe", letters), mock.patch.object(asyncio, "Event", numbered_events()),
        mock.patch("sekisho.flows.policies.read", policy_book.read),
    ):
        yield


def numbered_events():
    """Events that are numbered from the beginning of the history, so that a set of them has the same order in every run."""
    numbers = count()

    class Event(asyncio.Event):
        def __init__(self):
            super().__init__()
            self.number = next(numbers)

        def __hash__(self):
            return self.number
    return Event


class World:
    """What there is in one history, and what was seen of it."""

    def __init__(self, seed, node_kind=Node):
        self.seed = seed
        self.chance = random.Random(f"world {seed}")
        self.loop = Turns(random.Random(f"turns {seed}"))
        self.shared = SharedLedger(self.loop, random.Random(f"faults {seed}"), self.note)
        self.node_kind = node_kind
        self.nodes = []
        self.deaths_left = self.chance.choice([0, 1, 2, 4])
        self.recorder = Recorder()
        self.heard = []
        self.sent = []
        self.trace = []
        self.complaints = []

    def note(self, text):
        self.trace.append(f"{self.loop.time():8.3f} {text}")

    def hear(self, heard):
        self.note(f"{heard.request}: {heard.customer} {heard.item} in {heard.about} -> {heard.word}")
        self.heard.append(heard)

    @property
    def in_force(self):
        """The versions that have been put in force."""
        return {version for _, version in decode(self.shared.rows[IN_FORCE], InForce).versions}

    def some_node(self, chance):
        return chance.choice(self.nodes)

    def play(self):
        """The whole history, and then what there is to complain about."""
        with _repeatable(random.Random(f"letters {self.seed}")):
            try:
                self.loop.run_until_complete(self._history())
                self.complaints += judged(self)
            except Exception as fault:  # noqa: BLE001  whatever breaks is told with the seed and the trace
                self.complaints.append("".join(traceback.format_exception(fault)))
            finally:
                self.shared.weather = FAIR
                for node in self.nodes:
                    node.alive, node.fuse = False, None
                self.loop.bury()
        return self

    async def _history(self):
        await first_policy(SimStore(self.shared), FIRST.encode(), FIRST)
        self.nodes = [self.node_kind(f"node-{n}", self.shared, self.chance) for n in range(self.chance.choice([1, 2, 3]))]
        for customer in (*CUSTOMERS, SAMPLED):
            await self.nodes[0].ask(lambda node, customer=customer: node.desk.enrol(node.table, customer, Enrolment(), CLERK))
        await self._troubled()
        await self._settled_down()

    async def _troubled(self):
        """Everybody at once, and everything that can go wrong."""
        chance = self.chance
        self.shared.weather = Weather(*(chance.choice([0, 0, 0.02, 0.1]) for _ in range(4)))
        for node in self.nodes:
            self._light(node)
        kinds = [Customer, Customer, Attacker, Sampled, Sampled, Clerk]
        visitors = [kind(self, f"{kind.__name__}-{n}", random.Random(chance.random())) for n, kind in enumerate(kinds)]
        troubles = [asyncio.ensure_future(trouble) for trouble in (self._restart(), self._set_the_clock(), self._agree(), self._change_the_policy())]
        await asyncio.gather(*[visitor.live() for visitor in visitors])
        for trouble in troubles:
            trouble.cancel()

    def _light(self, node):
        if self.deaths_left:
            self.deaths_left -= 1
            node.fuse = self.chance.randrange(self.chance.choice([200, 3000]))

    async def _restart(self):
        while True:
            await asyncio.sleep(self.chance.choice([0.1, 1, 5]))
            self._replace_the_dead()

    def _replace_the_dead(self):
        for place, node in enumerate(self.nodes):
            if not node.alive:
                self.nodes[place] = self.node_kind(f"{node.name}'", self.shared, self.chance)
                self._light(self.nodes[place])

    async def _set_the_clock(self):
        for _ in range(self.chance.choice([0, 0, 1, 2])):
            await asyncio.sleep(self.chance.uniform(0, 15))
            by_s = self.chance.choice([-HOUR_S, -5, 5, LEASE_S + 1, HOUR_S])
            self.note(f"the ledger's clock is set by {by_s:+} s")
            self.shared.ahead_us += by_s * SECOND

    async def _agree(self):
        """An operator looks at the clock now and then, and agrees to it."""
        while True:
            await asyncio.sleep(self.chance.choice([1, 3, 8]))
            with contextlib.suppress(SekishoError, CutOff):
                await self.some_node(self.chance).ask(lambda node: node.ledger.run(Agree(operator="aoki")))

    async def _change_the_policy(self):
        for _ in range(self.chance.choice([0, 0, 1, 2])):
            await asyncio.sleep(self.chance.uniform(0, 8))
            version = self.chance.choice([one for one in BOOK if one != FIRST])
            self.note(f"policy {version} is proposed")
            with contextlib.suppress(SekishoError):
                await propose(SimStore(self.shared), version.encode(), version, None, "admin")

    async def _settled_down(self):
        """Nothing goes wrong any more: leases run out, every node is there, and the victim's budget is spent to its end."""
        self.note("all is well again")
        self.shared.weather = FAIR
        self.deaths_left = 0
        for node in self.nodes:
            node.fuse = None
        self._replace_the_dead()
        await asyncio.sleep(10)
        self.shared.ahead_us += 3 * HOUR_S * SECOND
        for node in self.nodes:
            # A node that is asked nothing sees the clock jump only at its next look.
            with contextlib.suppress(LedgerUnavailable):
                await node.ask(lambda node: node.ledger.run(Look(VICTIM)))
        operator = asyncio.ensure_future(self._agree())
        await asyncio.sleep(30)
        operator.cancel()
        last = Attacker(self, "the-last", random.Random(self.seed))
        last.patience_s = (60,)
        for _ in range(10):
            run = await last.begin("login", VICTIM)
            await last.enter(run, "code", VICTIM, "wrong")
        if self.heard[-1].word != "locked":
            self.complaints.append(f"however often one guesses, {VICTIM} is not locked: {self.heard[-1].word}")


def play(seed, node_kind=Node):
    """One history from its seed."""
    return World(seed, node_kind).play()


def report(world):
    """All there is to know of a history."""
    return "\n".join([f"seed {world.seed}:", *world.complaints, "what happened:", *world.trace])
