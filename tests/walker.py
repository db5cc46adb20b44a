"""Customers, strangers, staff and time at the door of a bank, end to end over HTTP; an inspector hears and sees what they do.

`Walk` does one thing after the other and complains where the inspector does. Whoever is locked out is brought back in by a way
that the row of his lock names, walked to its end: `bring_back`.
"""

import datetime as dt
import hashlib
import itertools
import re
from urllib.parse import quote
from zoneinfo import ZoneInfo

from auditor import SECOND, Held, Place, Sight, plainly
from authenticator import ORIGIN, Passkey, b64
from bankside import STAFF, told
from inspector import SENT, Inspector
from people import OURS, Person, numbers

from sekisho.core import otp
from sekisho.flows.held import SIGN_S
from sekisho.terms import ItemKind, PathKind, Role, Way

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

SECRETS = {ItemKind.PASSWORD, ItemKind.PIN, ItemKind.PASSCODE, ItemKind.KNOWLEDGE, ItemKind.TOTP}
BY_BANK = {ItemKind.BIOMETRIC, ItemKind.DEVICE_BIOMETRIC}
WAYS = {ItemKind.CODE: Way.MAIL, ItemKind.CONFIRMATION: Way.TELEPHONE}
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOT_ASKED = {"challenge": b64(bytes(32)), "user": {"id": b64(bytes(32))}}
"""What a page asks for that is none of the bank's."""


def _came(answer):
    """In which order answers to several entries at once must have come about, as far as they say."""
    if answer.status_code != 200:
        return 2, False
    told_of_it = answer.json()
    return told_of_it["outcome"] == "refused", told_of_it["state"] != "open"


