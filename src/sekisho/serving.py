"""Running the ASGI application: one process, its socket, its loop, and a stop that loses nothing."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable, Sequence

import uvicorn
import uvloop
from starlette.routing import BaseRoute

from sekisho.api.server import LOCAL_HOSTS, application, metrics_application
from sekisho.app import App, Settings, build
from sekisho.errors import CallerError

BACKLOG = 2048
GRACE_S = 10
"""How long requests in flight may take to end after a stop was asked for."""

Started = Callable[[App], Awaitable[None]]


def bind(listen: str) -> socket.socket:
    """A listening socket for HOST:PORT.

    Raises:
        CallerError: the address cannot be had.

    """
    host, _, port = listen.rpartition(":")
    try:
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host.strip("[]") or "127.0.0.1", int(port)))
        made.listen(BACKLOG)
    except (OSError, ValueError) as no:
        detail = f"cannot listen on {listen}: {no}"
        raise CallerError(detail) from no
    return made


def run(
    settings: Settings, sock: socket.socket, hosts: frozenset[str] = LOCAL_HOSTS, metrics: socket.socket | None = None, *,
    pages: Sequence[BaseRoute] = (), started: Started | None = None,
) -> None:
    """Serve until interrupted. `started` runs once everything answers."""
    uvloop.run(_serve(settings, sock, hosts, metrics, pages, started))


async def _serve(
    settings: Settings, sock: socket.socket, hosts: frozenset[str], metrics: socket.socket | None, pages: Sequence[BaseRoute],
    started: Started | None,
) -> None:
    app = await build(settings)
    _calm_collector()
    server = uvicorn.Server(_config(application(app, hosts=hosts, pages=pages)))
    serving = [asyncio.create_task(server.serve([sock]))]
    if metrics is not None:
        beside = uvicorn.Server(_config(metrics_application(app)))
        beside.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # one stop for both
        serving.append(asyncio.create_task(_follow(server, beside, metrics)))
    if started is not None:
        await _until_started(server, serving[0])
        if server.started:
            await started(app)
    await asyncio.gather(*serving)


async def _follow(server: uvicorn.Server, beside: uvicorn.Server, sock: socket.socket) -> None:
    task = asyncio.create_task(beside._serve([sock]))  # noqa: SLF001
    while not server.should_exit:  # noqa: ASYNC110  uvicorn tells of its stop by this flag alone
        await asyncio.sleep(0.2)
    beside.should_exit = True
    await task


async def _until_started(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    while not server.started and not task.done():  # noqa: ASYNC110  as above
        await asyncio.sleep(0.01)


def _config(application_: object) -> uvicorn.Config:
    return uvicorn.Config(
        application_, log_level="warning", access_log=False, loop="none", http="httptools", lifespan="on", server_header=False,  # type: ignore[arg-type]
        date_header=False, backlog=BACKLOG, timeout_graceful_shutdown=GRACE_S, timeout_keep_alive=30,
    )


def _calm_collector() -> None:
    """What is loaded now stays; a batch makes thousands of short-lived values, none of them part of a circle."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
