"""Receiving products: NDJSON as it streams in, written in small batches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from engine.core import Engine
from engine.types import Product

from .schemas import ItemResult, UploadResult
from .shops import Shop

BATCH = 64
MAX_LINE = 2_000_000
MAX_LINES = 100_000

Line = tuple[int, bytes]


async def receive_products(chunks: AsyncIterator[bytes], shop: Shop) -> UploadResult:
    """Write every line; one result per line, so that a bad one fails alone.

    At most :data:`BATCH` lines and one over-long line's first part are in memory.
    """
    items: list[ItemResult] = []
    batch: list[Line] = []
    async for line in read_lines(chunks):
        batch.append(line)
        if len(batch) == BATCH:
            items += await shop.workers.write(write_lines, shop.engine, batch)
            batch = []
    if batch:
        items += await shop.workers.write(write_lines, shop.engine, batch)
    stored = sum(item.status == "stored" for item in items)
    return UploadResult(stored, len(items) - stored, items)


async def read_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[Line]:
    """Lines with their 1-based numbers; blank ones are left out, over-long ones are cut to one
    byte more than :data:`MAX_LINE`."""
    number, buffer = 1, bytearray()
    async for chunk in chunks:
        *complete, rest = chunk.split(b"\n")
        for part in complete:
            buffer += part[: MAX_LINE + 1 - len(buffer)]
            if buffer.strip():
                yield number, bytes(buffer)
            number += 1
            buffer.clear()
        buffer += rest[: MAX_LINE + 1 - len(buffer)]
    if buffer.strip():
        yield number, bytes(buffer)


def write_lines(engine: Engine, lines: list[Line]) -> list[ItemResult]:
    results = {}
    good = []
    for number, data in lines:
        try:
            raw: Any = msgspec.json.decode(data)
            good.append((number, msgspec.convert(raw, Product, strict=False)))
        except msgspec.MsgspecError as error:
            results[number] = ItemResult(number, "", "failed", str(error))
    for (number, product), done in zip(good, engine.put([(p, []) for _, p in good]), strict=True):
        results[number] = ItemResult(number, product.id, done.status, done.error)
    return [results[number] for number, _ in lines]
