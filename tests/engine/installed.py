"""Puts plugin modules where a server and its child processes find them, as an installer would."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.manager import ENTRY_POINT_GROUP

FAULTY = Path(__file__).with_name("faulty.py")


def install(
    folder: Path, patch: pytest.MonkeyPatch, name: str, modules: Mapping[str, str | Path]
) -> None:
    """A distribution ``name`` in ``folder``: entry point to module text, or to a file of it. The
    module is called ``NAME_ENTRYPOINT``."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"[{ENTRY_POINT_GROUP}]"]
    for entry, source in modules.items():
        module = f"{name}_{entry}".replace("-", "_")
        if isinstance(source, Path):
            shutil.copy(source, folder / f"{module}.py")
        else:
            (folder / f"{module}.py").write_text(source)
        lines.append(f"{entry} = {module}")
        # Set and taken out, it is taken out again when the patch ends, whoever imported it.
        patch.setitem(sys.modules, module, None)
        patch.delitem(sys.modules, module)
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    patch.syspath_prepend(folder)
    importlib.invalidate_caches()
