"""What kinds of things are for: ``uses.txt`` names them and the needs that they serve.

A kind a line, its names, then its uses as shoppers put them: "coat rack, coat hook: hang up
outdoor clothes; hats and scarves by the front door". English, written for this file.
"""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

from msgspec import Struct

from .word_forms import words_of

FILE = Path(__file__).with_name("uses.txt")


class Thing(Struct, frozen=True):
    """A kind of things: what it is called, the commonest name first, and what it is for."""

    names: tuple[str, ...]
    uses: tuple[str, ...]


@cache
def things() -> dict[str, Thing]:
    """All that are known, by their first name."""
    found = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            names, uses = line.split(": ")
            called = tuple(names.split(", "))
            found[called[0]] = Thing(called, tuple(uses.split("; ")))
    return found


@cache
def _by_name() -> dict[tuple[str, ...], tuple[Thing, ...]]:
    """The things by the forms of the words of a name: a trunk is luggage, or worn."""
    found: dict[tuple[str, ...], tuple[Thing, ...]] = {}
    for thing in things().values():
        for key in dict.fromkeys(_forms(name) for name in thing.names):
            found[key] = (*found.get(key, ()), thing)
    return found


@lru_cache(maxsize=4096)
def things_called(kind: str) -> tuple[Thing, ...]:
    """What the name of a kind may mean: by as many of its last words as are a name ("women's rain
    boots"), else by the longest names in it ("perfume and body mist"); often nothing."""
    words, known = _forms(kind), _by_name()
    for start in range(len(words)):
        if found := known.get(words[start:]):
            return found
    for length in range(len(words) - 1, 0, -1):
        parts = [words[i : i + length] for i in range(len(words) - length)]
        if inside := [thing for part in parts for thing in known.get(part, ())]:
            return tuple(inside)
    return ()


def _forms(text: str) -> tuple[str, ...]:
    return tuple(word.form for word in words_of(text))
