"""What models are trained from and measured on: judgments, or what shoppers clicked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from engine import InvalidRequest, read_qrels

T = TypeVar("T")


class JudgedQuery(Struct, frozen=True):
    """``gains`` are the judged products' grades, 0 for what is not relevant."""

    id: str
    text: str
    gains: dict[str, float]


class Impression(Struct, frozen=True):
    """One list as a shopper saw it, best first, and what was clicked in it."""

    query: Annotated[str, Meta(min_length=1)]
    shown: list[str]
    clicked: list[str] = []


class _QueryLine(Struct, frozen=True):
    id: str
    text: str


def read_judgments(queries: Path, qrels: Path) -> list[JudgedQuery]:
    """``queries`` is JSON Lines of ``{"id", "text"}``, ``qrels`` what
    :func:`engine.read_qrels` reads.
    Queries without a judgment are left out.

    Raises:
        InvalidRequest: a line that is neither, by file and number, or nothing that is judged.
    """
    grades = read_qrels(qrels)
    found = [
        JudgedQuery(line.id, line.text, grades[line.id])
        for line in _lines(queries, _QueryLine)
        if line.id in grades
    ]
    if not found:
        raise InvalidRequest(f"{qrels} judges no query of {queries}", field="qrels")
    return found


def read_events(path: Path) -> list[Impression]:
    """JSON Lines of ``{"query", "shown", "clicked"}``. Lists that nobody clicked in count, too:
    they were looked at.

    Raises:
        InvalidRequest: a line that is no impression, by number, or nothing was clicked at all.
    """
    found = list(_lines(path, Impression))
    if not any(set(line.clicked) & set(line.shown) for line in found):
        raise InvalidRequest(f"{path}: no product was clicked where it was shown", field="events")
    return found


def normal(query: str) -> str:
    """Queries that differ in case or spaces alone are one."""
    return " ".join(query.casefold().split())


def _lines(path: Path, kind: type[T]) -> Iterator[T]:
    decoder = msgspec.json.Decoder(kind)
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.strip():
            try:
                yield decoder.decode(line)
            except msgspec.DecodeError as error:
                raise InvalidRequest(f"{path}:{number}: {error}", field=path.name) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"cannot read {path}: {error}", field=path.name) from error
