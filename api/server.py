"""Runs the HTTP server of one or more shops, one server per data folder."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
import uvicorn

from engine.core import Engine
from engine.errors import EntrepotError, StoreLocked
from engine.settings import Settings

from .app import create_app
from .engines import open_engine
from .running import LOCK_FILE, Running, forget, publish, read

log = logging.getLogger(__name__)

GRACE_S = 10
"""How long requests under way may take after SIGTERM."""


def serve(
    shops: Sequence[Settings],
    *,
    host: str | None,
    port: int | None,
    browser: bool,
    prepare: Callable[[Engine], None] = lambda engine: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what has begun and close the engines.

    ``prepare`` is called with each engine before the server answers.

    Raises:
        StoreLocked: another server holds a data folder; the message names it.
    """
    server = shops[0].server
    signal.signal(signal.SIGTERM, _stop)
    with ExitStack() as stack:
        for settings in shops:
            stack.enter_context(_hold(settings.data_path))
        port = server.port if port is None else port
        listener = stack.enter_context(_listen(host or server.host, port))
        engines = {s.shop: stack.enter_context(open_engine(s)) for s in shops}
        for engine in engines.values():
            prepare(engine)
        listener.listen()
        url = _url(listener)
        for settings in shops:
            publish(settings.data_path, Running(url, os.getpid()))
            stack.callback(forget, settings.data_path)
        _announce(url, engines, browser)
        _run(engines, listener, shops[0].log_level)


def _run(engines: dict[str, Engine], listener: socket.socket, log_level: str) -> None:
    config = uvicorn.Config(
        create_app(engines),
        log_level="warning" if log_level == "info" else log_level,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn raises the signal again once it has shut down
        log.info("interrupted")


@contextmanager
def _hold(folder: Path) -> Iterator[None]:
    """Hold the data folder for this process; the lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            other = read(folder)
            holder = f" ({other.url}, process {other.pid})" if other else ""
            raise StoreLocked(
                f"another server holds the data folder {folder}{holder}; stop it, or give this "
                "one a folder of its own with data_dir (ENTREPOT_DATA_DIR)"
            ) from error
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        return _bound(host, port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EntrepotError(
            f"cannot listen on {host}:{port}: {reason}; choose another with --host and --port"
        ) from error


def _bound(host: str, port: int) -> socket.socket:
    """Bound but not yet listening: clients are refused until the shop can answer."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


def _url(listener: socket.socket) -> str:
    """Where a client on this machine reaches the server."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announce(url: str, engines: dict[str, Engine], browser: bool) -> None:
    for key, engine in engines.items():
        health = engine.health()
        state = f"{health.products:,} products" if health.ready else "; ".join(health.problems)
        click.echo(f"{key}: {state}")
    click.echo(f"Entrepot answers at {url}  (Ctrl+C stops it)")
    if browser and _has_screen():
        opener = threading.Timer(0.5, webbrowser.open, (url,))
        opener.daemon = True
        opener.start()


def _has_screen() -> bool:
    """Without one, ``webbrowser`` would start a text browser in this terminal."""
    return sys.platform == "darwin" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ))


def _stop(signum: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM outside of uvicorn, which handles it while it serves: leave by way of the
    context managers."""
    raise SystemExit(0)
