"""Prometheus metrics of one server, in a registry of their own."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from engine.components import ComponentStatus
from engine.types import SearchResponse

from .plugin_metrics import PluginCollector
from .schemas import EventsResult

STAGE_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
REQUEST_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.015, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 5, 30)


class Metrics:
    """Counts requests, searches and writes; label values come from fixed sets, never from
    what a client sends."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._plugins = PluginCollector()
        registry.register(self._plugins)
        self._requests = Counter(
            "entrepot_requests", "HTTP requests.", ("route", "method", "status"), registry=registry
        )
        self._seconds = Histogram(
            "entrepot_request_seconds",
            "Wall time of HTTP requests.",
            ("route",),
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self._stages = Histogram(
            "entrepot_stage_seconds",
            "Wall time of each stage of a search.",
            ("shop", "stage"),
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self._degraded = Counter(
            "entrepot_degraded",
            "Searches that went on without a component.",
            ("shop", "component"),
            registry=registry,
        )
        self._writes = Counter(
            "entrepot_writes", "Product writes.", ("shop", "status"), registry=registry
        )
        self._events = Counter(
            "entrepot_events", "Events of shoppers.", ("shop", "status"), registry=registry
        )
        self._ready = Gauge(
            "entrepot_ready", "1 when the shop can answer.", ("shop",), registry=registry
        )
        self._products = Gauge(
            "entrepot_products", "Products when last indexed.", ("shop",), registry=registry
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def search(self, shop: str, response: SearchResponse) -> None:
        for stage, milliseconds in response.timings.items():
            self._stages.labels(shop, stage).observe(milliseconds / 1000)
        for item in response.degraded:
            self._degraded.labels(shop, item.component).inc()

    def writes(self, shop: str, stored: int, failed: int) -> None:
        self._writes.labels(shop, "stored").inc(stored)
        self._writes.labels(shop, "failed").inc(failed)

    def events(self, shop: str, result: EventsResult) -> None:
        self._events.labels(shop, "accepted").inc(result.accepted)
        self._events.labels(shop, "duplicate").inc(result.duplicates)
        self._events.labels(shop, "ignored").inc(result.ignored)
        self._events.labels(shop, "rejected").inc(result.rejected)

    def health(self, shop: str, ready: bool, products: int) -> None:
        self._ready.labels(shop).set(ready)
        self._products.labels(shop).set(products)

    def plugins(self, shop: str, statuses: Sequence[ComponentStatus]) -> None:
        self._plugins.shops[shop] = statuses

    def render(self) -> bytes:
        return generate_latest(self._registry)
