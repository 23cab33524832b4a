"""The application: engines in, ASGI app out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme

from engine.core import Engine

from .errors import EXCEPTION_HANDLERS, AnyRequest
from .metrics import Metrics
from .observe import Observe
from .routes import (
    admin,
    evaluation,
    events,
    explain,
    health,
    judgments,
    page,
    products,
    recommendations,
    rules,
    search,
    suggest,
    synonyms,
)
from .shops import Shop, Shops

BODY_OVERHEAD = 1_000_000
"""Room in a body for what is not the picture."""


def create_app(engines: Mapping[str, Engine]) -> Litestar:
    """An app that answers for every shop in ``engines``; the caller closes the engines.

    With several, each request names its shop (header ``X-Entrepot-Shop``).
    """
    metrics = Metrics()
    shops = Shops(engines, metrics)

    async def provide_shops() -> Shops:
        return shops

    async def provide_shop(request: AnyRequest) -> Shop:
        return shops.choose(request)

    @asynccontextmanager
    async def workers(app: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for shop in shops.by_key.values():
                shop.engine.end_trials()
            shops.workers.close()

    app = Litestar(
        [
            *search.HANDLERS,
            *explain.HANDLERS,
            *suggest.HANDLERS,
            *products.HANDLERS,
            *recommendations.HANDLERS,
            *events.HANDLERS,
            *rules.HANDLERS,
            *synonyms.HANDLERS,
            *admin.HANDLERS,
            *evaluation.HANDLERS,
            *judgments.HANDLERS,
            *health.HANDLERS,
            *page.page_handlers(),
        ],
        dependencies={"shop": Provide(provide_shop), "shops": Provide(provide_shops)},
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=[workers],
        openapi_config=_openapi(),
        # Base64 makes four bytes of three.
        request_max_body_size=shops.max_upload_bytes * 4 // 3 + BODY_OVERHEAD,
        state=State({"shops": shops}),
        logging_config=None,
    )
    app.asgi_handler = Observe(app.asgi_handler, metrics)
    return app


def _openapi() -> OpenAPIConfig:
    """The document as JSON and YAML only: the usual viewers load scripts from elsewhere."""
    return OpenAPIConfig(
        title="Entrepot",
        version=version("entrepot"),
        description="Multimodal product search: by words, by photo, by both.",
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        use_handler_docstrings=True,
        components=Components(
            security_schemes={"apiKey": SecurityScheme(type="http", scheme="bearer")}
        ),
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"]), YamlRenderPlugin()],
    )
