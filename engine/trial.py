"""Searching a generation, or under settings, that no shopper meets: before they go live.

A trial has plugin components of its own, for those of the shop keep what they learned of the live
generation, and its calls must not count in their figures. Nobody waits for its answers, so its
plugins may take their time; what they cost is seen in the answers' ``took_ms``.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import msgspec
from msgspec import structs

from .assembly import open_localization
from .behaviour import Behaviour
from .components import Components
from .errors import (
    IndexMismatch,
    InvalidRequest,
    InvalidSettings,
    NoIndex,
    StoreLocked,
    StoreUnavailable,
)
from .generations import GenerationStatus, mismatch
from .guard import DaemonPool
from .journal import Journal
from .lanes import LANE_WEIGHTS
from .live import Live, LiveSlot
from .manager import PluginManager
from .protocols import Encoder, VectorStore, VectorStores
from .rulebook import RuleBook
from .search import run_search
from .settings import SearchSettings, Settings
from .shop_words import read_lexicon
from .synonyms import SynonymBook
from .types import SearchRequest, SearchResponse
from .understanding import warm_up
from .validation import validate_request
from .vocabulary import ShopViews
from .writing import Writer

PATIENCE_MS = 60_000.0


@dataclass(frozen=True)
class Trial:
    """One generation under one shop's settings. Thread-safe; usable until its block ends."""

    live: Live
    settings: Settings
    ending: threading.Event

    @property
    def generation(self) -> str:
        return self.live.generation

    def search(self, request: SearchRequest) -> SearchResponse:
        """As :meth:`engine.core.Engine.search`; raises StoreUnavailable once trials must end."""
        if self.ending.is_set():
            raise StoreUnavailable("the shop is closing; evaluate again when it is back")
        validate_request(request, frozenset(self.live.pipelines))
        return run_search(request, self.live, self.settings.search)

    def adjusted(self, profile: str, values: Mapping[str, float]) -> Trial:
        """The same with other numbers: ``weights.<lane>`` of one profile, or any number under
        ``[search]`` by its name.

        Raises:
            InvalidRequest: no such setting, or a value that it cannot have.
        """
        weights = dict(self.live.pipelines[profile].weights)
        search: dict[str, object] = structs.asdict(self.settings.search)
        for name, value in values.items():
            lane = name.removeprefix("weights.")
            if not math.isfinite(value):
                raise InvalidRequest(f"{name}={value:g} is no number to try", field=name)
            if name != lane and lane.partition(":")[0] in LANE_WEIGHTS and value >= 0:
                weights[lane] = value
            elif name == lane and name in search:
                search[name] = int(value) if value == int(value) else value
            else:
                known = [*(f"weights.{lane}" for lane in LANE_WEIGHTS), *search]
                raise InvalidRequest(
                    f"{name}={value:g} cannot be tried; what can: {', '.join(known)}", field=name
                )
        try:
            changed = msgspec.convert(search, SearchSettings)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"search: {error}", field="search") from error
        pipeline = replace(self.live.pipelines[profile], weights=weights)
        live = replace(self.live, pipelines={**self.live.pipelines, profile: pipeline})
        return Trial(live, structs.replace(self.settings, search=changed), self.ending)


