"""How other processes find the server that holds a data folder."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import httpx
import msgspec
from msgspec import Struct

from engine.settings import Settings

LOCK_FILE = "server.lock"
SERVER_FILE = "server.json"
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 300.0
"""A promotion first replays the writes that the new generation has not seen."""


class Running(Struct, frozen=True):
    """A server's address on this machine, and its process."""

    url: str
    pid: int


def publish(folder: Path, running: Running) -> None:
    """Leave the address beside the lock, for :func:`find_server`."""
    temporary = folder / f"{SERVER_FILE}.{running.pid}"
    temporary.write_bytes(msgspec.json.encode(running))
    temporary.replace(folder / SERVER_FILE)


def forget(folder: Path) -> None:
    (folder / SERVER_FILE).unlink(missing_ok=True)


def read(folder: Path) -> Running | None:
    """What the last server left; it may have been killed since."""
    try:
        return msgspec.json.decode((folder / SERVER_FILE).read_bytes(), type=Running)
    except (OSError, msgspec.MsgspecError):
        return None


def find_server(settings: Settings) -> httpx.Client | None:
    """A client of the server that holds the shop's data folder, if one runs."""
    running = read(settings.data_path)
    if running is None or not _alive(running.pid) or not _listens(running.url):
        return None
    headers = {b"X-Entrepot-Shop": settings.shop.encode()}
    if settings.server.api_key:
        headers[b"Authorization"] = f"Bearer {settings.server.api_key}".encode()
    # trust_env: a proxy of the environment has no business between two local processes.
    return httpx.Client(
        base_url=running.url, headers=headers, timeout=ANSWER_TIMEOUT_S, trust_env=False
    )


def _listens(url: str) -> bool:
    """Whether somebody takes connections there. An answer is not waited for: a busy server
    is a server, and its index must not be opened beside it."""
    where = httpx.URL(url)
    try:
        socket.create_connection((where.host, where.port or 80), CONNECT_TIMEOUT_S).close()
    except TimeoutError:
        return True
    except OSError:
        return False
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
