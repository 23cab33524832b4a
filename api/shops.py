"""The shops one server answers for, and the threads that work for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from litestar import Request

from engine.core import Engine
from engine.errors import InvalidRequest, NotFound
from engine.evaluation.judgment_book import JudgmentBook
from indexer import PhotoLoader

from .metrics import Metrics

HEADER = "X-Entrepot-Shop"
PARAMETER = "shop"
EVENT_WORKERS, GLANCES = 16, 2

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """Threads for the synchronous engine. What is answered at once (suggestions, health) does not
    stand in line behind searches. Writes have one thread of their own, for an upload of any
    length must not take the searches' threads; so have events, which wait for the disk together
    and may be many small requests at once, evaluations, which take minutes, and what looks back on
    events (mining, reports), which need not wait for those."""

    def __init__(self, searches: int) -> None:
        self._searches = ThreadPoolExecutor(searches, thread_name_prefix="search")
        self._glances = ThreadPoolExecutor(GLANCES, thread_name_prefix="glance")
        self._writes = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._events = ThreadPoolExecutor(EVENT_WORKERS, thread_name_prefix="events")
        self._trials = ThreadPoolExecutor(1, thread_name_prefix="trials")
        self._reviews = ThreadPoolExecutor(1, thread_name_prefix="reviews")

    async def read(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(self._searches, lambda: function(*args, **kwargs))

    async def glance(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(self._glances, lambda: function(*args, **kwargs))

    async def write(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(self._writes, lambda: function(*args, **kwargs))

    async def events(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(self._events, lambda: function(*args, **kwargs))

    async def try_out(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(self._trials, lambda: function(*args, **kwargs))

    async def review(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(self._reviews, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Wait for what has begun; what has not is dropped, for it was never acknowledged."""
        self._searches.shutdown(cancel_futures=True)
        self._glances.shutdown(cancel_futures=True)
        self._writes.shutdown(cancel_futures=True)
        self._events.shutdown(cancel_futures=True)
        self._trials.shutdown(cancel_futures=True)
        self._reviews.shutdown(cancel_futures=True)

    @staticmethod
    async def _run(pool: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, call)


class Shop:
    """One shop as the routes use it."""

    def __init__(self, key: str, engine: Engine, workers: Workers, metrics: Metrics) -> None:
        self.key = key
        self.engine = engine
        self.workers = workers
        self.metrics = metrics
        self.photos = PhotoLoader(engine.settings)
        self.judgments = JudgmentBook(engine.settings.data_path)
        self.link_suffix = ""


class Shops:
    """All shops by key; a request names its shop by header or parameter, unless there is one."""

    def __init__(self, engines: Mapping[str, Engine], metrics: Metrics) -> None:
        if not engines:
            raise ValueError("a server needs at least one shop")
        self.metrics = metrics
        settings = [engine.settings.server for engine in engines.values()]
        self.workers = Workers(max(server.workers for server in settings))
        self.max_upload_bytes = max(server.max_upload_bytes for server in settings)
        self.by_key = {
            key: Shop(key, engine, self.workers, metrics) for key, engine in engines.items()
        }
        if len(self.by_key) > 1:
            for shop in self.by_key.values():
                shop.link_suffix = f"?{PARAMETER}={shop.key}"

    def choose(self, request: Request[Any, Any, Any]) -> Shop:
        """The shop that ``request`` is for; raises InvalidRequest or NotFound."""
        key = request.headers.get(HEADER) or request.query_params.get(PARAMETER)
        if key is None:
            if len(self.by_key) == 1:
                return next(iter(self.by_key.values()))
            raise InvalidRequest(
                f"several shops: name one in the header {HEADER}: {self._keys()}", field=HEADER
            )
        if key not in self.by_key:
            raise NotFound(f"no shop {key!r}; there are: {self._keys()}", field=HEADER)
        return self.by_key[key]

    def _keys(self) -> str:
        return ", ".join(sorted(self.by_key))
