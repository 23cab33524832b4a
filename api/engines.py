"""Engines as this package opens them, and what goes with making a generation live."""

from __future__ import annotations

from engine.core import Engine
from engine.evaluation.gate import Evidence, Gate, load_gate, pass_gate
from engine.settings import Settings
from indexer import PhotoLoader, drop_old_generations


def open_engine(settings: Settings) -> Engine:
    """An engine that finds photos wherever the indexer does."""
    return Engine(settings, load_images=PhotoLoader(settings).images)


def check_generation(
    engine: Engine, name: str, gate: Gate | None = None, *, force: bool = False
) -> Evidence | None:
    """Send a generation through ``gate``, or the one that the settings name; ``None`` where there
    is neither, or the generation is live already.

    Raises:
        GateRefused: it may not go live. What :func:`engine.evaluation.gate.examine` raises.
    """
    path, folder = engine.settings.gate_path, None
    if gate is None and path is not None:
        gate, folder = load_gate(path), path.parent
    if gate is None or any(one.live and one.name == name for one in engine.generations()):
        return None
    return pass_gate(engine, name, gate, force=force, folder=folder)


def promote_generation(engine: Engine, name: str) -> None:
    """Make ``name`` live and drop what nobody will roll back to."""
    engine.promote(name)
    drop_old_generations(engine)
