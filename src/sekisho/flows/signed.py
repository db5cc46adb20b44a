"""Entries that the bank's own app makes: each answers what it was asked, is signed by its enrolment's device, and says what was shown.

What the device has not signed is no entry: it is not looked at, and nothing is counted. docs/how/app.md
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

import msgspec

from sekisho.core import challenge, enrolment
from sekisho.core.attempt import Granted, Refusal, Why
from sekisho.core.base64url import read
from sekisho.core.enrolment import DEVICE, KEY, KEYED, LOCKED, NO_MATCH, REPORT, RESPONSE, SHOWN, SIGNATURE, VERIFIER
from sekisho.core.fold import fold
from sekisho.core.scene import Scene
from sekisho.core.state import Secret
from sekisho.errors import CallerError
from sekisho.events import Event, EventKind
from sekisho.flows import answers
from sekisho.flows.answers import Refused
from sekisho.flows.apps import four_figures, of_key, verifier
from sekisho.flows.attempt import Compare, Entry, Missing, Stale, record, secret_for
from sekisho.flows.effects import secret_key
from sekisho.flows.held import asked_now, take_asked
from sekisho.flows.replay import Replay, remembered
from sekisho.flows.subjects import Facts, Subjects
from sekisho.policy.table import ABOUT, Item, Table, place
from sekisho.ports import Codes, DeviceKeys, Secrets, Tx
from sekisho.terms import ItemKind, Reach, Verdict

PART_MAX, PARTS_MAX = 2048, 16


def device_keys(facts: Facts) -> list[str]:
    """Where the keys of the devices are that may make an entry."""
    return [secret_key(subject, DEVICE) for where, subject in facts.subjects.items() if where.removeprefix(ABOUT) == Reach.APP]


def well_formed(proof: Mapping[str, str]) -> None:
    """Refuse what no app sends, before anything is counted.

    Raises:
        CallerError: it is not signed, or too long.

    """
    if SIGNATURE not in proof or len(proof) > PARTS_MAX or any(len(part) > PART_MAX for part in proof.values()):
        raise CallerError("an app's entry is an object of parts with their signature, as docs/how/app.md says")
    read(proof[SIGNATURE])


def brought(table: Table, item: Item, parts: Mapping[str, str]) -> dict[str, str]:
    """The keys that are registered with an item, by what they are of: with a new passcode all that the app sends, else the item's own alone."""
    if not item.renews:
        return {}
    every = table.items[item.renews].kind is ItemKind.PASSCODE
    own = [one.name for one in table.items.values() if one.reach is Reach.APP and one.kind in KEYED and (every or one.name == item.renews)]
    return {name: parts[KEY + name] for name in own if KEY + name in parts}


def well_typed(proof: str | Mapping[str, str]) -> None:
    """Refuse what is no transaction signature with what it is over, before anything is counted.

    Raises:
        CallerError: a part is missing, too long, or none.

    """
    parts = proof if isinstance(proof, Mapping) else {}
    if RESPONSE not in parts or len(parts) > PARTS_MAX or any(len(part) > PART_MAX for part in parts.values()):
        raise CallerError("a transaction signature is an object of the response and of every text that was shown, as docs/how/app.md says")
    if any(not name.startswith(SHOWN) for name in parts if name != RESPONSE):
        raise CallerError("a part is none that a transaction signature has")


