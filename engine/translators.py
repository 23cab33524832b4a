"""The seam for translators: texts of one language in another.

They are built and asked by the query processor ``translate``; ``entrepot translate`` fills in
catalogues by them. ``TranslatorContract`` in :mod:`engine.testing` says what is asked of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, runtime_checkable


class Translator(Protocol):
    """Texts of one language in another. Thread-safe; a language is its ISO 639-1 code ("de"),
    or that of ISO 639-3 where it has none."""

    def pairs(self) -> Collection[tuple[str, str]]:
        """(source, target) that it can do, as far as it can tell without work: this is asked for
        every query."""
        ...

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """One translation for each of ``texts``; what it does not know it leaves as it is.

        Raises:
            PluginError: it has not the pair, cannot be used, did not answer in time, or died. The
                next translator is asked, as after any other exception.
        """
        ...

    def close(self) -> None:
        """Release processes and models; a second call does nothing."""
        ...


@runtime_checkable
class KnowsTheShop(Protocol):
    """A translator that chooses among several meanings by what the shop sells."""

    def translate_for(
        self, texts: Sequence[str], source: str, target: str, wanted: Callable[[str], bool]
    ) -> list[str]:
        """As :meth:`Translator.translate`, preferring words of which ``wanted`` is true: whether
        the shop has something by this name."""
        ...
