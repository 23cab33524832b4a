"""From nothing to ready: how long `entrepot serve` takes over an index that is there.

    python -m benchmarks.cold_start --config shop/entrepot.toml

Starts a fresh server process, asks `/health/ready` until it says 200, then sends one search,
and stops it; prints each stage's median and range over the runs. Files are in the page cache
from the second run on.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx

POLL_S = 0.01


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    found = [start(args.config) for _ in range(args.runs)]
    for name, times in zip(
        ("ready", "first search answered"), zip(*found, strict=True), strict=True
    ):
        low, high = min(times), max(times)
        print(f"{name:24} {statistics.median(times):5.2f} s   ({low:.2f} to {high:.2f})")


def start(config: Path) -> tuple[float, float]:
    """Seconds until ready, and until the first search is answered."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    entrepot = Path(sys.executable).with_name("entrepot")
    serve = [str(entrepot), "serve", "--config", str(config), "--port", str(port)]
    begun = time.perf_counter()
    process = subprocess.Popen(serve, stdout=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            while not _ready(client):
                if process.poll() is not None:
                    raise SystemExit(f"the server stopped with status {process.returncode}")
                time.sleep(POLL_S)
            ready = time.perf_counter() - begun
            client.get("/v1/search", params={"q": "red shoes"}).raise_for_status()
            return ready, time.perf_counter() - begun
    finally:
        process.terminate()
        process.wait()


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    main()
