"""The translators of a shop, tried in turn until one gives a text that can be used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from engine import KnowsTheShop, PluginError, Translator

from ..scripts import can_be, script_of
from .glossary import Glossary

log = logging.getLogger(__name__)

MOST_GROWTH = 6
"""A translation that is so many times longer, and 50 characters more, is rubbish."""


class Interpreters:
    """``order`` names the translators as they are tried, each for the languages that it has;
    ``routes`` names another one for a language, or none (empty, or one that is not among them, as
    where its plugin failed to load). A translator that raises, or
    answers rubbish, is no worse than one that has not the languages."""

    def __init__(
        self,
        translators: Mapping[str, Translator],
        order: Sequence[str],
        routes: Mapping[str, str],
    ) -> None:
        self.translators = translators
        self._order = order
        self._routes = routes

    def pairs(self, name: str) -> frozenset[tuple[str, str]]:
        """(source, target) that the translator of this name has."""
        try:
            return frozenset((source, target) for source, target in self.translators[name].pairs())
        except Exception as error:  # whatever a plugin raises
            log.warning("languages of translator %s: %s", name, _told(error))
            return frozenset()

    def route(self, source: str, target: str, foreign: str) -> Sequence[str]:
        """The names of those that are asked, best first; ``foreign`` is the one of the two
        languages that is not the catalogue's."""
        if foreign in self._routes:
            named = self._routes[foreign]
            return (named,) if named in self.translators else ()
        return [
            name
            for name in self._order
            if name in self.translators and (source, target) in self.pairs(name)
        ]

    def translated(
        self,
        text: str,
        languages: tuple[str, str],
        foreign: str,
        glossary: Glossary,
        wanted: Callable[[str], bool] | None = None,
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
                call = partial(self.asked, name, source, target, wanted=wanted)
                return checked(glossary.translated(text, call), text, target)
            except PluginError as error:
                log.warning("translation by %s: %s", name, error)
                failures.append(f"{name}: {error}")
        if failures:
            raise PluginError("; ".join(failures))
        return None

    def asked(
        self,
        name: str,
        source: str,
        target: str,
        texts: Sequence[str],
        wanted: Callable[[str], bool] | None = None,
    ) -> list[str]:
        """What one translator makes of ``texts``.

        Raises:
            PluginError: it raised, whatever that was, or did not answer as many texts.
        """
        translator = self.translators[name]
        found: Any  # of a plugin that mypy may never have seen
        try:
            if wanted is not None and isinstance(translator, KnowsTheShop):
                found = translator.translate_for(texts, source, target, wanted)
            else:
                found = translator.translate(texts, source, target)
        except PluginError:
            raise
        except Exception as error:  # of a plugin that knows nothing of ours
            raise PluginError(_told(error)) from error
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise PluginError("it answered something else than a list of texts")
        if len(found) != len(texts):
            raise PluginError(f"{len(found)} translations of {len(texts)} texts")
        return list(found)

    def close(self) -> None:
        for name, translator in self.translators.items():
            try:
                translator.close()
            except Exception as error:  # the others want closing
                log.warning("closing translator %s: %s", name, _told(error))


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


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
