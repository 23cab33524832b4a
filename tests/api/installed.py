"""Plugins as ``pip install`` leaves them behind, without pip: modules and their dist-info."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.manager import ENTRY_POINT_GROUP


def install(
    folder: Path, name: str, module: str, monkeypatch: pytest.MonkeyPatch, version: str = "1.0"
) -> None:
    """Make the distribution ``name``, whose entry point of that name is ``module``, found in
    ``folder``, by this process and by those it starts."""
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata)
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{name} = {module}\n")
    # Set and taken out, it is taken out again when the test ends, whoever imported it.
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, module)
    monkeypatch.syspath_prepend(folder)


def install_source(folder: Path, name: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with the module's source."""
    module = name.replace("-", "_")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    install(folder, name, module, monkeypatch)
