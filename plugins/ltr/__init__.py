"""Learning to rank: the ranker ``ltr`` and the commands ``entrepot ltr``.

LightGBM (the extra ``ltr``) is loaded when a model is trained or served, not before. See
``docs/ltr.md``.
"""

from __future__ import annotations

from typing import Any

from engine import Ranker, Register, hookimpl

from .cli import ltr
from .ranker import NAME, Ltr, LtrOptions


@hookimpl
def register_rankers(register: Register[Ranker]) -> None:
    register(NAME, Ltr, LtrOptions)


@hookimpl
def register_commands(register: Register[Any]) -> None:
    # Options go by a component's name alone: those of the ranker reach its namesake, too.
    register(NAME, lambda options: ltr, LtrOptions)