class KnowsGenerations:
    """The part of an :class:`engine.Engine` that is about generations, live or not."""

    settings: Settings
    manager: PluginManager
    rules: RuleBook
    synonyms: SynonymBook
    behaviour: Behaviour
    _promoting: threading.Lock
    _pool: DaemonPool
    _slot: LiveSlot
    _stores: VectorStores
    _text: Encoder
    _image: Encoder
    _writer: Writer
    _journal: Journal
    _tried: set[str]
    _ending: threading.Event

    def generations(self) -> list[GenerationStatus]:
        """Built generations, oldest first."""
        current, found = self._stores.current(), []
        for name in self._stores.generations():
            spec = self._stores.describe(name)
            usable = not mismatch(spec, self._text, self._image)
            found.append(
                GenerationStatus(name, name == current, spec.products, spec.created_at, usable)
            )
        return found

    def previous(self) -> str:
        """The newest generation older than the live one that was live itself; "" for none. What
        was only built, or a gate refused, is nothing to roll back to."""
        current, lived = self._stores.current(), self._journal.lived()
        older = [n for n in self._stores.generations() if current and n < current and n in lived]
        return older[-1] if older else ""

    def _note_live(self, current: str) -> None:
        """Of a data folder that never kept what was live, all before count."""
        names = self._stores.generations() if not self._journal.lived() else []
        self._journal.lives([current, *(name for name in names if name < current)])

    @contextmanager
    def trial(self, generation: str = "", settings: Settings | None = None) -> Iterator[Trial]:
        """A built generation (default: the live one) to search while the shop goes on, under its
        own settings or others; only their profiles, plugins, rules and ``[search]`` matter.

        It has every write so far. Until the block ends it can neither be promoted nor dropped.

        Raises:
            NotFound: no such generation. IndexMismatch: made by another model.
            StoreLocked: it is tried already. NoIndex: nothing is live.
            InvalidSettings: the settings have other encoders than this engine.
        """
        settings = settings or self.settings
        if settings.encoders != self.settings.encoders:
            raise InvalidSettings(
                "encoders: a trial has the shop's own models; to compare others, build an index "
                "with them in a data folder of its own",
                field="encoders",
            )
        manager, rules = self.manager, self.rules
        if settings.plugins != self.settings.plugins:
            manager = PluginManager(settings.plugins)
        if settings.rules_path != self.settings.rules_path:
            rules = RuleBook(settings.rules_path)
        with ExitStack() as opened:
            name, store = opened.enter_context(self._held(generation))
            components = Components(_patient(settings), manager, self._pool)
            opened.callback(components.close)
            shop = ShopViews(store, self._text, rules.current, self.synonyms.current)
            shop.learn(read_lexicon(store))
            lines = components.pipelines
            warm_up([p for line in lines.values() for p in line.query_processors], shop.current)
            coders, localization = (self._text, self._image), open_localization(settings)
            live = Live(name, store, *coders, lines, shop, self.behaviour, localization)
            yield Trial(live, settings, self._ending)

    def drop(self, generation: str) -> None:
        """Delete a generation that is not live."""
        with self._promoting:
            self._refuse_tried(generation)
            self._stores.drop(generation)
            self._journal.forget(generation)

    def end_trials(self) -> None:
        """Let no trial search any more, so that an evaluation of minutes does not hold up the end
        of this engine, which is to follow."""
        self._ending.set()

    @contextmanager
    def _held(self, generation: str) -> Iterator[tuple[str, VectorStore]]:
        """A generation's store, open until the block ends."""
        with self._slot.lease() as live:
            if not generation and live is None:
                raise NoIndex("nothing is live: name a generation")
            if live is not None and generation in ("", live.generation):
                yield live.generation, live.store
                return
        with self._promoting:
            self._refuse_tried(generation)
            store = self._open_checked(generation)
            self._tried.add(generation)
        try:
            self._writer.replay(generation, store)
            yield generation, store
        finally:
            with self._promoting:
                store.close()
                self._tried.discard(generation)

    def _refuse_tried(self, generation: str) -> None:
        if generation in self._tried:
            raise StoreLocked(
                f"generation {generation!r} is being evaluated; try again when that is done",
                field="generation",
            )

    def _open_checked(self, generation: str) -> VectorStore:
        """Open a generation that these encoders made, and no other."""
        spec = self._stores.describe(generation)
        if reason := mismatch(spec, self._text, self._image):
            raise IndexMismatch(f"generation {generation!r} {reason}", field="generation")
        return self._stores.open(generation)


def _patient(settings: Settings) -> Settings:
    limits = {
        name: structs.replace(limit, deadline_ms=PATIENCE_MS)
        for name, limit in settings.plugins.limits.items()
    }
    plugins = structs.replace(settings.plugins, deadline_ms=PATIENCE_MS, limits=limits)
    return structs.replace(settings, plugins=plugins)
