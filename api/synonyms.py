"""Synonyms as people look at them: listed, imported, mined, decided on."""

from __future__ import annotations

from engine.core import Engine
from engine.errors import InvalidRequest
from engine.synonyms import Synonym, read_lines

from .schemas import Synonyms, SynonymsAdded, SynonymView


def list_synonyms(engine: Engine) -> Synonyms:
    """All synonyms, and what is wrong with their file."""
    book = engine.synonyms
    views = [SynonymView(synonym, synonym.etag) for synonym in book.entries()]
    return Synonyms(views, [book.problem] if book.problem else [])


def import_synonyms(engine: Engine, text: str, locale: str) -> SynonymsAdded:
    """Add those of a text of lines; raises InvalidRequest for a line that is none."""
    found = read_lines(text, locale)
    added = engine.synonyms.extend(found)
    return SynonymsAdded(added, len(found) - len(added))


def mine_synonyms(engine: Engine) -> SynonymsAdded:
    """Add what may be synonyms as candidates, which do nothing yet."""
    return SynonymsAdded(engine.mine_synonyms())


def put_synonym(engine: Engine, id: str, synonym: Synonym, version: str | None) -> bool:
    """Add it, or replace the one of its id; whether it was added."""
    if synonym.id != id:
        raise InvalidRequest(f"id: {synonym.id!r} is not the path's {id!r}", field="id")
    return engine.synonyms.put(synonym, version)
