"""What ``pip install entrepot`` puts on a machine: all it needs, and nothing else."""

from __future__ import annotations

import subprocess
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGES = {"api", "engine", "indexer", "models", "plugins"}
MAX_CORE_BYTES = 900_000_000


@pytest.fixture(scope="module")
def installed() -> Distribution:
    found = distribution("entrepot")
    if '"editable": true' in (found.read_text("direct_url.json") or ""):
        pytest.skip("entrepot is installed editable; tox -e e2e installs the wheel")
    return found


def test_it_holds_the_five_packages_and_nothing_else(installed: Distribution) -> None:
    tops = {file.parts[0] for file in installed.files or [] if file.parts[0] != ".."}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES


def test_it_holds_every_tracked_file_of_them(installed: Distribution, root: Path) -> None:
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    asked = [*sorted(PACKAGES), ":!models/checkpoints"]  # to fine-tune, not to serve
    command = ["git", "ls-files", "-z", "--", *asked]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout
    tracked = {name for name in listed.decode().split("\0") if name and (root / name).exists()}
    assert tracked - {str(file) for file in installed.files or []} == set()


def test_the_core_stays_light(installed: Distribution) -> None:
    found = _closure(installed)
    size = sum(_bytes(each) for each in found.values())
    assert "torch" not in found
    assert size < MAX_CORE_BYTES, f"{size / 1e6:.0f} MB in {len(found)} distributions"


def _closure(start: Distribution) -> dict[str, Distribution]:
    """``start`` and everything it requires without extras of its own."""
    found: dict[str, Distribution] = {}
    waiting = [(start, frozenset[str]())]
    while waiting:
        current, extras = waiting.pop()
        found[canonicalize_name(current.metadata["Name"])] = current
        for line in current.requires or []:
            needs = Requirement(line)
            active = any(
                needs.marker is None or needs.marker.evaluate({"extra": extra})
                for extra in (extras or {""})
            )
            if active and canonicalize_name(needs.name) not in found:
                waiting.append((distribution(needs.name), frozenset(needs.extras)))
    return found


def _bytes(found: Distribution) -> int:
    paths = [Path(str(found.locate_file(file))) for file in found.files or []]
    return sum(path.stat().st_size for path in paths if path.is_file())
