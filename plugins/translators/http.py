"""Any server that speaks LibreTranslate's ``POST /translate``.

https://github.com/LibreTranslate/LibreTranslate: ``{"q": [...], "source", "target", "format",
"api_key"}`` gives ``{"translatedText": [...]}``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from engine import PluginError, Register, Translator, hookimpl

MAX_ANSWER = 1_000_000
"""Bytes of an answer that are read."""


class HttpOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``url`` is the server's, without ``/translate``; ``languages`` are those it has. Queries of
    shoppers are sent there: name a server that you trust with them."""

    url: str
    languages: tuple[str, ...] = ()
    api_key: str = ""
    timeout_s: Annotated[float, Meta(gt=0)] = 2.0


class HttpTranslator:
    """Texts by a LibreTranslate server."""

    def __init__(self, options: HttpOptions, targets: Sequence[str] = ("en",)) -> None:
        import httpx

        self._options = options
        self._targets = targets
        self._errors: Any = (httpx.HTTPError, httpx.InvalidURL)
        # Not the shop's proxies: a query goes where the settings say, and nowhere else.
        self._client = httpx.Client(timeout=options.timeout_s, trust_env=False)

    def pairs(self) -> Collection[tuple[str, str]]:
        pairs = {(a, b) for a in self._options.languages for b in self._targets if a != b}
        return pairs | {(b, a) for a, b in pairs}

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        body = {"q": list(texts), "source": source, "target": target, "format": "text"}
        if self._options.api_key:
            body["api_key"] = self._options.api_key
        try:
            response = self._client.post(f"{self._options.url.rstrip('/')}/translate", json=body)
            response.raise_for_status()
            found = response.json()["translatedText"] if _small(response) else None
        except (*self._errors, ValueError, LookupError, TypeError) as error:
            raise PluginError(
                f"{self._options.url} did not translate: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(found, list) or len(found) != len(texts):
            raise PluginError(
                f"{self._options.url} answered something else than {len(texts)} texts"
            )
        if not all(isinstance(text, str) for text in found):
            raise PluginError(f"{self._options.url} answered something else than texts")
        return found

    def close(self) -> None:
        self._client.close()


def _small(response: Any) -> bool:
    return len(response.content) <= MAX_ANSWER


@hookimpl
def register_translators(register: Register[Translator]) -> None:
    register("http", HttpTranslator, HttpOptions)
