"""Who asks the nodes: honest customers, attackers, staff. Each asks any node, hangs up when it takes too long, and asks again."""

import asyncio
from typing import NamedTuple

import msgspec
from linear import Asked
from nodes import CutOff
from policy_book import LEASE_S
from staff import CLERK, Look

from sekisho.errors import LedgerUnavailable, UnknownFate
from sekisho.flows.answers import Answer, Refused
from sekisho.flows.count_mode import Held
from sekisho.flows.replay import Repeated, Replay
from sekisho.flows.runs import Begun
from sekisho.terms import Verdict

OWNER = "key:1"
CUSTOMERS = ("customer:1", "customer:2", "customer:3")
STRANGER = "customer:unheard-of"
VICTIM = "customer:1"
"""At whose code only attackers guess, and always wrong."""
SAMPLED = "customer:9"
"""Whose code is asked for by those alone whose history is judged as that of one counter."""

SETTLES = frozenset({"right", "wrong", "refused", "unread", "granted", "lifted"})
"""Told these, it is known what came of a request, however often it was sent."""

ONE_MORE = object()
"""For what may be asked any number of times."""

MODELLED = SETTLES | {"locked", "spent", "twice"}
"""What the model of one counter may tell."""


class Unheard(Exception):
    """Nobody knows what came of it."""


class Heard(NamedTuple):
    """What was told for one request: in which run, or of which reservation."""

    about: str
    request: str
    item: str
    customer: str
    word: str


def word_for(told):
    """One word for what was told."""
    if isinstance(told, Repeated):
        fields = msgspec.msgpack.decode(told.answer)
        if "outcome" not in fields:
            return fields["type"]
        told = msgspec.convert(fields, Answer)
    if isinstance(told, Held):
        return "granted"
    if isinstance(told, Refused):
        return {"locked": "locked", "spent": "spent"}.get(told.why, "again")
    if isinstance(told, Answer):
        return "unread" if told.again else str(told.outcome)
    return type(told).__name__.lower()


class Visitor:
    """Somebody who asks one thing after the other."""

    habits = ()
    patience_s = (0.02, 1, 10)

    def __init__(self, world, name, chance):
        self.world = world
        self.name = name
        self.chance = chance
        self._sent = 0

    async def live(self):
        for _ in range(self.chance.randint(3, 6)):
            await asyncio.sleep(self.chance.choice([0, 0.1, 1, 3]))
            try:
                await getattr(self, self.chance.choice(self.habits))()
            except Unheard:
                self.world.note(f"{self.name} gives up")
            except LedgerUnavailable:
                self.world.note(f"{self.name} is told no")

    def request(self, about):
        """A new request: its name, and what makes it the same when it is sent again. Some send nothing of the kind."""
        self._sent += 1
        name = f"{self.name}/{self._sent}"
        self.world.sent.append(about)
        return name, None if self.chance.random() < 0.2 else Replay(b"r" * 32, f"{OWNER}/{about}", name, name.encode())

    async def insist(self, question, sent=ONE_MORE):
        """Ask until it is answered; without `sent`, what makes the request the same again, ask once.

        Raises:
            Unheard: one try was not heard of, and none told what came of it.
            LedgerUnavailable: every try was answered with no.

        """
        doubt = False
        for _ in range(4 if sent else 1):
            try:
                async with asyncio.timeout(self.chance.choice(self.patience_s)):
                    told = await self.world.some_node(self.chance).ask(question)
            except (CutOff, UnknownFate, TimeoutError):
                doubt = True
            except LedgerUnavailable:
                pass
            else:
                if not doubt or self._settles(told):
                    return told
            await asyncio.sleep(self.chance.choice([0, 0.1, 1, 4]))
        raise Unheard if doubt else LedgerUnavailable

    @staticmethod
    def _settles(told):
        return isinstance(told, Begun) or word_for(told) in SETTLES

    async def begin(self, operation, customer, session=None):
        begun = await self.insist(lambda node: node.runs.begin(node.table, OWNER, operation, customer, session=session))
        return begun.procedure if isinstance(begun, Begun) else None

    async def enter(self, run, item, customer, proof):
        """One entry in a run: what was told."""
        name, sent = self.request(f"procedure:{run}")
        told = await self.insist(lambda node: node.entries.enter(node.table, OWNER, run, item, proof, replay=sent), sent)
        self.world.hear(Heard(f"procedure:{run}", name, item, customer, word_for(told)))
        return told

    async def take(self, operation, item, customer, session=None):
        """Take a guess in count mode: its reservation, or None."""
        _, sent = self.request(f"{operation}/{item}")
        return await self.insist(
            lambda node: node.count_mode.hold(node.table, OWNER, operation, item, customer, session=session, replay=sent), sent)

    async def give(self, reservation, item, customer, verdict):
        name, sent = self.request(reservation)
        told = await self.insist(lambda node: node.count_mode.verdict(OWNER, reservation, Verdict(verdict), replay=sent), sent)
        self.world.hear(Heard(f"reservation:{reservation}", name, item, customer, word_for(told)))
        return told

    async def release(self, customer, lock):
        _, sent = self.request(lock)
        return await self.insist(lambda node: node.releases.release(customer, lock, "desk", "asked for", None, CLERK, "approval", sent), sent)

    async def compare(self):
        """The bank compares; now and then it takes longer than a reservation lives."""
        await asyncio.sleep(self.chance.choice([0, 0, 0.1, 2, LEASE_S + 3]))


