"""What the end of a run puts in force: the new secrets and the new addresses that were entered in it, all in its last commit.

Until then they stand on the run's own row and count for nothing. Whoever has no contract yet has no row they could stand on:
they wait beside what he applied for, and are put in force when the bank enrols his contract.
"""

from __future__ import annotations

from collections.abc import Iterable

from sekisho.core import address as masks
from sekisho.core import registering, release
from sekisho.core.enrolment import KEYED
from sekisho.core.scene import Scene
from sekisho.core.state import SECOND, Address, Addresses, Application, Guard, Recovery, Secret, decode
from sekisho.events import Event, EventKind
from sekisho.flows.addresses import addresses_key, by_desk, registers
from sekisho.flows.subjects import Facts
from sekisho.flows.telling import SET, announce, announcements_key, may_tell_of_entries, whom
from sekisho.policy.table import Operation, Table
from sekisho.ports import Codes, Store, Tx
from sekisho.terms import ItemKind, Reach

WAITS_S = 30 * 24 * 3600
"""How long what somebody applied for waits for his contract, where the policy's `retention` does not say. Seconds."""


def secret_key(subject: str, item: str) -> str:
    """The row on which a subject's secret for an item is kept."""
    return f"secret:{subject}/{item}"


def application_key(subject: str) -> str:
    """The row on which it waits what was chosen in an application for this subject."""
    return f"application:{subject}"


def keys(table: Table, facts: Facts) -> list[str]:
    """The rows that the end of a run may write, besides those of everybody it concerns."""
    if facts.ends is None:
        operation = table.operations[facts.operation]
        renewed = {table.items[item].renews: None for item in operation.rows}
        facts.ends = [secret_key(facts.subjects[table.items[item].reach], item) for item in renewed if item is not None]
        facts.ends += [secret_key(facts.subjects[Reach.APP], item) for item in _sensors(table, renewed) if Reach.APP in facts.subjects]
        item = registers(table, facts.operation)
        if item is not None:
            facts.ends.append(addresses_key(facts.subjects[item.reach]))
        if facts.ends:
            facts.ends.append(application_key(facts.subjects[operation.subject]))
        facts.ends += [recovery_key(facts.subjects[table.items[name].reach]) for name in by_desk(table) if name in operation.rows]
        if facts.ends or _tells(table, facts.operation) or _tells_of_logins(table, operation):
            facts.ends += _told(operation, facts)
        else:
            facts.ends = told_keys(table, facts)
    return facts.ends


def told_keys(table: Table, facts: Facts) -> list[str]:
    """The row of what the customer is told, where an entry by itself may be a reason to tell him."""
    operation = table.operations[facts.operation]
    return _told(operation, facts) if may_tell_of_entries(table, operation) else []


def _told(operation: Operation, facts: Facts) -> list[str]:
    subject = whom(operation, facts.subjects)
    return [] if subject is None else [announcements_key(subject)]


def _sensors(table: Table, renewed: Iterable[str | None]) -> list[str]:
    """Keys of an app, which are registered together with its passcode."""
    if not any(item is not None and table.items[item].kind is ItemKind.PASSCODE and table.items[item].reach is Reach.APP for item in renewed):
        return []
    return [item.name for item in table.items.values() if item.reach is Reach.APP and item.kind in KEYED]


async def sources(store: Store, table: Table, facts: Facts) -> list[str]:
    """The rows of others on which the counts stand that led to what the end of a run lifts: an account beside the one in hand, who typed then."""
    path, own = table.operations[facts.operation].path, set(facts.subjects.values())
    if path is None:
        return []
    rows = await store.peek(sorted(own))
    found = {lock.source for body in rows.values() for lock in release.by_path(decode(body, Guard).locks, path)}
    return sorted(str(source) for source in found if release.is_row(source) and source not in own)


def recovery_key(subject: str) -> str:
    """The row on which it stands what the desk has set going for a customer."""
    return f"recovery:{subject}"


def _tells(table: Table, operation: str) -> bool:
    """Whether the customer is told on all channels that he, or somebody, has walked the way that this operation is."""
    path = table.paths.get(table.operations[operation].path or "")
    return path is not None and "all-channels" in path.tells


def _tells_of_logins(table: Table, operation: Operation) -> bool:
    """Whether the customer is told of a login from an unusual place."""
    risk = table.risk
    return risk is not None and bool(risk.tells) and operation.gives_session and operation.name in risk.refuses


def tell_of_login(tx: Tx, scene: Scene) -> None:
    """A login is through; from an unusual place the customer is told of it where he has been reached before (M-RISK-1)."""
    if scene.unusual and _tells_of_logins(scene.table, scene.operation):
        announce(tx, scene.keys[scene.operation.subject], "unusual-login")


