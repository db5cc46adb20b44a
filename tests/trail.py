"""Audits a ledger after the fact: its own record of events, in the order of their times, is counted again from the beginning."""

import msgspec
from auditor import NOT_HEARD, Auditor
from house import KEY

from sekisho.core import chain
from sekisho.core.state import Guard, Procedure, decode
from sekisho.events import Event, EventKind

VERDICTS = {
    EventKind.ENTRY_RIGHT: "right", EventKind.ENTRY_VOID: "right", EventKind.ENTRY_WRONG: "wrong", EventKind.ENTRY_UNREAD: "unread",
    EventKind.ENTRY_REPEATED: "repeated",
}
_decode = msgspec.msgpack.Decoder(list[Event]).decode


def told_in(link):
    """The events of one link."""
    return _decode(link.body)


async def links(store):
    """Every link of every chain; that they hold is asserted on the way."""
    found = []
    for writer in await store.writers():
        mac, expected = chain.GENESIS, 1
        for link in await store.chain(writer, 0, 1_000_000):
            assert link.first == expected, f"writer {writer}: event {expected} is missing"
            assert link.mac == chain.link(KEY, mac, chain.place(writer, link.first) + link.body), f"writer {writer}: broken at {link.first}"
            mac, expected = link.mac, link.first + link.number
            found.append(link)
    return found


async def events(store):
    """Everything that happened, in the ledger's time."""
    found = [event for link in await links(store) for event in told_in(link)]
    return sorted(found, key=lambda event: event.at)


async def audit(store, table, subjects):
    """What the auditor has to complain about: guesses that no budget allowed, verdicts told amiss, failures or locks lost."""
    auditor = Auditor(table)
    happened = await events(store)
    await _begin_all(auditor, store, happened)
    for event in happened:
        if event.kind is EventKind.GUESS_RESERVED:
            auditor.looked(event.procedure, event.procedure, event.item, event.at, "granted", {}, None)
        elif event.kind in VERDICTS:
            if event.procedure not in auditor.taken:
                auditor.looked(event.procedure, event.procedure, event.item, event.at, "granted", {}, None)
            auditor.settled(event.procedure, VERDICTS[event.kind], event.at, NOT_HEARD, {}, None)
    await _compare(auditor, store, subjects)
    return auditor.complaints


async def _begin_all(auditor, store, happened):
    runs = sorted({event.procedure for event in happened if event.procedure})
    for key, body in (await store.peek(runs)).items():
        run = decode(body, Procedure)
        auditor.begin(key, run.operation, run.subjects, run.started, run.session)


async def _compare(auditor, store, subjects):
    now = await store.clock()
    stored = {key: decode(body, Guard) for key, body in (await store.peek(subjects)).items()}
    for place, facts in auditor.facts.items():
        if place.key in stored:
            count = stored[place.key].counts.get(place.counter)
            seen = (0, 0) if count is None else (count.wrong, count.flight)
            told = (auditor.standing(place, facts[-1].at), auditor.recount(place, facts[-1].at)[1])
            if seen != told:
                auditor.complaints.append(f"{place}: {seen} wrong and in flight, not {told}")
    held = [(key, lock.row) for key, guard in stored.items() for lock in guard.locks if lock.stands(now)]
    told = [(lock.key, lock.row) for lock in auditor.locks if lock.stands(now) and lock.key in stored]
    if sorted(held) != sorted(told):
        auditor.complaints.append(f"locks {sorted(held)}, not {sorted(told)}")
