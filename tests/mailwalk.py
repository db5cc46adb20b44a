"""Walks over login, mail that does not arrive, the desk and recovery: a customer, a thief who knows everything and has nothing, and operators.

`Walk` writes down what everybody did and was handed, and complains by rules of its own, which are said here in full and read no policy:
nobody is in without a password and a code that reached him, nobody registers a password without what only the customer receives, the desk
deletes nothing but in its hours, by two persons, for a verified caller whose remedies were tried. `gets_in` shows that there is a next step.
"""

import asyncio
import random
import re
from types import SimpleNamespace

from bankside import DAY, MINUTE, person
from people import House

from sekisho.flows.outbox import LEASE_S
from sekisho.ports import Handed
from sekisho.terms import MailGroup, Way

HOUR = 60 * MINUTE
TOKYO_S = 9 * HOUR
REMEDIES = ("receive-list", "spam-folder", "security-software", "other-address")
FAULTS = ("arrives", "dropped", "filtered", "unknown", "put-off", "lost", "worker-dies")
LONG = re.compile(r"(?<!\d)\d{4} ?\d{4}(?!\d)")
SPOKEN = re.compile(r"(?<!\d)\d{6}(?!\d)")
VERIFIED_S, OPEN_S = 24 * HOUR, (9 * HOUR, 21 * HOUR)


