"""Synonyms: words that mean the same in this shop, or of which one stands for others.

They live in a file that people edit (:mod:`engine.book`) and reach query processors as
:attr:`engine.ShopView.synonyms`. What was mined is a candidate and does nothing until a person
makes it active.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from .book import Book, EntryId, Kind, etag
from .errors import InvalidRequest, InvalidSynonyms
from .locales import language_code, parse_locale
from .words import terms

MAX_PHRASES = 50
"""Of one entry: all of them are searched for with any of them."""
LONGEST_PHRASE = 100
"""Characters."""
Phrase = Annotated[str, Meta(min_length=1, max_length=LONGEST_PHRASE)]
Status = Literal["active", "candidate", "rejected"]


class Synonym(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Either ``words``, all of which mean the same ("sofa, couch"), or ``from`` and ``to``: who
    types one of the first also means the others, and not the other way round ("tablet => ipad").
    Each may be several words. With a ``locale`` it counts for queries in that language alone.

    Only what is ``active`` has an effect; what was ``rejected`` is not proposed again.
    ``evidence`` says why it was proposed.
    """

    id: EntryId
    words: tuple[Phrase, ...] = ()
    typed: tuple[Phrase, ...] = field(default=(), name="from")
    meant: tuple[Phrase, ...] = field(default=(), name="to")
    locale: str = ""
    status: Status = "active"
    note: str = ""
    evidence: str = ""

    def __post_init__(self) -> None:
        if bool(self.words) == bool(self.typed or self.meant):
            raise ValueError("give words that mean the same, or from and to")
        if len(self.words) == 1 or bool(self.typed) != bool(self.meant):
            raise ValueError("words: give two at least; or both from and to")
        phrases = (*self.words, *self.typed, *self.meant)
        if len(phrases) > MAX_PHRASES:
            raise ValueError(f"words: {len(phrases)} of them; at most {MAX_PHRASES}")
        for phrase in phrases:
            if len(phrase) > LONGEST_PHRASE:
                raise ValueError(
                    f"words: one has {len(phrase):,} characters; at most {LONGEST_PHRASE}"
                )
            if not key_of(phrase):
                raise ValueError(f"words: {phrase!r} has no letter or digit")
        if len({key_of(phrase) for phrase in phrases}) < len(phrases):
            raise ValueError("words: one is there twice")
        if self.locale:
            try:
                parse_locale(self.locale)
            except ValueError as error:
                raise ValueError(f"locale: {error}") from None

    @property
    def etag(self) -> str:
        """Changes whenever the entry does."""
        return etag(self)

    def pairs(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each phrase that has an effect when typed, with those that it also means."""
        for phrase in self.words:
            yield phrase, tuple(other for other in self.words if other != phrase)
        for phrase in self.typed:
            yield phrase, self.meant

    def counts_for(self, locale: str) -> bool:
        """Whether it has an effect on queries in a language."""
        return self.status == "active" and (
            not self.locale or language_code(self.locale) == language_code(locale)
        )


class SynonymSet(Struct, frozen=True, eq=False):
    """All synonyms at one moment, in the order of the file. Synonyms that changed are another
    object, so what was computed from them may be kept for as long as the same is given."""

    synonyms: tuple[Synonym, ...] = ()

    def of(self, locale: str) -> dict[str, tuple[str, ...]]:
        """What is active for queries in a language: phrases as :func:`key_of` has them, and the
        others that each of them means."""
        found: dict[str, dict[str, None]] = {}
        for synonym in self.synonyms:
            if synonym.counts_for(locale):
                for phrase, others in synonym.pairs():
                    found.setdefault(key_of(phrase), {}).update(dict.fromkeys(others))
        return {phrase: tuple(others) for phrase, others in found.items()}


NO_SYNONYMS = SynonymSet()
SYNONYMS: Kind[Synonym, SynonymSet] = Kind(Synonym, "synonym", SynonymSet, InvalidSynonyms)


class SynonymBook(Book[Synonym, SynonymSet]):
    """The synonyms of one shop, in the order of their file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, SYNONYMS)


def key_of(phrase: str) -> str:
    """The words of a phrase, folded, with one space between."""
    return " ".join(term.word for term in terms(phrase))


def make_id(phrases: Iterable[str], locale: str = "") -> str:
    """An id for an entry that has none: its first words, and a hash of all."""
    keys = [*(key_of(phrase) for phrase in phrases), locale]
    first = "".join(c if c.isascii() and c.isalnum() else "-" for c in keys[0])[:40].strip("-")
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:8]
    return f"{first or 'synonym'}-{digest}"


def read_lines(text: str, locale: str = "") -> list[Synonym]:
    """Synonyms as Solr and Elasticsearch write them: a line ``sofa, couch`` of words that mean the
    same, or ``tablet => ipad, galaxy tab``; empty lines and ``# comments`` do not count.

    Raises:
        InvalidRequest: a line that is neither, by its number; a locale that is no language tag.
    """
    try:
        locale = parse_locale(locale) if locale else ""
    except ValueError as error:
        raise InvalidRequest(f"locale: {error}", field="locale") from None
    found: dict[str, Synonym] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.partition("#")[0].strip()
        if not bare:
            continue
        left, arrow, right = bare.partition("=>")
        typed, meant = _phrases(left), _phrases(right)
        try:
            if arrow:
                typed = tuple(t for t in typed if key_of(t) not in set(map(key_of, meant)))
                made = Synonym(make_id((*typed, "=>", *meant), locale), (), typed, meant, locale)
            else:
                made = Synonym(make_id(typed, locale), typed, locale=locale)
        except (ValueError, IndexError) as error:
            why = str(error) if isinstance(error, ValueError) else "nothing before =>"
            raise InvalidRequest(f"line {number}: {bare[:80]!r}: {why}", field="text") from None
        found[made.id] = made
    return list(found.values())


def _phrases(text: str) -> tuple[str, ...]:
    """Each once, by :func:`key_of`."""
    found: dict[str, str] = {}
    for part in text.split(","):
        if spelled := " ".join(part.split()):
            found.setdefault(key_of(spelled), spelled)
    return tuple(found.values())
