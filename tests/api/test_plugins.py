"""How plugins are doing: /v1/plugins, metrics and health; switching one off while serving."""

from __future__ import annotations

import re
from typing import Any

import httpx

from tests.api.harness import problem

RANKER = "/v1/plugins/rankers/availability"


def running(client: httpx.Client, name: str, kind: str = "rankers") -> dict[str, Any]:
    found = client.get("/v1/plugins").json()["running"]
    (one,) = [info for info in found if (info["kind"], info["name"]) == (kind, name)]
    return dict(one)


def ask(client: httpx.Client) -> dict[str, Any]:
    return dict(client.post("/v1/search", json={"text": "red shoe", "explain": True}).json())


def sample(client: httpx.Client, name: str, **labels: str) -> float:
    """A metric's value, by all its labels."""
    wanted = "{" + ",".join(f'{key}="{labels[key]}"' for key in sorted(labels)) + "}"
    for line in client.get("/metrics").text.splitlines():
        found = re.fullmatch(rf"{name}({{.*}}) (\S+)", line)
        if found and "{" + ",".join(sorted(found[1][1:-1].split(","))) + "}" == wanted:
            return float(found[2])
    raise AssertionError(f"no sample {name}{wanted}")


def test_how_a_component_is_doing(own_shop: httpx.Client) -> None:
    before = running(own_shop, "availability")
    assert (before["calls"], before["p50_ms"], before["failures"]) == (0, None, {})
    for _ in range(3):
        ask(own_shop)
    after = running(own_shop, "availability")
    assert after["calls"] == 3
    assert 0 < after["p50_ms"] <= after["p95_ms"]
    told = {key: after[key] for key in ("plugin", "isolation", "memory_mb", "enabled", "breaker")}
    assert told == {
        "plugin": "plugins.availability",
        "isolation": "none",
        "memory_mb": None,
        "enabled": True,
        "breaker": "closed",
    }
    assert after["deadline_ms"] is None


def test_components_stand_in_the_order_of_the_stages(shop: httpx.Client) -> None:
    kinds = [info["kind"] for info in shop.get("/v1/plugins").json()["running"]]
    stages = ["query_processors", "rankers", "arrangers", "recommenders"]
    assert kinds == sorted(kinds, key=stages.index)
    assert {"query_processors", "rankers"} <= set(kinds)


def test_metrics_of_a_component(own_shop: httpx.Client) -> None:
    labels = {"shop": "test", "kind": "rankers", "component": "availability"}
    for _ in range(2):
        ask(own_shop)
    assert sample(own_shop, "entrepot_plugin_seconds_count", **labels) == 2
    assert sample(own_shop, "entrepot_plugin_seconds_bucket", le="+Inf", **labels) == 2
    assert 0 < sample(own_shop, "entrepot_plugin_seconds_sum", **labels) < 60
    assert sample(own_shop, "entrepot_plugin_enabled", **labels) == 1
    assert sample(own_shop, "entrepot_plugin_breaker", state="closed", **labels) == 1
    assert sample(own_shop, "entrepot_plugin_breaker", state="open", **labels) == 0


def test_switching_a_component_off_and_on(own_shop: httpx.Client) -> None:
    def acted() -> set[str]:
        answer = ask(own_shop)
        assert answer["degraded"] == []
        return set(answer["hits"][0]["explain"]["rankers"])

    assert "availability" in acted()
    response = own_shop.post(f"{RANKER}/disable")
    assert response.status_code == 200
    assert response.json()["enabled"] is False
    assert "availability" not in acted()
    assert running(own_shop, "availability")["enabled"] is False
    state = own_shop.get("/health/ready").json()["shops"]["test"]
    assert state["ready"]
    assert "availability: switched off by hand" in state["problems"]
    labels = {"shop": "test", "kind": "rankers", "component": "availability"}
    assert sample(own_shop, "entrepot_plugin_enabled", **labels) == 0
    assert own_shop.post(f"{RANKER}/enable").json()["enabled"] is True
    assert "availability" in acted()
    assert own_shop.get("/health/ready").json()["shops"]["test"]["problems"] == []


def test_what_no_profile_runs_cannot_be_switched(own_shop: httpx.Client) -> None:
    for path in ("rankers/nobody", "encoders/hash", "magic/availability"):
        detail = problem(own_shop.post(f"/v1/plugins/{path}/disable"), 404, "name")
        assert f"no profile runs {path}; they run: " in detail
        assert "rankers/availability" in detail
