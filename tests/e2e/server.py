"""``entrepot`` as an installed command, and as a server that a browser can visit."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ENTREPOT = Path(sys.executable).parent / "entrepot"
START_S = 240
"""Indexing included; the demo promises 60 s, but not while other tests run beside it."""


def run_entrepot(*args: str, folder: Path, env: Mapping[str, str]) -> None:
    """One command to its end, which must be a good one."""
    done = subprocess.run(
        [ENTREPOT, *args],
        env={**os.environ, **env},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def serving(command: str, *, folder: Path, env: Mapping[str, str]) -> Iterator[str]:
    """``entrepot demo`` or ``serve`` in a process of its own; its address."""
    with subprocess.Popen(
        [ENTREPOT, command, "--no-browser", "--port", "0"],
        env={**os.environ, **env},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        watchdog = threading.Timer(START_S, process.kill)
        watchdog.start()
        said, address = "", None
        while address is None and (line := process.stdout.readline()):
            said += line
            address = re.search(r"answers at (http://\S+)", line)
        watchdog.cancel()
        # What it says from here on must not fill the pipe.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        try:
            assert address is not None, f"`entrepot {command}` ended or hung:\n{said}"
            yield address[1]
        finally:
            process.terminate()
