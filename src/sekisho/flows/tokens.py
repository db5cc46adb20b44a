"""The bank's tokens: taken in as a vendor delivers them, assigned, replaced, lost. Every act is on record, and its customer is told.

A seed is in one place: with the token in stock, or on the row of the customer's secret. What was wrong stays counted, whichever
token a customer has: `docs/why/tokens.md`.
"""

from __future__ import annotations

import re
import secrets as chance
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Literal

import msgspec

from sekisho.core import otp
from sekisho.core.state import Guard, Secret, StockedToken, Token, decode
from sekisho.errors import CallerError
from sekisho.events import Event, EventKind
from sekisho.flows.acts import Denied, Operator
from sekisho.flows.effects import secret_key
from sekisho.flows.import_lines import Fault
from sekisho.flows.imports import Faulty
from sekisho.flows.names import checked_subject
from sekisho.flows.sights import rfc3339
from sekisho.flows.telling import announce, announcements_key
from sekisho.policy.table import Table
from sekisho.ports import Delivered, Ledger, Secrets, Store, Tx
from sekisho.terms import ItemKind

AT_ONCE = 10_000
"""Tokens in one delivery: all are taken in by one commit."""

PAGE = 500

SOFT_SEED_BYTES = 20
"""As long as the MAC (RFC 4226 section 4)."""

SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

End = Literal["lost", "stolen", "returned", "worn-out"]
"""Why a customer has a token no more. None is ever given out again."""


def token_key(serial: str) -> str:
    """The row of a token.

    Raises:
        CallerError: no serial number.

    """
    if SERIAL.fullmatch(serial) is None:
        raise CallerError("a serial number is up to 64 letters, digits, dots, hyphens and underscores")
    return f"token:{serial}"


class Bound(msgspec.Struct, frozen=True):
    """A token is a customer's now."""

    serial: str
    replaced: str | None = None


class Ended(msgspec.Struct, frozen=True):
    """A token is over."""

    serial: str


class Unknown(msgspec.Struct, frozen=True):
    """There is no token of that serial number."""


class Software(msgspec.Struct, frozen=True):
    """A token for an application. It holds the seed: it is told once and written nowhere."""

    serial: str
    uri: str


class _Stock:
    """Take a delivery in: all of it, or nothing."""

    def __init__(self, made: dict[str, StockedToken], lines: dict[str, int], operator: str) -> None:
        self.keys: Sequence[str] = list(made)
        self._made, self._lines, self._operator = made, lines, operator

    def decide(self, tx: Tx) -> list[Fault]:
        """The tokens that were there already."""
        there = [key for key in self.keys if tx.get(key, StockedToken) is not None]
        if not there:
            for key, token in self._made.items():
                # A value of its own: the batch may run this again, and must find it as it was.
                tx.put(key, msgspec.structs.replace(token, since=tx.now))
            tx.tell(Event(EventKind.TOKENS_STOCKED, "inventory", operator=self._operator, number=len(self.keys)))
        return [_taken(self._lines[key]) for key in there]


def _taken(line: int) -> Fault:
    return Fault(line, "serial", "a token of this serial number is in the books; leave it out")


class _Bind:
    """Give a token from stock to a customer; the one he had is over."""

    def __init__(self, serial: str, subject: str, item: str, operator: str, *, present: str | None, fresh: StockedToken | None = None) -> None:
        self.keys: Sequence[str] = [
            token_key(serial), subject, secret_key(subject, item), announcements_key(subject), *([token_key(present)] if present else []),
        ]
        self._serial, self._item, self._operator, self._present, self._fresh = serial, item, operator, present, fresh

    def decide(self, tx: Tx) -> Bound | Denied | Unknown:
        """Bind it, or say why not."""
        token_row, subject, secret_row = self.keys[:3]
        token, guard = tx.get(token_row, StockedToken) or self._fresh, tx.get(subject, Guard)
        if token is None:
            return Unknown()
        if guard is None or not guard.known:
            return Denied("not-enrolled", "enrol the subject first", conflict=True)
        if token.state != "stock" or token.seed is None:
            return Denied("token-not-in-stock", f"this token is not in stock: {token.state}", conflict=True)
        if token.ends and token.ends <= tx.now:
            return Denied("token-not-in-stock", "this token's time is over", conflict=True)
        if _serial(tx.get(secret_row, Secret)) != self._present:
            return Denied("has-token", "the customer has another token; with `replace` this one takes its place", conflict=True)
        if self._present is not None:
            _close(tx, token_key(self._present), "replaced")
        tx.put(secret_row, msgspec.structs.replace(token.seed))
        tx.put(token_row, msgspec.structs.replace(token, state="assigned", subject=subject, item=self._item, since=tx.now, seed=None))
        guard.flags = sorted({*guard.flags, f"set:{self._item}"})
        tx.put(subject, guard)
        tx.tell(Event(EventKind.TOKEN_BOUND, subject, item=self._item, operator=self._operator, reason=self._serial))
        announce(tx, subject, "token-bound")
        return Bound(self._serial, self._present)