class Walk:
    """One walk: some people, the house they come to, and an inspector."""

    def __init__(self, house, table=None):
        self.house = house
        self.inspector = Inspector(table or house.app.table)
        self.people = []
        self.whose = {}
        """By subject: who it is."""
        self.runs = {}
        """By run: who is in it, from which device, about whom."""
        self.held = {}
        """By reservation: the attempt, its run and item, and until when its verdict is waited for."""
        self.seen = {}
        self.moved = 0
        """How often the clock was moved, and by subject how often it had been when somebody looked."""
        self.looked_after = {}
        self.last = None
        """The last request that counted, to be sent once more."""
        self.last_right = False
        self.options = {}
        """By run and item: what a browser was asked to sign."""
        self._attempts = itertools.count(1)

    @property
    def table(self):
        return self.inspector.table

    @property
    def now(self):
        return self.house.now

    @property
    def complaints(self):
        return self.inspector.complaints

    # -- people

    def join(self, kind, flags=(), without=()):
        """Somebody comes: enrolled, with a secret for every item that has one."""
        person = Person(kind, flags)
        self.people.append(person)
        self.whose.update(dict.fromkeys(person.subjects().values(), person))
        self._put([(subject, body) for subject, body in person.enrolments()])
        self.inspector.enrolled.update(subject for subject, _ in person.enrolments())
        has = {"customer": OURS, "holder": ("account",), "stranger": ()}[kind]
        items = [item for item in self.table.items.values() if item.kind in SECRETS and str(item.reach) in has and not item.abolished and item.resyncs is None]
        self.give(person, {item: self.invented(item, person) for item in items if item.name not in without})
        flagged = self.inspector.flags
        flagged.setdefault(person.subject("customer"), set()).update(flags)
        if kind == "customer":
            flagged.setdefault(person.subject("account"), set()).add("contract")
        return person

    def neighbour(self, person):
        """Another customer: somebody who comes for it."""
        return next((one for one in self.people if one is not person and one.kind == "customer"), None) or self.join("customer")

    def invented(self, item, person):
        """A secret such as a customer has."""
        n = next(numbers)
        return {
            ItemKind.PASSWORD: f"quiet river {n}", ItemKind.PIN: f"{n % 10000:04d}", ItemKind.PASSCODE: f"{n % 1000000:06d}",
            ItemKind.KNOWLEDGE: f"known to {person.number} {n}", ItemKind.TOTP: SEED,
        }[item.kind]

    def give(self, person, secrets, *, first_time=None):
        """The bank sets secrets of his, by item."""
        first = {} if first_time is None else {"first_time": first_time}
        self._put([(f"{person.subject(str(item.reach))}/items/{item.name}", {"secret": secret, **first}) for item, secret in secrets.items()])
        for item, secret in secrets.items():
            person.secrets[item.name] = secret
            flags = self.inspector.flags.setdefault(person.subject(str(item.reach)), set())
            flags.add(f"set:{item.name}")
            if first_time is not None:
                (flags.add if first_time else flags.discard)(f"first-time:{item.name}")

    def _put(self, calls):
        for answer in self.house.together(*[self.house.send("PUT", f"/v1/staff/subjects/{path}", body, "endo") for path, body in calls]):
            if not answer.is_success:
                self.complain(f"what the bank tells was answered {answer.text}")

    # -- runs

    def begin(self, person, operation, *, session=None, about=None, device=None, named=True):
        """Begin a run: its id, or None where it may not begin."""
        found = self.table.operations[operation]
        whose = person.subject(str(found.subject))
        if whose.partition(":")[2].startswith("?"):
            whose = person.subject(person.main)
        device = device or person.device
        body = {"operation": operation, "context": {"device": device}, **({"subject": whose} if named else {})}
        if session is not None:
            body["session"] = session
        if about is not None:
            body["about"] = about.subject("account")
        answer = self.house.post("/v1/procedures", body)
        may = not found.session or (session is not None and self.inspector.sessions[session][0] in person.subjects().values())
        may = may and (session is None or self.inspector.session_lives(session, self.now))
        if (answer.status_code == 201) is not may:
            self.complain(f"{operation} was begun with {answer.status_code}")
        if answer.status_code != 201:
            return None
        key = answer.json()["procedure"]
        actor = "actor:" + hashlib.sha256(device.encode()).hexdigest()[:32]
        subjects = {**(person.subjects() if named else {reach: f"{reach}:?{key}" for reach in OURS}), "actor": actor, "caller": actor}
        if about is not None:
            subjects |= {f"about:{reach}": subject for reach, subject in about.subjects().items()}
        self.runs[key] = (person, about)
        self.inspector.begin_run(key, operation, subjects, self.now, session, device, named=whose if named else None)
        asked = [step["item"] for step in answer.json()["next"]]
        if asked != list(self.inspector.awaited(key)):
            self.complain(f"{operation} begins with {asked}, not with {self.inspector.awaited(key)}")
        return key

    def knower(self, run, item):
        """Whose secret it is that is entered: the caller's, or that of whom the entry is about."""
        person, about = self.runs[run]
        row = self.inspector.row(self.inspector.runs[run], item)
        return about if row is not None and row.about and about is not None else person

    def can(self, run, item):
        """Whether a right proof of an item can be given at all."""
        kind, person = self.table.items[item].kind, self.knower(run, item)
        if self.inspector.is_signed(item):
            return self.could_sign(run, item) and self.inspector.is_asked(run, item, self.now)
        if kind in SENT:
            return bool(self.inspector.live_codes(run, item, self.now)) and person.kind != "stranger"
        if kind in SECRETS:
            own = person.subject(str(self.table.items[item].reach))
            asked_of_him = "?" not in own and own in self.inspector.runs[run].subjects.values()
            fresh = kind is not ItemKind.TOTP or not self._shown(person, item)
            return asked_of_him and self._has(person, self.table.items[item].kept_as) and fresh
        return kind not in BY_BANK and (kind is not ItemKind.PAIR or person.kind == "customer")

    def could_sign(self, run, item):
        """Whether he has a passkey that signs it once that is asked, or may make one."""
        if not self.inspector.is_signed(item):
            return False
        person, found = self.knower(run, item), self.table.items[item]
        own = person.subject(str(self.table.items[found.kept_as].reach))
        known = "?" not in own and own in self.inspector.runs[run].subjects.values()
        return known and bool(person.passkeys or found.renews)

    def _erased(self, person):
        subjects = set(person.subjects().values())
        return {item for lock in self.inspector.locks if lock.key in subjects for item in self.inspector.erased(lock)}

    def _has(self, person, item):
        """Whether he has a secret that is on record: what a penalty has erased is gone until he registers it again."""
        own = person.subject(str(self.table.items[item].reach))
        return item in person.secrets and f"set:{item}" in self.inspector.flags.get(own, ()) and item not in self._erased(person)

    def _shown(self, person, item):
        """Whether the code that the token shows now was taken already."""
        found = self.table.items[item]
        return self.now // SECOND // otp.STEP_S - (found.resyncs is not None) <= person.token_step.get(found.kept_as, 0)

    def proof(self, run, item, *, right):
        """What is typed."""
        kind, person, found = self.table.items[item].kind, self.knower(run, item), self.table.items[item]
        if self.inspector.is_signed(item):
            return self._signature(run, item, right=right)
        if kind is ItemKind.PAIR:
            number = person.number if right else f"9{person.number[1:]}"
            return {name: person.account if reach == "account" else number for name, reach in found.parts}
        if kind is ItemKind.IDENTIFIER:
            return (person.account if found.names == "account" else person.number) if right else "none"
        if kind is ItemKind.DATA:
            if self._renewed(found) is not None:
                return self.invented(self._renewed(found), person) if right else (person.secrets[found.renews] or "no")
            if found.registers is not None:
                return f"new-{next(numbers)}@example.net" if right else "no address"
            return found.pattern or "whatever is typed" if right else "no"
        if kind in SENT:
            return self.inspector.live_codes(run, item, self.now)[-1].text if right else "000000"
        if kind is ItemKind.TOTP:
            step = self.now // SECOND // otp.STEP_S + (0 if right else 1000)
            shown = [step] if found.resyncs is None else [step - 1, step]
            return " ".join(otp.hotp(otp.seed_of(SEED), one) for one in shown)
        return person.secrets[item] if right else "not this one"

    def _signature(self, run, item, *, right):
        """What a browser answers: with a passkey of his; or with one that nobody knows, or on a page that is not the bank's."""
        person, options = self.knower(run, item), self.options.get((run, item), NOT_ASKED)
        if self.table.items[item].renews is None:
            return person.passkeys[-1].sign(options) if right else Passkey().sign(options, user="")
        new = Passkey()
        if right:
            person.renewing[run, item] = new
        return new.make(options, origin=ORIGIN if right else "https://bank.example.invalid")

    def _renewed(self, found):
        """The item whose secret this one is from the end of the run on, where its holder types it; what a device judges nobody types."""
        renewed = None if found.renews is None else self.table.items[found.renews]
        return renewed if renewed is not None and renewed.kind in SECRETS else None

    def can_be_wrong(self, run, item):
        """Whether anything typed there can be wrong."""
        found = self.table.items[item]
        if self.inspector.is_signed(item):
            return True
        if found.kind is ItemKind.DATA:
            person = self.knower(run, item)
            return found.pattern is not None or found.registers is not None or (found.renews is not None and self._has(person, found.renews))
        return found.kind not in BY_BANK

    def enter(self, run, item, *, right, again=False, key=None):
        """One entry; what was answered."""
        proof = self.proof(run, item, right=right)
        self.catch_up((self._named(run, item, proof) or {}).values())
        headers = {} if key is None else {"idempotency_key": key}
        self.last_right = right
        return self._heard(run, item, proof, self._post(run, item, proof, **headers), right=right)

    def _post(self, run, item, proof, **headers):
        self.last = (run, item, proof, headers)
        self.catch_up(self.inspector.runs[run].subjects.values())
        return self.house.post(f"/v1/procedures/{run}/attempts", {"item": item, "proof": proof}, **headers)

    def _heard(self, run, item, proof, answer, *, right):
        """Tell the inspector what came of an entry."""
        if answer.status_code == 404:
            if self.inspector.lives(self.inspector.runs[run], self.now):
                self.complain(f"{item}: there is no such run any more")
            return {"outcome": "refused", "message": "start-over"}
        answer = told(answer)
        subjects = self._named(run, item, proof)
        concerned = list((subjects or self.inspector.runs[run].subjects).values())
        before, self.seen = self.seen, {**self.seen}
        after, sight = self.look_at(concerned)
        verdict = "right" if right else "wrong"
        self.inspector.entered(next(self._attempts), run, item, verdict, self.now, answer, before, after, sight, subjects)
        self.inspector.agrees(after, sight, self.now)
        if answer["outcome"] == "right":
            self._after_right(run, item, proof, answer)
        return answer

    def _named(self, run, item, proof):
        """The subjects that an entry names instead of those of its run."""
        found = self.table.items[item]
        if found.kind not in {ItemKind.PAIR, ItemKind.IDENTIFIER}:
            return None
        parts = found.parts or ((None, found.names),)
        named = {str(reach): f"{reach}:{proof if name is None else proof[name]}" for name, reach in parts}
        operation = self.inspector.runs[run].operation
        main = named.get(str(self.table.operations[operation].subject)) or next(iter(named.values()))
        person = self.whose.get(main)
        linked = {reach: f"{reach}:?{main}" for reach in OURS} if person is None else person.subjects()
        return {**self.inspector.runs[run].subjects, **linked, **named}

    def _after_right(self, run, item, proof, answer):
        found, person = self.table.items[item], self.knower(run, item)
        if found.kind is ItemKind.TOTP:
            person.token_step[found.kept_as] = self.now // SECOND // otp.STEP_S
        if self._renewed(found) is not None:
            person.renewing[run, found.renews] = proof
        if found.registers is not None:
            person.renewing[run, found.name] = proof
        if run in self.inspector.done:
            self._in_force(person, run)
        if "session" in answer:
            self.inspector.log_in(answer["session"], self.inspector.runs[run].subjects["customer"], self.now)

    def _in_force(self, person, run):
        """The run is done: what he has chosen in it is his from now on."""
        for name, chosen in [(name, chosen) for (where, name), chosen in person.renewing.items() if where == run]:
            found = self.table.items[name]
            if self.inspector.is_signed(name):
                person.passkeys.append(chosen)
                continue
            whose = person.subject(str(found.reach))
            if found.registers is not None and whose == self._reached(person) and self._is_confirmed(run):
                person.mails = (chosen,)
            elif found.registers is None and "?" not in whose:
                person.secrets[name] = chosen

    def _is_confirmed(self, run):
        """Whether a code came back from the addresses that were entered: the app's passcode in its place confirms none."""
        return any(self.table.items[item].confirms for item in self.inspector.proved[run])

    def _reached(self, person):
        """The subject on which the mail addresses are that he reads codes at."""
        return person.subject(person.main)

    def guess(self, run, item, times):
        """Wrong ones, one after the other."""
        for _ in range(times):
            self.enter(run, item, right=False)

    def together(self, run, item, times, *, right):
        """The same entry several times at once: the order is nobody's, but those that were looked at come before those that were not."""
        proof = self.proof(run, item, right=right)
        body = {"item": item, "proof": proof}
        answers = self.house.together(*[self.house.send("POST", f"/v1/procedures/{run}/attempts", body) for _ in range(times)])
        in_order = sorted(answers, key=_came)
        if _came(in_order[0]) < (1, False):
            # Whoever has waited for another of them long enough is told to try again, and nothing of him is counted.
            in_order = [one for one in in_order if one.status_code != 200 or not one.json().get("again")]
        with self.inspector.at_once(self.now):
            for answer in in_order:
                self._heard_of_many(run, item, proof, answer, right=right)
        self.look_around(self.inspector.runs[run].subjects.values())

    def _heard_of_many(self, run, item, proof, answer, *, right):
        """As one of several: what staff see after all of them was not there after each."""
        if answer.status_code == 404:
            return
        answer, subjects = told(answer), self._named(run, item, proof)
        self.inspector.entered(next(self._attempts), run, item, "right" if right else "wrong", self.now, answer, {}, {}, None, subjects)
        if answer["outcome"] == "right":
            self._after_right(run, item, proof, answer)

    def repeat(self):
        """The last entry once more under a key, twice: one answer, counted once."""
        run, item, proof, _ = self.last
        key = f"once-{next(numbers)}"
        chosen = self.inspector.is_signed(item) or self.table.items[item].kind is ItemKind.DATA
        right = self.can(run, item) and (self.last_right if chosen else proof == self.proof(run, item, right=True))
        answer = self._post(run, item, proof, idempotency_key=key)
        self._heard(run, item, proof, answer, right=right)
        if answer.status_code != 200:
            return
        again = self._post(run, item, proof, idempotency_key=key)
        if answer.json()["outcome"] == "refused":
            self._heard(run, item, proof, again, right=False)
        elif again.json() != answer.json():
            self.complain(f"sent twice, and told {again.json()} after {answer.json()}")
        self.look_around(self.inspector.runs[run].subjects.values())

    # -- what the bank compares

    def reserve(self, run, item):
        """The bank takes a guess in a run: the reservation, or None."""
        self.catch_up(self.inspector.runs[run].subjects.values())
        subject = self.inspector.runs[run].subjects[str(self.table.operations[self.inspector.runs[run].operation].subject)]
        body = {"operation": self.inspector.runs[run].operation, "item": item, "subject": subject, "procedure": run}
        answer = self.house.post("/v1/reservations", body)
        if answer.status_code == 404:
            return None
        before = dict(self.seen)
        after, sight = self.look_at(self.inspector.runs[run].subjects.values())
        attempt, granted = next(self._attempts), answer.status_code == 201
        if granted:
            self.inspector.looked(attempt, run, item, self.now, "granted", before, None)
        else:
            self.inspector.looked(attempt, run, item, self.now, told(answer)["message"], after, sight)
        self.inspector.agrees(after, sight, self.now)
        if not granted:
            return None
        name = answer.json()["reservation"]
        self.held[name] = (attempt, run, item, self.now + self.table.timing.reservation_s * SECOND)
        return name

    def verdict(self, name, verdict):
        """The bank has compared."""
        attempt, run, item, _ = self.held.pop(name)
        answer = told(self.house.post(f"/v1/reservations/{name}/verdict", {"verdict": verdict}))
        if attempt not in self.inspector.taken:
            return
        after, sight = self.look_at(self.inspector.runs[run].subjects.values())
        self.inspector.settled(attempt, verdict, self.now, None if verdict == "unread" else answer["outcome"], after, sight)
        self.inspector.agrees(after, sight, self.now)
        if answer["outcome"] == "right":
            self._after_right(run, item, None, answer)

    # -- codes and signatures

    def prepare(self, run, item):
        """Have a code sent or a signature asked for, where an entry needs one and there is none: whether there is one now."""
        if self.is_ready(run, item):
            return True
        return self.ask(run, item) if self.inspector.is_signed(item) else self.send(run, item)

    def is_ready(self, run, item):
        """Whether an entry of this item waits for nothing that the bank sends or asks for."""
        if self.inspector.is_signed(item):
            return self.inspector.is_asked(run, item, self.now)
        return self.table.items[item].kind not in SENT or bool(self.inspector.live_codes(run, item, self.now))

    def ask(self, run, item):
        """Have a signature asked for: whether it was."""
        reasons = self.inspector.not_asked_because(run, item, self.now)
        answer = self.house.post(f"/v1/procedures/{run}/signatures", {"item": item})
        if answer.status_code == 404:
            return False
        if answer.status_code == 201:
            if reasons:
                self.complain(f"a signature for {item} was asked for in spite of {sorted(reasons)}")
            self.options[run, item] = answer.json()["options"]
            self.inspector.asked[run, item] = self.now + SIGN_S * SECOND
        elif not self.inspector.said_instead_of_a_code(run, item, reasons, told(answer)["message"], self.now):
            self.complain(f"no signature for {item} was asked for, for {told(answer)['message']}, not for {sorted(reasons)}")
        self._after_asking(run, item)
        return answer.status_code == 201

    def _after_asking(self, run, item):
        """Whoever asks for what his run asks of him uses his session; what was owed has fallen."""
        if self.inspector.lives(self.inspector.runs[run], self.now) and self.inspector.runs[run].session and item in self.inspector.awaited(run):
            self.inspector.used[self.inspector.runs[run].session] = self.now
        after, sight = self.look_at(self.inspector.runs[run].subjects.values())
        self.inspector.agrees(after, sight, self.now)

    def send(self, run, item, which=0):
        """Have a code sent: whether one was."""
        found = self.house.get(f"/v1/procedures/{run}/addresses")
        shown = [] if found.status_code == 404 else [one["id"] for one in found.json()["addresses"] if one["item"] == item]
        address = shown[which % len(shown)] if shown else None
        reasons = self.inspector.no_code_because(run, item, address, self.now)
        answer = self.house.post(f"/v1/procedures/{run}/challenges", {"item": item, **({"address": address} if address else {})})
        if answer.status_code == 404:
            return False
        if answer.status_code == 201:
            if reasons:
                self.complain(f"a code for {item} was sent in spite of {sorted(reasons)}")
            self.inspector.sent(run, item, address, self._received(run, item, which, answer.json()["delivery"]), self.now)
        else:
            said = told(answer)["message"]
            if said != "sent-enough" and not self.inspector.said_instead_of_a_code(run, item, reasons, said, self.now):
                self.complain(f"no code for {item} was sent, for {said}, not for {sorted(reasons)}")
        self._after_asking(run, item)
        return answer.status_code == 201

    def _received(self, run, item, which, delivery):
        """The code in the message that came; other messages may have come with it."""
        self.house.delivers()
        person, way = self.runs[run][0], WAYS[self.table.items[item].kind]
        new = self._new_address(run, item)
        to = person.telephone if way is Way.TELEPHONE else new or person.mails[which % len(person.mails)]
        found = [one.body for one in self.house.boxes[way].received(to) if one.delivery == delivery]
        if person.kind == "stranger":
            return None
        assert found, f"the code for {item} did not come to {to}"
        return re.search(r"\d[\d ]{4,12}\d", found[0])[0]

    def _new_address(self, run, item):
        """The address that was entered in a run and that this code confirms; None: the code goes to one on file."""
        if not self.table.items[item].confirms:
            return None
        steps = self.table.operations[self.inspector.runs[run].operation].steps
        entered = next(step.confirms for step in steps if item in step.items)
        return self.knower(run, entered).renewing.get((run, entered))

    # -- time, and what staff see

    def wait(self, seconds, subjects=None):
        """Time passes; guesses without a verdict are wrong when theirs is over. `subjects`: whom to look at then, not at everybody."""
        self.house.passes(seconds)
        self.moved += 1
        if subjects is None:
            person = self.people[self.moved % len(self.people)]
            subjects = [*person.subjects().values(), person.actor]
        late = [name for name, (*_, until) in self.held.items() if until <= self.now]
        for name in late:
            attempt, *_ = self.held.pop(name)
            if attempt in self.inspector.taken:
                self.inspector.settled(attempt, "wrong", self.now, "not heard", {}, None)
        self.look_around(subjects)

    def look_around(self, subjects=None):
        """Look at whatever staff can see."""
        everybody = [subject for person in self.people for subject in (*person.subjects().values(), person.actor)]
        seen, sight = self.look_at(everybody if subjects is None else subjects)
        self.inspector.agrees(seen, sight, self.now)

    def catch_up(self, subjects):
        """Look at whomever nobody has looked at since the clock was moved."""
        unseen = [subject for subject in subjects if self.looked_after.get(subject) != self.moved]
        if unseen:
            self.look_at(unseen)

    def look_at(self, subjects):
        """What staff see of some subjects: (counts, locks)."""
        subjects = sorted(set(subjects))
        answers = self.house.together(*[
            self.house.send("GET", f"/v1/staff/subjects/{quote(subject, safe='')}", None, "goto") for subject in subjects
        ])
        self.looked_after.update(dict.fromkeys(subjects, self.moved))
        locks, counts = [], {}
        for subject, answer in zip(subjects, answers, strict=True):
            view = answer.json()
            locks += [_held(subject, lock) for lock in view["locks"]]
            for one in view["counts"]:
                fired = max((stage["wrong"] for stage in one["stages"] if stage["fired"]), default=0)
                counts[Place(subject, one["counter"])] = (one["wrong"], fired, one["in_flight"])
        self.seen = {**{place: found for place, found in self.seen.items() if place.key not in subjects}, **counts}
        return counts, Sight(locks, set(), frozenset(subjects))

    def complain(self, text):
        self.complaints.append(f"{self.now}: {text}")

    # -- what the bank takes over, and stops

    def take_over_count(self, person, counter, short):
        """A count from another system stands here at least as high."""
        subject = person.subject(str(counter.reach))
        wrong = max(0, counter.stages[0].wrong - short)
        item = next(name for name, item in self.table.items.items() if str(item.reach) == str(counter.reach))
        answer = self.house.call("PUT", f"/v1/staff/subjects/{quote(subject, safe='')}/items/{item}", {"counts": {counter.name: wrong}}, "endo")
        if answer.status_code == 200:
            self.inspector.carried(Place(subject, counter.name), wrong, self.now)
        elif person.kind != "stranger" and "?" not in subject:
            self.complain(f"{counter.name} was not taken over: {answer.text}")
        self.look_around([subject])

    def take_over_lock(self, person, n):
        """A lock of some row from another system, since a while ago."""
        rows = sorted({*self.table.abolished, *(stage.row for counter in self.table.counters.values() for stage in counter.stages)})
        row, reach = rows[n % len(rows)], OURS[n % len(OURS)]
        subject = person.subject(reach)
        item = next(name for name, item in self.table.items.items() if str(item.reach) == reach)
        since = dt.datetime.fromtimestamp(self.now // SECOND - HOUR // 2, dt.UTC)
        body = {"locks": [{"row": row, "since": since.isoformat()}]}
        answer = self.house.call("PUT", f"/v1/staff/subjects/{quote(subject, safe='')}/items/{item}", body, "endo")
        if answer.status_code == 200:
            self.inspector.imported(subject, row, self.now, int(since.timestamp()) * SECOND)
        self.look_around([subject])

    def stop(self, person, caller, *, known, at_the_desk):
        """Somebody asks for the emergency stop, himself or at the desk."""
        subject = person.subject(person.main)
        if at_the_desk:
            body = {"reason": "asked for", **({"known_by": "verified"} if known else {})}
            answer, who, device = self.house.post(f"/v1/staff/subjects/{subject}/stops", body, "aoki"), None, ""
        else:
            body = {"subject": subject, "context": {"device": caller.device}, **({"known_by": "known-device"} if known else {})}
            answer, who, device = self.house.post("/v1/stops", body), caller.actor, caller.device
        stopped = self.inspector.stopped(subject, who, self.now, known=known, device=device)
        if answer.status_code != 200 or (answer.json()["outcome"] == "stopped") is not stopped:
            self.complain(f"a stop was answered with {answer.text}, not {stopped}")
        self.look_around([subject])

    # -- staff

    def approve(self, held, path, asked_by, asked, operator):
        """A second person agrees, or may not."""
        answer = self.house.approve(asked, operator)
        # A release waits three days for its second person.
        may = self.may(held, path, operator)
        gone = held not in self.inspector.locks or not held.stands(self.now)
        expected = {403} if may == {403} or operator == asked_by else {409} if gone or may == {409} else {200}
        if answer.status_code not in expected:
            self.complain(f"{operator} approved {path} on {held.row}: {answer.status_code}, not {expected}")
        if answer.status_code == 200:
            self.lifted(held, path)
        elif self.table.paths[path].kind is PathKind.FORM:
            self.house.post(f"/v1/staff/forms/{asked.json()['approval']}/withdrawal", {"reason": "another time"}, "fujii")

    def incident(self, held, until):
        """All locks of this one's row, since it fell, were the bank's own fault: two of the staff release them together."""
        since = held.since - SECOND
        if any(abs(lock.since - end) < SECOND // 1000 for lock in self.inspector.locks for end in (since, until)):
            return
        body = {"reason": "a fault of ours", "rows": [held.row], "since": _told(since), "until": _told(until)}
        answer = self.house.post("/v1/staff/incidents", body, "chiba")
        may = bool(self.table.incidents) and held.row in self.inspector.releasable()
        if (answer.status_code == 201) is not may:
            self.complain(f"an incident of {held.row} was answered {answer.status_code}: {answer.text}")
        if answer.status_code != 201:
            return
        path = f"/v1/staff/incidents/{answer.json()['incident']}"
        if self.house.approve(self.house.post(f"{path}/releases", None, "chiba"), "doi").status_code != 200:
            self.complain("two persons may not release an incident")
        while self.house.get(path, "chiba").json()["state"] != "done":
            self.house.do(self.house.app.incidents.go_on())
        for lock in list(self.inspector.locks):
            if lock.row == held.row and since <= lock.since <= until and lock.stands(self.now):
                self.inspector.lift(lock, self.now)
        self.look_around()

    def without_way(self, held):
        """Whether the table leaves nothing to him who is locked, but a contract on paper."""
        paths = [self.table.paths[name] for name in self.inspector.origins[held].undo if name in self.table.paths]
        return all(
            path.kind is PathKind.NONE or (self._is_holder(held.key) and (path.kind is PathKind.DEVICE or self._gives_to_a_customer(path)))
            for path in paths)

    def _is_holder(self, key):
        return key in self.whose and self.whose[key].kind == "holder"

    def _gives_to_a_customer(self, path):
        """Whether it gives what only somebody with a contract can have, or the contract itself."""
        return any(name == "contract" or (name in self.table.items and str(self.table.items[name].reach) == "customer") for name in path.cases[-1].gives)

    def shown(self, held):
        """A lock as staff see it now; None: they do not."""
        view = self.house.view(held.key)
        return next((lock for lock in view["locks"] if _same(_held(held.key, lock), held)), None)

    def release(self, held, path, operator):
        """Somebody at the bank asks for a release: the answer, which must be the one the table gives."""
        found, shown = self.table.paths.get(path), self.shown(held)
        assert shown is not None, f"staff do not see {held}"
        asked = {"lock": shown["id"], "reason": "asked for"}
        if found is not None and found.kind is PathKind.FORM:
            addresses = {"addresses": [self.moved_to(held)]} if "mail-otp" in found.cases[-1].gives else {}
            answer = self.house.post(f"/v1/staff/subjects/{quote(held.key, safe='')}/forms", {"form": path, **asked, **addresses}, operator)
        else:
            answer = self.house.release(held.key, path, operator, shown["id"])
        expected = self.may(held, path, operator)
        if answer.status_code not in expected:
            self.complain(f"{operator} asked for {path} on {held.row}: {answer.status_code} {answer.text}, not {expected}")
        return answer

    def moved_to(self, held):
        """A mail address that a customer signs for on paper."""
        person = self.whose[held.key]
        person.signed_for = f"paper-{next(numbers)}@example.net"
        return person.signed_for

    def may(self, held, path, operator):
        """What the table says of an operator who asks for a path."""
        role, found = STAFF[operator], self.table.paths.get(path)
        if role not in {Role.FIRST_LINE, Role.SECOND_LINE, Role.BACK_OFFICE}:
            return {403}
        if found is None or path not in self.inspector.origins[held].undo or found.kind not in {PathKind.DESK, PathKind.FORM} or not found.roles:
            # Of two reasons either may be told.
            return {403, 409}
        nobody = found.kind is PathKind.FORM and ("?" in held.key or self.whose[held.key].kind == "stranger")
        if role not in found.roles:
            return {403, 409} if nobody else {403}
        if nobody or not self.open(found):
            return {409}
        if found.kind is PathKind.FORM and self._is_holder(held.key) and self._gives_to_a_customer(found):
            return {409, 422}
        return {202 if found.second_person else 200}

    def open(self, path, at=None):
        """Whether it is an hour at which a path may be walked."""
        if path.opens_s is None:
            return True
        at = dt.datetime.fromtimestamp((at or self.now) / SECOND, ZoneInfo(path.zone))
        second = at.hour * 3600 + at.minute * 60 + at.second
        return path.opens_s[0] <= second < path.opens_s[1] and (path.every != "weekday" or at.weekday() < 5)

    def opens_in(self, path):
        """How long until it is such an hour. Seconds, to the hour."""
        hours, now = 0, self.now
        while not self.open(path, now + hours * HOUR * SECOND):
            hours += 1
        return hours * HOUR

    def lifted(self, held, path):
        """Staff have lifted a lock, and what fell with it; a form every lock that names it, on whatever belongs to the customer."""
        found, person = self.table.paths[path], self.whose[held.key]
        if found.kind is PathKind.FORM:
            own = set(person.subjects().values())
            gone = [other for other in self.inspector.locks if other.key in own and path in self.inspector.origins[other].undo]
        else:
            gone = [other for other in self.inspector.lifted_together(held) if other == held or path in self.inspector.origins[other].undo]
        for one in gone:
            self.inspector.lift(one, self.now)
        if found.kind is PathKind.FORM:
            self._by_letter(person, found)
        self.look_around(person.subjects().values())

    def _by_letter(self, person, path):
        """What a form sets, and what its letters bring."""
        for flag in path.sets:
            self.inspector.flags.setdefault(person.subject("customer"), set()).add(flag)
        self.house.delivers()
        for name in path.cases[-1].gives:
            item = self.table.items.get(name)
            if name == "mail-otp" and person.kind == "customer":
                person.mails = (person.signed_for,)
            if item is not None and item.kind in SECRETS - {ItemKind.TOTP} and "?" not in person.subject(str(item.reach)):
                letter = self.house.boxes[Way.LETTER].received(person.subject(str(item.reach)))[0]
                person.secrets[name] = re.search(r"\d{4,12}", letter.body)[0]
                self.inspector.flags.setdefault(person.subject(str(item.reach)), set()).add(f"set:{name}")


def _held(key, lock):
    return Held(
        key, lock["row"], lock["kind"], lock["stage"] or 0, _at(lock["since"]), None if lock["until"] is None else _at(lock["until"]),
        tuple(lock["operations"]), tuple(lock["spares"]), tuple(lock["items"]), lock["devices"] or "", lock["counter"] or "",
    )


def _told(at):
    return dt.datetime.fromtimestamp(at / SECOND, dt.UTC).isoformat()


def _at(text):
    return int(dt.datetime.fromisoformat(text).timestamp() * SECOND)


def _same(one, other):
    return round(one.since / SECOND) == round(other.since / SECOND) and plainly(one) == plainly(other)
