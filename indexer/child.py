"""Builds in a child process, and what the two say to each other.

The parent writes the settings as one line of JSON to the child's standard input and keeps
that pipe open; when it closes, for whatever reason, the child stops. The child writes one
JSON message per line to its standard output.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from typing import IO

import msgspec
from msgspec import Struct

from engine import errors
from engine.errors import EntrepotError
from engine.settings import Settings

from .progress import OnProgress, Progress
from .report import BuildReport


class ProgressLine(Struct, frozen=True, tag="progress"):
    progress: Progress


class ReportLine(Struct, frozen=True, tag="report"):
    report: BuildReport


class ErrorLine(Struct, frozen=True, tag="error"):
    """``kind`` is the class in :mod:`engine.errors`."""

    kind: str
    message: str
    field: str | None = None


Line = ProgressLine | ReportLine | ErrorLine
_decoder = msgspec.json.Decoder(Line)


def run_build(
    settings: Settings,
    source: str = "",
    on_progress: OnProgress | None = None,
    generation: str = "",
) -> BuildReport:
    """Build a generation from ``source`` (default: the settings' catalogue) in a child process.

    ``on_progress`` is called in this thread. Look at ``report.exit_status``; promoting
    ``report.generation`` is the caller's, with :meth:`engine.core.Engine.promote` or over
    HTTP where a server holds the folder.

    Raises:
        EntrepotError: as :func:`indexer.build.build_generation`, or the child died.
    """
    command = [sys.executable, "-P", "-m", "indexer", "--from-parent", "--source", source]
    if generation:
        command += ["--generation", generation]
    # The same modules as here, however they came to be importable.
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with tempfile.TemporaryFile() as noise:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=noise, env=env
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(msgspec.json.encode(settings) + b"\n")
            child.stdin.flush()
            outcome = _relay(child.stdout, on_progress)
            child.wait()
        except BrokenPipeError:
            outcome = None
            child.wait()
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
            _close(child.stdin)
        return _outcome(outcome, child.returncode, noise)


def _relay(stdout: IO[bytes], on_progress: OnProgress | None) -> Line | None:
    """Pass progress on until the child has closed its output; its last word."""
    outcome: Line | None = None
    for raw in stdout:
        line = _decoder.decode(raw)
        if not isinstance(line, ProgressLine):
            outcome = line
        elif on_progress is not None:
            on_progress(line.progress)
    return outcome


def _outcome(line: Line | None, code: int, noise: IO[bytes]) -> BuildReport:
    if isinstance(line, ReportLine):
        return line.report
    if isinstance(line, ErrorLine):
        kind = getattr(errors, line.kind, EntrepotError)
        raise kind(line.message, field=line.field)
    if code < 0:
        name = signal.Signals(-code).name
        why = f"killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    else:
        why = f"exit status {code}"
    noise.seek(max(0, noise.seek(0, os.SEEK_END) - 2000))
    said = noise.read().decode(errors="replace").strip()
    raise EntrepotError(
        f"the index builder died: {why}. What it embedded is kept; index again to go on. {said}"
    )


def _close(pipe: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):
        pipe.close()
