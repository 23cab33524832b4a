"""What a translator is, and how languages are named."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, runtime_checkable

ISO_639_3 = {
    **{"eng": "en", "spa": "es", "fra": "fr", "ita": "it", "por": "pt", "cat": "ca"},
    **{"deu": "de", "nld": "nl", "zho": "zh", "jpn": "ja", "kor": "ko", "rus": "ru"},
    **{"pol": "pl", "tur": "tr", "swe": "sv", "dan": "da", "ara": "ar", "ell": "el"},
    **{"glg": "gl", "ron": "ro", "eus": "eu", "oci": "oc", "arg": "an", "ast": "ast"},
}
"""Three-letter codes of package names, and the codes by which languages go here."""

Wanted = Callable[[str], bool]
"""Whether the shop has something by this name."""


class Translator(Protocol):
    """Texts of one language in another. Thread-safe; a language is its ISO 639-1 code."""

    def pairs(self) -> Collection[tuple[str, str]]:
        """(source, target) that it can do, as far as it can tell without work."""
        ...

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """One translation for each of ``texts``; what it does not know it leaves as it is.

        Raises:
            PluginError: it cannot be used, did not answer in time, or died.
        """
        ...

    def close(self) -> None:
        """Release processes and models; a second call does nothing."""
        ...


@runtime_checkable
class KnowsTheShop(Protocol):
    """A translator that chooses among several meanings by what the shop sells."""

    def translate_for(
        self, texts: Sequence[str], source: str, target: str, wanted: Wanted
    ) -> list[str]:
        """As :meth:`Translator.translate`, preferring words of which ``wanted`` is true."""
        ...


def language_of(locale: str | None) -> str:
    """The language of a BCP 47 tag: "pt" for "pt-BR"; empty where there is none."""
    code = (locale or "").replace("_", "-").partition("-")[0].lower()
    return ISO_639_3.get(code, code)
