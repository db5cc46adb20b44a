"""How a proof is looked at, by the kind of its item. Every function here is handed the guess that was taken for it."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from functools import lru_cache

from sekisho.core import challenge
from sekisho.core.address import entered
from sekisho.core.attempt import Granted
from sekisho.core.fold import fold
from sekisho.core.scene import Scene
from sekisho.core.state import SECOND, Guard, Recovery, Secret
from sekisho.errors import CallerError
from sekisho.flows.attempt import Compare, Live, secret_for
from sekisho.flows.effects import secret_key
from sekisho.flows.news import note_answer
from sekisho.policy.table import Item, place
from sekisho.ports import Codes, Secrets, Tx
from sekisho.terms import ItemKind, Reach, Verdict

SLOW = frozenset({ItemKind.PASSWORD, ItemKind.PIN, ItemKind.PASSCODE})
"""Compared on a worker, between two batches."""

ELSEWHERE = frozenset({ItemKind.BIOMETRIC, ItemKind.DEVICE_BIOMETRIC, ItemKind.PASSKEY})
"""Compared by the bank: reserve, compare, give the verdict (count mode)."""

SENT = frozenset({ItemKind.CODE, ItemKind.CONFIRMATION})
"""Compared with what was sent, where it was sent from here; else by the bank."""

NAMING = frozenset({ItemKind.IDENTIFIER, ItemKind.PAIR})
"""Entries that name the subject of the run."""

_FORM_ONLY = frozenset({ItemKind.DATA, ItemKind.IDENTIFIER})

Proof = str | Mapping[str, str]
PROOF_MAX = 1024
"""Longest proof that is looked at, in characters."""


def text_of(proof: Proof) -> str:
    """A proof made of parts as one text, in the order of the parts' names."""
    return proof if isinstance(proof, str) else "\x1f".join(f"{name}={value}" for name, value in sorted(proof.items()))


def parts_of(proof: Proof) -> list[str]:
    """The texts a proof is made of."""
    return [proof] if isinstance(proof, str) else list(proof.values())


def well_formed(item: Item, proof: Proof) -> None:
    """Refuse what could not be any proof of this kind, before anything is counted.

    Raises:
        CallerError: not of this item's shape.

    """
    parts = parts_of(proof)
    if not parts or any(len(part) > PROOF_MAX for part in parts):
        detail = "the proof is empty or too long"
        raise CallerError(detail)
    if any(_UNTYPABLE.search(part) for part in parts):
        detail = "the proof holds characters that nobody can type"
        raise CallerError(detail)
    if item.kind is ItemKind.PAIR and (not isinstance(proof, Mapping) or set(proof) != {name for name, _ in item.parts}):
        detail = f"the proof of {item.name} is an object with {', '.join(name for name, _ in item.parts)}"
        raise CallerError(detail)


_UNTYPABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def named(item: Item, proof: Proof) -> list[str]:
    """The subjects an entry names, whether or not they exist."""
    if item.kind is ItemKind.PAIR and isinstance(proof, Mapping):
        return [f"{reach}:{fold(item.kind, proof[name])}" for name, reach in item.parts]
    if item.kind is ItemKind.IDENTIFIER and item.names is not None and isinstance(proof, str):
        return [f"{item.names}:{fold(item.kind, proof)}"]
    return []


def comparer(secrets: Secrets, codes: Codes, item: Item, proof: Proof) -> Compare:
    """The way this proof is compared inside a batch."""
    kind = item.kind
    if kind in _FORM_ONLY:
        formed = matches_pattern(item, proof)
        if item.registers is not None:
            return lambda tx, _scene, _paid: _verdict(formed and _addresses(tx, item, proof))
        return lambda _tx, _scene, _paid: Verdict.RIGHT if formed else Verdict.WRONG
    if kind is ItemKind.PAIR:
        return _pair
    folded = fold(kind, text_of(proof))
    if kind in SENT:
        return lambda tx, scene, paid: _sent_code(codes, tx, scene, paid, folded)
    if kind is ItemKind.TOTP:
        return lambda tx, scene, paid: _token(secrets, tx, scene, paid, folded)
    return lambda tx, scene, paid: _verdict(secrets.matches(secret_for(tx, scene, paid.item), kind, folded))


def _verdict(same: bool) -> Verdict:  # noqa: FBT001
    return Verdict.RIGHT if same else Verdict.WRONG


def _addresses(tx: Tx, item: Item, proof: Proof) -> bool:
    """Whether these can be somebody's new addresses."""
    return item.registers is not None and entered(item.registers, parts_of(proof), int(tx.table.mail["addresses"])) is not None


