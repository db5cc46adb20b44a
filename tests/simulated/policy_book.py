"""The policies of the simulated bank: the same rows, every threshold moved."""

import msgspec
from staff import staffed
from tables import END, block, counter, lock, row, stage, table

from sekisho.terms import Counting, ItemKind

LEASE_S = 20
"""How long a reservation lives. Seconds."""


def policy(version, moved=0, digest="as-written"):
    """`moved`: by how much every threshold is higher."""
    def at(wrong, *penalties, name):
        return stage(wrong + moved, *penalties, row=f"{name}-{wrong}")

    codes = counter("codes", "customer", at(3, lock("login"), name="codes"))
    passwords = counter("passwords", "customer", at(2, lock("login", for_s=15), name="passwords"), at(4, block("login"), name="passwords"))
    mails = counter("mails", "customer", at(4, lock("inquiry"), name="mails"), counting=Counting.IN_TOTAL)
    pins = counter("pins", "customer", at(3, block("login", "transfer"), name="pins"))
    sitting = counter("sitting", "session", at(2, END, name="sitting"))
    made = table(
        row("login", "code", codes), row("login", "password", passwords), row("inquiry", "mail", mails), row("transfer", "pin", pins, sitting),
        version=version, reservation_s=LEASE_S, digest=digest,
    )
    kinds = {"password": ItemKind.PASSWORD, "mail": ItemKind.CODE}
    items = {name: msgspec.structs.replace(item, kind=kinds.get(name, item.kind)) for name, item in made.items.items()}
    operations = dict(made.operations)
    operations["login"] = msgspec.structs.replace(operations["login"], gives_session=True)
    operations["transfer"] = msgspec.structs.replace(operations["transfer"], session=True)
    return staffed(msgspec.structs.replace(made, items=items, operations=operations))


BOOK = {one.version: one for one in (
    policy("as-first", 1), policy("lower"), policy("higher", 3), policy("lower-and-anew", digest="changed"),
)}
FIRST = "as-first"
COUNTER_OF_ROW = {stage.row: name for one in BOOK.values() for name, found in one.counters.items() for stage in found.stages}


def read(source, name):
    """Instead of compiling a file: the text of a policy here is its version."""
    del name
    return BOOK[source.decode()]
