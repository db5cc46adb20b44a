"""Every call the bank makes: plain HTTP, with the keys it was given. What comes back is an answer or a `Trouble`, never an exception."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

from sekisho.web.calls import Json, Trouble, call, subject_path

TIMEOUT_S = 30.0


class Operator(NamedTuple):
    """One person at the bank: name, role and key."""

    name: str
    role: str
    key: str


class Service:
    """The service as an outside bank sees it.

    Args:
        base: its address.
        keys: what `keys.json` of the demonstration holds.
        transport: how to reach it; None: over the network.

    """

    def __init__(self, base: str, keys: Mapping[str, Any], transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._base = base
        self._transport = transport
        self._made: httpx.AsyncClient | None = None
        self._channel_key = str(keys["channel"])
        self.operators = {name: Operator(name, one["role"], one["key"]) for name, one in keys["operators"].items()}

    @property
    def _client(self) -> httpx.AsyncClient:
        """Made when first needed, in the loop that will use it."""
        if self._made is None:
            self._made = httpx.AsyncClient(base_url=self._base, transport=self._transport, timeout=TIMEOUT_S)
        return self._made

    def one_of(self, role: str) -> Operator:
        """Any operator of a role."""
        return next(one for one in self.operators.values() if one.role == role)

    def seal(self, *texts: str) -> str:
        """What only this bank can have written of them."""
        return hmac.new(self._channel_key.encode(), "\0".join(texts).encode(), hashlib.sha256).hexdigest()

    async def channel(
        self, method: str, path: str, body: Json | None = None, *, language: str = "ja", once: str | None = None,
    ) -> Json | Trouble:
        """A call on behalf of a customer. `once`: sent twice it is one act."""
        return (await self._call(self._channel_key, method, path, body, language, once))[1]

    async def staff(
        self, operator: Operator, method: str, path: str, body: Json | None = None, *, once: str | None = None,
    ) -> tuple[int, Json | Trouble]:
        """A call by one operator; the status too, since it says whether a second person is needed. `once`: sent twice it is one act."""
        return await self._call(operator.key, method, path, body, "en", once)

    async def _call(self, key: str, method: str, path: str, body: Json | None, language: str, once: str | None = None) -> tuple[int, Json | Trouble]:
        return await call(self._client, key, method, path, body, language, once)


__all__ = ["Json", "Operator", "Service", "Trouble", "subject_path"]
