"""What must not be translated, or only in one way: brands and the shop's own terms.

A text is translated with them in it; where one does not come out as it must, the stretches between
them are translated alone. So a term is kept whatever the translator does.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from engine import InvalidSettings

SHOP_WORDS = Path(__file__).with_name("shop_words.toml")
"""What shops call things, by language, in English."""
Translate = Callable[[Sequence[str]], list[str]]
LONGEST_TERM = 80
HAN = "\u3000"
"""Characters from here on are of scripts that leave no spaces between words."""
# Chinese and Japanese characters one by one, for a term may begin at any of them.
_ALONE = "\u3000-\ua4cf\uf900-\uffef"
_WORD = re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}]+")


class Term(Struct, frozen=True):
    """A term of a text and what it becomes."""

    start: int
    end: int
    output: str


class Glossary:
    """Terms by their first word, found without case and as whole words, the longest first."""

    def __init__(self, kept: Iterable[str] = (), forced: Mapping[str, str] | None = None) -> None:
        self._forced = {_key(term): output for term, output in (forced or {}).items()}
        keys = {_key(term) for term in kept if 1 < len(term) <= LONGEST_TERM}
        self._by_word: dict[str, list[str]] = {}
        for key in sorted((keys | self._forced.keys()) - {""}, key=len, reverse=True):
            found = _WORD.search(key)
            self._by_word.setdefault(found[0] if found else key[:1], []).append(key)

    def find(self, text: str) -> list[Term]:
        """The terms in ``text`` from left to right, none over another."""
        folded = text.lower()
        if len(folded) != len(text):  # "İ" grows: places would no longer fit
            folded = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        terms: list[Term] = []
        at = 0
        for match in _WORD.finditer(folded):
            if match.start() < at:
                continue
            for key in self._by_word.get(match[0], ()):
                start = match.start() - key.index(match[0])
                end = start + len(key)
                if start >= at and folded[start:end] == key and _is_whole(folded, start, end):
                    terms.append(Term(start, end, self._forced.get(key, text[start:end])))
                    at = end
                    break
        return terms

    def translated(self, text: str, translate: Translate) -> str:
        """``text`` by ``translate``, its terms as they must be."""
        terms = self.find(text)
        if not terms:
            return translate([text])[0]
        stretches: list[str] = []
        end = 0
        for term in terms:
            stretches.append(text[end : term.start].strip())
            end = term.end
        stretches.append(text[end:].strip())
        outputs = [term.output for term in terms]
        if not any(_WORD.search(stretch) for stretch in stretches):
            return _mixed(stretches, outputs)
        (whole,) = translate([_mixed(stretches, outputs)])
        if _all_in(whole, outputs):
            return whole
        some = [stretch for stretch in stretches if stretch]
        translated = dict(zip(some, translate(some), strict=True))
        return _mixed([translated.get(stretch, "") for stretch in stretches], outputs)


def _mixed(stretches: Sequence[str], outputs: Sequence[str]) -> str:
    """What stands between the terms, and the terms, in turn."""
    mixed = (part for pair in zip(stretches, [*outputs, ""], strict=True) for part in pair)
    return " ".join(filter(None, mixed))


def load_glossary(path: Path) -> dict[str, dict[str, str]]:
    """A shop's file: ``keep = ["Zyxorn"]`` and, per language, ``[de]`` with ``"turnschuhe" =
    "sneakers"``. Terms to keep are under "", each as itself.

    Raises:
        InvalidSettings: the file is missing or holds something else.
    """
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettings(f"glossary: {path}: {error}", field="glossary") from error
    kept = held.pop("keep", [])
    names = kept if isinstance(kept, list) else [0]
    tables = {"": {name: name for name in names}, **held}
    if not all(
        isinstance(table, dict) and all(isinstance(v, str) for v in table.values())
        for table in tables.values()
    ):
        raise InvalidSettings(
            f'glossary: {path}: wants keep = ["Brand"] and tables such as [de] with '
            '"turnschuhe" = "sneakers"',
            field="glossary",
        )
    return tables


def _key(term: str) -> str:
    return " ".join(term.lower().split())


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether no word goes on at either side."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return not (_joined(before, text[start]) or _joined(text[end - 1], after))


def _joined(left: str, right: str) -> bool:
    """Whether two characters are of one word; Chinese leaves no spaces, so there a word may end
    anywhere."""
    return left.isalnum() and right.isalnum() and max(left, right) < HAN


def _all_in(text: str, terms: Sequence[str]) -> bool:
    folded = text.lower()
    return all(folded.count(term.lower()) >= terms.count(term) for term in terms)