def _serial(secret: Secret | None) -> str | None:
    """Which of the bank's tokens a secret is; None: it is none of them."""
    return (secret.token.serial or None) if secret is not None and secret.token is not None else None


def _close(tx: Tx, key: str, why: str) -> None:
    row = tx.get(key, StockedToken)
    if row is not None:
        tx.put(key, msgspec.structs.replace(row, state=why, since=tx.now, seed=None))


class _End:
    """A token is over: nobody's, and never given out again."""

    def __init__(self, serial: str, found: StockedToken, why: str, operator: str) -> None:
        subject = found.subject
        his = [subject, secret_key(subject, found.item), announcements_key(subject)] if subject else []
        self.keys: Sequence[str] = [token_key(serial), *his]
        self._serial, self._found, self._why, self._operator = serial, found, why, operator

    def decide(self, tx: Tx) -> Ended | Denied | Unknown:
        """End it, or say why not."""
        key = self.keys[0]
        row = tx.get(key, StockedToken)
        if row is None:
            return Unknown()
        if (row.state, row.subject) != (self._found.state, self._found.subject):
            return Denied("token-moved", "somebody else has changed this token just now; look at it again", conflict=True)
        if row.state not in {"stock", "assigned"}:
            return Denied("token-not-in-stock", f"this token is over: {row.state}", conflict=True)
        _close(tx, key, self._why)
        if row.state == "assigned":
            self._remove(tx, row)
        return Ended(self._serial)

    def _remove(self, tx: Tx, row: StockedToken) -> None:
        subject, secret_row = self.keys[1:3]
        if _serial(tx.get(secret_row, Secret)) == self._serial:
            tx.drop(secret_row)
        guard = tx.get(subject, Guard)
        if guard is not None:
            guard.flags = sorted({*guard.flags} - {f"set:{row.item}"})
            tx.put(subject, guard)
        tx.tell(Event(EventKind.TOKEN_REMOVED, subject, item=row.item, operator=self._operator, reason=f"{self._serial}: {self._why}"))
        announce(tx, subject, "token-removed")


class _Reseal:
    """Put one seed under the newest key."""

    def __init__(self, key: str, secrets: Secrets) -> None:
        self.keys: Sequence[str] = [key]
        self._secrets = secrets

    def decide(self, tx: Tx) -> bool:
        """Whether it was under an older one."""
        key = self.keys[0]
        row = tx.get(key, StockedToken) if key.startswith("token:") else None
        kept = row.seed if row is not None else None if key.startswith("token:") else tx.get(key, Secret)
        new = None if kept is None else self._secrets.resealed(kept)
        if new is not None:
            tx.put(key, new if row is None else msgspec.structs.replace(row, seed=new))
        return new is not None


