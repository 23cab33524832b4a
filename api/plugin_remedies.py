"""What usually mends a plugin that does not load or build, by its error."""

from __future__ import annotations

import difflib
import re

from engine import hookspecs
from engine.manager import DISABLED, PluginStatus

HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("register_"))


def load_remedy(status: PluginStatus) -> str:
    """What to do about a plugin that was left out; ``status.error`` says why it was."""
    error = status.error
    if error == DISABLED:
        return f"Take {status.name!r} out of `disabled` under [plugins] to use it."
    if error.startswith("ModuleNotFoundError"):
        missing = error.partition("'")[2].rpartition("'")[0]
        return (
            f"Install {missing!r} and name it in the plugin's dependencies; if it is the plugin's "
            "own module, its wheel lacks it (hatch: only-include)."
        )
    if error.startswith("PluginValidationError"):
        misspelt = re.findall(r"register_\w+|\w*regist\w+", error)
        close = difflib.get_close_matches(misspelt[0], HOOKS, n=1) if misspelt else []
        meant = f"Did you mean {close[0]}? " if close else ""
        return f"{meant}Hooks are: {', '.join(HOOKS)}; each takes `register`."
    if "made for plugin API" in error:
        return "Install a version of the plugin for this Entrepot, or an Entrepot for the plugin."
    if "already registered" in error or "came first" in error:
        return "Rename one of the two, or name one under `disabled` in [plugins]."
    if error.startswith("AttributeError: module"):
        return 'The entry point names the module with the hooks, alone: my-ranker = "my_ranker".'
    return f"See the traceback: python -c 'from importlib.metadata import entry_points; {_load}'."


_load = '[e.load() for e in entry_points(group="entrepot.plugins")]'


def build_remedy(error: Exception, name: str) -> str:
    """What to do where a component cannot be built with the options that the settings give."""
    if "options of" in str(error):
        return f"Set them under [plugins.options.{name}] in entrepot.toml (--config names it)."
    return "A factory gets its options and nothing else; what it needs besides must be there."
