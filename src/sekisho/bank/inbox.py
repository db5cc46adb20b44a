"""`/inbox` (demonstration only): everybody's mail, and what goes wrong with it."""

from __future__ import annotations

import hmac
import secrets as chance
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sekisho.bank.boxes import Box
from sekisho.bank.seeds import CUSTOMERS
from sekisho.bank.sink import Fault, Sink
from sekisho.web import HEADERS, Unreadable, page, read_form


class InboxPages:
    """The page over one sink.

    Args:
        sink: where mail goes.
        boxes: what else reaches the customers, by `telephone` and `letter`.

    """

    def __init__(self, sink: Sink, boxes: Mapping[str, Box] | None = None) -> None:
        self._sink = sink
        self._boxes = boxes or {}
        self._token = chance.token_urlsafe(24)

    def routes(self) -> Sequence[BaseRoute]:
        """Address to page or act."""
        return [Route("/inbox", self._look), Route("/inbox/fault", self._set, methods=["POST"])]

    async def _look(self, request: Request) -> Response:
        """Every box, newest mail first."""
        own = [to for one in CUSTOMERS for to in one.mails]
        unknown = [to for to in self._sink.addresses if to not in own]
        boxes = [
            {
                "number": number, "address": to, "fault": self._sink.faults.get(to.lower(), Fault.ARRIVES).value,
                "mails": [
                    {"subject": one.subject, "body": one.body, "at": datetime.fromtimestamp(one.at, UTC).strftime("%H:%M:%S UTC")}
                    for one in self._sink.received(to)
                ],
            }
            for number, to in enumerate([*own, *unknown])
        ]
        others = [
            {"way": way, "to": to, "messages": found}
            for one in CUSTOMERS for way, to in (("telephone", one.telephone), ("letter", one.subject)) if way in self._boxes
            for found in [self._boxes[way].received(to)] if found
        ]
        boxes.sort(key=lambda box: not box["mails"])
        return page(request, "inbox.html", boxes=boxes, others=others, faults=[fault.value for fault in Fault], token=self._token)

    async def _set(self, request: Request) -> Response:
        """Switch a fault on for an address, or off."""
        try:
            form = await read_form(request)
        except Unreadable:
            return page(request, "stale.html", 400, address="/inbox")
        if not hmac.compare_digest(form.get("token", "").encode(), self._token.encode()):
            return page(request, "stale.html", 403, address="/inbox")
        to, fault = form.get("address", "").lower(), form.get("fault", "")
        known = {one for customer in CUSTOMERS for one in customer.mails} | set(self._sink.addresses)
        if to in known and fault in set(Fault):
            self._sink.faults[to] = Fault(fault)
        return RedirectResponse("/inbox", 303, headers=HEADERS)
