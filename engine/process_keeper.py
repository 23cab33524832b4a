"""Keeps a process alive for one isolated component, and asks it.

A thread of the server starts one child per component, and another in the background where one was
lost; a search never waits for that. The child answers one question at a time. The wait for its
turn is not the component's fault and does not count against it, but is bounded by the same
deadline. With those of the question and of the answer, a search gives a component three times its
deadline at the very most.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

from .breaker import FAILURES_TO_OPEN
from .child_process import ChildProcess
from .errors import EntrepotError, InvalidSettings, PluginError
from .guard import Failure
from .offers import START_S
from .wire import Answer, Garbage, Ready, Recipe, Refused

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Answer)

LEARN_S = 5.0
"""How long a query processor may take over the words of another shop."""


class Keeper:
    """A component's process, over all the children that it takes; thread-safe."""

    def __init__(self, recipe: Recipe, deadline_s: float) -> None:
        self.declared = Ready()
        self.refusal: EntrepotError | None = None
        """Why the last child could not be started."""
        self.settled = threading.Event()
        """Set once the first child is ready, or could not be started."""
        self._losses: deque[float] = deque(maxlen=FAILURES_TO_OPEN)
        self._recipe = recipe
        self._deadline_s = deadline_s
        self._turn = threading.Lock()
        self._starting = True
        self._closed = False
        self._child: ChildProcess | None = None
        self._newest: ChildProcess | None = None
        self._changing = threading.Lock()  # the two above
        self._shop: Mapping[str, Any] | None = None
        self._learnt = threading.Event()
        self._heard: list[Callable[[Ready], None]] = []
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(
            target=self._keep, name=f"isolated {recipe.name}", daemon=True
        )

    def start(self) -> None:
        """Begin to start the first child."""
        self._tasks.put(self._start)
        self._thread.start()

    def when_ready(self, hear: Callable[[Ready], None]) -> None:
        """Call ``hear`` each time a child is ready; before :meth:`start`."""
        self._heard.append(hear)

    @property
    def pid(self) -> int | None:
        """The child's, while one is ready."""
        child = self._child
        return child.pid if child is not None else None

    def lost_often(self, within_s: float) -> bool:
        """Whether the last :data:`FAILURES_TO_OPEN` children were lost in so many seconds."""
        full = len(self._losses) == FAILURES_TO_OPEN
        return full and time.monotonic() - self._losses[0] < within_s

    def ask(self, expected: type[T], question: str, *given: Any) -> T:
        """The child's answer within the deadline.

        Raises:
            Failure: of any kind; where the child is lost, another is being started.
        """
        if not self._turn.acquire(timeout=self._deadline_s):
            raise Failure("waiting", "its process is busy with other searches", "undecided")
        try:
            child = self._child
            if child is None:
                raise self._absence()
            return self._answer(child, self._deadline_s, expected, question, *given)
        finally:
            self._turn.release()

    def teach(self, shop: Mapping[str, Any]) -> threading.Event:
        """Tell this child and all later ones of another shop, in the background; the event is
        set once the child knows it."""
        learnt = threading.Event()
        self._shop, self._learnt = shop, learnt
        self._tasks.put(self._learn)
        return learnt

    @property
    def untaught(self) -> bool:
        """Whether a child is ready that knows no shop yet."""
        child = self._child
        return child is not None and not child.knows_a_shop

    def close(self) -> None:
        """End the child and wait until it is gone."""
        self.begin_close()
        if self._thread.ident is not None:
            self._thread.join()

    def begin_close(self) -> None:
        with self._changing:
            self._closed = True
            if self._starting and self._newest is not None:
                self._newest.kill()
        self._tasks.put(None)

    def _answer(
        self, child: ChildProcess, within_s: float, expected: type[T], question: str, *given: Any
    ) -> T:
        """Holding the turn."""
        with self._losing(child):
            answer = child.ask((question, *given), within_s)
            if not isinstance(answer, expected):
                said = f"{type(answer).__name__} instead of {expected.__name__}"
                raise Failure("crash", f"killed, for its process answered {said}", "opens")
            return answer

    @contextmanager
    def _losing(self, child: ChildProcess) -> Iterator[None]:
        """What opens the breaker costs the child."""
        try:
            yield
        except Failure as failure:
            if failure.effect == "opens":
                self._lose(child, str(failure))
            raise

    def lose(self, garbage: Garbage) -> Failure:
        """The child's answer made no sense; what to raise."""
        failure = Failure("crash", f"killed, for its process sent {garbage}", "opens")
        with self._turn:
            if self._child is not None:
                self._lose(self._child, str(failure))
        return failure

    def _lose(self, child: ChildProcess, why: str) -> None:
        child.kill()
        self._losses.append(time.monotonic())
        with self._changing:
            self._child, self._starting = None, True
        log.warning("%s: %s", self._recipe.name, why)
        self._tasks.put(partial(self._replace, child))

    def _absence(self) -> Failure:
        with self._changing:
            if self._starting:
                return Failure("waiting", "its process is being started", "undecided")
            self._starting = True
        self._tasks.put(self._start)
        return Failure("crash", str(self.refusal), "opens")

    def _keep(self) -> None:
        """The thread that starts all children, and ends after the last."""
        while (task := self._tasks.get()) is not None:
            task()
        self.settled.set()
        if self._newest is not None:
            self._newest.end()

    def _replace(self, child: ChildProcess) -> None:
        child.reap()
        self._start()

    def _start(self) -> None:
        try:
            child = self._started()
        except EntrepotError as error:
            self.refusal = error
            with self._changing:
                self._starting = False
            if self.settled.is_set() or not isinstance(error, InvalidSettings):  # else it is raised
                log.warning("%s: %s", self._recipe.name, error)
        else:
            if child is not None:
                self.refusal = None
                with self._changing:
                    self._child, self._starting = child, False
                for hear in self._heard:
                    hear(self.declared)
        self.settled.set()

    def _started(self) -> ChildProcess | None:
        """A child that is ready and knows the shop; None while closing. Raises PluginError,
        InvalidSettings."""
        with self._changing:
            if self._closed:
                return None
            try:
                child = self._newest = ChildProcess(self._recipe)
            except OSError as error:  # no memory, too many processes
                raise self._unstarted(error) from error
        try:
            answer = child.greet(START_S)
            if isinstance(answer, Refused):
                kind = InvalidSettings if answer.settings else PluginError
                raise kind(answer.words, field=self._recipe.name)
            if not isinstance(answer, Ready):
                raise Failure("crash", f"its process answered {type(answer).__name__}")
            self.declared = answer
            if self._shop is not None:
                learnt, shop = self._learnt, self._shop
                child.learn(shop, LEARN_S)
                learnt.set()
            return child
        except BaseException as error:
            child.reap()
            if isinstance(error, Failure):
                raise self._unstarted(error) from error
            raise

    def _unstarted(self, error: Exception) -> PluginError:
        name = self._recipe.name
        return PluginError(f"{name!r} cannot be started: {error}", field=name)

    def _learn(self) -> None:
        with self._turn:
            child, shop, learnt = self._child, self._shop, self._learnt
            if child is None or shop is None or learnt.is_set():
                return  # whoever starts it tells it, or has
            try:
                with self._losing(child):
                    child.learn(shop, LEARN_S)
            except Failure as failure:
                log.warning("%s did not learn the shop's words: %s", self._recipe.name, failure)
            learnt.set()
