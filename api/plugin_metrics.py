"""What plugins cost and how they fail, as the engine counts it, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from engine.breaker import State
from engine.components import ComponentStatus
from engine.tally import SECONDS

LABELS = ("shop", "kind", "component")
BOUNDS = (*(f"{bound:g}" for bound in SECONDS), "+Inf")


class PluginCollector(Collector):
    """Shows the figures it was given last, by shop."""

    def __init__(self) -> None:
        self.shops: dict[str, Sequence[ComponentStatus]] = {}

    def collect(self) -> Iterator[Metric]:
        seconds = HistogramMetricFamily(
            "entrepot_plugin_seconds", "Time that searches spent on a component.", labels=LABELS
        )
        failures = CounterMetricFamily(
            "entrepot_plugin_failures",
            "Calls of a component that gave nothing, by cause.",
            labels=(*LABELS, "cause"),
        )
        breaker = GaugeMetricFamily(
            "entrepot_plugin_breaker",
            "1 for the state that a component's circuit breaker is in.",
            labels=(*LABELS, "state"),
        )
        enabled = GaugeMetricFamily(
            "entrepot_plugin_enabled", "0 where it is switched off by hand.", labels=LABELS
        )
        for shop, statuses in self.shops.items():
            for status in statuses:
                labels = (shop, status.kind, status.name)
                figures = status.figures
                counts = zip(BOUNDS, map(float, figures.buckets), strict=True)
                seconds.add_metric(labels, list(counts), figures.seconds)
                for cause, count in sorted(figures.failures.items()):
                    failures.add_metric((*labels, cause), count)
                for state in get_args(State):
                    breaker.add_metric((*labels, state), status.breaker == state)
                enabled.add_metric(labels, status.enabled)
        yield from (seconds, failures, breaker, enabled)
