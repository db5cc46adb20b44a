"""What a customer's own device signs: asked for in a run, answered once, by a key that is on record."""

from __future__ import annotations

import secrets as chance
from collections.abc import Mapping, Sequence

import msgspec

from sekisho.core import challenge
from sekisho.core.attempt import Granted, Refusal, Why
from sekisho.core.scene import Scene
from sekisho.core.state import Challenge, PublicKey, Secret
from sekisho.errors import CallerError, LedgerUnavailable
from sekisho.events import Event, EventKind
from sekisho.flows import answers
from sekisho.flows.answers import Refused
from sekisho.flows.attempt import Compare, Entry, Live, Missing, Stale, record, secret_for, secret_keys
from sekisho.flows.effects import secret_key
from sekisho.flows.names import item_named
from sekisho.flows.replay import InFlight, OtherBody, Repeated, Replay, remember, remembered
from sekisho.flows.runs import Runs
from sekisho.flows.subjects import Facts, Subjects
from sekisho.policy.table import Item, Table, place
from sekisho.ports import Codes, Ledger, Passkeys, Tx
from sekisho.terms import ItemKind, Reach, Verdict

SIGN_S = 300
"""How long a request for a signature may be answered (WebAuthn Level 3 section 15.1). Seconds."""

PASSKEYS_MAX = 10
"""Passkeys of one customer. Whoever has so many removes one first."""

NAME_MAX = 64
"""Longest name of a passkey, in characters."""

MADE = frozenset({"clientDataJSON", "attestationObject"})
SIGNED = frozenset({"id", "clientDataJSON", "authenticatorData", "signature"})
"""What a browser's answer must hold; the rest of it is left out or ignored."""

PART_MAX = 16_384
"""Longest part of such an answer, in characters."""


class Asked(msgspec.Struct):
    """A device is asked to sign this."""

    challenge: str
    sign: bytes
    until: int
    options: dict[str, object]
    """For a browser: what to hand to `navigator.credentials`."""


Asking = Asked | Refused | Missing | Stale | Repeated | OtherBody | InFlight


def is_passkey(table: Table, item: Item) -> bool:
    """Whether it is a passkey, or a new one."""
    return table.items[item.kept_as].kind is ItemKind.PASSKEY


BY_APP = frozenset({ItemKind.PASSCODE, ItemKind.BIOMETRIC, ItemKind.DEVICE_BIOMETRIC})
"""What the bank's own app enters with its device's signature."""


def is_by_app(table: Table, item: Item) -> bool:
    """Whether an app with a device of its own signs what it enters here, or what it registers: whatever that is."""
    kept = table.items[item.kept_as]
    return kept.reach is Reach.APP and (kept.kind in BY_APP or item.renews is not None)


def is_typed(item: Item) -> bool:
    """Whether it is a transaction signature: shown by the app, typed by the customer."""
    return item.kind is ItemKind.OCRA


def well_formed(item: Item, proof: str | Mapping[str, str]) -> None:
    """Refuse what could be no browser's answer, before anything is counted.

    Raises:
        CallerError: it is none.

    """
    needed = MADE if item.renews else SIGNED
    if not isinstance(proof, Mapping) or not proof.keys() >= needed:
        raise CallerError(f"the proof of {item.name} is an object with {', '.join(sorted(needed))}, in base64url")
    if any(len(part) > PART_MAX for part in proof.values()) or len(proof.get("name", "")) > NAME_MAX or not proof.get("name", "").isprintable():
        raise CallerError("a part of the proof is too long, or its name cannot be printed")


def user_of(codes: Codes, subject: str) -> bytes:
    """What stands for a customer on his own devices."""
    return codes.digest("passkey user", subject)


class _Ask(Entry):
    """Ask for a signature in a run."""

    __slots__ = ("_codes", "_fresh", "_kind", "_passkeys")

    def __init__(
        self, subjects: Subjects, facts: Facts, item: Item, kept: Item, owner: str, passkeys: Passkeys | None, codes: Codes, replay: Replay | None,
    ) -> None:
        super().__init__(subjects, facts, item.name, owner, "", extra=secret_keys(facts, kept), replay=replay)
        self._fresh = chance.token_urlsafe(24)
        self._kind = item
        self._passkeys = passkeys
        self._codes = codes

    def decide(self, tx: Tx) -> Asking:
        """What closes the item for entries closes it for this too. Whether there is a key is not told."""
        told = remembered(tx, self.replay)
        if told is not None:
            return told
        scene = self.unclosed(tx)
        if not isinstance(scene, Scene):
            return scene
        run = scene.procedure
        known = (secret_for(tx, scene, self.item) or Secret()).keys
        if is_passkey(tx.table, self._kind) and self._kind.renews and len(known) >= PASSKEYS_MAX:
            return answers.refused(scene, Refusal(Why.UNNAMED))
        fresh = Challenge(self._fresh, self.item, "", challenge.bound_to(scene.procedure_key, run), 0, 0)
        asked = challenge.ask(run, fresh, SIGN_S, tx.now)
        scene.touch(scene.procedure_key)
        record(tx, scene)
        done = Asked(asked.id, challenge.to_sign(asked), asked.until, self._options(scene, asked, known))
        remember(tx, self.replay, done)
        return done

    def _options(self, scene: Scene, asked: Challenge, known: Sequence[PublicKey]) -> dict[str, object]:
        if self._passkeys is None or not is_passkey(scene.table, self._kind):
            return {}
        subject = _subject(scene, self.item)
        if self._kind.renews:
            name = self.facts.subjects[scene.table.items[self._kind.renews].reach].partition(":")[2]
            return self._passkeys.to_make(challenge.to_sign(asked), user_of(self._codes, subject), name, known)
        # Outside a session nobody has shown yet who he is: then all are asked alike.
        return self._passkeys.to_sign(challenge.to_sign(asked), known if scene.session is not None else [])


