"""Entrepot as real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

ENTREPOT = [sys.executable, "-m", "api"]
DEADLINE_S = 120
_ADDRESS = re.compile(r"answers at (http://\S+)")


def run_entrepot(*args: str) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(
        [*ENTREPOT, *args],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=_environment({}),
        check=False,
    )


class Server:
    """``entrepot serve`` (``entrepot demo`` without a config), answering once entered."""

    def __init__(self, config: Path | None, environment: Mapping[str, str] | None = None) -> None:
        self.config = config
        what = ["demo"] if config is None else ["serve", "--config", str(config)]
        self.process = subprocess.Popen(
            [*ENTREPOT, *what, "--port", "0", "--no-browser"],
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(environment or {}),
        )
        self.client = httpx.Client()

    def __enter__(self) -> Self:
        assert self.process.stdout is not None
        # The line is printed once the server listens; at the end of the pipe it has died.
        for line in self.process.stdout:
            if found := _ADDRESS.search(line):
                self.client = httpx.Client(base_url=found[1], trust_env=False, timeout=60)
                return self
        raise AssertionError(f"the server ended with status {self.process.wait(DEADLINE_S)}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.stop()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE_S)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """This one's modules, unbuffered output, and nothing of a developer's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ENTREPOT_")}
    paths = os.pathsep.join(path for path in sys.path if path)
    return {**kept, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", **more}
