"""How other processes find the server that holds a data folder."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import msgspec
from msgspec import Struct

from engine.settings import Settings

LOCK_FILE = "server.lock"
SERVER_FILE = "server.json"
TIMEOUT_S = 2.0


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
    if running is None or not _alive(running.pid):
        return None
    headers = {b"X-Entrepot-Shop": settings.shop.encode()}
    if settings.server.api_key:
        headers[b"Authorization"] = f"Bearer {settings.server.api_key}".encode()
    # trust_env: a proxy of the environment has no business between two local processes.
    client = httpx.Client(base_url=running.url, headers=headers, timeout=60, trust_env=False)
    try:
        client.get("/health/live", timeout=TIMEOUT_S).raise_for_status()
    except httpx.HTTPError:
        client.close()
        return None
    return client


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
