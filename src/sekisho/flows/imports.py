"""An import from another system: staged, checked as a whole, then taken over a customer at a time, each exactly once.

Nothing is written about any customer before every line is right. What is staged holds no hash as it was written, and is
deleted at the end. A customer and all that is linked to him in the import are taken over in one commit, together with the
note of how far the import has come: whoever is interrupted goes on there, and nothing is done twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from sekisho.core import release
from sekisho.core.state import FORMAT, Guard, Lock, Secret, decode
from sekisho.core.takeover import legacy, raise_count, set_legacy
from sekisho.events import Event, EventKind
from sekisho.flows.effects import secret_key
from sekisho.flows.import_lines import Entry, Fault, Line, Reader
from sekisho.policy.table import Table
from sekisho.ports import Ledger, Secrets, Store, Tx

AT_ONCE = 200
"""Subjects taken over in one commit, unless one customer has more."""

PAGE = 500
"""Rows looked at in one read."""

TOGETHER_MAX = 500
"""Subjects that may be linked to one another in an import."""


class Import(msgspec.Struct, omit_defaults=True):
    """How far an import has come."""

    v: int = FORMAT
    by: str = ""
    """The operator who began it."""
    parts: int = 1
    digests: dict[int, str] = {}
    """The parts that are staged."""
    lines: int = 0
    subjects: int = 0
    applied: int = 0
    """Groups of subjects that are taken over; they follow from the lines."""
    done: bool = False

    @property
    def missing(self) -> list[int]:
        """Parts that are not staged yet."""
        return [part for part in range(1, self.parts + 1) if part not in self.digests]


class Faulty(msgspec.Struct, frozen=True):
    """Not one line was taken over."""

    faults: list[Fault]


class Differs(msgspec.Struct, frozen=True):
    """Another import has this name: this part was sent with other lines, or the number of parts was another."""


class Holding(msgspec.Struct):
    """All that is taken over for one subject."""

    subject: str
    entries: list[Entry]

    def of(self, what: str) -> Iterator[Entry]:
        """Its lines of one kind."""
        return (entry for entry in self.entries if entry.what == what)

    @property
    def keys(self) -> list[str]:
        """Its rows."""
        return [self.subject, *(secret_key(self.subject, entry.name) for entry in self.of("hash"))]


def import_key(name: str) -> str:
    """The row of an import."""
    return f"import:{name}"


class _Stage:
    """Note that a part is there."""

    def __init__(self, name: str, part: int, parts: int, digest: str, operator: str) -> None:
        self.keys: Sequence[str] = [import_key(name)]
        self._part, self._parts, self._digest, self._operator = part, parts, digest, operator

    def decide(self, tx: Tx) -> Import | Differs:
        """A part is sent once; again it must be the same."""
        key = self.keys[0]
        found = tx.get(key, Import)
        if found is None:
            found = Import(by=self._operator, parts=self._parts)
        if found.parts != self._parts or found.digests.get(self._part, self._digest) != self._digest:
            return Differs()
        if self._part not in found.digests:
            found.digests = {**found.digests, self._part: self._digest}
            tx.put(key, found)
        return found


class _Forget:
    """Forget an import that cannot be taken over; it may be sent anew under its name."""

    def __init__(self, name: str) -> None:
        self.keys: Sequence[str] = [import_key(name)]

    def decide(self, tx: Tx) -> None:
        """Only while nothing of it is taken over."""
        found = tx.get(self.keys[0], Import)
        if found is not None and not found.applied and not found.done:
            tx.drop(self.keys[0])


class _Take:
    """Take over some groups, and note it in the same commit; with the last of them the import is done."""

    def __init__(self, name: str, first: int, groups: Sequence[Sequence[Holding]], number: int, lines: int, version: str, operator: str) -> None:
        self._holdings = [holding for group in groups for holding in group]
        self.keys: Sequence[str] = [import_key(name), *(key for holding in self._holdings for key in holding.keys)]
        self._name, self._first, self._after, self._number, self._lines = name, first, first + len(groups), number, lines
        self._version, self._operator = version, operator

    def decide(self, tx: Tx) -> Import | None:
        """None: the lines were checked against another policy than the one that is in force now."""
        key = self.keys[0]
        found = tx.get(key, Import)
        if found is None or tx.table.version != self._version:
            return None
        if found.applied != self._first or found.done:
            return found
        if not self._first:
            tx.tell(Event(EventKind.IMPORT_BEGUN, key, operator=self._operator, number=self._lines))
        for holding in self._holdings:
            _take_over(tx, holding, self._operator, self._name)
        found.applied, found.subjects, found.lines = self._after, found.subjects + len(self._holdings), self._lines
        found.done = self._after == self._number
        if found.done:
            tx.tell(Event(EventKind.IMPORT_DONE, key, operator=self._operator, number=found.subjects))
        tx.put(key, found)
        return found


def _take_over(tx: Tx, holding: Holding, operator: str, name: str) -> None:
    """All lines of one subject. What stands here already is not made less by any of them."""
    key = holding.subject
    guard = tx.get(key, Guard) or Guard()
    if not guard.known:
        guard.known = True
        tx.tell(Event(EventKind.SUBJECT_ENROLLED, key, operator=operator))
    guard.links = {**{entry.name.partition(":")[0]: entry.name for entry in holding.of("link")}, **guard.links}
    guard.accounts = list(dict.fromkeys([*guard.accounts, *(entry.name for entry in holding.of("account"))]))
    flags = {*guard.flags, *(entry.name for entry in holding.of("flag"))}
    # Those whose item is known first: what no item is known for is the rest of the same count.
    for entry in sorted(holding.of("count"), key=lambda entry: entry.item is None):
        raise_count(guard, tx.table.counters[entry.name], entry.number, entry.item, tx.now)
    for entry in holding.of("lock"):
        for lock in _locks(tx, key, guard, entry):
            tx.tell(Event(EventKind.LOCK_SET, key, row=lock.row, lock=lock.id, until=lock.until, operator=operator, reason="imported"))
    for entry in holding.of("hash"):
        secret = secret_key(key, entry.name)
        stands = tx.get(secret, Secret) is not None or _is_erased(tx.table, key, guard, entry.name)
        if entry.secret is not None and not stands:
            # A value of its own: the batch may run this again, and must find it as it was.
            tx.put(secret, msgspec.structs.replace(entry.secret))
            flags.add(f"set:{entry.name}")
    guard.flags = sorted(flags)
    tx.put(key, guard)
    tx.tell(Event(EventKind.SUBJECT_IMPORTED, key, operator=operator, reason=name, number=len(holding.entries)))


def _locks(tx: Tx, key: str, guard: Guard, entry: Entry) -> list[Lock]:
    found = legacy(tx.table, entry.name, key.partition(":")[0])
    made = [] if found is None else set_legacy(key, guard, entry.name, found, entry.number or tx.now, tx.now)
    for lock in made:
        for item in release.erased(key, lock, tx.table):
            tx.drop(secret_key(key, item))
    return made


def _is_erased(table: Table, key: str, guard: Guard, item: str) -> bool:
    return any(item in release.erased(key, lock, table) for lock in guard.locks)


class Imports:
    """All imports."""

    def __init__(self, ledger: Ledger, store: Store, secrets: Secrets) -> None:
        self._ledger = ledger
        self._store = store
        self._secrets = secrets

    async def read(self, table: Table, lines: Iterable[tuple[int, Line | Fault]]) -> list[Entry] | Faulty:
        """Read lines and check each by itself."""
        reader = Reader(table, self._secrets.adopt, await self._store.clock())
        reader.read(lines)
        return Faulty(reader.faults) if reader.faults else reader.entries

    async def stage(
        self, name: str, part: int, parts: int, entries: Sequence[Entry], operator: str,
    ) -> Import | Differs:
        """Keep a part until all are there. The same part may be sent again."""
        body = msgspec.msgpack.encode(entries)
        digest = hashlib.sha256(body).hexdigest()[:32]
        held = await self.standing(name)
        if held is None or (not held.done and part not in held.digests):
            await self._store.keep_document(_documents(name), f"{part:06}-{digest}", body)
        return await self._ledger.run(_Stage(name, part, parts, digest, operator))

    async def standing(self, name: str) -> Import | None:
        """How far an import has come; None: there is none of this name."""
        body = (await self._store.peek([import_key(name)])).get(import_key(name))
        return None if body is None else decode(body, Import)

    async def check(self, entries: Sequence[Entry]) -> Faulty | None:
        """Check lines as a whole: against one another, and against what stands here."""
        faults = [*_twice(entries), *_too_many_together(entries), *await self._against_store(entries)]
        return Faulty(sorted(faults, key=lambda fault: (fault.part, fault.line))) if faults else None

    async def apply(
        self, table: Table, name: str, operator: str, *, steps: int | None = None, progress: Callable[[int], None] = lambda _done: None,
    ) -> Import | Faulty:
        """Take over an import all of whose parts are there; on from where it was.

        Args:
            table: the policy in force.
            name: of the import.
            operator: who takes it over.
            steps: commits to make at the most; None: to the end.
            progress: told the number of subjects that are taken over.

        """
        found = await self.standing(name) or Import()
        if found.done or found.missing:
            return found
        entries = await self._staged(name, found)
        faulty = self._unfit(table, entries) or (None if found.applied else await self.check(entries))
        if faulty is not None:
            await self._ledger.run(_Forget(name))
            if not found.applied:
                await self._clean(name)
            return faulty
        groups = grouped(entries)
        while steps is None or steps > 0:
            now = await self._ledger.run(_Take(
                name, found.applied, list(_some(groups[found.applied:])), len(groups), len(entries), table.version, operator,
            ))
            if now is None:
                break
            found = now
            progress(found.subjects)
            if found.done:
                await self._clean(name)
                break
            steps = None if steps is None else steps - 1
        return found

    def _unfit(self, table: Table, entries: Sequence[Entry]) -> Faulty | None:
        """Whether a policy that came into force since the lines were read lacks what one of them names."""
        faults = [
            entry.fault("name", "the policy that is in force now has none of that name; put one in force that has, then go on")
            for entry in entries
            if (entry.what == "count" and entry.name not in table.counters)
            or (entry.what == "lock" and legacy(table, entry.name, entry.subject.partition(":")[0]) is None)
            or (entry.what == "hash" and entry.name not in table.items)
        ]
        return Faulty(faults) if faults else None

    async def _staged(self, name: str, found: Import) -> list[Entry]:
        entries: list[Entry] = []
        for part, digest in sorted(found.digests.items()):
            body = await self._store.document(_documents(name), f"{part:06}-{digest}")
            found_here = msgspec.msgpack.decode(body or b"\x90", type=list[Entry])
            for entry in found_here:
                entry.part = part
            entries += found_here
        return entries

    async def _clean(self, name: str) -> None:
        while await self._store.forget_documents(_documents(name), "~", PAGE):
            pass

    async def _against_store(self, entries: Sequence[Entry]) -> list[Fault]:
        faults: list[Fault] = []
        enrolled = {entry.subject for entry in entries if entry.what == "subject"}
        pending = iter(entries)
        while page := list(islice(pending, PAGE)):
            keys = {entry.subject for entry in page} | {secret_key(entry.subject, entry.name) for entry in page if entry.what == "hash"}
            rows = await self._store.peek(sorted(keys))
            for entry in page:
                guard = decode(rows[entry.subject], Guard) if entry.subject in rows else Guard()
                faults += _against(entry, guard, enrolled, has_secret=secret_key(entry.subject, entry.name) in rows)
        return faults


def _documents(name: str) -> str:
    return f"import/{name}"


def _against(entry: Entry, guard: Guard, enrolled: set[str], *, has_secret: bool) -> Iterator[Fault]:
    """What is wrong with a line, seeing what stands here."""
    if not guard.known and entry.subject not in enrolled:
        yield entry.fault("subject", "this subject is not enrolled; add a line of the kind `subject` for it")
    if entry.what == "link" and guard.links.get(entry.name.partition(":")[0], entry.name) != entry.name:
        yield entry.fault("name", "another one of that kind is linked here; change a link by itself, not by an import")
    if entry.what == "hash" and has_secret:
        yield entry.fault("name", "a secret is on record here for this item, and an import replaces none; leave the line out")
    if entry.what == "hash" and any(entry.name in lock.items for lock in guard.locks):
        yield entry.fault("name", "a penalty has erased or disabled this item here; the customer registers it again")


def _twice(entries: Iterable[Entry]) -> Iterator[Fault]:
    seen: dict[tuple[str, ...], Entry] = {}
    for entry in entries:
        said = entry.name.partition(":")[0] if entry.what == "link" else entry.name
        first = seen.setdefault((entry.what, entry.subject, said, entry.item or ""), entry)
        if first is not entry:
            where = f"line {first.line}" if first.part == entry.part else f"line {first.line} of part {first.part}"
            yield entry.fault("what", f"{where} says this already; keep one of them")


def _too_many_together(entries: Sequence[Entry]) -> Iterator[Fault]:
    for group in grouped(entries):
        if len(group) > TOGETHER_MAX:
            first = min((entry for holding in group for entry in holding.entries), key=lambda entry: (entry.part, entry.line))
            yield first.fault("subject", f"more than {TOGETHER_MAX} subjects are linked to one another here; an account belongs to one customer")


def grouped(entries: Iterable[Entry]) -> list[list[Holding]]:
    """What is taken over, in groups that are linked to one another: each is taken over in one commit. Always in the same order."""
    leads: dict[str, str] = {}

    def lead(subject: str) -> str:
        while leads.setdefault(subject, subject) != subject:
            leads[subject] = subject = leads[leads[subject]]
        return subject

    holdings: dict[str, Holding] = {}
    for entry in entries:
        holdings.setdefault(entry.subject, Holding(entry.subject, [])).entries.append(entry)
        if entry.what in {"link", "account"}:
            one, other = sorted((lead(entry.subject), lead(entry.name)))
            leads[other] = one
    groups: dict[str, list[Holding]] = {}
    for subject in sorted(holdings):
        groups.setdefault(lead(subject), []).append(holdings[subject])
    return [groups[first] for first in sorted(groups)]


def _some(groups: Sequence[list[Holding]]) -> Iterator[list[Holding]]:
    """As many groups as make one commit, and one at the least."""
    subjects = 0
    for group in groups:
        if subjects and subjects + len(group) > AT_ONCE:
            return
        subjects += len(group)
        yield group
