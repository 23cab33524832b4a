"""The server under measurement, with echo routes that answer the same without searching.

Started by :mod:`benchmarks.search`; prints its address and serves until its input closes.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Annotated

import uvicorn
from litestar import post
from litestar.enums import RequestEncodingType
from litestar.params import Body, JSONBody

from api.app import create_app
from api.convert import to_request, with_image_urls
from api.schemas import ImageForm, SearchBody
from engine import Engine, SearchResponse, load_settings


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--text", required=True, help="whose answer the echo routes give")
    args = parser.parse_args()
    settings = load_settings(args.config, os.environ)
    with Engine(settings) as engine:
        answer = with_image_urls(engine.search(to_request(SearchBody(text=args.text))), "", None)
        app = create_app({settings.shop: engine})
        for handler in _echo(answer):
            app.register(handler)
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None))
        threading.Thread(target=_watch, args=(server,), daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        server.run(sockets=[listener])


def _echo(answer: SearchResponse):  # type: ignore[no-untyped-def]
    @post("/echo", status_code=200)
    async def echo(data: JSONBody[SearchBody]) -> SearchResponse:
        return answer

    @post("/echo/image", status_code=200)
    async def echo_image(
        data: Annotated[ImageForm, Body(media_type=RequestEncodingType.MULTI_PART)],
    ) -> SearchResponse:
        await data.image.read()
        await data.image.close()
        return answer

    return [echo, echo_image]


def _watch(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = True


if __name__ == "__main__":
    main()
