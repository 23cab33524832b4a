"""The table from error class to HTTP status, and what of an error reaches the client."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from api.errors import STATUS
from engine import Engine, EntrepotError, StoreError, errors
from tests.api.harness import build, make_settings, problem, serving

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, EntrepotError)
]


def test_every_error_has_a_status() -> None:
    assert set(STATUS) == set(CLASSES)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_statuses_are_what_the_tree_says(kind: type[EntrepotError]) -> None:
    """The docstring of :mod:`engine.errors` names the status of each branch's root."""
    assert STATUS[kind] in range(400, 600)
    if issubclass(kind, errors.InvalidRequest):
        assert STATUS[kind] in (400, 413)
    if issubclass(kind, errors.ImageTooLarge):
        assert STATUS[kind] == 413
    if issubclass(kind, errors.StoreUnavailable | errors.NoIndex):
        assert STATUS[kind] == 503


class Fancy(StoreError):
    """A plugin's own error."""


@pytest.mark.parametrize(
    ("error", "status", "shown"),
    [
        (Fancy("the store says no"), 500, "the store says no"),
        (errors.StoreUnavailable("no route to the store"), 503, "no route to the store"),
        (errors.UnsupportedModality("no image tower"), 400, "no image tower"),
        (errors.IndexMismatch("other model"), 409, "other model"),
        (RuntimeError("password=hunter2"), 500, "request_id"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_of_the_engine(
    tmp_path: Path,
    photo_root: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    shown: str,
) -> None:
    settings = make_settings(tmp_path)
    build(settings, photo_root)

    def fail(*_: object) -> None:
        raise error

    with (
        Engine.open(settings) as engine,
        caplog.at_level(logging.WARNING),
        serving({"test": engine}) as client,
    ):
        monkeypatch.setattr(engine, "search", fail)
        response = client.post("/v1/search", json={"text": "x"}, headers={"X-Request-Id": "mine-1"})
        detail = problem(response, status)
        assert shown in detail
        assert "hunter2" not in response.text
        assert response.json()["request_id"] == "mine-1"
        assert client.get("/health/live").status_code == 200
    assert ("mine-1" in caplog.text) == (status >= 500)
