"""The translators of a shop, tried in turn until one gives a text that can be used."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial

from engine import PluginError

from ..scripts import can_be, script_of
from .glossary import Glossary
from .interface import KnowsTheShop, Translator, Wanted

log = logging.getLogger(__name__)

MOST_GROWTH = 6
"""A translation that is so many times longer, and 50 characters more, is rubbish."""


class Interpreters:
    """``order`` names the translators as they are tried, each for the languages that it has;
    ``routes`` names another one for a language, or none (empty)."""

    def __init__(
        self,
        translators: Mapping[str, Translator],
        order: Sequence[str],
        routes: Mapping[str, str],
    ) -> None:
        self.translators = translators
        self._order = order
        self._routes = routes

    def route(self, source: str, target: str, foreign: str) -> Sequence[str]:
        """The names of those that are asked, best first; ``foreign`` is the one of the two
        languages that is not the catalogue's."""
        if foreign in self._routes:
            named = self._routes[foreign]
            return (named,) if named else ()
        return [
            name
            for name in self._order
            if name in self.translators and (source, target) in self.translators[name].pairs()
        ]

    def translated(
        self,
        text: str,
        languages: tuple[str, str],
        foreign: str,
        glossary: Glossary,
        wanted: Wanted | None = None,
    ) -> str | None:
        """``text`` from the first of ``languages`` in the second; none where no translator has
        the pair. ``wanted`` says what the shop sells, for those that choose by it.

        Raises:
            PluginError: none that has the pair gave a text that can be used.
        """
        source, target = languages
        failures: list[str] = []
        for name in self.route(source, target, foreign):
            try:
                call = partial(_call, self.translators[name], source, target, wanted)
                return checked(glossary.translated(text, call), text, target)
            except PluginError as error:
                log.warning("translation by %s: %s", name, error)
                failures.append(f"{name}: {error}")
        if failures:
            raise PluginError("; ".join(failures))
        return None

    def close(self) -> None:
        for translator in self.translators.values():
            translator.close()


def _call(
    translator: Translator, source: str, target: str, wanted: Wanted | None, texts: Sequence[str]
) -> list[str]:
    if wanted is not None and isinstance(translator, KnowsTheShop):
        return translator.translate_for(texts, source, target, wanted)
    found = translator.translate(texts, source, target)
    if len(found) != len(texts):
        raise PluginError(f"{len(found)} translations of {len(texts)} texts")
    return found


def checked(translation: str, text: str, target: str) -> str:
    """``translation`` on one line.

    Raises:
        PluginError: it is empty, far too long, or written as ``target`` is not.
    """
    found = " ".join(translation.split())
    if not found:
        raise PluginError("an empty translation")
    if len(found) > MOST_GROWTH * len(text) + 50:
        raise PluginError(f"{len(found)} characters for {len(text)}")
    if not can_be(target, script_of(found)):
        raise PluginError(f"a translation that is not written as {target!r} is")
    return found