class Customer(Visitor):
    """Wants to get in, and errs."""

    habits = ("log_in", "log_in", "log_in_slowly", "inquire", "transfer", "look_at_session", "log_out")

    def __init__(self, *args):
        super().__init__(*args)
        self.customer = self.chance.choice(CUSTOMERS[1:])
        self.session = None

    def proof(self):
        return self.chance.choice(["right", "right", "wrong"])

    async def _log_in(self, item):
        run = await self.begin("login", self.customer)
        for _ in range(self.chance.choice([1, 1, 3])):
            told = await self.enter(run, item, self.customer, self.proof())
            if word_for(told) == "right" and isinstance(told, Answer):
                self.session = told.session
                return

    async def log_in(self):
        await self._log_in("code")

    async def log_in_slowly(self):
        await self._log_in("password")

    async def inquire(self):
        """In count mode, in a session of the bank's own or in none."""
        session = self.chance.choice([None, f"visit-{self.name}"])
        held = await self.take("inquiry", "mail", self.customer, session)
        if isinstance(held, Held):
            await self.compare()
            await self.give(held.reservation, "mail", self.customer, self.chance.choice(["right", "wrong", "wrong", "unread"]))

    async def transfer(self):
        if self.session is not None:
            run = await self.begin("transfer", self.customer, self.session)
            if run is not None:
                await self.enter(run, "pin", self.customer, self.proof())

    async def look_at_session(self):
        if self.session is not None:
            await self.insist(lambda node: node.sessions.session(OWNER, self.session))

    async def log_out(self):
        if self.session is not None:
            await self.insist(lambda node: node.sessions.end_session(OWNER, self.session))


class Attacker(Visitor):
    """Guesses at others, many times at once and at every node."""

    habits = ("burst", "burst", "burst_in_count_mode", "at_a_stranger")

    async def burst(self):
        await asyncio.gather(*[self._guess(VICTIM, "code") for _ in range(self.chance.randint(2, 6))])

    async def at_a_stranger(self):
        await asyncio.gather(*[self._guess(STRANGER, self.chance.choice(["code", "password"])) for _ in range(2)])

    async def burst_in_count_mode(self):
        customer = self.chance.choice(CUSTOMERS)
        await asyncio.gather(*[self._guess_by_mail(customer) for _ in range(self.chance.randint(2, 4))])

    async def _guess(self, customer, item):
        try:
            run = await self.begin("login", customer)
            await self.enter(run, item, customer, "wrong")
        except (Unheard, LedgerUnavailable):
            return

    async def _guess_by_mail(self, customer):
        try:
            held = await self.take("inquiry", "mail", customer)
            if isinstance(held, Held):
                await self.compare()
                await self.give(held.reservation, "mail", customer, "wrong")
        except (Unheard, LedgerUnavailable):
            return


class Clerk(Visitor):
    """Opens what is closed."""

    habits = ("open",)

    async def open(self):
        customer = self.chance.choice(CUSTOMERS)
        guard = await self.insist(lambda node: node.ledger.run(Look(customer)))
        if guard.locks:
            await self.release(customer, guard.locks[0].id)


class Sampled(Visitor):
    """Asks for one customer's code, and writes down what is asked and told."""

    habits = ("guess", "guess", "hold", "hold", "look", "open")

    async def _written(self, asked, answer):
        return await self.world.recorder.ask(asked, self._in_few_words(asked, answer), unheard=(Unheard,))

    @staticmethod
    async def _in_few_words(asked, answer):
        """As the model of one counter has it: what refuses for another reason than the count is a refusal for now."""
        told = await answer
        if asked.what == "settle" and told == "wrong" and asked.verdict != "wrong":
            # Its lease had run out, and it has counted as wrong.
            return "twice"
        return told if isinstance(told, tuple) or told in MODELLED else "again"

    async def guess(self):
        run, proof = await self.begin("login", SAMPLED), self.chance.choice(["right", "wrong", "wrong"])

        async def answer():
            return word_for(await self.enter(run, "code", SAMPLED, proof))
        await self._written(Asked("guess", proof), answer())

    async def hold(self):
        name, held = f"{self.name}-{self._sent}", []

        async def taken():
            held.append(await self.take("login", "code", SAMPLED))
            return word_for(held[0])
        if await self._written(Asked("reserve", name=name), taken()) == "granted":
            await self.compare()
            verdict = self.chance.choice(["right", "wrong", "wrong", "unread"])

            async def given():
                return word_for(await self.give(held[0].reservation, "code", SAMPLED, verdict))
            await self._written(Asked("settle", verdict, name), given())

    async def look(self):
        async def answer():
            guard = await self.insist(lambda node: node.ledger.run(Look(SAMPLED)))
            count = guard.counts.get("codes")
            return (count.wrong if count else 0, count.flight if count else 0, bool(guard.locks))
        await self._written(Asked("look"), answer())

    async def open(self):
        guard = await self.insist(lambda node: node.ledger.run(Look(SAMPLED)))

        async def answer():
            if not guard.locks:
                return "again"
            told = await self.release(SAMPLED, guard.locks[0].id)
            return "lifted" if word_for(told) == "lifted" else "again"
        await self._written(Asked("release", name="here"), answer())
