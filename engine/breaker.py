"""Keeps a component that fails away from searches, and tries it again after a while."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Literal

log = logging.getLogger(__name__)

FAILURES_TO_OPEN = 3

State = Literal["closed", "open", "half-open"]


class Open(Exception):
    """No call now; the message says why."""


class Breaker:
    """A circuit breaker; thread-safe.

    Closed, it lets every call through. It opens after :data:`FAILURES_TO_OPEN` failures in a row,
    or at once where told to. After ``recovery_s`` seconds of ``clock`` it is half-open: one trial
    call is let through, and closes it or opens it again.
    """

    def __init__(
        self, name: str, recovery_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._recovery_s = recovery_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until: float | None = None
        self._reason = ""

    @property
    def state(self) -> State:
        until = self._open_until
        if until is None:
            return "closed"
        return "open" if self._clock() < until else "half-open"

    @property
    def reason(self) -> str:
        """Why it is not closed; empty while it is."""
        return self._reason if self._open_until is not None else ""

    def admit(self) -> bool:
        """Whether this call is the trial of a half-open breaker; raises Open."""
        with self._lock:
            if self._open_until is None:
                return False
            if self._clock() < self._open_until:
                for_now = "" if self._open_until == math.inf else "switched off for now: "
                raise Open(for_now + self._reason)
            # Half-open: this call is the trial, the others keep out until it has ended.
            self._open_until = self._clock() + self._recovery_s
            return True

    def succeeded(self, *, trial: bool) -> None:
        with self._lock:
            # A call that began before the breaker opened says nothing against opening it.
            if trial or self._open_until is None:
                self._failures, self._open_until, self._reason = 0, None, ""

    def failed(self, reason: str, *, trial: bool, opens: bool = False) -> None:
        with self._lock:
            # Calls that ran side by side and fail after it opened are the same failure.
            if trial or self._open_until is None:
                self._failures += 1
                self._reason = reason
                if trial or opens or self._failures >= FAILURES_TO_OPEN:
                    self._open()

    def undecided(self, *, trial: bool) -> None:
        """The call was not made after all: a trial is still due."""
        with self._lock:
            if trial:
                self._open_until = self._clock()

    def condemn(self, reason: str, *, trial: bool = False) -> None:
        """Open for the whole recovery time, whatever comes back meanwhile."""
        with self._lock:
            self._failures, self._reason = FAILURES_TO_OPEN, reason
            if trial or self._open_until is None:
                self._open()

    def stay(self, reason: str) -> None:
        """What it opened for turned out to be worse: if open, stay so for the whole time."""
        with self._lock:
            if self._open_until is not None:
                self._failures, self._reason = FAILURES_TO_OPEN, reason

    def came_back(self) -> None:
        """What it opened for is over: unless that happened again and again, the next call is the
        trial. A busy machine makes good plugins late."""
        with self._lock:
            if self._open_until is not None and self._failures < FAILURES_TO_OPEN:
                self._open_until = self._clock()

    def retry(self) -> None:
        """Somebody says that it works again: the next call is the trial."""
        with self._lock:
            if self._open_until is not None and self._open_until != math.inf:
                self._open_until = self._clock()

    def jam(self, reason: str) -> None:
        """Open for good."""
        with self._lock:
            self._reason, self._failures, self._open_until = reason, FAILURES_TO_OPEN, math.inf

    def _open(self) -> None:
        if self._open_until is None:
            log.warning("%s is switched off: %s", self._name, self._reason)
        self._open_until = self._clock() + self._recovery_s
