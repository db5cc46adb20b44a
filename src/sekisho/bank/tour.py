"""`/tour`: what to try in the demonstration, in which order, and what to look for."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sekisho.policy import Table
from sekisho.web import page

COUNTED: tuple[tuple[str, str], ...] = (
    ("wrong", "/try"), ("locked", "/try"), ("void", "/try"), ("back", "/try"), ("manual", "/manual"),
)
"""Steps of the tour, by the names of their texts, each with where it is taken: a guess and what it costs."""

ASKED: tuple[tuple[str, str], ...] = (
    ("filter", "/inbox"), ("abroad", "/bank"), ("help", "/bank"), ("other", "/inbox"),
)
"""A code that never arrives, and another address on file."""

DELETED: tuple[tuple[str, str], ...] = (
    ("both", "/inbox"), ("caller", "/desk"), ("two", "/desk"), ("register", "/bank"), ("again", "/bank"),
)
"""The same without one: the desk deletes the addresses, and the customer registers new ones."""


def routes(table: Table) -> Sequence[BaseRoute]:
    """The tour of a bank: what its policy has, the more the longer."""
    parts = [("counted", COUNTED), *([("asked", ASKED), ("deleted", DELETED)] if table.risk is not None else [])]

    async def tour(request: Request) -> Response:
        return page(request, "tour.html", parts=parts)

    return [Route("/tour", tour)]
