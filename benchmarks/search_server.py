"""The server under measurement, with routes that echo, and that do the bare work alone.

Started by :mod:`benchmarks.search`; prints its port and serves until its input closes. The
bare routes are in this process because only one may hold the embedded store.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import uvicorn
from litestar import post
from litestar.enums import RequestEncodingType
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body, JSONBody

from api.app import create_app
from api.convert import to_request, with_image_urls
from api.schemas import ImageForm, SearchBody
from engine import Engine, Filter, Query, QueryPlan, SearchResponse, load_settings
from engine.assembly import open_encoders
from engine.images import decode_image
from engine.lanes import plan_lanes
from engine.live import Live

Upload = Annotated[ImageForm, Body(media_type=RequestEncodingType.MULTI_PART)]
Times = dict[str, float]
T = TypeVar("T")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--text", required=True, help="whose answer the echo routes give")
    args = parser.parse_args()
    settings = load_settings(args.config, os.environ)
    with Engine(settings) as engine:
        answer = with_image_urls(engine.search(to_request(SearchBody(text=args.text))), "", None)
        app = create_app({settings.shop: engine})
        for handler in (*echo_routes(answer), *bare_routes(Bare(engine))):
            app.register(handler)
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None))
        threading.Thread(target=_watch, args=(server,), daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        server.run(sockets=[listener])


def echo_routes(answer: SearchResponse) -> list[HTTPRouteHandler]:
    """Read the same request, give an equal answer."""

    @post("/echo", status_code=200)
    async def echo(data: JSONBody[SearchBody]) -> SearchResponse:
        return answer

    @post("/echo/image", status_code=200)
    async def echo_image(data: Upload) -> SearchResponse:
        await data.image.read()
        await data.image.close()
        return answer

    return [echo, echo_image]


class Bare:
    """Every model run alone and the same store call: no cache, no batching, no pipeline."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.settings = engine, engine.settings
        self.text, self.image = open_encoders(self.settings, engine.manager)
        self.weights = self.settings.profiles["default"].weights

    def by_text(self, text: str) -> Times:
        times: Times = {}
        timed(times, "text model", lambda: self.text.encode_texts([text], "query"))
        if "image" in self.image.info.modalities:
            timed(times, "joint model, text", lambda: self.image.encode_texts([text], "query"))
        return self._store_call(Query(text), QueryPlan(original=text, text=text), times)

    def by_photo(self, photo: bytes) -> Times:
        times: Times = {}
        image = decode_image(photo, self.settings.images)
        timed(times, "joint model, image", lambda: self.image.encode_images([image]))
        return self._store_call(Query(image=image), QueryPlan(), times)

    def _store_call(self, query: Query, plan: QueryPlan, times: Times) -> Times:
        with self.engine._live() as served:  # the one handle on the embedded store
            store = served.store
            live = Live(served.generation, store, self.text, self.image, {}, served.shop)
            lanes = plan_lanes(query, plan, live, self.weights).queries
            depth = self.settings.search.depth
            timed(times, "store", lambda: store.search_batch(lanes, Filter(), depth))
        return times


def bare_routes(bare: Bare) -> list[HTTPRouteHandler]:
    @post("/bare", status_code=200)
    async def by_text(data: JSONBody[SearchBody]) -> Times:
        return await asyncio.to_thread(bare.by_text, data.text or "")

    @post("/bare/image", status_code=200)
    async def by_photo(data: Upload) -> Times:
        photo = await data.image.read()
        await data.image.close()
        return await asyncio.to_thread(bare.by_photo, photo)

    return [by_text, by_photo]


def timed(times: Times, name: str, call: Callable[[], T]) -> T:
    started = time.perf_counter()
    result = call()
    times[name] = (time.perf_counter() - started) * 1000
    return result


def _watch(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = True


if __name__ == "__main__":
    main()
