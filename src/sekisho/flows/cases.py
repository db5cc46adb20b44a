"""Customers' matters at the desk: opened, noted on, owned, and the acts that rest on them, each by the right persons at the right hour.

What a case allows is decided when the act is done, from what is on record then. A refusal for the hour leaves the case waiting
with a call-back. First line may open and note; nothing of a customer's changes by that.
"""

from __future__ import annotations

import secrets as chance
from collections.abc import Sequence
from typing import Any

import msgspec

from sekisho.core import case as matter
from sekisho.core.case import Case, CaseState
from sekisho.core.fold import fold
from sekisho.core.state import FORMAT, SECOND, Guard, Recovery, Secret, decode
from sekisho.errors import CallerError
from sekisho.events import Event, EventKind
from sekisho.flows import approvals, recovery
from sekisho.flows.acts import Awaits, Denied, Operator, once
from sekisho.flows.approvals import Approval
from sekisho.flows.effects import recovery_key, secret_key
from sekisho.flows.names import checked_subject
from sekisho.flows.outbox import Outbox
from sekisho.flows.releases import may_walk
from sekisho.flows.replay import InFlight, OtherBody, Repeated, Replay
from sekisho.flows.sights import rfc3339
from sekisho.policy.table import ReleasePath, Table
from sekisho.ports import Codes, Ledger, Secrets, Store, Tx
from sekisho.terms import PathKind, Reach, Way

OPENS, NOTES, DELETES = "open-case", "walk-remedies", "delete-addresses"
"""What the policy's desk calls it."""

MAIL_ADDRESS = "mail-address"
"""The thing that a path removes which deletes addresses."""

LIST = "cases"
"""The row that names all cases that are not at their end, so that finding them is no search. Only staff acts touch it."""

OF_ONE = 20
"""Cases of one customer that are named beside him, the newest."""

CLOSED_S = 5 * 365 * 24 * 3600
"""How long a closed case is kept where the policy's `retention` does not say. Seconds."""

WORD_MIN = 4
"""Shortest word that may be agreed on, in characters."""

REACHED_S = 15 * 60
"""For so long the desk, having rung the number on file, may ask for the word. Seconds."""


class Cases(msgspec.Struct, omit_defaults=True):
    """Names of cases, the oldest first."""

    v: int = FORMAT
    cases: list[str] = []


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The case is on record."""

    case: str


class Noted(msgspec.Struct, frozen=True, tag="noted"):
    """It is on record; where the case stands now."""

    case: str
    state: CaseState


class Carried(msgspec.Struct, frozen=True, tag="carried"):
    """The act is done."""

    case: str
    path: str


Told = Opened | Noted | Carried | Awaits | Denied | Repeated | OtherBody | InFlight


def case_key(name: str) -> str:
    """The row of a case."""
    return f"case:{name}"


def cases_key(subject: str) -> str:
    """The row that names a customer's cases."""
    return f"cases:{subject}"


def may(table: Table, operator: Operator, act: str) -> Denied | None:
    """Whether the policy lets this role do it at all."""
    if table.cases.get("verify") is None:
        return Denied("no-cases", "the policy in force keeps no cases here: its `cases:` name no operation that verifies a caller", conflict=True)
    if act not in table.desk.get(operator.role, {}).get("may", ()):
        return Denied("may-not-at-desk", f"this needs a role that may `{act}`")
    return None


def standing(tx: Tx, name: str) -> Case | Denied:
    """A case that is not at its end."""
    found = tx.get(case_key(name), Case)
    if found is None:
        return Denied("no-such-case", "there is no such case", conflict=True)
    if found.state is CaseState.CLOSED:
        return Denied("case-closed", "the case is closed; open another", conflict=True)
    return found


def list_with(tx: Tx, name: str, *, listed: bool) -> None:
    """Put a case on the list of those that are not at their end, or take it off. The caller's keys hold `LIST`."""
    row = tx.get(LIST, Cases) or Cases()
    rest = [one for one in row.cases if one != name]
    tx.put(LIST, Cases(cases=[*rest, name] if listed else rest))


