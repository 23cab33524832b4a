"""Apertium: rule-based translation by Debian's packages, in processes that stay.

A process start costs 0.15 to 0.8 s, an answer of a running one 1 ms. Each pair runs the pipeline of
its mode file with null flush (every part with ``-z``). Pairs that have no package of their own
are chained: French goes to English by way of Spanish (``fr-es``, ``spa-eng``).
"""

from __future__ import annotations

import re
import shlex
import threading
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, field

from engine import PluginError, Register, Translator, hookimpl

from .languages import ISO_639_3
from .resident import Resident

LONGEST_CHAIN = 3
_PAIR = re.compile(r"([a-z]{2,3})-([a-z]{2,3})")
_RESERVED = re.compile(r"([\[\]{}^$/\\@<>*#~])")
_ESCAPED = re.compile(r"\\(.)")
# What apertium-destxt ends a text with. Without the blank, lt-proc 3.7.1 -b flushes at every other
# null only.
_TAIL = ".[][\n]"
_NULL = "\0"


class ApertiumOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``modes`` is the folder of mode files; ``via`` names the language that a chain goes through
    where several are as short, Spanish where nothing is said (by Catalan, French finds more:
    docs/translation.md). ``deadline_s`` bounds one answer."""

    modes: str = "/usr/share/apertium/modes"
    via: dict[str, str] = field(default_factory=lambda: {"fr": "ca"})
    deadline_s: Annotated[float, Meta(gt=0)] = 1.0


class Apertium:
    """Texts by Apertium's pairs and chains of them. What it does not know stays as it is."""

    def __init__(self, options: ApertiumOptions) -> None:
        self._options = options
        folder = Path(options.modes)
        self._modes = dict(_modes(folder)) if folder.is_dir() else {}
        languages = {code for pair in self._modes for code in pair}
        self._pairs = frozenset(
            (a, b) for a in languages for b in languages if a != b and self._chain(a, b)
        )
        self._running: dict[tuple[str, str], Resident] = {}
        self._lock = threading.Lock()

    def pairs(self) -> Collection[tuple[str, str]]:
        return self._pairs

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        if (source, target) not in self._pairs:
            raise PluginError(
                f"Apertium has no way from {source!r} to {target!r} in {self._options.modes}: "
                "install the pair's package, such as apertium-eng-spa"
            )
        lines = [" ".join(text.split()) for text in texts]
        for pair in self._chain(source, target):
            process = self._process(pair)
            lines = [_translated(process, line) for line in lines]
        return lines

    def close(self) -> None:
        with self._lock:
            for process in self._running.values():
                process.close()
            self._running.clear()

    def _process(self, pair: tuple[str, str]) -> Resident:
        with self._lock:
            if pair not in self._running:
                command = ["/bin/sh", "-c", null_flush(self._modes[pair].read_text("utf-8"))]
                end = (_TAIL + _NULL).encode()
                self._running[pair] = Resident(command, end, answer_s=self._options.deadline_s)
            return self._running[pair]

    def _chain(self, source: str, target: str) -> tuple[tuple[str, str], ...]:
        """The shortest way over the installed pairs; empty where there is none."""
        return _shortest(source, target, self._modes, self._options.via.get(source, "es"))


def null_flush(mode: str) -> str:
    """The pipeline of a mode file with null flush and without marks at unknown words."""
    parts = []
    for part in mode.strip().split("|"):
        # $1 is how the generator marks what it does not know, $2 an option of the tagger.
        words = [word.replace("$1", "-n") for word in shlex.split(part) if word != "$2"]
        parts.append(shlex.join([words[0], "-z", *words[1:]]))
    return " | ".join(parts)


def _translated(process: Resident, line: str) -> str:
    if not line:
        return line
    answer = process.ask((_RESERVED.sub(r"\\\1", line) + _TAIL + _NULL).encode()).decode()
    return " ".join(_ESCAPED.sub(r"\1", answer).split())


def _modes(folder: Path) -> list[tuple[tuple[str, str], Path]]:
    """Mode files of plain pairs ("spa-eng.mode"), by their languages."""
    found = [(_PAIR.fullmatch(path.stem), path) for path in sorted(folder.glob("*.mode"))]
    return [
        ((_code(match[1]), _code(match[2])), path) for match, path in found if match is not None
    ]


def _code(name: str) -> str:
    return ISO_639_3.get(name, name)


def _shortest(
    source: str, target: str, modes: Mapping[tuple[str, str], Path], via: str
) -> tuple[tuple[str, str], ...]:
    """Breadth first; of equally short ways that through ``via``, then by the alphabet."""
    ways: deque[tuple[str, ...]] = deque([(source,)])
    seen = {source}
    while ways:
        way = ways.popleft()
        if way[-1] == target:
            return tuple(pairwise(way))
        if len(way) <= LONGEST_CHAIN:
            following = {b for a, b in modes if a == way[-1]} - seen
            seen.update(following)
            ordered = sorted(following, key=lambda code: (code != via, code))
            ways.extend((*way, code) for code in ordered)
    return ()


@hookimpl
def register_translators(register: Register[Translator]) -> None:
    register("apertium", Apertium, ApertiumOptions)
