"""Which generations to keep: the newest, the live one, and the one to roll back to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from engine.core import Engine
from engine.errors import StoreLocked

from .lock import BuildLock

KEPT = 2


def kept_generations(names: Sequence[str], live: str | None, keep: int = KEPT) -> list[str]:
    """The newest ``keep`` of ``names`` and the live one, oldest first."""
    newest = sorted(names)[-keep:]
    return sorted({*newest, *([live] if live in names and live is not None else [])})


def drop_old_generations(engine: Engine, keep: int = KEPT) -> list[str]:
    """Delete all but the kept generations, with their reports; the names of the deleted.

    Call it after a promotion. A generation that somebody still reads stays until next time,
    and nothing is dropped while a build runs.
    """
    dropped: list[str] = []
    with suppress(StoreLocked), BuildLock(engine.settings.data_path):
        status = engine.generations()
        live = next((one.name for one in status if one.live), None)
        kept = [*kept_generations([one.name for one in status], live, keep), engine.previous()]
        for name in [one.name for one in status if one.name not in kept]:
            with suppress(StoreLocked):
                engine.drop(name)
                dropped.append(name)
                for file in (engine.settings.data_path / "reports").glob(f"{name}.*"):
                    file.unlink(missing_ok=True)
    return dropped