class _Open:
    """Open a case, or find the one that is open already: two operators on one matter get one case."""

    def __init__(self, name: str, subject: str, text: str, how: str, operator: Operator, replay: Replay | None) -> None:
        self.keys: Sequence[str] = [case_key(name), cases_key(subject), subject, LIST, *([replay.key] if replay else [])]
        self._name, self._subject, self._text, self._how, self._operator, self._replay = name, subject, text, how, operator, replay

    def decide(self, tx: Tx) -> Told:
        """Open it, or say why not."""
        return once(tx, self._replay, self._open)

    def _open(self, tx: Tx) -> Opened | Denied:
        denied = may(tx.table, self._operator, OPENS)
        guard = tx.get(self._subject, Guard)
        if denied is not None:
            return denied
        if guard is None or not guard.known:
            return Denied("not-enrolled", "nobody of this name is enrolled", conflict=True)
        made = Case(
            subject=self._subject, how=self._how, matter=self._text, owner=self._operator.name, opened_by=self._operator.name, opened_at=tx.now,
        )
        matter.note(made, tx.now, self._operator.name, "opened", self._text)
        named = tx.get(cases_key(self._subject), Cases) or Cases()
        tx.put(self.keys[0], made)
        tx.put(self.keys[1], Cases(cases=[*named.cases, self._name][-OF_ONE:]))
        list_with(tx, self._name, listed=True)
        tx.tell(Event(EventKind.CASE_OPENED, self._subject, operator=self._operator.name, reason=self._text))
        return Opened(self._name)


class _Note:
    """Note something on a case: what was tried, whom the desk reached, who has it now."""

    def __init__(
        self, name: str, subject: str, what: str, text: str, at: int | None, word: Secret | None, item: str | None, operator: Operator,
        replay: Replay | None,
    ) -> None:
        self._word_key = secret_key(subject, item or "")
        self.keys: Sequence[str] = [case_key(name), subject, recovery_key(subject), self._word_key, LIST, *([replay.key] if replay else [])]
        self._name, self._subject, self._what, self._text, self._at, self._word = name, subject, what, text, at, word
        self._operator, self._replay = operator, replay

    def decide(self, tx: Tx) -> Told:
        """Note it, or say why not."""
        return once(tx, self._replay, self._note)

    def _note(self, tx: Tx) -> Noted | Denied:
        denied = may(tx.table, self._operator, NOTES if self._what == "remedy" else OPENS)
        case = standing(tx, self._name)
        if denied is not None or isinstance(case, Denied):
            return denied or case  # type: ignore[return-value]  # one of the two is there
        denied = getattr(self, f"_{self._what.replace('-', '_')}")(tx, case)
        if denied is not None:
            return denied  # type: ignore[no-any-return]  # each of the methods gives a Denied or None
        matter.note(case, tx.now, self._operator.name, self._what, self._text if self._word is None else "")
        tx.put(case_key(self._name), case)
        # The subject's row is looked at so that the event joins its history.
        tx.get(self._subject, Guard)
        tx.tell(Event(EventKind.CASE_NOTED, self._subject, operator=self._operator.name, path=self._what))
        return Noted(self._name, case.state)

    def _remark(self, _tx: Tx, _case: Case) -> None:
        """Nothing but the words."""

    def _remedy(self, tx: Tx, case: Case) -> Denied | None:
        """The caller says that he has tried it."""
        if self._text not in {remedy["name"] for remedy in tx.table.mail["remedies"]}:
            return Denied("no-such-remedy", "the policy names no such remedy", conflict=True)
        case.remedies = {**case.remedies, self._text: (tx.now, self._operator.name)}
        return None

    def _owner(self, _tx: Tx, case: Case) -> None:
        """Whoever notes it has the case from now on."""
        case.owner = self._operator.name

    def _call_back(self, tx: Tx, case: Case) -> Denied | None:
        """When the desk rings the number on file."""
        if self._at is None or self._at <= tx.now:
            return Denied("no-such-time", "a call-back lies ahead", conflict=True)
        case.call_back = self._at
        return None

    def _missed(self, tx: Tx, case: Case) -> None:
        """Nobody answered at the number on file. Missed too often, the case stays open with its owner and no date."""
        case.missed += 1
        case.reached = None
        case.call_back = None if case.missed >= int(tx.table.cases["missed"]) else tx.now + 24 * 3600 * SECOND

    def _reached(self, tx: Tx, case: Case) -> None:
        """The desk has rung the number on file, and somebody has answered."""
        case.reached, case.missed, case.call_back = tx.now, 0, None

    def _agreed_word(self, tx: Tx, case: Case) -> Denied | None:
        """The word that is asked for on the call-back. It is kept as secrets are, and shown to nobody again."""
        if self._word is None:
            return Denied("no-word", f"a word has at least {WORD_MIN} characters", conflict=True)
        tx.put(self._word_key, self._word)
        case.word = True
        return None

    def _closed(self, tx: Tx, case: Case) -> Denied | None:
        """The matter is at its end."""
        row = tx.get(recovery_key(self._subject), Recovery)
        if not matter.may_move(case, matter.CLOSED) or (row is not None and not row.over and row.case == self._name and row.done is None):
            return Denied("case-under-way", "something is under way in this case; wait for its end", conflict=True)
        matter.move(case, matter.CLOSED)
        case.call_back = None
        tx.drop(self._word_key)
        list_with(tx, self._name, listed=False)
        return None


