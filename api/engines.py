"""Engines as this package opens them, and what goes with making a generation live."""

from __future__ import annotations

from engine.core import Engine
from engine.settings import Settings
from indexer import PhotoLoader, drop_old_generations


def open_engine(settings: Settings) -> Engine:
    """An engine that finds photos wherever the indexer does."""
    return Engine(settings, load_images=PhotoLoader(settings).images)


def promote_generation(engine: Engine, name: str) -> None:
    """Make ``name`` live and drop what nobody will roll back to."""
    engine.promote(name)
    drop_old_generations(engine)
