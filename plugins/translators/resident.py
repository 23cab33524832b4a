"""A child process that answers one request after another, each within a deadline."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress

from engine import PluginError

READ_SIZE = 65_536


class Resident:
    """A command that answers what is written to it; started when first needed, started again
    after it died or was late. Thread-safe: one request at a time.

    ``end`` is what an answer ends with; ``start_s`` bounds the first answer of a process, which
    loads its data, ``answer_s`` every other.
    """

    def __init__(
        self, command: Sequence[str], end: bytes, start_s: float = 10.0, answer_s: float = 1.0
    ) -> None:
        self._command = list(command)
        self._end = end
        self._start_s = start_s
        self._answer_s = answer_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stop: weakref.finalize[..., Resident] | None = None

    @property
    def pid(self) -> int | None:
        """The process at work, the leader of a group of its own."""
        return self._process.pid if self._process else None

    def ask(self, request: bytes) -> bytes:
        """The answer to ``request``, without its end. A process that has died since the last
        answer is replaced, and the request made once more.

        Raises:
            PluginError: it cannot be started, is late, or dies of this request.
        """
        with self._lock:
            fresh = self._process is None
            try:
                return self._answer(request)
            except EOFError:
                self._kill()
                if fresh:
                    raise PluginError(f"{self._command[0]} died of a request") from None
            try:
                return self._answer(request)
            except EOFError:
                self._kill()
                raise PluginError(f"{self._command[0]} died of a request, twice") from None

    def close(self) -> None:
        with self._lock:
            self._kill()

    def _answer(self, request: bytes) -> bytes:
        limit = self._answer_s
        if self._process is None:
            self._start()
            limit = self._start_s
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        return self._exchange(process.stdin.fileno(), process.stdout.fileno(), request, limit)

    def _exchange(self, into: int, out: int, request: bytes, limit: float) -> bytes:
        """Writes and reads in turns, for a pipe takes 64 KiB before somebody must read."""
        until = time.monotonic() + limit
        left, answer = memoryview(request), bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(out, selectors.EVENT_READ)
            ready.register(into, selectors.EVENT_WRITE)
            while not answer.endswith(self._end):
                events = ready.select(max(until - time.monotonic(), 0))
                if not events:
                    self._kill()
                    raise PluginError(f"{self._command[0]} gave no answer within {limit:g} s")
                for key, _ in events:
                    if key.fd == into:
                        left = left[_written(into, left) :]
                        if not left:
                            ready.unregister(into)
                    else:
                        found = os.read(out, READ_SIZE)
                        if not found:
                            raise EOFError
                        answer += found
        return bytes(answer[: -len(self._end)])

    def _start(self) -> None:
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise PluginError(f"{self._command[0]} cannot be started: {error}") from error
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        self._process = process
        self._stop = weakref.finalize(self, _end_group, process)

    def _kill(self) -> None:
        if self._stop is not None:
            self._stop()
        self._process = self._stop = None


def _written(into: int, data: memoryview) -> int:
    try:
        return os.write(into, data[:READ_SIZE])
    except BlockingIOError:
        return 0
    except OSError:  # a closed pipe: the reader has died
        raise EOFError from None


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends the whole pipeline, for its parts are processes too."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.wait()
