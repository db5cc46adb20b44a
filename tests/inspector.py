"""The auditor at the bank's door: it hears what a customer is told and looks at what staff see, and knows nothing else.

To counts and locks it adds what an end-to-end walk meets, once more as naively as can be: the steps of a run, codes that were
sent, sessions that time out, what the end of an operation does, the emergency stop, and which text belongs to what happened.
"""

from contextlib import contextmanager
from typing import NamedTuple

from auditor import ENDS, SECOND, Auditor, Held, Place, Sight, _own, visible

from sekisho.policy.table import ABOUT
from sekisho.terms import ItemKind, PathKind, PenaltyKind

SENT = {ItemKind.CODE, ItemKind.CONFIRMATION}
REGISTERED = {PenaltyKind.ERASE, PenaltyKind.REMOVE}


class Origin(NamedTuple):
    """Where a lock came from: the count, when it fell, and the ways out that its row gives."""

    place: Place | None
    at: int
    undo: tuple


class Code(NamedTuple):
    """One code that was sent: to which address, what it is, until when, how often, when last."""

    address: str
    text: str | None
    until: int
    sends: int
    last: int


class Inspector(Auditor):
    """Counts again, from outside."""

    def __init__(self, table):
        super().__init__(table)
        self.enrolled = set()
        """The subjects that the bank has told of."""
        self.steps = {}
        """By run: how many steps are behind it."""
        self.done = set()
        self.proved = {}
        """By run: what was right in it."""
        self.used = {}
        """By session: when it was last used."""
        self.codes = {}
        """By (run, item): the codes that may be answered."""
        self.asked = {}
        """By (run, item): until when a signature that was asked for may be given."""
        self.messages = {}
        """By subject and by (subject, address): when a message was sent."""
        self.origins = {}
        self.stranger_stops = {}
        """By customer, and by whoever asked: when somebody not known asked for a stop."""
        self._entering = None
        self._at_once = None
        """What was told and what was due, while entries of one instant are heard of."""

    # Runs and sessions.

    def begin_run(self, key, operation, subjects, now, session, device, *, named):
        """A run begins. `named`: for whom, where that is known already."""
        found = self.table.operations[operation]
        life = found.life_s if session else self.table.timing.stranger_procedure_s
        self.begin(key, operation, subjects, now, session, now + life * SECOND, device)
        first = self.table.items[found.steps[0].items[0]]
        behind = 1 if len(found.steps[0].items) == 1 and first.names is not None and named and named.startswith(f"{first.names}:") else 0
        self.steps[key] = self._skipped(self.runs[key], behind)

    def _skipped(self, run, step):
        steps = self.table.operations[run.operation].steps
        while step < len(steps) and not self.meets(run, steps[step].when):
            step += 1
        return step

    def awaited(self, key):
        """The items that a run asks for now."""
        run = self.runs[key]
        steps = self.table.operations[run.operation].steps
        if key in self.done or key in self.ended or self.steps[key] >= len(steps):
            return ()
        step = steps[self.steps[key]]
        again = () if step.confirms is None else (step.confirms,)
        items = (*step.items, *again)
        return items if len(items) == 1 else tuple(item for item in items if self.row(run, item) is not None)

    def log_in(self, key, subject, now):
        self.open_session(key, subject, now)
        self.used[key] = now

    def session_lives(self, key, now):
        subject, since = self.sessions[key]
        timing = self.table.timing
        idle, total = self.used[key] + timing.session_idle_s * SECOND, since + timing.session_total_s * SECOND
        blocked = any(since <= at for at in self.blocked.get(subject, ()))
        return key not in self.ended and now < min(idle, total) and not blocked

    def lives(self, run, now):
        """As for any run; besides, what is done is done, and a session must be in use."""
        if run.key in self.done or (run.session is not None and not self.session_lives(run.session, now)):
            return False
        return super().lives(run, now)

    # Entries.

    def closed(self, run, item, now):
        """Besides what closes any entry: an item that is not asked for, and an app that was removed with all that was in it."""
        if self.lives(run, now) and item not in self.awaited(run.key):
            return {"not_now"}
        found = super().closed(run, item, now)
        return found or ({"locked"} if self.closing(run, item, now) else set())

    def closing(self, run, item, now):
        """The locks that close an item in a run, or one that was right in it before."""
        items = {item, *self.proved.get(run.key, ())}
        return [
            lock for lock in self.locks
            if lock.stands(now) and lock.key in run.subjects.values() and any(self._closes(lock, run, one, now) for one in items)
        ]

    def _closes(self, lock, run, item, now):
        removed = lock.kind == PenaltyKind.REMOVE and run.subjects.get(str(self.table.items[item].reach)) == lock.key
        return removed or (self._shuts(lock, run, item) and self._meant(lock.whom, lock.key, run, now))

    def looked(self, attempt, run_key, item, now, said, seen, sight):
        """An entry is offered; whoever offers what his run asks for uses his session."""
        if said == "granted":
            # What was seen before says nothing of a count from which something fell when the entry was looked at.
            seen = {place: found for place, found in seen.items() if not self._owes(place, found)}
        run = self.runs[run_key]
        self._entering = item
        self.fallen.clear()
        if run.session is not None and self.lives(run, now) and item in self.awaited(run_key):
            self.used[run.session] = now
        super().looked(attempt, run_key, item, now, said, seen, sight)

    def _owes(self, place, found):
        counter = self.table.counters.get(place.counter)
        return counter is not None and any(found[1] < stage.wrong <= found[0] for stage in counter.stages)

    def settled(self, attempt, verdict, now, said, seen, sight):
        """An entry has its verdict; a right one takes its run a step on, and a wrong one may have closed every way on."""
        taken = self.taken[attempt]
        run = self.runs[taken.run.key]
        self._entering = taken.item
        self.fallen.clear()
        void = bool(self.closed(taken.run, taken.item, now))
        # What the end of an operation does is seen at once, and stands further down.
        super().settled(attempt, verdict, now, said, seen, None if verdict == "right" else sight)
        if verdict == "right" and not void:
            self._advance(run, taken.item, now)
        if verdict == "wrong" and not void and self.lives(run, now) and all(self.closing(run, item, now) for item in self.awaited(run.key)):
            self.ended.add(run.key)

    def entered(self, attempt, run_key, item, verdict, now, answer, before, seen, sight, subjects=None):
        """An entry was answered at once. `verdict`: what it is if anybody looks at it. `subjects`: whom it names, if it names any."""
        own = self.runs[run_key]
        if subjects is not None:
            self.runs[run_key] = own._replace(subjects=subjects)
        if answer["outcome"] == "refused":
            self.looked(attempt, run_key, item, now, answer["message"], seen, sight)
        else:
            self.asked.pop((run_key, item), None)
            self.looked(attempt, run_key, item, now, "granted", before, None)
            if attempt in self.taken:
                self.settled(attempt, verdict, now, answer["outcome"], seen, sight)
                self._text_agrees(self.runs[run_key], answer, verdict, now)
        if subjects is not None and answer["outcome"] != "right":
            self.runs[run_key] = own

    def _is_reason(self, said, reasons, run, item, now):
        """A customer is told one text for all that are locks."""
        texts = set()
        for reason in reasons:
            if reason == "locked":
                texts |= {_locked(lock) for lock in self.closing(run, item, now)}
            elif reason == "not_now":
                texts.add("not-accepted" if self.lives(run, now) else "start-over")
            else:
                texts.add({"spent": "locked", "busy": "try-again", "unnamed": "not-accepted"}[reason])
        sent, signed = self.table.items[item].kind in SENT, self.is_signed(item)
        if not reasons and ((sent and not self.live_codes(run.key, item, now)) or (signed and not self.is_asked(run.key, item, now))):
            texts.add("no-code")
        return said in texts

    def _text_agrees(self, run, answer, verdict, now):
        """What the customer is told, and what he may enter next."""
        if verdict == "right":
            expected = "done" if run.key in self.done else "next"
        elif not self.fallen:
            expected = "wrong" if run.key not in self.ended else "wrong-start-over"
        elif any(lock.kind in REGISTERED for lock in self.fallen):
            expected = "wrong-register-again"
        else:
            expected = "wrong-locked" if any(lock.until is None for lock in self.fallen) else "wrong-locked-for-a-while"
        state = "done" if run.key in self.done else "ended" if run.key in self.ended else "open"
        following = [step["item"] for step in answer["next"]]
        told, due = (answer["message"], answer["state"], following), (expected, state, list(self.awaited(run.key)))
        if self._at_once is not None:
            self._at_once[0].append(told)
            self._at_once[1].append(due)
        elif told != due:
            self._complain(now, f"told {told}, not {due}")

    @contextmanager
    def at_once(self, now):
        """Of entries at one instant each may have been the first: every text is told as often as it is due, to whichever of them."""
        self._at_once = told, due = [], []
        try:
            yield
        finally:
            self._at_once = None
        if sorted(told) != sorted(due):
            self._complain(now, f"told at once {told}, not {due}")

    # What the end of an operation does.

    def _is_enrolled(self, key):
        return key in self.enrolled

    def _proved(self, run, now):
        """Not each right entry, but the end of an operation makes a device known."""

    def _advance(self, run, item, now):
        operation = self.table.operations[run.operation]
        if self.table.items[item].kind is ItemKind.DATA:
            # Codes are for what was entered before, and for nothing else.
            self.codes = {key: codes for key, codes in self.codes.items() if key[0] != run.key}
            self.asked = {key: until for key, until in self.asked.items() if key[0] != run.key}
        self.codes.pop((run.key, item), None)
        self.proved.setdefault(run.key, set()).add(item)
        if item not in operation.steps[self.steps[run.key]].items:
            return
        self.steps[run.key] = self._skipped(run, self.steps[run.key] + 1)
        if self.steps[run.key] < len(operation.steps):
            return
        self.done.add(run.key)
        super()._proved(run, now)
        own, customer = _own(run), run.subjects["customer"]
        for lock in [lock for lock in self.locks if lock.key in own and operation.path is not None and operation.path in self.origins[lock].undo]:
            self.lift(lock, now)
        self.flags[customer] = (self.flags.get(customer, set()) | set(operation.sets)) - set(operation.clears)
        for new in [step for one in operation.steps for step in one.items if self.table.items[step].renews]:
            renewed = self.table.items[self.table.items[new].renews]
            if "?" in run.subjects[str(renewed.reach)]:
                # Who has no contract yet has no such thing: it waits for his contract.
                continue
            flags = self.flags.setdefault(run.subjects[str(renewed.reach)], set())
            flags.add(f"set:{renewed.name}")
            flags.discard(f"first-time:{renewed.name}")
        if operation.suspends:
            lifts = [one.name for one in self.table.operations.values() if one.path in self.table.suspension_undo or one.gives_session]
            self.imposed(Held(customer, "Y-RULE-5", "suspend", 0, now, None, ("*",), tuple(lifts), ()), self.table.suspension_undo, now)

    # Locks.

    def _locks_of(self, run, place, one, now):
        row = self.row(run, self._entering)
        for held in super()._locks_of(run, place, one, now):
            named = held._replace(row=row.id) if row is not None and row.id in one.also else held
            self.origins[named] = Origin(place, now, one.undo)
            yield named

    def imposed(self, held, undo, now, place=None):
        """A lock that no entry led to."""
        self.locks.append(held)
        self.origins[held] = Origin(place, now, tuple(undo))
        self._set(held, now)

    def erased(self, held):
        """The items that a lock has taken from its subject."""
        if held.kind == PenaltyKind.ERASE:
            return held.items
        everything = held.kind == PenaltyKind.REMOVE
        return [name for name, item in self.table.items.items() if everything and held.key.startswith(f"{item.reach}:")]

    def lift(self, held, now):
        """A lock is lifted by somebody who may: the count it came from is zero, and what was erased is not asked for any more."""
        self.locks.remove(held)
        if gone := set(self.erased(held)):
            self.flags[held.key] = {flag for flag in self.flags.get(held.key, ()) if flag.partition(":")[2] not in gone}
        place = self.origins[held].place
        if place is not None:
            self._add(place, now, "released", self.table.counters[place.counter])

    def releasable(self):
        """Rows whose locks may have been the bank's own fault: those that wrong entries set."""
        return {
            row for counter in self.table.counters.values() for stage in counter.stages
            if any(penalty.kind not in ENDS for penalty in stage.penalties) for row in (stage.row, *stage.also)
        }

    def lifted_together(self, held):
        """The locks that one stage set at once, and one release lifts."""
        origin = self.origins[held]
        return [
            other for other in self.locks if other == held or (
                other.key == held.key and origin.place is not None and self.origins[other][:2] == origin[:2])
        ]

    def imported(self, key, row, now, since):
        """The locks of a row are taken over from elsewhere."""
        kind = key.partition(":")[0]
        gone = self.table.abolished.get(row)
        if gone is not None:
            found = [((gone.penalty,), gone.undo, None, 0)]
        else:
            found = [
                (here, stage.undo, counter.name if str(counter.reach) == kind else None, stage.wrong)
                for counter in self.table.counters.values() for stage in counter.stages if row in (stage.row, *stage.also)
                if (here := tuple(one for one in stage.penalties if one.kind not in ENDS and str(one.on or counter.reach) == kind))
            ]
        penalties, undo, counter, wrong = max(found, key=lambda one: (None in [p.for_s for p in one[0]], max((p.for_s or 0) for p in one[0])))
        for penalty in penalties:
            until = None if penalty.for_s is None else since + penalty.for_s * SECOND
            held = Held(
                key, row, str(penalty.kind), wrong, since, until, penalty.operations, penalty.spares, penalty.items, penalty.whom, counter or "")
            same = [lock for lock in self.locks if lock.stands(now) and (lock.row, lock.kind, lock.operations, lock.items, lock.key) == (
                row, held.kind, held.operations, held.items, key) and (lock.until is None or (until is not None and lock.until >= until))]
            if same or (until is not None and until <= now):
                continue
            self.imposed(held, undo, now, None if counter is None else Place(key, counter))

    # The emergency stop.

    def stopped(self, customer, caller, now, *, known, device=""):
        """Somebody asks for a stop: whether he is told that it stands. A device that the customer has proved himself from is his word."""
        known = known or device in [one for one, _ in self.known_devices(customer, now).values()]
        mine = [lock for lock in self.locks if lock.key == customer and lock.row == "M-STOP-1" and lock.stands(now)]
        once = self.table.stop_stranger_once_s * SECOND
        free = known or all(self._recent(key, now, once) == 0 for key in (customer, caller) if key)
        if not known and caller:
            self.stranger_stops.setdefault(caller, []).append(now)
        if not mine and not free:
            return False
        if mine and (mine[0].until is None or not known):
            return True
        if mine:
            self.locks.remove(mine[0])
        elif not known:
            self.stranger_stops.setdefault(customer, []).append(now)
        stop, waits = self.table.stop, () if known else [path.name for path in self.table.paths.values() if path.kind is PathKind.WAIT][:1]
        until = None if known else now + self.table.stop_stranger_s * SECOND
        held = Held(customer, "M-STOP-1", str(stop.kind), 0, now, until, stop.operations, stop.spares, stop.items)
        self.imposed(held, (*waits, *self.table.stop_undo), now)
        self.blocked.setdefault(customer, []).append(now)
        return True

    def _recent(self, key, now, within):
        return sum(at > now - within for at in self.stranger_stops.get(key, ()))

    # Codes.

    def live_codes(self, run_key, item, now):
        """What may be answered now."""
        return [code for code in self.codes.get((run_key, item), ()) if now < code.until]

    def sent(self, run_key, item, address, text, now):
        """A code went out: the same as before where one is live for this address."""
        live = self.live_codes(run_key, item, now)
        same = next((code for code in live if code.address == address), None)
        valid = self.table.items[item].valid_s or self.table.mail["code_valid_s"]
        again = Code(address, text, now + valid * SECOND, 1, now) if same is None else same._replace(sends=same.sends + 1, last=now)
        if same is not None and same.text != text:
            self._complain(now, "a code that was sent again is another one")
        self.codes[run_key, item] = [*(code for code in live if code is not same), again]

    def no_code_because(self, run_key, item, address, now):
        """What a customer is told who asks for a code and gets none; nothing: he gets one."""
        if reasons := self.not_asked_because(run_key, item, now):
            return reasons
        live, mail = self.live_codes(run_key, item, now), self.table.mail
        same = next((code for code in live if code.address == address), None)
        if same is None:
            return {"sent-enough"} if len(live) >= mail["addresses"] else set()
        if same.sends >= mail["resend_per_challenge"]:
            return {"sent-enough"}
        return {"sent-just-now"} if now < same.last + mail["resend_wait_s"] * SECOND else set()

    def not_asked_because(self, run_key, item, now):
        """Why neither a code is sent nor a signature asked for what could not be entered; nothing: it is."""
        run = self.runs[run_key]
        if not self.closed(run, item, now):
            # What a lowered threshold owes falls now, too.
            self._entering = item
            self._write(run, self._places(run, item, now), now, "looked", None, item, {}, None)
        return self.closed(run, item, now) or (self.short(self._places(run, item, now), now) - {"busy"})

    def said_instead_of_a_code(self, run_key, item, reasons, said, now):
        """Whether the text told is one of the reasons."""
        return said in reasons or self._is_reason(said, reasons, self.runs[run_key], item, now)

    # Signatures.

    def is_signed(self, item):
        """Whether a passkey signs it, or is made for it."""
        return self.table.items[self.table.items[item].kept_as].kind is ItemKind.PASSKEY

    def is_asked(self, run_key, item, now):
        """Whether a signature may be given now."""
        return now < self.asked.get((run_key, item), 0)

    # What staff see.

    def _seen_as(self, world, counter):
        return visible(world, counter)

    def _flights_agree(self, places, seen, now):
        """All counts are compared together, once the entry is over."""

    def agrees(self, seen, sight, now):
        """Every count and every lock of the subjects that were looked at."""
        self._sight_agrees(sight, now)
        for place in {*seen, *(place for place in self.facts if place.key in sight.keys)}:
            counter = self.table.counters.get(place.counter)
            if counter is None:
                continue
            worlds, flight = self.recount(place, now)
            told = seen.get(place, (0, 0, 0))
            if (told[0], flight) not in {(len(world.standing), told[2]) for world in worlds}:
                self._complain(now, f"{place}: staff see {told[0]} and {told[2]} in flight, not {len(worlds[0].standing)} and {flight}")


def _locked(lock):
    if lock.kind == PenaltyKind.ASK_MORE:
        return "unknown-device"
    if lock.kind in REGISTERED:
        return "register-again"
    return "locked" if lock.until is None else "locked-for-a-while"


__all__ = ["ABOUT", "Inspector", "Origin", "Sight"]
