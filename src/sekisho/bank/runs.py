"""The customer's side of the bank: it begins procedures, passes entries on, and compares itself what only a bank can."""

from __future__ import annotations

from collections.abc import Callable

from sekisho.bank.boxes import Boxes, Received
from sekisho.bank.holdings import (
    JUDGED,
    RECOGNISED,
    SENT,
    Holding,
    Holdings,
    Proof,
    code_in,
    note_code_used,
    right_entry,
    wrong_entry,
)
from sekisho.bank.post import Post
from sekisho.bank.service import Json, Service, Trouble
from sekisho.bank.visits import Line, Run, Told, Visit, Wanted
from sekisho.policy import Table
from sekisho.policy.table import Item

REPEAT_MAX = 20
"""Wrong entries that one press of the button may make."""

STEPS_MAX = 16
"""Entries made to get back to where a procedure ended."""


class Runs:
    """What customers do at this bank.

    Args:
        service: how sekisho is reached.
        table: the policy, for its names and kinds; it decides nothing here.
        holdings: what the customers hold.
        post: carries out what the end of a procedure means for the bank.
        clock: seconds since the epoch, for the customers' tokens.
        boxes: what has reached the customers.

    """

    def __init__(
        self, service: Service, table: Table, holdings: Holdings, post: Post, clock: Callable[[], float], boxes: Boxes,
    ) -> None:
        self._boxes = boxes
        self._service = service
        self._table = table
        self._holdings = holdings
        self._post = post
        self._clock = clock
        self._login = next(one.name for one in table.operations.values() if one.gives_session)

    # -- who and what --------------------------------------------------------------------------------------------------

    def holding(self, visit: Visit) -> Holding:
        """The customer whom the visitor plays."""
        found = self._holdings.of(visit.account)
        assert found is not None  # only accounts of ours are put there
        return found

    def holder(self, visit: Visit, item: str) -> Holding:
        """Whose authenticator or knowledge an item of the present run is: the caller's, or that of the account it is about."""
        run = visit.run
        rows = self._table.operations[run.operation].rows.get(item, ()) if run else ()
        if run is not None and run.about is not None and rows and rows[0].about:
            return self._holdings.of(run.about.partition(":")[2]) or self.holding(visit)
        return self.holding(visit)

    def right(self, visit: Visit, item: str) -> Proof | None:
        """What would be right now."""
        return right_entry(self._table.items[item], self.holder(visit, item), self._clock(), self._code(visit, item))

    def _code(self, visit: Visit, item: str) -> str | None:
        """The code that has come for an item of the present run; of several the newest."""
        sent = visit.run.sent.get(item, []) if visit.run else []
        came = {one.what.delivery: one.what.body for one in self.received(visit)}
        return next((code_in(came[name]) for name in reversed(sent) if name in came), None)

    def received(self, visit: Visit) -> list[Received]:
        """All that has reached the customer."""
        entered = visit.run.entered if visit.run else {}
        new = [to for item, proof in entered.items() if self._table.items[item].registers for to in str(proof).split()]
        return self._boxes.of(self.holding(visit), new)

    def wrong(self, visit: Visit, item: str) -> Proof | None:
        """Something that would be wrong now."""
        return wrong_entry(self._table.items[item], self.right(visit, item), self.holder(visit, item))

    async def session_lives(self, visit: Visit) -> bool:
        """Whether the customer is logged in. A session that is gone is forgotten."""
        session = visit.sessions.get(visit.account)
        if session is None:
            return False
        told = await self._service.channel("GET", f"/v1/sessions/{session}")
        if isinstance(told, Trouble) or not told["live"]:
            del visit.sessions[visit.account]
            return False
        return True

    async def log_out(self, visit: Visit) -> None:
        """End the session, and what was going on in it."""
        session = visit.sessions.pop(visit.account, None)
        if session is not None:
            await self._service.channel("DELETE", f"/v1/sessions/{session}")
        visit.run = None

    async def stop(self, visit: Visit, known: str, language: str) -> None:
        """Stop everything at once: out of his session, from his own device, or as somebody whom nobody knows."""
        session = visit.sessions.get(visit.account) if await self.session_lives(visit) else None
        body: Json = {
            "subject": self.holding(visit).subjects[0], "language": language, "context": {"device": visit.device_name},
            **({"session": session} if session else {"known_by": known} if known else {}),
        }
        told = await self._service.channel("POST", "/v1/stops", body, language=language)
        if isinstance(told, Trouble):
            visit.trouble = told
        else:
            visit.stopped = Told("right" if told["outcome"] == "stopped" else "refused", told["message"], language)

    # -- begin ---------------------------------------------------------------------------------------------------------

    async def begin(self, visit: Visit, wanted: Wanted, language: str) -> bool:
        """Begin an operation; where it needs a session and there is none, the login before it."""
        operation = self._table.operations[wanted.operation]
        if operation.session and not await self.session_lives(visit):
            visit.wanted = wanted
            return await self._begin(visit, self._login, None, language)
        visit.wanted = None
        return await self._begin(visit, wanted.operation, wanted.about, language)

    async def _begin(self, visit: Visit, name: str, about: str | None, language: str) -> bool:
        operation = self._table.operations[name]
        subject = None if operation.session or self._names_itself(name) else self.holding(visit).subject_of(operation.subject)
        body: Json = {"operation": name, "language": language, "context": {"device": visit.device_name}}
        given = {"subject": subject, "about": about, "session": visit.sessions.get(visit.account) if operation.session else None}
        told = await self._service.channel("POST", "/v1/procedures", {**body, **{k: v for k, v in given.items() if v}}, language=language)
        if isinstance(told, Trouble):
            visit.trouble = told
            return False
        visit.run = Run(told["procedure"], name, subject, about)
        await self._stand(visit.run, told)
        return True

    def _names_itself(self, name: str) -> bool:
        """The first thing the customer enters says who he is."""
        steps = self._table.operations[name].steps
        return bool(steps) and self._table.items[steps[0].items[0]].kind in {"identifier", "pair"}

    async def _stand(self, run: Run, told: Json) -> None:
        """Note how the run stands, and where codes may be sent to."""
        run.state = told.get("state", run.state)
        run.next = [(one["item"], one["kind"]) for one in told["next"]]
        run.addresses = []
        if any(self._table.items[name].kind in SENT for name, _ in run.next):
            found = await self._service.channel("GET", f"/v1/procedures/{run.procedure}/addresses")
            run.addresses = [] if isinstance(found, Trouble) else found["addresses"]

    async def send_code(self, visit: Visit, name: str, address: str | None, language: str) -> bool:
        """Have a code sent, or the same one again; whether it was."""
        run = visit.run
        if run is None or not any(name == item for item, _ in run.next):
            return False
        body = {"item": name, **({"address": address} if address else {})}
        told = await self._service.channel("POST", f"/v1/procedures/{run.procedure}/challenges", body, language=language)
        if isinstance(told, Trouble):
            visit.trouble = told
            return False
        if "challenge" not in told:
            run.told = Told(told["outcome"], told["message"], language)
            return False
        run.sent.setdefault(name, []).append(told["delivery"])
        run.label, run.told = told["label"], None
        return await self._boxes.wait(lambda: any(one.what.delivery == told["delivery"] for one in self.received(visit)))

    async def course(self, visit: Visit, language: str) -> str | None:
        """What is known of the message that was sent last, in the customer's words."""
        run = visit.run
        if run is None or run.over or not run.sent:
            return None
        told = await self._service.channel("GET", f"/v1/procedures/{run.procedure}/deliveries", language=language)
        return None if isinstance(told, Trouble) or not told["deliveries"] else str(told["deliveries"][0]["message"])

    async def right_now(self, visit: Visit, name: str, language: str) -> Proof | None:
        """What would be right; where that is a code, it is sent and waited for."""
        if self._table.items[name].kind in SENT and self._code(visit, name) is None:
            await self.send_code(visit, name, None, language)
        return self.right(visit, name)

    # -- enter ---------------------------------------------------------------------------------------------------------

    async def enter(self, visit: Visit, name: str, proof: Proof, how: str, language: str) -> Told | None:
        """One entry. None: there was nothing to enter into, or the service met with trouble."""
        run = visit.run
        if run is None or name not in self._table.operations[run.operation].rows:
            return None
        item = self._table.items[name]
        told = await (self._compare if item.kind in JUDGED else self._pass_on)(visit, run, item, proof, language)
        if isinstance(told, Trouble):
            visit.trouble = told
            return None
        run.told = Told(told["outcome"], told["message"], language)
        visit.note(Line(run.operation, name, how, run.told))
        await self._stand(run, told)
        if told["outcome"] == "right":
            await self._after_right(visit, run, item, proof, told, language)
        return run.told

    async def _pass_on(self, _visit: Visit, run: Run, item: Item, proof: Proof, language: str) -> Json | Trouble:
        """Verify mode: sekisho compares."""
        return await self._service.channel(
            "POST", f"/v1/procedures/{run.procedure}/attempts", {"item": item.name, "proof": proof}, language=language,
        )

    async def _compare(self, visit: Visit, run: Run, item: Item, proof: Proof, language: str) -> Json | Trouble:
        """Count mode: the guess is taken before the bank looks at the entry, and the verdict settles it."""
        subject = run.subject or self.holding(visit).subject_of("customer")
        body = {"operation": run.operation, "item": item.name, "subject": subject, "procedure": run.procedure}
        held = await self._service.channel("POST", "/v1/reservations", body, language=language)
        if isinstance(held, Trouble):
            return held
        if held["outcome"] != "granted":
            standing = await self._service.channel("GET", f"/v1/procedures/{run.procedure}", language=language)
            return standing if isinstance(standing, Trouble) else {**held, "state": standing["state"]}
        verdict = "right" if proof == RECOGNISED else "wrong"
        return await self._service.channel("POST", f"/v1/reservations/{held['reservation']}/verdict", {"verdict": verdict}, language=language)

    async def _after_right(self, visit: Visit, run: Run, item: Item, proof: Proof, told: Json, language: str) -> None:
        run.entered[item.name] = proof
        if item.kind == "totp" and isinstance(proof, str):
            note_code_used(self.holder(visit, item.name), item.kept_as, proof, self._clock())
        if told.get("session"):
            visit.sessions[self._who(visit, run).customer.account] = told["session"]
        if run.state != "done":
            return
        await self._post.procedure_done(self._who(visit, run), run)
        if visit.wanted is not None and told.get("session"):
            await self.begin(visit, visit.wanted, language)

    def _who(self, visit: Visit, run: Run) -> Holding:
        """The customer whom the run turned out to be about: whoever was named in it, else the one played."""
        named = (self._holdings.named(proof) for name, proof in run.entered.items() if self._table.items[name].kind in _NAMING)
        return next((one for one in named if one is not None), self.holding(visit))

    # -- again and again -----------------------------------------------------------------------------------------------

    async def repeat_wrong(self, visit: Visit, name: str, times: int, language: str) -> int:
        """Enter something wrong several times, up to a penalty that stays; where a procedure ends, begin again and walk back.

        How often it was tried.
        """
        run = visit.run
        if run is None:
            return 0
        wanted = Wanted(run.operation, run.about)
        for done in range(min(times, REPEAT_MAX)):
            if not await self._walk_to(visit, wanted, name, language):
                return done
            if self._table.items[name].kind in SENT:
                # Without a code that is out nothing would be looked at.
                await self.right_now(visit, name, language)
            proof = self.wrong(visit, name)
            told = None if proof is None else await self.enter(visit, name, proof, "wrong", language)
            if told is None or not told.just_wrong:
                return done + 1
        return min(times, REPEAT_MAX)

    async def _walk_to(self, visit: Visit, wanted: Wanted, name: str, language: str) -> bool:
        """Go on, with right entries, until this item is asked for. Begins anew where the run is over."""
        for _ in range(STEPS_MAX):
            run = visit.run
            if run is None or run.over or (run.operation != wanted.operation and visit.wanted is None):
                if not await self.begin(visit, wanted, language):
                    return False
                continue
            if run.operation == wanted.operation and any(name == item for item, _ in run.next):
                return True
            item = _easiest(run)
            proof = await self.right_now(visit, item, language)
            told = None if proof is None else await self.enter(visit, item, proof, "right", language)
            if told is None or told.outcome != "right":
                return False
        return False


_NAMING = frozenset({"identifier", "pair"})


def _easiest(run: Run) -> str:
    """Of several items the one that can be entered again at once: a token's code cannot."""
    return min(run.next, key=lambda one: one[1] == "totp")[0]


__all__ = ["REPEAT_MAX", "Runs"]