def matches_pattern(item: Item, proof: Proof) -> bool:
    """Whether an entry has the form that its item asks for."""
    if item.pattern is None:
        return True
    return _pattern(item.pattern).fullmatch(fold(item.kind, text_of(proof))) is not None


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _pair(_tx: Tx, scene: Scene, paid: Granted) -> Verdict:
    """Both halves name known subjects, and they belong together. Which half was wrong is not found out here."""
    del paid
    guards = {reach: scene.guards[scene.keys[reach.value]] for reach in (Reach.CUSTOMER, Reach.ACCOUNT) if reach.value in scene.keys}
    customer = guards.get(Reach.CUSTOMER)
    account = scene.keys.get(Reach.ACCOUNT.value)
    return _verdict(customer is not None and customer.known and owns(customer, account))


def owns(customer: Guard, account: str | None) -> bool:
    """Whether an account is one of the customer's."""
    return account is not None and account in {customer.links.get(Reach.ACCOUNT.value), *customer.accounts}


def _token(secrets: Secrets, tx: Tx, scene: Scene, paid: Granted, code: str) -> Verdict:
    item = scene.table.items[paid.item]
    key = _key_of(scene, item)
    record = None if key is None else tx.get(key, Secret)
    token = None if record is None else record.token
    used = secrets.used(record, code, tx.now // SECOND, resync=item.resyncs is not None)
    if key is None or used is None or (token is not None and not token.starts <= tx.now < (token.ends or tx.now + 1)):
        return Verdict.WRONG
    tx.put(key, used)
    return Verdict.RIGHT


def _sent_code(codes: Codes, tx: Tx, scene: Scene, paid: Granted, typed: str) -> Verdict:
    """Whether it is the code of any challenge that may be answered now. All of them are compared."""
    run, found = scene.procedure, None
    for one in challenge.live(run, paid.item, challenge.bound_to(scene.procedure_key, run), scene.now):
        code = codes.code(one)
        one.answered = code is not None and hmac.compare_digest(code.encode(), typed.encode("utf-8", "replace"))
        if one.answered:
            found = one.address
    if found is not None:
        note_answer(tx, scene, paid.item)
        challenge.consume(run, paid.item, scene.now, only=found if scene.table.items[paid.item].confirms else None)
        scene.touch(scene.procedure_key)
    return _verdict(found is not None)


def any_sent(item: str) -> Live:
    """Whether any code that was sent in the run may be answered now."""
    def live(_tx: Tx, scene: Scene) -> bool:
        run = scene.procedure
        return bool(challenge.live(run, item, challenge.bound_to(scene.procedure_key, run), scene.now))

    return live


def any_released(recovery: str) -> Live:
    """Whether the desk has released a code that was not used yet."""
    return lambda tx, scene: _released(tx, recovery, scene.now) is not None


def _released(tx: Tx, key: str, now: int) -> Recovery | None:
    row = tx.get(key, Recovery)
    fresh = row is not None and not row.over and row.code is not None and row.code.consumed is None and now < row.code.until
    return row if fresh else None


def release_code(codes: Codes, recovery: str, proof: Proof) -> Compare:
    """Compare with the code that the desk had made. It is used once, and whoever had it is no stranger: his run may take its whole time."""
    typed = fold(ItemKind.CODE, text_of(proof))

    def compare(tx: Tx, scene: Scene, _paid: Granted) -> Verdict:
        row = _released(tx, recovery, scene.now)
        code = None if row is None or row.code is None else codes.code(row.code)
        if row is None or row.code is None:
            return Verdict.WRONG
        if code is None or not hmac.compare_digest(code.encode(), typed.encode("utf-8", "replace")):
            # It may have been the last try: whoever follows it looks at once.
            tx.put(recovery, row, due=scene.now)
            return Verdict.WRONG
        row.code.consumed, row.procedure = scene.now, scene.procedure_key
        tx.put(recovery, row, due=scene.now)
        scene.procedure.expires = max(scene.procedure.expires, scene.now + scene.operation.life_s * SECOND)
        scene.touch(scene.procedure_key)
        return Verdict.RIGHT

    return compare


def _key_of(scene: Scene, item: Item) -> str | None:
    """Where the token is kept: one row is read for its seed, and written for the step that was used."""
    row, kept = scene.row_of(item.name), scene.table.items[item.kept_as]
    subject = scene.keys.get(place(kept.reach, about=row is not None and row.about))
    return None if subject is None else secret_key(subject, kept.name)


__all__ = [
    "ELSEWHERE", "NAMING", "PROOF_MAX", "SENT", "SLOW", "Proof", "any_released", "any_sent", "comparer", "matches_pattern", "named", "owns",
    "parts_of", "release_code", "text_of", "well_formed",
]
