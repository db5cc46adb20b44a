"""Which rows an attempt concerns: from the fixed facts of its procedure, before anything is locked.

A subject that nobody has enrolled is counted in one of 2^20 buckets, chosen by a keyed digest of its name, with the same
reads and the same writes as a known one. Nobody outside can tell the two apart, and no flood of made-up names fills the
store.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping

from sekisho.core.scene import Scene
from sekisho.core.state import THE_BANK, Guard, Lock, Procedure, Session, decode
from sekisho.flows.devices import Devices
from sekisho.policy.table import Operation, Table, place
from sekisho.ports import Store, Tx
from sekisho.terms import Reach

BUCKETS = 1 << 20
"""How many buckets strangers share."""

SUBJECTS = frozenset({Reach.CUSTOMER.value, Reach.ACCOUNT.value, Reach.APP.value, Reach.ADDRESS.value})
"""Kinds of subjects that can be enrolled."""

OWN_ROWS = frozenset({Reach.PROCEDURE, Reach.SESSION, Reach.BANK})
"""Reaches whose count stands on the run's or the session's own row, or is leased to nodes."""

_REMEMBERED = 50_000

PAGE = 1_000
"""Rows read at a time."""


class Facts:
    """What never changes about a procedure once it has begun, and the keys that follow from it."""

    __slots__ = ("device", "ends", "key", "keys", "language", "operation", "owner", "parties", "secrets", "session", "source", "subjects")

    def __init__(
        self, key: str, operation: str, subjects: dict[str, str], session: str | None, owner: str, language: str | None = None, device: str = "",
        source: str = "",
    ) -> None:
        self.key = key
        self.source = source
        """Who typed when the run was begun: the bucket of the actor; empty where the channel does not say."""
        self.device = device
        """From which the run was begun, or the entry made: a keyed digest; empty where the channel does not say."""
        self.language = language
        self.operation = operation
        self.subjects = subjects
        self.session = session
        self.owner = owner
        self.keys: list[str] | None = None
        """Every row that an attempt may touch; found once, by `Subjects`."""
        self.parties: list[tuple[str, str, str]] = []
        """(place, key of the subject's row, key of the bucket it is counted in while it is not enrolled)."""
        self.secrets: dict[str, list[str]] = {}
        """By item: where its secret may be kept."""
        self.ends: list[str] | None = None
        """Rows that its end may write; found once, by `effects`."""


class Subjects:
    """Turns names into keys of rows.

    Args:
        key: secret; without it nobody can choose names that fall into one bucket.

    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.asking: tuple[Lock, ...] = ()
        """Locks of the whole bank, as this node knows them."""
        self.devices = Devices(hmac.digest(key, b"devices", "sha256"))
        self._buckets: OrderedDict[str, str] = OrderedDict()

    def bucket(self, subject: str) -> str:
        """The row on which a subject is counted while nobody has enrolled it."""
        found = self._buckets.get(subject)
        if found is None:
            kind = subject.partition(":")[0]
            number = int.from_bytes(hmac.digest(self._key, subject.encode(), "sha256")[:4], "big") % BUCKETS
            found = self._buckets[subject] = f"~{kind}:{number:05x}"
            if len(self._buckets) > _REMEMBERED:
                self._buckets.popitem(last=False)
        return found

    def keys(self, facts: Facts) -> list[str]:
        """Every row that an attempt in this procedure may touch. The list is the facts' own: copy before adding to it."""
        if facts.keys is None:
            facts.parties = [
                (place, subject, subject if subject == THE_BANK else self.bucket(subject)) for place, subject in facts.subjects.items()
            ]
            rows = [facts.key, *(key for _, subject, bucket in facts.parties for key in (subject, bucket))]
            facts.keys = rows if facts.session is None else [*rows, facts.session]
        return facts.keys

    def scene(self, tx: Tx, facts: Facts, operation: Operation, procedure: Procedure) -> Scene:
        """Everything the attempt may look at. Of every subject both rows are read, enrolled or not."""
        self.keys(facts)
        guards: dict[str, Guard] = {}
        keys: dict[str, str] = {}
        names: dict[str, str] = {}
        for where, subject, bucket in facts.parties:
            known = tx.get(subject, Guard)
            stranger = tx.get(bucket, Guard)
            if known is not None and known.known:
                keys[where] = subject
                guards[subject] = known
            else:
                keys[where] = bucket
                names[bucket] = subject
                if bucket not in guards:
                    guards[bucket] = stranger or Guard(known=subject == THE_BANK)
        session = None if facts.session is None else tx.get(facts.session, Session)
        scene = Scene(tx.table, operation, procedure, facts.key, session, facts.session, guards, keys, tx.now)
        scene.names = names
        scene.asking = self.asking
        scene.device = facts.device or ("" if session is None else session.device)
        return scene


class Row:
    """Where a subject is counted: on its own row, or on that of its bucket while nobody has enrolled it."""

    def __init__(self, subjects: Subjects, subject: str) -> None:
        self._own, self._bucket = subject, subjects.bucket(subject)
        self.keys = (self._own, self._bucket)

    def read(self, tx: Tx) -> tuple[str, Guard]:
        """Its key now, and what stands there."""
        guard = tx.get(self._own, Guard)
        if guard is not None and guard.known:
            return self._own, guard
        return self._bucket, tx.get(self._bucket, Guard) or Guard()


async def every_guard(store: Store) -> AsyncIterator[tuple[str, Guard]]:
    """The rows of all subjects that can be enrolled, with their keys: kind by kind, in the order of the keys."""
    for kind in sorted(SUBJECTS):
        after = ""
        while page := await store.rows(f"{kind}:", after, PAGE):
            after = page[-1][0]
            for key, body in page:
                yield key, decode(body, Guard)


def is_subject(key: str) -> bool:
    """Whether a key is that of a subject's row, or of a stranger's."""
    return key.removeprefix("~").partition(":")[0] in _KINDS


_KINDS = frozenset(reach.value for reach in Reach) - {reach.value for reach in OWN_ROWS}


def concerned(
    table: Table, operation: Operation, subject: str, about: str | None, links: Mapping[str, str], about_links: Mapping[str, str],
    actor: str, caller: str | None,
) -> dict[str, str]:
    """The subjects of a procedure, by place: those named, those linked to them, and stand-ins where nothing is linked.

    A stand-in is a name that nobody can enrol, so that an account without a contract is counted like one with a contract.
    """
    found: dict[str, str] = {}
    for reach, is_about in sorted(_reaches(table, operation)):
        if reach == Reach.ACTOR:
            found[reach] = _somebody(actor, subject)
        elif reach == Reach.CALLER:
            found[reach] = caller or _somebody(actor, subject)
        elif is_about and about is not None:
            found[place(reach, about=True)] = _one(reach, about, about_links)
        elif not is_about:
            # A thing that belongs to the caller may be named as what the entry is about: this app, of several.
            is_his = about is not None and about.startswith(f"{reach}:") and subject in about_links.values()
            found[reach] = about if is_his and about is not None else _one(reach, subject, links)
    return found


NOBODY = "actor:none"
"""Who types, where the channel does not say."""


def _somebody(actor: str, subject: str) -> str:
    """Where nobody says who types, each subject has an actor of its own: else all of them together would lock one another out."""
    return f"actor:?{subject}" if actor == NOBODY else actor


def _one(reach: str, named: str, links: Mapping[str, str]) -> str:
    if named.startswith(f"{reach}:"):
        return named
    return links.get(reach) or f"{reach}:?{named}"


def _reaches(table: Table, operation: Operation) -> set[tuple[Reach, bool]]:
    """Every kind of subject that any row of the operation counts on, keeps a secret on, or lets a penalty fall on."""
    found: set[tuple[Reach, bool]] = {(operation.subject, False), (Reach.CUSTOMER, False)}
    for variants in operation.rows.values():
        for row in variants:
            item = table.items[row.item]
            found.add((table.items[item.kept_as].reach, row.about))
            found.update((gauge.counter.reach, gauge.about) for gauge in row.gauges)
            found.update(
                (penalty.on, penalty.on_about)
                for gauge in row.gauges for stage in gauge.counter.stages for penalty in stage.penalties if penalty.on is not None
            )
            found.update((_side(condition.flag), condition.about) for condition in row.when)
    if any(about for _, about in found):
        # Whoever has his use stopped or suspended has it stopped for what others do with what is his.
        found.add((Reach.CUSTOMER, True))
    if table.devices is not None and operation.name in table.devices.known_by:
        found.update((reach, False) for reach in table.devices.subjects)
    return {(reach, about) for reach, about in found if reach not in OWN_ROWS}


def _side(flag: str) -> Reach:
    return Reach.ACCOUNT if flag == "contract" else Reach.CUSTOMER


__all__ = ["BUCKETS", "NOBODY", "SUBJECTS", "THE_BANK", "Facts", "Row", "Subjects", "concerned", "every_guard"]
