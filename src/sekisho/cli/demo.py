"""`demo`: everything on one machine, over SQLite in one folder, with made-up customers."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import click
import httpx

from sekisho import serving
from sekisho.app import App, Inbox, Keyring, Settings, party_of, relay_of
from sekisho.bank import front, seeds, tour
from sekisho.bank import pages as bank_pages
from sekisho.bank.boxes import Box
from sekisho.bank.inbox import InboxPages
from sekisho.bank.sink import Sink
from sekisho.policy import compile_policy, load, reference
from sekisho.terms import Role, Way

BANKS = ("postal-bank", "major-bank")

OPERATORS = {
    Role.FIRST_LINE: ("aoki", "baba"), Role.SECOND_LINE: ("chiba", "doi"), Role.BACK_OFFICE: ("endo", "fujii"),
    Role.AUDITOR: ("goto", "hara"), Role.ADMIN: ("ito", "kato"),
}
"""Two made-up operators in every staff role."""


@click.command()
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--data", default=".demo", show_default=True, type=click.Path(file_okay=False, path_type=Path), help="The folder.")
@click.option("--fresh", is_flag=True, help="Forget what was there.")
@click.option("--bank", default=BANKS[0], show_default=True, type=click.Choice(BANKS), help="Which bank it is, by its reference policy.")
def demo(port: int, data: Path, fresh: bool, bank: str) -> None:  # noqa: FBT001  click passes options by position
    """Start service, reference bank and /try on 127.0.0.1; runs until interrupted."""
    # First of all: where one runs already, its folder stays as it is.
    sock = serving.bind(f"127.0.0.1:{port}")
    if fresh and data.exists():
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True)
    shown = data / "keys.json"
    keys = json.loads(shown.read_text()) if shown.exists() and (data / "service-keys.json").exists() else _make_keys(data, shown)
    base = f"http://127.0.0.1:{port}"
    mail, bounces = serving.bind("127.0.0.1:0"), serving.bind("127.0.0.1:0")
    sink, telephone, letters = Sink(bounces.getsockname()[:2]), Inbox(), Inbox()
    relay = relay_of(f"smtp://127.0.0.1:{mail.getsockname()[1]}", "Sekisho Bank <codes@bank.example>", "codes@bounce.bank.example")
    policy = reference(bank)
    table = compile_policy(load(policy))
    # Each bank has a ledger of its own: the first policy of a store is the one that it keeps.
    store = data / ("sekisho.db" if bank == BANKS[0] else f"{bank}.db")
    # Browsers make passkeys for names only, not for an address of figures.
    here = f"http://localhost:{port}"
    passkeys = party_of("localhost", "Sekisho Bank", [here], f"{here}{front.PASSKEYS}")
    settings = Settings(f"sqlite:///{store}", data / "service-keys.json", policy, demo=True, relay=relay, bounces=bounces, passkeys=passkeys)

    async def started(_: App) -> None:
        await sink.start(mail)
        async with httpx.AsyncClient(base_url=base, timeout=30) as client:
            new = await seeds.enrol(client, str(keys["admin"]), table)
            await seeds.settle_in(client, str(keys["channel"]), table, [one for one in new if one.contract])
        click.echo(f"ready: {base}")

    boxes: dict[str, Box] = {"mail": sink, "telephone": telephone, "letter": letters}
    pages = [
        *bank_pages.routes(base, keys, boxes, table), *front.routes(base, keys, table, passkeys_on=here),
        *tour.routes(table), *InboxPages(sink, boxes).routes(),
    ]
    serving.run(settings, sock, pages=pages, started=started, channels={Way.TELEPHONE: telephone, Way.LETTER: letters})


def _make_keys(data: Path, shown: Path) -> dict[str, object]:
    """Fresh keys: their digests for the service, the keys themselves for whoever tries the demonstration."""
    ring = Keyring.make(data / "service-keys.json")
    operators = {name: {"role": role.value, "key": ring.new(role, name, demo=True)} for role, names in OPERATORS.items() for name in names}
    keys: dict[str, object] = {role.value: operators[names[0]]["key"] for role, names in OPERATORS.items()}
    keys["channel"] = ring.new(Role.CHANNEL, "reference bank", demo=True)
    keys["operators"] = operators
    opened = os.open(shown, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w") as out:
        json.dump(keys, out, indent=2)
    return keys
