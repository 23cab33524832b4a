"""Words of a text, in the one spelling by which texts are compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Thai, Japanese and Chinese put no spaces between words: each character counts as one."""
# Linear, as no alternative can begin where another one ends.
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W_{_UNSPACED}]+(?:['’`´][^\\W_{_UNSPACED}]+)*")
_APOSTROPHES = str.maketrans("’`´", "'''")


class Term(NamedTuple):
    """A word, folded and without apostrophes, and where it stands: ``text[start:end]``."""

    start: int
    end: int
    word: str


def fold(text: str) -> str:
    """Without case, accents and typographic apostrophes, for comparing."""
    if text.isascii():
        return text.lower().replace("`", "'")
    spread = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(c for c in spread if not unicodedata.combining(c))
    return bare.translate(_APOSTROPHES)


def terms(text: str) -> Iterator[Term]:
    """The words of ``text`` from left to right; hyphens and signs stand between them."""
    for found in _WORD.finditer(text):
        yield Term(*found.span(), fold(found.group()).replace("'", ""))