NOTABLE = ("remark", "remedy", "owner", "call-back", "missed", "reached", "agreed-word", "closed")
"""What may be noted."""


class _Act:
    """What asking for a desk's act and approving it share: whether it may be done now, and doing it."""

    def __init__(self, name: str, subject: str, plan: recovery.Plan, approval: str, operator: Operator, replay: Replay | None) -> None:
        self.keys: Sequence[str] = [
            case_key(name), subject, *plan.keys, approvals.key_of(approval), approvals.LIST, LIST, *([replay.key] if replay else []),
        ]
        self._name, self._subject, self._plan, self._approval, self._operator, self._replay = name, subject, plan, approval, operator, replay

    def _refused(self, tx: Tx, case: Case, path: ReleasePath | None, evidence: str | None) -> Denied | None:
        denied = may_walk(path, self._operator, tx.now)
        if path is not None and denied is not None and denied.code == "outside-hours" and path.opens_s is not None:
            # The case waits, and the customer is rung: he need not remember when somebody is there.
            case.call_back = matter.next_opening(path.opens_s, path.every, path.zone, tx.now)
            matter.note(case, tx.now, self._operator.name, "outside-hours", path.name)
            tx.put(case_key(self._name), case)
        if denied is not None or path is None:
            return denied
        if path.kind is not PathKind.DESK:
            return Denied("not-at-desk", "this is not done at the desk", conflict=True)
        if MAIL_ADDRESS in path.cases[-1].removes and (no := may(tx.table, self._operator, DELETES)) is not None:
            return no
        if not matter.may_move(case, matter.DONE):
            return Denied("case-under-way", "nothing else is done in a case that stands so; open another", conflict=True)
        lacks = matter.lacking(case, path, tx.table, tx.now, evidence)
        if lacks:
            return Denied("case-lacks", f"not on record in this case: {', '.join(lacks)}", conflict=True)
        return recovery.cannot(tx, self._name, self._subject, path, self._plan)

    def _carry_out(self, tx: Tx, case: Case, path: ReleasePath, operators: str, reason: str) -> Carried:
        guard = tx.get(self._subject, Guard) or Guard()
        recovery.begin(tx, self._plan, self._name, case, guard, path, operators, reason)
        matter.note(case, tx.now, operators, path.name, reason)
        case.approval = None
        tx.put(case_key(self._name), case)
        return Carried(self._name, path.name)


