"""The threads that work for shops do not wait for each other."""

from __future__ import annotations

import asyncio
import threading

from api.shops import Workers


def test_a_long_evaluation_holds_up_nothing_else() -> None:
    workers = Workers(1)
    over = threading.Event()

    async def all_of_them() -> list[str]:
        evaluation = asyncio.create_task(workers.try_out(over.wait, 60))
        others = (workers.read, workers.write, workers.events, workers.review)
        try:
            done = [await asyncio.wait_for(other(str, other.__name__), 30) for other in others]
            assert not evaluation.done()
        finally:
            over.set()
        assert await evaluation
        return done

    try:
        assert asyncio.run(all_of_them()) == ["read", "write", "events", "review"]
    finally:
        workers.close()
