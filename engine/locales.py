"""Language tags by BCP 47: their form, and which of several texts a shopper reads best."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

# RFC 5646, section 2.1, without the tags it grandfathers; languages of two or three letters, for
# none of four to eight has ever been registered.
_TAG = re.compile(
    r"[a-z]{2,3}"
    r"(-[a-z]{4})?"
    r"(-([a-z]{2}|[0-9]{3}))?"
    r"(-([0-9a-z]{5,8}|[0-9][0-9a-z]{3}))*"
    r"(-[0-9a-wyz](-[0-9a-z]{2,8})+)*"
    r"(-x(-[0-9a-z]{1,8})+)?",
    re.IGNORECASE | re.ASCII,
)
MAX_TAG = 35
"""Characters, as RFC 5646 (section 4.4.1) asks implementations to take at least."""

# Regions whose Chinese is not written as that of most readers is; and, by the likely subtags of
# Unicode CLDR, what "zh" alone is.
_SCRIPTS = {
    **{"zh-tw": "zh-hant", "zh-hk": "zh-hant", "zh-mo": "zh-hant"},
    **{"zh-cn": "zh-hans", "zh-sg": "zh-hans", "zh": "zh-hans"},
}
_MACRO = {"nb": "no", "nn": "no"}
"""Languages that catalogues mostly name by their macrolanguage."""


def parse_locale(text: str) -> str:
    """``text`` as a tag in its usual spelling: ``"DE_at"`` → ``"de-AT"``, ``"ZH-HANT"`` →
    ``"zh-Hant"``.

    Raises:
        ValueError: it is no language tag, or has blanks around it; the message names the remedy.
    """
    tag = text.replace("_", "-")
    if len(tag) > MAX_TAG or not _TAG.fullmatch(tag):
        raise ValueError(
            f"{text[:40]!r} is no language tag; write it as BCP 47 does, such as 'de' or 'pt-BR'"
        )
    first, *rest = tag.split("-")
    return "-".join([first.lower(), *_spelled(rest)])


def language_code(tag: str) -> str:
    """The language of a tag, in lower case: "pt" for "pt-BR"."""
    return tag.replace("_", "-").partition("-")[0].lower()


@lru_cache(maxsize=4096)
def best_locale(wanted: str, offered: tuple[str, ...]) -> str | None:
    """The one of ``offered`` that a reader of ``wanted`` reads best; none where none is in that
    language.

    The lookup of RFC 4647 (section 3.4): the tag itself, then shorter and shorter ones, so "de-AT"
    takes "de". Where a language is there for another region or script only, that is taken too: of
    several, the first.
    """
    by_tag = {tag.replace("_", "-").lower(): tag for tag in reversed(offered)}
    for tag in _fallbacks(wanted.replace("_", "-").lower()):
        if tag in by_tag:
            return by_tag[tag]
    language = _macro(language_code(wanted))
    return next((tag for tag in offered if _macro(language_code(tag)) == language), None)


def _fallbacks(tag: str) -> Iterator[str]:
    while tag:
        yield tag
        if script := _SCRIPTS.get(tag):
            yield script
        tag = tag.rpartition("-")[0]
        if len(tag) > 1 and tag[-2] == "-":  # a singleton says nothing by itself
            tag = tag[:-2]


def _macro(language: str) -> str:
    return _MACRO.get(language, language)


def _spelled(subtags: list[str]) -> Iterator[str]:
    """By RFC 5646, section 2.1.1: regions upper, scripts title, all after a singleton lower."""
    extended = False
    for subtag in subtags:
        extended = extended or len(subtag) == 1
        if extended or len(subtag) not in (2, 4) or subtag[0].isdigit():
            yield subtag.lower()
        else:
            yield subtag.upper() if len(subtag) == 2 else subtag.title()