class _Ask(_Act):
    """Ask for an act, or do it where the policy asks for one person."""

    def __init__(
        self, name: str, subject: str, path: str, reason: str, evidence: str | None, plan: recovery.Plan, approval: str, operator: Operator,
        replay: Replay | None,
    ) -> None:
        super().__init__(name, subject, plan, approval, operator, replay)
        self._path, self._reason, self._evidence = path, reason, evidence

    def decide(self, tx: Tx) -> Told:
        """Ask, or say why not."""
        return once(tx, self._replay, self._ask)

    def _ask(self, tx: Tx) -> Carried | Awaits | Denied:
        denied = may(tx.table, self._operator, OPENS)
        case = standing(tx, self._name)
        if denied is not None or isinstance(case, Denied):
            return denied or case  # type: ignore[return-value]  # one of the two is there
        path = tx.table.paths.get(self._path)
        denied = self._refused(tx, case, path, self._evidence)
        if denied is not None or path is None:
            return denied or Denied("no-such-path", "the policy does not name this path", conflict=True)
        if not path.second_person:
            return self._carry_out(tx, case, path, self._operator.name, self._reason)
        approvals.put_down(tx, self._approval, Approval(
            subject=self._subject, path=path.name, reason=self._reason, evidence=self._evidence, asked_by=self._operator.name, asked_at=tx.now,
            expires=approvals.lapses_at(tx.now), case=self._name,
        ))
        matter.move(case, matter.ASKED)
        case.approval = self._approval
        matter.note(case, tx.now, self._operator.name, f"asked {path.name}", self._reason)
        tx.put(case_key(self._name), case)
        tx.tell(Event(EventKind.RELEASE_ASKED, self._subject, path=path.name, operator=self._operator.name, reason=self._reason))
        return Awaits(self._approval)


class _Agree(_Act):
    """The second person agrees, and it is done."""

    def decide(self, tx: Tx) -> Told:
        """Do it, or say why not."""
        return once(tx, self._replay, self._agree)

    def _agree(self, tx: Tx) -> Carried | Denied:
        found, case = approvals.for_second(tx, self._approval, self._operator), standing(tx, self._name)
        if isinstance(found, Denied):
            return found
        if isinstance(case, Denied) or case.approval != self._approval:
            return Denied("no-such-approval", "this was asked for anew since, or the case is closed", conflict=True)
        path = tx.table.paths.get(found.path)
        denied = self._refused(tx, case, path, found.evidence)
        if denied is not None or path is None:
            return denied or Denied("no-such-path", "the policy no longer names this path", conflict=True)
        approvals.carried_out(tx, self._approval, found, self._operator)
        return self._carry_out(tx, case, path, f"{found.asked_by}, {self._operator.name}", found.reason)


