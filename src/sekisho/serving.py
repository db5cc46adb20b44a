"""Running the ASGI application: one process, its socket, its loop, and a stop that loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import uvicorn
import uvloop
from starlette.routing import BaseRoute

from sekisho.api.http import LOCAL_HOSTS
from sekisho.api.server import application, metrics_application
from sekisho.app import App, Settings, build
from sekisho.errors import CallerError
from sekisho.ports import Channels

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
        at = host.strip("[]") or "127.0.0.1", int(port)
        with contextlib.ExitStack() as unless_bound:
            made = unless_bound.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM))
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(at)
            made.listen(BACKLOG)
            unless_bound.pop_all()
    except (OSError, OverflowError, ValueError) as no:
        detail = f"cannot listen on {listen}: {_why_not(no)}"
        raise CallerError(detail) from no
    return made


def _why_not(no: Exception) -> str:
    if not isinstance(no, OSError):
        return "write HOST:PORT, such as 127.0.0.1:8080"
    if no.errno == errno.EADDRINUSE:
        return ("another program listens there, perhaps the demonstration; stop it, or name another address "
                "(`--listen`, `--metrics`; of the demonstration `--port`)")
    return str(no)


def run(
    settings: Settings, sock: socket.socket, hosts: frozenset[str] = LOCAL_HOSTS, metrics: socket.socket | None = None, *,
    pages: Sequence[BaseRoute] = (), started: Started | None = None, channels: Channels | None = None,
) -> None:
    """Serve until interrupted. `started` runs once everything answers; codes are sent by `channels`."""
    uvloop.run(_serve(settings, sock, hosts, metrics, pages, started, channels))


async def _serve(
    settings: Settings, sock: socket.socket, hosts: frozenset[str], metrics: socket.socket | None, pages: Sequence[BaseRoute],
    started: Started | None, channels: Channels | None,
) -> None:
    app = await build(settings, channels)
    _calm_collector()
    servers = [(uvicorn.Server(_config(application(app, hosts=hosts, pages=pages))), sock)]
    if metrics is not None:
        servers.append((uvicorn.Server(_config(metrics_application(app))), metrics))
    _stop_on_signal([server for server, _ in servers])
    # `serve` would raise the signal again once it has stopped, and a stop that lost nothing would look like a crash.
    serving = [asyncio.create_task(server._serve([own])) for server, own in servers]  # noqa: SLF001
    if started is not None:
        await _until_started(servers[0][0], serving[0])
        if servers[0][0].started:
            await started(app)
    await asyncio.gather(*serving)


@contextlib.asynccontextmanager
async def metrics_beside(app: App, sock: socket.socket | None) -> AsyncIterator[None]:
    """Serve figures beside what else is done; None: nowhere."""
    if sock is None:
        yield
        return
    server = uvicorn.Server(_config(metrics_application(app)))
    # `serve` would take the signals that are meant for all of it.
    serving = asyncio.create_task(server._serve([sock]))  # noqa: SLF001
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _stop_on_signal(servers: Sequence[uvicorn.Server]) -> None:
    """One stop for all: requests under way are answered, what is queued is decided."""
    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for wanted in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(wanted, stop)


async def _until_started(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    while not server.started and not task.done():  # noqa: ASYNC110  uvicorn tells of its start by this flag alone
        await asyncio.sleep(0.01)


def _config(application_: object) -> uvicorn.Config:
    return uvicorn.Config(
        application_, log_level="warning", access_log=False, loop="none", http="httptools", lifespan="on", server_header=False,  # type: ignore[arg-type]
        date_header=False, proxy_headers=False, backlog=BACKLOG, timeout_graceful_shutdown=GRACE_S, timeout_keep_alive=30,
    )


def _calm_collector() -> None:
    """What is loaded now stays; a batch makes thousands of short-lived values, none of them part of a circle."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
