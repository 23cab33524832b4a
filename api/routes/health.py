"""For load balancers and monitoring."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency

from ..schemas import Live, Readiness, ShopHealth
from ..shops import Shops

TAGS = ["operations"]
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@get("/health/live", tags=TAGS, operation_id="live")
async def live() -> Live:
    """The process runs."""
    return Live()


@get("/health/ready", tags=TAGS, operation_id="ready")
async def ready(shops: NamedDependency[Shops]) -> Response[Readiness]:
    """200 when every shop can answer searches; 503 with the reasons until then."""
    found = await shops.workers.glance(_healths, shops)
    everyone = all(health.ready for health in found.values())
    return Response(Readiness(everyone, found), status_code=200 if everyone else 503)


@get("/metrics", tags=TAGS, operation_id="metrics", media_type=PROMETHEUS)
async def metrics(shops: NamedDependency[Shops]) -> bytes:
    """Prometheus metrics: latencies per stage and per plugin among them."""
    for key, health in (await shops.workers.glance(_healths, shops)).items():
        shops.metrics.health(key, health.ready, health.products)
        shops.metrics.plugins(key, shops.by_key[key].engine.components())
    return shops.metrics.render()


def _healths(shops: Shops) -> dict[str, ShopHealth]:
    found = {}
    for key, shop in shops.by_key.items():
        h = shop.engine.health()
        found[key] = ShopHealth(h.ready, h.generation, h.products, h.encoders, h.problems)
    return found


HANDLERS = [live, ready, metrics]
