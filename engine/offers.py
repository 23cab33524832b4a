"""Asks a process what a plugin offers, so that the server need not import it to know."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from .child_process import ChildProcess
from .errors import PluginError
from .guard import Failure
from .wire import Offer, Offers, Recipe, Refused

START_S = 30.0
"""How long a child may take to import a plugin and build a component."""
MEMORY_MB = 1024
"""What it may use for that unless its limits say otherwise."""


def offers_of(plugin: str) -> Mapping[str, Mapping[str, Offer]]:
    """Kind → component. Raises PluginError."""
    level = logging.getLogger().getEffectiveLevel()
    try:
        child = ChildProcess(Recipe(plugin, "", "", {}, MEMORY_MB, os.getpid(), level))
    except OSError as error:
        raise PluginError(f"its process cannot be started: {error}") from error
    try:
        answer = child.greet(START_S)
    except Failure as failure:
        raise PluginError(str(failure)) from failure
    finally:
        child.reap()
    if isinstance(answer, Refused):
        raise PluginError(answer.words.removeprefix(f"plugin {plugin!r}: "))
    if not isinstance(answer, Offers):
        raise PluginError(f"its process answered {type(answer).__name__}")
    return answer.components
