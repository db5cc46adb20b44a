"""A customer's passkeys on the bank's pages: which there are, what he calls them, one removed; and what his browser is asked for.

Making one and using one are entries of a run like any other. The script of these pages (web/passkey.js) only fills their form in.
"""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request

from sekisho.bank.guests import Guest, Walk
from sekisho.bank.service import Json, Service, Trouble
from sekisho.policy import Table
from sekisho.policy.table import Item, Operation
from sekisho.web import Form

PASSKEY = "passkey"

MADE = ("clientDataJSON", "attestationObject", "name")
USED = ("id", "clientDataJSON", "authenticatorData", "signature", "userHandle")
"""Parts of an entry, as the browser calls them (W3C Web Authentication Level 3 section 5.2); `name` is the customer's own."""


class CustomerPasskeys:
    """What the pages do with passkeys.

    Args:
        service: what stands behind the bank.
        table: the bank's policy.
        page: from where they can be used, as `https://bank.example`; empty: this bank takes none.

    """

    def __init__(self, service: Service, table: Table, page: str) -> None:
        self._service = service
        self._table = table
        self.page = page
        self.registers = next((name for name, one in table.operations.items() if page and one.session and self._makes_one(one)), None)
        """The operation in which a new one is made."""

    def _makes_one(self, operation: Operation) -> bool:
        found = [self._table.items[item] for step in operation.steps for item in step.items]
        return any(item.renews and self.is_one(item) for item in found)

    def is_one(self, item: Item) -> bool:
        """Whether the browser enters it: a passkey, or a new one."""
        return self._table.items[item.kept_as].kind == PASSKEY

    def parts(self, item: Item) -> tuple[str, ...]:
        """What such an entry is made of."""
        return MADE if item.renews else USED

    def is_elsewhere(self, request: Request) -> bool:
        """Whether the browser stands at another address of the bank's, where it would use none."""
        return f"{request.url.scheme}://{request.headers.get('host', '')}" != self.page

    async def of(self, guest: Guest) -> list[Json]:
        """Those that he has."""
        told = await self._call("GET", guest) if self.page else Trouble("no-session")
        return [] if isinstance(told, Trouble) else told["passkeys"]

    async def asked(self, guest: Guest, form: Form, language: str) -> Json | Trouble:
        """What his browser is asked to make or to sign, in a run of his."""
        walk = guest.walks.get(form.get("operation", ""))
        if walk is None or walk.name != form.get("walk") or not walk.asks_for(form.get("item", "")):
            return Trouble("not-found")
        return await self._ask(walk, form["item"], language)

    async def _ask(self, walk: Walk, item: str, language: str) -> Json | Trouble:
        told = await self._service.channel("POST", f"/v1/procedures/{walk.procedure}/signatures", {"item": item}, language=language)
        if isinstance(told, Trouble):
            return told
        if "options" in told:
            return {"options": told["options"]}
        walk.says(told)
        return {"refused": True}

    async def name(self, guest: Guest, form: Form, language: str) -> None:
        """He calls one otherwise."""
        told = await self._call("PUT", guest, form.get("passkey", ""), {"name": form.get("name", "").strip()}, language)
        guest.said = ("trouble", "problem.incomplete") if isinstance(told, Trouble) else ("right", "bank.passkey-named")

    async def remove(self, guest: Guest, form: Form, language: str) -> None:
        """Its device is lost, sold, or no longer his."""
        told = await self._call("DELETE", guest, form.get("passkey", ""), None, language)
        guest.said = ("trouble", f"problem.{told.kind}") if isinstance(told, Trouble) else ("right", "bank.passkey-removed")

    async def _call(self, method: str, guest: Guest, which: str = "", body: Json | None = None, language: str = "ja") -> Json | Trouble:
        if guest.session is None:
            return Trouble("no-session")
        below = f"/{quote(which, safe='')}" if which or method != "GET" else ""
        return await self._service.channel(method, f"/v1/sessions/{guest.session}/passkeys{below}", body, language=language)


__all__ = ["CustomerPasskeys"]
