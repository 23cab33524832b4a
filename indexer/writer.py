"""Products sent over HTTP: the same mapping, photos and checks as a catalogue's rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from engine.core import Engine
from engine.protocols import RawRecord

from .inference import conform
from .mapping import Mapper
from .photos import PhotoLoader
from .report import Issue


class LineResult(Struct, frozen=True):
    """What became of one line; ``line`` is 1-based. ``error`` is empty when it was stored."""

    line: int
    id: str
    status: Literal["stored", "failed"]
    error: str = ""
    warnings: tuple[str, ...] = ()


def write_lines(
    engine: Engine, photos: PhotoLoader, lines: Sequence[tuple[int, bytes]]
) -> list[LineResult]:
    """Store numbered NDJSON lines; one result each, in order, so that a bad one fails alone.

    Local photos are relative to the live generation's catalogue folder; ``data:`` URIs are
    kept in the data folder. Photos that cannot be used are left out, with a warning.

    Raises:
        NoIndex: nothing is live to write to. StoreError: the store or the journal failed.
    """
    settings, schema, root = engine.settings, engine.schema, engine.image_root
    most, markets = settings.images.max_per_product, settings.localization.markets
    mapper = Mapper(settings.catalogue, most, markets)
    results: dict[int, LineResult] = {}
    waiting = []
    for number, data in lines:
        product, issues = mapper.map(_record(number, data))
        if product is None:
            id = next((issue.id for issue in issues if issue.id), "")
            results[number] = LineResult(number, id, "failed", "; ".join(_texts(issues)))
            continue
        loaded = photos.load(conform(product, schema), root, number)
        waiting.append((number, loaded, [*issues, *loaded.issues]))
    done = engine.put([(loaded.product, loaded.images) for _, loaded, _ in waiting])
    for (number, _, issues), result in zip(waiting, done, strict=True):
        warnings = (*_texts(issues), *([result.warning] if result.warning else []))
        results[number] = LineResult(number, result.id, result.status, result.error, warnings)
    return [results[number] for number, _ in lines]


def _record(number: int, data: bytes) -> RawRecord:
    try:
        raw: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return RawRecord(number, {}, f"not valid JSON: {error}")
    return (
        RawRecord(number, raw) if isinstance(raw, dict) else RawRecord(number, {}, "not an object")
    )


def _texts(issues: Iterable[Issue]) -> list[str]:
    return [f"{issue.field}: {issue.reason}" if issue.field else issue.reason for issue in issues]