def _subject(scene: Scene, item: str) -> str:
    """On whose row the keys for an item are kept."""
    row, kept = scene.row_of(item), scene.table.items[scene.table.items[item].kept_as]
    return scene.keys[place(kept.reach, about=row is not None and row.about)]


def any_asked(item: str) -> Live:
    """Whether a signature was asked for that may be given now."""
    return lambda _tx, scene: asked_now(scene, item) is not None


def asked_now(scene: Scene, item: str) -> Challenge | None:
    """The signature that is asked for now."""
    run = scene.procedure
    return next(iter(challenge.live(run, item, challenge.bound_to(scene.procedure_key, run), scene.now)), None)


def take_asked(scene: Scene, item: str) -> bytes | None:
    """What was asked to be signed. It is answered once, rightly or not."""
    asked = asked_now(scene, item)
    challenge.consume(scene.procedure, item, scene.now)
    scene.touch(scene.procedure_key)
    return None if asked is None else challenge.to_sign(asked)


def signed(passkeys: Passkeys, codes: Codes, proof: Mapping[str, str]) -> Compare:
    """Whether one of the customer's passkeys has signed what was asked."""

    def compare(tx: Tx, scene: Scene, paid: Granted) -> Verdict:
        asked, subject = take_asked(scene, paid.item), _subject(scene, paid.item)
        known = secret_for(tx, scene, paid.item) or Secret()
        told = None if asked is None else passkeys.asserted(known.keys, proof, asked, user_of(codes, subject))
        if told is None:
            return Verdict.WRONG
        if told.copied:
            scene.tell(Event(EventKind.PASSKEY_DOUBTED, subject, scene.operation.name, paid.item, procedure=scene.procedure_key))
            return Verdict.WRONG
        used = {"counter": told.counter, "used": scene.now, "is_backed_up": told.is_backed_up}
        known.keys = [msgspec.structs.replace(one, **used) if one.id == told.id else one for one in known.keys]
        tx.put(secret_key(subject, paid.item), known)
        return Verdict.RIGHT

    return compare


def made(passkeys: Passkeys, proof: Mapping[str, str]) -> Compare:
    """Whether it is a new passkey that was asked for; it stands on the run's own row until the run is done."""

    def compare(tx: Tx, scene: Scene, paid: Granted) -> Verdict:
        asked = take_asked(scene, paid.item)
        new = None if asked is None else passkeys.made(proof, asked, scene.now)
        known = (secret_for(tx, scene, paid.item) or Secret()).keys
        renews = scene.table.items[paid.item].renews
        if new is None or renews is None or len(known) >= PASSKEYS_MAX or any(one.id == new.id for one in known):
            return Verdict.WRONG
        scene.procedure.renewed = {**scene.procedure.renewed, renews: Secret(kind=ItemKind.PASSKEY.value, keys=[new])}
        return Verdict.RIGHT

    return compare


class Signing:
    """All signatures that are asked for.

    Args:
        runs: the runs they are asked for in.
        ledger: where that is put on record.
        codes: makes what stands for a customer.
        passkeys: what browsers are asked; None: this service is not set up for them.

    """

    def __init__(self, runs: Runs, ledger: Ledger, codes: Codes, passkeys: Passkeys | None) -> None:
        self._runs = runs
        self._ledger = ledger
        self._codes = codes
        self._passkeys = passkeys

    async def ask(self, table: Table, owner: str, procedure: str, item_name: str, replay: Replay | None = None) -> Asking:
        """Ask for a signature for an item.

        Raises:
            CallerError: the item is not one of the operation's, or nothing is signed for it here.

        """
        for _ in range(3):
            facts = await self._runs.facts(procedure)
            if facts is None or facts.owner != owner:
                return Missing()
            item = item_named(table, facts.operation, item_name)
            if not is_by_app(table, item) and not is_typed(item) and (self._passkeys is None or not is_passkey(table, item)):
                raise CallerError(f"nothing is signed for {item.name} here")
            self._runs.subjects.keys(facts)
            work = _Ask(self._runs.subjects, facts, item, table.items[item.kept_as], owner, self._passkeys, self._codes, replay)
            told = await self._ledger.run(work)
            if not isinstance(told, Stale):
                return told
            self._runs.forget(facts)
        raise LedgerUnavailable
