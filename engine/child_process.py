"""One process that answers for an isolated component: started, asked, killed, reaped."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .guard import Failure
from .settings import ENV_PREFIX
from .wire import MAX_ANSWER, Answer, Channel, Garbage, Raised, Recipe, decoded

CHILD = "engine.isolated_child"
CLOSE_S = 1.0
"""How long a child whose server is done with it may take to end by itself."""
DEATH_S = 0.2
"""How long to wait for the status of a child that closed its socket, to say how it died."""


class ChildProcess:
    """A child; its methods are called by one thread at a time, except :meth:`kill`.

    It must be made by a thread that outlives it: the kernel ends a child with the thread that
    started it (``PR_SET_PDEATHSIG``).
    """

    def __init__(self, recipe: Recipe) -> None:
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        self._asked = 0
        self.knows_a_shop = False
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", CHILD, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=2,  # what a plugin prints belongs among the server's messages
                start_new_session=True,  # Ctrl+C is the server's to handle
            )
        except BaseException:
            self._channel.close()
            raise
        finally:
            theirs.close()
        self._recipe = recipe

    @property
    def pid(self) -> int:
        return self._process.pid

    def greet(self, within_s: float) -> Answer:
        """Have it build the component; raises Failure."""
        return self._exchange(pickle.dumps(self._recipe, protocol=5), within_s)

    def ask(self, question: Sequence[Any], within_s: float) -> Answer:
        """What it answers, in time.

        Raises:
            Failure: it raised (the child is still good), or the child is lost: kill it.
        """
        try:
            body = pickle.dumps(question, protocol=5)
        except Exception as error:
            raise Failure("error", f"cannot be sent to its process: {error}") from error
        return self._exchange(body, within_s)

    def learn(self, shop: Mapping[str, Any], within_s: float) -> None:
        """Give it the words of another shop; raises Failure."""
        self.ask(("shop", shop), within_s)
        self.knows_a_shop = True

    def _exchange(self, body: bytes, within_s: float) -> Answer:
        self._asked += 1
        try:
            self._channel.send(self._asked, body, within_s)
            number, answered = self._channel.receive(within_s, MAX_ANSWER)
            if number != self._asked:
                raise Garbage(f"an answer to question {number} instead of {self._asked}")
            answer = decoded(answered)
        except TimeoutError as error:
            reason = f"killed at its deadline of {within_s * 1000:g} ms"
            raise Failure("deadline", reason, "opens") from error
        except Garbage as error:
            raise Failure("crash", f"killed, for its process sent {error}", "opens") from error
        except (EOFError, OSError) as error:
            raise Failure("crash", f"its process {self._end()}", "opens") from error
        if isinstance(answer, Raised):
            self._raise(answer)
        return answer

    def _raise(self, answer: Raised) -> None:
        if answer.memory:
            allowed = f"memory_mb = {self._recipe.memory_mb}"
            reason = f"killed, for it needs more than {allowed}: {answer.words}"
            raise Failure("memory", reason, "opens")
        raise Failure("error", answer.words)

    def _end(self) -> str:
        """How the process ended."""
        try:
            status = self._process.wait(DEATH_S)
        except subprocess.TimeoutExpired:
            return "closed its connection"
        if status >= 0:
            return f"exited with status {status}"
        with suppress(ValueError):
            return f"died of {signal.Signals(-status).name}"
        return f"died of signal {-status}"

    def kill(self) -> None:
        """At once; whoever waits for its answer fails."""
        self._process.kill()

    def reap(self) -> None:
        """Kill it and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        self._channel.close()

    def end(self) -> None:
        """Let it end by itself, or else kill it."""
        self._channel.close()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self.reap()


def _environment() -> dict[str, str]:
    """This process's modules can be imported there as well; its settings, keys among them, are
    none of the child's business."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    folders = [folder or os.getcwd() for folder in sys.path]
    here = str(Path(__file__).resolve().parent.parent)
    return {**ours, "PYTHONPATH": os.pathsep.join(dict.fromkeys([*folders, here]))}