class CaseDesk:
    """All cases.

    Args:
        ledger: where they are put on record.
        store: the same ledger's store.
        secrets: keeps the words that were agreed on.
        codes: makes release codes.
        outbox: carries them.

    """

    def __init__(self, ledger: Ledger, store: Store, secrets: Secrets, codes: Codes, outbox: Outbox) -> None:
        self._ledger, self._store, self._secrets, self._codes, self._outbox = ledger, store, secrets, codes, outbox

    async def open(self, subject: str, text: str, how: str, operator: Operator, replay: Replay | None = None) -> Told:
        """Open a case.

        Raises:
            CallerError: it names no customer.

        """
        if checked_subject(subject).partition(":")[0] != Reach.CUSTOMER:
            raise CallerError("a case is a customer's: customer:…")
        return await self._ledger.run(_Open(chance.token_urlsafe(9), subject, text, how, operator, replay))

    async def note(
        self, table: Table, name: str, what: str, text: str, at: int | None, operator: Operator, replay: Replay | None = None,
    ) -> Told:
        """Note something on a case.

        Raises:
            CallerError: that is nothing that can be noted.

        """
        if what not in NOTABLE:
            raise CallerError(f"what can be noted on a case is: {', '.join(NOTABLE)}")
        found = await self.standing(name)
        if found is None:
            return Denied("no-such-case", "there is no such case", conflict=True)
        word, item = None, next((one for one in table.items.values() if one.verifies == "call-back"), None)
        if what == "agreed-word" and item is not None and len(folded := fold(item.kind, text)) >= WORD_MIN:
            word = self._secrets.make(item.kind.value, folded)
        return await self._ledger.run(_Note(name, found.subject, what, text, at, word, item.name if item else None, operator, replay))

    async def standing(self, name: str) -> Case | None:
        """A case as it stands; None: there is none of this name."""
        body = (await self._store.peek([case_key(name)])).get(case_key(name))
        return None if body is None else decode(body, Case)

    async def listed(self, subject: str | None = None) -> list[tuple[str, Case]]:
        """The cases of one customer, or all that are not at their end; the newest last."""
        key = LIST if subject is None else cases_key(subject)
        body = (await self._store.peek([key])).get(key)
        names = [] if body is None else decode(body, Cases).cases
        rows = await self._store.peek([case_key(name) for name in names])
        return [(name, decode(rows[case_key(name)], Case)) for name in names if case_key(name) in rows]

    async def act(
        self, name: str, path: str, reason: str, evidence: str | None, operator: Operator, replay: Replay | None = None,
    ) -> Told:
        """Ask for an act of the desk's, or do it where one person is enough."""
        found = await self.standing(name)
        if found is None:
            return Denied("no-such-case", "there is no such case", conflict=True)
        plan = await self._plan(found, path)
        return await self._ledger.run(_Ask(name, found.subject, path, reason, evidence, plan, chance.token_urlsafe(18), operator, replay))

    async def asked(self, approval: str) -> Approval | None:
        """What an approval in a case is about; None: it is about none."""
        key = approvals.key_of(approval)
        body = (await self._store.peek([key])).get(key)
        found = None if body is None else decode(body, Approval)
        return found if found is not None and found.case else None

    async def agree(self, approval: str, asked: Approval, operator: Operator, replay: Replay | None = None) -> Told:
        """The second person agrees."""
        found = await self.standing(asked.case)
        if found is None:
            return Denied("no-such-case", "there is no such case", conflict=True)
        plan = await self._plan(found, asked.path)
        return await self._ledger.run(_Agree(asked.case, asked.subject, plan, approval, operator, replay))

    async def _plan(self, case: Case, path: str) -> recovery.Plan:
        return await recovery.plan(self._store, self._codes, case, path, letters=self._outbox.carries(Way.LETTER))


def shown(name: str, case: Case, table: Table, now: int) -> dict[str, Any]:
    """A case as staff read it."""
    verified = case.verified
    return {
        "case": name, "subject": case.subject, "state": case.state, "how": case.how, "matter": case.matter, "owner": case.owner,
        "opened_by": case.opened_by, "opened_at": rfc3339(case.opened_at), "call_back": rfc3339(case.call_back), "missed": case.missed,
        "word": case.word, "verification": case.run and case.run.partition(":")[2],
        "verified": verified and {
            "item": verified.item, "how": verified.how, "at": rfc3339(verified.at), "by": verified.by,
            "holds": matter.is_verified(case, table, now),
        },
        "remedies": [
            {"remedy": one["name"], "ja": one["ja"], "en": one["en"], "tried": rfc3339(tried[0]), "by": tried[1]}
            for one in table.mail["remedies"] for tried in [case.remedies.get(one["name"], (None, None))]
        ],
        "approval": case.approval,
        "notes": [{"at": rfc3339(one.at), "by": one.by, "what": one.what, "text": one.text} for one in reversed(case.notes)],
    }


__all__ = ["LIST", "NOTABLE", "REACHED_S", "Carried", "CaseDesk", "Noted", "Opened", "Told", "case_key", "cases_key", "list_with", "may", "shown"]
