"""Receiving products: NDJSON as it streams in, written in small batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from indexer.writer import LineResult, write_lines

from .schemas import UploadResult
from .shops import Shop

BATCH = 64
MAX_LINE = 2_000_000
"""Bytes of one product; the longest description takes 200,000 characters."""
MAX_LINES = 100_000
"""Results are kept until the answer, so an upload without end must be sent in parts."""

Line = tuple[int, bytes]


async def receive_products(chunks: AsyncIterator[bytes], shop: Shop) -> UploadResult:
    """Write every line; one result per line, so that a bad one fails alone.

    At most :data:`BATCH` lines are in memory.
    """
    items: list[LineResult] = []
    batch: list[Line] = []
    async for line in read_lines(chunks):
        if len(items) + len(batch) >= MAX_LINES:
            continue  # read to the end, or the client would never see the answer
        batch.append(line)
        if len(batch) == BATCH:
            items += await shop.workers.write(_write, shop, batch)
            batch = []
    if batch:
        items += await shop.workers.write(_write, shop, batch)
    if len(items) == MAX_LINES:
        told = f"at most {MAX_LINES:,} lines in one request; send what follows in another"
        items.append(LineResult(items[-1].line + 1, "", "failed", told))
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


def _write(shop: Shop, lines: Sequence[Line]) -> list[LineResult]:
    """In the writing thread."""
    short = [line for line in lines if len(line[1]) <= MAX_LINE]
    done = {result.line: result for result in write_lines(shop.engine, shop.photos, short)}
    return [done.get(number) or _too_long(number) for number, _ in lines]


def _too_long(number: int) -> LineResult:
    return LineResult(number, "", "failed", f"longer than {MAX_LINE:,} bytes")