class Signer:
    """Tells what devices have signed.

    Args:
        codes: makes digests of what was entered.
        keys: reads devices' keys.
        secrets: tells whether a transaction signature is right.

    """

    def __init__(self, codes: Codes, keys: DeviceKeys, secrets: Secrets) -> None:
        self._codes = codes
        self.secrets = secrets
        self.keys = keys

    def by_device(self, tx: Tx, scene: Scene, item: str, parts: Mapping[str, str], asked: bytes) -> bool:
        """Whether the enrolment's device has signed the parts, for what it was asked."""
        app = app_of(scene, item)
        return self.by_key(tx.get(secret_key(app, DEVICE), Secret), scene, item, parts, asked)

    def by_key(self, known: Secret | None, scene: Scene, item: str, parts: Mapping[str, str], asked: bytes) -> bool:
        """Whether this key has."""
        if known is None or not known.keys or not self._was_shown(scene, parts):
            return False
        told = enrolment.message(f"{app_of(scene, item)} {item}", asked, parts)
        return self.keys.is_signed_by(known.keys[0].key, read(parts[SIGNATURE]), told)

    def _was_shown(self, scene: Scene, parts: Mapping[str, str]) -> bool:
        """Whether the device says that it has shown what was entered in the run, word for word."""
        items = scene.table.items
        for item, digest in scene.procedure.entered.items():
            if items[item].renews is None and not hmac.compare_digest(self._codes.digest("data", item, parts.get(SHOWN + item, "")), digest):
                return False
        return True

    def well_registered(self, table: Table, item: Item, parts: Mapping[str, str]) -> None:
        """Refuse what registers nothing anew, before anything is counted.

        Raises:
            CallerError: what the item renews is missing, or a part is none.

        """
        if not item.renews:
            return
        if table.items[item.renews].kind is ItemKind.PASSCODE:
            verifier(parts.get(VERIFIER, ""))
        elif table.items[item.renews].kind is ItemKind.PIN:
            four_figures(item.renews, parts.get(item.renews, ""))
        elif KEY + item.renews not in parts:
            raise CallerError(f"{item.name} is registered with a new key, {KEY}{item.renews}")
        self._made(table, item, parts)

    def keep(self, scene: Scene, item: str, parts: Mapping[str, str]) -> None:
        """The new keys that the device has signed wait on the run until it is done."""
        made = self._made(scene.table, scene.table.items[item], parts)
        scene.procedure.renewed = {**scene.procedure.renewed, **made}

    def _made(self, table: Table, item: Item, parts: Mapping[str, str]) -> dict[str, Secret]:
        shared = {name for name, one in table.items.items() if one.kind is ItemKind.OCRA}
        return {
            name: self.secrets.make(ItemKind.OCRA, value) if name in shared else of_key(name, value, self.keys)
            for name, value in brought(table, item, parts).items()
        }

    def registered(self, proof: Mapping[str, str]) -> Compare:
        """A new key in the place of one that was erased. What the device has not signed is no entry."""

        def compare(tx: Tx, scene: Scene, paid: Granted) -> Verdict:
            asked = take_asked(scene, paid.item)
            if asked is None or not self.by_device(tx, scene, paid.item, proof, asked):
                return Verdict.UNREAD
            self.keep(scene, paid.item, proof)
            return Verdict.RIGHT

        return compare

    def typed(self, proof: Mapping[str, str]) -> Compare:
        """A transaction signature. Over other texts than those that were entered it is none; the right one is taken once."""
        shown = {name: text for name, text in proof.items() if name != RESPONSE}
        typed = fold(ItemKind.OCRA, proof[RESPONSE])

        def compare(tx: Tx, scene: Scene, paid: Granted) -> Verdict:
            asked = asked_now(scene, paid.item)
            if asked is None or not self._was_shown(scene, shown):
                return Verdict.UNREAD
            question = enrolment.question(f"{app_of(scene, paid.item)} {paid.item}", challenge.to_sign(asked), shown)
            if not self.secrets.signs(secret_for(tx, scene, paid.item), question, typed):
                return Verdict.WRONG
            take_asked(scene, paid.item)
            return Verdict.RIGHT

        return compare

    def sensor(self, proof: Mapping[str, str]) -> Compare:
        """What a sensor has said. Yes is signed by a key that the sensor alone opens."""

        def compare(tx: Tx, scene: Scene, paid: Granted) -> Verdict:
            asked = take_asked(scene, paid.item)
            if asked is None:
                return Verdict.UNREAD
            if REPORT not in proof:
                return Verdict.RIGHT if self.by_key(secret_for(tx, scene, paid.item), scene, paid.item, proof, asked) else Verdict.UNREAD
            if not self.by_device(tx, scene, paid.item, proof, asked):
                return Verdict.UNREAD
            if proof[REPORT] == LOCKED:
                scene.tell(Event(EventKind.SENSOR_LOCKED, app_of(scene, paid.item), scene.operation.name, paid.item, procedure=scene.procedure_key))
            counted = proof[REPORT] == NO_MATCH and scene.table.items[paid.item].kind is ItemKind.BIOMETRIC
            return Verdict.WRONG if counted else Verdict.UNREAD

        return compare


def app_of(scene: Scene, item: str) -> str:
    """The enrolment that an entry is made in."""
    row = scene.row_of(item)
    return scene.keys[place(Reach.APP, about=row is not None and row.about)]


class Verified(msgspec.Struct):
    """The device has signed; this is what it says of its passcode, or the code that the customer sets."""

    said: str


class Unwrap(Entry):
    """Look who has signed, before a guess is taken for what it says. What comes with a new passcode waits on the run."""

    __slots__ = ("_parts", "_signer")

    def __init__(
        self, subjects: Subjects, facts: Facts, item: str, owner: str, parts: Mapping[str, str], signer: Signer, replay: Replay | None,
    ) -> None:
        super().__init__(subjects, facts, item, owner, "", extra=device_keys(facts), replay=replay)
        self._parts = parts
        self._signer = signer

    def decide(self, tx: Tx) -> Verified | Refused | Missing | Stale:
        """A request that comes again was looked at before: its answer is on record, or its guess is in flight."""
        kept = tx.table.items[tx.table.items[self.item].kept_as]
        verified = Verified(self._parts.get(VERIFIER if kept.kind is ItemKind.PASSCODE else kept.name, ""))
        if remembered(tx, self.replay) is not None:
            return verified
        scene = self.unclosed(tx)
        if not isinstance(scene, Scene):
            return scene
        if asked_now(scene, self.item) is None:
            return answers.refused(scene, Refusal(Why.NO_CODE))
        asked = take_asked(scene, self.item)
        signed = asked is not None and self._signer.by_device(tx, scene, self.item, self._parts, asked)
        if signed:
            self._signer.keep(scene, self.item, self._parts)
        record(tx, scene)
        return verified if signed else answers.refused(scene, Refusal(Why.UNNAMED))
