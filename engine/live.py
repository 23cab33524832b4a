"""The bundle that a request reads once, and the slot that swaps it whole."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from .behaviour import Behaviour
from .guard import Guard
from .localize import Localization
from .protocols import Encoder, QueryProcessor, VectorStore
from .vocabulary import ShopViews
from .window import Arranger, Ranker

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One profile: its plugins in the order they run, each with its guard, the lane weights and
    cut-offs that overrule the defaults, and the field by which results are grouped ("": none)."""

    query_processors: Sequence[tuple[Guard, QueryProcessor]]
    rankers: Sequence[tuple[Guard, Ranker]]
    arrangers: Sequence[tuple[Guard, Arranger]]
    weights: Mapping[str, float] = field(default_factory=dict)
    cutoffs: Mapping[str, float] = field(default_factory=dict)
    group_by: str = ""


@dataclass(frozen=True, slots=True)
class Live:
    """Everything one search needs, fixed together: index and models cannot be out of step."""

    generation: str
    store: VectorStore
    text_encoder: Encoder
    image_encoder: Encoder
    pipelines: Mapping[str, Pipeline]
    shop: ShopViews
    behaviour: Behaviour | None = None
    localization: Localization = field(default_factory=Localization)


@dataclass(slots=True)
class _Slot:
    live: Live
    readers: int = 0
    retired: bool = False
    closed: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        """Its users are done with it and have their answer: a failure is only logged."""
        try:
            self.live.store.close()
        except Exception:
            log.exception("generation %r did not close", self.live.generation)
        finally:
            self.closed.set()


@dataclass(slots=True)
class LiveSlot:
    """Holds the current :class:`Live`; a replaced one's store closes after its last reader."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _slot: _Slot | None = None

    @contextmanager
    def lease(self) -> Iterator[Live | None]:
        """The current bundle, kept open until the block ends."""
        with self._lock:
            slot = self._slot
            if slot is not None:
                slot.readers += 1
        try:
            yield slot.live if slot else None
        finally:
            if slot is not None:
                with self._lock:
                    slot.readers -= 1
                    done = slot.retired and slot.readers == 0
                if done:
                    slot.close()

    def swap(self, live: Live | None) -> threading.Event:
        """Replace the bundle for every request that begins from now on; the event is set
        when the old one has closed."""
        with self._lock:
            old, self._slot = self._slot, _Slot(live) if live else None
            if old is None:
                nothing = threading.Event()
                nothing.set()
                return nothing
            old.retired = True
            done = old.readers == 0
        if done:
            old.close()
        return old.closed