class PostedHouse(House):
    """The bank on `major-bank`, with a world of mail in which each address has a fault of its own."""

    def __init__(self, folder, policy):
        super().__init__(folder, policy)
        self.faults = {}
        self.carried = {}
        """What the world of mail has been handed, by message: every time of it."""
        self.deaths = 0
        """Workers that have died between DATA and its answer."""
        self.at_once = 0
        """Deletions by two who worked on one case at one moment."""
        box = self.boxes[Way.MAIL]
        put, deliver = box.send, self.app.outbox.deliver

        async def send(message):
            fault = self.faults.get(message.to, "arrives")
            self.carried.setdefault(message.delivery, []).append(message)
            if fault in {"arrives", "lost", "worker-dies"}:
                await put(message)
            if fault == "worker-dies" and len(self.carried[message.delivery]) == 1:
                self.deaths += 1
                raise asyncio.CancelledError
            return {
                "filtered": Handed(accepted=False, said="550 filtered", group=MailGroup.RECIPIENT_FILTER, stage="data"),
                "unknown": Handed(accepted=False, said="550 unknown", group=MailGroup.DEAD, stage="rcpt"),
                "put-off": Handed(accepted=False, said="451 later", again=True),
                "lost": Handed(accepted=False, said="no answer", lost=True, again=True),
            }.get(fault, Handed(accepted=True, said="250 taken"))

        async def deliver_on():
            """Another worker goes on where one has died."""
            while True:
                try:
                    return await deliver()
                except asyncio.CancelledError:
                    continue

        box.send, self.app.outbox.deliver = send, deliver_on

    @property
    def twice(self):
        """What was handed over more than once, and not as the same message."""
        return [name for name, times in self.carried.items() if len({(one.to, one.body) for one in times}) > 1]

    @property
    def second(self):
        """Of the day, in Tokyo."""
        return (self.now // 1_000_000 + TOKYO_S) % DAY


class Walk:
    """One walk, from its seed."""

    def __init__(self, house, seed):
        self.house, self.chance = house, random.Random(seed)
        self.complaints, self.said = [], []
        self.hana = house.customer("card-pin", "token-otp", flags=("identity-demanded",))
        self.password, self.mails = self.hana.password, list(self.hana.mails)
        self.runs = []
        self.new = 0
        self.deleted = None
        """When the desk deleted; None: it has not, or it came to its end."""
        self.case = None
        self.book = {}
        """By case: who was verified when, which remedies, who asked."""

    # -- what everybody does

    def step(self):
        """One thing, by anybody."""
        moves = (
            (6, self.owner_logs_in), (3, self.owner_mistypes), (6, self.thief_logs_in), (4, self.thief_resets), (4, self.world_changes),
            (5, self.time_passes), (3, self.owner_resets_by_mail), (5, self.desk_opens), (6, self.desk_notes), (4, self.desk_verifies), (8, self.desk_prepares),
            (4, self.thief_telephones), (10, self.desk_asks), (10, self.desk_approves), (4, self.two_work_at_once), (6, self.owner_recovers), (2, self.somebody_stops), (3, self.worker_dies),
            (2, self.thief_tries_release_code),
        )
        move = self.chance.choices([one for _, one in moves], [weight for weight, _ in moves])[0]
        self.said.append(move.__name__)
        move()
        self._goes_on()
        if self.house.twice:
            self.complain("a message was handed over once more and was another")

    def owner_logs_in(self):
        run = self._begin("login")
        if self._enter(run, "login-password", self.password):
            self._answer_by_mail(run, "risk-code")

    def owner_mistypes(self):
        self._enter(self._begin("login"), "login-password", "mistyped")

    def thief_logs_in(self):
        """He knows the password, and guesses the code."""
        run = self._begin("login", thief=True)
        if self._enter(run, "login-password", self.password):
            self._send(run, "risk-code")
            self._enter(run, "risk-code", self._guess(8))

    def thief_resets(self):
        run = self._begin("reset-password", thief=True)
        for item, proof in self._known():
            if not self._enter(run, item, proof):
                return
        item = self.chance.choice(["mail-otp", "release-code"])
        self._send(run, item)
        self._enter(run, item, self._guess(8))
        self._enter(run, "new-login-password", f"stolen river {self.chance.random()}")

    def owner_resets_by_mail(self):
        run = self._begin("reset-password")
        if all(self._enter(run, item, proof) for item, proof in self._known()) and self._answer_by_mail(run, "mail-otp"):
            self._new_password(run)

    def world_changes(self):
        self.house.faults[self.chance.choice(self.mails)] = self.chance.choice(FAULTS)

    def worker_dies(self):
        """His code has reached him when its worker dies, and what takes it for unsent sends it once more."""
        self.house.faults.update(dict.fromkeys(self.mails, "worker-dies"))
        self.owner_logs_in()
        self.house.passes(LEASE_S)

    def time_passes(self):
        self.house.passes(self.chance.choice([10, 50, 5 * MINUTE, HOUR, 5 * HOUR, DAY]))

    def desk_opens(self):
        told = self._post("/v1/staff/cases", {"subject": self.hana.subject, "matter": "no code arrives", "how": "telephone"}, "aoki")
        if told.status_code == 201:
            self.case = told.json()["case"]
            self.book[self.case] = SimpleNamespace(verified=None, remedies=set(), asked_by=None, approval=None)

    def desk_notes(self):
        if self.case:
            remedy = self.chance.choice(REMEDIES)
            if self._on_case("notes", {"what": "remedy", "text": remedy}).status_code == 200:
                self.book[self.case].remedies.add(remedy)

    def desk_prepares(self):
        """A long call, with everything in it that an act may need."""
        if self.case is None:
            self.desk_opens()
        self._tries_remedies()
        self.desk_verifies()

    def _tries_remedies(self):
        for remedy in REMEDIES:
            if self._on_case("notes", {"what": "remedy", "text": remedy}).status_code == 200:
                self.book[self.case].remedies.add(remedy)

    def desk_verifies(self):
        """The customer reads out what has reached his telephone."""
        if self.case and self._on_case("verifications", {"item": "caller-code"}).status_code == 201:
            code = self._spoken(SPOKEN)
            self._hears("caller-code", code or "none", whose="owner")

    def thief_telephones(self):
        """He is asked for what he has, has nothing, and guesses; the word too, whether or not the number on file was rung."""
        if not self.case:
            return
        item = self.chance.choice(["caller-code", "caller-in-session", "call-back-word"])
        if item != "call-back-word":
            self._on_case("verifications", {"item": item})
        self._hears(item, self._guess(6), whose="thief")

    def desk_asks(self):
        if not self.case:
            return
        by = self.chance.choice(["aoki", "chiba", "doi", "endo"])
        told = self._on_case("acts", {"path": "delete-addresses", "reason": "no code arrives"}, by)
        if told.status_code == 202:
            self._may_be_asked(by)
            self.book[self.case].asked_by, self.book[self.case].approval = by, told.json()["approval"]
        elif told.status_code == 200:
            self.complain(f"{by} deleted alone")

    def desk_approves(self):
        book = self.book.get(self.case)
        if book is None or book.approval is None:
            return
        by = self.chance.choice(["aoki", "chiba", "doi", "endo"])
        if self._post(f"/v1/staff/approvals/{book.approval}", None, by).status_code == 200:
            self._may_be_asked(by)
            if by == book.asked_by:
                self.complain(f"{by} approved what she asked for")
            self.deleted, book.approval = self.house.now, None

    def two_work_at_once(self):
        """Two operators ask for the same thing in one case, and each agrees to everything that was asked, all at one moment."""
        if not self.case or self.chance.random() < 0.5:
            self.desk_prepares()
        path = f"/v1/staff/cases/{self.case}/acts"
        body = {"path": "delete-addresses", "reason": "no code arrives"}
        told = self.house.together(*(self.house.send("POST", path, body, by) for by in ("chiba", "doi")))
        asked = {one.json()["approval"]: by for one, by in zip(told, ("chiba", "doi"), strict=True) if one.status_code == 202}
        # Whoever asked is the quickest to agree: that she may not is tried before another has done it.
        agreeing = sorted(((approval, by) for approval in asked for by in ("chiba", "doi", "aoki")), key=lambda one: asked[one[0]] != one[1])
        told = self.house.together(*(self.house.send("POST", f"/v1/staff/approvals/{approval}", None, by) for approval, by in agreeing))
        done = [(approval, by) for (approval, by), one in zip(agreeing, told, strict=True) if one.status_code == 200]
        for approval, by in done:
            self._may_be_asked(by)
            if by == asked[approval]:
                self.complain(f"{by} approved what she asked for")
        if len(done) > 1:
            self.complain("deleted twice at once")
        if asked:
            self.book[self.case].approval = None
        if done:
            self.deleted = self.house.now
            self.house.at_once += 1

    def owner_recovers(self, leaves_at=0.3):
        """Registers again with what the machine has said; now and then he leaves it half done."""
        code = self._release_code()
        if code is None:
            return
        run = self._begin("reset-password")
        if not all(self._enter(run, item, proof) for item, proof in [*self._known(), ("release-code", code)]):
            return
        if self.chance.random() < leaves_at:
            return
        self.new += 1
        to = f"new{self.new}-{self.hana.number}@example.net"
        wanted, _ = self._new_password(run)
        if not self._enter(run, "new-addresses", to):
            return
        self._send(run, "address-code")
        done = self._enter(run, "address-code", self._received(to) or "none")
        if done and done.get("state") == "done":
            self.mails, self.password, self.deleted = [to], wanted, None

    def thief_tries_release_code(self):
        run = self._begin("reset-password", thief=True)
        for item, proof in [*self._known(), ("release-code", self._guess(8))]:
            if not self._enter(run, item, proof):
                return

    def somebody_stops(self):
        body = {"subject": self.hana.subject, **({"known_by": "known-device"} if self.chance.random() < 0.5 else {})}
        self._post("/v1/stops", body)

    # -- the rules, said once more

    def _may_be_asked(self, by):
        book = self.book[self.case]
        if by not in {"chiba", "doi"}:
            self.complain(f"{by} may delete nothing")
        if not OPEN_S[0] <= self.house.second < OPEN_S[1]:
            self.complain(f"deleted at {self.house.second} s of the day")
        if book.verified is None or self.house.now >= book.verified + VERIFIED_S * 1_000_000:
            self.complain("nobody was verified")
        if book.remedies != set(REMEDIES):
            self.complain("remedies were left out")

    def _after(self, run, item, proof, told):
        """What an answer may grant, by what was entered in its run and what had reached the customer."""
        if told.get("outcome") == "right":
            run.right[item] = proof
        if told.get("session") or (run.operation == "login" and told.get("state") == "done"):
            if run.thief or run.right.get("login-password") != self.password or run.right.get("risk-code") not in run.codes:
                self.complain(f"in without proof: {sorted(run.right)}")
            self._demand()
        if run.operation == "reset-password" and told.get("outcome") == "right" and item in {"new-login-password", "new-addresses"}:
            passed = run.right.get("mail-otp") in run.codes or run.right.get("release-code") in self._told_by_machine()
            if run.thief or not passed or {"number-pair", "card-pin"} - run.right.keys():
                self.complain(f"a password was registered without proof: {sorted(run.right)}")
        if item == "caller" and told.get("verified"):
            self.complain("verified without having anything")

    def complain(self, what):
        self.complaints.append(f"{what} (after {self.said[-8:]})")

    # -- the next step

    def gets_in(self):
        """As many ways as it takes, each one that the service itself names: whether the customer is in at the end."""
        for _ in range(12):
            self._goes_on()
            if self._tries_login():
                return True
            self._one_way_back()
        return False

    def _tries_login(self):
        run = self._begin("login")
        if not self._enter(run, "login-password", self.password):
            return False
        for n in range(len(self.mails)):
            done = self._answer_by_mail(run, "risk-code", n)
            if done and done.get("session"):
                return True
        return False

    def _one_way_back(self):
        """What the desk reads out: the first way of the first lock; with no lock in the way, new addresses."""
        # No walk has the patience to sit out a year, so what is closed for a time is waited for and all else is paper or desk.
        locks = self.house.view(self.hana.subject)["locks"] + self.house.view(self.hana.account_subject)["locks"]
        ways = [(lock, way) for lock in locks for way in lock["release"]]
        forms = {way["path"] for _, way in ways if way["path"].startswith("form-")}
        if any(lock["until"] for lock in locks):
            self.house.passes(25 * HOUR)
        elif forms:
            self._on_paper("form-stop" if "form-stop" in forms else min(forms))
        else:
            self._by_desk()

    def _on_paper(self, form):
        to = f"paper{len(self.said)}-{self.hana.number}@example.net"
        self.said.append(form)
        self._at(10)
        path = f"/v1/staff/subjects/{self.hana.subject}/forms"
        gives = {"addresses": [to]} if form == "form-password" else {}
        asked = self._post(path, {"form": form, "reason": "a form", **gives}, "endo")
        done = self._post(f"/v1/staff/approvals/{asked.json().get('approval')}", None, "fujii")
        self._goes_on()
        if done.status_code == 200 and form == "form-password":
            self.mails, self.deleted = [to], None
            brought = self.house.received(self.hana.subject, Way.LETTER)
            self.password = next(found[0] for one in brought if (found := re.findall(r"\d{8,}", one.body)))

    def _by_desk(self):
        self.said.append("by desk")
        if self._release_code() is not None and self.deleted is not None:
            # Once: what has lapsed meanwhile is no way any more.
            self.deleted = None
            self.owner_recovers(leaves_at=0)
            return
        self._at(10)
        self.desk_opens()
        self._tries_remedies()
        self.desk_verifies()
        told = self._on_case("acts", {"path": "delete-addresses", "reason": "no code arrives"}, "chiba")
        if told.status_code == 202 and self._post(f"/v1/staff/approvals/{told.json()['approval']}", None, "doi").status_code == 200:
            self.deleted = self.house.now
            self._goes_on()

    # -- small words

    def _begin(self, operation, *, thief=False):
        device = "thief" if thief else self.hana.number
        told = self._post("/v1/procedures", {"operation": operation, "subject": self.hana.subject, "context": {"device": device}})
        run = SimpleNamespace(id=told.json().get("procedure", "none"), operation=operation, thief=thief, right={}, codes=[])
        self.runs.append(run)
        return run

    def _enter(self, run, item, proof):
        """One entry: what was answered if it was right, else None."""
        told = self._post(f"/v1/procedures/{run.id}/attempts", {"item": item, "proof": proof})
        if not told.is_success:
            return None
        self._after(run, item, proof, told.json())
        return told.json() if told.json()["outcome"] == "right" else None

    def _send(self, run, item, n=None):
        shown = self._get(f"/v1/procedures/{run.id}/addresses").get("addresses", []) if n is not None else []
        chosen = {"address": shown[n]["id"]} if n is not None and n < len(shown) else {}
        before = set(self._mailed())
        self._post(f"/v1/procedures/{run.id}/challenges", {"item": item, **chosen})
        self._goes_on()
        run.codes += [code for code in self._mailed() if code not in before]

    def _answer_by_mail(self, run, item, n=None):
        """Has a code sent and enters what has come, if anything has."""
        self._send(run, item, n)
        return self._enter(run, item, run.codes[-1]) if run.codes else None

    def _mailed(self):
        """Every code that mail has brought to an address of his; what announcements bring is longer and none of them."""
        boxes = [message for to in dict.fromkeys([*self.mails, *self.hana.mails]) for message in self.house.boxes[Way.MAIL].received(to)]
        return [code.replace(" ", "") for one in boxes for code in LONG.findall(one.body)]

    def _received(self, to):
        found = [code for one in self.house.boxes[Way.MAIL].received(to) for code in LONG.findall(one.body)]
        return found[0] if found else None

    def _told_by_machine(self):
        spoken = self.house.boxes[Way.TELEPHONE].received(self.hana.telephone)
        return {code.replace(" ", "") for one in spoken for code in LONG.findall(one.body)}

    def _release_code(self):
        spoken = self.house.boxes[Way.TELEPHONE].received(self.hana.telephone)
        return next((code.replace(" ", "") for one in spoken for code in LONG.findall(one.body)), None)

    def _spoken(self, shape):
        self._goes_on()
        spoken = self.house.boxes[Way.TELEPHONE].received(self.hana.telephone)
        return next((code for one in spoken for code in shape.findall(one.body)), None)

    def _hears(self, item, proof, whose):
        told = self._on_case("verifications/entries", {"item": item, "proof": proof})
        if told.is_success and told.json()["verified"]:
            if whose == "thief":
                self.complain("a caller was verified who has nothing")
            self.book[self.case].verified = self.house.now

    def _known(self):
        pair = {"account-number": self.hana.account, "customer-number": self.hana.number}
        return [("number-pair", pair), ("card-pin", self.hana.card_pin)]

    def _new_password(self, run):
        wanted = f"quiet river {len(self.runs)}"
        told = self._enter(run, "new-login-password", wanted)
        if told and told["state"] == "done":
            self.password = wanted
        return wanted, told

    def _demand(self):
        """The bank asks for his identity again: the next login needs a code too."""
        body = {"links": {"account": self.hana.account_subject}, "flags": ["identity-demanded"]}
        self.house.put(self.hana.subject, body)

    def _guess(self, digits):
        """A number that reached nobody."""
        guess = f"{self.chance.randrange(10 ** digits):0{digits}d}"
        return guess if guess not in {*self._mailed(), *self._told_by_machine()} else self._guess(digits)

    def _at(self, hour):
        self.house.passes((hour * HOUR - self.house.second) % DAY)

    def _on_case(self, what, body, by="aoki"):
        return self._post(f"/v1/staff/cases/{self.case}/{what}", body, by)

    def _post(self, path, body, by="bank"):
        return self.house.post(path, body, by)

    def _get(self, path):
        told = self.house.get(path)
        return told.json() if told.is_success else {}

    def _goes_on(self):
        while self.house.do(self.house.app.recoveries.go_on()) and self.house.do(self.house.app.outbox.deliver()):
            pass
        self.house.do(self.house.app.outbox.deliver())


__all__ = ["PostedHouse", "Walk", "person"]
