"""What the store holds about one subject: all of it told, or all of it dropped that can be. Never a secret.

Events stay in the chain, where they name the subject until they age out: `docs/why/personal-data.md`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from sekisho.core.case import Case
from sekisho.core.state import Addresses, Guard, Outgoing, Procedure, Reservation, Session, StockedToken, decode
from sekisho.events import Event, EventKind, FeedItem
from sekisho.flows.approvals import Approval
from sekisho.flows.names import KINDS, checked_subject
from sekisho.flows.papers import Forms
from sekisho.flows.sights import rfc3339, shown_event
from sekisho.ports import Ledger, Store, Tx, Work

PAGE = 500

Progress = Callable[[int], None]


class Held(msgspec.Struct):
    """Which rows are about a subject, by what they are."""

    subject: str
    guard: Guard | None = None
    linked_from: list[str] = []
    """Other subjects that his is linked to."""
    secrets: list[str] = []
    sessions: dict[str, Session] = {}
    runs: dict[str, Procedure] = {}
    guesses: dict[str, Reservation] = {}
    approvals: dict[str, Approval] = {}
    addresses: Addresses | None = None
    forms: Forms | None = None
    messages: dict[str, Outgoing] = {}
    """What was sent to his addresses."""
    cases: dict[str, Case] = {}
    """His matters at the desk."""
    others: list[str] = []
    """Further rows that are kept under his name."""

    @property
    def flying(self) -> int:
        """Guesses that still wait for their verdict."""
        return sum(one.settled is None for one in self.guesses.values())

    def take(self, key: str, body: bytes) -> None:
        """Take a row in, if it is about the subject."""
        kind = key.partition(":")[0]
        if key == self.subject:
            self.guard = decode(body, Guard)
        elif kind in KINDS:
            self._take_other(key, decode(body, Guard))
        elif key.startswith(f"secret:{self.subject}/"):
            self.secrets.append(key)
        elif kind == "session" and (session := decode(body, Session)).subject == self.subject:
            self.sessions[key] = session
        elif kind == "procedure" and self.subject in (run := decode(body, Procedure)).subjects.values():
            self.runs[key] = run
        elif kind == "reservation" and self.subject in (guess := decode(body, Reservation)).subjects.values():
            self.guesses[key] = guess
        elif kind in {"approval", "case"}:
            self._take_matter(key, body)
        elif kind == "outbox" and (message := decode(body, Outgoing)).subject == self.subject:
            self.messages[key] = message
        else:
            self._take_under_his_name(key, kind, body)

    def _take_matter(self, key: str, body: bytes) -> None:
        """What staff have in hand for him."""
        if key.startswith("approval:"):
            if (approval := decode(body, Approval)).subject == self.subject:
                self.approvals[key] = approval
        elif (case := decode(body, Case)).subject == self.subject:
            self.cases[key] = case

    def _take_under_his_name(self, key: str, kind: str, body: bytes) -> None:
        whose = decode(body, StockedToken).subject if kind == "token" else key.partition(":")[2]
        if whose != self.subject:
            return
        if kind == "addresses":
            self.addresses = decode(body, Addresses)
        if kind == "forms":
            self.forms = decode(body, Forms)
        self.others.append(key)

    def _take_other(self, key: str, guard: Guard) -> None:
        if self.subject in guard.links.values() or self.subject in guard.accounts:
            self.linked_from.append(key)


async def held(store: Store, subject: str, progress: Progress = lambda _rows: None) -> Held:
    """Every row about a subject: all rows are looked at, since any may name it.

    Raises:
        CallerError: the name can be no subject's.

    """
    found, after, seen = Held(checked_subject(subject)), "", 0
    while page := await store.rows("", after, PAGE):
        for key, body in page:
            found.take(key, body)
        after, seen = page[-1][0], seen + len(page)
        progress(seen)
    return found


class _Tell:
    """Put on record that somebody asked for it."""

    def __init__(self, subject: str, operator: str) -> None:
        self.keys: Sequence[str] = [subject]
        self._operator = operator

    def decide(self, tx: Tx) -> None:
        """Tell it, in the subject's own history."""
        tx.get(self.keys[0], Guard)
        tx.tell(Event(EventKind.PERSONAL_EXPORTED, self.keys[0], operator=self._operator))


