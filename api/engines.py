"""Engines as this package opens them, and what goes with making a generation live."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx

from engine.core import Engine
from engine.evaluation.gate import Evidence, Gate, load_gate, pass_gate
from engine.settings import Settings
from indexer import PhotoLoader, drop_old_generations

from .running import find_server

Shop = httpx.Client | Engine
"""A shop as a command finds it: the server that holds its data folder, or an engine over it."""


def open_engine(settings: Settings) -> Engine:
    """An engine that finds photos wherever the indexer does."""
    return Engine(settings, load_images=PhotoLoader(settings).images)


@contextmanager
def open_shop(settings: Settings) -> Iterator[Shop]:
    """The running server where there is one, else an engine, for as long as the command needs."""
    if client := find_server(settings):
        with closing(client):
            yield client
    else:
        with open_engine(settings) as engine:
            yield engine


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


def promote_generation(engine: Engine, name: str, evidence: Evidence | None = None) -> None:
    """Make ``name`` live and drop what nobody will roll back to. It goes live only in place of
    what a gate that it passed compared it with; GateRefused if that is not live any more."""
    passed = evidence is not None and evidence.passed
    engine.promote(name, evidence.live if evidence is not None and passed else None)
    drop_old_generations(engine)
