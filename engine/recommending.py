"""The part of an engine that recommends, and what teaches its recommenders in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime

from .behaviour import Behaviour
from .components import Components
from .errors import NotFound
from .events import Event
from .guard import Guard
from .interactions import Interactions, read_interactions
from .live import Live
from .recommend import run_recommendation
from .recommendations import (
    RecommendationRequest,
    RecommendationResponse,
    validate_recommendation,
)
from .recommenders import Learns
from .settings import Settings

log = logging.getLogger(__name__)

EVERY_S = 60.0
"""How soon, at the least, events tell in recommendations;"""
SHARE = 20.0
"""and learning rests so many times as long as it took: it uses 5 % of a core at most."""
AT_LEAST_EVERY_S = 3600.0
"""Other servers write to the same event store without this one's knowing."""


class Learning:
    """Lets the recommenders that learn do so: when the first recommendation is asked for, and
    again while there are requests and new events, and after every erasure. A shop that asks for no
    recommendations reads nothing.

    ``behaviour`` counts what changed. Thread-safe.
    """

    def __init__(self, components: Components, behaviour: Behaviour) -> None:
        self._components = components
        self._behaviour = behaviour
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._asked = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recommendations", daemon=True)
        self._begun = False
        self._learned = (-1, -1)

    def asked(self) -> None:
        """A recommendation is asked for: whoever learns shall be up to date soon."""
        self._asked.set()
        if not self._begun and self._behaviour.settings.plugin:
            self._begin()

    def learn(self, *, gently: bool = False) -> None:
        """Read all events and hand them to whoever learns, also to what is switched off, which
        must not keep what was erased; ``gently``, in pieces with pauses.

        Raises:
            NotFound: no events are kept. StoreError: they cannot be read.
        """
        parts: list[tuple[Guard, object]] = self._components.all_recommenders()
        learners = [(guard.name, each) for guard, each in parts if isinstance(each, Learns)]
        changes = self._behaviour.changes
        if learners:
            seen = self._read(gently)
            for name, each in learners:
                _taught(name, each, seen)
        self._learned = changes

    def close(self) -> None:
        """Return once nothing more is learned."""
        with self._lock:
            self._closing.set()
        self._asked.set()
        if self._begun:
            self._thread.join()

    def _begin(self) -> None:
        with self._lock:
            if not self._begun and not self._closing.is_set():
                self._begun = True
                self._thread.start()

    def _read(self, gently: bool) -> Interactions:
        pages: Iterator[list[Event]] = iter(self._behaviour.store.iterate())
        if gently:
            pages = self._with_pauses(pages)
        return read_interactions(pages, datetime.now(UTC))

    def _with_pauses(self, pages: Iterator[list[Event]]) -> Iterator[list[Event]]:
        """One page after the other, and time for searches between them; none when closing."""
        began = time.perf_counter()
        for page in pages:
            yield page
            if self._closing.wait(2 * (time.perf_counter() - began)):
                return
            began = time.perf_counter()

    def _run(self) -> None:
        while not self._closing.is_set():
            began = time.monotonic()
            self._asked.clear()
            try:
                self.learn(gently=True)
            except Exception as error:  # a store may raise anything; an erasure must still tell
                log.error("recommendations are not brought up to date: %s", error)
            took = time.monotonic() - began
            self._rest(time.monotonic(), max(EVERY_S, SHARE * took))

    def _rest(self, since: float, pause_s: float) -> None:
        """Until there is something to learn and somebody to learn it for."""
        while not self._closing.wait(EVERY_S):
            rested = time.monotonic() - since
            recorded, erased = self._behaviour.changes
            if erased != self._learned[1]:
                return
            new = recorded != self._learned[0] or rested >= AT_LEAST_EVERY_S
            if new and rested >= pause_s and self._asked.is_set():
                return


def _taught(name: str, learner: Learns, seen: Interactions) -> None:
    try:
        learner.learn(seen)
    except Exception:  # a plugin's; what it learned before stands
        log.exception("recommender %r does not learn from the events", name)


class Recommends:
    """The part of an :class:`engine.Engine` that recommends products."""

    settings: Settings
    behaviour: Behaviour
    learning: Learning
    _components: Components
    _live: Callable[[], AbstractContextManager[Live]]

    def recommend(self, request: RecommendationRequest) -> RecommendationResponse:
        """Products that go with one, with a cart, or with what a shopper did; each with reasons.

        Raises:
            InvalidRequest: by the field that is wrong. NotFound: a product that is not in the
            index; or the settings name no recommenders. NoIndex: nothing has been indexed.
        """
        recommenders = self._components.recommenders
        known = self.settings.recommendations.names
        if not known:
            raise NotFound(
                "this shop recommends nothing; name recommenders in the settings: "
                "recommendations.recommenders",
                field="recommendations.recommenders",
            )
        validate_recommendation(request, frozenset(self.settings.profiles), known)
        with self._live() as live:
            self.learning.asked()
            return run_recommendation(
                request, live, recommenders, self.settings.recommendations, self.settings.search
            )

    def _begin_learning(self, opened: ExitStack) -> None:
        """Called once, when the behaviour is open; what is opened ends with ``opened``."""
        self.learning = Learning(self._components, self.behaviour)
        opened.callback(self.learning.close)