def _by_letter(scene: Scene) -> bool:
    return "letter" in scene.table.paths[scene.operation.path or ""].tells


def _holds(scene: Scene) -> bool:
    """Whether the policy holds something back for a while after this way back."""
    path = scene.table.paths[scene.operation.path or ""]
    return path.holds is not None and bool(path.holds.for_s)


def _close_recovery(tx: Tx, scene: Scene) -> None:
    """What the desk had set going has come to its end, in this run."""
    for name in by_desk(scene.table):
        if name not in scene.operation.rows:
            continue
        key = recovery_key(scene.keys[scene.table.items[name].reach])
        row = tx.get(key, Recovery)
        if row is not None and not row.over and row.procedure == scene.procedure_key:
            row.done = tx.now
            tx.put(key, row, due=tx.now)


def take(tx: Tx, scene: Scene, told: str | None) -> None:
    """The run is done. `told`: who is told of it; None: nobody."""
    run, items = scene.procedure, scene.table.items
    texts: dict[str, bool] = {}
    waits = Application()
    for item, secret in run.renewed.items():
        key = scene.keys[items[item].reach]
        if scene.guards[key].known:
            _renew(tx, key, scene.guards[key], item, secret)
            scene.touch(key)
            scene.tell(Event(EventKind.ITEM_SET, key, scene.operation.name, item, procedure=scene.procedure_key))
            texts[SET.get(secret.kind, "secret-set")] = False
        else:
            waits.secrets[item] = secret
    new = registering.confirmed(run)
    named = registers(scene.table, scene.operation.name)
    if new and named is not None:
        key = scene.keys[named.reach]
        if scene.guards[key].known:
            _register(tx, key, new)
            scene.tell(Event(EventKind.ADDRESSES_SET, key, scene.operation.name, named.name, procedure=scene.procedure_key))
            texts["addresses-changed"] = False
        else:
            waits.addresses = new
    _close_recovery(tx, scene)
    if _tells(scene.table, scene.operation.name) and scene.guards[scene.keys[scene.operation.subject]].known:
        # This says of the password what is to be said.
        texts.pop("password-set", None)
        texts["registered-held" if _holds(scene) else "registered"] = _by_letter(scene)
    for text, letter in texts.items() if told is not None else ():
        announce(tx, str(told), text, letter=letter)
    run.renewed, run.addresses = {}, []
    scene.touch(scene.procedure_key)
    _wait(tx, scene, waits)


def _renew(tx: Tx, key: str, guard: Guard, item: str, secret: Secret) -> None:
    """The new secret is the one on record, and no first one any more; a new passkey stands beside those before it."""
    if secret.kind == ItemKind.PASSKEY:
        before = tx.get(secret_key(key, item), Secret) or Secret(kind=secret.kind)
        secret = Secret(kind=secret.kind, keys=[*before.keys, *secret.keys])
    tx.put(secret_key(key, item), secret)
    guard.flags = sorted({*guard.flags, f"set:{item}"} - {f"first-time:{item}"})


def _register(tx: Tx, key: str, new: list[Address]) -> None:
    tx.put(addresses_key(key), registering.on_file(tx.get(addresses_key(key), Addresses) or Addresses(), new, tx.now))


def _wait(tx: Tx, scene: Scene, waits: Application) -> None:
    """Beside whoever the run was for, if he is known; the last application is the one that counts."""
    key = scene.keys[scene.operation.subject]
    if (waits.secrets or waits.addresses) and scene.guards[key].known:
        kept_s = tx.table.retention_s.get("strangers", WAITS_S)
        tx.put(application_key(key), waits, due=tx.now + kept_s * SECOND)


def adopt(tx: Tx, key: str, guard: Guard, linked: Iterable[str], codes: Codes) -> list[str]:
    """A contract is enrolled: what its holder chose when he applied is in force from now on. The items that are set.

    Only what is kept on this kind of subject; the rest waits on.
    """
    found: list[str] = []
    for other in linked:
        waits = tx.get(application_key(other), Application)
        if waits is None:
            continue
        his = [item for item in waits.secrets if item in tx.table.items and key.startswith(f"{tx.table.items[item].reach}:")]
        for item in his:
            _renew(tx, key, guard, item, waits.secrets.pop(item))
        found += his
        if waits.addresses and key.startswith("customer:"):
            _register(tx, key, [_named(one, key, codes) for one in waits.addresses])
            waits.addresses = []
        if waits.secrets or waits.addresses:
            tx.put(application_key(other), waits)
        else:
            tx.drop(application_key(other))
    return found


def _named(one: Address, key: str, codes: Codes) -> Address:
    return Address(masks.id_of(codes.digest, key, one.way, one.to), one.way, one.to, one.state, one.since)
