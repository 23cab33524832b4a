"""The engine of one shop: search, write, and change generations while both go on."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from PIL.Image import Image

from .assembly import open_behaviour, open_localization, open_stores, serving_encoders
from .behaviour import KnowsShoppers
from .components import Components
from .errors import GateRefused, IndexMismatch, NoIndex, NotFound
from .experiments import check_experiments, met, take_part
from .guard import DaemonPool
from .health import Watched
from .images import read_photos
from .journal import JOURNAL_FILE, Journal
from .live import Live, LiveSlot
from .manager import PluginManager
from .plan import QueryPlan
from .probe import run_window
from .protocols import VectorStore
from .recommending import Recommends
from .rulebook import RuleBook
from .schema import IndexSchema
from .search import plan_search, run_search
from .settings import Settings, load_settings
from .shop_words import KnowsWords, ShopWords
from .standing import Standing, standing_of
from .synonyms import SynonymBook
from .trial import KnowsGenerations
from .turns import Turns
from .types import Degraded, Product, Query, SearchRequest, SearchResponse
from .understanding import warm_up
from .validation import validate_place, validate_request
from .vocabulary import ShopViews
from .window import RankingBatch
from .writing import Writer, WriteResult

log = logging.getLogger(__name__)

DRAIN_S = 10.0
"""How long a change of generation waits for the searches that still read the old one."""

ImageLoader = Callable[[Product, str], list[Image]]
"""A product's photos, decoded; the second argument is the generation's ``image_root``."""


class Engine(Watched, KnowsWords, KnowsShoppers, KnowsGenerations, Recommends):
    """One shop. Synchronous and thread-safe; several shops are several engines."""

    def __init__(
        self,
        settings: Settings,
        manager: PluginManager | None = None,
        load_images: ImageLoader | None = None,
    ) -> None:
        check_experiments(settings)
        self.settings = settings
        self.manager = manager or PluginManager(settings.plugins)
        self._slot = LiveSlot()
        self._turns = Turns()
        self._promoting = threading.Lock()
        self._changing = threading.Lock()  # taken inside the one above
        self._refusal = ""
        self._tried: set[str] = set()
        self._ending = threading.Event()
        with ExitStack() as opened:
            self._pool = DaemonPool()
            opened.callback(self._pool.close)
            self._components = Components(settings, self.manager, self._pool)
            opened.callback(self._components.close)
            self._text, self._image = serving_encoders(settings, self.manager)
            opened.callback(self._image.close)
            opened.callback(self._text.close)
            self._journal = Journal(settings.data_path / JOURNAL_FILE)
            opened.callback(self._journal.close)
            load_images = load_images or partial(read_photos, limits=settings.images)
            self._writer = Writer(self._journal, self._text, self._image, load_images)
            self.rules = RuleBook(settings.rules_path)
            self.synonyms = SynonymBook(settings.synonyms_path)
            self._localization = open_localization(settings)
            self._stores = open_stores(settings, self.manager)
            opened.callback(self._stores.close)
            self.behaviour = open_behaviour(settings, self.manager, self._pool, self._slot.lease)
            opened.callback(self.behaviour.close)
            self.words = ShopWords(self._slot.lease, self.behaviour)
            opened.callback(self.words.close)
            self._begin_learning(opened)
            if current := self._stores.current():
                self._note_live(current)
                self._go_live(current)
            self._opened = opened.pop_all()

    @classmethod
    def open(cls, settings: Settings | Path | str | None = None) -> Engine:
        """The engine of ``settings`` or of an ``entrepot.toml`` at a path.

        ``ENTREPOT_…`` variables overrule the file. Without an index it opens too: searches
        raise NoIndex, or IndexMismatch where the live generation was made by another model,
        until a generation is promoted.

        Raises:
            InvalidSettings, UnknownPlugin, InvalidModel: something is configured wrongly.
            StoreLocked: another process holds the embedded store.
        """
        if not isinstance(settings, Settings):
            settings = load_settings(Path(settings) if settings else None, os.environ)
        return cls(settings)

    def search(self, request: SearchRequest) -> SearchResponse:
        """Answer ``request``; see :class:`SearchRequest` and :class:`SearchResponse`.

        Raises:
            InvalidRequest: by the field that is wrong. NotFound: an unknown ``like`` id.
            NoIndex: nothing has been indexed. IndexMismatch: by another model only.
            StoreError: the store failed.
        """
        profiles = frozenset(self.settings.profiles)
        if request.profile in self.settings.experiments:
            validate_request(met(request, self.settings), profiles)
            return take_part(request.profile, self.settings, request, self.search)
        validate_request(request, profiles)
        with self._live() as live, self._turns.turn() as waited:
            response = run_search(request, live, self.settings.search)
        return response.after(waited) if waited else response

    def understand(
        self,
        text: str,
        locale: str | None = None,
        profile: str = "default",
        ignore: Sequence[str] = (),
    ) -> tuple[QueryPlan, list[Degraded]]:
        """How a search for ``text`` would read it, and which processors failed.

        Raises:
            InvalidRequest: by the field that is wrong. NoIndex: nothing has been indexed.
        """
        query = Query(text)
        plan, degraded = self.plan(
            SearchRequest(query, locale=locale, profile=profile, ignore=tuple(ignore))
        )
        return plan.public(), degraded

    def plan(
        self, request: SearchRequest, at: datetime | None = None
    ) -> tuple[QueryPlan, list[Degraded]]:
        """What a search would be planned to do, business rules and all, and which processors
        failed. With a time the rules are those of then, and all say whether they apply.

        Raises:
            What :meth:`search` raises.
        """
        request = met(request, self.settings)
        validate_request(request, frozenset(self.settings.profiles))
        with self._live() as live:
            return plan_search(request, live, self.settings.search, at)

    def standing(self, product: str, request: SearchRequest) -> Standing:
        """What becomes of ``product`` in a search, and why (:mod:`engine.standing`). Raises
        NotFound for one that the index has not, and what :meth:`search` raises."""
        validate_request(request, frozenset(self.settings.profiles))
        with self._live() as live:
            return standing_of(product, request, live, self.settings.search)

    def window(
        self, request: SearchRequest, fields: Sequence[str] = (), vectors: Sequence[str] = ()
    ) -> RankingBatch:
        """The candidates of a search as one more ranker at the end of its profile would see
        them, with these columns and vectors; empty where nothing is found or ranked. Page and
        order asked for do not matter.

        Raises:
            What :meth:`search` raises.
        """
        request = met(request, self.settings)
        validate_request(request, frozenset(self.settings.profiles))
        with self._live() as live:
            return run_window(request, live, self.settings.search, self._pool, fields, vectors)

    def get(self, product_id: str) -> Product:
        """The product; raises NotFound."""
        with self._live() as live:
            (product,) = live.store.get([product_id])
        if product is None:
            raise NotFound(f"no product {product_id!r}", field="id")
        return product

    def show(
        self,
        product_id: str,
        locale: str | None = None,
        market: str | None = None,
        currency: str | None = None,
    ) -> dict[str, Any]:
        """The product as a search would show it to this shopper; raises NotFound, and
        InvalidRequest by the field that is wrong."""
        validate_place(locale, market, currency)
        with self._live() as live:
            schema, localization = live.store.spec.schema, live.localization
        audience = localization.audience(schema, locale, market, currency)
        return audience.view(self.get(product_id))

    def put(self, items: Sequence[tuple[Product, list[Image]]]) -> list[WriteResult]:
        """Insert or replace products with their decoded photos; one result per item.

        A stored one is journalled and searchable; it survives kill -9 and any rebuild that
        is under way. One bad item fails alone.
        """
        with self._live():
            pass  # no index, no embedding; and embedding must not hold a generation open
        encoded = self._writer.encode(items)
        with self._changing, self._live() as live:
            results = self._writer.put(encoded, live)
            pairs = zip(items, results, strict=True)
            live.shop.add([product for (product, _), result in pairs if not result.error])
            self.words.changed()
            return results

    def delete(self, product_id: str) -> None:
        """Delete a product, as durably as :meth:`put`; raises NotFound."""
        with self._changing, self._live() as live:
            if live.store.get([product_id]) == [None]:
                raise NotFound(f"no product {product_id!r}", field="id")
            self._writer.delete(product_id, live)
            self.words.changed()

    def promote(self, generation: str, instead_of: str | None = None) -> None:
        """Make a built generation live without losing a write or failing a search.

        Writes it has not absorbed are replayed into it first; the switch is atomic, and the
        old generation closes after its last reader. ``instead_of`` is the live one that it was
        compared with ("": none was live).

        Raises:
            NotFound: no such built generation. IndexMismatch: made by another model.
            GateRefused: another one than ``instead_of`` went live meanwhile.
        """
        with self._promoting:
            with self._slot.lease() as live:
                current = live.generation if live is not None else ""
            if current == generation:
                return
            if instead_of not in (None, current):
                said = f"compared with {instead_of or 'nothing'}, but {current} is live by now"
                raise GateRefused(f"{generation}: {said}; promote it again", field="generation")
            self._refuse_tried(generation)
            store = self._open_checked(generation)
            try:
                self._writer.replay(generation, store)  # the bulk, while writes go on
                with self._changing:
                    self._writer.replay(generation, store)
                    self._writer.checkpoint(generation)
                    self._journal.lives([generation])
                    self._stores.promote(generation)
                    old_closed = self._swap(generation, store)
            except BaseException:
                store.close()
                raise
            old_closed.wait(DRAIN_S)  # so that it can be opened or dropped at once

    def rollback(self) -> str:
        """Promote :meth:`previous`; its name. Raises NotFound: there is none."""
        if not (name := self.previous()):
            raise NotFound("no older generation to roll back to", field="generation")
        self.promote(name)
        return name

    @property
    def schema(self) -> IndexSchema:
        """The fields that can be filtered, faceted and sorted."""
        with self._live() as live:
            return live.store.spec.schema

    @property
    def image_root(self) -> str:
        """The folder that relative photo paths start from."""
        with self._live() as live:
            return live.store.spec.image_root

    def close(self) -> None:
        """Flush and release everything; searches after it raise NoIndex."""
        with self._promoting, self._changing:
            with self._slot.lease() as live:
                if live is not None:
                    self._writer.checkpoint(live.generation)
            old_closed = self._slot.swap(None)
        old_closed.wait(DRAIN_S)
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]:
        self.close()
        return False

    @contextmanager
    def _live(self) -> Iterator[Live]:
        with self._slot.lease() as live:
            if live is None and self._refusal:
                raise IndexMismatch(self._refusal, field="generation")
            if live is None:
                raise NoIndex("nothing is indexed yet: run `entrepot index`")
            yield live

    def _go_live(self, generation: str) -> None:
        try:
            store = self._open_checked(generation)
        except IndexMismatch as error:
            log.error("%s", error)
            self._refusal = str(error)
            return
        try:
            self._writer.replay(generation, store)
            self._writer.checkpoint(generation)
        except BaseException:
            store.close()
            raise
        self._swap(generation, store)

    def _swap(self, generation: str, store: VectorStore) -> threading.Event:
        """Serve ``generation`` from now on; the event is set when the old one has closed."""
        self._refusal = ""
        shop = ShopViews(store, self._text, self.rules.current, self.synonyms.current)
        pipelines = self._components.pipelines
        warm_up([p for line in pipelines.values() for p in line.query_processors], shop.current)
        coders = (self._text, self._image)
        localization = self._localization
        live = Live(generation, store, *coders, pipelines, shop, self.behaviour, localization)
        old_closed = self._slot.swap(live)
        self.words.changed(now=True)
        return old_closed