class Tokens:
    """The bank's tokens.

    Args:
        ledger: where every act is on record.
        store: the same ledger's store.
        secrets: keeps seeds.

    """

    def __init__(self, ledger: Ledger, store: Store, secrets: Secrets) -> None:
        self._ledger, self._store, self._secrets = ledger, store, secrets

    async def stock(self, tokens: Sequence[Delivered], operator: str, *, faults: Sequence[Fault] = (), dry: bool = False) -> int | Faulty:
        """Take a delivery in, all of it or nothing. How many tokens there are.

        Args:
            tokens: those that could be read.
            operator: who does it.
            faults: what was wrong with the others.
            dry: only say what is wrong.

        Raises:
            CallerError: there are more than one commit takes.

        """
        if len(tokens) > AT_ONCE:
            raise CallerError(f"a delivery holds {AT_ONCE} tokens at the most; take it in in parts")
        lines = {token_key(one.serial): one.line for one in tokens if SERIAL.fullmatch(one.serial)}
        there = [_taken(lines[key]) for key in await self._store.peek(sorted(lines)) if key in lines]
        wrong = [*faults, *_faults(tokens, await self._store.clock()), *there]
        if wrong:
            return Faulty(sorted(wrong, key=lambda fault: fault.line))
        if dry:
            return len(tokens)
        made = {token_key(one.serial): self._made(one) for one in tokens}
        taken = await self._ledger.run(_Stock(made, lines, operator))
        return Faulty(taken) if taken else len(tokens)

    def _made(self, one: Delivered, *, software: bool = False) -> StockedToken:
        token = msgspec.structs.replace(one.token, serial=one.serial)
        return StockedToken(seed=self._secrets.keep_token(one.seed, token, one.last), model=one.model, ends=token.ends, software=software)

    async def bind(
        self, table: Table, serial: str, subject: str, item: str, operator: Operator, *, replace: bool,
    ) -> Bound | Denied | Unknown:
        """Give a token from stock to a customer. `replace`: in the place of the one he has.

        Raises:
            CallerError: no such item, or a name that is none.

        """
        self._checked(table, subject, item)
        present = await self._present(subject, item) if replace else None
        return await self._ledger.run(_Bind(serial, subject, item, operator.name, present=present))

    async def software(self, table: Table, subject: str, item: str, operator: Operator, *, replace: bool) -> Software | Denied | Unknown:
        """Make a token for an application (`otpauth:`, as authenticator applications read it), and give it to a customer.

        Raises:
            CallerError: as `bind`.

        """
        self._checked(table, subject, item)
        serial, seed = f"soft-{chance.token_hex(8)}", chance.token_bytes(SOFT_SEED_BYTES)
        made = self._made(Delivered(0, serial, seed, Token(), model="software"), software=True)
        present = await self._present(subject, item) if replace else None
        done = await self._ledger.run(_Bind(serial, subject, item, operator.name, present=present, fresh=made))
        return Software(serial, otp.uri(seed, Token(), table.title.en or table.name, serial)) if isinstance(done, Bound) else done

    @staticmethod
    def _checked(table: Table, subject: str, item: str) -> None:
        found = table.items.get(item)
        if found is None or found.kind is not ItemKind.TOTP or found.resyncs is not None:
            raise CallerError("the policy has no such item that is the code of a token")
        if not checked_subject(subject).startswith(f"{found.reach}:"):
            raise CallerError(f"the token of this item is the {found.reach}'s: {found.reach}:…")

    async def _present(self, subject: str, item: str) -> str | None:
        key = secret_key(subject, item)
        body = (await self._store.peek([key])).get(key)
        return None if body is None else _serial(decode(body, Secret))

    async def end(self, serial: str, why: End, operator: Operator) -> Ended | Denied | Unknown:
        """A token is lost, stolen, given back or worn out: its codes are not taken from now on."""
        found = await self.look(serial)
        return Unknown() if found is None else await self._ledger.run(_End(serial, found, why, operator.name))

    async def look(self, serial: str) -> StockedToken | None:
        """One token; None: there is none of that serial number."""
        body = (await self._store.peek([token_key(serial)])).get(token_key(serial))
        return None if body is None else decode(body, StockedToken)

    async def all(self, after: str = "") -> AsyncIterator[tuple[str, StockedToken]]:
        """All tokens in the order of their serial numbers, from those after one."""
        key = f"token:{after}"
        while page := await self._store.rows("token:", key, PAGE):
            for key, body in page:
                yield key.partition(":")[2], decode(body, StockedToken)
            key = page[-1][0]

    async def reseal(self, progress: Callable[[int], None] = lambda _done: None) -> int:
        """Put every seed under the newest key. How many were under an older one. May be interrupted and called again."""
        done = 0
        for prefix in ("token:", "secret:"):
            after = prefix
            while page := await self._store.rows(prefix, after, PAGE):
                for key, body in page:
                    if prefix == "token:" or decode(body, Secret).kind in {"totp", "ocra"}:
                        done += await self._ledger.run(_Reseal(key, self._secrets))
                after = page[-1][0]
                progress(done)
        return done


def _faults(tokens: Sequence[Delivered], now: int) -> list[Fault]:
    """What is wrong with single tokens of a delivery."""
    found: list[Fault] = []
    first: dict[str, int] = {}
    for one in tokens:
        found += [Fault(one.line, column, text) for column, text in _wrong(one, now)]
        if first.setdefault(one.serial, one.line) != one.line:
            found.append(Fault(one.line, "serial", f"number {first[one.serial]} of this delivery has the same serial number; keep one of them"))
    return found


def _wrong(one: Delivered, now: int) -> list[tuple[str, str]]:
    token, found = one.token, []
    if SERIAL.fullmatch(one.serial) is None:
        found.append(("serial", "a serial number is up to 64 letters, digits, dots, hyphens and underscores"))
    if token.algorithm not in otp.ALGORITHMS:
        found.append(("algorithm", "the algorithm is one of " + ", ".join(otp.ALGORITHMS)))
    for figure, (least, most), column in (
        (len(one.seed), otp.SEED_BYTES, "seed"), (token.digits, otp.DIGITS, "digits"), (token.step_s or otp.STEP_S, otp.STEPS_S, "step"),
    ):
        if not least <= figure <= most:
            found.append((column, f"{least} to {most} can be taken ({'bytes' if column == 'seed' else 'seconds' if column == 'step' else 'digits'})"))
    if abs(token.drift) > otp.RESYNC_STEPS:
        found.append(("drift", f"a clock that is more than {otp.RESYNC_STEPS} steps off cannot be set right; leave the token out"))
    if one.last is not None and not -1 <= one.last < 2**53:
        found.append(("counter", "that is no number of uses"))
    if token.ends and token.ends <= now:
        found.append(("ends", "its time is over; leave the token out"))
    if not one.model.isprintable():
        found.append(("model", "the name of a model can be printed"))
    return found


def shown(serial: str, token: StockedToken) -> dict[str, Any]:
    """A token as staff see it: never its seed."""
    return {
        "serial": serial, "state": token.state, "subject": token.subject or None, "item": token.item or None, "since": rfc3339(token.since),
        "model": token.model, "software": token.software, "ends": rfc3339(token.ends) if token.ends else None,
    }


__all__ = ["AT_ONCE", "Bound", "End", "Ended", "Software", "Tokens", "Unknown", "shown", "token_key"]