async def export(ledger: Ledger, store: Store, subject: str, operator: str, progress: Progress = lambda _rows: None) -> dict[str, Any]:
    """All that the store holds about a subject, to be handed to the person it is about."""
    await ledger.run(_Tell(checked_subject(subject), operator))
    found = await held(store, subject, progress)
    guard = found.guard or Guard()
    return {
        "subject": subject,
        "known": guard.known,
        "links": guard.links,
        "accounts": guard.accounts,
        "linked_from": found.linked_from,
        "flags": guard.flags,
        "devices": [{"since": rfc3339(one.since), "last_used": rfc3339(one.seen)} for one in guard.devices],
        "usual_places": [{"place": name.partition(":")[0], "last_used": rfc3339(seen)} for name, seen in guard.usual.items()],
        "sighted": {name.partition("/")[0]: [rfc3339(at) for at, _ in seen] for name, seen in sorted(guard.sighted.items())},
        "counts": {name: {"wrong": count.wrong, "in_flight": count.flight} for name, count in sorted(guard.counts.items())},
        "locks": [
            {"row": lock.row, "kind": lock.kind, "since": rfc3339(lock.since), "until": rfc3339(lock.until), "refused": lock.refused}
            for lock in guard.locks
        ],
        "items_set": sorted(key.rpartition("/")[2] for key in found.secrets),
        "sessions": [
            {"started": rfc3339(one.started), "last_used": rfc3339(one.seen), "live": one.live, "proved": _proved(one.proved)}
            for one in found.sessions.values()
        ],
        "runs": [
            {"operation": one.operation, "started": rfc3339(one.started), "state": one.state, "proved": _proved(one.proved), "subjects": one.subjects}
            for one in found.runs.values()
        ],
        "guesses": [
            {"operation": one.operation, "item": one.item, "made": rfc3339(one.made), "verdict": one.settled} for one in found.guesses.values()
        ],
        "releases": [
            {"path": one.path, "reason": one.reason, "evidence": one.evidence, "asked_by": one.asked_by, "asked_at": rfc3339(one.asked_at)}
            for one in found.approvals.values()
        ],
        "forms": [
            {
                "form": one.paper.form, "state": one.state, "reason": one.paper.reason, "evidence": one.paper.evidence,
                "customer": one.paper.customer, "addresses": one.paper.addresses, "entered_by": one.entered_by, "entered_at": rfc3339(one.entered_at),
            }
            for one in (found.forms.forms if found.forms else [])
        ],
        "addresses": [
            {"kind": one.way, "address": one.to, "state": one.state, "since": rfc3339(one.since)}
            for one in ([*found.addresses.known, *found.addresses.former] if found.addresses else [])
        ],
        "messages": [
            {"kind": one.way, "made": rfc3339(one.made), "operation": one.operation, "course": [
                {"at": rfc3339(hop.at), "what": hop.what, "said": hop.said, "by": hop.by, "why": hop.group} for hop in one.trace
            ]}
            for one in found.messages.values()
        ],
        "cases": [
            {"opened_at": rfc3339(one.opened_at), "matter": one.matter, "state": one.state, "notes": [
                {"at": rfc3339(note.at), "what": note.what, "text": note.text} for note in one.notes
            ]}
            for one in found.cases.values()
        ],
        "also_held": sorted(key.partition(":")[0] for key in found.others),
        "told_to_channels": await _feed(store, subject),
        "events": await _history(store, guard),
    }


def _proved(proved: list[tuple[str, int]]) -> list[dict[str, str | None]]:
    return [{"item": item, "at": rfc3339(at)} for item, at in proved]


async def _history(store: Store, guard: Guard) -> list[dict[str, Any]]:
    """His events from the newest back to the oldest that is kept. A session's name lets whoever has it in: it is left out."""
    shown = []
    at = guard.event
    while at is not None and (link := await store.link(*at)) is not None:
        event = msgspec.msgpack.decode(link.body, type=list[Event])[at[1] - link.first]
        shown.append({name: value for name, value in shown_event(event).items() if name not in {"session", "procedure"}})
        at = event.previous
    return shown


async def _feed(store: Store, subject: str) -> list[dict[str, Any]]:
    found, after = [], 0
    while page := await store.feed(after, PAGE):
        items = [msgspec.json.decode(body, type=FeedItem) for _, body in page]
        found += [{"kind": item.kind, "at": rfc3339(item.at)} for item in items if item.subject == subject]
        after = page[-1][0]
    return found


class _Drop:
    """Drop a row."""

    def __init__(self, key: str) -> None:
        self.keys: Sequence[str] = [key]

    def decide(self, tx: Tx) -> None:
        """Drop it."""
        tx.drop(self.keys[0])


class _Unlink:
    """Take a subject out of what another is linked to."""

    def __init__(self, key: str, subject: str) -> None:
        self.keys: Sequence[str] = [key]
        self._subject = subject

    def decide(self, tx: Tx) -> None:
        """Take it out."""
        guard = tx.get(self.keys[0], Guard)
        if guard is not None:
            guard.links = {kind: linked for kind, linked in guard.links.items() if linked != self._subject}
            guard.accounts = [account for account in guard.accounts if account != self._subject]
            tx.put(self.keys[0], guard)


class _Erase:
    """Drop the subject itself and what it proves itself by, and put on record who did so and why."""

    def __init__(self, subject: str, secrets: Sequence[str], operator: str, reason: str) -> None:
        self.keys: Sequence[str] = [subject, *secrets]
        self._operator = operator
        self._reason = reason

    def decide(self, tx: Tx) -> None:
        """Drop and tell."""
        guard = tx.get(self.keys[0], Guard)
        tx.tell(Event(EventKind.PERSONAL_ERASED, self.keys[0], operator=self._operator, reason=self._reason))
        for key in self.keys if guard is not None else self.keys[1:]:
            tx.drop(key)


async def erase(ledger: Ledger, store: Store, subject: str, operator: str, reason: str, progress: Progress = lambda _rows: None) -> Held:
    """Drop every row about a subject; what was found. The subject itself goes last: whoever is interrupted calls it again.

    Guesses that wait for their verdict stay until they have it: others are counted by them too.
    """
    found = await held(store, subject, progress)
    settled = [key for key, guess in found.guesses.items() if guess.settled is not None]
    matters = (*found.approvals, *found.cases)
    works: list[Work[None]] = [_Drop(key) for key in (*found.sessions, *found.runs, *matters, *found.messages, *found.others, *settled)]
    works += [_Unlink(key, subject) for key in found.linked_from]
    await asyncio.gather(*(ledger.run(work) for work in works))
    if found.guard is not None or found.secrets:
        await ledger.run(_Erase(subject, found.secrets, operator, reason))
    return found
